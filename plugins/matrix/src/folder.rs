//! The bridge's own folder: the session, the key of the library's store, how far a room was heard. Nobody else may read it, and one program at a time
//! uses it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wayside_bridge::Entropy;

use crate::error::{MatrixError, said};

/// The largest of these files, in bytes.
const LARGEST: u64 = 1024 * 1024;
const SESSION: &str = "session.json";
const KEY: &str = "store-key";

/// A session with a homeserver. Its `Debug` is not derived: it holds the token.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) homeserver: String,
    pub(crate) user: String,
    pub(crate) device: String,
    pub(crate) token: String,
    /// The room as it was named, and the id of what it was then.
    pub(crate) room: Option<(String, String)>,
}

/// The folder, while we have it for ourselves.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: Arc<File>,
}

impl Folder {
    /// Takes the folder.
    pub(crate) fn take(path: &Path) -> Result<Self, MatrixError> {
        let failed = |error: std::io::Error| failed(path, &error.to_string());
        std::fs::create_dir_all(path).map_err(failed)?;
        let lock = private(path.join("lock").as_path(), false).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: Arc::new(lock) }),
            Err(TryLockError::WouldBlock) => Err(MatrixError::InUse),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Where the library keeps state and keys.
    pub(crate) fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    /// The key of the library's store; made where there is none.
    pub(crate) fn key(&self, entropy: &dyn Entropy) -> Result<[u8; 32], MatrixError> {
        let path = self.path.join(KEY);
        if let Ok(bytes) = std::fs::read(&path) {
            return bytes.try_into().map_err(|_| failed(&self.path, "the key of the store is cut short"));
        }
        let mut key = [0; 32];
        entropy.fill(&mut key);
        self.write(KEY, &key)?;
        Ok(key)
    }

    /// Forgets store and key, where a session begins anew.
    pub(crate) fn clear(&self) -> Result<(), MatrixError> {
        for path in
            [self.store(), self.path.join(KEY), self.path.join(SESSION), self.path.join(crate::chat::HEARD)]
        {
            let gone =
                if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            match gone {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(failed(&self.path, &error.to_string()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The session that is kept, where there is one.
    pub(crate) fn session(&self) -> Option<Session> {
        self.json(SESSION)
    }

    /// Keeps a session.
    pub(crate) fn keep_session(&self, session: &Session) -> Result<(), MatrixError> {
        self.keep_json(SESSION, session)
    }

    /// What is in this file, where it can be read.
    pub(crate) fn json<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let bytes = crate::options::read_at_most(&self.path.join(name), LARGEST).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Puts this into a file.
    pub(crate) fn keep_json(&self, name: &str, value: &impl Serialize) -> Result<(), MatrixError> {
        let bytes = serde_json::to_vec(value).map_err(|error| failed(&self.path, &error.to_string()))?;
        self.write(name, &bytes)
    }

    /// Whole or not at all.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), MatrixError> {
        let new = self.path.join(format!("{name}.new"));
        let written = private(&new, true).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written
            .and_then(|()| std::fs::rename(&new, self.path.join(name)))
            .map_err(|error| failed(&self.path, &error.to_string()))
    }
}

fn failed(path: &Path, reason: &str) -> MatrixError {
    MatrixError::State { folder: path.display().to_string(), reason: said(reason) }
}

/// A file that nobody else may read.
fn private(path: &Path, truncate: bool) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(truncate);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
