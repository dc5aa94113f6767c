//! What is refused, and that it changes nothing.

use super::*;
use crate::mailbox::wire::{MAX_BLOB, MAX_LIFETIME};

/// The answer, and that nothing changed.
fn refused(tables: &Memory, owner: u8, put: &Put) -> Answer {
    let mut after = tables.clone();
    let answer = leave(&mut after, &WIDE, owner, put);
    assert_eq!(&after, tables, "{answer:?}");
    answer
}

#[test]
fn what_is_for_strangers_is_denied_like_what_has_a_wrong_mac() {
    let mut tables = one();
    assert!(register(&mut tables, &friend(2), &queues([2]), &[device(2)], MOST).unwrap());
    let good = put(1, 1, 600);
    assert_eq!(refused(&tables, 1, &put(7, 1, 600)), Answer::Denied, "no such queue");
    assert_eq!(refused(&tables, 2, &good), Answer::Denied, "another's queue, through one's own door");
    assert_eq!(refused(&tables, 9, &good), Answer::Denied, "nobody's door");
    for at in 0..32 {
        let mut mac = good.mac;
        mac[at] ^= 1;
        assert_eq!(refused(&tables, 1, &Put { mac, ..good.clone() }), Answer::Denied);
    }
    assert_eq!(refused(&tables, 1, &Put { lifetime: good.lifetime + 1, ..good.clone() }), Answer::Denied);
    assert_eq!(refused(&tables, 1, &Put { hash: hash(b"other"), ..good.clone() }), Answer::Denied);
    let anothers = put(2, 1, 600);
    assert_eq!(refused(&tables, 1, &Put { queue: id(1), ..anothers }), Answer::Denied);
}

#[test]
fn sizes_come_before_everything_and_the_hash_after_the_mac() {
    let tables = one();
    let sized = |length| put(1, 1, length);
    let lives = |lifetime| put_of(1, lifetime, blob(1, 600));
    for put in [sized(0), sized(MAX_BLOB + 1), lives(0), lives(MAX_LIFETIME + 1), lives(u32::MAX)] {
        assert_eq!(refused(&tables, 1, &put), Answer::Malformed);
        let wrong = Put { mac: [0; 32], queue: id(7), ..put };
        assert_eq!(refused(&tables, 1, &wrong), Answer::Malformed, "whoever may leave something or not");
    }
    for put in [sized(1), sized(MAX_BLOB), lives(1), lives(MAX_LIFETIME)] {
        assert_eq!(leave(&mut one(), &WIDE, 1, &put), Answer::Stored);
    }
    let other = Put { blob: blob(2, 600), ..sized(600) };
    assert_eq!(refused(&tables, 1, &other), Answer::Malformed);
    assert_eq!(refused(&tables, 1, &Put { mac: [0; 32], ..other }), Answer::Denied);
}

#[test]
fn a_replay_is_told_that_it_is_stored_and_stores_nothing() {
    let mut tables = one();
    let first = put(1, 1, 600);
    assert_eq!(leave(&mut tables, &WIDE, 1, &first), Answer::Stored);
    assert_eq!(refused(&tables, 1, &first), Answer::Stored, "it lies here");
    let longer = put_of(1, MAX_LIFETIME, blob(1, 600));
    assert_eq!(refused(&tables, 1, &longer), Answer::Stored, "nor does it last longer by it");
    assert_eq!(acknowledge(&mut tables, NOW, &friend(1), &device(1), &[1]).unwrap(), 1);
    assert_eq!(refused(&tables, 1, &first), Answer::Stored, "it was fetched");
    assert_eq!(arrivals(&tables, 1, 1), [0; 0]);
    let full = Limits { queue_items: 0, ..WIDE };
    assert_eq!(leave(&mut tables, &full, 1, &first), Answer::Stored, "and is so where there is no room");
    assert_eq!(leave(&mut tables, &WIDE, 1, &put(1, 2, 600)), Answer::Stored);
    assert_eq!(arrivals(&tables, 1, 1), [2], "no arrival is given twice");
}

#[test]
fn the_same_in_two_queues_is_two() {
    let mut tables = Memory::default();
    assert!(register(&mut tables, &friend(1), &queues([1, 2]), &[device(1)], MOST).unwrap());
    assert!(register(&mut tables, &friend(2), &queues([3]), &[device(1)], MOST).unwrap());
    for (owner, nth) in [(1, 1), (1, 2), (2, 3)] {
        assert_eq!(leave(&mut tables, &WIDE, owner, &put(nth, 1, 600)), Answer::Stored);
    }
    audit(&tables);
    assert_eq!(acknowledge(&mut tables, NOW, &friend(1), &device(1), &[1]).unwrap(), 1);
    assert_eq!((arrivals(&tables, 1, 1), arrivals(&tables, 2, 1)), (vec![2], vec![3]));
}

#[test]
fn others_and_unknown_arrivals_are_passed_over() {
    let mut tables = one();
    assert!(register(&mut tables, &friend(2), &queues([2]), &[device(1)], MOST).unwrap());
    assert_eq!(leave(&mut tables, &WIDE, 1, &put(1, 1, 600)), Answer::Stored);
    let before = tables.clone();
    let forged = [0, 1, 1, 2, u64::MAX - 1, u64::MAX];
    assert_eq!(acknowledge(&mut tables, NOW, &friend(2), &device(1), &forged).unwrap(), 0);
    assert_eq!(acknowledge(&mut tables, NOW, &friend(3), &device(1), &forged).unwrap(), 0);
    assert_eq!(acknowledge(&mut tables, NOW, &friend(1), &device(7), &forged).unwrap(), 0);
    assert_eq!(tables, before);
    for arrival in forged {
        assert_eq!(get(&tables, &friend(2), arrival).unwrap(), None);
    }
    assert_eq!(acknowledge(&mut tables, NOW, &friend(1), &device(1), &forged).unwrap(), 1);
    audit(&tables);
}

#[test]
fn memories_are_bounded_and_another_gives_way_for_one() {
    let mut tables = Memory::default();
    assert!(register(&mut tables, &friend(1), &queues(1..=64), &[device(1)], MOST).unwrap());
    let most = REMEMBERED / 64;
    let fetch = |tables: &mut Memory, number| {
        let put = put(1, number, 600);
        assert_eq!(leave(tables, &WIDE, 1, &put), Answer::Stored);
        let arrivals = arrivals(tables, 1, 1);
        assert_eq!(acknowledge(tables, NOW, &friend(1), &device(1), &arrivals).unwrap(), 1);
        assert_eq!(leave(tables, &WIDE, 1, &put), Answer::Stored);
        assert_eq!(held(tables).unwrap(), [], "the latest is remembered: {number}");
    };
    (0..most + 50).for_each(|number| fetch(&mut tables, number));
    audit(&tables);
    let mut again = 0;
    for number in 0..most + 50 {
        assert_eq!(leave(&mut tables, &WIDE, 1, &put(1, number, 600)), Answer::Stored);
        again = held(&tables).unwrap().first().map_or(0, |(_, usage)| usage.items);
    }
    assert_eq!(again, 50, "as many as gave way");
    audit(&tables);
}
