//! The reply line: how whoever accepted an invite tells its maker where the join lies, when the maker alone writes in the invite's place.
//!
//! ```text
//! version 1 │ point 1 │ form 1 │ (space: kind 1 │ length 1 │ address n) or (the join's message) │ mac 8 │ checksum 4
//! ```
//!
//! To an invite file ([`crate::greeting`]) the reply is all that is needed: its message makes the friendship, and nothing answers it.
//!
//! In base32 after `wayside-reply:`; 106 characters with an address of 40 bytes. It holds nothing that the invite could be used with: the mac is made with the
//! invite's secret, so that only somebody who has the invite can have made the line, and nobody on the way can point it elsewhere.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;

use crate::crypto::envelope::Bucket;
use crate::crypto::{Secret, derive, sha256};
use crate::greeting::{CarriedJoin, body_of};
use crate::invite::{Invite, read_point, write_point};
use crate::place::Locator;

/// A reply line, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    point: u8,
    joined: Joined,
    mac: [u8; 8],
}

/// Where the join is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Joined {
    /// In this space, which whoever accepted alone writes in.
    Space(Locator),
    /// Here: the handshake's first message, of somebody who has no space.
    Message(Vec<u8>),
    /// Here: the only message of a handshake by an invite file, whose maker answers nothing.
    Carried(Vec<u8>),
}

impl Reply {
    /// What a reply line begins with.
    pub const SCHEME: &'static str = "wayside-reply:";
    /// The longest line, in characters; with remarks around it at most [`Self::MAX_TEXT`].
    pub const MAX: usize = 10_100;
    /// The longest text that is read, in bytes, remarks included.
    pub const MAX_TEXT: usize = 16_384;

    /// The reply to an invite with this secret; the answer is looked for at this one of its points, from 0.
    pub fn new(secret: &Secret<16>, point: u8, joined: Joined) -> Self {
        let mac = mac(secret, &said(point, &joined));
        Self { point, joined, mac }
    }

    /// Whether somebody made it who has this invite, and for one of the spaces that its maker alone writes in, or for its file.
    pub fn is_for(&self, invite: &Invite) -> bool {
        let made = mac(&invite.secret, &said(self.point, &self.joined));
        // All bytes are looked at, so that the time tells nothing of where they begin to differ.
        let differs = made.iter().zip(&self.mac).fold(0, |sum, (a, b)| sum | (a ^ b));
        let answers = match self.joined {
            Joined::Space(_) | Joined::Message(_) => invite.own.contains(&self.point),
            Joined::Carried(_) => self.point == 0,
        };
        differs == 0 && answers
    }

    /// At which of the invite's points the answer is looked for, from 0.
    pub const fn point(&self) -> u8 {
        self.point
    }

    /// Where the join is.
    pub const fn joined(&self) -> &Joined {
        &self.joined
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = said(self.point, &self.joined);
        bytes.extend(self.mac);
        bytes.extend(checksum(&bytes));
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, ReplyError> {
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or(ReplyError::Damaged)?;
        if checksum(body) != *sum {
            return Err(ReplyError::Damaged);
        }
        let (version, rest) = body.split_first().ok_or(ReplyError::Damaged)?;
        if *version != VERSION {
            return Err(ReplyError::Version(*version));
        }
        let (said, mac) = rest.split_last_chunk::<8>().ok_or(ReplyError::Nonsense)?;
        let [point, form, rest @ ..] = said else { return Err(ReplyError::Nonsense) };
        let joined = match *form {
            SPACE => match read_point(rest) {
                Ok(Some((locator, false, []))) => Joined::Space(locator),
                _ => return Err(ReplyError::Nonsense),
            },
            MESSAGE if (1..=Bucket::Large.message()).contains(&rest.len()) => Joined::Message(rest.to_vec()),
            CARRIED if (1..=CarriedJoin::MAX_MESSAGE).contains(&rest.len()) => Joined::Carried(rest.to_vec()),
            _ => return Err(ReplyError::Nonsense),
        };
        let reply = Self { point: *point, joined, mac: *mac };
        // One reply has one form, so that the same one again is known to be the same.
        if reply.to_bytes() == bytes { Ok(reply) } else { Err(ReplyError::Nonsense) }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::SCHEME, BASE32_NOPAD.encode(&self.to_bytes()))
    }
}

impl FromStr for Reply {
    type Err = ReplyError;

    /// Upper or lower case, with white space anywhere, among lines that begin with `#`.
    fn from_str(text: &str) -> Result<Self, ReplyError> {
        if text.len() > Self::MAX_TEXT {
            return Err(ReplyError::Nonsense);
        }
        let text = body_of(text);
        let upper = text.to_ascii_uppercase();
        let body = upper.strip_prefix("WAYSIDE-REPLY:").ok_or(ReplyError::NotOne)?;
        if text.len() > Self::MAX {
            return Err(ReplyError::Nonsense);
        }
        Self::from_bytes(&BASE32_NOPAD.decode(body.as_bytes()).map_err(|_| ReplyError::Damaged)?)
    }
}

/// Why a text is no reply, each with what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// It does not begin with `wayside-reply:`.
    #[error("this is not a reply: one begins with `wayside-reply:`")]
    NotOne,
    /// The checksum does not fit: cut short, or mistyped.
    #[error("the reply is cut short or mistyped: copy the whole line again")]
    Damaged,
    /// Made by a newer wayside.
    #[error("the reply is of version {0}, which this wayside does not know: update it")]
    Version(u8),
    /// The checksum fits and the contents make no sense.
    #[error("the reply makes no sense: ask whoever sent it to accept the invite again")]
    Nonsense,
}

const VERSION: u8 = 1;
/// The join lies in a space.
const SPACE: u8 = 1;
/// The join's message is in the reply.
const MESSAGE: u8 = 2;
/// So is one that is not answered.
const CARRIED: u8 = 3;

/// All before the mac.
fn said(point: u8, joined: &Joined) -> Vec<u8> {
    let mut bytes = vec![VERSION, point];
    match joined {
        Joined::Space(locator) => {
            bytes.push(SPACE);
            write_point(&mut bytes, locator, false);
        }
        Joined::Message(message) => {
            bytes.push(MESSAGE);
            bytes.extend(message);
        }
        Joined::Carried(message) => {
            bytes.push(CARRIED);
            bytes.extend(message);
        }
    }
    bytes
}

fn mac(secret: &Secret<16>, said: &[u8]) -> [u8; 8] {
    *derive::<8>(secret.expose(), "reply", &[said]).expose()
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let hash = sha256(&[b"wayside/1 reply", bytes]);
    std::array::from_fn(|i| hash.get(i).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests;
