//! What goes wrong with a repository, and what a person does about it.

use std::time::Duration;

use wayside_bridge::{BridgeError, ErrorKind, Fault, Retry};

/// Why a repository could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GitError {
    #[error("the program `git` is not found; install git {LEAST} or later, and see that it is on the PATH")]
    NotInstalled,
    #[error("this needs git {LEAST} or later, and the one on the PATH is {0}; install a newer one")]
    TooOld(String),
    #[error("git could not be started ({0}); does `git version` work?")]
    Start(String),
    #[error("{place} did not answer within {patience:?}; is the host up, and does `git ls-remote` reach it?")]
    Silent { place: String, patience: Duration },
    /// What the host, or git about the host, said.
    #[error("{message}")]
    Said { kind: ErrorKind, message: String },
    #[error("{place} holds more than {what}; delete the branch at the host, and it is made anew")]
    TooMuch { place: String, what: &'static str },
    #[error("a {class} record in a repository has at most {max} bytes, and this one has {len}")]
    TooLarge { class: wayside_bridge::Class, len: usize, max: usize },
    #[error("only a pointer has a public name for its key, of 1 to 64 of `a-z 0-9 - _ .`")]
    Key,
    #[error("{0} was written to by others each time we tried; it is tried again later")]
    Busy(String),
    #[error("the disk that holds wayside's own files is full; make some room there")]
    NoRoomHere,
    /// Something with our cache: it is made anew and the step repeated, once.
    #[error("git failed where it should not ({0}); the cache is made anew")]
    Cache(String),
}

/// The least version of git that has what we use.
///
/// `fetch --no-write-fetch-head` and `--no-auto-maintenance` came with 2.29; 2.30 is the oldest in a Debian that is still looked after.
pub(crate) const LEAST: Version = Version(2, 30);

/// A version of git.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u32, pub(crate) u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl GitError {
    const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotInstalled | Self::TooOld(_) => ErrorKind::Configuration,
            Self::Start(_) | Self::Cache(_) => ErrorKind::Internal,
            Self::Silent { .. } => ErrorKind::Unreachable,
            Self::Said { kind, .. } => *kind,
            Self::TooMuch { .. } | Self::NoRoomHere => ErrorKind::Full,
            Self::TooLarge { .. } | Self::Key => ErrorKind::Refused,
            Self::Busy(_) => ErrorKind::RateLimited,
        }
    }

    /// Whether it is a matter of permission.
    pub(crate) const fn is_denied(&self) -> bool {
        matches!(self, Self::Said { kind: ErrorKind::Denied, .. })
    }

    /// Whether the host will not, or has no room.
    pub(crate) const fn is_the_hosts_will(&self) -> bool {
        matches!(self, Self::Said { kind: ErrorKind::Denied | ErrorKind::Full, .. })
    }

    /// Whether there is more than is read.
    pub(crate) const fn is_too_much(&self) -> bool {
        matches!(self, Self::TooMuch { .. })
    }

    /// Whether a new cache may help.
    pub(crate) const fn is_about_the_cache(&self) -> bool {
        matches!(self, Self::Cache(_))
    }
}

/// How soon to look whether a person has put right what only a person can: a permission, a name, a full disk.
const LOOK_AGAIN: Duration = Duration::from_secs(300);

impl From<GitError> for BridgeError {
    fn from(error: GitError) -> Self {
        let base = Self::new(error.kind(), error.to_string());
        match error {
            GitError::Busy(_) => base.with_retry(Retry::BackOff),
            GitError::NoRoomHere => base.with_fault(Fault::User),
            GitError::Said {
                kind: ErrorKind::Denied | ErrorKind::Configuration | ErrorKind::Refused,
                ..
            } => base.with_retry(Retry::After(LOOK_AGAIN)),
            _ => base,
        }
    }
}
