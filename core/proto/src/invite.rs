//! The invite link: a one-time key and secret with one to three places to answer at.
//!
//! ```text
//! version 1 │ uses 1 │ expiry 4 │ key 32 │ secret 16 │ points: (kind 1 │ length 1 │ address n)… │ checksum 4
//! ```
//!
//! The highest bit of a kind says that the inviter alone writes there: whoever accepts answers from elsewhere ([`crate::reply`]).
//!
//! In base32 (RFC 4648, upper case, no padding) after `wayside:`. With one address of 56 bytes it has 194 characters.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;

use crate::crypto::{Secret, sha256};
use crate::place::Locator;
use crate::time::UnixMillis;

/// An invite, parsed. Whoever holds it can use it, so it does not print itself in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    /// How many accounts may use it: 1–127.
    pub uses: u8,
    /// When it ends, by the second.
    pub expires: UnixMillis,
    /// The inviter's one-time X25519 key.
    pub key: [u8; 32],
    /// What the slots and the handshake's psk are derived from.
    pub secret: Secret<16>,
    /// Where the inviter looks for answers, the preferred first: 1–3, or none where it goes in a file.
    pub points: Vec<Locator>,
    /// Which of them, from 0, are spaces that the inviter alone writes in: its answer is found there, and nobody leaves anything for it.
    pub own: BTreeSet<u8>,
}

impl Invite {
    /// What a link begins with.
    pub const SCHEME: &'static str = "wayside:";
    /// The most places.
    pub const MOST_POINTS: usize = 3;
    /// The most accounts that one invite takes.
    pub const MOST_USES: u8 = 127;
    /// The longest link, in characters.
    pub const MAX: usize = 1200;

    /// SHA-256 of the link's bytes: the handshake's prologue, so that both sides saw the same link.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&[&self.to_bytes()])
    }

    /// Lanes in which a join may be left: eight where many accounts may come, so that they are not in each other's way; four where one may, since
    /// each repetition of a join takes the next lane and only so can be told from what a bridge delivers twice.
    pub const fn lanes(&self) -> u8 {
        if self.uses == 1 { 4 } else { 8 }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, self.uses];
        bytes.extend(u32::try_from(self.expires.as_secs()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(self.key);
        bytes.extend(self.secret.expose());
        for (number, point) in (0..).zip(&self.points) {
            write_point(&mut bytes, point, self.own.contains(&number));
        }
        bytes.extend(checksum(&bytes));
        bytes
    }

    /// The invite of these bytes. One that names no place is none as a link: it goes in a file with its maker's greeting ([`crate::greeting`]).
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, InviteError> {
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or(InviteError::Cut)?;
        let (version, rest) = body.split_first().ok_or(InviteError::Cut)?;
        let sound = checksum(body) == *sum;
        if *version != VERSION {
            return Err(if sound { InviteError::Version(*version) } else { InviteError::Mistyped });
        }
        if !sound {
            // Cut short is the commonest damage and deserves its own sentence.
            return Err(if ends_inside(rest) { InviteError::Cut } else { InviteError::Mistyped });
        }
        let (uses, rest) = rest.split_first().ok_or(InviteError::Cut)?;
        let (expires, rest) = rest.split_first_chunk::<4>().ok_or(InviteError::Cut)?;
        let (key, rest) = rest.split_first_chunk::<32>().ok_or(InviteError::Cut)?;
        let (secret, mut rest) = rest.split_first_chunk::<16>().ok_or(InviteError::Cut)?;
        let (mut points, mut own) = (Vec::new(), BTreeSet::new());
        while let Some((point, is_own, after)) = read_point(rest)? {
            if is_own {
                own.insert(u8::try_from(points.len()).map_err(|_| InviteError::Nonsense)?);
            }
            points.push(point);
            rest = after;
        }
        if points.len() > Self::MOST_POINTS || !(1..=Self::MOST_USES).contains(uses) {
            return Err(InviteError::Nonsense);
        }
        let invite = Self {
            uses: *uses,
            expires: UnixMillis::from_secs(u64::from(u32::from_be_bytes(*expires))),
            key: *key,
            secret: Secret::new(*secret),
            points,
            own,
        };
        // The handshake's prologue is the hash of the link's bytes: a link that we would write otherwise could never be answered.
        if invite.to_bytes() == bytes { Ok(invite) } else { Err(InviteError::Nonsense) }
    }
}

impl fmt::Display for Invite {
    /// The link itself: a secret. For the person who asked for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::SCHEME, BASE32_NOPAD.encode(&self.to_bytes()))
    }
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invite")
            .field("uses", &self.uses)
            .field("expires", &self.expires)
            .field("points", &self.points)
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

impl FromStr for Invite {
    type Err = InviteError;

    /// Upper or lower case, with white space anywhere (mail programs break lines), with or without the scheme's two slashes.
    fn from_str(text: &str) -> Result<Self, InviteError> {
        Self::with_any_places(text).and_then(|invite| match invite.points.as_slice() {
            [] => Err(InviteError::Nonsense),
            _ => Ok(invite),
        })
    }
}

