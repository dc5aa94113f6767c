//! Who waits at a board for what: streams, their watches, and whom a new record concerns.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use wayside_bridge::Slot;

use crate::board::Owner;
use crate::limits::{Limits, MAX_KEYS, Reason, Refusal, WINDOW};

/// A stream of a friend's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u64);

/// All that is watched.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    last: u64,
    streams: BTreeMap<StreamId, Stream>,
    /// A friend's streams, the oldest first.
    of_owner: BTreeMap<Owner, VecDeque<StreamId>>,
    by_slot: BTreeSet<(Slot, StreamId, u64)>,
}

#[derive(Debug)]
struct Stream {
    owner: Owner,
    watches: BTreeMap<u64, Watch>,
}

/// One watch.
#[derive(Debug)]
struct Watch {
    keys: Arc<BTreeSet<Slot>>,
    /// Everything up to this record was sent.
    after: u64,
    /// There may be more.
    due: bool,
    /// Batches that were sent and are not taken yet.
    under_way: usize,
}

impl Watches {
    /// A stream came; tells which other one is over for it.
    pub(crate) fn open(&mut self, owner: Owner, limits: &Limits) -> (StreamId, Option<StreamId>) {
        self.last = self.last.saturating_add(1);
        let stream = StreamId(self.last);
        self.streams.insert(stream, Stream { owner, watches: BTreeMap::new() });
        let of_owner = self.of_owner.entry(owner).or_default();
        of_owner.push_back(stream);
        let over = (of_owner.len() > limits.streams).then(|| of_owner.front().copied()).flatten();
        if let Some(over) = over {
            self.close(over);
        }
        (stream, over)
    }

    /// A stream is gone.
    pub(crate) fn close(&mut self, stream: StreamId) {
        let Some(gone) = self.streams.remove(&stream) else { return };
        for (number, watch) in gone.watches {
            for slot in watch.keys.iter() {
                self.by_slot.remove(&(*slot, stream, number));
            }
        }
        if let Some(of_owner) = self.of_owner.get_mut(&gone.owner) {
            of_owner.retain(|other| *other != stream);
            if of_owner.is_empty() {
                self.of_owner.remove(&gone.owner);
            }
        }
    }

    /// Whether a friend has a stream.
    pub(crate) fn has(&self, owner: &Owner) -> bool {
        self.of_owner.contains_key(owner)
    }

    /// A watch begins, in place of one of the same number.
    pub(crate) fn watch(
        &mut self,
        stream: StreamId,
        number: u64,
        keys: BTreeSet<Slot>,
        after: u64,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        self.unwatch(stream, number);
        // It is over already, otherwise.
        let Some(of_stream) = self.streams.get_mut(&stream) else { return Ok(()) };
        if keys.len() > MAX_KEYS || of_stream.watches.len() >= limits.watches {
            return Err(Reason::TooMany.into());
        }
        self.by_slot.extend(keys.iter().map(|slot| (*slot, stream, number)));
        of_stream.watches.insert(number, Watch { keys: Arc::new(keys), after, due: true, under_way: 0 });
        Ok(())
    }

    /// A watch is over.
    pub(crate) fn unwatch(&mut self, stream: StreamId, number: u64) {
        let gone = self.streams.get_mut(&stream).and_then(|stream| stream.watches.remove(&number));
        for slot in gone.iter().flat_map(|watch| watch.keys.iter()) {
            self.by_slot.remove(&(*slot, stream, number));
        }
    }

    /// A batch of a watch was taken.
    pub(crate) fn taken(&mut self, stream: StreamId, number: u64) {
        let watch = self.streams.get_mut(&stream).and_then(|stream| stream.watches.get_mut(&number));
        if let Some(watch) = watch {
            watch.under_way = watch.under_way.saturating_sub(1);
        }
    }

    /// Something new lies under a slot: tells whom to wake.
    pub(crate) fn news(&mut self, slot: Slot) -> Vec<StreamId> {
        let mut wake = Vec::new();
        for (_, stream, number) in
            self.by_slot.range((slot, StreamId(0), 0)..=(slot, StreamId(u64::MAX), u64::MAX))
        {
            let of_stream = self.streams.get_mut(stream);
            if let Some(watch) = of_stream.and_then(|stream| stream.watches.get_mut(number)) {
                watch.due = true;
                if wake.last() != Some(stream) {
                    wake.push(*stream);
                }
            }
        }
        wake
    }

    /// A watch of a stream that may be sent more: its number, its keys, and after what.
    pub(crate) fn due(&self, stream: StreamId) -> Option<(u64, Arc<BTreeSet<Slot>>, u64)> {
        let watches = &self.streams.get(&stream)?.watches;
        let due = watches.iter().find(|(_, watch)| watch.due && watch.under_way < WINDOW);
        due.map(|(number, watch)| (*number, Arc::clone(&watch.keys), watch.after))
    }

    /// A watch was looked after: up to where, whether there is more, and whether a batch was sent.
    pub(crate) fn sent(&mut self, stream: StreamId, number: u64, after: u64, more: bool, batch: bool) {
        let watch = self.streams.get_mut(&stream).and_then(|stream| stream.watches.get_mut(&number));
        if let Some(watch) = watch {
            (watch.after, watch.due) = (after, more);
            watch.under_way = watch.under_way.saturating_add(usize::from(batch));
        }
    }
}
