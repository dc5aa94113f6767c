//! The invite file: an invite with a greeting of its maker's, so that two become friends with one file there and one back, and nothing between them.
//!
//! ```text
//! greeting = [says: bytes .cbor [1, invite, card, device, epoch, sent, candidates, nat, relays], signature]
//! ```
//!
//! As text it is `wayside-invite:`, and the bytes and a checksum of four in base32 (RFC 4648, upper case, no padding), which may be broken into lines and stand among
//! lines that begin with `#`. It holds the invite, so that it is as secret as that; and the maker's card, so that whoever reads it can write back without asking.

mod join;

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use minicbor::{Decode, Decoder, Encode};

use crate::codec;
use crate::crypto::keys::{self, DeviceKeys};
use crate::crypto::sha256;
use crate::identity::Card;
use crate::invite::Invite;
use crate::message::CardBytes;
use crate::place::Candidates;
use crate::reach::{NatReport, Reach, RelayTags};
use crate::time::{Epoch, UnixMillis};

pub use join::CarriedJoin;

/// An invite file, parsed, whose signature was verified. Whoever holds it can use it, so it does not print what it says in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Greeting {
    bytes: Vec<u8>,
    says: Says,
    invite: Invite,
}

#[derive(Clone, PartialEq, Eq, Encode, Decode)]
struct Says {
    #[n(0)]
    version: u64,
    /// As in its link, which may name no place here.
    #[cbor(n(1), with = "minicbor::bytes")]
    invite: Vec<u8>,
    #[n(2)]
    card: CardBytes,
    /// The Noise key of the card's device that made it.
    #[cbor(n(3), with = "minicbor::bytes")]
    device: [u8; 32],
    /// The epoch of `K_0`.
    #[n(4)]
    epoch: Epoch,
    #[n(5)]
    sent: UnixMillis,
    #[n(6)]
    candidates: Candidates,
    #[n(7)]
    nat: NatReport,
    #[n(8)]
    relays: RelayTags,
}

#[derive(Encode, Decode)]
struct Whole {
    #[cbor(n(0), with = "minicbor::bytes")]
    says: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    signature: [u8; 64],
}

/// What a greeting says of its maker.
#[derive(Clone, Debug)]
pub struct Maker {
    /// The card, brief, with all the places of its one device.
    pub card: Card,
    /// The epoch of the pair secret.
    pub epoch: Epoch,
    /// The maker's clock.
    pub sent: UnixMillis,
    /// How it is reached.
    pub reach: Reach,
    /// Relays that it can use, under the invite's psk.
    pub relays: RelayTags,
}

impl Greeting {
    /// What the text of one begins with.
    pub const SCHEME: &'static str = "wayside-invite:";
    /// The longest, in bytes: a card of one device with all its places, an invite, and the rest.
    pub const MAX: usize = 6656;
    /// The longest text that is read, in bytes, remarks included.
    pub const MAX_TEXT: usize = 16_384;

    /// Signs it. `None` where the card does not list the device, or is too long.
    pub fn sign(device: &DeviceKeys, invite: &Invite, maker: Maker) -> Option<Self> {
        let Maker { card, epoch, sent, reach, relays } = maker;
        let says = Says {
            version: VERSION,
            invite: invite.to_bytes(),
            card: CardBytes(card),
            device: device.public().noise,
            epoch,
            sent,
            candidates: reach.candidates,
            nat: reach.nat,
            relays,
        };
        let said = codec::encode(&says);
        let signature = device.sign(CONTEXT, &said);
        let bytes = codec::encode(&Whole { says: said, signature });
        Self::from_bytes(&bytes).ok()
    }

