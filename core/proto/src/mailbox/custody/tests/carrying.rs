//! What is carried for friends.

use super::*;
use crate::mailbox::wire::MAX_BLOB;
use crate::place::{Locator, PlaceTag};

fn carry(to: u8, number: u64) -> Carry {
    Carry { host: host(to), put: put(9, number, 700) }
}

fn takes(tables: &mut Memory, limits: &Limits, by: u8, carry: &Carry) -> Answer {
    let answer = take_to_carry(tables, NOW, limits, &friend(by), carry).unwrap();
    audit(tables);
    answer
}

#[test]
fn it_is_carried_until_it_is_over() {
    let mut tables = one();
    assert_eq!(leave(&mut tables, &WIDE, 1, &put(1, 1, 600)), Answer::Stored);
    for number in 1..=3 {
        assert_eq!(takes(&mut tables, &WIDE, 1, &carry(5, number)), Answer::Stored);
    }
    let all = carried(&tables, 0, 10).unwrap();
    assert_eq!(all, [(2, carry(5, 1)), (3, carry(5, 2)), (4, carry(5, 3))]);
    assert_eq!(carried(&tables, 3, 1).unwrap(), [(3, carry(5, 2))]);
    assert_eq!(carried(&tables, u64::MAX, 1).unwrap(), []);
    assert_eq!(carried_by_host(&tables).unwrap(), BTreeMap::from([([5; 32], vec![2, 3, 4])]));
    for (number, left) in [(3, 2), (3, 2), (1, 2), (u64::MAX, 2), (2, 1)] {
        carried_over(&mut tables, number).unwrap();
        audit(&tables);
        assert_eq!(carried(&tables, 0, 10).unwrap().len(), left);
    }
    assert_eq!(arrivals(&tables, 1, 1), [1], "mail is not what is carried");
    assert_eq!(expire(&mut tables, NOW.after(7 * DAY - 1), 10).unwrap(), 0);
    assert_eq!(expire(&mut tables, NOW.after(7 * DAY), 10).unwrap(), 2);
    assert_eq!((carried(&tables, 0, 10).unwrap(), total(&tables).unwrap()), (Vec::new(), 0));
    audit(&tables);
}

#[test]
fn it_is_taken_once_by_who_asks_where_to_and_hash() {
    let mut tables = Memory::default();
    assert_eq!(takes(&mut tables, &WIDE, 1, &carry(5, 1)), Answer::Stored);
    let before = tables.clone();
    let again = Carry { host: HostEntry { name: "other".to_owned(), ..host(5) }, ..carry(5, 1) };
    assert_eq!(takes(&mut tables, &WIDE, 1, &again), Answer::Stored);
    assert_eq!(tables, before);
    // With a mac that the host will not take, from somebody who would like the good one not to be carried.
    let wrong = Carry { put: Put { mac: [0; 32], ..put(9, 1, 700) }, ..carry(5, 1) };
    assert_eq!(takes(&mut tables, &WIDE, 2, &wrong), Answer::Stored);
    assert_eq!(takes(&mut tables, &WIDE, 1, &carry(6, 1)), Answer::Stored);
    assert_eq!(carried(&tables, 0, 10).unwrap().len(), 3);
    // What is over and not cleared away yet may come again.
    let late = take_to_carry(&mut tables, NOW.after(7 * DAY), &WIDE, &friend(1), &carry(5, 1)).unwrap();
    audit(&tables);
    assert_eq!(late, Answer::Stored);
    assert_eq!(carried(&tables, 2, 10).unwrap().last().unwrap().0, 4);
    assert_eq!(expire(&mut tables, NOW.after(7 * DAY), 10).unwrap(), 2);
}

#[test]
fn it_counts_as_the_friends_own_and_neither_floods_the_other() {
    let limits = Limits { total: 16_000_000, friend: 1_000_000, queue: 1_000_000, friends: 8, ..WIDE };
    let size = crate::codec::encode(&carry(5, 1000)).len() as u64;
    let floods = |tables: &mut Memory| {
        let mut takes = |number| take_to_carry(tables, NOW, &limits, &friend(1), &carry(5, number)).unwrap();
        let taken = (0..).find(|number| takes(*number) != Answer::Stored).unwrap();
        audit(tables);
        taken
    };
    // Two share: the queue and what is carried.
    let mut tables = one();
    assert_eq!(floods(&mut tables), 750_000 / size);
    let left = (0..).find(|number| leave(&mut tables, &limits, 1, &put(1, *number, 1000)) != Answer::Stored);
    assert_eq!(left, Some(250));
    let mut tables = one();
    let left = (0..).find(|number| leave(&mut tables, &limits, 1, &put(1, *number, 1000)) != Answer::Stored);
    assert_eq!((left, floods(&mut tables)), (Some(750), 250_000 / size));
}

#[test]
fn what_is_not_as_it_should_be_is_not_taken() {
    let good = carry(5, 1);
    let named = |length| HostEntry { name: "n".repeat(length), ..host(5) };
    let point = crate::mailbox::wire::HostPoint {
        locator: Locator::new("dir", "/a").unwrap(),
        tag: PlaceTag([1; 8]),
    };
    let points = |count| HostEntry { points: vec![point.clone(); count], ..host(5) };
    for host in [named(65), points(3)] {
        let mut tables = Memory::default();
        assert_eq!(takes(&mut tables, &WIDE, 1, &Carry { host, ..good.clone() }), Answer::Malformed);
        assert_eq!(tables, Memory::default());
    }
    // One without a name is the recipient itself.
    for host in [named(0), named(1), named(64), points(2)] {
        assert_eq!(takes(&mut Memory::default(), &WIDE, 1, &Carry { host, ..good.clone() }), Answer::Stored);
    }
    let other = Put { blob: blob(2, 700), ..good.put.clone() };
    for put in [put(9, 1, 0), put(9, 1, MAX_BLOB + 1), put_of(9, 0, blob(1, 9)), other] {
        assert_eq!(
            takes(&mut Memory::default(), &WIDE, 1, &Carry { put, ..good.clone() }),
            Answer::Malformed
        );
    }
}
