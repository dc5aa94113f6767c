#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use super::*;
use crate::codec;
use crate::mailbox::item::{Ordered, Receipt};
use crate::mailbox::outbox::{self, Bounds, Outgoing, Sealed, Sealer};
use crate::mailbox::tables::Memory;
use crate::time::UnixMillis;

const ANN: AccountId = AccountId([7; 32]);
const DAY: u64 = 86_400;
const POLICY: Policy = Policy { copies: 2, doubt: DAY };
const NOW: u64 = 100 * DAY;

struct Plain;

impl Sealer for Plain {
    fn seal(&mut self, item: &Ordered) -> Sealed {
        Sealed::Blob(codec::encode(item))
    }

    fn unlock(&mut self, _: &[u8]) -> Option<Ordered> {
        None
    }
}

/// Messages with the numbers 1, 2, 3 …, accepted at [`NOW`], too large to go everywhere.
fn waiting(count: u64) -> Memory {
    waiting_of(count, &"a".repeat(EVERYWHERE as usize))
}

fn waiting_of(count: u64, text: &str) -> Memory {
    let mut tables = Memory::default();
    let bounds = Bounds { messages: u64::MAX, bytes: u64::MAX, total: u64::MAX };
    for n in 1..=count {
        let message = Outgoing {
            id: u128::from(n).to_be_bytes(),
            to: ANN,
            text: text.into(),
            files: Vec::new(),
            sent: UnixMillis(0),
            lifetime: 30 * DAY,
        };
        outbox::accept(&mut tables, Age(NOW), message, &bounds, &mut Plain).unwrap();
    }
    tables
}

fn host(name: u8) -> Keeper {
    Keeper::Host([name; 32])
}

fn courier(name: u8) -> Keeper {
    Keeper::Courier(AccountId([name; 32]))
}

fn known(keeper: Keeper, seen: Option<u64>) -> Known {
    Known { keeper, seen: seen.map(Age) }
}

fn became(tables: &mut Memory, seq: u64, keeper: Keeper, copy: Copy) {
    placed(tables, &ANN, seq, &keeper, copy).unwrap();
}

fn wanted(tables: &Memory, now: u64, keepers: &[Known]) -> Vec<(u64, Keeper)> {
    let due = due(tables, Age(now), &POLICY, &ANN, keepers, 0, 1_000).unwrap();
    due.into_iter().map(|due| (due.seq, due.keeper)).collect()
}

fn one(tables: &Memory, now: u64, keepers: &[Known]) -> Vec<Keeper> {
    wanted(tables, now, keepers).into_iter().map(|(_, keeper)| keeper).collect()
}

#[test]
fn whoever_was_there_last_is_preferred_and_the_rest_in_the_cards_order() {
    let tables = waiting(1);
    let keepers = [
        known(host(1), None),
        known(host(2), Some(NOW - 9)),
        known(host(3), None),
        known(host(4), Some(NOW)),
    ];
    assert_eq!(one(&tables, NOW, &keepers), [host(4), host(2), host(1), host(3)]);
}

#[test]
fn two_copies_are_enough() {
    let mut tables = waiting(1);
    let keepers = [known(host(1), Some(NOW)), known(host(2), Some(NOW)), known(host(3), None)];
    became(&mut tables, 1, host(1), Copy::Stored(Age(NOW)));
    assert_eq!(one(&tables, NOW, &keepers), [host(2), host(3)]);
    became(&mut tables, 1, host(3), Copy::Stored(Age(NOW)));
    assert!(one(&tables, NOW, &keepers).is_empty());
}

#[test]
fn what_is_small_goes_to_every_host_and_to_no_more_couriers_for_it() {
    let mut tables = waiting_of(1, "text");
    let keepers = [
        known(host(1), Some(NOW)),
        known(host(2), Some(NOW)),
        known(host(3), None),
        known(courier(8), Some(NOW)),
    ];
    for name in [1, 2] {
        became(&mut tables, 1, host(name), Copy::Stored(Age(NOW)));
    }
    assert_eq!(one(&tables, NOW, &keepers), [host(3)]);
    became(&mut tables, 1, host(3), Copy::Stored(Age(NOW)));
    assert!(one(&tables, NOW, &keepers).is_empty());
}

