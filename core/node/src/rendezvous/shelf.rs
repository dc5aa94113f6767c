//! What strangers left here, within bounds. Pure: no socket, no clock, no disk.
//!
//! Records lie in *spaces*, each under a name that those who share it know; whoever looks there is given that space alone. Nobody's record makes room for
//! another's: each source has a share, and what does not fit is refused. So a stranger can fill its own share, and with many addresses keep newcomers out for a
//! while, and cannot push out anything that was there.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use wayside_bridge::Timestamp;
use wayside_bridge::file::{self, Check};

use super::ask::{Sent, Space};
use super::source::{Neighbourhood, Source};

/// What a record is counted to weigh besides its file, in bytes: what it takes to find it. So tiny records are no way around a bound.
pub(crate) const OVERHEAD: u64 = 512;
/// So many shares may neighbours have together.
const NEIGHBOURS: u64 = 4;

/// What is kept at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) all: Weight,
    pub(crate) source: Weight,
    /// Bytes in one space: whoever looks is given all of it.
    pub(crate) space: u64,
    /// For how long, after it was put there last.
    pub(crate) kept: Duration,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

/// Who may take a record away: a digest of what was shown when it was put there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner(pub(crate) [u8; 16]);

/// A record's name here, for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(pub(crate) u64);

/// A record as it lies here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) space: Space,
    pub(crate) owner: Owner,
    pub(crate) source: Source,
    /// When it was put there, again or for the first time.
    pub(crate) put: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) check: Check,
    pub(crate) file: Bytes,
}

/// Who writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer {
    pub(crate) owner: Owner,
    pub(crate) source: Source,
}

/// What there is no room in. Nothing was changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The share of where this came from, or of its neighbourhood.
    Source,
    /// The space.
    Space,
    /// Everything.
    All,
}

/// What a request changed, for the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) put: Vec<(Number, Kept)>,
    pub(crate) gone: Vec<Number>,
}

/// A space as whoever looks is given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Changes with each change; 0 where nothing is there.
    pub(crate) version: u64,
    pub(crate) files: Vec<Bytes>,
    pub(crate) bytes: u64,
}

/// Everything that was left here.
#[derive(Debug)]
pub(crate) struct Shelf {
    limits: Limits,
    kept: BTreeMap<Number, Kept>,
    spaces: BTreeMap<Space, Shared>,
    sources: BTreeMap<Source, Weight>,
    neighbourhoods: BTreeMap<Neighbourhood, Weight>,
    /// By when they are over.
    ends: BTreeSet<(Timestamp, Number)>,
    all: Weight,
    next: Number,
    versions: u64,
}

#[derive(Debug, Default)]
struct Shared {
    records: BTreeMap<(Owner, Check), Number>,
    weight: Weight,
    version: u64,
}

impl Shelf {
    /// What was kept, as far as it is not over.
    pub(crate) fn new(limits: Limits, kept: Vec<(Number, Kept)>, now: Timestamp) -> Self {
        let mut shelf = Self {
            limits,
            kept: BTreeMap::new(),
            spaces: BTreeMap::new(),
            sources: BTreeMap::new(),
            neighbourhoods: BTreeMap::new(),
            ends: BTreeSet::new(),
            all: Weight::default(),
            next: Number(0),
            versions: 0,
        };
        for (number, kept) in kept {
            shelf.next = shelf.next.max(number.next());
            shelf.insert(number, kept);
        }
        let _ = shelf.expire(now);
        shelf
    }

    /// How much there is, how much there may be, and in how many spaces it lies.
    pub(crate) fn weight(&self) -> (Weight, Weight, usize) {
        (self.all, self.limits.all, self.spaces.len())
    }

    /// What is in a space.
    pub(crate) fn look(&self, space: &Space) -> Seen {
        let Some(shared) = self.spaces.get(space) else {
            return Seen { version: 0, files: Vec::new(), bytes: 0 };
        };
        let files: Vec<Bytes> = shared
            .records
            .values()
            .filter_map(|number| self.kept.get(number))
            .map(|kept| kept.file.clone())
            .collect();
        let bytes = files.iter().map(|file| file.len() as u64).sum();
        Seen { version: shared.version, files, bytes }
    }

    /// Puts records there and takes the writer's own away, all of it or nothing. Whoever calls it has room made by [`expire`](Self::expire) first. What is over already is left out, and what is there is there a while longer.
    ///
    /// # Errors
    /// What there is no room in.
    pub(crate) fn write(
        &mut self,
        now: Timestamp,
        writer: Writer,
        space: &Space,
        remove: &[Check],
        put: &[Sent],
    ) -> Result<Changed, Full> {
        let mut changed = Changed::default();
        let known = |check: &Check| {
            self.spaces.get(space).and_then(|shared| shared.records.get(&(writer.owner, *check))).copied()
        };
        let gone: BTreeSet<Number> = remove.iter().filter_map(known).collect();
        let (mut again, mut new) = (BTreeSet::new(), BTreeMap::new());
        for sent in put.iter().filter(|sent| !file::over(sent.found.record.not_after, now)) {
            match known(&sent.found.check).filter(|number| !gone.contains(number)) {
                Some(number) => drop(again.insert(number)),
                None => drop(new.insert(sent.found.check, sent)),
            }
        }
        self.has_room(writer.source, space, &gone, new.values().map(|sent| sent.file.len() as u64))?;
        for number in gone {
            self.remove(number);
            changed.gone.push(number);
        }
        for number in again {
            if let Some(kept) = self.remove(number) {
                let kept = Kept { put: now, ..kept };
                self.insert(number, kept.clone());
                changed.put.push((number, kept));
            }
        }
        for (check, sent) in new {
            let number = self.next;
            self.next = number.next();
            let kept = Kept {
                space: space.clone(),
                owner: writer.owner,
                source: writer.source,
                put: now,
                not_after: sent.found.record.not_after,
                check,
                // A slice would hold the whole body.
                file: Bytes::copy_from_slice(&sent.file),
            };
            self.insert(number, kept.clone());
            changed.put.push((number, kept));
        }
        Ok(changed)
    }

