//! What goes wrong at a friend's, and what a person does about it.

use std::time::Duration;

use wayside_bridge::{BridgeError, ErrorKind, Fault, Retry};

use crate::limits::{Reason, Refusal};

/// Why a friend did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FriendError {
    #[error("a friend bridge goes over the links of a running node, and cannot be opened without one")]
    Unplugged,
    #[error("`{0}` is no account that a place could be named by")]
    Account(String),
    #[error(transparent)]
    Carrier(BridgeError),
    #[error("the stream to {0} ended; it is opened again")]
    Lost(String),
    #[error("{friend} did not answer within {} seconds", .patience.as_secs())]
    Silent { friend: String, patience: Duration },
    #[error("{0} answered what makes no sense: is one of you running an older version?")]
    Garbled(String),
    #[error("{friend}: {}{}", .refusal.reason, advice(.refusal.reason))]
    Refused { friend: String, refusal: Refusal },
}

const fn advice(reason: Reason) -> &'static str {
    match reason {
        Reason::NotAllowed => " (they say so with `wayside friend allow meet`)",
        Reason::FriendFull | Reason::Full => "; it comes back as records expire",
        Reason::TooLarge | Reason::TooFast | Reason::TooMany | Reason::Other => "",
    }
}

/// How soon to ask again whether we are let: whoever lets us tells so over the link, and that is heard sooner.
const LOOK_AGAIN: Duration = Duration::from_secs(300);

impl From<FriendError> for BridgeError {
    fn from(error: FriendError) -> Self {
        let message = error.to_string();
        let base = |kind| Self::new(kind, message);
        match error {
            FriendError::Unplugged | FriendError::Account(_) => base(ErrorKind::Configuration),
            FriendError::Carrier(error) => error,
            FriendError::Lost(_) => base(ErrorKind::Unreachable).with_retry(Retry::Now),
            FriendError::Silent { .. } => base(ErrorKind::Unreachable),
            FriendError::Garbled(_) => base(ErrorKind::Garbled),
            FriendError::Refused { refusal: Refusal { reason, retry }, .. } => {
                let error = match reason {
                    Reason::NotAllowed => base(ErrorKind::Denied).with_retry(Retry::After(LOOK_AGAIN)),
                    Reason::TooLarge | Reason::TooMany | Reason::Other => base(ErrorKind::Refused),
                    Reason::FriendFull => base(ErrorKind::Full).with_fault(Fault::Caller),
                    Reason::Full => base(ErrorKind::Full),
                    Reason::TooFast => base(ErrorKind::RateLimited),
                };
                match retry {
                    Some(wait) => error.with_retry(Retry::After(wait)),
                    None => error,
                }
            }
        }
    }
}
