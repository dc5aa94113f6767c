//! The relay itself: opens and ends circuits as its owner's limits have it, and sends on what their ends send.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroize;

use crate::batch::{Batch, Spare};
use crate::circuits::{Circuits, Other, Removed};
use crate::frame::{CircuitId, HEADER, Keys, circuit_of, header, open};
use crate::limits::Limits;
use crate::queue::Queue;
use crate::reason::{Reason, Refusal};
use crate::usage::{Month, Usage};

/// Whose traffic it is: a friend's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub [u8; 32]);

/// Where two ends meet: 16 bytes that both derive, and nobody else can.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(pub [u8; 16]);

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tag(…)")
    }
}

/// What time it is, in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since any fixed moment, the same for one switch. It does not go back.
    pub since: Duration,
    /// Seconds since the Unix epoch. Only the month is taken from it.
    pub unix: u64,
}

/// An end of a circuit that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened<V> {
    /// Its number.
    pub circuit: CircuitId,
    /// Its keys, for the end alone.
    pub keys: Keys,
    /// The other end, where it was waiting: both are to be told that they are joined. `None`: this one waits.
    pub joined: Option<(V, CircuitId)>,
}

/// An end that is over, to be told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended<V> {
    /// What leads to it.
    pub via: V,
    /// Its number.
    pub circuit: CircuitId,
    /// Why.
    pub reason: Reason,
    /// After how long it may be worth asking for another one. `None`: not until something else has changed.
    pub retry: Option<Duration>,
}

/// Frames to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit<V> {
    /// What leads to the end that they are for.
    pub via: V,
    /// The frames, one after the other. [`Switch::recycle`] takes the buffer back.
    pub contents: Vec<u8>,
    /// How many bytes each has, but for the last, which may have less.
    pub segment: usize,
}

/// How many circuits there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Circuits, with those that wait for their other end.
    pub circuits: usize,
    /// Those that wait.
    pub waiting: usize,
    /// How many ends each friend has that has any.
    pub owners: BTreeMap<Owner, u32>,
}

/// A relay without sockets. `V` names what leads to an end: a link's number, for one.
///
/// Feed it with [`open`](Self::open), [`close`](Self::close), [`leave`](Self::leave) and [`arrived`](Self::arrived). After each, call
/// [`poll_transmit`](Self::poll_transmit) until it has nothing, then wait for [`poll_timeout`](Self::poll_timeout) and call
/// [`handle_timeout`](Self::handle_timeout), and `poll_transmit` again.
#[derive(Debug)]
pub struct Switch<V> {
    limits: Limits,
    usage: Usage,
    circuits: Circuits<V>,
    queue: Queue<V>,
    /// Those that were ended by what was sent, until the driver asks.
    ended: Vec<Ended<V>>,
    spare: Spare,
}

/// When a place may have become free. Nobody knows; asking is cheap.
const RETRY: Duration = Duration::from_secs(60);

impl<V: Copy + Ord> Switch<V> {
    /// With what was forwarded this month already, and 32 bytes from a good source for numbers and keys.
    pub fn new(limits: Limits, usage: Usage, mut seed: [u8; 32]) -> Self {
        let rng = ChaCha20Rng::from_seed(seed);
        seed.zeroize();
        Self {
            queue: Queue::new(limits.shape()),
            limits,
            usage,
            circuits: Circuits::new(rng),
            ended: Vec::new(),
            spare: Spare::default(),
        }
    }

    /// An end for this owner, reached via `via`. Where the other end waits at the tag, the two are joined.
    pub fn open(&mut self, now: Now, owner: Owner, via: V, tag: Tag) -> Result<Opened<V>, Refusal> {
        self.admit(now, owner, via, tag)?;
        let until = now.since.saturating_add(self.limits.half_open);
        let (circuit, keys, joined) = self.circuits.insert(owner, via, tag, until);
        self.queue.add(now.since, owner, circuit);
        Ok(Opened { circuit, keys, joined })
    }

    /// Who waits at a tag. A driver that knows it to be a former self of who asks now can close it first.
    pub fn waiting(&self, tag: Tag) -> Option<(V, CircuitId)> {
        let (circuit, end) = self.circuits.at(tag)?;
        matches!(end.other, Other::Awaited(_)).then_some((end.via, circuit))
    }

    /// An end closes its circuit. Returns the other end, which is over too. A number that is not of an end via `via` closes nothing.
    pub fn close(&mut self, via: V, circuit: CircuitId) -> Option<(V, CircuitId)> {
        let end = self.circuits.get(circuit)?;
        if end.via != via {
            return None;
        }
        self.remove(circuit)?.other()
    }

