//! What strangers left here: a file of its own, which may be thrown away.

use std::path::Path;
use std::sync::Arc;

use redb::{ReadableTable, TableDefinition};

use super::base::Base;
use super::{Store, StoreError, file, on_its_own_thread};

/// The file of a node that lets strangers leave records. It is made when the node does so for the first time.
#[derive(Debug)]
pub(crate) struct RendezvousStore {
    base: Base,
    /// The home is ours as long as anybody uses this.
    _home: Arc<Store>,
}

/// Entries by their numbers.
pub(crate) type Entries = Vec<(u64, Vec<u8>)>;

const RECORDS: TableDefinition<u64, &[u8]> = TableDefinition::new("rendezvous-records");
const SALT: TableDefinition<(), &[u8]> = TableDefinition::new("rendezvous-salt");
/// Memory that redb may keep pages in: everything is in memory anyhow.
const CACHE_BYTES: usize = 1 << 20;

impl RendezvousStore {
    /// Opens the file, or makes one with this salt.
    pub(crate) fn open(path: &Path, salt: [u8; 32], home: Arc<Store>) -> Result<Arc<Self>, StoreError> {
        file::make(path, CACHE_BYTES, |transaction| {
            transaction.open_table(RECORDS)?;
            transaction.open_table(SALT)?.insert((), salt.as_slice())?;
            Ok(())
        })?;
        let base = Base::new(Box::new(file::StoreFile { path: path.to_owned(), cache: CACHE_BYTES }))?;
        Ok(Arc::new(Self { base, _home: home }))
    }

    /// The salt that the file was made with, and all entries.
    pub(crate) fn all(&self) -> Result<([u8; 32], Entries), StoreError> {
        self.base.read(|transaction| {
            let salt = transaction.open_table(SALT)?;
            let salt = salt.get(())?.and_then(|salt| salt.value().try_into().ok());
            let salt = salt.ok_or_else(|| StoreError::Damaged("there is no salt".to_owned()))?;
            let records = transaction.open_table(RECORDS)?;
            let entries = records.iter()?.map(|found| {
                let (number, entry) = found?;
                Ok((number.value(), entry.value().to_vec()))
            });
            Ok((salt, entries.collect::<Result<_, StoreError>>()?))
        })
    }

    /// Keeps and forgets entries, on disk when this returns.
    pub(crate) async fn change(self: &Arc<Self>, put: Entries, gone: Vec<u64>) -> Result<(), StoreError> {
        let store = Arc::clone(self);
        let change = move || {
            store.base.write(|transaction| {
                let mut records = transaction.open_table(RECORDS)?;
                for number in gone {
                    records.remove(number)?;
                }
                for (number, entry) in put {
                    records.insert(number, entry.as_slice())?;
                }
                Ok(())
            })
        };
        on_its_own_thread(change).await
    }
}
