//! What most tables are used for: all of their entries are read when the node starts, and each is kept or forgotten by itself.

use std::borrow::Borrow;

use redb::{Key, ReadableTable, TableDefinition, Value};

use super::{Store, StoreError};

impl Store {
    /// Everything in a table, as `entry` makes it of key and value, by order of the keys.
    pub(super) fn entries<K, V, T, All>(
        &self,
        table: TableDefinition<'_, K, V>,
        mut entry: impl FnMut(K::SelfType<'_>, V::SelfType<'_>) -> T,
    ) -> Result<All, StoreError>
    where
        K: Key + 'static,
        V: Value + 'static,
        All: FromIterator<T>,
    {
        self.read(|transaction| {
            let table = transaction.open_table(table)?;
            let entries = table.iter()?.map(|found| {
                let (key, value) = found?;
                Ok(entry(key.value(), value.value()))
            });
            entries.collect()
        })
    }

    /// Keeps a value under its key, or forgets what was there.
    pub(super) fn keep_entry<'v, K, V>(
        &self,
        table: TableDefinition<'_, K, V>,
        key: impl for<'k> Borrow<K::SelfType<'k>>,
        value: Option<impl Borrow<V::SelfType<'v>>>,
    ) -> Result<(), StoreError>
    where
        K: Key + 'static,
        V: Value + 'static,
    {
        self.write(|transaction| {
            let mut table = transaction.open_table(table)?;
            match value {
                Some(value) => drop(table.insert(key, value)?),
                None => drop(table.remove(key)?),
            }
            Ok(())
        })
    }
}
