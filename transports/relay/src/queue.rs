//! Whose turn it is: deficit round robin over owners, and within an owner over circuits, with a rate for each and one for all.
//!
//! The variant that lets a turn be overdrawn (surplus round robin): batches go out whole, and who has sent more than a turn is worth waits until its
//! next turns have paid for it. What is owed is kept when a queue runs empty, or else it would pay to send in large batches with pauses between.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::batch::Batch;
use crate::bucket::Bucket;
use crate::limits::{OVERHEAD, Shape};
use crate::{CircuitId, Owner};

/// Everything that waits.
#[derive(Debug)]
pub(crate) struct Queue<V> {
    shape: Shape,
    bucket: Bucket,
    lines: BTreeMap<Owner, Line<V>>,
    /// Owners that have something and may send it, the next one first.
    ring: VecDeque<Owner>,
    /// Owners that have something and wait for their rate.
    held: BTreeSet<(Duration, Owner)>,
    /// Until when all wait for the rate of all.
    blocked: Option<Duration>,
    weight: usize,
    /// Bytes of frames that found no room.
    lost: u64,
}

/// What waits of one owner.
#[derive(Debug)]
struct Line<V> {
    bucket: Bucket,
    credit: i64,
    held: Option<Duration>,
    lanes: BTreeMap<CircuitId, Lane<V>>,
    /// Circuits that have something, the next one first.
    ring: VecDeque<CircuitId>,
    weight: usize,
}

/// What waits of one end.
#[derive(Debug)]
struct Lane<V> {
    credit: i64,
    batches: VecDeque<Batch<V>>,
    weight: usize,
}

/// How many batches an empty lane may go on having room for.
const KEPT: usize = 4;

impl<V: Copy> Queue<V> {
    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            shape,
            bucket: Bucket::full(shape.rate, Duration::ZERO),
            lines: BTreeMap::new(),
            ring: VecDeque::new(),
            held: BTreeSet::new(),
            blocked: None,
            weight: 0,
            lost: 0,
        }
    }

    /// Other limits, from now on. What waits beyond them is lost.
    pub(crate) fn reshape(&mut self, now: Duration, shape: Shape) {
        if shape.rate != self.shape.rate {
            self.bucket = Bucket::full(shape.rate, now);
        }
        if shape.friend_rate != self.shape.friend_rate {
            self.lines.values_mut().for_each(|line| line.bucket = Bucket::full(shape.friend_rate, now));
        }
        self.shape = shape;
        self.blocked = None;
        for (_, owner) in std::mem::take(&mut self.held) {
            if let Some(line) = self.lines.get_mut(&owner) {
                line.held = None;
                self.ring.push_back(owner);
            }
        }
        let owners: Vec<Owner> = self.ring.iter().copied().collect();
        owners.into_iter().for_each(|owner| self.shed(owner));
    }

    /// A new end of this owner's.
    pub(crate) fn add(&mut self, now: Duration, owner: Owner, circuit: CircuitId) {
        let rate = self.shape.friend_rate;
        // Who has no circuits any more and owes nothing is as good as never seen.
        self.lines.retain(|_, line| !line.lanes.is_empty() || !line.bucket.is_full(rate, now));
        let line = self.lines.entry(owner).or_insert_with(|| Line {
            bucket: Bucket::full(rate, now),
            credit: 0,
            held: None,
            lanes: BTreeMap::new(),
            ring: VecDeque::new(),
            weight: 0,
        });
        line.lanes.insert(circuit, Lane { credit: 0, batches: VecDeque::new(), weight: 0 });
    }

    /// An end is gone, and what it sent is not forwarded any more.
    pub(crate) fn remove(&mut self, owner: Owner, circuit: CircuitId) {
        let Some(line) = self.lines.get_mut(&owner) else { return };
        let Some(lane) = line.lanes.remove(&circuit) else { return };
        if lane.weight > 0 {
            line.ring.retain(|other| *other != circuit);
            line.weight -= lane.weight;
            self.weight -= lane.weight;
            self.rest(owner);
        }
    }

    /// Something that an end has sent. Where it does not fit, the longest queue loses what has waited longest.
    pub(crate) fn push(&mut self, owner: Owner, circuit: CircuitId, batch: Batch<V>) {
        let quantum = self.shape.quantum;
        let Some(line) = self.lines.get_mut(&owner) else { return };
        let Some(lane) = line.lanes.get_mut(&circuit) else { return };
        let weight = batch.len() + OVERHEAD;
        if line.weight == 0 {
            line.credit = line.credit.min(0) + quantum;
            self.ring.push_back(owner);
        }
        if lane.weight == 0 {
            lane.credit = lane.credit.min(0) + quantum;
            line.ring.push_back(circuit);
        }
        lane.batches.push_back(batch);
        lane.weight += weight;
        line.weight += weight;
        self.weight += weight;
        if line.weight > self.shape.each || self.weight > self.shape.all {
            self.shed(owner);
        }
    }

    /// What is to be sent next, and whose it is.
    pub(crate) fn pop(&mut self, now: Duration) -> Option<(Owner, Batch<V>)> {
        self.blocked = None;
        if self.weight == 0 {
            return None;
        }
        if let Err(at) = self.bucket.ready(self.shape.rate, now) {
            self.blocked = Some(at);
            return None;
        }
        self.release(now);
        let Shape { rate, friend_rate, quantum, piece, .. } = self.shape;
        loop {
            let owner = *self.ring.front()?;
            let line = self.lines.get_mut(&owner)?;
            if let Err(at) = line.bucket.ready(friend_rate, now) {
                self.ring.pop_front();
                line.held = Some(at);
                self.held.insert((at, owner));
                continue;
            }
            if line.credit <= 0 {
                line.credit += quantum;
                self.ring.rotate_left(1);
                continue;
            }
            let (batch, weight) = line.pop(quantum, piece)?;
            line.bucket.take(friend_rate, batch.len());
            self.bucket.take(rate, batch.len());
            self.weight -= weight;
            self.rest(owner);
            return Some((owner, batch));
        }
    }

    /// When something may be sent that has to wait now. `None`: nothing waits for its time.
    pub(crate) fn wake(&self) -> Option<Duration> {
        let held = || self.held.first().map(|(at, _)| *at);
        if self.weight == 0 {
            None
        } else {
            self.blocked.or_else(|| self.ring.is_empty().then(held).flatten())
        }
    }

    /// Bytes of frames that found no room.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// What waits, overhead among it.
    #[cfg(test)]
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Those whose time has come may send again.
    fn release(&mut self, now: Duration) {
        while let Some((at, owner)) = self.held.first().copied() {
            if at > now {
                break;
            }
            self.held.pop_first();
            if let Some(line) = self.lines.get_mut(&owner) {
                line.held = None;
                self.ring.push_back(owner);
            }
        }
    }

    /// Out of the ring, where nothing waits any more.
    fn rest(&mut self, owner: Owner) {
        let Some(line) = self.lines.get_mut(&owner) else { return };
        if line.weight > 0 {
            return;
        }
        match line.held.take() {
            Some(at) => drop(self.held.remove(&(at, owner))),
            None if self.ring.front() == Some(&owner) => drop(self.ring.pop_front()),
            None => self.ring.retain(|other| *other != owner),
        }
    }

    /// Makes room, first in this owner's queue, then in the longest one.
    fn shed(&mut self, owner: Owner) {
        let Shape { each, all, .. } = self.shape;
        while let Some(line) = self.lines.get_mut(&owner)
            && line.weight > each
        {
            let (freed, lost) = line.shed(line.weight - each);
            self.weight -= freed;
            self.lost += lost;
            self.rest(owner);
            if freed == 0 {
                break;
            }
        }
        while self.weight > all {
            let longest = self.lines.iter_mut().max_by_key(|(_, line)| line.weight);
            let Some((owner, line)) = longest else { return };
            let owner = *owner;
            let (freed, lost) = line.shed(self.weight - all);
            self.weight -= freed;
            self.lost += lost;
            self.rest(owner);
            if freed == 0 {
                break;
            }
        }
    }
}

