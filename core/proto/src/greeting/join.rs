//! The join that a reply to a greeting carries. There is no message 2: what both derive from, the joiner draws.

use minicbor::{Decode, Encode};

use crate::codec::{self, Malformed};
use crate::crypto::noise::Pattern;
use crate::crypto::{Secret, derive};
use crate::message::Join;

/// What the message in a reply says: who answers, how it is reached, and what the pair secret follows from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CarriedJoin {
    /// As in a join that lies in a slot, but for its length: the card names all the places of its device.
    #[n(0)]
    pub join: Join,
    /// Drawn by the joiner for this message alone.
    #[n(1)]
    pub seed: Secret,
}

impl CarriedJoin {
    /// The longest encoding, in bytes.
    pub const MAX: usize = 6144;
    /// The longest message 1 with it, in bytes.
    pub const MAX_MESSAGE: usize = Self::MAX + Pattern::Contact.overhead1();

    /// Its bytes; `None` where they are too many.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        Some(codec::encode(self)).filter(|bytes| bytes.len() <= Self::MAX)
    }

    /// The payload of these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        codec::decode("a carried join", bytes, Self::MAX)
    }

    /// `K_0`, once its message's `h1` is known.
    pub fn pair_secret(&self, h1: &[u8; 32]) -> Secret {
        derive(self.seed.expose(), "carried pair", &[h1])
    }

    /// `M`.
    pub fn meeting_secret(&self, h1: &[u8; 32]) -> Secret {
        derive(self.seed.expose(), "carried meeting", &[h1])
    }
}
