#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use super::*;
use crate::codec;
use crate::crypto::keys::DeviceId;
use crate::mailbox::item::FileRef;
use crate::mailbox::placement::{Copy, Keeper, placed};
use crate::mailbox::tables::Memory;

const ANN: AccountId = AccountId([7; 32]);
const BOB: AccountId = AccountId([9; 32]);
const DEVICE: DeviceId = DeviceId([1; 16]);
const WEEK: u64 = 7 * 86_400;
const BOUNDS: Bounds = Bounds { messages: 100, bytes: 1 << 20, total: 1 << 21 };

/// Seals by writing down, so that a test can read it.
#[derive(Default)]
struct Plain {
    locks: bool,
    lost: bool,
}

impl Sealer for Plain {
    fn seal(&mut self, item: &Ordered) -> Sealed {
        let bytes = codec::encode(item);
        if self.locks { Sealed::Locked(bytes) } else { Sealed::Blob(bytes) }
    }

    fn unlock(&mut self, locked: &[u8]) -> Option<Ordered> {
        if self.lost { None } else { codec::decode("item", locked, usize::MAX).ok() }
    }
}

fn outgoing(id: u8, sent: u64) -> Outgoing {
    Outgoing {
        id: [id; 16],
        to: ANN,
        text: format!("message {id}"),
        files: Vec::new(),
        sent: UnixMillis(sent),
        lifetime: WEEK,
    }
}

fn with_parts(id: u8, sent: u64, parts: usize) -> Outgoing {
    let parts = vec![vec![id; 100]; parts];
    let size = 100 * parts.len() as u64;
    let file = FileRef { id: [id; 16], name: "a.txt".into(), size, hash: [0; 32] };
    Outgoing { files: vec![(file, parts)], ..outgoing(id, sent) }
}

fn accepted(tables: &mut Memory, now: u64, message: Outgoing) {
    let became = accept(tables, Age(now), message, &BOUNDS, &mut Plain::default()).unwrap();
    assert_eq!(became, Accepted::Now);
}

fn items(tables: &Memory) -> Vec<Ordered> {
    let waiting = waiting(tables, &ANN, 0, usize::MAX).unwrap();
    let opened = |item: Waiting| match item.sealed {
        Sealed::Blob(bytes) | Sealed::Locked(bytes) => {
            let opened: Ordered = codec::decode("item", &bytes, usize::MAX).unwrap();
            assert_eq!(item.seq, opened.seq);
            assert_eq!(item.hash.0, sha256(&[&bytes]));
            opened
        }
    };
    waiting.into_iter().map(opened).collect()
}

fn numbers(tables: &Memory) -> Vec<(u64, u64, u64)> {
    items(tables).iter().map(|item| (item.seq, item.previous, item.floor)).collect()
}

fn said(upto: u64, beyond: &[u64]) -> Receipt {
    Receipt { device: DEVICE, upto, beyond: beyond.to_vec() }
}

fn heard(tables: &mut Memory, upto: u64, beyond: &[u64]) -> Vec<u8> {
    let delivered = receipt(tables, Age(50), &ANN, &said(upto, beyond)).unwrap();
    delivered.into_iter().map(|id| id[0]).collect()
}

fn stands(tables: &Memory, id: u8) -> Option<State> {
    state(tables, &[id; 16]).unwrap().map(|(_, state, _)| state)
}

fn store(tables: &mut Memory, seq: u64, host: u8) {
    placed(tables, &ANN, seq, &Keeper::Host([host; 32]), Copy::Stored(Age(20))).unwrap();
}

/// What is left in a table.
fn left(tables: &Memory, table: Table) -> usize {
    tables.scan(table, &[], &[0xff; 80], usize::MAX).unwrap().len()
}

fn nothing_left(tables: &Memory) {
    for table in
        [Table::Outbox, Table::OutboxHeads, Table::OutboxLocked, Table::OutboxCopies, Table::OutboxEnds]
    {
        assert_eq!(left(tables, table), 0, "{table:?}");
    }
    assert!(queues(tables).unwrap().is_empty());
    assert_eq!(book::totals(tables).unwrap().bytes, 0);
}

#[test]
fn numbers_follow_the_clock_and_name_the_one_before() {
    let mut tables = Memory::default();
    accepted(&mut tables, 0, outgoing(1, 1_000));
    accepted(&mut tables, 0, outgoing(2, 1_000));
    accepted(&mut tables, 0, outgoing(3, 900));
    accepted(&mut tables, 0, outgoing(4, 5_000));
    assert_eq!(
        numbers(&tables),
        [(1_000, 0, 1_000), (1_001, 1_000, 1_000), (1_002, 1_001, 1_000), (5_000, 1_002, 1_000)]
    );
}