    /// What led to some ends is gone, and they with it. Returns their other ends, which are over too.
    pub fn leave(&mut self, via: V) -> Vec<(V, CircuitId)> {
        let gone = self.circuits.newest(|end| end.via == via);
        gone.into_iter().filter_map(|circuit| self.remove(circuit)?.other()).collect()
    }

    /// Datagrams that came together: each `segment` bytes long, but for the last, which may be shorter (0: there is one). Takes the frames of one
    /// circuit at their beginning and says how many bytes those are: 0 where the first datagram is no frame of a circuit here, and is somebody else's.
    /// Call again with what is left.
    ///
    /// What was taken need not be sent on: the other end may be awaited, or the queue full.
    pub fn arrived(&mut self, datagrams: &[u8], segment: usize) -> usize {
        let segment = if segment == 0 { datagrams.len().max(1) } else { segment };
        let first = datagrams.get(..segment).unwrap_or(datagrams);
        let Some((circuit, end)) =
            circuit_of(first).and_then(|circuit| Some((circuit, self.circuits.get(circuit)?)))
        else {
            return 0;
        };
        // Under the circuit's key its owner could vouch for any number.
        let is_one =
            |frame: &&[u8]| circuit_of(frame) == Some(circuit) && open(&end.keys.up, frame).is_some();
        let taken = datagrams.chunks(segment).take_while(is_one).map(<[u8]>::len).sum();
        let frames = datagrams.get(..taken).filter(|frames| !frames.is_empty());
        if let (Some(frames), Other::Joined { via, circuit: other, down }) = (frames, &end.other) {
            let mut contents = self.spare.take(taken);
            for frame in frames.chunks(segment) {
                let datagram = frame.get(HEADER..).unwrap_or_default();
                contents.extend_from_slice(&header(down, *other, datagram));
                contents.extend_from_slice(datagram);
            }
            self.queue.push(end.owner, circuit, Batch::new(*via, contents, segment));
        }
        taken
    }

    /// What is to be sent now. Where nothing limits the rate and nothing else waits, it is what has just arrived, as one batch.
    ///
    /// It is out of the queue then. Whoever cannot send it for the moment stops asking, so that what follows waits here, where turns are taken.
    pub fn poll_transmit(&mut self, now: Now) -> Option<Transmit<V>> {
        let (owner, batch) = self.queue.pop(now.since)?;
        self.usage.roll(now.unix);
        self.usage.add(owner, batch.len());
        if self.is_spent() {
            self.end_spent(now);
        } else if self.has_spent(&owner) {
            self.end_spent_of(now, owner);
        }
        let via = batch.via;
        let (contents, segment) = batch.into_contents();
        Some(Transmit { via, contents, segment })
    }

    /// Takes a buffer back, so that a later batch need not allocate one.
    pub fn recycle(&mut self, contents: Vec<u8>) {
        self.spare.put(contents);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) and [`poll_transmit`](Self::poll_transmit) again, whatever comes before.
    pub fn poll_timeout(&self) -> Option<Duration> {
        if !self.ended.is_empty() {
            return Some(Duration::ZERO);
        }
        let awaited = self.circuits.first_awaited().map(|(until, _)| until);
        [awaited, self.queue.wake()].into_iter().flatten().min()
    }

    /// Ends circuits whose other end did not come in time, and tells of those that were ended because a month's bytes are used up.
    pub fn handle_timeout(&mut self, now: Now) -> Vec<Ended<V>> {
        while let Some((until, circuit)) = self.circuits.first_awaited()
            && until <= now.since
        {
            self.end(circuit, Reason::Alone, Reason::Alone, None);
        }
        std::mem::take(&mut self.ended)
    }

    /// Other limits, from now on. Circuits that are too many end, the newest first.
    pub fn set_limits(&mut self, now: Now, limits: Limits) -> Vec<Ended<V>> {
        self.limits = limits;
        self.queue.reshape(now.since, limits.shape());
        self.usage.roll(now.unix);
        if self.is_spent() {
            self.end_spent(now);
        }
        let owners: Vec<(Owner, u32)> =
            self.circuits.owners().iter().map(|(owner, ends)| (*owner, *ends)).collect();
        for (owner, ends) in owners {
            if self.has_spent(&owner) {
                self.end_spent_of(now, owner);
            } else if ends > limits.friend_circuits {
                self.end_newest_of(owner);
            }
        }
        if self.is_full_beyond() {
            for circuit in self.circuits.newest(|_| true) {
                if !self.is_full_beyond() {
                    break;
                }
                self.end(circuit, Reason::Circuits, Reason::Circuits, Some(RETRY));
            }
        }
        std::mem::take(&mut self.ended)
    }

