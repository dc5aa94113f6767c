//! Where guests knock: the slots of our doors, in every place of ours that several write in.

use std::collections::{BTreeMap, BTreeSet};

use super::super::io::{BridgeName, Found, Space};
use super::{Arrival, Engine, watched};
use crate::crypto::envelope;
use crate::meet::slot::{self, SlotId};
use crate::place::PlaceTag;
use crate::time::Epoch;

/// The most records that are taken from one of a door's slots, counted after they opened. Many guests share it; with lanes and days it bounds what somebody
/// who holds the door's secret can make us compute.
const MOST_OF_SLOT: usize = 32;

/// A slot in which guests knock.
#[derive(Clone, Copy, Debug)]
struct KnockSlot {
    /// The door's public key.
    door: [u8; 32],
    tag: PlaceTag,
    epoch: Epoch,
    lane: u8,
}

#[derive(Debug, Default)]
pub(super) struct KnockSlots {
    slots: BTreeMap<SlotId, KnockSlot>,
    by_tag: BTreeMap<PlaceTag, BTreeSet<SlotId>>,
}

impl KnockSlots {
    pub(super) fn at(&self, tag: PlaceTag) -> impl Iterator<Item = SlotId> {
        self.by_tag.get(&tag).into_iter().flatten().copied()
    }
}

impl Engine {
    /// Doors, days or places changed: what came is derived, what went is forgotten.
    pub(in crate::engine) fn rewatch_doors(&mut self) {
        let window = watched(self.epoch());
        let tags = self.watch.tags.clone();
        let known: BTreeSet<_> =
            self.watch.knocks.slots.values().map(|it| (it.door, it.tag, it.epoch)).collect();
        let wanted: BTreeSet<_> = self
            .doors
            .keys()
            .flat_map(|door| tags.iter().map(move |tag| (*door, *tag)))
            .flat_map(|(door, tag)| window.iter().map(move |epoch| (door, tag, *epoch)))
            .collect();
        if known == wanted {
            return;
        }
        self.watch.knocks.slots.retain(|id, it| {
            let stays = wanted.contains(&(it.door, it.tag, it.epoch));
            if !stays {
                self.watch.opened.remove(id);
                if let Some(of_tag) = self.watch.knocks.by_tag.get_mut(&it.tag) {
                    of_tag.remove(id);
                }
            }
            stays
        });
        for (door, tag, epoch) in wanted.difference(&known).copied() {
            let Some(secret) = self.doors.secret(&door) else { continue };
            for lane in 0..slot::KNOCKS {
                let id = slot::knock(secret, tag, epoch, lane).id;
                self.watch.knocks.slots.insert(id, KnockSlot { door, tag, epoch, lane });
                self.watch.knocks.by_tag.entry(tag).or_default().insert(id);
            }
        }
        self.all_dirty();
    }

    /// Whether the record lies where guests knock; if so it is taken in.
    pub(super) fn found_knock(&mut self, bridge: &BridgeName, space: &Space, record: &Found) -> bool {
        let Some(found) = self.watch.knocks.slots.get(&record.slot).copied() else { return false };
        if *space != Space::Own || !self.is_place(bridge, found.tag) {
            return true;
        }
        let Some(secret) = self.doors.secret(&found.door) else { return true };
        let siv = slot::knock(secret, found.tag, found.epoch, found.lane).siv;
        let open = |bytes: &[u8]| envelope::open(&siv, bytes);
        if let Some(message) = self.open_once(record.slot, &record.bytes, MOST_OF_SLOT, open) {
            let arrival = Arrival { bridge: bridge.clone(), space: Space::Own, tag: found.tag };
            self.knocked(&found.door, &arrival, &message);
        }
        true
    }
}
