//! What a service in memory keeps.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;

use bytes::Bytes;

use crate::{
    Capability, Class, ClassCapability, Collision, ErrorKind, Key, Keys, Lookup, Record, RingTarget,
    Timestamp,
};

/// Places, watchers, and what a test has told the service to do.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// How every operation fails, where it does.
    pub(super) fault: Option<ErrorKind>,
    /// Whom members have rung.
    pub(super) rung: VecDeque<RingTarget>,
    /// Watchers by number.
    pub(super) watchers: BTreeMap<u64, Watcher>,
    places: BTreeMap<String, Shelf>,
    last: u64,
    last_watcher: u64,
    next_expiry: Option<Timestamp>,
}

/// Somebody who waits for news of a place.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) place: String,
    pub(super) keys: Keys,
    /// Published and not yet read.
    pub(super) unread: usize,
    pub(super) waker: Option<Waker>,
}

/// A record, or what no bridge could parse.
#[derive(Debug)]
pub(super) enum Content {
    Record(Record),
    /// Kept, as a service would keep it.
    Junk(#[allow(dead_code, reason = "only its being there matters")] Bytes),
}

/// What a walk over a place found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) records: Vec<Record>,
    /// Everything up to here has been looked at.
    pub(super) seen: u64,
    pub(super) more: bool,
    pub(super) skipped: u64,
}

#[derive(Debug, Default)]
struct Shelf {
    entries: BTreeMap<u64, Entry>,
    /// The one entry of a key and class that are overwritten.
    current: BTreeMap<(Key, Class), u64>,
}

#[derive(Debug)]
struct Entry {
    writer: String,
    content: Content,
    expires: Option<Timestamp>,
}

impl Store {
    /// Stores an entry and tells its number, and whom to wake once the lock is let go.
    pub(super) fn insert(
        &mut self,
        place: &str,
        writer: &str,
        content: Content,
        capability: &Capability,
        now: Timestamp,
    ) -> (u64, Vec<Waker>) {
        self.last += 1;
        let sequence = self.last;
        let shelf = self.places.entry(place.to_owned()).or_default();
        let mut expires = None;
        let mut wakers = Vec::new();
        if let Content::Record(record) = &content {
            let limits = capability.class(record.class);
            let kept = limits.map_or(record.not_after, |limits| now.saturating_add(limits.retention));
            let at = record.not_after.min(kept);
            expires = Some(at);
            self.next_expiry = Some(self.next_expiry.map_or(at, |next| next.min(at)));
            if limits.is_some_and(overwrites) {
                let earlier = shelf.current.insert((record.key.clone(), record.class), sequence);
                earlier.and_then(|earlier| shelf.entries.remove(&earlier));
            }
            for watcher in self.watchers.values_mut() {
                if watcher.place == place && watcher.keys.contains(&record.key) {
                    watcher.unread = watcher.unread.saturating_add(1);
                    wakers.extend(watcher.waker.take());
                }
            }
        }
        shelf.entries.insert(sequence, Entry { writer: writer.to_owned(), content, expires });
        (sequence, wakers)
    }

    /// The first `limit` records of these keys after a number.
    pub(super) fn find(&self, place: &str, keys: &Keys, after: u64, limit: usize, lookup: Lookup) -> Found {
        let mut found = Found { seen: self.last, ..Found::default() };
        let mut latest = after;
        let entries = self.places.get(place).into_iter().flat_map(|shelf| {
            shelf.entries.range((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded))
        });
        for (sequence, entry) in entries {
            match &entry.content {
                Content::Record(record) if keys.contains(&record.key) => {
                    if found.records.len() >= limit {
                        found.more = true;
                        found.seen = latest;
                        break;
                    }
                    found.records.push(record.clone());
                }
                Content::Record(_) => {}
                Content::Junk(_) if lookup == Lookup::List => found.skipped += 1,
                Content::Junk(_) => {}
            }
            latest = *sequence;
        }
        found
    }

    /// The class of an entry of this writer.
    pub(super) fn class_of(&self, place: &str, sequence: u64, writer: &str) -> Option<Class> {
        let entry = self.places.get(place)?.entries.get(&sequence)?;
        match &entry.content {
            Content::Record(record) if entry.writer == writer => Some(record.class),
            Content::Record(_) | Content::Junk(_) => None,
        }
    }

    /// Removes an entry, where it is there.
    pub(super) fn remove(&mut self, place: &str, sequence: u64) {
        if let Some(shelf) = self.places.get_mut(place) {
            shelf.remove(sequence);
        }
    }

    /// Removes what has expired.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        if self.next_expiry.is_none_or(|next| now <= next) {
            return;
        }
        for shelf in self.places.values_mut() {
            let expired: Vec<u64> = shelf
                .entries
                .iter()
                .filter(|(_, entry)| entry.expires.is_some_and(|expires| expires < now))
                .map(|(sequence, _)| *sequence)
                .collect();
            expired.into_iter().for_each(|sequence| shelf.remove(sequence));
        }
        self.next_expiry =
            self.places.values().flat_map(|shelf| shelf.entries.values()).filter_map(|e| e.expires).min();
    }

    /// Adds a watcher and tells its number.
    pub(super) fn watch(&mut self, place: String, keys: Keys) -> u64 {
        self.last_watcher += 1;
        self.watchers.insert(self.last_watcher, Watcher { place, keys, unread: 0, waker: None });
        self.last_watcher
    }

    /// Everybody who waits.
    pub(super) fn wakers(&mut self) -> Vec<Waker> {
        self.watchers.values_mut().filter_map(|watcher| watcher.waker.take()).collect()
    }

    /// The number of the latest entry.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.places.values().map(|shelf| shelf.entries.len()).sum()
    }

    /// All records.
    pub(super) fn records_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.places.values_mut().flat_map(|shelf| shelf.entries.values_mut()).filter_map(|entry| {
            match &mut entry.content {
                Content::Record(record) => Some(record),
                Content::Junk(_) => None,
            }
        })
    }
}

impl Shelf {
    fn remove(&mut self, sequence: u64) {
        if let Some(Entry { content: Content::Record(record), .. }) = self.entries.remove(&sequence) {
            let key = (record.key, record.class);
            if self.current.get(&key) == Some(&sequence) {
                self.current.remove(&key);
            }
        }
    }
}

fn overwrites(limits: &ClassCapability) -> bool {
    limits.collision == Collision::Overwrite
}
