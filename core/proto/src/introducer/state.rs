//! What the introducer of a room remembers, and how it is written down.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use minicbor::{Decode, Decoder, Encode, Encoder};

use super::Person;
use super::bucket::Bucket;
use super::telling::Entry;
use crate::codec::{self, Malformed};
use crate::crypto::sha256;
use crate::pointer::Pointer;
use crate::time::UnixMillis;

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct State {
    /// Who we are in the room.
    #[n(0)]
    pub(super) own: Person,
    #[n(1)]
    pub(super) members: BTreeMap<Person, Member>,
    /// By who asked, and whom.
    #[n(2)]
    pub(super) pairs: BTreeMap<(Person, Person), Pair>,
    /// Who was asked by whom lately, as [`mark`]s: it outlives that one of them leaves, and names nobody.
    #[n(3)]
    pub(super) lately: BTreeMap<Mark, Lately>,
    /// How much whom has asked for; likewise.
    #[n(4)]
    pub(super) usage: BTreeMap<Mark, Usage>,
    /// Whom moderators do not want on the list.
    #[n(5)]
    pub(super) shut: BTreeSet<Person>,
    #[n(6)]
    pub(super) paused: bool,
    /// Messages that were acted on, the latest last.
    #[n(7)]
    pub(super) seen: VecDeque<Mark>,
    #[n(8)]
    pub(super) unsaid: VecDeque<Entry>,
    /// Of the next entry.
    #[n(9)]
    pub(super) number: u64,
}

/// Somebody on the list.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Member {
    #[n(0)]
    pub(super) card: CardOf,
    #[n(1)]
    pub(super) quiet: bool,
}

/// A card as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CardOf(pub(super) Pointer);

/// Two of whom one has asked for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Pair {
    #[n(0)]
    pub(super) answer: Answer,
    #[n(1)]
    pub(super) until: UnixMillis,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(super) enum Answer {
    /// Nothing yet.
    #[n(0)]
    None,
    /// No, of which who asked is not told.
    #[n(1)]
    No,
    /// Both said yes.
    #[n(2)]
    Yes,
}

/// That somebody was asked for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Lately {
    #[n(0)]
    pub(super) until: UnixMillis,
    #[n(1)]
    pub(super) no_until: UnixMillis,
}

/// How much somebody has asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Usage {
    #[n(0)]
    pub(super) requests: Bucket,
    #[n(1)]
    pub(super) meets: Bucket,
    /// Whether they were told that those are too many.
    #[n(2)]
    pub(super) told: bool,
    #[n(3)]
    pub(super) told_of_meets: bool,
}

/// Stands for a name or two, or for a message, where no more is needed than to know it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Mark(#[cbor(n(0), with = "minicbor::bytes")] [u8; 12]);

pub(super) fn mark(of: &[&str]) -> Mark {
    let lengths: Vec<u8> = of.iter().flat_map(|part| (part.len() as u64).to_be_bytes()).collect();
    let parts = of.iter().map(|part| part.as_bytes());
    let hash = sha256(&[&[b"wayside/1 room".as_slice(), &lengths], &*parts.collect::<Vec<_>>()].concat());
    Mark(std::array::from_fn(|i| hash.get(i).copied().unwrap_or_default()))
}

/// Why a state is not gone on with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreRoomError {
    /// A later version's.
    #[error("it was written by a later version of wayside: update this one")]
    Later,
    /// It is no state, or not all of one.
    #[error("it is damaged ({0}): put a copy of it back, or take it away to begin with an empty list")]
    Damaged(Malformed),
    /// Another bot's.
    #[error("it is the state of {0}: give each bot a folder of its own")]
    Another(Person),
}

const VERSION: u8 = 1;
const WHAT: &str = "the state of a room's bot";

impl State {
    /// The largest, in bytes.
    pub(super) const MAX: usize = 32 << 20;

    pub(super) fn new(own: Person) -> Self {
        Self {
            own,
            members: BTreeMap::new(),
            pairs: BTreeMap::new(),
            lately: BTreeMap::new(),
            usage: BTreeMap::new(),
            shut: BTreeSet::new(),
            paused: false,
            seen: VecDeque::new(),
            unsaid: VecDeque::new(),
            number: 0,
        }
    }

    /// A version byte, a hash of what follows, and CBOR.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let body = codec::encode(self);
        [&[VERSION], sha256(&[&body]).as_slice(), &body].concat()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, RestoreRoomError> {
        let damaged = |why| RestoreRoomError::Damaged(Malformed::new(WHAT, why));
        let (version, rest) = bytes.split_first().ok_or(damaged("it is empty"))?;
        if *version > VERSION {
            return Err(RestoreRoomError::Later);
        }
        let (hash, body) = rest.split_at_checked(32).ok_or(damaged("it is cut short"))?;
        if *version != VERSION || sha256(&[body]) != hash {
            return Err(damaged("it is not as it was written"));
        }
        codec::decode(WHAT, body, Self::MAX).map_err(RestoreRoomError::Damaged)
    }
}

impl<C> Encode<C> for CardOf {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0.to_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for CardOf {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Pointer::read(d.bytes()?).map(Self).map_err(|_| codec::wrong(WHAT, "a card in it is none"))
    }
}
