//! The records that a friend holds: pure, so that time is an argument and nothing waits.
//!
//! Each record has a number; the greater came later. A position is a number of one board, which knows its own from those of an earlier run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use wayside_bridge::{Slot, Timestamp};

use crate::limits::{Limits, MAX_BATCH, MAX_KEYS, MAX_RECORD, Reason, Refusal};
use crate::watches::{StreamId, Watches};
use crate::wire::{Id, Note, Position};

/// Whose a record is: an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub [u8; 32]);

/// What time it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, by which a record says when it expires.
    pub wall: Timestamp,
    /// Since some moment in the past, never going back: what expiry and requests are measured by.
    pub elapsed: Duration,
}

/// Records, and who waits for them.
#[derive(Debug)]
pub struct Board {
    id: [u8; 8],
    limits: Limits,
    last: u64,
    entries: BTreeMap<u64, Entry>,
    by_slot: BTreeSet<(Slot, u64)>,
    by_owner: BTreeSet<(Owner, u64)>,
    by_expiry: BTreeSet<(Duration, u64)>,
    bytes: usize,
    friends: BTreeMap<Owner, Account>,
    watches: Watches,
}

#[derive(Debug)]
struct Entry {
    owner: Owner,
    slot: Slot,
    not_after: u64,
    bytes: Bytes,
    expires: Duration,
}

/// What a friend takes up.
#[derive(Debug, Default)]
struct Account {
    records: usize,
    bytes: usize,
    /// When a request would be free again if none had come at once.
    paid_until: Duration,
}

impl Account {
    /// What its records cost, in bytes.
    const fn weight(&self) -> usize {
        self.bytes.saturating_add(self.records.saturating_mul(OVERHEAD))
    }
}

/// A record that is held now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What to let go of it by.
    pub receipt: Position,
    /// Which streams have something to send.
    pub wake: Vec<StreamId>,
}

/// What lies under some keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// In the order in which they came.
    pub records: Vec<Note>,
    /// Everything up to there was looked at.
    pub position: Position,
    /// Whether there is more after it.
    pub more: bool,
}

/// How long a record is held at least, whatever it says: the two clocks may differ by more than is left of it.
const LEAST: Duration = Duration::from_secs(60 * 60);

/// What a record costs beside its bytes: four tables know of it.
const OVERHEAD: usize = 300;

impl Board {
    /// An empty one. `id` is random, so that positions of an earlier one are not taken for its own.
    pub fn new(id: [u8; 8], limits: Limits) -> Self {
        Self {
            id,
            limits,
            last: 0,
            entries: BTreeMap::new(),
            by_slot: BTreeSet::new(),
            by_owner: BTreeSet::new(),
            by_expiry: BTreeSet::new(),
            bytes: 0,
            friends: BTreeMap::new(),
            watches: Watches::default(),
        }
    }

    /// A stream of a friend's came; tells which other one of its is over for it, where it had too many.
    pub fn open(&mut self, owner: Owner) -> (StreamId, Option<StreamId>) {
        self.watches.open(owner, &self.limits)
    }

    /// A stream is gone, and its watches with it. Its friend's records stay.
    pub fn close(&mut self, now: Now, stream: StreamId) {
        self.watches.close(stream);
        let watches = &self.watches;
        self.friends.retain(|owner, account| {
            account.records > 0 || account.paid_until > now.elapsed || watches.has(owner)
        });
    }

    /// Counts a request.
    ///
    /// # Errors
    /// Too many came.
    pub fn ask(&mut self, now: Now, owner: Owner) -> Result<(), Refusal> {
        let account = self.friends.entry(owner).or_default();
        let paid_until = account.paid_until.max(now.elapsed).saturating_add(self.limits.every);
        let bearable = now.elapsed.saturating_add(self.limits.every.saturating_mul(self.limits.burst));
        if paid_until > bearable {
            // A second's worth, rather than one request at a time.
            let retry = Duration::from_secs(1).max(paid_until.saturating_sub(bearable));
            return Err(Refusal { reason: Reason::TooFast, retry: Some(retry) });
        }
        account.paid_until = paid_until;
        Ok(())
    }

