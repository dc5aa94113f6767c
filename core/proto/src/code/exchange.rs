//! How a spoken code becomes an invite: SPAKE2 (RFC 9382 describes it; here the older form that `python-spake2` and Magic Wormhole speak, over Ed25519's group), through records that anybody in the
//! place may read.
//!
//! The inviter leaves a [`Call`] with eight fresh elements. Whoever has the words takes one of them and leaves a [`Response`], which shows that it has the same key: one guess. Who answers wrongly
//! has used that element up, which a [`Verdict`] says. Of the right key both make the same [`Invite`], whose one-time key the call named; that the words were the same proves both that the call was
//! the inviter's and that nothing of it was changed, since all of it goes into the key.
//!
//! ```text
//! call     = 01 │ expiry u32 │ I 32 │ 8 × element 32 │ points, as in an invite
//! response = 01 │ element 32 │ mac 16
//! verdict  = 01 │ of 16 │ left 1            ; of: which response, SHA-256(response)[0..16]; left: guesses. None: the code is burnt
//! burnt    = 02                              ; in a slot of its own
//! ```

use std::fmt;

use rand_core::{CryptoRng, RngCore};
use spake2::{Ed25519Group, Identity, Password, Spake2};

use super::Code;
use crate::codec::Malformed;
use crate::crypto::keys::NoiseKey;
use crate::crypto::{Secret, derive, sha256};
use crate::invite::{self, Invite};
use crate::place::Locator;
use crate::time::UnixMillis;

/// How many guesses a call takes.
pub const GUESSES: u8 = 8;

const VERSION: u8 = 1;
const BURNT: u8 = 2;
/// What the library writes before an element: whose it is.
const INVITER: u8 = b'A';
const ACCEPTER: u8 = b'B';

type Element = [u8; 32];

/// What the inviter says to whoever has the words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When it ends, by the second.
    pub expires: UnixMillis,
    /// The one-time key of the invite that it leads to.
    pub key: [u8; 32],
    elements: [Element; GUESSES as usize],
    /// Where the inviter looks for answers: 1–3 places that several write in.
    pub points: Vec<Locator>,
}

/// What is said by a nameplate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A call.
    Call(Box<Call>),
    /// Somebody guessed too often.
    Burnt,
}

/// The inviter's side of a call: what each element needs to be finished, once.
pub struct Caller {
    call: Call,
    one_time: Secret,
    open: Vec<Option<Spake2<Ed25519Group>>>,
}

/// What one who has the words, or guesses them, says to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    element: Element,
    mac: [u8; 16],
}

/// What the inviter says of a response that was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Which response.
    pub of: [u8; 16],
    /// How many guesses are left; at none the code is burnt.
    pub left: u8,
}

/// What came of a response.
#[derive(Debug)]
pub enum Judged {
    /// It has the words: the invite that both have now, and the private half of its key.
    Right(Box<Invite>, Secret),
    /// It has not.
    Wrong(Verdict),
    /// Another response took this element before.
    Spent,
}

impl Call {
    /// Its hash, which everything after it goes by.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&[b"wayside/1 call", &self.to_bytes()])
    }

    /// What a record holds.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = head(self.expires, &self.key);
        self.elements.iter().for_each(|element| bytes.extend(element));
        self.points.iter().for_each(|point| invite::write_point(&mut bytes, point, false));
        bytes
    }

    /// What the key exchange is about besides the words: all of the call but its elements, which are in it anyway.
    fn about(&self) -> Identity {
        let mut bytes = head(self.expires, &self.key);
        self.points.iter().for_each(|point| invite::write_point(&mut bytes, point, false));
        Identity::new(&sha256(&[b"wayside/1 code", &bytes]))
    }

    /// The invite that both sides make of the same key.
    fn invite(&self, key: &[u8]) -> Invite {
        Invite {
            uses: 1,
            expires: self.expires,
            key: self.key,
            secret: derive(key, "code secret", &[&self.hash()]),
            points: self.points.clone(),
            own: std::collections::BTreeSet::new(),
        }
    }

    fn mac(&self, key: &[u8], index: u8) -> Secret<16> {
        derive(key, "code mac", &[&self.hash(), &[index]])
    }

    /// Answers this element (from 0) with the code: what is to be left for the inviter, and the invite if the words are the right ones.
    pub fn respond(
        &self,
        code: &Code,
        index: u8,
        rng: impl RngCore + CryptoRng,
    ) -> Option<(Response, Invite)> {
        let element = self.elements.get(usize::from(index))?;
        let (state, ours) = Spake2::<Ed25519Group>::start_b_with_rng(
            &password(code),
            &self.about(),
            &Identity::new(&[]),
            rng,
        );
        let key = Secret::new(finish(state, INVITER, element)?);
        let response = Response { element: of_message(&ours)?, mac: *self.mac(key.expose(), index).expose() };
        Some((response, self.invite(key.expose())))
    }
}

impl Heard {
    /// What a record holds; hostile until proved otherwise.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let wrong = |why| Malformed::new("call", why);
        match bytes.split_first() {
            Some((&VERSION, rest)) => call_of(rest).map(|call| Self::Call(Box::new(call))),
            Some((&BURNT, [])) => Ok(Self::Burnt),
            Some((&BURNT, _)) => Err(wrong("bytes are left over")),
            Some(_) => Err(wrong("another version")),
            None => Err(wrong("empty")),
        }
    }

    /// What is left for those who come when a code is burnt.
    pub fn burnt() -> Vec<u8> {
        vec![BURNT]
    }
}