    /// This friend may not use the relay any more: its ends are over.
    pub fn revoke(&mut self, owner: Owner) -> Vec<Ended<V>> {
        for circuit in self.circuits.newest(|end| end.owner == owner) {
            self.end(circuit, Reason::Revoked, Reason::Left, None);
        }
        std::mem::take(&mut self.ended)
    }

    /// The relay stops: all circuits are over.
    pub fn stop(&mut self) -> Vec<Ended<V>> {
        for circuit in self.circuits.newest(|_| true) {
            self.end(circuit, Reason::Ending, Reason::Ending, None);
        }
        std::mem::take(&mut self.ended)
    }

    /// What was forwarded this month, to be stored and shown.
    pub fn usage(&mut self, now: Now) -> &Usage {
        self.usage.roll(now.unix);
        &self.usage
    }

    /// The limits it keeps to.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many circuits there are, and whose.
    pub fn circuits(&self) -> Count {
        Count {
            circuits: self.circuits.count(),
            waiting: self.circuits.waiting(),
            owners: self.circuits.owners().clone(),
        }
    }

    /// How many bytes of frames were dropped since the beginning because too much was waiting.
    pub fn lost(&self) -> u64 {
        self.queue.lost()
    }

    /// Whether there may be another end.
    fn admit(&mut self, now: Now, owner: Owner, via: V, tag: Tag) -> Result<(), Refusal> {
        self.usage.roll(now.unix);
        let no = |reason, retry| Err(Refusal { reason, retry });
        let month = Some(Month::left(now.unix));
        if self.is_spent() {
            return no(Reason::Month, month);
        }
        if self.has_spent(&owner) {
            return no(Reason::FriendMonth, month);
        }
        let ends = self.circuits.owners().get(&owner).copied().unwrap_or(0);
        match self.circuits.at(tag) {
            Some((_, first)) if first.other.joined().is_some() => no(Reason::Taken, None),
            Some((_, first)) if first.via == via => no(Reason::SameLink, None),
            _ if ends >= self.limits.friend_circuits => no(Reason::FriendCircuits, Some(RETRY)),
            None if self.circuits.count() >= self.most_circuits() => no(Reason::Circuits, Some(RETRY)),
            _ => Ok(()),
        }
    }

    fn most_circuits(&self) -> usize {
        usize::try_from(self.limits.circuits).unwrap_or(usize::MAX)
    }

    fn is_full_beyond(&self) -> bool {
        self.circuits.count() > self.most_circuits()
    }

    fn is_spent(&self) -> bool {
        self.limits.month.is_some_and(|most| self.usage.total >= most)
    }

    fn has_spent(&self, owner: &Owner) -> bool {
        self.limits.friend_month.is_some_and(|most| self.usage.of(owner) >= most)
    }

    fn end_spent(&mut self, now: Now) {
        let retry = Some(Month::left(now.unix));
        for circuit in self.circuits.newest(|_| true) {
            self.end(circuit, Reason::Month, Reason::Month, retry);
        }
    }

    fn end_spent_of(&mut self, now: Now, owner: Owner) {
        let retry = Some(Month::left(now.unix));
        for circuit in self.circuits.newest(|end| end.owner == owner) {
            self.end(circuit, Reason::FriendMonth, Reason::Left, retry);
        }
    }

    fn end_newest_of(&mut self, owner: Owner) {
        for circuit in self.circuits.newest(|end| end.owner == owner) {
            let ends = self.circuits.owners().get(&owner).copied().unwrap_or(0);
            if ends <= self.limits.friend_circuits {
                break;
            }
            self.end(circuit, Reason::FriendCircuits, Reason::Left, Some(RETRY));
        }
    }

    /// Ends a circuit by one of its ends, with a reason for that one and one for the other, unless that is of the same owner.
    fn end(&mut self, circuit: CircuitId, reason: Reason, others: Reason, retry: Option<Duration>) {
        let Some(Removed { end, other }) = self.remove(circuit) else { return };
        self.ended.push(Ended { via: end.via, circuit, reason, retry });
        if let Some((circuit, other)) = other {
            let reason = if other.owner == end.owner { reason } else { others };
            let retry = retry.filter(|_| reason != Reason::Left);
            self.ended.push(Ended { via: other.via, circuit, reason, retry });
        }
    }

    /// Takes a circuit out by one of its ends, and what waits of it.
    fn remove(&mut self, circuit: CircuitId) -> Option<Removed<V>> {
        let removed = self.circuits.remove(circuit)?;
        self.queue.remove(removed.end.owner, circuit);
        if let Some((circuit, other)) = &removed.other {
            self.queue.remove(other.owner, *circuit);
        }
        Some(removed)
    }
}
