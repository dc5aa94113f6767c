//! How a request fails.

use serde::{Deserialize, Serialize};

/// The body of every answer that is not 2xx.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What kind it is; exit codes follow from it.
    pub code: ErrorCode,
    /// One sentence, with what to do about it.
    pub message: String,
}

impl ApiError {
    /// An error of its parts.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// The request makes no sense.
    Usage,
    /// It took longer than one wanted to wait; it goes on.
    Pending,
    /// No such friend, bridge, message.
    NotFound,
    /// It is there already.
    Exists,
    /// The invite does not work: expired, used, damaged.
    Invite,
    /// No bridge of ours reaches the place.
    NoBridge,
    /// A bridge does not work.
    Bridge,
    /// The home is damaged, full, not writable, or another's.
    Home,
    /// Another node of the same home is just starting, running or ending.
    Busy,
    /// No token was shown, or one that is wrong, revoked or over.
    Unauthorized,
    /// The token, or the page that asks, may not ask this.
    Forbidden,
    /// Too many wrong tokens were shown.
    TooMany,
    /// The node went away before it answered.
    Away,
    /// Something in the node itself.
    Internal,
}
