//! What is on the network, as far as we have heard: numbered in the order in which it was heard, and bounded.
//!
//! Our own records are in it too, so that whoever looks finds them among the others'.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use wayside_bridge::{Keys, Record};

use crate::instance::Instance;

/// The most records of one sender, ourselves included.
pub(crate) const MOST_OF_ONE: usize = 512;
/// The most records in all: some five megabytes of the largest.
const MOST: usize = 4096;
/// The most senders that are remembered for one record: a machine has an address on each network, of each family.
const MOST_HOLDERS: usize = 4;
/// A record is kept for so long at most after it was last heard, whatever is said.
const LONGEST: Duration = Duration::from_secs(300);

/// Who announced a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// We ourselves.
    Own,
    /// Somebody at this address.
    Of(IpAddr),
}

#[derive(Debug, Default)]
pub(crate) struct Heard {
    entries: BTreeMap<Instance, Entry>,
    order: BTreeMap<u64, Instance>,
    /// Entries by the sender that they count for: who was first.
    counts: HashMap<Source, usize>,
    last: u64,
    /// Instances of our type that were none of ours.
    junk: u64,
}

#[derive(Debug)]
struct Entry {
    record: Record,
    number: u64,
    counted: Source,
    holders: Vec<Holder>,
}

#[derive(Debug)]
struct Holder {
    source: Source,
    heard: Duration,
    /// `None`: until it is taken back.
    life: Option<Duration>,
}

/// Some of what was asked for.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) records: Vec<Record>,
    /// All up to this number was looked at.
    pub(crate) number: u64,
    pub(crate) more: bool,
    pub(crate) skipped: u64,
}

impl Heard {
    /// The last number that was given.
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// Ours, until it is taken back.
    pub(crate) fn have(&mut self, instance: Instance, record: Record) {
        self.hold(instance, record, Source::Own, Duration::ZERO, None);
    }

    /// Somebody announced a record that lives for so long from now.
    pub(crate) fn heard(
        &mut self,
        instance: Instance,
        record: Record,
        source: IpAddr,
        now: Duration,
        life: Duration,
    ) {
        self.hold(instance, record, Source::Of(source), now, Some(life.min(LONGEST)));
    }

    /// Somebody announced what is no record.
    pub(crate) fn junk(&mut self) {
        self.junk = self.junk.saturating_add(1);
    }

    /// It is gone, says somebody. That counts where nobody else holds it.
    pub(crate) fn gone(&mut self, instance: &Instance, source: Source) {
        if let Some(entry) = self.entries.get_mut(instance) {
            entry.holders.retain(|holder| holder.source != source);
            if entry.holders.is_empty() {
                self.remove(instance);
            }
        }
    }

    /// What was not heard again in time is gone.
    pub(crate) fn expire(&mut self, now: Duration) {
        for entry in self.entries.values_mut() {
            entry.holders.retain(|holder| holder.left(now) != Some(Duration::ZERO));
        }
        let over = self.entries.iter().filter(|(_, entry)| entry.holders.is_empty());
        for instance in over.map(|(instance, _)| *instance).collect::<Vec<_>>() {
            self.remove(&instance);
        }
    }

    /// Whether something should be asked for again: it has lived for four fifths of its time (RFC 6762, section 5.2).
    pub(crate) fn fades(&self, now: Duration) -> bool {
        let fading = |holder: &Holder| {
            let life = holder.life.unwrap_or(LONGEST);
            holder.left(now).is_some_and(|left| left <= life / 5)
        };
        self.entries.values().any(|entry| entry.holders.iter().all(fading))
    }

    /// What others have that we need not be told: it lives for more than half of its time yet, as far as the first few are asked (section 7.1).
    pub(crate) fn known(&self, now: Duration, most: usize) -> Vec<(Instance, Duration)> {
        let fresh = |(instance, entry): (&Instance, &Entry)| {
            let holder = entry.holders.iter().max_by_key(|holder| holder.left(now))?;
            let left = holder.left(now)?;
            (left > holder.life? / 2).then_some((*instance, left))
        };
        self.entries.iter().filter_map(fresh).take(most).collect()
    }

    /// Records of these keys with a number after this one, at most so many.
    pub(crate) fn page(&self, after: u64, keys: &Keys, limit: usize) -> Page {
        let mut page = Page { number: after, ..Page::default() };
        if after == 0 {
            page.skipped = self.junk;
        }
        for (number, instance) in self.order.range(after.saturating_add(1)..) {
            let Some(entry) = self.entries.get(instance) else { continue };
            if !keys.contains(&entry.record.key) {
                continue;
            }
            if page.records.len() >= limit {
                page.more = true;
                return page;
            }
            page.records.push(entry.record.clone());
            page.number = *number;
        }
        page.number = self.last;
        page
    }

    fn hold(
        &mut self,
        instance: Instance,
        record: Record,
        source: Source,
        now: Duration,
        life: Option<Duration>,
    ) {
        let holder = Holder { source, heard: now, life };
        if let Some(entry) = self.entries.get_mut(&instance) {
            if let Some(known) = entry.holders.iter_mut().find(|known| known.source == source) {
                *known = holder;
            } else if entry.holders.len() < MOST_HOLDERS {
                entry.holders.push(holder);
            }
            return;
        }
        if source != Source::Own && !self.makes_room(source) {
            return;
        }
        self.last += 1;
        *self.counts.entry(source).or_default() += 1;
        self.order.insert(self.last, instance);
        let entry = Entry { record, number: self.last, counted: source, holders: vec![holder] };
        self.entries.insert(instance, entry);
    }

    /// Whether one more record of this sender has room: where all is full, the oldest of who has most gives way to who has fewer.
    fn makes_room(&mut self, source: Source) -> bool {
        let has = self.counts.get(&source).copied().unwrap_or_default();
        if has >= MOST_OF_ONE {
            return false;
        }
        if self.entries.len() < MOST {
            return true;
        }
        let others = self.counts.iter().filter(|(other, _)| **other != Source::Own);
        let Some((&greatest, &most)) = others.max_by_key(|(_, count)| **count) else { return false };
        if most <= has + 1 {
            return false;
        }
        let oldest = self.entries.iter().filter(|(_, entry)| entry.counted == greatest);
        let oldest = oldest.min_by_key(|(_, entry)| entry.number).map(|(instance, _)| *instance);
        oldest.map(|oldest| self.remove(&oldest)).is_some()
    }

    fn remove(&mut self, instance: &Instance) {
        let Some(entry) = self.entries.remove(instance) else { return };
        self.order.remove(&entry.number);
        if let Some(count) = self.counts.get_mut(&entry.counted) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(&entry.counted);
            }
        }
    }
}

impl Holder {
    /// How long it is good for yet; `None` without end.
    fn left(&self, now: Duration) -> Option<Duration> {
        Some(self.heard.saturating_add(self.life?).saturating_sub(now))
    }
}

#[cfg(test)]
#[path = "heard_tests.rs"]
mod tests;