#[test]
fn parts_come_before_their_message_in_one_row() {
    let mut tables = Memory::default();
    accepted(&mut tables, 0, outgoing(1, 10));
    accepted(&mut tables, 0, with_parts(2, 100, 2));
    assert_eq!(numbers(&tables), [(10, 0, 10), (100, 10, 10), (101, 100, 10), (102, 101, 10)]);
    let items = items(&tables);
    assert_eq!(items[1].content, Content::Chunk([2; 16], 0, vec![2; 100]));
    assert_eq!(items[2].content, Content::Chunk([2; 16], 100, vec![2; 100]));
    assert!(
        matches!(&items[3].content, Content::Message(id, _, files) if *id == [2; 16] && files.len() == 1)
    );
}

#[test]
fn a_clock_far_ahead_leaves_numbers_to_go_on_with() {
    let mut tables = Memory::default();
    accepted(&mut tables, 0, outgoing(1, u64::MAX));
    accepted(&mut tables, 0, outgoing(2, 5));
    assert_eq!(
        numbers(&tables),
        [(GREATEST_CLOCK, 0, GREATEST_CLOCK), (GREATEST_CLOCK + 1, GREATEST_CLOCK, GREATEST_CLOCK)]
    );
}

#[test]
fn asking_twice_sends_once() {
    let mut tables = Memory::default();
    accepted(&mut tables, 0, outgoing(1, 10));
    let before = tables.clone();
    let again = accept(&mut tables, Age(1), outgoing(1, 99), &BOUNDS, &mut Plain::default()).unwrap();
    assert_eq!(again, Accepted::Before(State::Queued));
    assert_eq!(tables, before);
    assert_eq!(heard(&mut tables, 10, &[]), [1]);
    let again = accept(&mut tables, Age(60), outgoing(1, 99), &BOUNDS, &mut Plain::default()).unwrap();
    assert_eq!(again, Accepted::Before(State::Delivered));
    expire(&mut tables, Age(50 + REMEMBERED)).unwrap();
    assert_eq!(stands(&tables, 1), Some(State::Delivered));
    expire(&mut tables, Age(51 + REMEMBERED)).unwrap();
    assert_eq!(stands(&tables, 1), None);
    assert_eq!(left(&tables, Table::OutboxOver), 0);
    accepted(&mut tables, 60, outgoing(1, 10));
    assert_eq!(numbers(&tables), [(11, 10, 11)]);
}

#[test]
fn a_message_is_delivered_with_the_last_of_its_parts() {
    let mut tables = Memory::default();
    accepted(&mut tables, 0, with_parts(1, 10, 2));
    accepted(&mut tables, 0, outgoing(2, 20));
    assert!(heard(&mut tables, 10, &[12]).is_empty());
    assert_eq!(stands(&tables, 1), Some(State::Queued));
    assert_eq!(heard(&mut tables, 10, &[12, 20]), [2]);
    assert_eq!(heard(&mut tables, 20, &[]), [1]);
    nothing_left(&tables);
}

#[test]
fn forged_and_old_receipts_change_nothing_else() {
    let mut tables = Memory::default();
    accepted(&mut tables, 0, outgoing(1, 10));
    let others = Outgoing { to: BOB, ..outgoing(2, 10) };
    accepted(&mut tables, 0, others);
    assert_eq!(heard(&mut tables, u64::MAX, &[u64::MAX, 0, 11, 10]), [1]);
    let before = tables.clone();
    assert!(receipt(&mut tables, Age(0), &AccountId([77; 32]), &said(u64::MAX, &[10])).unwrap().is_empty());
    assert!(heard(&mut tables, u64::MAX, &[u64::MAX; 100]).is_empty());
    assert!(heard(&mut tables, 0, &[]).is_empty());
    assert_eq!(tables, before);
    assert_eq!(stands(&tables, 2), Some(State::Queued));
    accepted(&mut tables, 0, outgoing(3, 10));
    assert_eq!(numbers(&tables), [(11, 10, 11)]);
    assert!(heard(&mut tables, 10, &[10]).is_empty());
    assert_eq!(stands(&tables, 3), Some(State::Queued));
}

#[test]
fn a_receipt_names_so_many_beyond_and_no_more() {
    let mut tables = Memory::default();
    for id in 0..70 {
        accepted(&mut tables, 0, outgoing(id, 10));
    }
    let beyond: Vec<u64> = (11..80).collect();
    assert_eq!(heard(&mut tables, 0, &beyond).len(), MOST_BEYOND);
}

