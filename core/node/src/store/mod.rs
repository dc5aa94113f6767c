//! What must survive: one redb file, every commit on disk before anybody is told.

mod age;
mod doors;
mod engine;
mod file;
mod inbox;
mod introductions;
mod outbox;
mod relays;
mod steps;
pub(crate) mod tables;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, io};

use redb::{Database, ReadTransaction, ReadableDatabase, StorageError, WriteTransaction};

pub(crate) use inbox::{Arrival, InboxEntry};
pub(crate) use introductions::{Kept, StoredRequest};
pub(crate) use outbox::{Accepted, OutboxEntry};
pub(crate) use relays::{SecretBytes, Standing, Standings};

use crate::api::types::{ApiError, ErrorCode};
use crate::home::{HomeError, HomeLock};

/// The store of a home.
#[derive(Debug)]
pub(crate) struct Store {
    /// Opens the file once more.
    opener: Box<dyn Opener>,
    /// `None` after an error of the disk: redb wants the file opened again then.
    database: Mutex<Option<Database>>,
    /// Let go of after the database: as long as anybody uses the store, the home is ours.
    _lock: Option<HomeLock>,
}

/// Opens a database that is there.
trait Opener: fmt::Debug + Send + Sync {
    fn open(&self) -> Result<Database, StoreError>;
}

impl Store {
    /// Opens the store, or makes it.
    pub(crate) fn open(path: &Path, lock: HomeLock) -> Result<Arc<Self>, HomeError> {
        file::make(path).map_err(|error| error.of_home(path))?;
        let opener = Box::new(file::StoreFile(path.to_owned()));
        Self::with_opener(opener, Some(lock)).map_err(|error| error.of_home(path))
    }

    fn with_opener(opener: Box<dyn Opener>, lock: Option<HomeLock>) -> Result<Arc<Self>, StoreError> {
        let database = opener.open()?;
        let store = Self { opener, database: Mutex::new(Some(database)), _lock: lock };
        store.write(make_tables)?;
        Ok(Arc::new(store))
    }

    /// Runs a piece of work with the store on a thread that may wait for the disk.
    pub(crate) async fn run<R, F>(self: &Arc<Self>, work: F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: FnOnce(&Self) -> Result<R, StoreError> + Send + 'static,
    {
        let store = Arc::clone(self);
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(ended) => Err(StoreError::Io(io::Error::other(ended))),
        }
    }

    /// One transaction, on disk when this returns.
    fn write<R>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.with(|database| {
            let transaction = database.begin_write()?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        })
    }

    /// One look at a consistent state.
    fn read<R>(&self, work: impl FnOnce(&ReadTransaction) -> Result<R, StoreError>) -> Result<R, StoreError> {
        self.with(|database| work(&database.begin_read()?))
    }

    fn with<R>(&self, work: impl FnOnce(&Database) -> Result<R, StoreError>) -> Result<R, StoreError> {
        let mut slot = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let database = match slot.take() {
            Some(database) => database,
            None => self.opener.open()?,
        };
        let result = work(&database);
        if !matches!(result, Err(StoreError::Io(_))) {
            *slot = Some(database);
        }
        result
    }
}

fn make_tables(transaction: &WriteTransaction) -> Result<(), StoreError> {
    engine::make(transaction)?;
    outbox::make(transaction)?;
    inbox::make(transaction)?;
    steps::make(transaction)?;
    introductions::make(transaction)?;
    relays::make(transaction)?;
    doors::make(transaction)?;
    age::make(transaction)
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The disk: full, gone, read-only.
    #[error("the disk does not take it: {0}")]
    Io(io::Error),
    /// The file is not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// A limit of the configuration.
    #[error("{0}")]
    Limit(&'static str),
}

impl StoreError {
    fn of_home(self, path: &Path) -> HomeError {
        match self {
            Self::Io(error) => HomeError::io(path, error),
            Self::Damaged(why) => HomeError::Damaged { path: path.to_owned(), why },
            Self::Limit(why) => HomeError::Damaged { path: path.to_owned(), why: why.to_owned() },
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Io(io) if io.kind() == io::ErrorKind::StorageFull => {
                Self::new(ErrorCode::Home, "the disk is full: make room and try again; nothing is lost")
            }
            StoreError::Limit(_) => Self::new(ErrorCode::Usage, error.to_string()),
            _ => Self::new(ErrorCode::Home, error.to_string()),
        }
    }
}

impl From<StorageError> for StoreError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                Self::Damaged(error.to_string())
            }
            StorageError::Io(error) => Self::Io(error),
            StorageError::PreviousIo | StorageError::DatabaseClosed => Self::Io(io::Error::other(error)),
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// redb has an error type for each step; each of them is a storage error or says that the file is not ours.
macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                match error {
                    redb::$error::Storage(error) => error.into(),
                    other => Self::Damaged(other.to_string()),
                }
            }
        }
    )*};
}
from_redb!(DatabaseError, TransactionError, TableError, CommitError);

#[cfg(test)]
mod disk;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use disk::Disk;
