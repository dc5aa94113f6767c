//! What goes wrong with web space, and what a person does about it.

use std::time::Duration;

use wayside_bridge::{BridgeError, ErrorKind, Retry};

/// Why a space could not be used. Cheap to clone: what waits together fails together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WebError {
    #[error("{0}")]
    Configuration(String),
    #[error("{host} cannot be reached ({reason}); is this machine online, and the address right?")]
    Unreachable { host: String, reason: String },
    #[error(
        "{host} shows a certificate that is not trusted here ({reason}); where it has a certificate authority of its own, give that with --ca"
    )]
    Certificate { host: String, reason: String },
    #[error("{host} does not answer in time; try again later")]
    Silent { host: String },
    #[error(
        "{host} failed (status {status}); it is tried again, and where that does not pass, its disk may be full or its folder not its own"
    )]
    Failing { host: String, status: u16 },
    #[error("{host} does not take our name and password; look at --user and --password-file")]
    Password { host: String },
    #[error("{host} lets nobody do this without a password; give --user and --password-file")]
    NoPassword { host: String },
    #[error(
        "{host} does not let us {doing} (status 403); whoever runs it has to allow it for this user and folder"
    )]
    Forbidden { host: String, doing: &'static str },
    #[error("there is nothing at {at} that takes records (status 404); look for a typing error")]
    NotFound { at: String },
    #[error(
        "{host} does not know how to {doing} (status {status}); is this a WebDAV folder, or wayside.php?"
    )]
    Method { host: String, doing: &'static str, status: u16 },
    #[error(
        "{host} cannot put a file there (status 409): the folder that it belongs into is missing; make it first"
    )]
    NoFolder { host: String },
    #[error("something was changed there at the same moment; it is tried again")]
    Changed,
    #[error("others keep writing there at the same moment; it is tried again")]
    Contended,
    #[error("{host} takes no file of {len} bytes (status 413); its limit for uploads has to be raised")]
    UploadLimit { host: String, len: usize },
    #[error("{host} says that it is being written to by somebody else (status 423); it is tried again")]
    Locked { host: String },
    #[error("there is no room left at {host} (status 507); remove something there, or ask for more")]
    DiskFull { host: String },
    #[error(
        "the space is full: {len} bytes of records of ours are there, and more than {max} are not put into one; take some back"
    )]
    SpaceFull { len: usize, max: usize },
    #[error("{0} write in this space already, which is as many as it takes; share another one")]
    ManyWriters(usize),
    #[error("{host} asks us to slow down; nothing is sent for {} s", .wait.as_secs())]
    Slow { host: String, wait: Duration },
    #[error("{host} sends us round in circles; the address has to be the one where the space is in the end")]
    Redirects { host: String },
    #[error("{host} sends us to {to}, where we do not go by ourselves; if that is right, give that address")]
    Elsewhere { host: String, to: String },
    #[error("{host} sends more than anything of wayside's can be; is the address right?")]
    TooLarge { host: String },
    #[error("{host}'s answer makes no sense (status {status}); is the address right?")]
    Garbled { host: String, status: u16 },
    #[error(
        "{at} is not followed: it is an address of a private network or of this machine, and somebody else named it"
    )]
    Private { at: String },
    #[error("{0} names no web space")]
    NoSpace(String),
    #[error("this bridge has no --write and only reads; add it again with one to publish")]
    ReadOnly,
    #[error("--write exec: `{program}` cannot be run ({reason})")]
    Program { program: String, reason: String },
    #[error("--write exec: `{program}` failed ({reason})")]
    ProgramFailed { program: String, reason: String },
    #[error("{path}: {reason}")]
    Folder { path: String, reason: String },
    #[error("a record on the web has at most {max} bytes, and this one has {len}")]
    RecordTooLarge { len: usize, max: usize },
    #[error(
        "a pointer lies under a public name on the web, of 1 to 64 of `a-z 0-9 - _ .`, and only a pointer does"
    )]
    Key,
    #[error("at most {0} public names are asked for at once here")]
    ManyNames(usize),
    #[error("too much waits already to be written")]
    Crowded,
    #[error("a task of the web bridge ended unexpectedly")]
    Lost,
}

/// How soon to look whether a person has done something about it.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// How soon to try again where several write.
const SOON: Duration = Duration::from_secs(5);

impl WebError {
    const fn kind(&self) -> ErrorKind {
        match self {
            Self::Configuration(_) | Self::Program { .. } => ErrorKind::Configuration,
            Self::Unreachable { .. }
            | Self::Certificate { .. }
            | Self::Silent { .. }
            | Self::Failing { .. }
            | Self::ProgramFailed { .. }
            | Self::Folder { .. } => ErrorKind::Unreachable,
            Self::Password { .. }
            | Self::NoPassword { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Method { .. }
            | Self::NoFolder { .. }
            | Self::ReadOnly => ErrorKind::Denied,
            Self::Private { .. } | Self::NoSpace(_) => ErrorKind::Unsupported,
            Self::UploadLimit { .. } | Self::RecordTooLarge { .. } | Self::Key | Self::ManyNames(_) => {
                ErrorKind::Refused
            }
            Self::Changed | Self::Contended | Self::Locked { .. } | Self::Slow { .. } | Self::Crowded => {
                ErrorKind::RateLimited
            }
            Self::DiskFull { .. } | Self::SpaceFull { .. } | Self::ManyWriters(_) => ErrorKind::Full,
            Self::Redirects { .. }
            | Self::Elsewhere { .. }
            | Self::TooLarge { .. }
            | Self::Garbled { .. } => ErrorKind::Garbled,
            Self::Lost => ErrorKind::Internal,
        }
    }
}

impl From<WebError> for BridgeError {
    fn from(error: WebError) -> Self {
        let base = Self::new(error.kind(), error.to_string());
        match error {
            WebError::Slow { wait, .. } => base.with_retry(Retry::After(wait)),
            WebError::Changed | WebError::Contended | WebError::Locked { .. } | WebError::Crowded => {
                base.with_retry(Retry::After(SOON))
            }
            WebError::Forbidden { .. }
            | WebError::NotFound { .. }
            | WebError::Method { .. }
            | WebError::NoFolder { .. }
            | WebError::UploadLimit { .. } => base.with_retry(Retry::After(LOOK_AGAIN)),
            _ => base,
        }
    }
}
