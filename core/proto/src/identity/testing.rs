#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

//! People to test with.

use rand_core::SeedableRng;

use super::{Card, DeviceEntry, Roster, Signed, Status};
use crate::crypto::Secret;
use crate::crypto::keys::{AccountKey, DeviceKeys};
use crate::place::{Locator, MeetingPoint, PlaceTag};
use crate::time::UnixMillis;

/// An account with devices, of which the first is the one that speaks.
pub(crate) struct Person {
    pub(crate) account: AccountKey,
    pub(crate) device: DeviceKeys,
    pub(crate) others: Vec<DeviceKeys>,
    pub(crate) points: Vec<MeetingPoint>,
    pub(crate) name: String,
    pub(crate) previous: Option<[u8; 32]>,
}

/// When cards to test with are signed.
pub(crate) const NOW: UnixMillis = UnixMillis(1_790_000_000_123);

impl Person {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(seed);
        let (account, device) = (AccountKey::generate(&mut rng), DeviceKeys::generate(&mut rng));
        Self {
            account,
            device,
            others: vec![],
            points: points(1, 40),
            name: "Anna Müller".into(),
            previous: None,
        }
    }

    pub(crate) fn with_devices(seed: u64, count: usize) -> Self {
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(seed + 1000);
        let others = (1..count).map(|_| DeviceKeys::generate(&mut rng)).collect();
        Self { others, ..Self::new(seed) }
    }

    pub(crate) fn devices(&self) -> impl Iterator<Item = &DeviceKeys> {
        std::iter::once(&self.device).chain(&self.others)
    }

    pub(crate) fn roster(&self, seq: u64) -> Roster {
        Roster {
            account: self.account.id(),
            seq,
            previous: self.previous,
            issued: NOW,
            expires: NOW.after(Roster::LIFETIME),
            name: self.name.clone(),
            devices: self.devices().map(|device| DeviceEntry::new(device, &self.account.id())).collect(),
        }
    }

    pub(crate) fn status(&self, device: &DeviceKeys, seq: u64) -> Signed<Status> {
        Status { device: device.public().id(), seq, issued: NOW, points: self.points.clone(), mailbox: None }
            .sign(device)
    }

    /// A card with roster and all statuses of these numbers.
    pub(crate) fn card_of(&self, roster: u64, status: u64) -> Card {
        let statuses = self.devices().map(|device| self.status(device, status)).collect();
        Card::new(self.roster(roster).sign(&self.account), statuses).unwrap()
    }

    pub(crate) fn card(&self) -> Card {
        self.card_of(1, 1)
    }
}

/// Meeting points with addresses of this many bytes, as a node makes them: one tray key for all.
pub(crate) fn points(count: usize, length: usize) -> Vec<MeetingPoint> {
    let point = |i: usize| MeetingPoint {
        locator: Locator::new("matrix", &format!("{i}{}", "a".repeat(length - 1))).unwrap(),
        tag: PlaceTag([i as u8 + 1; 8]),
        tray: Secret::new([9; 32]),
        one_writer: false,
    };
    (0..count).map(point).collect()
}