impl<V: Copy> Line<V> {
    /// The next batch or piece of one, and how much less waits.
    fn pop(&mut self, quantum: i64, piece: usize) -> Option<(Batch<V>, usize)> {
        loop {
            let circuit = *self.ring.front()?;
            let lane = self.lanes.get_mut(&circuit)?;
            if lane.credit <= 0 {
                lane.credit += quantum;
                self.ring.rotate_left(1);
                continue;
            }
            let (batch, rest) = lane.batches.pop_front()?.split(piece);
            let sent = i64::try_from(batch.len()).unwrap_or(i64::MAX);
            let weight = batch.len() + if rest.is_some() { 0 } else { OVERHEAD };
            if let Some(rest) = rest {
                lane.batches.push_front(rest);
            }
            lane.credit -= sent;
            self.credit -= sent;
            lane.weight -= weight;
            self.weight -= weight;
            if lane.weight == 0 {
                lane.rest();
                self.ring.pop_front();
            }
            return Some((batch, weight));
        }
    }

    /// Loses so much of what has waited longest in the longest lane, in whole frames, or all of its first batch. Returns how much less waits, and how
    /// many bytes of frames are lost.
    fn shed(&mut self, excess: usize) -> (usize, u64) {
        let weight = |circuit: &CircuitId| self.lanes.get(circuit).map_or(0, |lane| lane.weight);
        let Some(circuit) = self.ring.iter().copied().max_by_key(weight) else { return (0, 0) };
        let Some(lane) = self.lanes.get_mut(&circuit) else { return (0, 0) };
        let Some(batch) = lane.batches.front_mut() else { return (0, 0) };
        let mut freed = batch.lose(excess);
        let lost = freed as u64;
        if batch.len() == 0 {
            lane.batches.pop_front();
            freed += OVERHEAD;
        }
        lane.weight -= freed;
        self.weight -= freed;
        if lane.weight == 0 {
            lane.rest();
            self.ring.retain(|other| *other != circuit);
        }
        (freed, lost)
    }
}

impl<V> Lane<V> {
    /// Nothing waits any more: gives back what a long queue took.
    fn rest(&mut self) {
        if self.batches.capacity() > KEPT {
            self.batches = VecDeque::new();
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
