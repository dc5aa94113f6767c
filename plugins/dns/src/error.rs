//! What goes wrong with a zone, and what a person does about it.

use std::time::Duration;

use wayside_bridge::{BridgeError, Class, ErrorKind, Retry};

/// Why a zone could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DnsError {
    #[error("{0}")]
    Configuration(String),
    #[error(
        "{whom} cannot be reached ({reason}); is this machine online, and does the network let DNS through?"
    )]
    Unreachable { whom: String, reason: String },
    #[error(
        "{whom} cannot be reached: there is no connection, or its certificate is for another name or of nobody whom this machine trusts; look at the name behind #, and give --ca FILE where the resolver is your own"
    )]
    NotTrusted { whom: String },
    #[error("{0} does not answer; try again later, or look whether the network lets DNS through")]
    Silent(String),
    #[error(
        "{whom} answers that it failed (SERVFAIL); that usually passes, or the zone's signatures are broken"
    )]
    Failing { whom: String },
    #[error(
        "{whom} does not answer us (REFUSED); ask another one with --resolver, or have its owner let this machine ask"
    )]
    NotForUs { whom: String },
    #[error("{whom} answers what makes no sense ({what})")]
    Garbled { whom: String, what: &'static str },
    #[error(
        "{whom} says that there is no zone {zone}; look for a typing error, or ask another one with --resolver"
    )]
    NoZone { whom: String, zone: String },
    #[error(
        "this bridge has no --server, --provider or --hook, so it only reads; add it again with one to publish"
    )]
    ReadOnly,
    #[error(
        "{server} does not know the key `{key}` (BADKEY); put the key into its configuration, under this name and with this algorithm"
    )]
    BadKey { server: String, key: String },
    #[error(
        "{server} knows the key `{key}` with another secret (BADSIG); put the file that it was made with into --tsig-file"
    )]
    BadSignature { server: String, key: String },
    #[error(
        "our clock and that of {server} differ by more than a signature bears (BADTIME), also after ours was corrected; set the clock of this machine"
    )]
    BadTime { server: String },
    #[error("{server} does not serve {zone} (NOTAUTH); --server is to be the zone's primary server")]
    NotAuthoritative { server: String, zone: String },
    #[error(
        "{server} does not let the key `{key}` change {what} (REFUSED); grant it TXT records there, as in `update-policy {{ grant {key} zonesub TXT; }};`"
    )]
    Refused { server: String, key: String, what: String },
    #[error("{server} takes no updates (NOTIMP); use the zone's primary server")]
    NoUpdates { server: String },
    #[error(
        "{server} could not write the update (SERVFAIL); look into its log: it cannot write the zone's journal, or there are more records under one name than it allows"
    )]
    NotWritten { server: String },
    #[error("others keep changing {what} at the same moment; it is tried again")]
    Contended { what: String },
    #[error(
        "{host} does not take the token: it is wrong, or was deleted; make a new one there and put it into --token-file"
    )]
    Token { host: String },
    #[error(
        "{host} has no domain {zone} that the token may change; look for a typing error, and at what the token is allowed"
    )]
    NotTheirs { host: String, zone: String },
    #[error("{host} asks us to slow down; nothing is sent for {} s", .wait.as_secs())]
    Slow { host: String, wait: Duration },
    #[error("{host} does not take this ({said})")]
    Invalid { host: String, said: String },
    #[error("the hook {program} did not do it ({said})")]
    Hook { program: String, said: String },
    #[error("a {class} record in a zone ends before 2106, and this one does not")]
    TooLate { class: Class },
    #[error(
        "this public name is no domain name: in DNS it has at most 63 characters between two dots, and no two dots together"
    )]
    Name,
}

/// How soon to look whether a person has done something about it.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// How soon to try again where several write.
const SOON: Duration = Duration::from_secs(5);

impl DnsError {
    const fn kind(&self) -> ErrorKind {
        match self {
            Self::Configuration(_) => ErrorKind::Configuration,
            Self::Unreachable { .. }
            | Self::NotTrusted { .. }
            | Self::Silent(_)
            | Self::Hook { .. }
            | Self::Failing { .. }
            | Self::NotWritten { .. } => ErrorKind::Unreachable,
            Self::NotForUs { .. }
            | Self::ReadOnly
            | Self::Token { .. }
            | Self::NotTheirs { .. }
            | Self::BadKey { .. }
            | Self::BadSignature { .. }
            | Self::BadTime { .. }
            | Self::NotAuthoritative { .. }
            | Self::Refused { .. }
            | Self::NoUpdates { .. } => ErrorKind::Denied,
            Self::NoZone { .. } => ErrorKind::Gone,
            Self::Garbled { .. } => ErrorKind::Garbled,
            Self::Contended { .. } | Self::Slow { .. } => ErrorKind::RateLimited,
            Self::TooLate { .. } | Self::Name | Self::Invalid { .. } => ErrorKind::Refused,
        }
    }

    /// Whether asking somebody else, or the same once more, may go better.
    pub(crate) const fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NotTrusted { .. } | Self::Silent(_))
    }
}

impl From<DnsError> for BridgeError {
    fn from(error: DnsError) -> Self {
        let base = Self::new(error.kind(), error.to_string());
        match error {
            DnsError::Contended { .. } => base.with_retry(Retry::After(SOON)),
            DnsError::Slow { wait, .. } => base.with_retry(Retry::After(wait)),
            DnsError::NotForUs { .. }
            | DnsError::Token { .. }
            | DnsError::NotTheirs { .. }
            | DnsError::BadKey { .. }
            | DnsError::BadSignature { .. }
            | DnsError::BadTime { .. }
            | DnsError::NotAuthoritative { .. }
            | DnsError::Refused { .. }
            | DnsError::NoUpdates { .. }
            | DnsError::NoZone { .. } => base.with_retry(Retry::After(LOOK_AGAIN)),
            _ => base,
        }
    }
}
