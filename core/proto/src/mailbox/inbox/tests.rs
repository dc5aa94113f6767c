#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use super::*;
use crate::mailbox::item::FileRef;
use crate::mailbox::tables::Memory;
use crate::time::UnixMillis;

const ANN: AccountId = AccountId([7; 32]);
const BOB: AccountId = AccountId([0xff; 32]);
const DEVICE: DeviceId = DeviceId([1; 16]);
const OTHER: DeviceId = DeviceId([0xff; 16]);
const LIMITS: Limits = Limits { held: 4, bytes: 10_000 };

fn message(seq: u64, previous: u64, floor: u64) -> Ordered {
    let content = Content::Message([seq as u8; 16], "text".into(), Vec::new());
    Ordered { seq, previous, floor, sent: UnixMillis(seq), content }
}

fn part(seq: u64, previous: u64, floor: u64, size: usize) -> Ordered {
    Ordered { content: Content::Chunk([3; 16], 0, vec![1; size]), ..message(seq, previous, floor) }
}

fn with_file(seq: u64, previous: u64, floor: u64, size: u64) -> Ordered {
    let file = FileRef { id: [3; 16], name: "a".into(), size, hash: [0; 32] };
    let content = Content::Message([seq as u8; 16], String::new(), vec![file]);
    Ordered { content, ..message(seq, previous, floor) }
}

fn came(tables: &mut Memory, item: Ordered) -> Arrival {
    take(tables, &ANN, &DEVICE, item, &LIMITS).unwrap()
}

/// The numbers that are in order after this one came.
#[track_caller]
fn taken(tables: &mut Memory, item: Ordered) -> Vec<u64> {
    match came(tables, item) {
        Arrival::Taken(items) => items.iter().map(|item| item.seq).collect(),
        other => panic!("{other:?}"),
    }
}

fn told_floor(tables: &mut Memory, seq: u64, floor: u64) -> Option<Vec<u64>> {
    let said = News { seq, floor, ..News::default() };
    let items = news(tables, &ANN, &DEVICE, &said).unwrap()?;
    Some(items.iter().map(|item| item.seq).collect())
}

fn stands(tables: &Memory) -> (u64, Vec<u64>) {
    let receipt = receipt(tables, &ANN, &DEVICE).unwrap().unwrap();
    (receipt.upto, receipt.beyond)
}

fn held(tables: &Memory) -> usize {
    tables.scan(Table::InboxHeld, &[], &[0xff; 80], 99).unwrap().len()
}

#[test]
fn in_order_each_is_taken_once() {
    let mut tables = Memory::default();
    assert_eq!(taken(&mut tables, message(100, 0, 100)), [100]);
    assert_eq!(taken(&mut tables, message(250, 100, 100)), [250]);
    assert_eq!(came(&mut tables, message(100, 0, 100)), Arrival::Known);
    assert_eq!(came(&mut tables, message(250, 100, 100)), Arrival::Known);
    assert_eq!(stands(&tables), (250, vec![]));
}

#[test]
fn what_comes_early_waits_for_its_turn() {
    let mut tables = Memory::default();
    assert!(taken(&mut tables, message(30, 20, 10)).is_empty());
    assert!(taken(&mut tables, message(40, 30, 10)).is_empty());
    assert_eq!(came(&mut tables, message(30, 20, 10)), Arrival::Known);
    // Nothing of it was lost with what was given up before the lowest.
    assert_eq!(stands(&tables), (9, vec![30, 40]));
    assert_eq!(taken(&mut tables, message(10, 5, 10)), [10]);
    assert_eq!(taken(&mut tables, message(20, 10, 10)), [20, 30, 40]);
    assert_eq!(stands(&tables), (40, vec![]));
    assert_eq!(held(&tables), 0);
}

#[test]
fn a_floor_closes_gaps_and_never_goes_back() {
    let mut tables = Memory::default();
    assert!(taken(&mut tables, message(30, 20, 10)).is_empty());
    assert!(taken(&mut tables, message(50, 40, 10)).is_empty());
    assert_eq!(told_floor(&mut tables, 1, 30), Some(vec![30]));
    assert_eq!(told_floor(&mut tables, 1, 50), None);
    assert_eq!(told_floor(&mut tables, 2, 5), Some(vec![]));
    assert_eq!(came(&mut tables, message(20, 10, 10)), Arrival::Known);
    // An item's own floor does as well, and what waited comes before it.
    assert_eq!(taken(&mut tables, message(60, 50, 45)), [50, 60]);
    assert_eq!(came(&mut tables, message(40, 30, 10)), Arrival::Known);
    assert_eq!(held(&tables), 0);
    assert_eq!(told_floor(&mut tables, 3, 61), Some(vec![]));
    assert_eq!(stands(&tables).0, 60);
}

