//! A record as an instance of our service type: its name, and the strings of its TXT record.
//!
//! ```text
//! name     SLOT-DIGEST            32 and 16 hexadecimal digits
//! strings  v=1                    version
//!          e=SECONDS              not after, seconds since 1970, decimal
//!          n=NAME                 of a card alone: its public name
//!          0=… 1=… 2=… 3=…        the record's bytes, 253 at most in each
//! slot of a card = SHA-256("wayside mdns name" ‖ NAME)[0..16]
//! digest = SHA-256("wayside mdns" ‖ slot ‖ u8(|s|) ‖ s for each string)[0..8]
//! ```
//!
//! The digest tells records of one slot apart, and makes a name stand for one content: nobody has to ask whether it is taken (RFC 6762, section 8.1).

use bytes::Bytes;
use sha2::{Digest, Sha256};
use wayside_bridge::{Class, Key, Record, Slot, Timestamp};

/// The largest record, in bytes: what a first contact takes.
pub(crate) const MAX_RECORD: usize = 960;

/// A name is so many characters.
pub(crate) const LABEL: usize = 49;

/// What stands before a card's name.
const NAME: &[u8] = b"n=";

/// So many bytes of a record fit beside `0=` into a string, which has 255 (RFC 1035, section 3.3).
const CHUNK: usize = 253;

/// An instance's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Instance {
    slot: Slot,
    digest: [u8; 8],
}

impl Instance {
    /// The name of a label, in letters of either case.
    pub(crate) fn parse(label: &[u8]) -> Option<Self> {
        if label.len() != LABEL {
            return None;
        }
        let (slot, digest) = std::str::from_utf8(label).ok()?.split_once('-')?;
        let digest = data_encoding::HEXLOWER_PERMISSIVE.decode(digest.as_bytes()).ok()?;
        Some(Self { slot: Slot::from_hex(slot)?, digest: digest.try_into().ok()? })
    }

    /// As a label.
    pub(crate) fn label(&self) -> String {
        format!("{}-{}", self.slot, data_encoding::HEXLOWER.encode(&self.digest))
    }
}

/// The name and the strings of a record; `None` for one that is not carried.
pub(crate) fn encode(record: &Record) -> Option<(Instance, Vec<Vec<u8>>)> {
    if record.bytes.len() > MAX_RECORD {
        return None;
    }
    let mut strings = vec![b"v=1".to_vec(), format!("e={}", record.not_after.as_secs()).into_bytes()];
    let slot = match (record.class, &record.key) {
        (Class::Meeting, Key::Slot(slot)) => *slot,
        (Class::Pointer, Key::Name(name)) => {
            strings.push([NAME, name.as_bytes()].concat());
            slot_of(name)?
        }
        _ => return None,
    };
    for (number, chunk) in record.bytes.chunks(CHUNK).enumerate() {
        strings.push([format!("{number}=").as_bytes(), chunk].concat());
    }
    let digest = digest(&slot, strings.iter().map(Vec::as_slice))?;
    Some((Instance { slot, digest }, strings))
}

/// The record of a name and its strings; `None` where they are none, or do not belong together. Attack input.
pub(crate) fn decode<'a>(
    instance: &Instance,
    strings: impl Iterator<Item = &'a [u8]> + Clone,
) -> Option<Record> {
    let mut rest = strings.clone();
    if rest.next()? != b"v=1" {
        return None;
    }
    let seconds = std::str::from_utf8(rest.next()?.strip_prefix(b"e=")?).ok()?;
    let not_after = Timestamp::from_secs(seconds.parse().ok()?);
    let mut rest = rest.peekable();
    let (key, class) = match rest.next_if(|string| string.starts_with(NAME)) {
        None => (Key::Slot(instance.slot), Class::Meeting),
        Some(string) => {
            let name = std::str::from_utf8(string.strip_prefix(NAME)?).ok()?;
            if slot_of(name)? != instance.slot {
                return None;
            }
            (Key::name(name)?, Class::Pointer)
        }
    };
    let mut bytes = Vec::new();
    for (number, string) in rest.enumerate() {
        let chunk = string.strip_prefix(format!("{number}=").as_bytes())?;
        if bytes.len() + chunk.len() > MAX_RECORD {
            return None;
        }
        bytes.extend_from_slice(chunk);
    }
    if digest(&instance.slot, strings)? != instance.digest {
        return None;
    }
    Some(Record::new(key, class, not_after, Bytes::from(bytes)))
}

/// What a card's name is in place of a slot.
fn slot_of(name: &str) -> Option<Slot> {
    let digest: [u8; 32] =
        Sha256::new().chain_update(b"wayside mdns name").chain_update(name).finalize().into();
    digest.first_chunk().copied().map(Slot)
}

fn digest<'a>(slot: &Slot, strings: impl Iterator<Item = &'a [u8]>) -> Option<[u8; 8]> {
    let mut digest = Sha256::new().chain_update(b"wayside mdns").chain_update(slot.0);
    for string in strings {
        digest.update([u8::try_from(string.len()).ok()?]);
        digest.update(string);
    }
    let digest: [u8; 32] = digest.finalize().into();
    digest.first_chunk().copied()
}

#[cfg(test)]
#[path = "instance_tests.rs"]
mod tests;
