//! The host's side: what friends' friends leave here for friends, by queue, within bounds, until it is fetched or over.

use super::wire::{Answer, BlobHash, Carry, Listed, Put, Queue, QueueId};
use super::{Age, MailError, Read, Tables};
use crate::crypto::Secret;
use crate::crypto::keys::{AccountId, DeviceId};

/// What keeping mail may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For everybody together, in bytes.
    pub total: u64,
    /// For one friend, in bytes.
    pub friend: u64,
    /// In one queue, in bytes.
    pub queue: u64,
    /// In one queue.
    pub queue_items: u64,
    /// For how long, in seconds.
    pub lifetime: u32,
    /// Between how many friends the whole is shared: those who may have a mailbox here.
    pub friends: u32,
}

/// What lies here for one friend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Blobs.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The mac that a [`Put`] carries.
pub fn mac(key: &Secret, queue: &QueueId, hash: &BlobHash, lifetime: u32) -> [u8; 32] {
    let _ = (key, queue, hash, lifetime);
    unimplemented!()
}

/// These are all queues and devices of an owner from now on. Those that are gone go with all that lies in them; not more than `most` queues are taken (the rest are refused: `false`).
pub fn register<T: Tables>(
    tables: &mut T,
    owner: &AccountId,
    queues: &[Queue],
    devices: &[DeviceId],
    most: usize,
) -> Result<bool, MailError<T::Error>> {
    let _ = (tables, owner, queues, devices, most);
    unimplemented!()
}

/// Keeps something for the owner whose guests' door it came through.
pub fn deposit<T: Tables>(
    tables: &mut T,
    now: Age,
    limits: &Limits,
    owner: &AccountId,
    put: &Put,
) -> Result<Answer, MailError<T::Error>> {
    let _ = (tables, now, limits, owner, put);
    unimplemented!()
}

/// What lies here for an owner's device that it has not acknowledged, after an arrival, in order.
pub fn list<R: Read>(
    tables: &R,
    owner: &AccountId,
    device: &DeviceId,
    after: u64,
    most: usize,
) -> Result<Vec<Listed>, MailError<R::Error>> {
    let _ = (tables, owner, device, after, most);
    unimplemented!()
}

/// A blob of the owner's.
pub fn get<R: Read>(
    tables: &R,
    owner: &AccountId,
    arrival: u64,
) -> Result<Option<Vec<u8>>, MailError<R::Error>> {
    let _ = (tables, owner, arrival);
    unimplemented!()
}

/// A device of the owner's has these on its disk. Those that all of its devices have are deleted; others' and unknown ones are passed over. How many went.
pub fn acknowledge<T: Tables>(
    tables: &mut T,
    now: Age,
    owner: &AccountId,
    device: &DeviceId,
    arrivals: &[u64],
) -> Result<u64, MailError<T::Error>> {
    let _ = (tables, now, owner, device, arrivals);
    unimplemented!()
}

/// Deletes what is over, at most so many; how many went. To be called until nothing goes.
pub fn expire<T: Tables>(tables: &mut T, now: Age, most: usize) -> Result<usize, MailError<T::Error>> {
    let _ = (tables, now, most);
    unimplemented!()
}

/// Deletes an owner with all that lies here for it, in steps of at most `most` blobs; whether it is done.
pub fn turn_out<T: Tables>(
    tables: &mut T,
    owner: &AccountId,
    most: usize,
) -> Result<bool, MailError<T::Error>> {
    let _ = (tables, owner, most);
    unimplemented!()
}

/// Owners for whom something lies here, and how much.
pub fn held<R: Read>(tables: &R) -> Result<Vec<(AccountId, Usage)>, MailError<R::Error>> {
    let _ = tables;
    unimplemented!()
}

/// Takes something to carry for a friend, who answers for its room as for its own mailbox. Idempotent by guest key and hash.
pub fn take_to_carry<T: Tables>(
    tables: &mut T,
    now: Age,
    limits: &Limits,
    by: &AccountId,
    carry: &Carry,
) -> Result<Answer, MailError<T::Error>> {
    let _ = (tables, now, limits, by, carry);
    unimplemented!()
}

/// What is to be carried, with its number, from a number on.
pub fn carried<R: Read>(
    tables: &R,
    from: u64,
    most: usize,
) -> Result<Vec<(u64, Carry)>, MailError<R::Error>> {
    let _ = (tables, from, most);
    unimplemented!()
}

/// It is where it should be, or will never be.
pub fn carried_over<T: Tables>(tables: &mut T, number: u64) -> Result<(), MailError<T::Error>> {
    let _ = (tables, number);
    unimplemented!()
}
