//! What was found in the room: records in the order in which we heard of them. Bounded, and pure.
//!
//! A cursor is a number in this order and the name of the log, which is another in each process: after a restart the room is looked through again, so
//! that nothing can be left out.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::Bound;

use wayside_bridge::file::{self, Check};
use wayside_bridge::{Batch, Cursor, Entropy, Fetch, Record, Timestamp};

use crate::event::{Event, What};

/// The most records that are kept.
const MOST_RECORDS: usize = 20_000;
/// The most bytes of records that are kept.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// How many events are remembered: by these a look knows where it met what it had seen.
const MOST_SEEN: usize = 16_384;
/// How much junk is counted.
const MOST_JUNK: usize = 4096;

/// The records of a room.
#[derive(Debug)]
pub(crate) struct Log {
    name: [u8; 16],
    next: u64,
    entries: BTreeMap<u64, Entry>,
    by_event: HashMap<String, u64>,
    shares: HashMap<String, Share>,
    bytes: usize,
    junk: VecDeque<u64>,
    seen: Ring,
    removed: Ring,
}

#[derive(Debug)]
struct Entry {
    event: String,
    sender: String,
    check: Check,
    record: Record,
}

/// What one sender's records take.
#[derive(Debug, Default)]
struct Share {
    bytes: usize,
    entries: VecDeque<u64>,
}

/// The last so many names.
#[derive(Debug, Default)]
struct Ring {
    names: HashSet<String>,
    order: VecDeque<String>,
}

impl Ring {
    fn insert(&mut self, name: &str) {
        if self.names.insert(name.to_owned()) {
            self.order.push_back(name.to_owned());
            if self.order.len() > MOST_SEEN
                && let Some(oldest) = self.order.pop_front()
            {
                self.names.remove(&oldest);
            }
        }
    }
}

