#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod abuse;
mod audit;
mod carrying;
mod damage;
mod fetching;
mod lifetimes;
mod model;
mod queues;
mod sharing;

use audit::audit;

use super::*;
use crate::crypto::{Secret, sha256};
use crate::mailbox::tables::Memory;
use crate::mailbox::wire::{BlobHash, HostEntry, QueueId};

const NOW: Age = Age(1_000_000);
const DAY: u64 = 86_400;
const MOST: usize = 64;

/// Room for whatever a test that is not about room does.
const WIDE: Limits = Limits {
    total: 1 << 40,
    friend: 1 << 36,
    queue: 1 << 30,
    queue_items: 1 << 20,
    lifetime: 30 * 86_400,
    friends: 8,
};

fn friend(nth: u8) -> AccountId {
    AccountId([nth; 32])
}

fn device(nth: u8) -> DeviceId {
    DeviceId([nth; 16])
}

fn key(nth: u8) -> Secret {
    Secret::new([nth; 32])
}

fn id(nth: u8) -> QueueId {
    QueueId([nth; 16])
}

/// The `nth` queue, with the key that goes with it in all tests.
fn queue(nth: u8) -> Queue {
    Queue { id: id(nth), key: key(nth) }
}

fn queues(which: impl IntoIterator<Item = u8>) -> Vec<Queue> {
    which.into_iter().map(queue).collect()
}

/// A blob of this length, another for each number.
fn blob(number: u64, length: usize) -> Vec<u8> {
    number.to_be_bytes().into_iter().cycle().take(length).collect()
}

fn hash(blob: &[u8]) -> BlobHash {
    BlobHash(sha256(&[blob]))
}

fn put_of(nth: u8, lifetime: u32, blob: Vec<u8>) -> Put {
    let hash = hash(&blob);
    Put { queue: id(nth), hash, lifetime, mac: mac(&key(nth), &id(nth), &hash, lifetime), blob }
}

/// What may be left in the `nth` queue, for a week.
fn put(nth: u8, number: u64, length: usize) -> Put {
    put_of(nth, 7 * 86_400, blob(number, length))
}

fn leave(tables: &mut Memory, limits: &Limits, owner: u8, put: &Put) -> Answer {
    deposit(tables, NOW, limits, &friend(owner), put).unwrap()
}

fn arrivals(tables: &Memory, owner: u8, by: u8) -> Vec<u64> {
    let listed = list(tables, &friend(owner), &device(by), 0, usize::MAX).unwrap();
    listed.iter().map(|listed| listed.arrival).collect()
}

/// Friend 1 with the device 1 and queue 1.
fn one() -> Memory {
    let mut tables = Memory::default();
    assert!(register(&mut tables, &friend(1), &queues([1]), &[device(1)], MOST).unwrap());
    tables
}

fn host(nth: u8) -> HostEntry {
    HostEntry {
        guest: [nth; 32],
        secret: key(nth),
        name: "Hanna".to_owned(),
        points: Vec::new(),
        candidates: crate::place::Candidates::default(),
    }
}

fn full(answer: Answer) -> bool {
    matches!(answer, Answer::Full(60..=900))
}

#[test]
fn a_mac_is_hmac_sha256_over_queue_hash_and_lifetime() {
    // Computed by Python's hmac: bytes 00…1f as the key; 16 × 01, 32 × 02, 00 00 0e 10 as the message.
    let key = Secret::new(std::array::from_fn(|at| u8::try_from(at).unwrap()));
    let mac = mac(&key, &QueueId([1; 16]), &BlobHash([2; 32]), 3600);
    assert_eq!(
        data_encoding::HEXLOWER.encode(&mac),
        "0dac4710e9f482c71937ca9028d6c1ca9eec6a1bf77a6ad939a4c59187e00755"
    );
}

#[test]
fn what_is_left_is_listed_given_and_deleted_when_it_is_acknowledged() {
    let mut tables = one();
    let (first, second) = (put(1, 1, 700), put(1, 2, 900));
    assert_eq!(leave(&mut tables, &WIDE, 1, &first), Answer::Stored);
    assert_eq!(leave(&mut tables, &WIDE, 1, &second), Answer::Stored);
    audit(&tables);
    assert_eq!(held(&tables).unwrap(), [(friend(1), Usage { items: 2, bytes: 1600 })]);
    assert_eq!(total(&tables).unwrap(), 1600);
    let listed = list(&tables, &friend(1), &device(1), 0, 10).unwrap();
    let expected = |arrival, put: &Put, size| Listed { arrival, queue: id(1), hash: put.hash, size };
    assert_eq!(listed, [expected(1, &first, 700), expected(2, &second, 900)]);
    assert_eq!(get(&tables, &friend(1), 2).unwrap(), Some(second.blob));
    assert_eq!(acknowledge(&mut tables, NOW, &friend(1), &device(1), &[1]).unwrap(), 1);
    audit(&tables);
    assert_eq!(arrivals(&tables, 1, 1), [2]);
    assert_eq!(get(&tables, &friend(1), 1).unwrap(), None);
}

#[test]
fn a_ledger_does_several_as_each_alone_would() {
    let (mut alone, mut together) = (one(), one());
    let limits = Limits { queue_items: 5, ..WIDE };
    let puts: Vec<_> = [1, 2, 2, 3, 4, 1, 5, 6].map(|number| put(1, number, 600)).into();
    let each: Vec<_> = puts.iter().map(|put| leave(&mut alone, &limits, 1, put)).collect();
    let mut ledger = Ledger::open(&mut together).unwrap();
    let all: Vec<_> = puts.iter().map(|put| ledger.deposit(NOW, &limits, &friend(1), put).unwrap()).collect();
    ledger.close().unwrap();
    assert_eq!(each, all);
    assert_eq!(alone, together);
    audit(&together);
}