#[test]
fn what_is_over_is_sent_no_more_and_given_up_after_the_grace() {
    let mut tables = Memory::default();
    accepted(&mut tables, 100, with_parts(1, 10, 2));
    accepted(&mut tables, 200, outgoing(2, 20));
    assert!(heard(&mut tables, 10, &[]).is_empty());
    let end = 100 + WEEK;
    assert!(expire(&mut tables, Age(end - 1)).unwrap().is_empty());
    assert_eq!(items(&tables).len(), 3);
    assert!(expire(&mut tables, Age(end)).unwrap().is_empty());
    assert_eq!(numbers(&tables).len(), 1);
    // Until it is reported nothing passes it.
    assert_eq!(floor(&tables, &ANN).unwrap(), 11);
    assert!(expire(&mut tables, Age(end + GRACE - 1)).unwrap().is_empty());
    assert_eq!(stands(&tables, 1), Some(State::Queued));
    assert_eq!(expire(&mut tables, Age(end + GRACE)).unwrap(), [(ANN, [1; 16])]);
    assert_eq!(stands(&tables, 1), Some(State::Expired));
    assert_eq!(floor(&tables, &ANN).unwrap(), 20);
    assert_eq!(heard(&mut tables, 20, &[]), [2]);
    assert_eq!(stands(&tables, 1), Some(State::Expired));
    nothing_left(&tables);
    assert_eq!(floor(&tables, &ANN).unwrap(), 21);
}

#[test]
fn a_late_receipt_still_wins() {
    let mut tables = Memory::default();
    accepted(&mut tables, 0, with_parts(1, 10, 1));
    expire(&mut tables, Age(WEEK)).unwrap();
    assert_eq!(heard(&mut tables, 11, &[]), [1]);
    assert!(expire(&mut tables, Age(9 * WEEK)).unwrap().is_empty());
    nothing_left(&tables);
}

#[test]
fn whoever_was_off_for_long_waits_for_receipts_first() {
    let mut tables = Memory::default();
    accepted(&mut tables, 0, outgoing(1, 10));
    assert!(expire(&mut tables, Age(9 * WEEK)).unwrap().is_empty());
    assert!(expire(&mut tables, Age(9 * WEEK + GRACE - 1)).unwrap().is_empty());
    assert_eq!(expire(&mut tables, Age(9 * WEEK + GRACE)).unwrap().len(), 1);
}

#[test]
fn held_is_what_has_a_copy_of_every_part() {
    let mut tables = Memory::default();
    accepted(&mut tables, 0, with_parts(1, 10, 2));
    accepted(&mut tables, 0, outgoing(2, 20));
    store(&mut tables, 10, 5);
    store(&mut tables, 11, 5);
    store(&mut tables, 11, 6);
    assert_eq!(stands(&tables, 1), Some(State::Queued));
    store(&mut tables, 12, 6);
    assert_eq!(stands(&tables, 1), Some(State::Held));
    assert_eq!(state(&tables, &[1; 16]).unwrap().unwrap().2, []);
    store(&mut tables, 12, 5);
    assert_eq!(state(&tables, &[1; 16]).unwrap().unwrap().2, [Keeper::Host([5; 32])]);
    let queue = |tables: &Memory| queues(tables).unwrap()[0].1;
    assert_eq!((queue(&tables).queued, queue(&tables).held), (1, 1));
    assert_eq!(queue(&tables).oldest, Some(UnixMillis(10)));
    // A host that has no room for it any more has lost it.
    placed(&mut tables, &ANN, 10, &Keeper::Host([5; 32]), Copy::Full(Age(90))).unwrap();
    assert_eq!(stands(&tables, 1), Some(State::Queued));
    assert_eq!((queue(&tables).queued, queue(&tables).held), (2, 0));
    // What arrived needs no copy.
    heard(&mut tables, 10, &[]);
    assert_eq!(stands(&tables, 1), Some(State::Held));
    assert_eq!((queue(&tables).queued, queue(&tables).held), (1, 1));
    heard(&mut tables, 20, &[]);
    nothing_left(&tables);
    store(&mut tables, 12, 5);
    nothing_left(&tables);
}

