//! What is inside a blob.

use minicbor::{Decode, Encode};

use super::wire::Access;
use crate::crypto::keys::DeviceId;
use crate::time::UnixMillis;

/// Names a message everywhere.
pub type MessageId = [u8; 16];
/// Names a file that is attached to a message.
pub type FileId = [u8; 16];

/// The longest text of a message, in bytes.
pub const MAX_TEXT: usize = 65_536;
/// The most bytes of a file in one item.
pub const CHUNK: usize = 60 * 1024;

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
    /// A message. The chunks of its files came before.
    #[n(0)]
    Message(#[cbor(n(0), with = "minicbor::bytes")] MessageId, #[n(1)] String, #[n(2)] Vec<FileRef>),
    /// A part of a file: which, from which byte on.
    #[n(1)]
    Chunk(
        #[cbor(n(0), with = "minicbor::bytes")] FileId,
        #[n(1)] u64,
        #[cbor(n(2), with = "minicbor::bytes")] Vec<u8>,
    ),
}

/// A file that is attached.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct FileRef {
    /// Which.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub id: FileId,
    /// What the sender calls it: 1–255 bytes, no path, nothing that is not seen; attack input.
    #[n(1)]
    pub name: String,
    /// In bytes.
    #[n(2)]
    pub size: u64,
    /// SHA-256 of all of it.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub hash: [u8; 32],
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
    /// The sender's card.
    #[cbor(n(3), with = "minicbor::bytes")]
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
    /// Beyond it these are on disk, at most 64 of them.
    #[n(2)]
    pub beyond: Vec<u64>,
}
