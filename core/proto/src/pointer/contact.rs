//! What a knock by a pointer is keyed by, and where its records lie.
//!
//! All of it follows from what a pointer keeps for as long as it lasts: its account, its key and its public bytes. So a renewed one, with another number, end
//! or places, still answers whoever knocked by the copy before it.

use super::Pointer;
use crate::crypto::{Secret, derive, sha256};
use crate::meet::slot::{self, Slot};
use crate::place::{Locator, PlaceTag};
use crate::time::Epoch;

impl Pointer {
    /// Lanes in which a knock may be left: many may come, and are not to be in each other's way.
    pub const LANES: u8 = 8;

    /// The handshake's prologue: whose it is, and which.
    pub fn prologue(&self) -> [u8; 32] {
        sha256(&[b"wayside/1 pointer", &self.account.0, &self.claims.key, &self.claims.public])
    }

    /// The handshake's psk. No secret: it takes in who knows the pointer at all.
    pub fn psk(&self) -> Secret {
        derive(&self.claims.public, "public psk", &[])
    }

    /// What stands for a place's tag: it follows from how the pointer writes the place, so that two copies with other places, or in another order, agree.
    pub fn tag(point: &Locator) -> PlaceTag {
        PlaceTag::of_space(point)
    }

    /// Where a knock is left, by place, day and lane, the lane below [`Self::LANES`].
    pub fn knock_slot(&self, tag: PlaceTag, day: Epoch, lane: u8) -> Slot {
        slot::public_join(&self.claims.public, tag, day, lane)
    }

    /// Where the welcome to the knock with handshake hash `h1` lies, by place.
    pub fn welcome_slot(&self, tag: PlaceTag, h1: &[u8; 32]) -> Slot {
        slot::public_welcome(&self.claims.public, tag, h1)
    }
}
