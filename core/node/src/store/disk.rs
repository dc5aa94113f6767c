//! A disk in memory that fails on demand, for tests.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::backends::InMemoryBackend;
use redb::{Database, StorageBackend};

use super::{CustodyStore, Opener, Store, StoreError, file};

/// A disk that may be full. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    backend: Option<Arc<InMemoryBackend>>,
    full: bool,
    refused: u64,
}

impl Disk {
    /// A store on this disk: what was there before is there.
    pub(crate) fn store(&self) -> Arc<Store> {
        Store::with_opener(Box::new(self.clone()), None).unwrap()
    }

    /// A store of what is kept for others on this disk: what was there before is there.
    pub(crate) fn custody(&self) -> CustodyStore {
        CustodyStore::with_opener(Box::new(self.clone())).unwrap()
    }

    pub(crate) fn fill(&self, full: bool) {
        self.lock().full = full;
    }

    /// How often something was refused.
    pub(crate) fn refused(&self) -> u64 {
        self.lock().refused
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn backend(&self) -> Arc<InMemoryBackend> {
        Arc::clone(self.lock().backend.get_or_insert_default())
    }

    fn room(&self) -> Result<(), io::Error> {
        let mut state = self.lock();
        if !state.full {
            return Ok(());
        }
        state.refused += 1;
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }
}

impl Opener for Disk {
    fn open(&self) -> Result<Database, StoreError> {
        Ok(file::builder(super::CACHE_BYTES).create_with_backend(self.clone())?)
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        self.backend().len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.backend().read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.room()?;
        self.backend().set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.room()?;
        self.backend().sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.room()?;
        self.backend().write(offset, data)
    }
}
