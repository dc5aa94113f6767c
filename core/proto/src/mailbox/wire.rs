//! What goes between sender, host and recipient. Frames are CBOR behind a length, as over every stream.

use minicbor::{Decode, Encode};

use crate::crypto::keys::DeviceId;
use crate::crypto::{Secret, derive};
use crate::place::{Candidates, Locator, PlaceTag};

/// The longest blob, in bytes: a chunk of an attachment with what stands around it, padded.
pub const MAX_BLOB: usize = 80 * 1024;
/// The longest that anything is kept, in seconds: 30 days.
pub const MAX_LIFETIME: u32 = 30 * 86_400;

/// Names a queue at a host: what one sender leaves for one recipient there. To the host it is a random word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct QueueId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// SHA-256 of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct BlobHash(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

/// A mailbox of a recipient, as its card names it: what it takes to leave something there as a guest who is not known by name.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HostEntry {
    /// The X25519 key that the host made for this recipient's guests alone.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub guest: [u8; 32],
    /// What gate, psk and slots of its guests are derived from.
    #[n(1)]
    pub secret: Secret,
    /// What the recipient calls the host: 1–64 bytes, a hint for people.
    #[n(2)]
    pub name: String,
    /// Where guests' offers are looked for, at most [`HostEntry::MOST_POINTS`].
    #[n(3)]
    pub points: Vec<HostPoint>,
    /// Where it may be without a meeting.
    #[n(4)]
    pub candidates: Candidates,
}

/// Where a host looks for guests' offers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HostPoint {
    /// The place.
    #[n(0)]
    pub locator: Locator,
    /// The host's own tag for it.
    #[n(1)]
    pub tag: PlaceTag,
}

/// What a device's status says of its mail: how to seal for it, and who keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MailboxCard {
    /// The number of the first prekey.
    #[n(0)]
    pub first: u32,
    /// X25519 keys, one a week, at most [`PUBLISHED`](super::prekeys::PUBLISHED).
    #[n(1)]
    pub prekeys: Vec<Key>,
    /// Who keeps its mail, the preferred first, at most [`HostEntry::MOST`].
    #[n(2)]
    pub hosts: Vec<HostEntry>,
}

/// A public X25519 key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Key(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl HostEntry {
    /// The most places of a host.
    pub const MOST_POINTS: usize = 2;
    /// The most hosts of a device.
    pub const MOST: usize = 4;
}

/// What a recipient gives each friend over their link, and again with its news: what it takes to seal for it and to find its queues.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Access {
    /// For which device of the recipient's.
    #[n(0)]
    pub device: DeviceId,
    /// What the queues of this pair are derived from. It stays the same.
    #[n(1)]
    pub root: Secret,
    /// The pair's psk of each week, by the number of its prekey, at most [`Access::MOST`].
    #[n(2)]
    pub weeks: Vec<WeekPsk>,
}

/// What goes with a prekey, for one pair.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WeekPsk {
    /// The prekey's number.
    #[n(0)]
    pub id: u32,
    /// The pair's psk.
    #[n(1)]
    pub psk: Secret,
}

impl Access {
    /// The most weeks.
    pub const MOST: usize = 8;

    /// The queue of this pair at a host, and the key of what is put there.
    pub fn queue(&self, guest: &[u8; 32]) -> (QueueId, Secret) {
        queue(&self.root, guest)
    }
}

/// The queue of a pair at a host, and the key of what is put there.
pub fn queue(root: &Secret, guest: &[u8; 32]) -> (QueueId, Secret) {
    let id: Secret<16> = derive(root.expose(), "queue", &[guest]);
    (QueueId(*id.expose()), derive(root.expose(), "queue mac", &[guest]))
}

/// Something to be kept. `mac` shows that whoever made it may fill the queue, and nothing else of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Put {
    /// Where to.
    #[n(0)]
    pub queue: QueueId,
    /// Of the blob.
    #[n(1)]
    pub hash: BlobHash,
    /// How long it is to be kept from now on, in seconds, rounded up to an hour; at most [`MAX_LIFETIME`].
    #[n(2)]
    pub lifetime: u32,
    /// HMAC-SHA256 under the queue's key over all before.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub mac: [u8; 32],
    /// What is kept.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub blob: Vec<u8>,
}

/// What became of a [`Put`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Answer {
    /// It is on disk, or was before, or was fetched before.
    #[n(0)]
    Stored,
    /// There is no room; it may be tried again after so many seconds.
    #[n(1)]
    Full(#[n(0)] u32),
    /// There is no such queue, or the mac is wrong. Deliberately without detail.
    #[n(2)]
    Denied,
    /// Not what it should be: sizes, hash.
    #[n(3)]
    Malformed,
}

/// What a recipient says to its host, over their friends' link.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Ask {
    /// These are all my queues from now on, and all my devices: others are taken away with what lies in them. Answered by [`Told::Done`].
    #[n(0)]
    Register(#[n(0)] Vec<Queue>, #[n(1)] Vec<DeviceId>),
    /// Tell me what lies there after this arrival, at most so much, now and as it comes. Answered by [`Told::Listed`].
    #[n(1)]
    List(#[n(0)] u64, #[n(1)] u16),
    /// Give me these, one [`Told::Blob`] each, in this order.
    #[n(2)]
    Get(#[n(0)] Vec<u64>),
    /// I have these on disk, or want them no more. Answered by [`Told::Done`].
    #[n(3)]
    Acknowledge(#[n(0)] Vec<u64>),
    /// When something lies there and I am away: ring so, or (`None`) do not. Answered by [`Told::Done`].
    #[n(4)]
    Ring(#[n(0)] Option<Bell>),
}

/// How somebody may be rung: through a bridge that wakes, in that bridge's own words. Attack input.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Bell {
    /// The place whose bridge rings.
    #[n(0)]
    pub locator: Locator,
    /// Whom, in its own notation: 1–200 bytes.
    #[n(1)]
    pub target: String,
}

/// A queue, as its owner registers it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Queue {
    /// Its name.
    #[n(0)]
    pub id: QueueId,
    /// The key of what is put there.
    #[n(1)]
    pub key: Secret,
}

/// What a host answers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Told {
    /// It is on disk.
    #[n(0)]
    Done,
    /// What lies there, in the order of arrival; and whether there is more.
    #[n(1)]
    Listed(#[n(0)] Vec<Listed>, #[n(1)] bool),
    /// One that was asked for; `None` where it is gone.
    #[n(2)]
    Blob(#[n(0)] u64, #[cbor(n(1), with = "minicbor::bytes")] Option<Vec<u8>>),
}

/// What lies at a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Listed {
    /// Its number there.
    #[n(0)]
    pub arrival: u64,
    /// In which queue.
    #[n(1)]
    pub queue: QueueId,
    /// Of the blob.
    #[n(2)]
    pub hash: BlobHash,
    /// Of the blob, in bytes.
    #[n(3)]
    pub size: u32,
}

/// What a host gives a friend whom it lets have a mailbox here, over their link; `None`: not any more.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MailboxOffer {
    /// As the friend may name it in its card, but for the name.
    #[n(0)]
    pub host: Option<HostEntry>,
    /// How many bytes it keeps for this friend.
    #[n(1)]
    pub bytes: u64,
}

/// What a sender asks a friend to carry: the friend leaves it at the host, as a guest, when it can.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Carry {
    /// Where to.
    #[n(0)]
    pub host: HostEntry,
    /// What.
    #[n(1)]
    pub put: Put,
}