#[test]
fn what_waits_is_bounded_by_messages_and_bytes() {
    let sizes = |id| {
        let mut tables = Memory::default();
        accepted(&mut tables, 0, outgoing(id, 10));
        queues(&tables).unwrap()[0].1.bytes
    };
    let size = sizes(1);
    let became = |bounds: &Bounds, to: AccountId| {
        let mut tables = Memory::default();
        accepted(&mut tables, 0, outgoing(1, 10));
        let before = tables.clone();
        let second = Outgoing { to, ..outgoing(2, 10) };
        let became = accept(&mut tables, Age(0), second, bounds, &mut Plain::default()).unwrap();
        assert!(became == Accepted::Now || tables == before, "nothing is left of what was refused");
        became
    };
    let most = |messages, bytes, total| Bounds { messages, bytes, total };
    assert_eq!(became(&most(2, 2 * size, 2 * size), ANN), Accepted::Now);
    assert_eq!(became(&most(1, 2 * size, 2 * size), ANN), Accepted::Full);
    assert_eq!(became(&most(2, 2 * size - 1, 2 * size), ANN), Accepted::Full);
    assert_eq!(became(&most(2, 2 * size, 2 * size - 1), ANN), Accepted::Full);
    assert_eq!(became(&most(1, size, 2 * size), BOB), Accepted::Now);
    assert_eq!(became(&most(1, size, 2 * size - 1), BOB), Accepted::Full);
}

#[test]
fn what_was_locked_is_sealed_with_the_floor_of_then() {
    let mut tables = Memory::default();
    let mut locking = Plain { locks: true, ..Plain::default() };
    for id in 1..=3 {
        accept(&mut tables, Age(0), outgoing(id, 10), &BOUNDS, &mut locking).unwrap();
    }
    // Nothing is known yet: they stay as they are.
    assert_eq!(seal_waiting(&mut tables, &ANN, 10, &mut locking).unwrap(), 0);
    assert_eq!(left(&tables, Table::OutboxLocked), 3);
    heard(&mut tables, 10, &[]);
    assert_eq!(seal_waiting(&mut tables, &ANN, 1, &mut Plain::default()).unwrap(), 1);
    assert_eq!(seal_waiting(&mut tables, &ANN, 5, &mut Plain::default()).unwrap(), 1);
    assert_eq!(seal_waiting(&mut tables, &ANN, 5, &mut Plain::default()).unwrap(), 0);
    assert_eq!(numbers(&tables), [(11, 10, 11), (12, 11, 11)]);
    let waiting = waiting(&tables, &ANN, 0, 9).unwrap();
    assert!(waiting.iter().all(|item| matches!(item.sealed, Sealed::Blob(_))));
    heard(&mut tables, 12, &[]);
    nothing_left(&tables);
}

#[test]
fn what_cannot_be_unlocked_is_looked_at_once_and_expires() {
    let mut tables = Memory::default();
    accept(&mut tables, Age(0), outgoing(1, 10), &BOUNDS, &mut Plain { locks: true, lost: false }).unwrap();
    let mut lost = Plain { locks: false, lost: true };
    assert_eq!(seal_waiting(&mut tables, &ANN, 5, &mut lost).unwrap(), 1);
    assert_eq!(seal_waiting(&mut tables, &ANN, 5, &mut lost).unwrap(), 0);
    expire(&mut tables, Age(WEEK)).unwrap();
    assert_eq!(expire(&mut tables, Age(2 * WEEK)).unwrap().len(), 1);
    nothing_left(&tables);
}

#[test]
fn whoever_waits_for_what_is_over_is_told() {
    let mut tables = Memory::default();
    accepted(&mut tables, 0, Outgoing { lifetime: 5, ..outgoing(1, 10) });
    accepted(&mut tables, 0, outgoing(2, 20));
    assert!(!behind(&tables, &ANN).unwrap());
    heard(&mut tables, 0, &[20]);
    heard(&mut tables, 0, &[]);
    expire(&mut tables, Age(5)).unwrap();
    assert!(!behind(&tables, &ANN).unwrap());
    expire(&mut tables, Age(5 + GRACE)).unwrap();
    assert!(behind(&tables, &ANN).unwrap());
    assert_eq!(floor(&tables, &ANN).unwrap(), 21);
    heard(&mut tables, 20, &[]);
    assert!(!behind(&tables, &ANN).unwrap());
    // Who has nothing that waits for it learns it with the next item.
    accepted(&mut tables, 0, Outgoing { lifetime: 5, ..outgoing(3, 30) });
    expire(&mut tables, Age(5)).unwrap();
    expire(&mut tables, Age(5 + GRACE)).unwrap();
    assert!(!behind(&tables, &ANN).unwrap());
}

