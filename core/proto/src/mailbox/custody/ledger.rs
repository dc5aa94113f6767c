//! Counters of one transaction.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use minicbor::{Decode, Encode};

use super::fairness::Share;
use super::rows::{self, Account, Lying, WHOLE, Whole};
use super::{Limits, Usage};
use crate::crypto::keys::AccountId;
use crate::mailbox::wire::QueueId;
use crate::mailbox::{Age, MailError, Table, Tables};

/// One transaction's work on custody, with the counters that it changes: read once, kept here, and written back once by [`Ledger::close`].
///
/// A deposit writes four entries (blob, record, hash, end), of which all but the hash are appended at or near the end of their table; with this the counters of queue, owner and whole,
/// three more, are written once a group of deposits and not once each. None of the four can be left out: the record is what is listed and fetched by, the hash what makes deposits
/// idempotent, the end what finds both when they are over.
///
/// Where a method fails, the transaction is to be given up: nothing of it may be kept.
#[must_use = "counters are written by `close`"]
pub struct Ledger<'a, T: Tables> {
    pub(super) tables: &'a mut T,
    whole: Row<Whole>,
    accounts: BTreeMap<AccountId, Row<Account>>,
    lying: BTreeMap<(AccountId, QueueId), Row<Lying>>,
}

/// A counter as it was read, and as it is now.
struct Row<V> {
    was: Option<V>,
    now: Option<V>,
}

/// What takes room of an owner's.
#[derive(Clone, Copy)]
pub(super) enum Of<'a> {
    /// What lies in a queue of its own.
    Queue(&'a QueueId),
    /// What it has us carry.
    Carried,
}

impl<'a, T: Tables> Ledger<'a, T> {
    /// Begins. One ledger at a time works on a transaction, and nothing else changes custody's tables beside it.
    pub fn open(tables: &'a mut T) -> Result<Self, MailError<T::Error>> {
        let was = rows::whole(tables)?;
        Ok(Self { tables, whole: Row { was, now: was }, accounts: BTreeMap::new(), lying: BTreeMap::new() })
    }

    /// Writes back the counters that changed.
    pub fn close(mut self) -> Result<(), MailError<T::Error>> {
        for (owner, mut row) in std::mem::take(&mut self.accounts) {
            let empty = row.now.take_if(|account| account.is_empty());
            let claimed = empty.map_or(0, |account| account.share.claimed());
            if claimed > 0 {
                self.whole().share.moved(claimed, 0);
            }
            row.store(self.tables, Table::CustodyOwners, &owner.0)?;
        }
        for ((owner, queue), row) in self.lying {
            row.store(self.tables, Table::CustodyOwners, &rows::lying(&owner, &queue))?;
        }
        self.whole.store(self.tables, Table::CustodyState, WHOLE)
    }

    pub(super) fn whole(&mut self) -> &mut Whole {
        self.whole.now.get_or_insert_default()
    }

