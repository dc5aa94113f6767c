//! One-writer spaces: the record that says which slots in it are filled.
//!
//! A reader asks for this one alone and for a slot only when it is named, since asking for names that do not exist is what DNS and web caches
//! remember longest. It tells four bytes of each slot, thirty-two in all, the unused ones random: not how many there are, nor for whom.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::RngCore;

use super::Engine;
use super::io::{BridgeName, Found, Space};
use super::publications::{Draft, Purpose};
use crate::crypto::envelope::{self, Bucket};
use crate::meet::slot::{self, SlotId};
use crate::place::Locator;
use crate::time::Epoch;

/// Slots that an index names.
const ENTRIES: usize = 32;

type Prefixes = BTreeSet<[u8; 4]>;

/// What the indexes of friends' spaces said last.
#[derive(Debug, Default)]
pub(super) struct Indexes(BTreeMap<(BridgeName, Locator), BTreeMap<Epoch, Prefixes>>);

impl Indexes {
    /// Whether a slot may be asked for in a space: always in a shared place, in a friend's space when its index names it.
    pub(super) fn shows(&self, bridge: &BridgeName, space: &Space, id: &SlotId) -> bool {
        let Space::Of(locator) = space else { return true };
        let said = self.0.get(&(bridge.clone(), locator.clone()));
        said.is_some_and(|epochs| epochs.values().any(|prefixes| prefixes.contains(&prefix(*id))))
    }

    pub(super) fn forget_but(&mut self, window: &BTreeSet<Epoch>) {
        for epochs in self.0.values_mut() {
            epochs.retain(|epoch, _| window.contains(epoch));
        }
        self.0.retain(|_, epochs| !epochs.is_empty());
    }
}

impl Engine {
    /// Whether the record is a friend's index; if so it is taken in.
    pub(super) fn found_index(&mut self, bridge: &BridgeName, space: &Space, record: &Found) -> bool {
        let Space::Of(locator) = space else { return false };
        let spaces = self.friends_spaces(bridge);
        let tags = spaces.get(locator).into_iter().flatten();
        let window = self.epoch().watched();
        let found = tags.flat_map(|(tag, tray)| window.map(|epoch| (epoch, slot::index(tray, *tag, epoch))));
        let Some((epoch, slot)) = found.into_iter().find(|(_, slot)| slot.id == record.slot) else {
            return false;
        };
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
            if known.insert(epoch, prefixes.clone()) != Some(prefixes) {
                self.dirty(bridge);
            }
        }
        true
    }

    /// Says anew which slots of our own space are filled; takes the index away when none is.
    pub(super) fn publish_index(&mut self, bridge: &BridgeName) {
        let Some(place) =
            self.bridges.get(bridge).and_then(|bridge| self.places.get(&bridge.place?)).cloned()
        else {
            return;
        };
        let filled: Vec<[u8; 4]> = self
            .publications
            .live(bridge)
            .filter(|publication| !matches!(publication.purpose, Purpose::Index(_)))
            .map(|publication| prefix(publication.looked_for()))
            .take(ENTRIES)
            .collect();
        let ours = |purpose: &Purpose| *purpose == Purpose::Index(place.tag);
        if filled.is_empty() {
            return self.done(ours);
        }
        let mut payload: Vec<u8> = filled.concat();
        let mut padding = vec![0; (ENTRIES * 4).saturating_sub(payload.len())];
        self.rng.fill_bytes(&mut padding);
        payload.extend(padding);
        let index = slot::index(&place.tray, place.tag, self.epoch());
        let Some(message) = Bucket::Small.pad(&payload, 0) else { return };
        self.replace_index(bridge, place.tag);
        self.publish(Draft {
            bridge: bridge.clone(),
            slot: index.id,
            inner: None,
            bytes: envelope::seal(&index.siv, &message),
            purpose: Purpose::Index(place.tag),
        });
    }
}

fn prefix(id: SlotId) -> [u8; 4] {
    let [a, b, c, d, ..] = id.0;
    [a, b, c, d]
}
