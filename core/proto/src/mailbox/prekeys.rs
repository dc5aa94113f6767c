//! The recipient's keys of the week: eight published ahead, each destroyed some time after its week.
//!
//! One seed a week gives the week's X25519 key and the psk of every pair; with the seed both are gone, for all pairs at once.

use super::Age;
use super::wire::{Access, Key, WeekPsk};
use crate::crypto::keys::{AccountId, NoiseKey};
use crate::crypto::{Secret, derive};

/// How long a prekey is the one to seal to, in seconds.
pub const WEEK: u64 = 7 * 86_400;
/// How many are published: the present one and those after it.
pub const PUBLISHED: usize = 8;
/// How long after its week a seed is kept, in seconds: as long as anything sealed to it may be kept, and a week for clocks that are wrong.
pub const RETENTION: u64 = super::wire::MAX_LIFETIME as u64 + WEEK;

/// One week's seed.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Week {
    /// Counts up by one a week.
    #[n(0)]
    pub id: u32,
    /// What everything of this week is derived from.
    #[n(1)]
    pub seed: Secret,
    /// When its week begins, by this device's age.
    #[n(2)]
    pub begins: Age,
}

/// All seeds that there are, in the order of their numbers without a gap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prekeys(Vec<Week>);

/// What changed: these are to be destroyed so that nothing of them is left, and these to be kept, in this order, before anything of them is published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Numbers of seeds that are over.
    pub destroy: Vec<u32>,
    /// New ones.
    pub keep: Vec<Week>,
}

impl Prekeys {
    /// With what was kept.
    pub fn new(weeks: Vec<Week>) -> Self {
        let _ = weeks;
        unimplemented!()
    }

    /// Draws what is missing of the eight, and ends what is over.
    pub fn rotate(&mut self, now: Age, draw: impl FnMut() -> Secret) -> Rotation {
        let _ = (now, draw);
        unimplemented!()
    }

    /// The public keys of this week and the next seven, for the card: the number of the first, and the keys.
    pub fn published(&self, now: Age) -> (u32, Vec<[u8; 32]>) {
        let _ = now;
        unimplemented!()
    }

    /// The psks of the same weeks for one friend.
    pub fn psks(&self, now: Age, friend: &AccountId) -> Vec<WeekPsk> {
        let _ = (now, friend);
        unimplemented!()
    }

    /// A week's key and the psk of a friend in it; `None` where it is destroyed or not there yet.
    pub fn open_with(&self, id: u32, friend: &AccountId) -> Option<(NoiseKey, Secret)> {
        let _ = (id, friend);
        unimplemented!()
    }
}

/// What a friend's prekeys are to a sender: which of them to seal to.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Target {
    /// What the friend gave this account.
    #[n(0)]
    pub access: Access,
    /// The keys of its card, from this number on.
    #[n(1)]
    pub first: u32,
    /// The keys.
    #[cbor(n(2))]
    pub keys: Vec<Key>,
    /// When they were read first, by our age.
    #[n(3)]
    pub read: Age,
    /// When they were signed, by the friend's clock.
    #[n(4)]
    pub issued: crate::time::UnixMillis,
}

impl Target {
    /// Which prekey to seal to now, with its psk: as many weeks after the first as have passed since it was read or signed, whichever is more, and no more than there are.
    pub fn current(&self, now: Age, wall: crate::time::UnixMillis) -> Option<(u32, [u8; 32], &Secret)> {
        let _ = (now, wall, derive::<32>);
        unimplemented!()
    }
}
