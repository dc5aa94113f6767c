//! Which queues and devices an owner has.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::Ledger;
use super::rows::{self, Registered, Trace};
use super::{MOST_DEVICES, STEP};
use crate::crypto::keys::{AccountId, DeviceId};
use crate::mailbox::wire::{Queue, QueueId};
use crate::mailbox::{Age, MailError, Table, Tables};

impl<T: Tables> Ledger<'_, T> {
    pub(super) fn registered(&self, queue: &QueueId) -> Result<Option<Registered>, MailError<T::Error>> {
        rows::read(self.tables, Table::CustodyQueues, &queue.0, "a queue in custody")
    }

    /// As [`register`](super::register), one of several in a transaction.
    pub fn register(
        &mut self,
        owner: &AccountId,
        queues: &[Queue],
        devices: &[DeviceId],
        most: usize,
    ) -> Result<bool, MailError<T::Error>> {
        let known: BTreeSet<_> = self.queues(owner)?.into_keys().collect();
        let named: BTreeSet<_> = queues.iter().map(|queue| queue.id).collect();
        for gone in known.difference(&named) {
            self.drop_queue(owner, gone)?;
        }
        let mut taken: BTreeMap<_, _> = BTreeMap::new();
        let mut all = true;
        // Those that are here have their place before new ones.
        let here = queues.iter().filter(|queue| known.contains(&queue.id));
        let new = queues.iter().filter(|queue| !known.contains(&queue.id));
        for queue in here.chain(new) {
            if let Some(key) = taken.get(&queue.id) {
                all &= *key == &queue.key;
                continue;
            }
            let is_known = known.contains(&queue.id);
            let before = self.registered(&queue.id)?;
            if before.as_ref().is_some_and(|before| before.owner != *owner)
                || (!is_known && taken.len() >= most)
            {
                all = false;
                continue;
            }
            let registered = Registered { owner: *owner, key: queue.key.clone() };
            if before.as_ref() != Some(&registered) {
                rows::write(self.tables, Table::CustodyQueues, &queue.id.0, &registered)?;
            }
            if !is_known {
                self.queue_is(owner, &queue.id, true)?;
            }
            taken.insert(queue.id, &queue.key);
        }
        all &= self.devices_are(owner, devices)?;
        Ok(all)
    }

    fn devices_are(&mut self, owner: &AccountId, devices: &[DeviceId]) -> Result<bool, MailError<T::Error>> {
        let mut taken: Vec<DeviceId> = Vec::new();
        let mut all = true;
        for device in devices {
            if taken.contains(device) {
                continue;
            }
            if taken.len() >= MOST_DEVICES {
                all = false;
                break;
            }
            taken.push(*device);
        }
        taken.sort_unstable();
        let before = std::mem::replace(&mut self.account(owner)?.devices, taken.clone());
        let holds_up_less = before.iter().any(|device| !taken.contains(device));
        if holds_up_less && !taken.is_empty() {
            self.delete_what_all_have(owner, &taken)?;
        }
        Ok(all)
    }

    /// Without a device that held it up, all that the others have goes.
    fn delete_what_all_have(
        &mut self,
        owner: &AccountId,
        devices: &[DeviceId],
    ) -> Result<(), MailError<T::Error>> {
        let mut from = owner.0.to_vec();
        loop {
            let found = self
                .tables
                .scan(Table::CustodyByOwner, &from, &rows::end(&owner.0), STEP)
                .map_err(MailError::Store)?;
            let Some((last, _)) = found.last() else { return Ok(()) };
            from = [&last[..], &[0]].concat();
            for (key, value) in &found {
                let kept: rows::Kept = rows::parse("what lies in custody", value)?;
                if devices.iter().all(|device| kept.having.contains(device)) {
                    // What is over already is remembered for nothing, until it is cleared away.
                    self.fetched(Age::default(), owner, rows::arrival(key)?, &kept)?;
                }
            }
        }
    }

    /// Takes a queue away with all that lies in it.
    fn drop_queue(&mut self, owner: &AccountId, queue: &QueueId) -> Result<(), MailError<T::Error>> {
        while self.empty_queue(owner, queue, STEP)? == STEP {}
        rows::remove(self.tables, Table::CustodyQueues, &queue.0)?;
        self.queue_is(owner, queue, false)
    }

    /// Takes out what lies in a queue and what it remembers, at most so much; how much that was.
    fn empty_queue(
        &mut self,
        owner: &AccountId,
        queue: &QueueId,
        most: usize,
    ) -> Result<usize, MailError<T::Error>> {
        let found = self
            .tables
            .scan(Table::CustodyByHash, &queue.0, &rows::end(&queue.0), most)
            .map_err(MailError::Store)?;
        for (key, value) in &found {
            match rows::parse("a hash in custody", value)? {
                Trace::Live(arrival) => {
                    let kept = rows::kept(self.tables, owner, arrival)?;
                    let kept = kept.ok_or(MailError::Damaged("a hash in custody without what it is of"))?;
                    self.delete(owner, arrival, &kept)?;
                }
                Trace::Gone(until, arrival) => {
                    self.forget(owner, queue, &rows::hash(key)?, until, arrival)?;
                }
            }
        }
        Ok(found.len())
    }

    /// As [`turn_out`](super::turn_out), one of several in a transaction.
    pub fn turn_out(&mut self, owner: &AccountId, most: usize) -> Result<bool, MailError<T::Error>> {
        let mut left = most.max(1);
        for queue in self.queues(owner)?.into_keys() {
            let went = self.empty_queue(owner, &queue, left)?;
            left -= went.min(left);
            if left == 0 {
                return Ok(false);
            }
            self.drop_queue(owner, &queue)?;
        }
        let asked = rows::asked(owner);
        let carried = self
            .tables
            .scan(Table::CustodyCarried, &asked, &rows::end(&asked), left)
            .map_err(MailError::Store)?;
        for (_, number) in &carried {
            self.carried_over(rows::arrival(number)?)?;
        }
        if carried.len() == left {
            return Ok(false);
        }
        self.account(owner)?.devices.clear();
        Ok(true)
    }
}
