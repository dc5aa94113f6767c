//! What can go wrong with a child, each in one sentence.

use std::time::Duration;

use thiserror::Error;
use wayside_bridge::{BridgeError, ErrorKind, Fault, Retry};

/// A child does not do what the protocol asks of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the bridge program `{program}` {problem}")]
pub struct ExecError {
    /// The program's file name.
    pub program: String,
    /// What it did.
    pub problem: Problem,
}

/// What a child did, as the rest of a sentence that begins with its name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is not there, or not executable.
    #[error("cannot be started: {0}")]
    Start(String),
    /// It did not say who it is in time.
    #[error("said no hello within {0:?}")]
    NoHello(Duration),
    /// Its first line is no hello, or one that makes no sense.
    #[error("said a hello that makes no sense ({0})")]
    BadHello(String),
    /// It speaks only versions that we do not.
    #[error(
        "speaks version {theirs} of the exec protocol and this node speaks {ours}: update the older of the two"
    )]
    Version {
        /// The nearest that it offers.
        theirs: u32,
        /// Ours.
        ours: u32,
    },
    /// After a restart it no longer promises what it promised first.
    #[error("declares another capability than when the bridge was opened ({0}): open the bridge again")]
    Changed(&'static str),
    /// It did not answer in time.
    #[error("did not answer within {0:?}")]
    NoAnswer(Duration),
    /// It ended or closed its output.
    #[error("ended ({0})")]
    Ended(String),
    /// It wrote what is not of the protocol.
    #[error("printed a line that is not of the exec protocol: `{0}`")]
    Garbage(String),
    /// It wrote a line without end.
    #[error("printed a line longer than {0} bytes")]
    LongLine(usize),
    /// It wrote much that nobody asked for.
    #[error("floods its output with messages that nobody asked for")]
    Flood,
    /// It sent more for a watch than it had credit for.
    #[error("sent more records than it had credit for")]
    Credit,
    /// The bridge has been closed.
    #[error("has been closed")]
    Closed,
}

impl Problem {
    /// The problem of this program.
    pub(crate) fn of(self, program: &str) -> ExecError {
        ExecError { program: program.to_owned(), problem: self }
    }
}

impl From<ExecError> for BridgeError {
    fn from(error: ExecError) -> Self {
        let (kind, fault) = match &error.problem {
            Problem::Start(_) => (ErrorKind::Configuration, Fault::User),
            Problem::Version { .. } | Problem::Changed(_) => (ErrorKind::Configuration, Fault::Bridge),
            Problem::BadHello(_) | Problem::Garbage(_) => (ErrorKind::Garbled, Fault::Bridge),
            _ => (ErrorKind::Internal, Fault::Bridge),
        };
        let retry = match &error.problem {
            Problem::Closed => Retry::Never,
            // even these go away once the program is repaired, and it is started again now and then
            _ => Retry::BackOff,
        };
        Self::new(kind, error.to_string()).with_fault(fault).with_retry(retry)
    }
}
