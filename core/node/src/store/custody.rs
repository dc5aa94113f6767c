//! What is kept here for others: a file of its own, so that a million of their messages does not weigh on what the node needs for itself.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use redb::WriteTransaction;
use wayside_proto::mailbox::{MailError, Table};

use super::base::Base;
#[cfg(test)]
use super::base::Opener;
use super::tables::{self, Change, Look};
use super::{Store, StoreError, file, on_its_own_thread};

/// The custody's file. It is made when something is kept for the first time: most nodes keep nothing for anybody.
#[derive(Debug)]
pub(crate) struct CustodyStore {
    path: PathBuf,
    base: OnceLock<Base>,
    making: Mutex<()>,
    /// The home is ours as long as anybody uses this.
    _home: Option<Arc<Store>>,
}

/// Its tables.
const TABLES: [Table; 8] = [
    Table::CustodyBlobs,
    Table::CustodyByOwner,
    Table::CustodyByHash,
    Table::CustodyExpiry,
    Table::CustodyQueues,
    Table::CustodyOwners,
    Table::CustodyCarried,
    Table::CustodyState,
];

/// Memory that redb may keep pages in. The paths to the pages that are in use are a few hundred kilobytes even with a million messages; a group of deposits, before
/// it is written, is the larger part.
const CACHE_BYTES: usize = 8 << 20;

impl CustodyStore {
    /// Opens the file, where there is one.
    pub(crate) fn open(path: &Path, home: Arc<Store>) -> Result<Self, StoreError> {
        let store =
            Self { path: path.to_owned(), base: OnceLock::new(), making: Mutex::new(()), _home: Some(home) };
        if path.try_exists().map_err(StoreError::Io)? {
            store.base()?;
        }
        Ok(store)
    }

    #[cfg(test)]
    pub(super) fn with_opener(opener: Box<dyn Opener>) -> Result<Self, StoreError> {
        let base = Base::new(opener)?;
        base.write(|transaction| make(transaction))?;
        Ok(Self { path: PathBuf::new(), base: base.into(), making: Mutex::new(()), _home: None })
    }

    /// Runs a piece of work with it on a thread that may wait for the disk.
    pub(crate) async fn run<R, F>(self: &Arc<Self>, work: F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: FnOnce(&Self) -> Result<R, StoreError> + Send + 'static,
    {
        let store = Arc::clone(self);
        on_its_own_thread(move || work(&store)).await
    }

    /// One transaction, on disk when this returns.
    pub(crate) fn change<R>(
        &self,
        work: impl FnOnce(&mut Change<'_>) -> Result<R, MailError<StoreError>>,
    ) -> Result<R, StoreError> {
        self.base()?.write(|transaction| {
            keep_repair_quick(transaction);
            Ok(work(&mut Change::new(transaction))?)
        })
    }

    /// One look at a consistent state; `None` where nothing was ever kept.
    pub(crate) fn look<R>(
        &self,
        work: impl FnOnce(&Look<'_>) -> Result<R, MailError<StoreError>>,
    ) -> Result<Option<R>, StoreError> {
        let Some(base) = self.base.get() else { return Ok(None) };
        base.read(|transaction| Ok(work(&Look::new(transaction))?)).map(Some)
    }

    fn base(&self) -> Result<&Base, StoreError> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(base) = self.base.get() {
            return Ok(base);
        }
        file::make(&self.path, CACHE_BYTES, |transaction| {
            keep_repair_quick(transaction);
            make(transaction)
        })?;
        let base = Base::new(Box::new(file::StoreFile { path: self.path.clone(), cache: CACHE_BYTES }))?;
        Ok(self.base.get_or_init(|| base))
    }
}

fn make(transaction: &WriteTransaction) -> Result<(), StoreError> {
    tables::make(transaction, &TABLES)
}

/// Without it redb reads the whole file after a crash, a gigabyte perhaps, before anything can be asked. It costs a second fsync a group.
fn keep_repair_quick(transaction: &mut WriteTransaction) {
    transaction.set_quick_repair(true);
}

impl From<MailError<Self>> for StoreError {
    fn from(error: MailError<Self>) -> Self {
        match error {
            MailError::Store(error) => error,
            MailError::Damaged(what) => Self::Damaged(what.to_owned()),
        }
    }
}
