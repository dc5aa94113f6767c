//! What can go wrong, whose fault it is, and why a link ended.

use std::{fmt, io, net::SocketAddr};

/// Why an operation on an endpoint or a link failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// An address could not be bound: a local matter, for the caller to settle.
    #[error("cannot use the local address {address}: {source}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// `connect` was given no candidate that any of the endpoint's sockets can reach.
    #[error("no candidate fits a local socket{}", Attempts(.attempts))]
    NoCandidate {
        /// What each candidate failed with.
        attempts: Vec<Attempt>,
    },
    /// `connect` was given an expectation of [`Whom::Anyone`](crate::Whom::Anyone) or
    /// [`Whom::Guests`](crate::Whom::Guests): the caller's mistake.
    #[error("the expectation names nobody to dial")]
    NobodyToDial,
    /// No candidate answered in time. The peer may be offline, unreachable from here, or may not expect us: silence
    /// does not tell. Worth trying again later.
    #[error("no candidate answered in time{}", Attempts(.attempts))]
    Timeout {
        /// The last thing that each candidate failed with, where it failed at all.
        attempts: Vec<Attempt>,
    },
    /// The endpoint was closed here.
    #[error("the endpoint is closed")]
    EndpointClosed,
    /// The link has ended.
    #[error("the link is closed: {0}")]
    Closed(CloseReason),
    /// A protocol name is empty, or longer than [`MAX_PROTOCOL_NAME`](crate::MAX_PROTOCOL_NAME) bytes: the caller's mistake.
    #[error("a protocol name has 1 to 64 bytes")]
    ProtocolName,
    /// A datagram is larger than the path carries now; see [`Link::max_datagram`](crate::Link::max_datagram).
    #[error("the datagram does not fit the path")]
    DatagramTooLarge,
}

impl LinkError {
    /// Whether the same call may succeed later without the caller changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Closed(CloseReason::TimedOut | CloseReason::Failed(_)))
    }
}

impl From<noq::ConnectionError> for LinkError {
    fn from(error: noq::ConnectionError) -> Self {
        Self::Closed(error.into())
    }
}

/// What trying one candidate came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The candidate.
    pub candidate: crate::Remote,
    /// How it failed last.
    pub failure: String,
}

struct Attempts<'a>(&'a [Attempt]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, attempt) in self.0.iter().enumerate() {
            write!(f, "{} {}: {}", if i == 0 { ":" } else { ";" }, attempt.candidate, attempt.failure)?;
        }
        Ok(())
    }
}

/// Why a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// This side closed it, or dropped its last handle.
    Local,
    /// The peer closed it and said why. The text is the peer's: at most 256 bytes, control characters removed.
    Peer(String),
    /// Nothing was heard for the idle timeout.
    TimedOut,
    /// The protocol was violated, by either side's reckoning.
    Failed(String),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("closed here"),
            Self::Peer(reason) if reason.is_empty() => f.write_str("closed by the peer"),
            Self::Peer(reason) => write!(f, "closed by the peer: {reason}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Failed(what) => write!(f, "failed: {what}"),
        }
    }
}

impl From<noq::ConnectionError> for CloseReason {
    fn from(error: noq::ConnectionError) -> Self {
        match error {
            noq::ConnectionError::ApplicationClosed(close) => Self::Peer(tame(&close.reason)),
            noq::ConnectionError::LocallyClosed => Self::Local,
            noq::ConnectionError::TimedOut => Self::TimedOut,
            other => Self::Failed(tame(other.to_string().as_bytes())),
        }
    }
}

/// The longest reason in bytes that is sent, or kept of what a peer sent.
pub(crate) const MAX_REASON: usize = 256;

/// A peer's text, fit for a log.
fn tame(text: &[u8]) -> String {
    let text = text.get(..MAX_REASON).unwrap_or(text);
    String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).collect()
}
