//! What is inside a blob.

use minicbor::{Decode, Encode};

use super::bounds;
use super::seal::MAX_ITEM;
use super::wire::Access;
use crate::codec::{self, Malformed};
use crate::crypto::keys::DeviceId;
use crate::place::is_deceptive;
use crate::time::UnixMillis;

/// Names a message everywhere.
pub type MessageId = [u8; 16];
/// Names a file that is attached to a message.
pub type FileId = [u8; 16];

/// The longest text of a message, in bytes.
pub const MAX_TEXT: usize = 65_536;
/// The most bytes of a file in one item.
pub const CHUNK: usize = 60 * 1024;
/// The most files of a message.
pub const MOST_FILES: usize = 16;

/// What is inside a blob.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Item {
    /// The sending device.
    #[n(0)]
    pub device: DeviceId,
    /// What it is.
    #[n(1)]
    pub kind: Kind,
}

impl Item {
    /// Its bytes, at most [`MAX_ITEM`] where it keeps its bounds.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The item of these bytes. What is in it is within the bounds that its parts name; what its numbers mean, the [inbox](super::inbox) finds out.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        codec::decode("an item of mail", bytes, MAX_ITEM)
    }
}

/// What an item is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Kind {
    /// One that is taken in once, in its order.
    #[n(0)]
    Ordered(#[n(0)] Ordered),
    /// News: the latest holds, and nothing waits for it.
    #[n(1)]
    News(#[n(0)] News),
}

/// One that is taken in once, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Ordered {
    /// Its number: greater than all before from this device to this account.
    #[n(0)]
    pub seq: u64,
    /// The number before: what lies between was never given.
    #[n(1)]
    pub previous: u64,
    /// The lowest number that had not ended when this was sealed: nothing below comes any more.
    #[n(2)]
    pub floor: u64,
    /// When it was accepted, by the sender's clock.
    #[n(3)]
    pub sent: UnixMillis,
    /// What it says.
    #[n(4)]
    pub content: Content,
}

/// What an ordered item says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Content {
    /// A message: at most [`MAX_TEXT`] bytes of text and [`MOST_FILES`] files. The chunks of its files came before.
    #[n(0)]
    Message(
        #[cbor(n(0), with = "minicbor::bytes")] MessageId,
        #[cbor(n(1), decode_with = "bounds::text")] String,
        #[cbor(n(2), decode_with = "bounds::files")] Vec<FileRef>,
    ),
    /// A part of a file: which, from which byte on, and at most [`CHUNK`] bytes of it.
    #[n(1)]
    Chunk(
        #[cbor(n(0), with = "minicbor::bytes")] FileId,
        #[n(1)] u64,
        #[cbor(n(2), encode_with = "minicbor::bytes::encode", decode_with = "bounds::chunk")] Vec<u8>,
    ),
}

/// A file that is attached.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct FileRef {
    /// Which.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub id: FileId,
    /// What the sender calls it: attack input, but for what [`FileRef::is_name`] says of it.
    #[cbor(n(1), decode_with = "bounds::file_name")]
    pub name: String,
    /// In bytes.
    #[n(2)]
    pub size: u64,
    /// SHA-256 of all of it.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub hash: [u8; 32],
}

impl FileRef {
    /// The longest name, in bytes: what most file systems take.
    pub const MAX_NAME: usize = 255;

    /// Whether a file may be called this: 1–255 bytes, no `/` and no `\`, nothing that is not seen, neither `.` nor `-` at the beginning (hidden files, what looks like an option, `.` and `..`),
    /// no white space at either end.
    pub fn is_name(name: &str) -> bool {
        (1..=Self::MAX_NAME).contains(&name.len())
            && !name.starts_with(['.', '-'])
            && name.trim() == name
            && !name.contains(|c: char| matches!(c, '/' | '\\') || is_deceptive(c))
    }

    /// The nearest name that a file may have: what must not be in it becomes `_`, and what is too long is cut.
    pub fn name_like(name: &str) -> String {
        let mut like: String = name
            .trim()
            .chars()
            .map(|c| if matches!(c, '/' | '\\') || is_deceptive(c) { '_' } else { c })
            .collect();
        if like.is_empty() || like.starts_with(['.', '-']) {
            like.insert(0, '_');
        }
        while like.len() > Self::MAX_NAME {
            like.pop();
        }
        like.truncate(like.trim_end().len());
        like
    }
}

/// What one side tells the other beside messages; each part as it is now, or absent where nothing is said of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct News {
    /// Counts up, so that an old one does not take the place of a newer one.
    #[n(0)]
    pub seq: u64,
    /// What came of the items that the reader of this sent.
    #[n(1)]
    pub receipt: Option<Receipt>,
    /// Nothing of this device's below this number comes any more.
    #[n(2)]
    pub floor: u64,
    /// The sender's card: at most [`Card::MAX`](crate::identity::Card::MAX) bytes, not yet verified.
    #[cbor(n(3), with = "bounds::card", has_nil)]
    pub card: Option<Vec<u8>>,
    /// What it takes to seal for the sender of this.
    #[n(4)]
    pub access: Option<Access>,
}

/// What came of one device's items.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Receipt {
    /// Whose items: the device that reads this.
    #[n(0)]
    pub device: DeviceId,
    /// All up to this number are on disk, or will not be waited for any more.
    #[n(1)]
    pub upto: u64,
    /// Beyond it these are on disk, at most [`Receipt::MOST_BEYOND`] of them.
    #[cbor(n(2), decode_with = "bounds::beyond")]
    pub beyond: Vec<u64>,
}

impl Receipt {
    /// The most numbers beyond what is there without a gap.
    pub const MOST_BEYOND: usize = 64;
}

#[cfg(test)]
#[path = "item_tests.rs"]
mod tests;
