//! Spoken codes: our own are called out and answered for in [`own`], those that somebody said to us are followed in [`followed`].
//!
//! All of it is in memory only, so that a restart ends a code. What it leads to is an invite, and kept as any.

mod followed;
mod own;

use std::collections::BTreeMap;
use std::time::Duration;

pub use followed::FollowState;
pub use own::{CodeOptions, OwnCodeState, SpokenCode};

use super::Engine;
use super::publications::{Draft, Purpose};
use crate::code::exchange::Call;
use crate::crypto::envelope::{self, Bucket};
use crate::meet::slot::Slot;
use crate::place::{Locator, PlaceTag};

/// Codes of ours, and of others, at once.
const MOST: usize = 16;

/// The codes that are under way.
#[derive(Debug, Default)]
pub(super) struct Codes {
    /// By the one-time key of the invite that each leads to.
    own: BTreeMap<[u8; 32], own::OwnCode>,
    followed: BTreeMap<u64, followed::Followed>,
}

impl Engine {
    /// A bridge came up, or the day changed.
    pub(super) fn rewatch_codes(&mut self) {
        for id in self.codes.own.keys().copied().collect::<Vec<_>>() {
            self.rewatch_code(&id);
        }
        for id in self.codes.followed.keys().copied().collect::<Vec<_>>() {
            self.rewatch_followed(id);
        }
    }

    pub(super) fn run_codes(&mut self) {
        self.run_own_codes();
        self.run_followed_codes();
    }

    pub(super) fn next_code_due(&self) -> Option<Duration> {
        let own = self.codes.own.values().map(|own| own.until);
        own.chain(self.codes.followed.values().map(|followed| followed.until)).min()
    }

    /// Leaves a record in this place, if a bridge reaches it.
    fn leave_for_code(&mut self, place: &Locator, slot: &Slot, payload: &[u8], purpose: Purpose) {
        let Some(bridge) = self.bridge_at(place) else { return };
        let padded = Bucket::holding(payload.len(), 0).and_then(|bucket| bucket.pad(payload, 0));
        if let Some(message) = padded {
            let bytes = envelope::seal(&slot.siv, &message);
            self.publish(Draft { bridge, slot: slot.id, inner: None, bytes, purpose });
        }
    }
}

/// Where a call leads, each with what stands for its tag.
fn spaces(call: &Call) -> impl Iterator<Item = (PlaceTag, &Locator)> {
    call.points.iter().map(|point| (PlaceTag::of_space(point), point))
}