#[test]
fn a_host_that_stays_away_is_made_up_for_until_it_is_back() {
    let mut tables = waiting(1);
    for name in [1, 2] {
        became(&mut tables, 1, host(name), Copy::Stored(Age(NOW)));
    }
    let keepers =
        |seen: [u64; 2]| [known(host(1), Some(seen[0])), known(host(2), Some(seen[1])), known(host(3), None)];
    let later = NOW + DAY - 1;
    assert!(one(&tables, later, &keepers([NOW - DAY, NOW - DAY])).is_empty());
    assert!(one(&tables, later + 1, &keepers([later, later])).is_empty());
    assert_eq!(one(&tables, later + 1, &keepers([later, NOW])), [host(3)]);
    // Two of three are gone for good.
    assert_eq!(one(&tables, later + 1, &keepers([NOW, NOW])), [host(3)]);
    became(&mut tables, 1, host(3), Copy::Stored(Age(later + 1)));
    assert!(one(&tables, later + 1, &keepers([NOW, NOW])).is_empty());
    assert!(one(&tables, later + 9, &keepers([later, NOW])).is_empty());
}

#[test]
fn a_host_that_the_card_names_no_more_does_not_count() {
    let mut tables = waiting(1);
    for name in [1, 2] {
        became(&mut tables, 1, host(name), Copy::Stored(Age(NOW)));
    }
    assert_eq!(one(&tables, NOW, &[known(host(1), None), known(host(3), None)]), [host(3)]);
}

#[test]
fn whoever_refused_is_asked_again_when_its_time_has_come() {
    let mut tables = waiting(1);
    became(&mut tables, 1, host(1), Copy::Full(Age(NOW + 60)));
    became(&mut tables, 1, host(2), Copy::Denied(Age(NOW)));
    let keepers = [known(host(1), Some(NOW)), known(host(2), Some(NOW)), known(host(3), Some(NOW))];
    assert_eq!(one(&tables, NOW + 59, &keepers), [host(3)]);
    assert_eq!(one(&tables, NOW + 60, &keepers), [host(1), host(3)]);
    assert_eq!(one(&tables, NOW + DENIED - 1, &keepers), [host(1), host(3)]);
    assert_eq!(one(&tables, NOW + DENIED, &keepers), [host(1), host(2), host(3)]);
}

#[test]
fn couriers_are_for_who_names_too_few_hosts_or_none_within_reach() {
    let mut tables = waiting(1);
    let couriers = [known(courier(8), Some(NOW)), known(courier(9), None)];
    let with = |hosts: &[Known]| [hosts, &couriers].concat();
    assert_eq!(one(&tables, NOW, &with(&[])), [courier(8), courier(9)]);
    let few = with(&[known(host(1), None)]);
    assert_eq!(one(&tables, NOW, &few), [host(1), courier(8), courier(9)]);
    let enough = with(&[known(host(1), None), known(host(2), Some(NOW - 2 * DAY))]);
    assert_eq!(one(&tables, NOW, &enough), [host(2), host(1)]);
    assert_eq!(one(&tables, NOW + DAY - 1, &enough), [host(2), host(1)]);
    assert_eq!(one(&tables, NOW + DAY, &enough), [host(2), host(1), courier(8), courier(9)]);
    let reached = with(&[known(host(1), None), known(host(2), Some(NOW + 9))]);
    assert_eq!(one(&tables, NOW + DAY, &reached), [host(2), host(1)]);
    // A courier's copy is one.
    became(&mut tables, 1, host(1), Copy::Stored(Age(NOW)));
    became(&mut tables, 1, courier(9), Copy::Stored(Age(NOW)));
    assert!(one(&tables, NOW, &few).is_empty());
}

