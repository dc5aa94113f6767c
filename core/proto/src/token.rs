//! Tokens: a device's word that somebody may use it for something, which can be handed on and ends by itself.
//!
//! A token is a chain of at most four blocks. The first is signed by the **issuer**, the device that is to be used, and names whom it is for, its **subject**, by an
//! Ed25519 key; each further one is signed by the subject of the one before, and names the next. What is handed on never lasts longer and can be handed on less
//! often. A token alone is worth nothing: whoever shows it signs, with the last subject's key, what only the two ends of its link know ([`Proof`]).
//!
//! The issuer itself verifies it, so that its own record of serial numbers is all it needs to take one back.

use std::fmt;
use std::time::Duration;

use minicbor::{Decode, Encode};

use crate::codec::{self, Malformed};
use crate::crypto::keys::{self, DeviceId, DeviceKeys, DevicePublic};
use crate::crypto::sha256;
use crate::time::{Epoch, UnixMillis};

mod proof;

pub use proof::Proof;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Circuits through the issuer.
    Relay,
    /// Records left at the issuer.
    Meet,
}

impl Purpose {
    const fn number(self) -> u64 {
        match self {
            Self::Relay => 0,
            Self::Meet => 1,
        }
    }
}

/// A token, read: its form is good and its rules are kept. Whether its signatures are good too, and whether it holds now, says [`Token::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    first: Block<First>,
    handed_on: Vec<Block<Further>>,
}

/// What a block says, and the signature over that and all that comes before.
#[derive(Clone, PartialEq, Eq)]
struct Block<T> {
    says: T,
    signature: [u8; 64],
}

#[derive(Clone, PartialEq, Eq, Encode, Decode)]
struct First {
    /// A [`Purpose`]; one that a later version knows is a purpose like any other, and never the one that is asked for.
    #[n(0)]
    purpose: u64,
    #[n(1)]
    issuer: DeviceId,
    #[cbor(n(2), with = "minicbor::bytes")]
    subject: [u8; 32],
    #[n(3)]
    serial: u64,
    #[n(4)]
    issued: UnixMillis,
    #[n(5)]
    expires: UnixMillis,
    #[n(6)]
    hands: u8,
}

#[derive(Clone, PartialEq, Eq, Encode, Decode)]
struct Further {
    #[cbor(n(0), with = "minicbor::bytes")]
    subject: [u8; 32],
    #[n(1)]
    expires: UnixMillis,
    #[n(2)]
    hands: u8,
}

/// A token that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whom the issuer gave it to: the Ed25519 key of a friend's device.
    pub first: [u8; 32],
    /// Who shows it, if the [`Proof`] is good: the same, or whoever it was handed on to last.
    pub last: [u8; 32],
    /// The issuer's number for it.
    pub serial: u64,
    /// When it was issued.
    pub issued: UnixMillis,
    /// When it ends.
    pub expires: UnixMillis,
    /// How often it may still be handed on.
    pub hands: u8,
}

impl Token {
    /// The most blocks of one.
    pub const MOST: usize = 4;
    /// How often a token may be handed on at most: as often as there is room for blocks.
    pub const MOST_HANDS: u8 = 3;
    /// The longest encoding, in bytes. One of four blocks has at most 493.
    pub const MAX: usize = 1024;
    /// The longest one lasts, so that one that somebody lost ends by itself: as long as a roster.
    pub const LIFETIME: Duration = Duration::from_secs(30 * 86_400);
    /// How far ahead of the issuer's clock it may have been issued: that clock was ahead by so much then.
    pub const SKEW: Duration = Epoch::LENGTH;

    /// Lets the device of the Ed25519 key `subject` use us. It lasts until `expires`, at most [`Token::LIFETIME`], and can be handed on `hands` times, at most
    /// [`Token::MOST_HANDS`].
    pub fn issue(
        key: &DeviceKeys,
        purpose: Purpose,
        subject: [u8; 32],
        serial: u64,
        issued: UnixMillis,
        expires: UnixMillis,
        hands: u8,
    ) -> Self {
        let first = First {
            purpose: purpose.number(),
            issuer: key.public().id(),
            subject,
            serial,
            issued,
            expires: expires.min(issued.after(Self::LIFETIME)),
            hands: hands.min(Self::MOST_HANDS),
        };
        let signature = key.sign(TOKEN, &codec::encode(&first));
        Self { first: Block { says: first, signature }, handed_on: Vec::new() }
    }

