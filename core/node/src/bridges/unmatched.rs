//! Records that were found before anybody asked for them.
//!
//! A place that can be listed is listed once; after that only news arrives. What the engine begins to watch later may have been
//! in the list already, so the rest of it is remembered for a while, within bounds that a room full of junk cannot stretch.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use wayside_bridge::{Key, Record};
use wayside_proto::engine::Found;
use wayside_proto::meet::slot::SlotId;

/// The most records remembered.
const MOST: usize = 2048;
/// The largest record remembered, in bytes: no record of a meeting is larger.
const LARGEST: usize = 960;

/// Records that nobody asked for yet, the oldest forgotten first.
#[derive(Debug, Default)]
pub(super) struct Unmatched {
    by_slot: BTreeMap<SlotId, Vec<Vec<u8>>>,
    order: VecDeque<SlotId>,
    forgot: bool,
}

impl Unmatched {
    /// The most records under one slot: whoever floods one slot pushes out nothing else.
    const MOST_PER_SLOT: usize = 8;

    /// Splits what was found into what is wanted, which is returned, and the rest, which is remembered.
    pub(super) fn sift(&mut self, records: Vec<Record>, wanted: &BTreeSet<SlotId>) -> Vec<Found> {
        let mut found = Vec::new();
        for record in records {
            let Key::Slot(slot) = record.key else { continue };
            let slot = SlotId(slot.0);
            if wanted.contains(&slot) {
                found.push(Found { slot, bytes: record.bytes.to_vec() });
            } else if record.bytes.len() <= LARGEST {
                self.remember(slot, record.bytes.to_vec());
            }
        }
        found
    }

    /// What is remembered of slots that are wanted from now on.
    pub(super) fn take(&mut self, wanted: &BTreeSet<SlotId>) -> Vec<Found> {
        let slots: Vec<SlotId> = self.by_slot.keys().filter(|slot| wanted.contains(slot)).copied().collect();
        let taken = slots.into_iter().flat_map(|slot| {
            let records = self.by_slot.remove(&slot).unwrap_or_default();
            records.into_iter().map(move |bytes| Found { slot, bytes })
        });
        taken.collect()
    }

    /// Whether something was forgotten since this was last asked: then the place must be listed anew for slots that are new.
    pub(super) fn forgot(&mut self) -> bool {
        std::mem::take(&mut self.forgot)
    }

    fn remember(&mut self, slot: SlotId, bytes: Vec<u8>) {
        let records = self.by_slot.entry(slot).or_default();
        if records.contains(&bytes) {
            return;
        }
        if records.len() >= Self::MOST_PER_SLOT {
            self.forgot = true;
            return;
        }
        records.push(bytes);
        self.order.push_back(slot);
        while self.order.len() > MOST {
            self.forgot = true;
            if let Some(oldest) = self.order.pop_front() {
                self.by_slot.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use wayside_bridge::{Class, Slot, Timestamp};

    use super::*;

    fn record(slot: u16, byte: u8) -> Record {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&slot.to_be_bytes());
        Record::new(Key::Slot(Slot(id)), Class::Meeting, Timestamp::from_secs(0), vec![byte; 4])
    }

    fn slot(slot: u16) -> SlotId {
        let Key::Slot(Slot(id)) = record(slot, 0).key else { unreachable!() };
        SlotId(id)
    }

    #[test]
    fn what_is_asked_for_later_is_there() {
        let mut unmatched = Unmatched::default();
        let found = unmatched.sift(vec![record(1, 1), record(2, 2)], &BTreeSet::from([slot(1)]));
        assert_eq!(found.len(), 1);
        let later = unmatched.take(&BTreeSet::from([slot(1), slot(2)]));
        assert_eq!(later, vec![Found { slot: slot(2), bytes: vec![2; 4] }]);
        assert!(unmatched.take(&BTreeSet::from([slot(2)])).is_empty());
        assert!(!unmatched.forgot());
    }

    #[test]
    fn a_flood_costs_bounded_memory_and_is_admitted() {
        let mut unmatched = Unmatched::default();
        let flood = (0..10_000).map(|i| record(i, 0)).chain((0..10_000).map(|i| record(7, i as u8)));
        assert!(unmatched.sift(flood.collect(), &BTreeSet::new()).is_empty());
        assert!(unmatched.by_slot.values().map(Vec::len).sum::<usize>() <= MOST);
        assert!(unmatched.forgot());
        assert!(!unmatched.forgot());
    }
}
