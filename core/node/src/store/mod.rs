//! What must survive: one redb file, every commit on disk before anybody is told. What is kept for others has a file of its own ([`CustodyStore`]).

mod age;
mod base;
mod bells;
mod communities;
mod custody;
mod doors;
mod engine;
mod entries;
mod file;
mod inbox;
mod introductions;
mod mail;
pub(crate) mod offers;
mod pointers;
mod relays;
#[cfg(feature = "rendezvous")]
mod rendezvous;
mod steps;
pub(crate) mod tables;

use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};

use redb::{ReadTransaction, StorageError, TableDefinition, WriteTransaction};
use tokio::sync::oneshot;

use base::{Base, Opener};
pub(crate) use bells::KeptBell;
pub(crate) use custody::CustodyStore;
pub(crate) use inbox::{InboxEntry, InboxFile};
pub(crate) use introductions::{Kept, StoredRequest};
pub(crate) use mail::{MailChange, Parts};
pub(crate) use pointers::{Leftover, Placed, StoredPointer};
pub(crate) use relays::{SecretBytes, Standing, Standings};
#[cfg(feature = "rendezvous")]
pub(crate) use rendezvous::RendezvousStore;
pub(crate) use tables::{Change, Look};

use crate::api::types::{ApiError, ErrorCode};
use crate::home::{HomeError, HomeLock};

/// The store of a home.
#[derive(Debug)]
pub(crate) struct Store {
    base: Base,
    /// Let go of after the database: as long as anybody uses the store, the home is ours.
    lock: Option<HomeLock>,
}

impl Store {
    /// Opens the store, or makes it.
    pub(crate) fn open(path: &Path, lock: HomeLock) -> Result<Arc<Self>, HomeError> {
        let make = |transaction: &mut WriteTransaction| make_tables(transaction);
        file::make(path, CACHE_BYTES, make).map_err(|error| error.of_home(path))?;
        let opener = Box::new(file::StoreFile { path: path.to_owned(), cache: CACHE_BYTES });
        Self::with_opener(opener, Some(lock)).map_err(|error| error.of_home(path))
    }

    fn with_opener(opener: Box<dyn Opener>, lock: Option<HomeLock>) -> Result<Arc<Self>, StoreError> {
        let store = Self { base: Base::new(opener)?, lock };
        store.write(make_tables)?;
        Ok(Arc::new(store))
    }

    /// Counts to nothing as soon as another node may have the home: the store is gone by then, and not just let go of.
    pub(crate) fn held(&self) -> Weak<()> {
        self.lock.as_ref().map(HomeLock::held).unwrap_or_default()
    }

    /// Runs a piece of work with the store on a thread that may wait for the disk.
    pub(crate) async fn run<R, F>(self: &Arc<Self>, work: F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: FnOnce(&Self) -> Result<R, StoreError> + Send + 'static,
    {
        let store = Arc::clone(self);
        on_its_own_thread(move || work(&store)).await
    }

    /// One transaction, on disk when this returns.
    fn write<R>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.base.write(|transaction| work(transaction))
    }

    /// One look at a consistent state.
    fn read<R>(&self, work: impl FnOnce(&ReadTransaction) -> Result<R, StoreError>) -> Result<R, StoreError> {
        self.base.read(work)
    }
}

/// Memory that redb may keep the home's pages in: its working set is small, and nodes run on small machines.
const CACHE_BYTES: usize = 2 << 20;

/// Does a piece of work on a thread that may wait for the disk.
async fn on_its_own_thread<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, StoreError> + Send + 'static,
) -> Result<R, StoreError> {
    let (done, result) = oneshot::channel();
    // As one type: the runtime's part of a task would else be compiled for each piece of work.
    let work: Box<dyn FnOnce() + Send> = Box::new(move || drop(done.send(work())));
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Io(io::Error::other(error)))?;
    result.await.map_err(|error| StoreError::Io(io::Error::other(error)))?
}

fn make_tables(transaction: &WriteTransaction) -> Result<(), StoreError> {
    engine::make(transaction)?;
    mail::make(transaction)?;
    inbox::make(transaction)?;
    steps::make(transaction)?;
    introductions::make(transaction)?;
    offers::make(transaction)?;
    relays::make(transaction)?;
    bells::make(transaction)?;
    doors::make(transaction)?;
    pointers::make(transaction)?;
    communities::make(transaction)?;
    age::make(transaction)?;
    delete_old(transaction)
}

/// Deletes what earlier versions kept: messages that waited, as they were written. Their pages are free then, and overwritten sooner or later.
fn delete_old(transaction: &WriteTransaction) -> Result<(), StoreError> {
    for table in ["outbox", "outbox-accepted", "outbox-numbers", "inbox-numbers"] {
        transaction.delete_table(TableDefinition::<&[u8], &[u8]>::new(table))?;
    }
    Ok(())
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
