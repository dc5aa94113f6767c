//! Doors: how a guest whom the host does not know meets it over the bridges. The host's side is [`host`], the guest's [`guest`].
//!
//! ```text
//!  guest                              the host's place                host
//!  knock ────────── NKpsk0, message 1 ────────────────────────>  knocked
//!    (one lies there all the time, made anew at a doubling pace)      │ expect
//!  found_opened <── message 2, in a slot that message 1 names ──────  ┘
//!    │ dial
//!    ╘════════ QUIC with Noise (NKpsk0), directly ═══════════════════>  link_up
//! ```
//!
//! Nothing of it is persisted but what lies at bridges: ephemeral keys are in memory, and after a restart all is made afresh.

mod guest;
mod host;

pub(super) use guest::Knocks;
pub(super) use host::Doors;

use super::io::{DoorSession, SessionId};
use super::{Engine, HostPoint, places};
use crate::crypto::envelope::Bucket;
use crate::crypto::{Secret, derive};
use crate::mailbox::wire::HostEntry;

/// The psk of a knock's handshake.
fn psk(door: &Secret) -> Secret {
    derive(door.expose(), "knock psk", &[])
}

/// The handshake's prologue.
const PROLOGUE: &[u8] = b"wayside door";
/// What its secret is called.
const MEETING: &str = "knock meeting";

/// What the finished handshake gives.
fn session(guest: [u8; 32], door: &Secret, meeting: &Secret) -> DoorSession {
    let both = zeroize::Zeroizing::new([&door.expose()[..], &meeting.expose()[..]].concat());
    DoorSession {
        id: SessionId(*derive(meeting.expose(), "knock session", &[]).expose()),
        guest,
        gate: derive(meeting.expose(), "knock gate", &[]),
        psk: derive(both.as_slice(), "knock link psk", &[]),
    }
}

impl Engine {
    /// Where guests may knock.
    pub(super) fn points_of_doors(&self) -> Vec<HostPoint> {
        let profile = |place: &places::Place| {
            let up = self.bridges.values().filter(|bridge| bridge.place == Some(place.tag));
            up.map(|bridge| &bridge.profile).min_by_key(|profile| (!profile.lists, profile.latency))
        };
        let serves = |place: &&places::Place| {
            let fits = profile(place).is_none_or(|profile| profile.max_record >= Bucket::Small.record());
            !place.one_writer && fits && self.is_place_used(place)
        };
        let mut places: Vec<_> = self.places.values().filter(serves).collect();
        places.sort_by_key(|place| {
            let known = profile(place).map(|profile| (!profile.lists, profile.latency));
            (known.is_none(), known)
        });
        let points = places
            .into_iter()
            .filter_map(|place| Some(HostPoint { locator: place.locators.first()?.clone(), tag: place.tag }));
        points.take(HostEntry::MOST_POINTS).collect()
    }
}