    /// The same for somebody else, until `expires` or as long as it lasts itself. `key` is of the device that it was given to.
    pub fn hand_on(
        &self,
        key: &DeviceKeys,
        subject: [u8; 32],
        expires: UnixMillis,
    ) -> Result<Self, TokenError> {
        if key.public().sign != self.subject() {
            return Err(TokenError::NotYours);
        }
        let hands = self.hands().checked_sub(1).ok_or(TokenError::HandedOn)?;
        let says = Further { subject, expires: expires.min(self.expires()), hands };
        let signature = key.sign(HANDED_ON, &handed_on(&self.hash(), &says));
        let mut longer = self.clone();
        longer.handed_on.push(Block { says, signature });
        Ok(longer)
    }

    /// What it entitles to, if it is one of this issuer's for this purpose, every signature in it is good, and it holds at this moment of the issuer's estimate of
    /// the time. Whether its serial number was taken back, and whether who shows it is whom it is for ([`Proof`]), is to be asked beside that.
    pub fn verify(
        &self,
        issuer: &DevicePublic,
        purpose: Purpose,
        now: UnixMillis,
    ) -> Result<Verified, TokenError> {
        let First { issued, serial, subject, .. } = self.first.says;
        if self.first.says.issuer != issuer.id() {
            return Err(TokenError::Issuer);
        }
        if self.first.says.purpose != purpose.number() {
            return Err(TokenError::Purpose);
        }
        if !self.signed_by(issuer) {
            return Err(TokenError::Signature);
        }
        if issued > now.after(Self::SKEW) {
            return Err(TokenError::NotYet);
        }
        if now >= self.expires() {
            return Err(TokenError::Expired);
        }
        Ok(Verified {
            first: subject,
            last: self.subject(),
            serial,
            issued,
            expires: self.expires(),
            hands: self.hands(),
        })
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = |says: Vec<u8>, signature| SignedBody { says, signature };
        let first = body(codec::encode(&self.first.says), self.first.signature);
        let further = self.handed_on.iter().map(|block| body(codec::encode(&block.says), block.signature));
        codec::encode(&std::iter::once(first).chain(further).collect::<Vec<_>>())
    }

    /// The token of these bytes. Unlike elsewhere nothing that was appended is skipped, since it might be a restriction, and there is one form only.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TokenError> {
        let wrong = |why| TokenError::from(Malformed::new(WHAT, why));
        // Before the list is allocated.
        let mut head = minicbor::Decoder::new(bytes);
        let blocks = head.array().ok().flatten().ok_or_else(|| wrong("not a list of blocks"))?;
        if !(1..=Self::MOST as u64).contains(&blocks) {
            return Err(wrong("it has no block, or more than four"));
        }
        let blocks: Vec<SignedBody> = codec::decode(WHAT, bytes, Self::MAX)?;
        let (first, further) = blocks.split_first().ok_or_else(|| wrong("it has no block"))?;
        let token = Self {
            first: first.read()?,
            handed_on: further.iter().map(SignedBody::read).collect::<Result<_, _>>()?,
        };
        if token.to_bytes() != bytes {
            return Err(wrong("not in the one form that it has"));
        }
        token.keeps_the_rules()?;
        Ok(token)
    }

    /// For whom it is: whom it was handed on to last.
    pub fn subject(&self) -> [u8; 32] {
        self.handed_on.last().map_or(self.first.says.subject, |block| block.says.subject)
    }

    /// When it ends.
    pub fn expires(&self) -> UnixMillis {
        self.handed_on.last().map_or(self.first.says.expires, |block| block.says.expires)
    }

    /// How often it may be handed on.
    pub fn hands(&self) -> u8 {
        self.handed_on.last().map_or(self.first.says.hands, |block| block.says.hands)
    }

    /// What nobody's signature can make good.
    fn keeps_the_rules(&self) -> Result<(), TokenError> {
        let First { issued, mut expires, mut hands, .. } = self.first.says;
        if expires <= issued {
            return Err(Malformed::new(WHAT, "it ends before it begins").into());
        }
        if expires.since(issued) > Self::LIFETIME {
            return Err(TokenError::TooLong);
        }
        if hands > Self::MOST_HANDS {
            return Err(TokenError::HandedOn);
        }
        for Block { says, .. } in &self.handed_on {
            if says.hands >= hands {
                return Err(TokenError::HandedOn);
            }
            if says.expires > expires {
                return Err(TokenError::Outlives);
            }
            (expires, hands) = (says.expires, says.hands);
        }
        Ok(())
    }

    fn signed_by(&self, issuer: &DevicePublic) -> bool {
        let First { subject: mut signer, .. } = self.first.says;
        if !keys::verify(&issuer.sign, TOKEN, &codec::encode(&self.first.says), &self.first.signature) {
            return false;
        }
        let mut before = self.first.hash(&[]);
        for block in &self.handed_on {
            if !keys::verify(&signer, HANDED_ON, &handed_on(&before, &block.says), &block.signature) {
                return false;
            }
            before = block.hash(&before);
            signer = block.says.subject;
        }
        true
    }

    /// What the next block is signed over beside its own bytes: everything so far.
    fn hash(&self) -> [u8; 32] {
        self.handed_on.iter().fold(self.first.hash(&[]), |before, block| block.hash(&before))
    }
}

