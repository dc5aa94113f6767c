//! A folder that something else uploads, or that a web server serves.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Files, Over, Probed, Read, Store};
use crate::error::WebError;
use crate::validator::Validator;

/// Tells files apart that are being written at the same moment.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// A folder on this machine.
pub(crate) struct Dir {
    pub(crate) path: PathBuf,
}

impl Dir {
    /// Does something with files where waiting is allowed.
    async fn with<T: Send + 'static>(
        &self,
        file: &str,
        work: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, WebError> {
        let path = self.path.join(file);
        let done = tokio::task::spawn_blocking(move || work(&path).map_err(|error| trouble(&path, &error)));
        done.await.map_err(|_| WebError::Lost)?
    }
}

#[async_trait]
impl Files for Dir {
    async fn get(&self, file: &str, _known: Option<&Validator>, most: usize) -> Result<Read, WebError> {
        self.with(file, move |path| match std::fs::metadata(path) {
            Ok(about) if about.len() > most as u64 => Err(ErrorKind::FileTooLarge.into()),
            Ok(_) => Ok(Read::Fresh(std::fs::read(path)?.into(), None)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Read::Absent),
            Err(error) => Err(error),
        })
        .await
    }
}

#[async_trait]
impl Store for Dir {
    async fn put(&self, file: &str, contents: Bytes, _over: Over) -> Result<(), WebError> {
        self.with(file, move |path| {
            let folder = path.parent().unwrap_or(path);
            std::fs::create_dir_all(folder)?;
            // Beside it, so that who serves or uploads it sees the old one or the new one.
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
            let beside = folder.join(format!(".{name}.{}-{number}", std::process::id()));
            let written = std::fs::write(&beside, &contents).and_then(|()| std::fs::rename(&beside, path));
            if written.is_err() {
                let _ = std::fs::remove_file(&beside);
            }
            written
        })
        .await
    }

    async fn delete(&self, file: &str) -> Result<(), WebError> {
        self.with(file, |path| match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await
    }

    async fn probe(&self) -> Result<Probed, WebError> {
        self.with("", |path| {
            let about = std::fs::metadata(path)?;
            match about.is_dir() && !about.permissions().readonly() {
                true => Ok(()),
                false => Err(ErrorKind::PermissionDenied.into()),
            }
        })
        .await?;
        Ok(Probed::default())
    }
}

fn trouble(path: &Path, error: &std::io::Error) -> WebError {
    let shown = path.display().to_string();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => WebError::DiskFull { host: shown },
        _ => WebError::Folder { path: shown, reason: error.to_string() },
    }
}
