//! The meeting engine's values.

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use wayside_proto::engine::Change;

use super::{Store, StoreError};

const ENGINE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("engine");

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(ENGINE)?;
    Ok(())
}

impl Store {
    /// Everything that the engine stored.
    pub(crate) fn engine_values(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(ENGINE)?;
            let entries = table.iter()?.map(|entry| {
                let (key, value) = entry?;
                Ok((key.value().to_owned(), value.value().to_owned()))
            });
            entries.collect()
        })
    }

    /// Makes the engine's changes, all or none.
    pub(crate) fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(ENGINE)?;
            for Change { key, value } in changes {
                match value {
                    Some(value) => table.insert(key.as_str(), value.as_slice())?,
                    None => table.remove(key.as_str())?,
                };
            }
            Ok(())
        })
    }
}