impl fmt::Debug for Token {
    /// Enough to tell which it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let First { purpose, issuer, serial, .. } = &self.first.says;
        f.debug_struct("Token")
            .field("purpose", purpose)
            .field("issuer", issuer)
            .field("serial", serial)
            .field("expires", &self.expires())
            .field("handed_on", &self.handed_on.len())
            .finish_non_exhaustive()
    }
}

/// Why a token does not count, in plain words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not what it should be.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is another device's.
    #[error("the token is for another device than this one")]
    Issuer,
    /// It is for something else.
    #[error("the token is for something else")]
    Purpose,
    /// Not signed by whom it claims, or changed since.
    #[error("a signature in the token does not verify")]
    Signature,
    /// It is from more than a day in the future.
    #[error("the token was issued in the future: a clock is or was wrong")]
    NotYet,
    /// It is over.
    #[error("the token has expired")]
    Expired,
    /// It claims to last longer than any does.
    #[error("the token claims to last longer than 30 days")]
    TooLong,
    /// Handed on for longer than it lasts itself.
    #[error("the token was handed on for longer than it lasts itself")]
    Outlives,
    /// It was, or would be, handed on more often than it may.
    #[error("the token may not be handed on so often")]
    HandedOn,
    /// Somebody else's: only whom it was given to can hand it on.
    #[error("the token was given to somebody else, who alone can hand it on")]
    NotYours,
}

const WHAT: &str = "a token";
const TOKEN: &str = "token";
const HANDED_ON: &str = "token handed on";

/// What a further block's signature is over: the hash of all before it, and what it says.
fn handed_on(before: &[u8; 32], says: &Further) -> Vec<u8> {
    [&before[..], &codec::encode(says)].concat()
}

impl<T: Encode<()>> Block<T> {
    fn hash(&self, before: &[u8]) -> [u8; 32] {
        sha256(&[before, &codec::encode(&self.says), &self.signature])
    }
}

// ---- bytes
//
// token   = [1*4 [says: bytes .cbor first / further, signature: bytes .size 64]]
// first   = [purpose: uint, issuer: device-id, subject: key, serial: uint, issued: time, expires: time, hands: u8]
// further = [subject: key, expires: time, hands: u8]

#[derive(Encode, Decode)]
struct SignedBody {
    #[cbor(n(0), with = "minicbor::bytes")]
    says: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    signature: [u8; 64],
}

impl SignedBody {
    fn read<T: for<'b> Decode<'b, ()>>(&self) -> Result<Block<T>, Malformed> {
        Ok(Block { says: codec::decode(WHAT, &self.says, Token::MAX)?, signature: self.signature })
    }
}

#[cfg(test)]
mod tests;