    /// Holds a record. The same one of the same friend again is held once.
    ///
    /// Where the board is full, the friend who has the most records loses its oldest for it, unless that is who asks.
    ///
    /// # Errors
    /// It is too large, or there is no room for it.
    pub fn leave(&mut self, now: Now, owner: Owner, note: Note) -> Result<Left, Refusal> {
        self.expire(now);
        let Note { slot: Id(slot), not_after, bytes } = note;
        let slot = Slot(slot);
        if bytes.len() > MAX_RECORD {
            return Err(Reason::TooLarge.into());
        }
        let equal =
            |entry: &Entry| entry.slot == slot && entry.not_after == not_after && entry.bytes == bytes;
        if let Some(number) =
            self.numbers_of(owner).find(|number| self.entries.get(number).is_some_and(equal))
        {
            return Ok(Left { receipt: self.position(number), wake: Vec::new() });
        }
        let account = self.friends.entry(owner).or_default();
        if account.records >= self.limits.friend_records
            || account.bytes.saturating_add(bytes.len()) > self.limits.friend_bytes
        {
            return Err(Reason::FriendFull.into());
        }
        self.make_room(owner, bytes.len())?;
        let left = Duration::from_secs(not_after.saturating_sub(now.wall.as_secs()));
        let expires = now.elapsed.saturating_add(left.min(self.limits.lifetime).max(LEAST));
        self.last = self.last.saturating_add(1);
        let number = self.last;
        self.insert(number, Entry { owner, slot, not_after, bytes, expires });
        Ok(Left { receipt: self.position(number), wake: self.watches.news(slot) })
    }

