//! The host's side: what friends' friends leave here for friends, by queue, within bounds, until it is fetched or over.
//!
//! An **owner** is a friend who has a mailbox here. It registers queues, each with a key, and its devices. Whoever comes through the owner's door leaves something in one of them by showing a mac
//! under its key, which tells the host that it may, and nothing of who it is. The owner's devices list what lies here, get it and acknowledge it; what all of them have is deleted, and until its
//! lifetime is over the host remembers by its hash that it was here, so that whoever leaves it again is told that it is stored.
//!
//! What a friend has us **carry** lies here too, and counts as its own.
//!
//! Each function is one transaction's work, so that a crash leaves all of it or nothing. [`Ledger`] does several in one.
//!
//! How room is shared, and why a flood takes nothing of what others are due, is in `custody/fairness.rs` and section 17.2.3 of the protocol; how the tables are laid out, in
//! `custody/rows.rs`.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::wire::{Answer, Carry, Listed, Put, Queue};
use super::{Age, MailError, Read, Tables};
use crate::crypto::keys::{AccountId, DeviceId};

mod carry;
mod clearing;
mod deposit;
mod fairness;
mod fetch;
mod ledger;
mod queues;
mod rows;

pub use deposit::{check, mac};
pub use ledger::Ledger;

/// The least that anything counts as, in bytes: what its entries in the tables take. A blob that is sealed as it should be is longer.
pub const LEAST: u64 = 512;
/// The most devices of an owner: as many as a roster names.
pub const MOST_DEVICES: usize = 8;
/// How many blobs of an owner are remembered that were fetched and deleted, divided by the number of its queues for each of them. Beyond that one of the same queue is forgotten for one that is
/// remembered, as random as hashes are: if that one is left here again it is stored again, takes room, and is fetched again by a recipient who takes it in once.
pub const REMEMBERED: u64 = 65_536;
/// How many entries are looked at at a time, for the sake of memory.
const STEP: usize = 256;

/// What keeping mail may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For everybody together, in bytes.
    pub total: u64,
    /// For one friend, in bytes.
    pub friend: u64,
    /// In one queue, in bytes. What a friend has us carry counts as one queue.
    pub queue: u64,
    /// In one queue.
    pub queue_items: u64,
    /// For how long, in seconds.
    pub lifetime: u32,
    /// Between how many friends the whole is shared: those who may have a mailbox here.
    pub friends: u32,
}

/// What lies here for one friend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Usage {
    /// Blobs.
    #[n(0)]
    pub items: u64,
    /// Their bytes, each counted as at least [`LEAST`].
    #[n(1)]
    pub bytes: u64,
}

/// What something of this length counts as.
fn room(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX).max(LEAST)
}

/// These are all queues and devices of an owner from now on. Those that are gone go with all that lies in them. Whether all were taken: not more than `most` queues and [`MOST_DEVICES`] devices are, those
/// that are registered already before new ones; nor is a queue that is somebody else's, or that is named twice with two keys.
///
/// What waited only for a device that is gone is deleted. What was deleted does not come back for a device that is new. Without devices nothing is acknowledged.
pub fn register<T: Tables>(
    tables: &mut T,
    owner: &AccountId,
    queues: &[Queue],
    devices: &[DeviceId],
    most: usize,
) -> Result<bool, MailError<T::Error>> {
    within(tables, |ledger| ledger.register(owner, queues, devices, most))
}

/// Keeps something for the owner whose guests' door it came through.
///
/// In this order: blob and lifetime are of lengths that may be (else [`Answer::Malformed`]); the queue is the owner's and the mac good (else [`Answer::Denied`]); the hash is the blob's (else
/// `Malformed`); it lies here, or was fetched and deleted and its lifetime is not over ([`Answer::Stored`], and nothing changes); there is room (else [`Answer::Full`]).
pub fn deposit<T: Tables>(
    tables: &mut T,
    now: Age,
    limits: &Limits,
    owner: &AccountId,
    put: &Put,
) -> Result<Answer, MailError<T::Error>> {
    within(tables, |ledger| ledger.deposit(now, limits, owner, put))
}

/// What lies here for an owner's device that it has not acknowledged, after an arrival, in order.
pub fn list<R: Read>(
    tables: &R,
    owner: &AccountId,
    device: &DeviceId,
    after: u64,
    most: usize,
) -> Result<Vec<Listed>, MailError<R::Error>> {
    fetch::list(tables, owner, device, after, most)
}

