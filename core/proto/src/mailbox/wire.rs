//! What goes between sender, host and recipient. Frames are CBOR behind a length, as over every stream.
//!
//! Each part keeps its bounds by its own decoder, so that nobody who reads one can forget them.

use minicbor::{Decode, Encode};

use super::bounds;
use super::prekeys::PUBLISHED;
use crate::codec::{self, Malformed};
use crate::crypto::keys::DeviceId;
use crate::crypto::{Secret, derive};
use crate::identity::Roster;
use crate::place::{Candidates, Locator, PlaceTag, is_deceptive};

/// The longest blob, in bytes: a chunk of an attachment with what stands around it, padded.
pub const MAX_BLOB: usize = 80 * 1024;
/// The longest that anything is kept, in seconds: 30 days.
pub const MAX_LIFETIME: u32 = 30 * 86_400;

/// What is written to a stream in one piece.
pub trait Frame: Encode<()> + for<'b> Decode<'b, ()> {
    /// What it is called in errors.
    const NAME: &'static str;
    /// The longest encoding, in bytes: a longer frame is refused by its length.
    const MAX: usize;

    /// Its bytes.
    fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The frame of these bytes.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        codec::decode(Self::NAME, bytes, Self::MAX)
    }
}

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
    /// What the recipient calls the host, a hint for people: at most 64 bytes, nothing that is not seen. Empty in a [`MailboxOffer`], and in a card where it is the [recipient itself](Self::is_itself).
    #[cbor(n(2), decode_with = "bounds::host_name")]
    pub name: String,
    /// Where guests' offers are looked for, at most [`HostEntry::MOST_POINTS`].
    #[cbor(n(3), decode_with = "bounds::points")]
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
    /// X25519 keys, one a week, at most [`PUBLISHED`].
    #[cbor(n(1), decode_with = "bounds::prekeys")]
    pub prekeys: Vec<Key>,
    /// Who keeps its mail, the preferred first, at most [`HostEntry::MOST`].
    #[cbor(n(2), decode_with = "bounds::hosts")]
    pub hosts: Vec<HostEntry>,
}

impl MailboxCard {
    /// What its parts cannot know of themselves.
    pub(crate) fn check(&self) -> Result<(), Malformed> {
        codec::at_most("a device's prekeys", self.prekeys.len(), PUBLISHED)?;
        codec::at_most("a device's hosts", self.hosts.len(), HostEntry::MOST)?;
        if self.first.checked_add(PUBLISHED as u32).is_none() {
            return Err(Malformed::new("a device's prekeys", "their numbers are too great"));
        }
        if self.hosts.iter().any(|host| !host.is_itself() && !Roster::is_name(&host.name)) {
            return Err(Malformed::new("a host's name", "nobody may be called so"));
        }
        Ok(())
    }
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