#[test]
fn former_friends_queues_go_and_their_numbers_stay() {
    let mut tables = Memory::default();
    accepted(&mut tables, 0, with_parts(1, 10, 3));
    accepted(&mut tables, 0, Outgoing { to: BOB, ..outgoing(2, 10) });
    let gone = keep_only(&mut tables, Age(9), &mut |account| *account == BOB).unwrap();
    assert_eq!(gone, [[1; 16]]);
    assert!(items(&tables).is_empty());
    assert_eq!(stands(&tables, 1), Some(State::Expired));
    assert_eq!(stands(&tables, 2), Some(State::Queued));
    accepted(&mut tables, 0, outgoing(3, 1));
    assert_eq!(numbers(&tables), [(14, 13, 14)]);
}

#[test]
fn pages_go_on_where_they_ended() {
    let mut tables = Memory::default();
    for id in 0..20 {
        accepted(&mut tables, 0, Outgoing { lifetime: if id < 9 { 5 } else { WEEK }, ..outgoing(id, 10) });
    }
    expire(&mut tables, Age(6)).unwrap();
    let page =
        |after| waiting(&tables, &ANN, after, 8).unwrap().iter().map(|item| item.seq).collect::<Vec<_>>();
    assert_eq!(page(0), (19..27).collect::<Vec<_>>());
    assert_eq!(page(26), [27, 28, 29]);
    assert!(page(29).is_empty());
    assert_eq!(item(&tables, &ANN, 27).unwrap().unwrap().seq, 27);
    assert!(item(&tables, &ANN, 12).unwrap().is_none());
}

#[test]
fn damage_is_an_error() {
    let mut whole = Memory::default();
    accepted(&mut whole, 0, with_parts(1, 10, 2));
    store(&mut whole, 10, 1);
    for table in Table::ALL {
        for (key, _) in whole.scan(table, &[], &[0xff; 80], usize::MAX).unwrap() {
            if matches!(table, Table::OutboxEnds) {
                continue;
            }
            let mut tables = whole.clone();
            tables.put(table, &key, b"\xff").unwrap();
            let read = waiting(&tables, &ANN, 0, 9).err().is_some()
                || state(&tables, &[1; 16]).err().is_some()
                || queues(&tables).err().is_some()
                || accept(&mut tables, Age(0), outgoing(9, 1), &BOUNDS, &mut Plain::default())
                    .err()
                    .is_some();
            assert!(read, "{table:?} {key:?}");
            // Whatever is asked, it ends.
            let _ = receipt(&mut tables, Age(0), &ANN, &said(99, &[10, 11, 12]));
            let _ = expire(&mut tables, Age(WEEK));
            let _ = expire(&mut tables, Age(9 * WEEK));
            let _ = keep_only(&mut tables, Age(0), &mut |_| false);
            let mut tables = whole.clone();
            tables.remove(table, &key).unwrap();
            let _ = receipt(&mut tables, Age(0), &ANN, &said(99, &[10, 11, 12]));
            let _ = expire(&mut tables, Age(WEEK));
            let _ = expire(&mut tables, Age(9 * WEEK));
            let _ = keep_only(&mut tables, Age(0), &mut |_| false);
        }
    }
}

#[test]
fn what_cannot_be_read_goes_with_all_of_its_parts() {
    let mut tables = Memory::default();
    accepted(&mut tables, 0, with_parts(1, 100, 3));
    accepted(&mut tables, 0, outgoing(2, 200));
    let listed = |tables: &Memory| {
        let all = underway(tables, 10).unwrap();
        all.into_iter().map(|it| (it.id, it.sent.0, it.bytes > 0, it.holders)).collect::<Vec<_>>()
    };
    let ids = |tables: &Memory| underway(tables, 10).unwrap().into_iter().map(|it| it.id).collect::<Vec<_>>();
    let (first, second) = (outgoing(1, 0), outgoing(2, 0));
    assert_eq!(ids(&tables), [first.id, second.id]);
    assert!(listed(&tables).iter().all(|(_, sent, has_bytes, _)| *sent >= 100 && *has_bytes));
    assert_eq!(underway(&tables, 1).unwrap().len(), 1);
    let seq = numbers(&tables)[1].0;
    let floor_before = floor(&tables, &first.to).unwrap();
    assert_eq!(give_up(&mut tables, Age(1), &first.to, seq).unwrap(), Some(first.id));
    assert_eq!(give_up(&mut tables, Age(1), &first.to, seq).unwrap(), None);
    assert_eq!((stands(&tables, 1), stands(&tables, 2)), (Some(State::Expired), Some(State::Queued)));
    assert_eq!(ids(&tables), [second.id]);
    assert!(floor(&tables, &first.to).unwrap() > floor_before);
    // What came behind it is not held up.
    heard(&mut tables, u64::MAX, &[]);
    assert_eq!(stands(&tables, 2), Some(State::Delivered));
    nothing_left(&tables);
}
