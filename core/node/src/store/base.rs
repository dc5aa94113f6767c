//! A redb file that is opened anew after an error of the disk, so that one that was full for a while is used again.

use std::fmt;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};

use super::StoreError;

/// Opens a database that is there.
pub(super) trait Opener: fmt::Debug + Send + Sync {
    fn open(&self) -> Result<Database, StoreError>;
}

/// A database, whatever becomes of its disk meanwhile.
#[derive(Debug)]
pub(super) struct Base {
    /// Opens the file once more.
    opener: Box<dyn Opener>,
    /// `None` after an error of the disk: redb wants the file opened again then. Readers do not wait for a writer's disk; writers wait for each other in redb.
    database: RwLock<Option<Database>>,
}

impl Base {
    /// Opens it.
    pub(super) fn new(opener: Box<dyn Opener>) -> Result<Self, StoreError> {
        let database = opener.open()?;
        Ok(Self { opener, database: RwLock::new(Some(database)) })
    }

    /// One transaction, on disk when this returns.
    pub(super) fn write<R>(
        &self,
        work: impl FnOnce(&mut WriteTransaction) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.with(|database| {
            let mut transaction = database.begin_write()?;
            let result = work(&mut transaction)?;
            transaction.commit()?;
            Ok(result)
        })
    }

    /// One look at a consistent state.
    pub(super) fn read<R>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.with(|database| work(&database.begin_read()?))
    }

    fn with<R>(&self, work: impl FnOnce(&Database) -> Result<R, StoreError>) -> Result<R, StoreError> {
        let mut slot = self.look();
        // Another one may meet an error between the two, and then it is opened once more.
        let database = loop {
            match slot.as_ref() {
                Some(database) => break database,
                None => {
                    drop(slot);
                    self.open()?;
                    slot = self.look();
                }
            }
        };
        let result = work(database);
        drop(slot);
        if matches!(result, Err(StoreError::Io(_))) {
            *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        result
    }

    fn look(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Result<(), StoreError> {
        let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            *slot = Some(self.opener.open()?);
        }
        Ok(())
    }
}