impl Log {
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        let mut name = [0; 16];
        entropy.fill(&mut name);
        Self {
            name,
            next: 1,
            entries: BTreeMap::new(),
            by_event: HashMap::new(),
            shares: HashMap::new(),
            bytes: 0,
            junk: VecDeque::new(),
            seen: Ring::default(),
            removed: Ring::default(),
        }
    }

    /// Whether this event was taken in already.
    pub(crate) fn has_seen(&self, event: &str) -> bool {
        self.seen.names.contains(event)
    }

    /// Takes in an event. Whether there is something new in it for who watches.
    pub(crate) fn take(&mut self, event: &Event, now: Timestamp) -> bool {
        if let What::Redaction(target) = &event.what {
            self.remove(target);
        }
        if matches!(event.what, What::Sealed) {
            return false;
        }
        if self.has_seen(&event.id) {
            return false;
        }
        self.seen.insert(&event.id);
        match &event.what {
            What::Junk => {
                let number = self.number();
                self.junk.push_back(number);
                if self.junk.len() > MOST_JUNK {
                    self.junk.pop_front();
                }
                false
            }
            What::Record(record, check) => {
                if self.removed.names.contains(&event.id) || file::over(record.not_after, now) {
                    return false;
                }
                self.insert(event, record, check);
                true
            }
            _ => false,
        }
    }

    fn insert(&mut self, event: &Event, record: &Record, check: &Check) {
        let number = self.number();
        let bytes = weight(record);
        self.bytes = self.bytes.saturating_add(bytes);
        let share = self.shares.entry(event.sender.clone()).or_default();
        share.bytes = share.bytes.saturating_add(bytes);
        share.entries.push_back(number);
        self.by_event.insert(event.id.clone(), number);
        let entry = Entry {
            event: event.id.clone(),
            sender: event.sender.clone(),
            check: *check,
            record: record.clone(),
        };
        self.entries.insert(number, entry);
        while self.entries.len() > MOST_RECORDS || self.bytes > MOST_BYTES {
            if !self.drop_one() {
                break;
            }
        }
    }

    /// Forgets the oldest record of whoever has most there: who floods the room pushes out nobody else's.
    fn drop_one(&mut self) -> bool {
        let heaviest = self.shares.values().max_by_key(|share| share.bytes);
        let Some(number) = heaviest.and_then(|share| share.entries.front().copied()) else { return false };
        self.forget(number);
        true
    }

    /// An event was taken back, or never counts again.
    pub(crate) fn remove(&mut self, event: &str) {
        self.removed.insert(event);
        if let Some(number) = self.by_event.get(event).copied() {
            self.forget(number);
        }
    }

    /// Whether we know that this event was taken back.
    pub(crate) fn is_removed(&self, event: &str) -> bool {
        self.removed.names.contains(event)
    }

    /// Forgets this sender's records, which stay where they are.
    pub(crate) fn forget_all_of(&mut self, sender: &str) {
        let numbers: Vec<u64> =
            self.shares.get(sender).into_iter().flat_map(|share| share.entries.iter().copied()).collect();
        numbers.into_iter().for_each(|number| self.forget(number));
    }

    fn forget(&mut self, number: u64) {
        let Some(entry) = self.entries.remove(&number) else { return };
        self.by_event.remove(&entry.event);
        let bytes = weight(&entry.record);
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(share) = self.shares.get_mut(&entry.sender) {
            share.bytes = share.bytes.saturating_sub(bytes);
            match share.entries.front() {
                Some(front) if *front == number => drop(share.entries.pop_front()),
                _ => share.entries.retain(|other| *other != number),
            }
            if share.entries.is_empty() {
                self.shares.remove(&entry.sender);
            }
        }
    }

    /// The events of this sender's that hold this very record.
    pub(crate) fn events_of(&self, sender: &str, check: &Check) -> Vec<String> {
        let numbers = self.shares.get(sender).into_iter().flat_map(|share| &share.entries);
        let entries = numbers.filter_map(|number| self.entries.get(number));
        entries.filter(|entry| entry.check == *check).map(|entry| entry.event.clone()).collect()
    }

    /// Who sent the record in this event, where it is here.
    pub(crate) fn sender_of(&self, event: &str) -> Option<&str> {
        self.by_event
            .get(event)
            .and_then(|number| self.entries.get(number))
            .map(|entry| entry.sender.as_str())
    }

    /// Where a cursor stands; the beginning where it is none of this log's.
    pub(crate) fn position(&self, cursor: Option<&Cursor>) -> u64 {
        let position = cursor.and_then(|cursor| {
            let (name, rest) = cursor.as_bytes().split_first_chunk::<16>()?;
            let number = u64::from_be_bytes(rest.try_into().ok()?);
            (*name == self.name && number < self.next).then_some(number)
        });
        position.unwrap_or(0)
    }

    /// The cursor of a position.
    pub(crate) fn cursor(&self, position: u64) -> Option<Cursor> {
        Cursor::new([&self.name[..], &position.to_be_bytes()[..]].concat())
    }

    /// Whether there is a record asked for after a position.
    pub(crate) fn has_more(&self, position: u64, keys: &wayside_bridge::Keys) -> bool {
        self.after(position).any(|(_, entry)| keys.contains(&entry.record.key))
    }

    /// The records asked for after a position, and where one is then.
    pub(crate) fn page(&self, position: u64, request: &Fetch) -> (Batch, u64) {
        let mut batch = Batch::default();
        let mut reached = self.next.saturating_sub(1);
        let mut last = position;
        for (number, entry) in self.after(position) {
            if !request.keys.contains(&entry.record.key) {
                continue;
            }
            if batch.records.len() >= request.limit {
                batch.more = true;
                reached = last;
                break;
            }
            batch.records.push(entry.record.clone());
            last = *number;
        }
        let junk = self.junk.iter().filter(|number| **number > position && **number <= reached).count();
        batch.skipped = u64::try_from(junk).unwrap_or(u64::MAX);
        batch.cursor = self.cursor(reached);
        (batch, reached)
    }

    fn after(&self, position: u64) -> impl Iterator<Item = (&u64, &Entry)> {
        self.entries.range((Bound::Excluded(position), Bound::Unbounded))
    }

    const fn number(&mut self) -> u64 {
        let number = self.next;
        self.next = number.saturating_add(1);
        number
    }
}

/// What a record takes in memory, about.
fn weight(record: &Record) -> usize {
    record.bytes.len().saturating_add(512)
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