    /// The greeting of its bytes, without a checksum. The signature and the card are verified, and nothing is judged by a clock.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GreetingError> {
        let whole: Whole =
            codec::decode("an invite file", bytes, Self::MAX).map_err(|_| GreetingError::Nonsense)?;
        let mut first = Decoder::new(&whole.says);
        if let (Ok(_), Ok(version)) = (first.array(), first.u64())
            && version != VERSION
        {
            return Err(GreetingError::Version(version));
        }
        let says: Says =
            codec::decode("an invite file", &whole.says, Self::MAX).map_err(|_| GreetingError::Nonsense)?;
        let listed = says.card.0.roster().device_by_noise(&says.device);
        let listed = listed.ok_or(GreetingError::Unsigned)?;
        if !keys::verify(&listed.keys.sign, CONTEXT, &whole.says, &whole.signature) {
            return Err(GreetingError::Unsigned);
        }
        let invite = Invite::from_bytes(&says.invite).map_err(|_| GreetingError::Nonsense)?;
        Ok(Self { bytes: bytes.to_vec(), says, invite })
    }

    /// Whether a text is meant to be one.
    pub fn is_one(text: &str) -> bool {
        let mut lines = text.lines().map(str::trim_start);
        let first = lines.find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
        first.get(..Self::SCHEME.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(Self::SCHEME))
    }

    /// Its bytes: what the handshake that answers it takes in, so that both sides saw the same.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The invite in it; it may name no place, and then only a reply is an answer.
    pub const fn invite(&self) -> &Invite {
        &self.invite
    }

    /// The maker's card.
    pub const fn card(&self) -> &Card {
        &self.says.card.0
    }

    /// The Noise key of the device that made it.
    pub const fn device(&self) -> &[u8; 32] {
        &self.says.device
    }

    /// The epoch of the pair secret that follows from a reply.
    pub const fn epoch(&self) -> Epoch {
        self.says.epoch
    }

    /// When it was made, by its maker's clock.
    pub const fn sent(&self) -> UnixMillis {
        self.says.sent
    }

    /// How its maker is reached.
    pub fn reach(&self) -> Reach {
        Reach { candidates: self.says.candidates.clone(), nat: self.says.nat.clone() }
    }

    /// Relays that its maker can use.
    pub const fn relays(&self) -> &RelayTags {
        &self.says.relays
    }

    /// The prologue of the handshake that answers it: whoever puts the invite into a greeting of its own gets no answer that opens.
    pub fn prologue(&self) -> [u8; 32] {
        sha256(&[b"wayside/1 carried", &self.bytes])
    }

    fn of_text(text: &str) -> Result<Self, GreetingError> {
        if text.len() > Self::MAX_TEXT {
            return Err(GreetingError::Nonsense);
        }
        let body = body_of(text).to_ascii_uppercase();
        let body = body.strip_prefix("WAYSIDE-INVITE:").ok_or(GreetingError::NotOne)?;
        let bytes = BASE32_NOPAD.decode(body.as_bytes()).map_err(|_| GreetingError::Damaged)?;
        let (bytes, sum) = bytes.split_last_chunk::<4>().ok_or(GreetingError::Damaged)?;
        if checksum(bytes) != *sum {
            return Err(GreetingError::Damaged);
        }
        Self::from_bytes(bytes)
    }
}

impl fmt::Display for Greeting {
    /// The text, one line: a secret. For the person who asked for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.bytes[..], &checksum(&self.bytes)].concat();
        write!(f, "{}{}", Self::SCHEME, BASE32_NOPAD.encode(&bytes))
    }
}

impl fmt::Debug for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Greeting")
            .field("invite", &self.invite)
            .field("account", &self.card().account())
            .finish_non_exhaustive()
    }
}

impl FromStr for Greeting {
    type Err = GreetingError;

    /// Upper or lower case, with white space anywhere, among lines that begin with `#`.
    fn from_str(text: &str) -> Result<Self, GreetingError> {
        Self::of_text(text)
    }
}

/// Why a text is no invite file, each with what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GreetingError {
    /// It does not begin as one.
    #[error("this is not an invite file: what is in one begins with `wayside-invite:`")]
    NotOne,
    /// The checksum does not fit: cut short, or mistyped.
    #[error("the invite file is cut short or damaged: copy the whole file again")]
    Damaged,
    /// Made by a newer wayside.
    #[error("the invite file is of version {0}, which this wayside does not know: update it")]
    Version(u64),
    /// It is whole, and whoever it says made it did not sign it.
    #[error(
        "the invite file was changed by somebody, or is not from whom it says: do not use it, and ask for a new one"
    )]
    Unsigned,
    /// The checksum fits and the contents make no sense.
    #[error("the invite file makes no sense: ask for a new one")]
    Nonsense,
}

const VERSION: u64 = 1;
/// What the maker's device signs it in.
const CONTEXT: &str = "greeting";

/// A text without its remarks, which are lines that begin with `#`, and without white space.
pub(crate) fn body_of(text: &str) -> String {
    let lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
    lines.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect()
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let hash = sha256(&[b"wayside/1 invite file", bytes]);
    std::array::from_fn(|i| hash.get(i).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests;
