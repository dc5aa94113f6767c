//! How custody's tables are laid out. Numbers in keys are big-endian, so that keys are in the order of what they say; values are CBOR, but for the blobs.
//!
//! ```text
//! CustodyBlobs     arrival                          blob as it came
//! CustodyByOwner   owner ‖ arrival                  Kept
//! CustodyByHash    queue ‖ hash                     Trace
//! CustodyExpiry    ends ‖ arrival                   Over
//! CustodyQueues    queue                            Registered
//! CustodyOwners    owner                            Account
//!                  owner ‖ queue                    Lying
//! CustodyCarried   00 ‖ arrival                     Borne
//!                  01 ‖ who asked ‖ guest ‖ hash    its arrival
//! CustodyState     "whole"                          Whole
//! ```
//!
//! Arrivals are one count for everything, which only grows: blobs are appended at the end of their table, where that is cheapest.

use minicbor::{Decode, Encode};

use super::Usage;
use super::fairness::Share;
use crate::codec;
use crate::crypto::Secret;
use crate::crypto::keys::{AccountId, DeviceId};
use crate::mailbox::wire::{BlobHash, Carry, QueueId};
use crate::mailbox::{Age, MailError, Read, Table, Tables};

/// What lies here for an owner.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Kept {
    #[n(0)]
    pub(super) queue: QueueId,
    #[n(1)]
    pub(super) hash: BlobHash,
    /// Of the blob, in bytes.
    #[n(2)]
    pub(super) size: u32,
    #[n(3)]
    pub(super) ends: Age,
    /// Which of the owner's devices have it.
    #[n(4)]
    pub(super) having: Vec<DeviceId>,
}

/// What became of a blob that came into a queue.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) enum Trace {
    /// It lies here.
    #[n(0)]
    Live(#[n(0)] u64),
    /// It was fetched and deleted; until when that is remembered, and its arrival.
    #[n(1)]
    Gone(#[n(0)] Age, #[n(1)] u64),
}

/// What ends.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) enum Over {
    /// Mail, or the memory that it was here.
    #[n(0)]
    Mail(#[n(0)] QueueId, #[n(1)] BlobHash),
    /// Something to carry.
    #[n(1)]
    Carried,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Registered {
    #[n(0)]
    pub(super) owner: AccountId,
    #[n(1)]
    pub(super) key: Secret,
}

/// An owner. One that says nothing is not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Account {
    /// Those that acknowledge.
    #[n(0)]
    pub(super) devices: Vec<DeviceId>,
    /// How many there are.
    #[n(1)]
    pub(super) queues: u64,
    /// What lies in them.
    #[n(2)]
    pub(super) mail: Usage,
    /// What it has us carry.
    #[n(3)]
    pub(super) carried: Usage,
    /// How its queues share its room.
    #[n(4)]
    pub(super) share: Share,
}

impl Account {
    pub(super) fn is_empty(&self) -> bool {
        self.devices.is_empty()
            && self.queues == 0
            && self.mail == Usage::default()
            && self.carried == Usage::default()
    }

    /// All bytes that it answers for.
    pub(super) const fn bytes(&self) -> u64 {
        self.mail.bytes.saturating_add(self.carried.bytes)
    }
}

/// What lies in a queue. Each queue of an owner's has one, an empty one too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Lying {
    #[n(0)]
    pub(super) usage: Usage,
    /// How many are remembered that were fetched and deleted.
    #[n(1)]
    pub(super) gone: u64,
}

/// Something to carry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Borne {
    /// Who asked for it.
    #[n(0)]
    pub(super) by: AccountId,
    #[n(1)]
    pub(super) ends: Age,
    #[n(2)]
    pub(super) carry: Carry,
}

/// What there is one of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Whole {
    /// The last arrival that was given.
    #[n(0)]
    pub(super) last: u64,
    /// All that lies here and is carried.
    #[n(1)]
    pub(super) bytes: u64,
    /// How friends share the whole.
    #[n(2)]
    pub(super) share: Share,
}

pub(super) const WHOLE: &[u8] = b"whole";

pub(super) fn owned(owner: &AccountId, arrival: u64) -> Vec<u8> {
    [&owner.0[..], &arrival.to_be_bytes()].concat()
}

pub(super) fn hashed(queue: &QueueId, hash: &BlobHash) -> Vec<u8> {
    [&queue.0[..], &hash.0].concat()
}

pub(super) fn ending(ends: Age, arrival: u64) -> Vec<u8> {
    [ends.0.to_be_bytes(), arrival.to_be_bytes()].concat()
}

pub(super) fn lying(owner: &AccountId, queue: &QueueId) -> Vec<u8> {
    [&owner.0[..], &queue.0].concat()
}

pub(super) fn borne(arrival: u64) -> Vec<u8> {
    [&[0][..], &arrival.to_be_bytes()].concat()
}

/// All that somebody asked to have carried begins with this.
pub(super) fn asked(by: &AccountId) -> Vec<u8> {
    [&[1][..], &by.0].concat()
}

pub(super) fn asked_for(by: &AccountId, carry: &Carry) -> Vec<u8> {
    [&[1][..], &by.0, &carry.host.guest, &carry.put.hash.0].concat()
}

