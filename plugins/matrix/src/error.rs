//! What goes wrong with a room, and what a person does about it.

use std::time::Duration;

use matrix_sdk::ruma::api::error::{ErrorKind as Code, RetryAfter};
use matrix_sdk::{Error, HttpError};
use wayside_bridge::{BridgeError, ErrorKind, Retry};

/// Why a homeserver or a room could not be used. Cheap to clone: all who wait for it hear of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MatrixError {
    #[error("{0}")]
    Configuration(String),
    #[error("{host} cannot be reached ({reason}); is this machine online?")]
    Unreachable { host: String, reason: String },
    #[error(
        "{host} shows a certificate that is not trusted here ({reason}); if it has an authority of its own, give its certificate with --ca"
    )]
    Untrusted { host: String, reason: String },
    #[error("{0} does not answer; it is tried again")]
    Silent(String),
    #[error("{host} failed (status {status}); its trouble usually passes, and it is tried again")]
    Failing { host: String, status: u16 },
    #[error(
        "{host} does not take this user and password ({said}); look for a typing error in --user and in the password file"
    )]
    Login { host: String, said: String },
    #[error(
        "{host} does not know our session (any more): it was logged out there, or the token is wrong; remove the bridge and add it again"
    )]
    Session { host: String },
    #[error("{host} has locked or closed the account ({said}); ask whoever runs it")]
    Account { host: String, said: String },
    #[error(
        "there is no room {room} that we may see; look for a typing error, or ask one of its members for an invitation"
    )]
    NoRoom { room: String },
    #[error("we may not join {room} ({said}); ask one of its members for an invitation")]
    NotInvited { room: String, said: String },
    #[error("we were removed from {room} ({said}); once somebody invites us again, it goes on by itself")]
    Removed { room: String, said: String },
    #[error("we are banned from {room} ({said}); only its moderators can change that")]
    Banned { room: String, said: String },
    #[error("we may not do this in {room} ({said}); its moderators decide who may write there")]
    Forbidden { room: String, said: String },
    #[error(
        "{room} was upgraded to a room that we may not join ({said}); ask one of its members for an invitation"
    )]
    Upgraded { room: String, said: String },
    #[error("the homeserver asks us to slow down; nothing is sent for {} s", .wait.as_secs())]
    Slow { wait: Duration },
    #[error("the homeserver does not take this ({said})")]
    Invalid { said: String },
    #[error("{user} is nobody who could be written to ({said})")]
    Nobody { user: String, said: String },
    #[error(
        "the homeserver's answer makes no sense ({0}); is --homeserver the address of a Matrix homeserver?"
    )]
    Garbled(String),
    #[error("the room has more than {0} direct rooms with us already; leave some of them")]
    Crowded(usize),
    #[error(
        "what is kept of this bridge in {folder} cannot be used ({reason}); remove the bridge and add it again"
    )]
    State { folder: String, reason: String },
    #[error("another program uses this bridge's folder, as the node does while it runs; stop it first")]
    InUse,
    #[error("more came in the room than was read")]
    Lagged,
    #[error("a task of the bridge to the room ended unexpectedly")]
    Lost,
}

/// How soon to look whether a person has done something about it.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// Where the homeserver asks us to slow down and does not say for how long.
const UNTOLD: Duration = Duration::from_secs(5);
/// The longest that a homeserver may make us wait at once.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

impl MatrixError {
    const fn kind(&self) -> ErrorKind {
        match self {
            Self::Configuration(_) | Self::InUse => ErrorKind::Configuration,
            Self::Unreachable { .. } | Self::Untrusted { .. } | Self::Silent(_) | Self::Failing { .. } => {
                ErrorKind::Unreachable
            }
            Self::Login { .. }
            | Self::Session { .. }
            | Self::Account { .. }
            | Self::NoRoom { .. }
            | Self::NotInvited { .. }
            | Self::Removed { .. }
            | Self::Banned { .. }
            | Self::Forbidden { .. } => ErrorKind::Denied,
            Self::Upgraded { .. } => ErrorKind::Gone,
            Self::Slow { .. } => ErrorKind::RateLimited,
            Self::Invalid { .. } | Self::Nobody { .. } | Self::Crowded(_) => ErrorKind::Refused,
            Self::Garbled(_) => ErrorKind::Garbled,
            Self::Lagged => ErrorKind::Lagged,
            Self::State { .. } | Self::Lost => ErrorKind::Internal,
        }
    }

    /// Whether it passes by itself.
    pub(crate) const fn passes(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Silent(_)
                | Self::Failing { .. }
                | Self::Slow { .. }
                | Self::Garbled(_)
        )
    }
}