/// A blob of the owner's; `None` where nothing of this arrival lies here for it.
pub fn get<R: Read>(
    tables: &R,
    owner: &AccountId,
    arrival: u64,
) -> Result<Option<Vec<u8>>, MailError<R::Error>> {
    fetch::get(tables, owner, arrival)
}

/// A device of the owner's has these on its disk. Those that all of its devices have are deleted; others' and unknown ones are passed over, and so is all that a device says which is not registered.
/// How many went.
pub fn acknowledge<T: Tables>(
    tables: &mut T,
    now: Age,
    owner: &AccountId,
    device: &DeviceId,
    arrivals: &[u64],
) -> Result<u64, MailError<T::Error>> {
    within(tables, |ledger| ledger.acknowledge(now, owner, device, arrivals))
}

/// Deletes what is over, carried things and memories of what was fetched too, at most so many; how many went. To be called until nothing goes.
pub fn expire<T: Tables>(tables: &mut T, now: Age, most: usize) -> Result<usize, MailError<T::Error>> {
    within(tables, |ledger| ledger.expire(now, most))
}

/// Deletes an owner with all that lies here for it and all that it has us carry, in steps of at most `most` entries, at least one; whether it is done. The owner and its door are not to be served
/// any more from before the first step on.
pub fn turn_out<T: Tables>(
    tables: &mut T,
    owner: &AccountId,
    most: usize,
) -> Result<bool, MailError<T::Error>> {
    within(tables, |ledger| ledger.turn_out(owner, most))
}

/// Owners for whom something lies here, and how much.
pub fn held<R: Read>(tables: &R) -> Result<Vec<(AccountId, Usage)>, MailError<R::Error>> {
    let accounts = rows::accounts(tables)?.into_iter().map(|(owner, account)| (owner, account.mail));
    Ok(accounts.filter(|(_, mail)| mail.items > 0).collect())
}

/// All of whom anything is known here: who has queues, for whom something lies here, who has something carried.
pub fn owners<R: Read>(tables: &R) -> Result<Vec<AccountId>, MailError<R::Error>> {
    Ok(rows::accounts(tables)?.into_iter().map(|(owner, _)| owner).collect())
}

/// All bytes that lie here and are carried, each thing counted as at least [`LEAST`].
pub fn total<R: Read>(tables: &R) -> Result<u64, MailError<R::Error>> {
    Ok(rows::whole(tables)?.unwrap_or_default().bytes)
}

/// Takes something to carry for a friend, who answers for its room as for its own mailbox. Idempotent by who asks, guest key and hash, while it is carried.
///
/// The mac cannot be looked at here: that is the host's. One friend's asking therefore never counts for another's.
pub fn take_to_carry<T: Tables>(
    tables: &mut T,
    now: Age,
    limits: &Limits,
    by: &AccountId,
    carry: &Carry,
) -> Result<Answer, MailError<T::Error>> {
    within(tables, |ledger| ledger.take_to_carry(now, limits, by, carry))
}

/// What is to be carried, with its number, from a number on.
pub fn carried<R: Read>(
    tables: &R,
    from: u64,
    most: usize,
) -> Result<Vec<(u64, Carry)>, MailError<R::Error>> {
    carry::carried(tables, from, most)
}

/// Numbers of what is carried, by the guest key of the host that it is for.
pub type ByHost = BTreeMap<[u8; 32], Vec<u64>>;

/// The numbers of what is carried, by the guest key of the host that it is for: what is to be looked at before any of it is read.
pub fn carried_by_host<R: Read>(tables: &R) -> Result<ByHost, MailError<R::Error>> {
    carry::carried_by_host(tables)
}

/// It is where it should be, or will never be. A number of nothing changes nothing.
pub fn carried_over<T: Tables>(tables: &mut T, number: u64) -> Result<(), MailError<T::Error>> {
    within(tables, |ledger| ledger.carried_over(number))
}

fn within<T: Tables, V>(
    tables: &mut T,
    work: impl FnOnce(&mut Ledger<'_, T>) -> Result<V, MailError<T::Error>>,
) -> Result<V, MailError<T::Error>> {
    let mut ledger = Ledger::open(tables)?;
    let done = work(&mut ledger)?;
    ledger.close()?;
    Ok(done)
}

#[cfg(test)]
mod tests;
