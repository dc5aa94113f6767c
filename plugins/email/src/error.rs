//! What goes wrong with mail, and what a person does about it.

use std::time::Duration;

use wayside_bridge::{BridgeError, Class, ErrorKind, Retry};

/// Why mail could not be used. Cheap to clone: several may wait for one connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EmailError {
    #[error("{0}")]
    Configuration(String),
    #[error("{host} cannot be reached ({reason}); is this machine online, and are host and port right?")]
    Unreachable { host: String, reason: String },
    #[error("{0} does not answer; it is tried again")]
    Silent(String),
    #[error("{host} hung up ({reason}); it is tried again")]
    HungUp { host: String, reason: String },
    #[error(
        "the certificate of {host} is not to be trusted ({reason}); if it is your own server, give its certificate, or that of its authority, with --ca FILE"
    )]
    Certificate { host: String, reason: String },
    #[error(
        "the certificate of {host} has expired; whoever runs the server renews it, and until then nothing is sent there"
    )]
    Expired { host: String },
    #[error(
        "{host} offers no encryption here, and a password is not sent in the clear; use {scheme}:// with its port for TLS"
    )]
    Clear { host: String, scheme: &'static str },
    #[error(
        "{host} does not take the password of {user} ({said}); look at --user and at what gives the password"
    )]
    Password { host: String, user: String, said: String },
    #[error("the password could not be had: {0}")]
    NoPassword(String),
    #[error("{host} has no way to log in that we know; it takes {known}")]
    Login { host: String, known: String },
    #[error("{host} has no mailbox {name} ({said}); make it there, or give another --mailbox")]
    Mailbox { host: String, name: String, said: String },
    #[error("there is nobody at {to} ({said}); look for a typing error")]
    NoSuchPerson { to: String, said: String },
    #[error("mail to {to} is not taken ({said})")]
    Rejected { to: String, said: String },
    #[error("the mailbox of {to} is full ({said}); its owner makes room")]
    Full { to: String, said: String },
    #[error(
        "the mail server asks us to come again later ({said}), as many do with senders they do not know yet"
    )]
    Later { said: String },
    #[error(
        "{sent} mails were sent since midnight (UTC), which is the day's budget; more follow tomorrow, or give a larger --daily"
    )]
    Budget { sent: u32, wait: Duration },
    #[error("somebody was rung by mail only just now; once an hour is enough")]
    Rung { wait: Duration },
    #[error("only {0} is rung by this bridge")]
    NotRung(String),
    #[error("too much waits already to be sent")]
    Crowded,
    #[error("{host}'s answer makes no sense ({what})")]
    Garbled { host: String, what: String },
    #[error("a {class} record by mail has at most {max} bytes, and this one has {len}")]
    RecordTooLarge { class: Class, len: usize, max: usize },
    #[error("a message by mail has at most {0} bytes")]
    TextTooLong(usize),
    #[error("{0} is no address of mail")]
    NoAddress(String),
    #[error("the file {path} cannot be used: {reason}")]
    File { path: String, reason: String },
    #[error("the list's members cannot be had: {0}")]
    Members(String),
    #[error("the folder of this bridge cannot be used: {0}")]
    State(String),
    #[error("a task of the mail bridge ended unexpectedly")]
    Lost,
}

/// How soon to look whether a person has done something about it.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// Greylisting asks for some minutes; RFC 6647, section 2.1 speaks of one to five.
const GREYLISTED: Duration = Duration::from_secs(300);
/// How soon to try again where too much waits.
const SOON: Duration = Duration::from_secs(5);

impl EmailError {
    const fn kind(&self) -> ErrorKind {
        match self {
            Self::Configuration(_) | Self::NoAddress(_) | Self::File { .. } => ErrorKind::Configuration,
            Self::Unreachable { .. } | Self::Silent(_) | Self::HungUp { .. } => ErrorKind::Unreachable,
            Self::Certificate { .. }
            | Self::Expired { .. }
            | Self::Clear { .. }
            | Self::Password { .. }
            | Self::NoPassword(_)
            | Self::Login { .. }
            | Self::Rejected { .. }
            | Self::Members(_) => ErrorKind::Denied,
            Self::Mailbox { .. } | Self::NoSuchPerson { .. } => ErrorKind::Gone,
            Self::Full { .. } => ErrorKind::Full,
            Self::Later { .. } | Self::Budget { .. } | Self::Rung { .. } | Self::Crowded => {
                ErrorKind::RateLimited
            }
            Self::Garbled { .. } => ErrorKind::Garbled,
            Self::RecordTooLarge { .. } | Self::TextTooLong(_) | Self::NotRung(_) => ErrorKind::Refused,
            Self::State(_) | Self::Lost => ErrorKind::Internal,
        }
    }

    /// Whether another connection may do better: the server, or something on the way, closed this one.
    pub(crate) const fn is_hang_up(&self) -> bool {
        matches!(self, Self::HungUp { .. })
    }

    /// Whether it is about one mail or one recipient, and others may fare better.
    pub(crate) const fn is_of_one_mail(&self) -> bool {
        matches!(
            self,
            Self::NoSuchPerson { .. }
                | Self::Rejected { .. }
                | Self::Full { .. }
                | Self::Later { .. }
                | Self::Budget { .. }
        )
    }

    /// Whether trying again soon is of use.
    pub(crate) const fn passes(&self) -> bool {
        matches!(
            self,
            Self::HungUp { .. } | Self::Silent(_) | Self::Unreachable { .. } | Self::Garbled { .. }
        )
    }
}

impl From<EmailError> for BridgeError {
    fn from(error: EmailError) -> Self {
        let base = Self::new(error.kind(), error.to_string());
        match error {
            EmailError::Later { .. } => base.with_retry(Retry::After(GREYLISTED)),
            EmailError::Budget { wait, .. } | EmailError::Rung { wait } => {
                base.with_retry(Retry::After(wait))
            }
            EmailError::Crowded => base.with_retry(Retry::After(SOON)),
            EmailError::Certificate { .. }
            | EmailError::Expired { .. }
            | EmailError::Password { .. }
            | EmailError::NoPassword(_)
            | EmailError::Rejected { .. }
            | EmailError::Members(_)
            | EmailError::Mailbox { .. } => base.with_retry(Retry::After(LOOK_AGAIN)),
            _ => base,
        }
    }
}

/// What the service said, fit to be shown: one line, nothing that is not seen where it stands, not long.
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
