//! Clearing away: what is over, and what was fetched.

use super::ledger::{Ledger, Of};
use super::rows::{self, Kept, Over, Trace};
use super::{REMEMBERED, room};
use crate::crypto::keys::AccountId;
use crate::mailbox::wire::{BlobHash, QueueId};
use crate::mailbox::{Age, MailError, Table, Tables};

/// How many entries of a queue are looked at for one whose memory gives way.
const LOOK: usize = 16;

impl<T: Tables> Ledger<'_, T> {
    /// As [`expire`](super::expire), one of several in a transaction.
    pub fn expire(&mut self, now: Age, most: usize) -> Result<usize, MailError<T::Error>> {
        let to = rows::ending(now.after(1), 0);
        let due = self.tables.scan(Table::CustodyExpiry, &[], &to, most).map_err(MailError::Store)?;
        for (key, value) in &due {
            let (ends, arrival) = (rows::ends(key)?, rows::arrival(key)?);
            match rows::parse("an end in custody", value)? {
                Over::Mail(queue, hash) => self.is_over(&queue, &hash, ends, arrival)?,
                Over::Carried => self.carried_over(arrival)?,
            }
            // Whatever it was of: what is left of it would be met again and again.
            rows::remove(self.tables, Table::CustodyExpiry, key)?;
        }
        Ok(due.len())
    }

    fn is_over(
        &mut self,
        queue: &QueueId,
        hash: &BlobHash,
        ends: Age,
        arrival: u64,
    ) -> Result<(), MailError<T::Error>> {
        let registered = self.registered(queue)?;
        let owner = registered.ok_or(MailError::Damaged("an end in custody without a queue"))?.owner;
        match rows::trace(self.tables, queue, hash)? {
            Some(Trace::Live(lies)) if lies == arrival => {
                let kept = rows::kept(self.tables, &owner, arrival)?;
                let kept = kept.ok_or(MailError::Damaged("an end in custody without what ends"))?;
                self.delete(&owner, arrival, &kept)
            }
            Some(Trace::Gone(_, lay)) if lay == arrival => self.forget(&owner, queue, hash, ends, arrival),
            _ => Ok(()),
        }
    }

    /// Takes something out with all that is known of it.
    pub(super) fn delete(
        &mut self,
        owner: &AccountId,
        arrival: u64,
        kept: &Kept,
    ) -> Result<(), MailError<T::Error>> {
        self.take_out(owner, arrival, kept)?;
        rows::remove(self.tables, Table::CustodyByHash, &rows::hashed(&kept.queue, &kept.hash))?;
        rows::remove(self.tables, Table::CustodyExpiry, &rows::ending(kept.ends, arrival))
    }

    /// Takes something out that was fetched, and remembers until its end that it was here.
    pub(super) fn fetched(
        &mut self,
        now: Age,
        owner: &AccountId,
        arrival: u64,
        kept: &Kept,
    ) -> Result<(), MailError<T::Error>> {
        if kept.ends <= now || !self.may_remember(owner, kept)? {
            return self.delete(owner, arrival, kept);
        }
        self.take_out(owner, arrival, kept)?;
        let gone = Trace::Gone(kept.ends, arrival);
        let hashed = rows::hashed(&kept.queue, &kept.hash);
        rows::write(self.tables, Table::CustodyByHash, &hashed, &gone)?;
        let gone = &mut self.lying(owner, &kept.queue)?.gone;
        *gone = gone.checked_add(1).ok_or(MailError::Damaged("what a queue remembers"))?;
        Ok(())
    }

    fn take_out(&mut self, owner: &AccountId, arrival: u64, kept: &Kept) -> Result<(), MailError<T::Error>> {
        rows::remove(self.tables, Table::CustodyBlobs, &arrival.to_be_bytes())?;
        rows::remove(self.tables, Table::CustodyByOwner, &rows::owned(owner, arrival))?;
        let size = usize::try_from(kept.size).unwrap_or(usize::MAX);
        self.went(owner, Of::Queue(&kept.queue), room(size))
    }

    /// Whether one more may be remembered. Where the queue remembers all that it may, another one gives way: which, is as random as hashes are.
    fn may_remember(&mut self, owner: &AccountId, kept: &Kept) -> Result<bool, MailError<T::Error>> {
        let most = REMEMBERED / self.account(owner)?.queues.max(1);
        if self.lying(owner, &kept.queue)?.gone < most {
            return Ok(true);
        }
        let (first, here) = (kept.queue.0.to_vec(), rows::hashed(&kept.queue, &kept.hash));
        for (from, to) in [(&here, &rows::end(&first)), (&first, &here)] {
            let found = self.tables.scan(Table::CustodyByHash, from, to, LOOK).map_err(MailError::Store)?;
            for (key, value) in found {
                if let Trace::Gone(until, arrival) = rows::parse("a hash in custody", &value)? {
                    self.forget(owner, &kept.queue, &rows::hash(&key)?, until, arrival)?;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// It is not remembered any more that this was here.
    pub(super) fn forget(
        &mut self,
        owner: &AccountId,
        queue: &QueueId,
        hash: &BlobHash,
        until: Age,
        arrival: u64,
    ) -> Result<(), MailError<T::Error>> {
        rows::remove(self.tables, Table::CustodyByHash, &rows::hashed(queue, hash))?;
        rows::remove(self.tables, Table::CustodyExpiry, &rows::ending(until, arrival))?;
        let gone = &mut self.lying(owner, queue)?.gone;
        *gone = gone.checked_sub(1).ok_or(MailError::Damaged("what a queue remembers"))?;
        Ok(())
    }
}