#[test]
fn a_courier_that_is_the_host_does_not_count_and_is_not_asked_again_soon() {
    let mut tables = waiting(1);
    let keepers = [known(host(1), Some(NOW)), known(courier(8), Some(NOW)), known(courier(9), None)];
    became(&mut tables, 1, host(1), Copy::Stored(Age(NOW)));
    became(&mut tables, 1, courier(8), Copy::AtHost(Age(NOW)));
    assert_eq!(one(&tables, NOW + DAY - 1, &keepers), [courier(9)]);
    assert_eq!(outbox::state(&tables, &1_u128.to_be_bytes()).unwrap().unwrap().2, [host(1)]);
    let seen = keepers.map(|it| Known { seen: Some(Age(NOW + DAY)), ..it });
    assert_eq!(one(&tables, NOW + DAY, &seen), [courier(8), courier(9)]);
}

#[test]
fn nothing_is_due_of_what_arrived_is_over_or_cannot_be_read_by_its_recipient() {
    let keepers = [known(host(1), None), known(host(2), None)];
    let mut tables = waiting(3);
    let receipt = Receipt { device: crate::crypto::keys::DeviceId([0; 16]), upto: 1, beyond: vec![3] };
    outbox::receipt(&mut tables, Age(NOW), &ANN, &receipt).unwrap();
    assert_eq!(wanted(&tables, NOW, &keepers), [(2, host(1)), (2, host(2))]);
    became(&mut tables, 1, host(1), Copy::Stored(Age(NOW)));
    assert_eq!(copies(&tables, &ANN, 0..9).unwrap(), []);
    assert_eq!(wanted(&tables, NOW + 30 * DAY - 1, &keepers).len(), 2);
    assert!(wanted(&tables, NOW + 30 * DAY, &keepers).is_empty());
    outbox::expire(&mut tables, Age(NOW + 30 * DAY)).unwrap();
    assert!(wanted(&tables, NOW, &keepers).is_empty());
}

#[test]
fn pages_hold_whole_items() {
    let tables = waiting(600);
    let keepers = [known(host(1), None), known(host(2), None), known(host(3), None)];
    let mut after = 0;
    let mut seen = Vec::new();
    loop {
        let page = due(&tables, Age(NOW), &POLICY, &ANN, &keepers, after, 100).unwrap();
        let Some(last) = page.last() else { break };
        assert_eq!(page.len(), 99.min(3 * (600 - after) as usize));
        after = last.seq;
        seen.extend(page.into_iter().map(|due| due.seq));
    }
    assert_eq!(seen, (1..=600).flat_map(|seq| [seq; 3]).collect::<Vec<_>>());
    assert_eq!(due(&tables, Age(NOW), &POLICY, &ANN, &keepers, 0, 2).unwrap().len(), 2);
}

#[test]
fn copies_that_are_known_of_are_bounded() {
    let mut tables = waiting(1);
    became(&mut tables, 1, host(0), Copy::Stored(Age(NOW)));
    for name in 1..=MOST_COPIES as u8 {
        let before = outbox::state(&tables, &1u128.to_be_bytes()).unwrap().unwrap().1;
        assert_eq!(before, outbox::State::Held);
        became(&mut tables, 1, host(name), Copy::Denied(Age(NOW + u64::from(name))));
    }
    // The oldest was the copy.
    assert_eq!(copies(&tables, &ANN, 0..9).unwrap().len(), MOST_COPIES);
    assert_eq!(outbox::state(&tables, &1u128.to_be_bytes()).unwrap().unwrap().1, outbox::State::Queued);
    became(&mut tables, 1, host(1), Copy::Stored(Age(NOW)));
    assert_eq!(copies(&tables, &ANN, 0..9).unwrap().len(), MOST_COPIES);
}

#[test]
fn damage_is_an_error() {
    let mut tables = waiting(1);
    became(&mut tables, 1, host(1), Copy::Stored(Age(NOW)));
    let (key, value) = tables.scan(Table::OutboxCopies, &[], &[0xff; 80], 1).unwrap().remove(0);
    for (key, value) in [
        (key.clone(), b"\xff".to_vec()),
        ([&key[..40], &[9], &[0; 32]].concat(), value.clone()),
        ([&key[..40], &[0], &[0; 3]].concat(), value),
    ] {
        let mut tables = tables.clone();
        tables.put(Table::OutboxCopies, &key, &value).unwrap();
        assert!(due(&tables, Age(NOW), &POLICY, &ANN, &[], 0, 9).is_err());
    }
}