/// The host of something that somebody asked to have carried.
pub(super) fn guest<E>(key: &[u8]) -> Result<[u8; 32], MailError<E>> {
    let guest = key.get(33..65).and_then(|guest| guest.try_into().ok());
    guest.ok_or(MailError::Damaged("a key of what is carried"))
}

/// Behind all keys that begin so: no key here has more than 64 bytes behind what it is looked up by.
pub(super) fn end(prefix: &[u8]) -> Vec<u8> {
    [prefix, &[0xff; 72]].concat()
}

/// The arrival that a key ends with.
pub(super) fn arrival<E>(key: &[u8]) -> Result<u64, MailError<E>> {
    key.last_chunk().map(|bytes| u64::from_be_bytes(*bytes)).ok_or(MailError::Damaged("a key of custody"))
}

/// The hash that a key of `CustodyByHash` ends with.
pub(super) fn hash<E>(key: &[u8]) -> Result<BlobHash, MailError<E>> {
    key.last_chunk().map(|bytes| BlobHash(*bytes)).ok_or(MailError::Damaged("a key of custody's hashes"))
}

/// When what a key of `CustodyExpiry` names ends.
pub(super) fn ends<E>(key: &[u8]) -> Result<Age, MailError<E>> {
    let ends = key.first_chunk().map(|bytes| Age(u64::from_be_bytes(*bytes)));
    ends.ok_or(MailError::Damaged("a key of custody's expiry"))
}

/// The owner and the queue of a key of `CustodyOwners`.
pub(super) fn owner<E>(key: &[u8]) -> Result<(AccountId, Option<QueueId>), MailError<E>> {
    let damaged = || MailError::Damaged("a key of custody's owners");
    let (owner, queue) = key.split_first_chunk().ok_or_else(damaged)?;
    let queue = match queue {
        [] => None,
        queue => Some(QueueId(queue.try_into().map_err(|_| damaged())?)),
    };
    Ok((AccountId(*owner), queue))
}

/// What a value says.
pub(super) fn parse<'b, V: Decode<'b, ()>, E>(
    what: &'static str,
    bytes: &'b [u8],
) -> Result<V, MailError<E>> {
    codec::decode(what, bytes, bytes.len()).map_err(|_| MailError::Damaged(what))
}

/// The value of a key.
pub(super) fn read<R: Read, V: for<'b> Decode<'b, ()>>(
    tables: &R,
    table: Table,
    key: &[u8],
    what: &'static str,
) -> Result<Option<V>, MailError<R::Error>> {
    let found = tables.get(table, key).map_err(MailError::Store)?;
    found.map(|bytes| parse(what, &bytes)).transpose()
}

/// Sets the value of a key.
pub(super) fn write<T: Tables, V: Encode<()>>(
    tables: &mut T,
    table: Table,
    key: &[u8],
    value: &V,
) -> Result<(), MailError<T::Error>> {
    tables.put(table, key, &codec::encode(value)).map_err(MailError::Store)
}

/// Takes a key out.
pub(super) fn remove<T: Tables>(tables: &mut T, table: Table, key: &[u8]) -> Result<(), MailError<T::Error>> {
    tables.remove(table, key).map(|_| ()).map_err(MailError::Store)
}

/// What there is one of.
pub(super) fn whole<R: Read>(tables: &R) -> Result<Option<Whole>, MailError<R::Error>> {
    read(tables, Table::CustodyState, WHOLE, "custody's totals")
}

/// The record of something that lies here.
pub(super) fn kept<R: Read>(
    tables: &R,
    owner: &AccountId,
    arrival: u64,
) -> Result<Option<Kept>, MailError<R::Error>> {
    read(tables, Table::CustodyByOwner, &owned(owner, arrival), "what lies in custody")
}

/// What is known of a blob in a queue.
pub(super) fn trace<R: Read>(
    tables: &R,
    queue: &QueueId,
    hash: &BlobHash,
) -> Result<Option<Trace>, MailError<R::Error>> {
    read(tables, Table::CustodyByHash, &hashed(queue, hash), "a hash in custody")
}

/// The queues of an owner and what lies in them.
pub(super) fn queues<R: Read>(
    tables: &R,
    owner: &AccountId,
) -> Result<Vec<(QueueId, Lying)>, MailError<R::Error>> {
    let found = tables
        .scan(Table::CustodyOwners, &lying(owner, &QueueId([0; 16])), &end(&owner.0), usize::MAX)
        .map_err(MailError::Store)?;
    let mut queues = Vec::with_capacity(found.len());
    for (key, value) in found {
        if let (_, Some(queue)) = self::owner(&key)? {
            queues.push((queue, parse("a queue's usage", &value)?));
        }
    }
    Ok(queues)
}

/// All owners.
pub(super) fn accounts<R: Read>(tables: &R) -> Result<Vec<(AccountId, Account)>, MailError<R::Error>> {
    let (mut accounts, mut from) = (Vec::new(), Vec::new());
    loop {
        // Past the queues of the owner before.
        let mut found = tables.scan(Table::CustodyOwners, &from, &end(&[]), 1).map_err(MailError::Store)?;
        let Some((key, value)) = found.pop() else { return Ok(accounts) };
        let (owner, None) = owner(&key)? else { return Err(MailError::Damaged("a queue without an owner")) };
        accounts.push((owner, parse("an owner in custody", &value)?));
        from = end(&owner.0);
    }
}