    /// What lies under these keys after a position, `limit` records and [`MAX_BATCH`] at most.
    ///
    /// # Errors
    /// Too many keys.
    pub fn look(
        &mut self,
        now: Now,
        keys: &BTreeSet<Slot>,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Found, Refusal> {
        if keys.len() > MAX_KEYS {
            return Err(Reason::TooMany.into());
        }
        self.expire(now);
        Ok(self.find(keys, self.number(after), limit))
    }

    /// Has a stream told what lies under these keys after a position, and what comes.
    ///
    /// # Errors
    /// Too many keys, or watches of this stream.
    pub fn watch(
        &mut self,
        stream: StreamId,
        number: u64,
        keys: BTreeSet<Slot>,
        after: Option<Position>,
    ) -> Result<(), Refusal> {
        let after = self.number(after);
        self.watches.watch(stream, number, keys, after, &self.limits)
    }

    /// A watch is over.
    pub fn unwatch(&mut self, stream: StreamId, number: u64) {
        self.watches.unwatch(stream, number);
    }

    /// A batch of a watch was taken, so that another may be sent.
    pub fn taken(&mut self, stream: StreamId, number: u64) {
        self.watches.taken(stream, number);
    }

    /// What to send over a stream now, and of which watch.
    pub fn due(&mut self, now: Now, stream: StreamId) -> Option<(u64, Found)> {
        self.expire(now);
        while let Some((number, keys, after)) = self.watches.due(stream) {
            let found = self.find(&keys, after, MAX_BATCH);
            let seen = self.number(Some(found.position));
            let some = !found.records.is_empty();
            self.watches.sent(stream, number, seen, found.more, some);
            if some {
                return Some((number, found));
            }
        }
        None
    }

    /// Lets go of records of a friend's. Others' and those that are gone are passed over.
    pub fn retract(&mut self, owner: Owner, receipts: &[Position]) {
        for receipt in receipts {
            let number = self.number(Some(*receipt));
            if self.entries.get(&number).is_some_and(|entry| entry.owner == owner) {
                self.remove(number);
            }
        }
    }

    /// Lets go of all of a friend's records.
    pub fn forget(&mut self, owner: Owner) {
        let numbers: Vec<u64> = self.numbers_of(owner).collect();
        numbers.into_iter().for_each(|number| self.remove(number));
        self.friends.remove(&owner);
    }

    /// Whose records are held.
    pub fn owners(&self) -> Vec<Owner> {
        self.friends.iter().filter(|(_, account)| account.records > 0).map(|(owner, _)| *owner).collect()
    }

    /// How many records are held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none are.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many bytes the records have.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Goes by these limits from now on. What lies there already stays.
    pub const fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    fn find(&self, keys: &BTreeSet<Slot>, after: u64, limit: usize) -> Found {
        let limit = limit.clamp(1, MAX_BATCH);
        let mut numbers: Vec<u64> = keys
            .iter()
            .flat_map(|slot| {
                let from = (*slot, after.saturating_add(1));
                // One more than fit says that there are more.
                self.by_slot.range(from..=(*slot, u64::MAX)).take(limit.saturating_add(1))
            })
            .map(|(_, number)| *number)
            .collect();
        numbers.sort_unstable();
        let more = numbers.len() > limit;
        numbers.truncate(limit);
        let seen = if more { numbers.last().copied().unwrap_or(after) } else { self.last };
        let note = |number: &u64| {
            let Entry { slot, not_after, bytes, .. } = self.entries.get(number)?;
            Some(Note { slot: Id(slot.0), not_after: *not_after, bytes: bytes.clone() })
        };
        let records = numbers.iter().filter_map(note).collect();
        Found { records, position: self.position(seen), more }
    }

    /// Makes room for a record of a friend's, at the cost of whoever has the most.
    fn make_room(&mut self, owner: Owner, bytes: usize) -> Result<(), Refusal> {
        while self.entries.len() >= self.limits.records
            || self.bytes.saturating_add(bytes) > self.limits.bytes
        {
            let own = self.friends.get(&owner).map_or(0, Account::weight);
            let most = self.friends.iter().max_by_key(|(_, account)| account.weight());
            let victim = most.filter(|(_, account)| account.weight() > own).map(|(victim, _)| *victim);
            let Some(oldest) = victim.and_then(|victim| self.numbers_of(victim).next()) else {
                return Err(Reason::Full.into());
            };
            self.remove(oldest);
        }
        Ok(())
    }

    fn expire(&mut self, now: Now) {
        while let Some((_, number)) = self.by_expiry.first().filter(|(at, _)| *at <= now.elapsed).copied() {
            self.remove(number);
        }
    }

    fn insert(&mut self, number: u64, entry: Entry) {
        let account = self.friends.entry(entry.owner).or_default();
        account.records = account.records.saturating_add(1);
        account.bytes = account.bytes.saturating_add(entry.bytes.len());
        self.bytes = self.bytes.saturating_add(entry.bytes.len());
        self.by_slot.insert((entry.slot, number));
        self.by_owner.insert((entry.owner, number));
        self.by_expiry.insert((entry.expires, number));
        self.entries.insert(number, entry);
    }

    fn remove(&mut self, number: u64) {
        let Some(entry) = self.entries.remove(&number) else { return };
        self.by_slot.remove(&(entry.slot, number));
        self.by_owner.remove(&(entry.owner, number));
        self.by_expiry.remove(&(entry.expires, number));
        self.bytes = self.bytes.saturating_sub(entry.bytes.len());
        if let Some(account) = self.friends.get_mut(&entry.owner) {
            account.records = account.records.saturating_sub(1);
            account.bytes = account.bytes.saturating_sub(entry.bytes.len());
        }
    }

    /// A friend's records, the oldest first.
    fn numbers_of(&self, owner: Owner) -> impl Iterator<Item = u64> {
        self.by_owner.range((owner, 0)..=(owner, u64::MAX)).map(|(_, number)| *number)
    }

    fn position(&self, number: u64) -> Position {
        let mut bytes = [0; 16];
        let (id, rest) = bytes.split_at_mut(self.id.len());
        id.copy_from_slice(&self.id);
        rest.copy_from_slice(&number.to_be_bytes());
        Position(bytes)
    }

    /// The number of a position; the beginning where it is none of ours.
    fn number(&self, position: Option<Position>) -> u64 {
        let Some(Position(bytes)) = position else { return 0 };
        let number = bytes.last_chunk().map_or(0, |number| u64::from_be_bytes(*number));
        if bytes.starts_with(&self.id) && number <= self.last { number } else { 0 }
    }
}

#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;