    /// Removes what is over.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<Number> {
        let mut gone = Vec::new();
        while let Some((_, number)) = self.ends.first().copied().filter(|(end, _)| *end < now) {
            self.remove(number);
            gone.push(number);
        }
        gone
    }

    /// Whether files of these sizes fit once these records are gone.
    fn has_room(
        &self,
        source: Source,
        space: &Space,
        gone: &BTreeSet<Number>,
        files: impl Iterator<Item = u64>,
    ) -> Result<(), Full> {
        let mut more = Weight::default();
        files.for_each(|bytes| more.add(Weight::of(bytes)));
        if more.records == 0 {
            return Ok(());
        }
        let of = |counts: &dyn Fn(&Kept) -> bool| {
            let mut less = Weight::default();
            let kept = gone.iter().filter_map(|number| self.kept.get(number)).filter(|kept| counts(kept));
            kept.for_each(|kept| less.add(kept.weight()));
            less
        };
        let after = |before: Option<&Weight>, counts: &dyn Fn(&Kept) -> bool| {
            let mut after = before.copied().unwrap_or_default();
            after.take(of(counts));
            after.add(more);
            after
        };
        let hood = source.neighbourhood();
        let own = after(self.sources.get(&source), &|kept| kept.source == source);
        let near = after(self.neighbourhoods.get(&hood), &|kept| kept.source.neighbourhood() == hood);
        let here = after(self.spaces.get(space).map(|shared| &shared.weight), &|_| true);
        if !own.is_within(self.limits.source) || !near.is_within(self.limits.source.times(NEIGHBOURS)) {
            Err(Full::Source)
        } else if here.bytes > self.limits.space {
            Err(Full::Space)
        } else if !after(Some(&self.all), &|_| true).is_within(self.limits.all) {
            Err(Full::All)
        } else {
            Ok(())
        }
    }

    fn insert(&mut self, number: Number, kept: Kept) {
        let weight = kept.weight();
        self.versions = self.versions.saturating_add(1);
        let shared = self.spaces.entry(kept.space.clone()).or_default();
        // Of two with one name, as only a damaged file has them, the later one counts.
        if let Some(other) = shared.records.insert((kept.owner, kept.check), number) {
            self.remove(other);
        }
        let shared = self.spaces.entry(kept.space.clone()).or_default();
        shared.records.insert((kept.owner, kept.check), number);
        shared.version = self.versions;
        shared.weight.add(weight);
        self.sources.entry(kept.source).or_default().add(weight);
        self.neighbourhoods.entry(kept.source.neighbourhood()).or_default().add(weight);
        self.all.add(weight);
        self.ends.insert((self.end(&kept), number));
        self.kept.insert(number, kept);
    }

    fn remove(&mut self, number: Number) -> Option<Kept> {
        let kept = self.kept.remove(&number)?;
        let weight = kept.weight();
        self.versions = self.versions.saturating_add(1);
        if let Slot::Occupied(mut shared) = self.spaces.entry(kept.space.clone()) {
            shared.get_mut().records.remove(&(kept.owner, kept.check));
            shared.get_mut().version = self.versions;
            shared.get_mut().weight.take(weight);
            if shared.get().records.is_empty() {
                shared.remove();
            }
        }
        take(&mut self.sources, kept.source, weight);
        take(&mut self.neighbourhoods, kept.source.neighbourhood(), weight);
        self.all.take(weight);
        self.ends.remove(&(self.end(&kept), number));
        Some(kept)
    }

    /// A day after it is good no more, and never later than anything is kept.
    fn end(&self, kept: &Kept) -> Timestamp {
        kept.not_after.saturating_add(file::GRACE).min(kept.put.saturating_add(self.limits.kept))
    }
}

/// Forgets those who have nothing here any more.
fn take<K: Ord>(weights: &mut BTreeMap<K, Weight>, key: K, weight: Weight) {
    if let Slot::Occupied(mut entry) = weights.entry(key) {
        entry.get_mut().take(weight);
        if entry.get().records == 0 {
            entry.remove();
        }
    }
}

impl Kept {
    fn weight(&self) -> Weight {
        Weight::of(self.file.len() as u64)
    }
}

impl Weight {
    const fn of(bytes: u64) -> Self {
        Self { records: 1, bytes: bytes.saturating_add(OVERHEAD) }
    }

    const fn add(&mut self, other: Self) {
        self.records = self.records.saturating_add(other.records);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    const fn take(&mut self, other: Self) {
        self.records = self.records.saturating_sub(other.records);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }

    const fn times(self, factor: u64) -> Self {
        Self { records: self.records.saturating_mul(factor), bytes: self.bytes.saturating_mul(factor) }
    }

    const fn is_within(self, limit: Self) -> bool {
        self.records <= limit.records && self.bytes <= limit.bytes
    }
}

impl Number {
    const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl std::fmt::Debug for Owner {
    /// Whoever knows it could take the record away.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Owner(..)")
    }
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