fn call_of(rest: &[u8]) -> Result<Call, Malformed> {
    let cut = || Malformed::new("call", "it ends too early");
    let (expires, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    let (key, mut rest) = rest.split_first_chunk::<32>().ok_or_else(cut)?;
    let mut elements = [[0; 32]; GUESSES as usize];
    for element in &mut elements {
        let (read, after) = rest.split_first_chunk::<32>().ok_or_else(cut)?;
        (*element, rest) = (*read, after);
    }
    let mut points = Vec::new();
    while let Some((point, own, after)) =
        invite::read_point(rest).map_err(|_| Malformed::new("call", "a place that is none"))?
    {
        if own || points.len() == Invite::MOST_POINTS {
            return Err(Malformed::new("call", "more than three places, or one that nobody else writes in"));
        }
        points.push(point);
        rest = after;
    }
    if points.is_empty() {
        return Err(Malformed::new("call", "no place"));
    }
    let expires = UnixMillis::from_secs(u64::from(u32::from_be_bytes(*expires)));
    Ok(Call { expires, key: *key, elements, points })
}

impl Caller {
    /// A fresh call for this code.
    pub fn new(
        code: &Code,
        expires: UnixMillis,
        points: Vec<Locator>,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Option<Self> {
        let one_time = Secret::random(rng);
        let key = NoiseKey::from_secret(one_time.clone()).public();
        // The call tells the second; both sides hash the same.
        let expires = UnixMillis::from_secs(expires.as_secs());
        let mut call = Call { expires, key, elements: [[0; 32]; GUESSES as usize], points };
        let about = call.about();
        let mut open = Vec::new();
        for element in &mut call.elements {
            let (state, message) = Spake2::<Ed25519Group>::start_a_with_rng(
                &password(code),
                &about,
                &Identity::new(&[]),
                &mut *rng,
            );
            *element = of_message(&message)?;
            open.push(Some(state));
        }
        Some(Self { call, one_time, open })
    }

    /// What is to be left for whoever has the words.
    pub const fn call(&self) -> &Call {
        &self.call
    }

    /// How many guesses are left.
    pub fn left(&self) -> u8 {
        u8::try_from(self.open.iter().flatten().count()).unwrap_or(GUESSES)
    }

    /// Whether a response to this element counts.
    pub fn is_open(&self, index: u8) -> bool {
        self.open.get(usize::from(index)).is_some_and(Option::is_some)
    }

    /// Judges a response to this element, which is used up by it, right or wrong.
    pub fn judge(&mut self, index: u8, response: &Response) -> Judged {
        let Some(state) = self.open.get_mut(usize::from(index)).and_then(Option::take) else {
            return Judged::Spent;
        };
        let key = finish(state, ACCEPTER, &response.element).map(Secret::new);
        match key.filter(|key| self.call.mac(key.expose(), index) == Secret::new(response.mac)) {
            Some(key) => Judged::Right(Box::new(self.call.invite(key.expose())), self.one_time.clone()),
            None => Judged::Wrong(Verdict { of: response.name(), left: self.left() }),
        }
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("call", &self.call).field("left", &self.left()).finish_non_exhaustive()
    }
}

impl Response {
    /// How a verdict names it.
    pub fn name(&self) -> [u8; 16] {
        let hash = sha256(&[b"wayside/1 response", &self.to_bytes()]);
        std::array::from_fn(|i| hash.get(i).copied().unwrap_or_default())
    }

    /// What a record holds.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&[VERSION], &self.element[..], &self.mac].concat()
    }

    /// What a record holds; hostile until proved otherwise.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let wrong = |why| Malformed::new("response", why);
        let rest = bytes.strip_prefix(&[VERSION]).ok_or(wrong("another version"))?;
        let (element, mac) = rest.split_first_chunk::<32>().ok_or(wrong("it ends too early"))?;
        let mac = mac.try_into().map_err(|_| wrong("another length"))?;
        Ok(Self { element: *element, mac })
    }
}

impl Verdict {
    /// What a record holds.
    pub fn to_bytes(self) -> Vec<u8> {
        [&[VERSION], &self.of[..], &[self.left]].concat()
    }

    /// What a record holds; hostile until proved otherwise.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let wrong = |why| Malformed::new("verdict", why);
        let rest = bytes.strip_prefix(&[VERSION]).ok_or(wrong("another version"))?;
        match rest.split_first_chunk::<16>() {
            Some((of, [left])) if *left < GUESSES => Ok(Self { of: *of, left: *left }),
            _ => Err(wrong("another length, or more guesses than there are")),
        }
    }
}

fn head(expires: UnixMillis, key: &[u8; 32]) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend(u32::try_from(expires.as_secs()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(key);
    bytes
}

fn password(code: &Code) -> Password {
    Password::new(code.password())
}

/// An element of the library's message, which says before it whose it is.
fn of_message(message: &[u8]) -> Option<Element> {
    message.split_first().and_then(|(_, element)| element.try_into().ok())
}

fn finish(state: Spake2<Ed25519Group>, side: u8, element: &Element) -> Option<[u8; 32]> {
    state.finish(&[&[side], &element[..]].concat()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests;