    /// Whether what a card names is the device's own door: couriers come in by it, and what they bring is there for good.
    #[must_use]
    pub const fn is_itself(&self) -> bool {
        self.name.is_empty()
    }
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
    #[cbor(n(2), decode_with = "bounds::weeks")]
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

impl Frame for Access {
    const NAME: &'static str = "what it takes to write to somebody";
    const MAX: usize = 1024;
}

impl Access {
    /// The most weeks.
    pub const MOST: usize = PUBLISHED;

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
    #[cbor(n(2), decode_with = "bounds::lifetime")]
    pub lifetime: u32,
    /// HMAC-SHA256 under the queue's key over all before.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub mac: [u8; 32],
    /// What is kept, at most [`MAX_BLOB`] bytes.
    #[cbor(n(4), encode_with = "minicbor::bytes::encode", decode_with = "bounds::blob")]
    pub blob: Vec<u8>,
}

impl Frame for Put {
    const NAME: &'static str = "a deposit";
    const MAX: usize = MAX_BLOB + 256;
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
    /// Only to a [`Carry`]: there is nothing to carry, since the host is here. It is stored, and counts as a copy there.
    #[n(4)]
    Here,
}

impl Frame for Answer {
    const NAME: &'static str = "the answer to a deposit";
    const MAX: usize = 16;
}

/// What a recipient says to its host, over their friends' link.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Ask {
    /// These are all my queues from now on, and all my devices: others are taken away with what lies in them; at most [`Ask::MOST_QUEUES`] and [`Ask::MOST_DEVICES`]. Answered by [`Told::Done`].
    #[n(0)]
    Register(
        #[cbor(n(0), decode_with = "bounds::queues")] Vec<Queue>,
        #[cbor(n(1), decode_with = "bounds::devices")] Vec<DeviceId>,
    ),
    /// Tell me what lies there after this arrival, at most so much and no more than [`Told::MOST_LISTED`], now and as it comes. Answered by [`Told::Listed`].
    #[n(1)]
    List(#[n(0)] u64, #[n(1)] u16),
    /// Give me these, at most [`Ask::MOST_ARRIVALS`], one [`Told::Blob`] each, in this order.
    #[n(2)]
    Get(#[cbor(n(0), decode_with = "bounds::arrivals")] Vec<u64>),
    /// I have these on disk, or want them no more; at most [`Ask::MOST_ARRIVALS`]. Answered by [`Told::Done`].
    #[n(3)]
    Acknowledge(#[cbor(n(0), decode_with = "bounds::arrivals")] Vec<u64>),
    /// When something lies there and I am away: ring so, or (`None`) do not. Answered by [`Told::Done`].
    #[n(4)]
    Ring(#[n(0)] Option<Bell>),
}

impl Ask {
    /// The most queues of a recipient at a host.
    pub const MOST_QUEUES: usize = 4096;
    /// The most devices of a recipient.
    pub const MOST_DEVICES: usize = Roster::MOST;
    /// The most that is asked for, or acknowledged, at once.
    pub const MOST_ARRIVALS: usize = 4096;
}

impl Frame for Ask {
    const NAME: &'static str = "a request to a mailbox";
    const MAX: usize = 256 * 1024;
}

/// How somebody may be rung: through a bridge that wakes, in that bridge's own words. Attack input.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Bell {
    /// The place whose bridge rings.
    #[n(0)]
    pub locator: Locator,
    /// Whom, in its own notation: 1–200 bytes, nothing that is not seen, no `-` at the beginning.
    #[cbor(n(1), decode_with = "bounds::target")]
    pub target: String,
}

impl Bell {
    /// The longest target, in bytes.
    pub const MAX_TARGET: usize = 200;

    /// Whether this may be a target.
    pub fn is_target(target: &str) -> bool {
        (1..=Self::MAX_TARGET).contains(&target.len())
            && !target.starts_with('-')
            && !target.contains(is_deceptive)
    }
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
    /// What lies there, in the order of arrival, at most [`Told::MOST_LISTED`]; and whether there is more.
    #[n(1)]
    Listed(#[cbor(n(0), decode_with = "bounds::listed")] Vec<Listed>, #[n(1)] bool),
    /// One that was asked for, at most [`MAX_BLOB`] bytes; `None` where it is gone.
    #[n(2)]
    Blob(#[n(0)] u64, #[cbor(n(1), with = "bounds::blob_or_none", has_nil)] Option<Vec<u8>>),
}

impl Told {
    /// The most that is listed at once.
    pub const MOST_LISTED: usize = 1024;
}

impl Frame for Told {
    const NAME: &'static str = "a mailbox's word";
    const MAX: usize = MAX_BLOB + 1024;
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

impl Frame for MailboxOffer {
    const NAME: &'static str = "the offer of a mailbox";
    const MAX: usize = 2048;
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

impl Frame for Carry {
    const NAME: &'static str = "a deposit to carry";
    const MAX: usize = MAX_BLOB + 4096;
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
