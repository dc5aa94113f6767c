//! What is in a record's file.
//!
//! ```text
//! offset  bytes  what
//!      0      8  "wayside\n"
//!      8      1  version: 1
//!      9      1  class: 1 meeting, 2 custody, 3 pointer
//!     10      1  key: 1 slot, 2 public name
//!     11      1  length of the key, k
//!     12      8  not after, seconds since 1970, big endian
//!     20      4  length of the record's bytes, n, big endian
//!     24     16  check: SHA-256 of everything else in the file, the first 16 bytes
//!     40      k  key
//!   40+k      n  the record's bytes
//! ```
//!
//! The check is there because synchronisers and pulled plugs leave files cut short or full of zeros. It proves
//! nothing about who wrote it: records are sealed, and whoever opens them finds that out.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{Class, Key, Record, Slot, Timestamp};

/// A digest of a record and all that belongs to it.
pub type Check = [u8; 16];

/// The largest record of a class, in bytes.
///
/// A service that keeps files would take far more. These are well above what records weigh (hundreds of bytes, tens of kilobytes for
/// mail), and small enough that a place full of junk costs little to read.
pub const fn max_record(class: Class) -> usize {
    match class {
        Class::Meeting | Class::Pointer => 64 * 1024,
        Class::Custody => 1024 * 1024,
    }
}

/// The largest file of a class, in bytes.
pub const fn max_file(class: Class) -> usize {
    HEADER + Key::MAX_NAME + max_record(class)
}

/// A record and its check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The record.
    pub record: Record,
    /// Of it.
    pub check: Check,
}

const MAGIC: &[u8; 8] = b"wayside\n";
const VERSION: u8 = 1;
const CHECKED_FROM: usize = 24;
const HEADER: usize = 40;
const SLOT: u8 = 1;
const NAME: u8 = 2;

/// The file for a record, with its check; `None` where the record is larger than its class allows.
pub fn encode(record: &Record) -> Option<(Vec<u8>, Check)> {
    let (kind, key) = match &record.key {
        Key::Slot(slot) => (SLOT, slot.0.as_slice()),
        Key::Name(name) => (NAME, name.as_bytes()),
    };
    if record.bytes.len() > max_record(record.class) || key.len() > Key::MAX_NAME {
        return None;
    }
    let mut file = Vec::with_capacity(HEADER + key.len() + record.bytes.len());
    file.extend_from_slice(MAGIC);
    file.extend([VERSION, class_byte(record.class), kind, u8::try_from(key.len()).ok()?]);
    file.extend(record.not_after.as_secs().to_be_bytes());
    file.extend(u32::try_from(record.bytes.len()).ok()?.to_be_bytes());
    let check = check_of(&file, key, &record.bytes);
    file.extend(check);
    file.extend_from_slice(key);
    file.extend_from_slice(&record.bytes);
    Some((file, check))
}

/// How many bytes the file has that begins here, by its own word: for files that follow one another. `None` where none begins.
pub fn length(beginning: &[u8]) -> Option<usize> {
    let header = beginning.get(..HEADER)?;
    let (&key_len, &len) = (header.get(11)?, header.get(20..)?.first_chunk::<4>()?);
    let len = usize::try_from(u32::from_be_bytes(len)).ok()?;
    let length = HEADER.checked_add(usize::from(key_len))?.checked_add(len)?;
    header.starts_with(MAGIC).then_some(length)
}

/// The record in a file; `None` where it is not whole, of a later version, or no record at all.
pub fn decode(file: &Bytes) -> Option<Found> {
    let header = file.get(..HEADER)?;
    let (head, stored) = header.split_at_checked(CHECKED_FROM)?;
    let (magic, rest) = head.split_first_chunk::<8>()?;
    let (&[version, class, kind, key_len], rest) = rest.split_first_chunk::<4>()?;
    let (&not_after, rest) = rest.split_first_chunk::<8>()?;
    let &len = rest.first_chunk::<4>()?;
    if magic != MAGIC || version != VERSION {
        return None;
    }
    let class = Class::ALL.into_iter().find(|known| class_byte(*known) == class)?;
    let key_end = HEADER.checked_add(usize::from(key_len))?;
    let key = file.get(HEADER..key_end)?;
    let body = file.slice(key_end..);
    let whole = u64::from(u32::from_be_bytes(len)) == body.len() as u64;
    if !whole || body.len() > max_record(class) || check_of(head, key, &body) != *stored {
        return None;
    }
    let key = match kind {
        SLOT => Key::Slot(Slot(key.try_into().ok()?)),
        NAME => Key::name(std::str::from_utf8(key).ok()?)?,
        _ => return None,
    };
    let record =
        Record { key, class, not_after: Timestamp::from_secs(u64::from_be_bytes(not_after)), bytes: body };
    Some(Found { record, check: stored.try_into().ok()? })
}

const fn class_byte(class: Class) -> u8 {
    match class {
        Class::Meeting => 1,
        Class::Custody => 2,
        Class::Pointer => 3,
    }
}

fn check_of(head: &[u8], key: &[u8], body: &[u8]) -> Check {
    let digest: [u8; 32] =
        Sha256::new().chain_update(head).chain_update(key).chain_update(body).finalize().into();
    digest.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
