//! Somebody who asks a bot to meet us.

use std::fmt;

use minicbor::{Decode, Encode};
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::introducer::Person;

use super::book::{LASTS, Said};

/// Somebody who asks a bot to meet us, as it says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Asked {
    /// What the request is called.
    #[n(0)]
    pub(crate) id: AskedId,
    /// Who, as the room names them.
    #[n(1)]
    pub(crate) who: Person,
    /// What our person wants to call them.
    #[n(2)]
    pub(crate) alias: Option<String>,
    /// When it came.
    #[n(3)]
    pub(crate) came: UnixMillis,
    /// When it ends.
    #[n(4)]
    pub(crate) expires: UnixMillis,
    /// What our person says.
    #[n(5)]
    pub(crate) answer: Answer,
}

/// Names such a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub(crate) struct AskedId(#[cbor(n(0), with = "minicbor::bytes")] pub(crate) [u8; 16]);

/// What our person says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Answer {
    /// Nothing yet.
    #[n(0)]
    None,
    /// Yes, and the bot was told so often.
    #[n(1)]
    Yes(#[n(0)] Said),
    /// No. Kept until it ends, so that it is not asked again.
    #[n(2)]
    No(#[n(0)] Said),
    /// Both have agreed: the bot named this account as theirs, whose knock is let in.
    #[n(3)]
    Met(#[n(0)] AccountId),
}

impl Asked {
    pub(super) fn new(id: [u8; 16], who: Person, now: UnixMillis) -> Self {
        let (id, expires) = (AskedId(id), now.after(LASTS));
        Self { id, who, alias: None, came: now, expires, answer: Answer::None }
    }
}

impl Answer {
    /// Whether something may still come of it that the bot has to say.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self, Self::None | Self::Yes(_))
    }
}

impl fmt::Display for AskedId {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}
