//! A bot's own folder.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::home::{HomeError, private_dir, private_file, replace};

/// A folder of which one bot has hold, until this is dropped or the process ends: `state` and `lock`, and `bridge/`, which is the bridge's.
#[derive(Debug)]
pub struct BotFolder {
    path: PathBuf,
    _lock: File,
}

impl BotFolder {
    /// Takes hold of it, and makes it where it is not there: for its owner alone.
    ///
    /// # Errors
    /// [`HomeError::InUse`] where another bot has hold of it, [`HomeError::Io`] where the system refuses.
    pub fn open(path: &Path) -> Result<Self, HomeError> {
        private_dir(path).map_err(|error| HomeError::io(path, error))?;
        let at = path.join("lock");
        let lock = private_file(&at).map_err(|error| HomeError::io(&at, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(HomeError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(HomeError::io(&at, error)),
        }
    }

    /// The folder for the bridge's own sessions and caches.
    ///
    /// # Errors
    /// [`HomeError::Io`] where the system refuses.
    pub fn bridge(&self) -> Result<PathBuf, HomeError> {
        let path = self.path.join("bridge");
        private_dir(&path).map_err(|error| HomeError::io(&path, error))?;
        Ok(path)
    }

    fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    pub(super) fn read(&self) -> Result<Option<Vec<u8>>, HomeError> {
        match std::fs::read(self.state()) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(HomeError::io(&self.state(), error)),
        }
    }

    pub(super) async fn write(&self, bytes: Vec<u8>) -> io::Result<()> {
        let path = self.state();
        tokio::task::spawn_blocking(move || replace(&path, &bytes)).await.map_err(io::Error::other)?
    }
}
