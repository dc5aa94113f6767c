//! One-writer spaces: the record that says which slots in it are filled.
//!
//! A reader asks for this one alone and for a slot only when it is named, since asking for names that do not exist is what DNS and web caches
//! remember longest. It tells four bytes of each slot, thirty-two in all, the unused ones random: not how many there are, nor for whom.
//!
//! Friends have the key of one index from the card. Somebody who has no card yet has the invite: what lies there for a first contact has an index of its
//! own, which follows from that.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::RngCore;

use super::Engine;
use super::io::{BridgeName, Found, Space};
use super::publications::{Draft, Purpose};
use crate::crypto::envelope::{self, Bucket};
use crate::meet::slot::{self, Slot, SlotId};
use crate::place::Locator;
use crate::time::Epoch;

/// Slots that an index names.
const ENTRIES: usize = 32;

type Prefixes = BTreeSet<[u8; 4]>;

/// What the indexes of others' spaces said last, each by the slot that it lies in.
#[derive(Debug, Default)]
pub(super) struct Indexes(BTreeMap<(BridgeName, Locator), BTreeMap<(Epoch, SlotId), Prefixes>>);

/// For whom an index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum IndexFor {
    Friends,
    /// Whoever the first contact by this invite is with, by the invite's one-time key.
    Contact([u8; 32]),
}

impl IndexFor {
    /// Whoever looks for a record of this purpose; `None` for an index itself.
    pub(super) const fn of(purpose: &Purpose) -> Option<Self> {
        match purpose {
            Purpose::Index(_) | Purpose::ContactIndex(_) => None,
            Purpose::Join(key) | Purpose::Welcome(key, _) | Purpose::Refusal(key) => {
                Some(Self::Contact(*key))
            }
            _ => Some(Self::Friends),
        }
    }
}

impl Indexes {
    /// Whether a slot may be asked for in a space: always in a shared place, in a friend's space when its index names it.
    pub(super) fn shows(&self, bridge: &BridgeName, space: &Space, id: &SlotId) -> bool {
        let Space::Of(locator) = space else { return true };
        let said = self.0.get(&(bridge.clone(), locator.clone()));
        said.is_some_and(|epochs| epochs.values().any(|prefixes| prefixes.contains(&prefix(*id))))
    }

    pub(super) fn forget_but(&mut self, window: &BTreeSet<Epoch>) {
        for epochs in self.0.values_mut() {
            epochs.retain(|(epoch, _), _| window.contains(epoch));
        }
        self.0.retain(|_, epochs| !epochs.is_empty());
    }
}

impl Engine {
    /// Whether the record is the index of a friend's space, or of one that a first contact goes by; if so it is taken in.
    pub(super) fn found_index(&mut self, bridge: &BridgeName, space: &Space, record: &Found) -> bool {
        let Space::Of(locator) = space else { return false };
        let spaces = self.friends_spaces(bridge);
        let tags = spaces.get(locator).into_iter().flatten();
        let window = self.epoch().watched();
        let mut found =
            tags.flat_map(|(tag, tray)| window.map(|epoch| (epoch, slot::index(tray, *tag, epoch))));
        let of_friend = found.find(|(_, slot)| slot.id == record.slot);
        let of_contact = || {
            let mut indexes = self.contact_indexes(bridge).into_iter();
            let here = |(space, _, slot): &(Locator, Epoch, Slot)| space == locator && slot.id == record.slot;
            indexes.find(here).map(|(_, epoch, slot)| (epoch, slot))
        };
        let Some((epoch, slot)) = of_friend.or_else(of_contact) else { return false };
        let message = envelope::open(&slot.siv, &record.bytes);
        let prefixes = message.as_deref().and_then(envelope::unpad).map(|payload| {
            payload
                .chunks_exact(4)
                .take(ENTRIES)
                .filter_map(|chunk| chunk.try_into().ok())
                .collect::<Prefixes>()
        });
        if let Some(prefixes) = prefixes {
            let key = (bridge.clone(), locator.clone());
            let known = self.watch.indexes.0.entry(key).or_default();
            if known.insert((epoch, record.slot), prefixes.clone()) != Some(prefixes) {
                self.dirty(bridge);
            }
        }
        true
    }

    /// Says anew which slots of our own space are filled for these readers; takes the index away when none is.
    pub(super) fn publish_index(&mut self, bridge: &BridgeName, readers: IndexFor) {
        let Some(place) =
            self.bridges.get(bridge).and_then(|bridge| self.places.get(&bridge.place?)).cloned()
        else {
            return;
        };
        let filled: Vec<[u8; 4]> = self
            .publications
            .live(bridge)
            .filter(|publication| IndexFor::of(&publication.purpose) == Some(readers))
            .map(|publication| prefix(publication.looked_for()))
            .take(ENTRIES)
            .collect();
        let (purpose, index) = match readers {
            IndexFor::Friends => {
                (Purpose::Index(place.tag), Some(slot::index(&place.tray, place.tag, self.epoch())))
            }
            IndexFor::Contact(key) => (Purpose::ContactIndex(key), self.own_contact_index(&key, bridge)),
        };
        let Some(index) = index.filter(|_| !filled.is_empty()) else {
            return self.done_at(bridge, |other| *other == purpose);
        };
        let mut payload: Vec<u8> = filled.concat();
        let mut padding = vec![0; (ENTRIES * 4).saturating_sub(payload.len())];
        self.rng.fill_bytes(&mut padding);
        payload.extend(padding);
        let Some(message) = Bucket::Small.pad(&payload, 0) else { return };
        self.replace_index(bridge, purpose, index.id);
        self.publish(Draft {
            bridge: bridge.clone(),
            slot: index.id,
            inner: None,
            bytes: envelope::seal(&index.siv, &message),
            purpose,
        });
    }
}

fn prefix(id: SlotId) -> [u8; 4] {
    let [a, b, c, d, ..] = id.0;
    [a, b, c, d]
}
