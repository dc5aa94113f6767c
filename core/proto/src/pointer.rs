//! A pointer: who somebody is and where they can be asked to become friends, under a public name, signed by their account.
//!
//! It holds no secret: whoever reads it may knock, and its owner decides. It holds no card either, since that of an account lasts thirty days at most and
//! a pointer up to a year; whoever is let in gets the card sealed, and believes the pointer's account alone.
//!
//! ```text
//! pointer = [says: bytes .cbor [1, account, [name, seq, expires, key, public, points]], signature]
//! ```
//!
//! As text it is `wayside-card:` and base32 (RFC 4648, upper case, no padding), which may stand among lines that begin with `#`.

mod contact;
mod name;

use std::fmt;
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use minicbor::{Decode, Decoder, Encode};

use crate::codec;
use crate::crypto::keys::{self, AccountId, AccountKey};
use crate::place::Locator;
use crate::time::{Epoch, UnixMillis};

pub use name::PointerName;

/// A pointer whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    account: AccountId,
    claims: Claims,
    signature: [u8; 64],
}

/// What a pointer says besides whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Claims {
    /// The name that it is for.
    #[n(0)]
    pub name: PointerName,
    /// Greater than that of every earlier one of this account and name.
    #[n(1)]
    pub seq: u64,
    /// When it ends.
    #[n(2)]
    pub expires: UnixMillis,
    /// The X25519 key that knocks are made to; its private half is the owner's.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub key: [u8; 32],
    /// What the slots of knocks and their handshake's psk are derived from, as from an invite's secret; here everybody knows it.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub public: [u8; 16],
    /// Where its owner looks for knocks, the preferred first: 1 to 3, each another.
    #[cbor(n(5), decode_with = "read_points")]
    pub points: Vec<Locator>,
}

#[derive(Encode, Decode)]
struct Says {
    #[n(0)]
    version: u64,
    #[n(1)]
    account: AccountId,
    #[n(2)]
    claims: Claims,
}

#[derive(Encode, Decode)]
struct Whole {
    #[cbor(n(0), with = "minicbor::bytes")]
    says: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    signature: [u8; 64],
}

/// Why something is no pointer, or none that holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// It is no pointer: cut short, mistyped, something else.
    #[error("that is no card of wayside's: {0}")]
    Malformed(&'static str),
    /// Its account did not sign it.
    #[error("its account did not sign it")]
    Unsigned,
    /// It has ended.
    #[error("it has expired")]
    Expired,
    /// It stands under another name than its own.
    #[error("it is for the name {}", .0)]
    OtherName(PointerName),
    /// What it is to replace is of another account.
    #[error("what it replaces is of another account")]
    OtherAccount,
    /// It is not newer than what it is to replace.
    #[error("it is older than what it replaces")]
    Older,
    /// It is to last longer than any may.
    #[error("it is to last longer than 366 days: its clock or ours is wrong")]
    TooLong,
}

impl Pointer {
    /// What the text of one begins with.
    pub const SCHEME: &'static str = "wayside-card:";
    /// The longest, in bytes; as text and with remarks around it at most [`Self::MAX_TEXT`].
    pub const MAX: usize = 900;
    /// The longest text that is read, in bytes.
    pub const MAX_TEXT: usize = 8192;
    /// The longest time that one holds.
    pub const LONGEST: Duration = Duration::from_secs(366 * 86_400);
    /// The most places.
    pub const MOST_POINTS: usize = 3;

    /// Signs it. `None` where there are no points or too many of them, or one twice.
    pub fn sign(account: &AccountKey, claims: Claims) -> Option<Self> {
        let says = codec::encode(&Says { version: VERSION, account: account.id(), claims: claims.clone() });
        let signed = Self { account: account.id(), claims, signature: account.sign(CONTEXT, &says) };
        signed.is_sound().then_some(signed)
    }