    pub(super) fn account(&mut self, owner: &AccountId) -> Result<&mut Account, MailError<T::Error>> {
        let row = match self.accounts.entry(*owner) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let was = rows::read(self.tables, Table::CustodyOwners, &owner.0, "an owner in custody")?;
                entry.insert(Row { now: was.clone(), was })
            }
        };
        Ok(row.now.get_or_insert_default())
    }

    pub(super) fn lying(
        &mut self,
        owner: &AccountId,
        queue: &QueueId,
    ) -> Result<&mut Lying, MailError<T::Error>> {
        let row = match self.lying.entry((*owner, *queue)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let key = rows::lying(owner, queue);
                let was = rows::read(self.tables, Table::CustodyOwners, &key, "a queue's usage")?;
                entry.insert(Row { was, now: was })
            }
        };
        Ok(row.now.get_or_insert_default())
    }

    /// The owner's queues and what lies in them, as of now.
    pub(super) fn queues(&self, owner: &AccountId) -> Result<BTreeMap<QueueId, Lying>, MailError<T::Error>> {
        let mut queues: BTreeMap<_, _> = rows::queues(self.tables, owner)?.into_iter().collect();
        let (first, last) = ((*owner, QueueId([0; 16])), (*owner, QueueId([0xff; 16])));
        for ((_, queue), row) in self.lying.range(first..=last) {
            match row.now {
                Some(lying) => queues.insert(*queue, lying),
                None => queues.remove(queue),
            };
        }
        Ok(queues)
    }

    /// A queue of the owner's is there from now on, or not any more.
    pub(super) fn queue_is(
        &mut self,
        owner: &AccountId,
        queue: &QueueId,
        there: bool,
    ) -> Result<(), MailError<T::Error>> {
        self.lying(owner, queue)?;
        if !there && let Some(row) = self.lying.get_mut(&(*owner, *queue)) {
            row.now = None;
        }
        let queues = &mut self.account(owner)?.queues;
        let counted = if there { queues.checked_add(1) } else { queues.checked_sub(1) };
        *queues = counted.ok_or(MailError::Damaged("the number of an owner's queues"))?;
        Ok(())
    }

    /// The next arrival. None is given twice.
    pub(super) fn arrives(&mut self) -> Result<u64, MailError<T::Error>> {
        let last = &mut self.whole().last;
        *last = last.checked_add(1).ok_or(MailError::Damaged("custody's last arrival"))?;
        Ok(*last)
    }

    /// What is used of something.
    pub(super) fn usage(&mut self, owner: &AccountId, of: Of<'_>) -> Result<Usage, MailError<T::Error>> {
        Ok(match of {
            Of::Queue(queue) => self.lying(owner, queue)?.usage,
            Of::Carried => self.account(owner)?.carried,
        })
    }

    /// Something of so many bytes came.
    pub(super) fn came(
        &mut self,
        owner: &AccountId,
        of: Of<'_>,
        bytes: u64,
    ) -> Result<(), MailError<T::Error>> {
        self.count(owner, of, |usage| {
            Some(Usage { items: usage.items.checked_add(1)?, bytes: usage.bytes.checked_add(bytes)? })
        })
    }

    /// Something of so many bytes went.
    pub(super) fn went(
        &mut self,
        owner: &AccountId,
        of: Of<'_>,
        bytes: u64,
    ) -> Result<(), MailError<T::Error>> {
        self.count(owner, of, |usage| {
            Some(Usage { items: usage.items.checked_sub(1)?, bytes: usage.bytes.checked_sub(bytes)? })
        })
    }

    fn count(
        &mut self,
        owner: &AccountId,
        of: Of<'_>,
        change: impl Fn(Usage) -> Option<Usage>,
    ) -> Result<(), MailError<T::Error>> {
        let damaged = || MailError::Damaged("what is counted in custody");
        let before = self.usage(owner, of)?;
        let after = change(before).ok_or_else(damaged)?;
        if let Of::Queue(queue) = of {
            self.lying(owner, queue)?.usage = after;
        }
        let account = self.account(owner)?;
        match of {
            Of::Queue(_) => account.mail = change(account.mail).ok_or_else(damaged)?,
            Of::Carried => account.carried = after,
        }
        let claimed = account.share.claimed();
        account.share.moved(before.bytes, after.bytes);
        let claims = account.share.claimed();
        let whole = self.whole();
        whole.share.moved(claimed, claims);
        let all = Usage { items: before.items, bytes: whole.bytes };
        whole.bytes = change(all).ok_or_else(damaged)?.bytes;
        Ok(())
    }

    /// Whether something of so many bytes has room; if not, after how many seconds it may be tried again.
    pub(super) fn has_room(
        &mut self,
        now: Age,
        limits: &Limits,
        owner: &AccountId,
        of: Of<'_>,
        bytes: u64,
    ) -> Result<Result<(), u32>, MailError<T::Error>> {
        if bytes > limits.queue.min(limits.friend).min(limits.total) || limits.queue_items == 0 {
            return Ok(Err(RETRY_NEVER_FITS));
        }
        self.share_out(limits, owner)?;
        let before = self.usage(owner, of)?;
        let after = before.bytes.saturating_add(bytes);
        let account = self.account(owner)?;
        let mut share = account.share;
        let fits = before.items < limits.queue_items
            && after <= limits.queue
            && account.bytes().saturating_add(bytes) <= limits.friend
            && share.admits(limits.friend, before.bytes, after);
        let claimed = share.claimed();
        share.moved(before.bytes, after);
        let whole = self.whole();
        let fits = fits
            && whole.bytes.saturating_add(bytes) <= limits.total
            && whole.share.admits(limits.total, claimed, share.claimed());
        if fits { Ok(Ok(())) } else { self.retry(now).map(Err) }
    }

    /// Has the room shared as the limits and the owner's queues are now.
    fn share_out(&mut self, limits: &Limits, owner: &AccountId) -> Result<(), MailError<T::Error>> {
        let between = Share::of_friends(limits);
        if !self.whole().share.is_like(&between) {
            let mut claims: BTreeMap<_, _> = rows::accounts(self.tables)?
                .into_iter()
                .map(|(owner, account)| (owner, account.share.claimed()))
                .collect();
            for (owner, row) in &self.accounts {
                claims.insert(*owner, row.now.as_ref().map_or(0, |account| account.share.claimed()));
            }
            self.whole().share = between.used(claims.into_values());
        }
        let account = self.account(owner)?;
        let between = Share::of_queues(limits, account.queues);
        if !account.share.is_like(&between) {
            let (claimed, carried) = (account.share.claimed(), account.carried.bytes);
            let uses = self.queues(owner)?.into_values().map(|lying| lying.usage.bytes);
            let share = between.used(uses.chain([carried]));
            self.account(owner)?.share = share;
            self.whole().share.moved(claimed, share.claimed());
        }
        Ok(())
    }

    fn retry(&self, now: Age) -> Result<u32, MailError<T::Error>> {
        let first = self.tables.scan(Table::CustodyExpiry, &[], &rows::end(&[]), 1);
        let ends = match first.map_err(MailError::Store)?.first() {
            Some((key, _)) => rows::ends(key)?.since(now),
            None => u64::MAX,
        };
        Ok(u32::try_from(ends).unwrap_or(RETRY).clamp(RETRY_SOONEST, RETRY))
    }
}

/// Somebody who comes back fetches all that is here within minutes: what was full may have room a quarter of an hour later.
const RETRY: u32 = 900;
/// Something ends sooner than that; but nobody has to ask every second.
const RETRY_SOONEST: u32 = 60;
/// It would not fit into an empty queue. Limits change, but not often.
const RETRY_NEVER_FITS: u32 = 86_400;

impl<V: Encode<()> + for<'b> Decode<'b, ()> + PartialEq> Row<V> {
    fn store<T: Tables>(&self, tables: &mut T, table: Table, key: &[u8]) -> Result<(), MailError<T::Error>> {
        match &self.now {
            now if *now == self.was => Ok(()),
            Some(now) => rows::write(tables, table, key, now),
            None => rows::remove(tables, table, key),
        }
    }
}
