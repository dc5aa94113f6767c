//! Records of a place that is listed, kept for whoever asks later.
//!
//! A place that can be listed is listed once; after that only news arrives. What the engine begins to watch later may have been
//! in the list already, so what was seen is remembered for a while, within bounds that a room full of junk cannot stretch. What the
//! engine had already is remembered too: a slot that it watches anew it wants from the beginning.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use wayside_bridge::{Key, Record};
use wayside_proto::engine::Found;
use wayside_proto::meet::slot::SlotId;

/// The most that is remembered of our own place, in bytes of records and what each costs beside them: some 2,000 of the usual 376 bytes.
pub(super) const MOST: usize = 1 << 20;
/// The most that is remembered of a friend's place, which nobody else writes in.
pub(super) const MOST_OF_FRIEND: usize = 1 << 16;
/// What a record costs beside its bytes.
const OVERHEAD: usize = 128;
/// The largest record remembered, in bytes: no record of a meeting is larger.
const LARGEST: usize = 960;
/// Of how many larger ones the slots are remembered: mail that came before anybody asked for it. With more the place is listed anew for whatever is asked.
const MOST_LARGE: usize = 4096;
/// The most records under one slot: whoever floods one slot pushes out nothing else.
const MOST_PER_SLOT: usize = 8;

/// Records that were seen, the oldest forgotten first.
#[derive(Debug)]
pub(super) struct Seen {
    most: usize,
    by_slot: BTreeMap<SlotId, VecDeque<Vec<u8>>>,
    /// One entry a record, so that the front names the slot of the oldest.
    order: VecDeque<SlotId>,
    bytes: usize,
    forgot: bool,
    /// Slots of records that were too large to be kept.
    large: BTreeSet<SlotId>,
}

impl Seen {
    /// Nothing yet, and at most so many bytes later.
    pub(super) const fn new(most: usize) -> Self {
        Self {
            most,
            by_slot: BTreeMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            forgot: false,
            large: BTreeSet::new(),
        }
    }

    /// Remembers what was found, and returns what of it is wanted.
    pub(super) fn sift(&mut self, records: Vec<Record>, wanted: &BTreeSet<SlotId>) -> Vec<Found> {
        let mut found = Vec::new();
        for record in records {
            let Key::Slot(slot) = record.key else { continue };
            let slot = SlotId(slot.0);
            if record.bytes.len() <= LARGEST {
                self.remember(slot, &record.bytes);
            } else if self.large.len() < MOST_LARGE {
                self.large.insert(slot);
            } else {
                self.forgot |= !self.large.contains(&slot);
            }
            if wanted.contains(&slot) {
                found.push(Found { slot, bytes: record.bytes.to_vec() });
            }
        }
        found
    }

    /// What is remembered of slots.
    pub(super) fn of<'a>(&self, slots: impl Iterator<Item = &'a SlotId>) -> Vec<Found> {
        let found = slots.filter_map(|slot| Some((slot, self.by_slot.get(slot)?)));
        found
            .flat_map(|(slot, records)| {
                records.iter().map(|bytes| Found { slot: *slot, bytes: bytes.clone() })
            })
            .collect()
    }

    /// Whether something under one of these slots, which are new, was not kept, or may not have been: then the place must be listed anew.
    pub(super) fn lacks(&self, slots: &BTreeSet<SlotId>) -> bool {
        !slots.is_empty() && (self.forgot || slots.iter().any(|slot| self.large.contains(slot)))
    }

    fn remember(&mut self, slot: SlotId, bytes: &[u8]) {
        let records = self.by_slot.entry(slot).or_default();
        if records.iter().any(|known| known == bytes) {
            return;
        }
        if records.len() >= MOST_PER_SLOT {
            self.forgot = true;
            return;
        }
        records.push_back(bytes.to_vec());
        self.order.push_back(slot);
        self.bytes = self.bytes.saturating_add(cost(bytes));
        while self.bytes > self.most {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        self.forgot = true;
        let Some(slot) = self.order.pop_front() else { return };
        let Some(records) = self.by_slot.get_mut(&slot) else { return };
        if let Some(oldest) = records.pop_front() {
            self.bytes = self.bytes.saturating_sub(cost(&oldest));
        }
        if records.is_empty() {
            self.by_slot.remove(&slot);
        }
    }
}

fn cost(bytes: &[u8]) -> usize {
    bytes.len().saturating_add(OVERHEAD)
}

#[cfg(test)]
mod tests {
    use wayside_bridge::{Class, Slot, Timestamp};

    use super::*;

    fn record(slot: u16, byte: u8, length: usize) -> Record {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&slot.to_be_bytes());
        Record::new(Key::Slot(Slot(id)), Class::Meeting, Timestamp::from_secs(0), vec![byte; length])
    }

    fn slot(slot: u16) -> SlotId {
        let Key::Slot(Slot(id)) = record(slot, 0, 0).key else { unreachable!() };
        SlotId(id)
    }

    #[test]
    fn what_is_asked_for_later_is_there_and_so_it_is_again() {
        let mut seen = Seen::new(MOST);
        let found = seen.sift(vec![record(1, 1, 4), record(2, 2, 4)], &BTreeSet::from([slot(1)]));
        assert_eq!(found, vec![Found { slot: slot(1), bytes: vec![1; 4] }]);
        for _ in 0..2 {
            let later = seen.of([slot(2)].iter());
            assert_eq!(later, vec![Found { slot: slot(2), bytes: vec![2; 4] }]);
        }
        assert_eq!(seen.of([slot(1)].iter()).len(), 1, "what was wanted once may be wanted anew");
        assert!(!seen.forgot);
    }

    #[test]
    fn a_flood_costs_bounded_memory_and_is_admitted() {
        let mut seen = Seen::new(MOST);
        let flood =
            (0..10_000).map(|i| record(i, 0, 900)).chain((0..10_000).map(|i| record(7, i as u8, 900)));
        assert!(seen.sift(flood.collect(), &BTreeSet::new()).is_empty());
        let held = seen.by_slot.values().flatten().map(|bytes| cost(bytes)).sum::<usize>();
        assert_eq!(held, seen.bytes);
        assert!(held <= MOST);
        assert_eq!(seen.order.len(), seen.by_slot.values().map(VecDeque::len).sum::<usize>());
        assert!(seen.forgot);
    }
}
