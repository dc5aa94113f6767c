//! The mailbox's tables in redb: keys and values are bytes.

use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use wayside_proto::mailbox::tables::Entry;
use wayside_proto::mailbox::{Read, Table, Tables};

use super::StoreError;

const fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(name(table))
}

const fn name(table: Table) -> &'static str {
    let mut at = 0;
    while at < Table::ALL.len() {
        let (known, name) = Table::ALL[at];
        if known as u8 == table as u8 {
            return name;
        }
        at += 1;
    }
    unreachable!()
}

/// Makes those that are not there yet.
pub(super) fn make(transaction: &WriteTransaction, tables: &[Table]) -> Result<(), StoreError> {
    for table in tables {
        transaction.open_table(definition(*table))?;
    }
    Ok(())
}

/// A look at them.
pub(crate) struct Look<'a>(pub(super) &'a ReadTransaction);

/// A transaction on them.
pub(crate) struct Change<'a>(pub(super) &'a WriteTransaction);

fn get(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(table.get(key)?.map(|value| value.value().to_vec()))
}

fn scan(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
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
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
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
                get(&self.0.open_table(definition(table))?, key)
            }

            fn scan(
                &self,
                table: Table,
                from: &[u8],
                to: &[u8],
                most: usize,
            ) -> Result<Vec<Entry>, StoreError> {
                scan(&self.0.open_table(definition(table))?, from, to, most)
            }

            fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Entry>, StoreError> {
                last(&self.0.open_table(definition(table))?, from, to)
            }
        }
    };
}
read!(Look);
read!(Change);

impl Tables for Change<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.0.open_table(definition(table))?.insert(key, value)?;
        Ok(())
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.0.open_table(definition(table))?.remove(key)?.is_some())
    }
}
