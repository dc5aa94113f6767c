//! How a command ends: the exit codes, in one place, and the one sentence that goes with a failure.

use std::io;
use std::process::ExitCode;

use wayside::HomeError;
use wayside::api::types::{ApiError, ErrorCode};

/// The exit codes that docs/COMMAND.md tabulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Pending = 3,
    NotFound = 4,
    Invite = 5,
    NoBridge = 6,
    Bridge = 7,
    Home = 8,
    Exists = 9,
}

impl From<ErrorCode> for Exit {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::Usage => Self::Usage,
            ErrorCode::Pending => Self::Pending,
            ErrorCode::NotFound => Self::NotFound,
            ErrorCode::Exists => Self::Exists,
            ErrorCode::Invite => Self::Invite,
            ErrorCode::NoBridge => Self::NoBridge,
            ErrorCode::Bridge => Self::Bridge,
            ErrorCode::Home | ErrorCode::Busy => Self::Home,
            ErrorCode::Away
            | ErrorCode::Internal
            | ErrorCode::Unauthorized
            | ErrorCode::Forbidden
            | ErrorCode::TooMany => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What a command comes to: how it ends, or why it fails.
pub(crate) type Outcome = Result<Exit, Failure>;

/// Why a command fails.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// One sentence with what to do about it; none where all was said already.
    pub(crate) message: Option<String>,
}

impl Failure {
    /// A failure and its sentence.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: Some(message.into()) }
    }

    /// The request makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::new(error.code.into(), error.message)
    }
}

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        ApiError::from(error).into()
    }
}

impl From<io::Error> for Failure {
    /// Of reading or writing the command's own streams. Nobody reads any more: that is no failure, and nothing is said.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { exit: Exit::Done, message: None };
        }
        Self::new(Exit::Failed, format!("the output cannot be written ({error}): see where it goes"))
    }
}