    /// The pointer of its bytes, or of its text, which may stand among lines that begin with `#`. The signature is verified, and nothing else judged.
    pub fn read(contents: &[u8]) -> Result<Self, PointerError> {
        if contents.first() == Some(&ARRAY_OF_TWO) {
            return Self::from_bytes(contents);
        }
        if contents.len() > Self::MAX_TEXT {
            return Err(PointerError::Malformed("it is too long"));
        }
        let text = std::str::from_utf8(contents).map_err(|_| PointerError::Malformed("it is no text"))?;
        let lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
        let body: String = lines.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect();
        let body = body.to_ascii_uppercase();
        let body = body
            .strip_prefix(&Self::SCHEME.to_ascii_uppercase())
            .ok_or(PointerError::Malformed("one begins with `wayside-card:`"))?;
        if !body.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b)) {
            return Err(PointerError::Malformed("it holds a character that belongs in none"));
        }
        let bytes = BASE32_NOPAD.decode(body.as_bytes());
        Self::from_bytes(&bytes.map_err(|_| PointerError::Malformed("it is cut short"))?)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, PointerError> {
        let malformed = |error: codec::Malformed| PointerError::Malformed(error.why);
        let whole: Whole = codec::decode("a pointer", bytes, Self::MAX).map_err(malformed)?;
        let mut first = Decoder::new(&whole.says);
        if first.array().is_ok() && first.u64().is_ok_and(|version| version != VERSION) {
            return Err(PointerError::Malformed(
                "it is of another version than this wayside knows: update it",
            ));
        }
        let says: Says = codec::decode("a pointer", &whole.says, Self::MAX).map_err(malformed)?;
        let pointer = Self { account: says.account, claims: says.claims, signature: whole.signature };
        if !keys::verify(&pointer.account.0, CONTEXT, &whole.says, &pointer.signature) {
            return Err(PointerError::Unsigned);
        }
        // One form for each, so that whoever compares two compares what they say.
        if pointer.is_sound() && pointer.to_bytes() == bytes {
            Ok(pointer)
        } else {
            Err(PointerError::Malformed("it is not as wayside writes it"))
        }
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let says = Says { version: VERSION, account: self.account, claims: self.claims.clone() };
        codec::encode(&Whole { says: codec::encode(&says), signature: self.signature })
    }

    /// Whether it has places, not too many, each another.
    fn is_sound(&self) -> bool {
        let points = &self.claims.points;
        let again = |(at, point)| points.iter().skip(at + 1).any(|other| other == point);
        (1..=Self::MOST_POINTS).contains(&points.len()) && !points.iter().enumerate().any(again)
    }

    /// Whether it holds now, under this name, and may stand where an earlier one stood.
    pub fn check(
        &self,
        now: UnixMillis,
        name: Option<&PointerName>,
        earlier: Option<&Self>,
    ) -> Result<(), PointerError> {
        if name.is_some_and(|name| *name != self.claims.name) {
            return Err(PointerError::OtherName(self.claims.name.clone()));
        }
        if let Some(earlier) = earlier.filter(|earlier| *earlier != self) {
            if earlier.account != self.account {
                return Err(PointerError::OtherAccount);
            }
            if earlier.claims.seq >= self.claims.seq {
                return Err(PointerError::Older);
            }
        }
        if self.claims.expires <= now {
            return Err(PointerError::Expired);
        }
        // A day for two clocks that differ.
        if self.claims.expires > now.after(Self::LONGEST).after(Epoch::LENGTH) {
            return Err(PointerError::TooLong);
        }
        Ok(())
    }

    /// The name that it is for.
    pub const fn name(&self) -> &PointerName {
        &self.claims.name
    }

    /// Whose it is.
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// Greater than that of every earlier one of this account and name.
    pub const fn seq(&self) -> u64 {
        self.claims.seq
    }

    /// When it ends.
    pub const fn expires(&self) -> UnixMillis {
        self.claims.expires
    }

    /// Where its owner looks for knocks, the preferred first: 1 to 3.
    pub fn points(&self) -> &[Locator] {
        &self.claims.points
    }

    /// All that it says.
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
}

impl fmt::Display for Pointer {
    /// Its text: one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::SCHEME, BASE32_NOPAD.encode(&self.to_bytes()))
    }
}

const VERSION: u64 = 1;

/// What its account signs it in.
const CONTEXT: &str = "pointer";

/// The first byte of every pointer, and of no text.
const ARRAY_OF_TWO: u8 = 0x82;

fn read_points<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Vec<Locator>, minicbor::decode::Error> {
    codec::list("a pointer", Pointer::MOST_POINTS, d, ctx)
}

#[cfg(test)]
mod tests;
