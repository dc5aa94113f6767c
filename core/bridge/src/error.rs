//! What went wrong, whose fault it is, and when to try again.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// An error of a bridge: kind, fault, retry time, and the context a person needs.
///
/// Plugins keep an error enum of their own and convert it into this one.
#[derive(Debug)]
pub struct BridgeError {
    kind: ErrorKind,
    fault: Fault,
    retry: Retry,
    message: Cow<'static, str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl BridgeError {
    /// An error with the fault and retry time that its kind usually has.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            fault: kind.usual_fault(),
            retry: kind.usual_retry(),
            message: message.into(),
            source: None,
        }
    }

    /// The capability does not declare it.
    pub fn unsupported(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unsupported, what)
    }

    /// Sets whose fault it is.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    /// Sets when to try again.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Keeps the error that caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind it is.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whose fault it is.
    pub const fn fault(&self) -> Fault {
        self.fault
    }

    /// When to try again.
    pub const fn retry(&self) -> Retry {
        self.retry
    }

    /// One sentence for a person, with what to do about it where something can be done; no secrets.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for BridgeError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// What kind of error it is. Decides what the node does; a person reads the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The service does not answer.
    Unreachable,
    /// It answered and does not let us: credentials, membership, permission.
    Denied,
    /// It asks us to slow down.
    RateLimited,
    /// The place is full or over quota.
    Full,
    /// It does not take this record (size, class, key).
    Refused,
    /// The capability does not declare it.
    Unsupported,
    /// The place is not there (any more).
    Gone,
    /// A watcher was too slow; watch again from the cursor.
    Lagged,
    /// The service answered what makes no sense.
    Garbled,
    /// The user's configuration does not make sense.
    Configuration,
    /// Something in the bridge itself.
    Internal,
}

impl ErrorKind {
    const fn usual_fault(self) -> Fault {
        match self {
            Self::Unreachable | Self::RateLimited | Self::Full | Self::Garbled | Self::Gone => Fault::Service,
            Self::Denied | Self::Configuration => Fault::User,
            Self::Refused | Self::Unsupported | Self::Lagged => Fault::Caller,
            Self::Internal => Fault::Bridge,
        }
    }

    const fn usual_retry(self) -> Retry {
        match self {
            Self::Unreachable | Self::Garbled | Self::Internal => Retry::BackOff,
            Self::RateLimited => Retry::After(Duration::from_secs(30)),
            Self::Full => Retry::After(Duration::from_secs(600)),
            Self::Lagged => Retry::Now,
            Self::Denied | Self::Refused | Self::Unsupported | Self::Gone | Self::Configuration => {
                Retry::Never
            }
        }
    }
}

/// Whose fault it is: who can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The service, or the network on the way to it.
    Service,
    /// The user: configuration, credentials.
    User,
    /// The code that called the bridge.
    Caller,
    /// The bridge itself.
    Bridge,
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// At once.
    Now,
    /// Not before this has passed: the service said so.
    After(Duration),
    /// Soon, then less and less often.
    BackOff,
    /// Not until something has changed.
    Never,
}
