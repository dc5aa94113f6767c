//! What goes wrong with a folder, and what a person does about it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wayside_bridge::{BridgeError, ErrorKind, Fault, Retry};

/// Why a folder could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirError {
    #[error("there is no folder at {}; plug it in, mount it or create it", .0.display())]
    Missing(PathBuf),
    #[error("{} is not a folder; give the path of a folder that both of you can see", .0.display())]
    NotAFolder(PathBuf),
    #[error(
        "the folder at {} is not the one that this bridge was added for; if the stick or share is not mounted, \
         mount it, and if the folder was emptied on purpose, remove the bridge and add it again", .0.display()
    )]
    OtherPlace(PathBuf),
    #[error("{} is in the way; look at it and move it elsewhere", .0.display())]
    InTheWay(PathBuf),
    #[error("we may not use {}; ask its owner for permission to read and write there", .path.display())]
    Denied { path: PathBuf, source: io::Error },
    #[error("{} can only be read; mount it writable to publish there", .path.display())]
    ReadOnly { path: PathBuf, source: io::Error },
    #[error("the disk that holds {} is full, or our quota is; make some room there", .path.display())]
    Full { path: PathBuf, source: io::Error },
    #[error("the folder at {} does not answer; is the server or disk behind it there?", .0.display())]
    Silent(PathBuf),
    #[error("the folder at {} failed ({source}); is the server or disk behind it there?", .path.display())]
    Failed { path: PathBuf, source: io::Error },
    #[error("a {class} record in a folder has at most {max} bytes, and this one has {len}")]
    TooLarge { class: wayside_bridge::Class, len: usize, max: usize },
    #[error("only a pointer has a public name for its key, of 1 to 64 of `a-z 0-9 - _ .`")]
    Key,
    #[error(
        "a bell in a folder has a name of 1 to 64 of `a-z 0-9 - _ .`, beginning with a letter, digit or `_`"
    )]
    RingName,
    #[error("a task of the folder's bridge ended unexpectedly")]
    Lost,
}

impl DirError {
    /// What an operation on `path` came to.
    pub(crate) fn of(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing(path),
            io::ErrorKind::NotADirectory => Self::NotAFolder(path),
            io::ErrorKind::PermissionDenied => Self::Denied { path, source },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path, source },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, source },
            _ => Self::Failed { path, source },
        }
    }

    const fn kind(&self) -> ErrorKind {
        match self {
            // What was plugged in once may be plugged in again: never `Gone`, which nobody tries again.
            Self::Missing(_) | Self::OtherPlace(_) | Self::Silent(_) | Self::Failed { .. } => {
                ErrorKind::Unreachable
            }
            Self::NotAFolder(_) => ErrorKind::Configuration,
            Self::InTheWay(_) | Self::TooLarge { .. } | Self::Key | Self::RingName => ErrorKind::Refused,
            Self::Denied { .. } | Self::ReadOnly { .. } => ErrorKind::Denied,
            Self::Full { .. } => ErrorKind::Full,
            Self::Lost => ErrorKind::Internal,
        }
    }
}

/// How soon to look whether a disk has room again, or a folder its permissions: a local look costs nothing.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

impl From<DirError> for BridgeError {
    fn from(error: DirError) -> Self {
        let base = Self::new(error.kind(), error.to_string());
        match error {
            DirError::InTheWay(_) => base.with_fault(Fault::Service),
            DirError::Denied { source, .. }
            | DirError::ReadOnly { source, .. }
            | DirError::Full { source, .. } => base.with_retry(Retry::After(LOOK_AGAIN)).with_source(source),
            DirError::Failed { source, .. } => base.with_source(source),
            _ => base,
        }
    }
}