#[test]
fn a_floor_beyond_all_that_came_gives_up_what_is_missing() {
    let mut tables = Memory::default();
    assert!(taken(&mut tables, message(30, 20, 10)).is_empty());
    assert_eq!(told_floor(&mut tables, 1, 80), Some(vec![30]));
    assert_eq!(stands(&tables), (79, vec![]));
    assert_eq!(taken(&mut tables, message(90, 70, 80)), [90]);
}

#[test]
fn a_restored_home_goes_on_with_higher_numbers() {
    let mut tables = Memory::default();
    assert_eq!(taken(&mut tables, message(10, 0, 10)), [10]);
    assert!(taken(&mut tables, message(30, 20, 20)).is_empty());
    // It knows of 10 alone, and what had come of the rest comes before what is new.
    assert_eq!(taken(&mut tables, message(100, 10, 100)), [30, 100]);
    assert_eq!(held(&tables), 0);
}

#[test]
fn what_waits_is_bounded_and_the_next_is_always_taken() {
    let mut tables = Memory::default();
    for seq in [20, 30, 40, 50] {
        assert!(taken(&mut tables, message(seq, seq - 10, 10)).is_empty());
    }
    let before = tables.clone();
    assert_eq!(came(&mut tables, message(60, 50, 10)), Arrival::Full);
    assert_eq!(tables, before);
    // A floor that makes room is looked at first.
    let mut other = tables.clone();
    assert_eq!(taken(&mut other, message(70, 60, 20)), [20, 30, 40, 50]);
    assert_eq!(stands(&other), (50, vec![70]));
    assert_eq!(taken(&mut other, message(60, 50, 10)), [60, 70]);
    assert_eq!(taken(&mut tables, message(10, 0, 10)), [10, 20, 30, 40, 50]);
}

#[test]
fn bytes_are_bounded_as_well() {
    let size = |item| codec::encode(&item).len() as u64;
    let both = size(part(30, 20, 10, 1_000)) + size(part(40, 30, 10, 1_000));
    for (bytes, room) in [(both, true), (both - 1, false)] {
        let limits = Limits { held: 9, bytes };
        let mut tables = Memory::default();
        let mut take = |item| take(&mut tables, &ANN, &DEVICE, item, &limits).unwrap();
        assert_eq!(take(part(30, 20, 10, 1_000)), Arrival::Taken(vec![]));
        let second = take(part(40, 30, 10, 1_000));
        assert_eq!(second, if room { Arrival::Taken(vec![]) } else { Arrival::Full });
        // What is next is no matter of room.
        assert!(matches!(take(part(10, 0, 10, 50_000)), Arrival::Taken(items) if items.len() == 1));
    }
}

#[test]
fn numbers_that_nobody_uses_are_refused() {
    let mut tables = Memory::default();
    let before = tables.clone();
    for item in [
        message(GREATEST + 1, 0, 1),
        message(u64::MAX, u64::MAX - 1, 1),
        message(5, 5, 5),
        message(5, 6, 5),
        message(0, 0, 0),
        message(5, 4, 6),
    ] {
        assert_eq!(came(&mut tables, item), Arrival::Absurd);
    }
    assert_eq!(told_floor(&mut tables, GREATEST + 1, 9), None);
    assert_eq!(tables, before);
    assert_eq!(told_floor(&mut tables, 1, GREATEST + 2), Some(vec![]));
    assert_eq!(stands(&tables).0, 0);
    assert_eq!(taken(&mut tables, message(GREATEST, 0, GREATEST)), [GREATEST]);
}

#[test]
fn devices_are_told_apart_and_bounded() {
    let mut tables = Memory::default();
    for n in 0..MOST_DEVICES {
        let device = DeviceId([n as u8; 16]);
        let arrival = take(&mut tables, &ANN, &device, message(10, 0, 10), &LIMITS).unwrap();
        assert!(matches!(arrival, Arrival::Taken(items) if items.len() == 1));
    }
    let one_more = take(&mut tables, &ANN, &OTHER, message(10, 0, 10), &LIMITS).unwrap();
    assert_eq!(one_more, Arrival::Absurd);
    assert_eq!(news(&mut tables, &ANN, &OTHER, &News { seq: 1, ..News::default() }).unwrap(), None);
    let of_another = take(&mut tables, &BOB, &OTHER, message(10, 0, 10), &LIMITS).unwrap();
    assert!(matches!(of_another, Arrival::Taken(_)));
    assert_eq!(receipts(&tables, &ANN).unwrap().len(), MOST_DEVICES);
    assert_eq!(receipts(&tables, &BOB).unwrap().len(), 1);
    assert_eq!(owed(&tables, 9).unwrap(), [ANN, BOB]);
    assert_eq!(owed(&tables, 1).unwrap(), [ANN]);
}

