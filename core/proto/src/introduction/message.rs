//! What is said over `wayside/introduce/1`.

use minicbor::data::Type;
use minicbor::{Decode, Decoder, Encode};

use super::IntroductionId;
use crate::codec::{self, Malformed};
use crate::crypto::keys::DeviceId;
use crate::identity::{Card, CardError};
use crate::message::CardBytes;
use crate::place::{Locator, is_deceptive};

/// What an introducer and somebody who is introduced say to each other. Each is answered with a [`Receipt`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is short-lived")]
pub enum Message {
    /// The introducer asks: do you want to meet this one?
    #[n(0)]
    Proposal {
        /// Which introduction.
        #[n(0)]
        id: IntroductionId,
        /// The other's card, without the places in it.
        #[n(1)]
        card: CardBytes,
        /// What the introducer has to say of it.
        #[n(2)]
        note: Option<Note>,
        /// How long it is open yet, in seconds.
        #[n(3)]
        lifetime: u32,
    },
    /// Whoever is asked consents. A refusal is never said.
    #[n(1)]
    Consent {
        /// Which introduction.
        #[n(0)]
        id: IntroductionId,
        /// Which places its bridges reach.
        #[n(1)]
        places: Places,
    },
    /// The introducer says that the other consented too.
    #[n(2)]
    Agreed {
        /// Which introduction.
        #[n(0)]
        id: IntroductionId,
        /// On which device.
        #[n(1)]
        device: DeviceId,
        /// Which places the other reaches.
        #[n(2)]
        places: Places,
        /// Whether the introducer lets both leave records at its place: what they do where they have no other in common.
        #[n(3)]
        hosted: bool,
    },
    /// The inviter hands this to the introducer, and the introducer to the other.
    #[n(3)]
    Invite {
        /// Which introduction.
        #[n(0)]
        id: IntroductionId,
        /// The inviter's device, which sealed it.
        #[n(1)]
        device: DeviceId,
        /// What [`seal`](super::seal) made.
        #[cbor(n(2), with = "minicbor::bytes")]
        sealed: Vec<u8>,
    },
}

impl Message {
    /// The longest encoding, in bytes: a proposal with the largest card and note.
    pub const MAX: usize = MOST_CARD + Note::MAX + 128;
    /// The longest sealed invite, in bytes.
    pub const MAX_SEALED: usize = crate::invite::Invite::MAX + 64;

    /// Which introduction it belongs to.
    pub const fn id(&self) -> IntroductionId {
        match self {
            Self::Proposal { id, .. }
            | Self::Consent { id, .. }
            | Self::Agreed { id, .. }
            | Self::Invite { id, .. } => *id,
        }
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The message of these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        codec::decode("a message of an introduction", bytes, Self::MAX)
    }
}

/// The longest card of a proposal, in bytes: a roster of 1,024 bytes, its signature, and eight devices.
const MOST_CARD: usize = 4096;

/// The same card without its devices' places: whoever is asked whether it wants to meet somebody needs to know who that is, and not where it leaves
/// records, nor the keys of its trays.
pub(super) fn without_places(card: &Card) -> Result<Card, CardError> {
    Card::new(card.signed_roster().clone(), Vec::new())
}

/// What the other side says of a message, once it is on its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Receipt {
    /// Whether it was taken. If not it is to be said again later: there is no room now.
    #[n(0)]
    pub taken: bool,
}

/// A few words of the introducer's: 1 to 1,000 bytes, and nothing in it that is not seen but line ends.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(transparent)]
pub struct Note(#[n(0)] String);

impl Note {
    /// The longest, in bytes.
    pub const MAX: usize = 1000;

    /// A note, or `None` where the text is none.
    pub fn new(text: String) -> Option<Self> {
        let fits = (1..=Self::MAX).contains(&text.len());
        let seen = !text.contains(|c: char| c != '\n' && is_deceptive(c));
        (fits && seen).then_some(Self(text))
    }

    /// What it says.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'b, C> Decode<'b, C> for Note {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.str()?.to_owned()).ok_or_else(|| minicbor::decode::Error::message("not a note"))
    }
}

/// Places that somebody reaches, at most eight of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode)]
#[cbor(transparent)]
pub struct Places(#[n(0)] Vec<Locator>);

impl Places {
    /// The most.
    pub const MOST: usize = 8;

    /// These places, each once; those beyond [`Places::MOST`] are left out.
    pub fn new(places: impl IntoIterator<Item = Locator>) -> Self {
        let mut kept: Vec<Locator> = Vec::new();
        for place in places {
            if kept.len() < Self::MOST && !kept.contains(&place) {
                kept.push(place);
            }
        }
        Self(kept)
    }

    /// They.
    pub fn iter(&self) -> impl Iterator<Item = &Locator> {
        self.0.iter()
    }

    /// Whether this is one of them.
    pub fn contains(&self, place: &Locator) -> bool {
        self.0.contains(place)
    }
}

impl<'b, C> Decode<'b, C> for Places {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let many = || minicbor::decode::Error::message("too many places");
        if d.datatype()? != Type::Array {
            return Err(many());
        }
        match d.array()? {
            Some(count) if count <= Self::MOST as u64 => {
                (0..count).map(|_| Locator::decode(d, ctx)).collect::<Result<_, _>>().map(Self)
            }
            _ => Err(many()),
        }
    }
}