impl Invite {
    /// The same for what is stored of an invite that may have come in a file and name no place.
    pub(crate) fn with_any_places(text: &str) -> Result<Self, InviteError> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).take(Self::MAX + 1).collect();
        if text.len() > Self::MAX {
            return Err(InviteError::Nonsense);
        }
        let upper = text.to_ascii_uppercase();
        let body = upper.strip_prefix("WAYSIDE:").ok_or(InviteError::NotOne)?;
        let body = body.trim_start_matches('/');
        if body.is_empty() {
            return Err(InviteError::Cut);
        }
        if !body.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b)) {
            return Err(InviteError::Mistyped);
        }
        // Some lengths are no base32, and characters cut off may leave set bits behind.
        Self::from_bytes(&BASE32_NOPAD.decode(body.as_bytes()).map_err(|_| InviteError::Cut)?)
    }
}

/// Why a link is no invite, each with what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// It does not begin with `wayside:`.
    #[error("this is not an invite: one begins with `wayside:`")]
    NotOne,
    /// It ends too early.
    #[error("the invite is cut short: copy the whole line again")]
    Cut,
    /// The checksum does not fit.
    #[error("the invite is mistyped somewhere: copy it again rather than type it")]
    Mistyped,
    /// Made by a newer wayside.
    #[error("the invite is of version {0}, which this wayside does not know: update it")]
    Version(u8),
    /// The checksum fits and the contents make no sense.
    #[error("the invite makes no sense: ask for a new one")]
    Nonsense,
}

const VERSION: u8 = 1;

/// Kinds that have a number of their own; others are written out behind [`OTHER_KIND`].
const KINDS: [(u8, &str); 8] =
    [(1, "dir"), (2, "exec"), (3, "git"), (4, "github"), (5, "matrix"), (6, "email"), (7, "dns"), (8, "web")];
const OTHER_KIND: u8 = 0;
/// A kind whose number a newer version gave out is called `kind-9`: no bridge of ours reaches it, but the link's other points still work.
const NUMBERED: &str = "kind-";
/// Set in the number of a kind where the inviter alone writes in the place. To a reader that does not know of it that is another kind's number.
const OWN: u8 = 0x80;

fn code_of(kind: &str) -> Option<u8> {
    let known = KINDS.iter().find(|(_, known)| *known == kind).map(|(code, _)| *code);
    known.or_else(|| {
        let number = kind.strip_prefix(NUMBERED)?.parse().ok().filter(|number| number & OWN == 0)?;
        (kind_of(number)? == kind).then_some(number)
    })
}

fn kind_of(code: u8) -> Option<String> {
    match KINDS.iter().find(|(known, _)| *known == code) {
        Some((_, kind)) => Some((*kind).to_owned()),
        None if code == OTHER_KIND => None,
        None => Some(format!("{NUMBERED}{code}")),
    }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let hash = sha256(&[b"wayside/1 invite", bytes]);
    std::array::from_fn(|i| hash.get(i).copied().unwrap_or_default())
}

/// A point, and whether it is a space of the inviter's own.
pub(crate) fn write_point(bytes: &mut Vec<u8>, point: &Locator, own: bool) {
    let (code, text) = match code_of(point.kind()) {
        Some(code) => (code, point.address().to_owned()),
        None => (OTHER_KIND, point.to_string()),
    };
    bytes.push(if own { code | OWN } else { code });
    bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    bytes.extend(text.bytes());
}

/// A point, whether it is a space of the inviter's own, and what follows it.
pub(crate) type ReadPoint<'a> = (Locator, bool, &'a [u8]);

/// The next point; `None` at the end.
pub(crate) fn read_point(bytes: &[u8]) -> Result<Option<ReadPoint<'_>>, InviteError> {
    let Some((code, rest)) = bytes.split_first() else { return Ok(None) };
    let (length, rest) = rest.split_first().ok_or(InviteError::Nonsense)?;
    let (address, rest) = rest.split_at_checked(usize::from(*length)).ok_or(InviteError::Nonsense)?;
    let address = std::str::from_utf8(address).map_err(|_| InviteError::Nonsense)?;
    let locator = match kind_of(*code & !OWN) {
        Some(kind) => Locator::new(&kind, address),
        None => Locator::parse(address),
    };
    Ok(Some((locator.ok_or(InviteError::Nonsense)?, *code & OWN != 0, rest)))
}

/// Whether bytes whose checksum does not fit look like the beginning of a link: a point, or what comes before the points, is incomplete.
fn ends_inside(rest: &[u8]) -> bool {
    let Some((_, mut points)) = rest.split_at_checked(1 + 4 + 32 + 16) else { return true };
    loop {
        let Some((_, after)) = points.split_first() else { return true };
        let Some((length, after)) = after.split_first() else { return true };
        match after.split_at_checked(usize::from(*length)) {
            None => return true,
            Some((_, [])) => return false,
            Some((_, after)) => points = after,
        }
    }
}

#[cfg(test)]
mod tests;