#[test]
fn a_receipt_is_owed_until_the_sender_was_told_just_that() {
    let mut tables = Memory::default();
    taken(&mut tables, message(10, 0, 10));
    let first = receipts(&tables, &ANN).unwrap().remove(0);
    taken(&mut tables, message(20, 10, 10));
    told(&mut tables, &ANN, &first).unwrap();
    assert_eq!(owed(&tables, 9).unwrap(), [ANN]);
    let second = receipts(&tables, &ANN).unwrap().remove(0);
    told(&mut tables, &ANN, &Receipt { upto: 99, ..second.clone() }).unwrap();
    told(&mut tables, &BOB, &second).unwrap();
    assert_eq!(owed(&tables, 9).unwrap(), [ANN]);
    told(&mut tables, &ANN, &second).unwrap();
    assert!(owed(&tables, 9).unwrap().is_empty());
    assert!(receipts(&tables, &ANN).unwrap().is_empty());
    // One that comes again shows that its sender does not know.
    assert_eq!(came(&mut tables, message(10, 0, 10)), Arrival::Known);
    assert_eq!(receipts(&tables, &ANN).unwrap(), [second]);
}

#[test]
fn a_receipt_names_so_many_of_what_waits() {
    let mut tables = Memory::default();
    let limits = Limits { held: 100, bytes: 1 << 20 };
    for seq in (20..).step_by(10).take(MOST_BEYOND + 1) {
        take(&mut tables, &ANN, &DEVICE, message(seq, seq - 10, 10), &limits).unwrap();
    }
    let (upto, beyond) = stands(&tables);
    assert_eq!((upto, beyond.len(), beyond[0]), (9, MOST_BEYOND, 20));
}

#[test]
fn a_message_is_shown_with_its_files_or_not_at_all() {
    let mut tables = Memory::default();
    assert_eq!(taken(&mut tables, part(10, 0, 10, 60)), [10]);
    assert_eq!(taken(&mut tables, part(11, 10, 10, 40)), [11]);
    assert_eq!(taken(&mut tables, with_file(12, 11, 10, 100)), [12]);
    // The second part was given up, and with it the message, which is here.
    assert_eq!(taken(&mut tables, part(20, 12, 20, 60)), [20]);
    assert!(taken(&mut tables, with_file(22, 21, 20, 100)).is_empty());
    assert!(taken(&mut tables, message(23, 22, 20)).is_empty());
    assert_eq!(told_floor(&mut tables, 1, 23), Some(vec![23]));
    // The first part was given up.
    assert!(taken(&mut tables, part(31, 30, 30, 60)).is_empty());
    assert!(taken(&mut tables, with_file(32, 31, 30, 61)).is_empty());
    assert!(taken(&mut tables, with_file(34, 33, 30, 0)).is_empty());
    assert_eq!(told_floor(&mut tables, 2, 33), Some(vec![31]));
    assert_eq!(told_floor(&mut tables, 3, 34), Some(vec![34]));
}

#[test]
fn former_friends_leave_nothing_that_waits_and_are_not_taken_twice() {
    let mut tables = Memory::default();
    taken(&mut tables, message(10, 0, 10));
    taken(&mut tables, message(30, 20, 10));
    let_go(&mut tables, &ANN).unwrap();
    assert_eq!(held(&tables), 0);
    assert!(owed(&tables, 9).unwrap().is_empty());
    assert_eq!(came(&mut tables, message(10, 0, 10)), Arrival::Known);
    assert!(taken(&mut tables, message(30, 20, 10)).is_empty());
    assert_eq!(taken(&mut tables, message(20, 10, 10)), [20, 30]);
}

#[test]
fn damage_is_an_error() {
    let mut whole = Memory::default();
    taken(&mut whole, message(10, 0, 10));
    taken(&mut whole, message(30, 20, 10));
    for table in [Table::InboxPeers, Table::InboxHeld] {
        let (key, _) = whole.scan(table, &[], &[0xff; 80], 1).unwrap().remove(0);
        let mut tables = whole.clone();
        tables.put(table, &key, b"\xff").unwrap();
        assert!(take(&mut tables, &ANN, &DEVICE, message(20, 10, 10), &LIMITS).is_err());
    }
    let mut tables = whole.clone();
    tables.put(Table::InboxOwed, b"short", b"").unwrap();
    assert!(owed(&tables, 9).is_err());
}
