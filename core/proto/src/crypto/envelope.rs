//! What a bridge carries: a Noise message, padded and sealed so that it looks random and falls apart quickly where it is
//! not meant for us.
//!
//! A record is `bucket` bytes: in a **slot** `AES-SIV(message ‖ 16 zero bytes)`, in a **tray** `slot16 ‖ AES-SIV(message)`. Either way the
//! message has `bucket − 32` bytes, so that one and the same message can be raced over bridges of both kinds.

use aes_siv::KeyInit;
use aes_siv::siv::Aes128Siv;

use super::Secret;

/// The sizes of records. Nothing else is published for a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    /// 376 bytes: 502 characters of base64, two strings of a TXT record.
    Small,
    /// 960 bytes: with its key and a signature, the most that BEP 44 carries.
    Large,
}

impl Bucket {
    /// Both, the smaller first.
    pub const ALL: [Self; 2] = [Self::Small, Self::Large];

    /// Bytes of a record.
    pub const fn record(self) -> usize {
        match self {
            Self::Small => 376,
            Self::Large => 960,
        }
    }

    /// Bytes of the Noise message inside.
    pub const fn message(self) -> usize {
        self.record() - SIV - SLOT
    }

    /// Bytes of the longest payload under `overhead` bytes of Noise.
    pub const fn payload(self, overhead: usize) -> usize {
        self.message().saturating_sub(LENGTH + overhead)
    }

    /// The bucket of a record of this length.
    pub fn of_record(length: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| bucket.record() == length)
    }

    /// The smallest bucket whose message holds a payload of `length` bytes under `overhead` bytes of Noise.
    pub fn holding(length: usize, overhead: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| length <= bucket.payload(overhead))
    }

    /// The payload, its length before it and zeros behind it, so that the message fills this bucket. `None` where it is too long.
    pub fn pad(self, payload: &[u8], overhead: usize) -> Option<Vec<u8>> {
        let room = self.message().checked_sub(overhead)?;
        let length = u16::try_from(payload.len()).ok()?;
        let mut padded = Vec::with_capacity(room);
        padded.extend_from_slice(&length.to_be_bytes());
        padded.extend_from_slice(payload);
        (padded.len() <= room).then(|| {
            padded.resize(room, 0);
            padded
        })
    }
}

/// The payload with its length before it and nothing behind it, for a message that lies on no bridge and is to be short. `None` where a record would not
/// hold it either.
pub fn unpadded(payload: &[u8], overhead: usize) -> Option<Vec<u8>> {
    let length = u16::try_from(payload.len()).ok()?;
    (payload.len() <= Bucket::Large.payload(overhead)).then(|| [&length.to_be_bytes()[..], payload].concat())
}

/// The payload of a padded one. Padding that is not zero is refused: a payload has one form.
pub fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let (length, rest) = padded.split_first_chunk::<LENGTH>()?;
    let (payload, padding) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    padding.iter().all(|byte| *byte == 0).then_some(payload)
}

/// A record in a slot of its own. The message fills a bucket: its payload was padded with [`Bucket::pad`].
pub fn seal(siv: &Secret, message: &[u8]) -> Vec<u8> {
    debug_assert!(fills_a_bucket(message), "a record of a length of its own could be told from others");
    encrypt(siv, &[message, &[0; SLOT]].concat())
}

/// The message of a record in a slot of its own; `None` for anything not sealed under `siv`.
pub fn open(siv: &Secret, record: &[u8]) -> Option<Vec<u8>> {
    Bucket::of_record(record.len())?;
    let mut message = decrypt(siv, record)?;
    let end = message.len().checked_sub(SLOT)?;
    let padding = message.split_off(end);
    padding.iter().all(|byte| *byte == 0).then_some(message)
}

/// A record in a tray, where the slot stands before it. The message fills a bucket: its payload was padded with [`Bucket::pad`].
pub fn seal_in_tray(slot: &[u8; 16], siv: &Secret, message: &[u8]) -> Vec<u8> {
    debug_assert!(fills_a_bucket(message), "a record of a length of its own could be told from others");
    [&slot[..], &encrypt(siv, message)].concat()
}

/// The slot that a record in a tray is for, and what is sealed; `None` where the length is no bucket's.
pub fn split_tray(record: &[u8]) -> Option<([u8; 16], &[u8])> {
    Bucket::of_record(record.len())?;
    record.split_first_chunk::<SLOT>().map(|(slot, sealed)| (*slot, sealed))
}

/// The message of what [`split_tray`] found.
pub fn open_from_tray(siv: &Secret, sealed: &[u8]) -> Option<Vec<u8>> {
    decrypt(siv, sealed)
}

/// The record of a blob that was padded already: sealed once more, so that nothing in it tells which place it is for, or that it lies in another one too.
pub fn seal_blob(siv: &Secret, blob: &[u8]) -> Vec<u8> {
    encrypt(siv, blob)
}

/// Bytes of the record of a blob of this length.
pub const fn blob_record(length: usize) -> usize {
    length.saturating_add(SIV)
}

/// The blob of a record; `None` for anything not sealed under `siv`, and for what is longer than `most` bytes.
pub fn open_blob(siv: &Secret, record: &[u8], most: usize) -> Option<Vec<u8>> {
    if record.len() <= SIV || record.len() > blob_record(most) {
        return None;
    }
    decrypt(siv, record)
}

fn fills_a_bucket(message: &[u8]) -> bool {
    Bucket::ALL.iter().any(|bucket| bucket.message() == message.len())
}

/// Bytes of a slot.
const SLOT: usize = 16;
/// Bytes that AES-SIV adds (RFC 5297).
const SIV: usize = 16;
/// Bytes of the length before a payload.
const LENGTH: usize = 2;

fn encrypt(siv: &Secret, plain: &[u8]) -> Vec<u8> {
    let headers: [&[u8]; 0] = [];
    // RFC 5297 fails for more than 126 headers only, and there are none.
    Aes128Siv::new(siv.expose().into()).encrypt(headers, plain).unwrap_or_default()
}

fn decrypt(siv: &Secret, sealed: &[u8]) -> Option<Vec<u8>> {
    let headers: [&[u8]; 0] = [];
    Aes128Siv::new(siv.expose().into()).decrypt(headers, sealed).ok()
}

#[cfg(test)]
mod tests;
