//! Which circuits there are: their ends, the tags at which ends meet, and who waits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;

use crate::{CircuitId, Key, Keys, Owner, Tag};

/// One end of a circuit.
#[derive(Debug)]
pub(crate) struct End<V> {
    pub(crate) owner: Owner,
    pub(crate) via: V,
    pub(crate) keys: Keys,
    pub(crate) other: Other<V>,
    tag: Tag,
    /// Counts up with each end that is opened.
    number: u64,
}

/// What is at the other end.
#[derive(Debug)]
pub(crate) enum Other<V> {
    /// Nobody yet, and nobody any more after this.
    Awaited(Duration),
    /// An end, and what frames to it are made with.
    Joined { via: V, circuit: CircuitId, down: Key },
}

/// A circuit that is over, seen from one of its ends.
#[derive(Debug)]
pub(crate) struct Removed<V> {
    pub(crate) end: End<V>,
    pub(crate) other: Option<(CircuitId, End<V>)>,
}

impl<V: Copy> Removed<V> {
    /// What leads to the other end, and its number.
    pub(crate) fn other(&self) -> Option<(V, CircuitId)> {
        self.other.as_ref().map(|(circuit, end)| (end.via, *circuit))
    }
}

impl<V: Copy> Other<V> {
    pub(crate) fn joined(&self) -> Option<(V, CircuitId)> {
        match self {
            Self::Awaited(_) => None,
            Self::Joined { via, circuit, .. } => Some((*via, *circuit)),
        }
    }
}

/// All ends, and the ways to find them.
#[derive(Debug)]
pub(crate) struct Circuits<V> {
    ends: BTreeMap<CircuitId, End<V>>,
    /// The end that was opened first at each tag.
    tags: BTreeMap<Tag, CircuitId>,
    awaited: BTreeSet<(Duration, CircuitId)>,
    owners: BTreeMap<Owner, u32>,
    opened: u64,
    rng: ChaCha20Rng,
}

impl<V: Copy + Ord> Circuits<V> {
    pub(crate) fn new(rng: ChaCha20Rng) -> Self {
        Self {
            ends: BTreeMap::new(),
            tags: BTreeMap::new(),
            awaited: BTreeSet::new(),
            owners: BTreeMap::new(),
            opened: 0,
            rng,
        }
    }

    pub(crate) fn get(&self, circuit: CircuitId) -> Option<&End<V>> {
        self.ends.get(&circuit)
    }

    /// The end that was opened first at a tag.
    pub(crate) fn at(&self, tag: Tag) -> Option<(CircuitId, &End<V>)> {
        let circuit = *self.tags.get(&tag)?;
        Some((circuit, self.ends.get(&circuit)?))
    }

    /// How many circuits there are, half of one counted as one.
    pub(crate) fn count(&self) -> usize {
        self.tags.len()
    }

    /// How many of them wait for their other end.
    pub(crate) fn waiting(&self) -> usize {
        self.awaited.len()
    }

    /// How many ends each owner has that has any.
    pub(crate) fn owners(&self) -> &BTreeMap<Owner, u32> {
        &self.owners
    }

    /// The earliest time at which an end has waited for long enough, and which it is.
    pub(crate) fn first_awaited(&self) -> Option<(Duration, CircuitId)> {
        self.awaited.first().copied()
    }

    /// A new end, joined to the one that waits at the tag. Whether there may be one is decided before.
    pub(crate) fn insert(
        &mut self,
        owner: Owner,
        via: V,
        tag: Tag,
        until: Duration,
    ) -> (CircuitId, Keys, Option<(V, CircuitId)>) {
        let circuit = loop {
            let drawn = CircuitId::random(&mut self.rng);
            if !self.ends.contains_key(&drawn) {
                break drawn;
            }
        };
        let keys = Keys::random(&mut self.rng);
        let first = *self.tags.entry(tag).or_insert(circuit);
        let other = match self.ends.get_mut(&first) {
            Some(end) => {
                if let Other::Awaited(until) = end.other {
                    self.awaited.remove(&(until, first));
                }
                end.other = Other::Joined { via, circuit, down: keys.down.clone() };
                Other::Joined { via: end.via, circuit: first, down: end.keys.down.clone() }
            }
            None => {
                self.awaited.insert((until, circuit));
                Other::Awaited(until)
            }
        };
        let joined = other.joined();
        self.opened += 1;
        *self.owners.entry(owner).or_default() += 1;
        let end = End { owner, via, keys: keys.clone(), other, tag, number: self.opened };
        self.ends.insert(circuit, end);
        (circuit, keys, joined)
    }

    /// Takes out a circuit by one of its ends.
    pub(crate) fn remove(&mut self, circuit: CircuitId) -> Option<Removed<V>> {
        let end = self.take(circuit)?;
        self.tags.remove(&end.tag);
        let other = match &end.other {
            Other::Joined { circuit, .. } => self.take(*circuit).map(|other| (*circuit, other)),
            Other::Awaited(until) => {
                self.awaited.remove(&(*until, circuit));
                None
            }
        };
        Some(Removed { end, other })
    }

    /// The ends for which this holds, the newest first.
    pub(crate) fn newest(&self, holds: impl Fn(&End<V>) -> bool) -> Vec<CircuitId> {
        let mut found: Vec<_> = self
            .ends
            .iter()
            .filter(|(_, end)| holds(end))
            .map(|(circuit, end)| (end.number, *circuit))
            .collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.into_iter().map(|(_, circuit)| circuit).collect()
    }

    fn take(&mut self, circuit: CircuitId) -> Option<End<V>> {
        let end = self.ends.remove(&circuit)?;
        if let Some(count) = self.owners.get_mut(&end.owner) {
            *count -= 1;
            if *count == 0 {
                self.owners.remove(&end.owner);
            }
        }
        Some(end)
    }
}
