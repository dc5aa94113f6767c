//! The mailbox's tables in redb: keys and values are bytes.

use std::cell::OnceCell;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use wayside_proto::mailbox::tables::Entry;
use wayside_proto::mailbox::{Read, Table, Tables};

use super::StoreError;

type Bytes = &'static [u8];

const fn definition(table: Table) -> TableDefinition<'static, Bytes, Bytes> {
    TableDefinition::new(table.name())
}

/// Makes those that are not there yet.
pub(super) fn make(transaction: &WriteTransaction, tables: &[Table]) -> Result<(), StoreError> {
    for table in tables {
        transaction.open_table(definition(*table))?;
    }
    Ok(())
}

/// Tables that stay open for as long as the transaction: a group of deposits uses each of them hundreds of times, and opening one costs as much as using it.
struct Opened<T>([OnceCell<T>; Table::ALL.len()]);

impl<T> Opened<T> {
    const fn none() -> Self {
        Self([const { OnceCell::new() }; Table::ALL.len()])
    }

    fn get(&self, table: Table, open: impl FnOnce() -> Result<T, StoreError>) -> Result<&T, StoreError> {
        let cell = self.0.get(table as usize).ok_or_else(unknown)?;
        if cell.get().is_none() {
            // Nobody else has set it: this is one thread's.
            let _ = cell.set(open()?);
        }
        cell.get().ok_or_else(unknown)
    }

    fn get_mut(
        &mut self,
        table: Table,
        open: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<&mut T, StoreError> {
        self.get(table, open)?;
        self.0.get_mut(table as usize).and_then(OnceCell::get_mut).ok_or_else(unknown)
    }
}

fn unknown() -> StoreError {
    StoreError::Damaged("there is no such table".to_owned())
}

/// A look at them.
pub(crate) struct Look<'a> {
    transaction: &'a ReadTransaction,
    opened: Opened<ReadOnlyTable<Bytes, Bytes>>,
}

impl<'a> Look<'a> {
    /// At the state that this transaction sees.
    pub(crate) const fn new(transaction: &'a ReadTransaction) -> Self {
        Self { transaction, opened: Opened::none() }
    }
}

/// A transaction on them. Their tables cannot be opened otherwise as long as this is there.
pub(crate) struct Change<'a> {
    transaction: &'a WriteTransaction,
    opened: Opened<redb::Table<'a, Bytes, Bytes>>,
}

impl<'a> Change<'a> {
    /// In this transaction, which is committed once this is gone.
    pub(crate) const fn new(transaction: &'a WriteTransaction) -> Self {
        Self { transaction, opened: Opened::none() }
    }

    fn table_mut(&mut self, table: Table) -> Result<&mut redb::Table<'a, Bytes, Bytes>, StoreError> {
        let transaction = self.transaction;
        self.opened.get_mut(table, || Ok(transaction.open_table(definition(table))?))
    }
}

fn get(table: &impl ReadableTable<Bytes, Bytes>, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(table.get(key)?.map(|value| value.value().to_vec()))
}

fn scan(
    table: &impl ReadableTable<Bytes, Bytes>,
    from: &[u8],
    to: &[u8],
    most: usize,
) -> Result<Vec<Entry>, StoreError> {
    if from >= to {
        return Ok(Vec::new());
    }
    let found = table.range::<&[u8]>(from..to)?.take(most);
    found
        .map(|entry| {
            let (key, value) = entry?;
            Ok((key.value().to_vec(), value.value().to_vec()))
        })
        .collect()
}

fn last(
    table: &impl ReadableTable<Bytes, Bytes>,
    from: &[u8],
    to: &[u8],
) -> Result<Option<Entry>, StoreError> {
    if from >= to {
        return Ok(None);
    }
    let last = table.range::<&[u8]>(from..to)?.next_back().transpose()?;
    Ok(last.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
}

macro_rules! read {
    ($type:ident) => {
        impl Read for $type<'_> {
            type Error = StoreError;

            fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
                get(self.opened.get(table, || Ok(self.transaction.open_table(definition(table))?))?, key)
            }

            fn scan(
                &self,
                table: Table,
                from: &[u8],
                to: &[u8],
                most: usize,
            ) -> Result<Vec<Entry>, StoreError> {
                let open = || Ok(self.transaction.open_table(definition(table))?);
                scan(self.opened.get(table, open)?, from, to, most)
            }

            fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Entry>, StoreError> {
                let open = || Ok(self.transaction.open_table(definition(table))?);
                last(self.opened.get(table, open)?, from, to)
            }
        }
    };
}
read!(Look);
read!(Change);

impl Tables for Change<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.table_mut(table)?.insert(key, value)?;
        Ok(())
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.table_mut(table)?.remove(key)?.is_some())
    }
}