impl From<MatrixError> for BridgeError {
    fn from(error: MatrixError) -> Self {
        let base = Self::new(error.kind(), error.to_string());
        match error {
            MatrixError::Slow { wait } => base.with_retry(Retry::After(wait)),
            MatrixError::NoRoom { .. }
            | MatrixError::NotInvited { .. }
            | MatrixError::Removed { .. }
            | MatrixError::Banned { .. }
            | MatrixError::Forbidden { .. }
            | MatrixError::Upgraded { .. }
            | MatrixError::Account { .. } => base.with_retry(Retry::After(LOOK_AGAIN)),
            _ => base,
        }
    }
}

/// What an error of the library means at this host, in this room.
pub(crate) fn of_sdk(error: &Error, host: &str, room: &str) -> MatrixError {
    match error {
        Error::Http(error) => of_http(error, host, room),
        Error::WrongRoomState(_) => MatrixError::Removed { room: said(room), said: said("we are not in it") },
        other => {
            tracing::debug!(error = %other, "the Matrix library failed");
            MatrixError::Garbled(said(&other.to_string()))
        }
    }
}

/// What an error of a request means at this host, in this room.
pub(crate) fn of_http(error: &HttpError, host: &str, room: &str) -> MatrixError {
    match error {
        HttpError::Reqwest(error) => of_transport(error, host),
        HttpError::Cached(error) => of_http(error, host, room),
        HttpError::Api(_) => match error.as_client_api_error() {
            Some(answer) => {
                let status = answer.status_code.as_u16();
                let reason = said(&answer.to_string());
                match answer.error_kind() {
                    Some(Code::LimitExceeded(limit)) => {
                        MatrixError::Slow { wait: wait_of(limit.retry_after.as_ref()) }
                    }
                    Some(Code::UnknownToken(_) | Code::MissingToken) => {
                        MatrixError::Session { host: host.to_owned() }
                    }
                    Some(Code::UserDeactivated | Code::UserLocked | Code::UserSuspended) => {
                        MatrixError::Account { host: host.to_owned(), said: reason }
                    }
                    _ => of_status(status, reason, host, room),
                }
            }
            None => MatrixError::Garbled(said("it is not of the form that Matrix has")),
        },
        other => MatrixError::Garbled(said(&other.to_string())),
    }
}

fn of_status(status: u16, said: String, host: &str, room: &str) -> MatrixError {
    match status {
        401 => MatrixError::Session { host: host.to_owned() },
        403 if said.to_ascii_lowercase().contains("banned") => {
            MatrixError::Banned { room: room.to_owned(), said }
        }
        403 => MatrixError::Forbidden { room: room.to_owned(), said },
        404 => MatrixError::NoRoom { room: room.to_owned() },
        429 => MatrixError::Slow { wait: UNTOLD },
        400..=499 => MatrixError::Invalid { said },
        _ => MatrixError::Failing { host: host.to_owned(), status },
    }
}

/// What a connection that failed means.
pub(crate) fn of_transport(error: &matrix_sdk::reqwest::Error, host: &str) -> MatrixError {
    let host = host.to_owned();
    let reason = said(&innermost(error));
    let about_certificates = ["certificate", "UnknownIssuer", "NotValidForName", "CaUsedAsEndEntity"];
    if error.is_timeout() {
        MatrixError::Silent(host)
    } else if about_certificates.iter().any(|word| reason.contains(word)) {
        MatrixError::Untrusted { host, reason }
    } else if error.is_redirect() || error.is_decode() {
        MatrixError::Garbled(reason)
    } else {
        MatrixError::Unreachable { host, reason }
    }
}

fn wait_of(told: Option<&RetryAfter>) -> Duration {
    // A date of the homeserver's would be held against our clock, which may be wrong.
    let wait = match told {
        Some(RetryAfter::Delay(wait)) => *wait,
        Some(RetryAfter::DateTime(_)) | None => UNTOLD,
    };
    wait.clamp(Duration::from_millis(100), LONGEST_WAIT)
}

/// The reason below all the wrapping, which is what a person can do something about.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// What somebody else said, fit to be shown: one line, nothing that is not seen where it stands, not long.
pub(crate) fn said(text: &str) -> String {
    const LONGEST: usize = 200;
    let shown: String = text
        .chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ' || c.is_alphanumeric())
        .take(LONGEST)
        .collect();
    match shown.trim() {
        "" => "no reason given".to_owned(),
        shown => shown.to_owned(),
    }
}
