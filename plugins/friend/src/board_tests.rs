#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;
use crate::limits::WINDOW;

const ANN: Owner = Owner([1; 32]);
const BOB: Owner = Owner([2; 32]);
const EVE: Owner = Owner([3; 32]);
const DAY: u64 = 86_400;

fn at(secs: u64) -> Now {
    Now { wall: Timestamp::from_secs(1_000_000 + secs), elapsed: Duration::from_secs(secs) }
}

fn note(slot: u8, bytes: &[u8]) -> Note {
    Note { slot: Id([slot; 16]), not_after: 1_000_000 + DAY, bytes: Bytes::copy_from_slice(bytes) }
}

fn slots(of: &[u8]) -> BTreeSet<Slot> {
    of.iter().map(|slot| Slot([*slot; 16])).collect()
}

fn board(limits: Limits) -> Board {
    Board::new([7; 8], limits)
}

fn found(board: &mut Board, now: Now, slot: u8) -> Vec<Bytes> {
    let found = board.look(now, &slots(&[slot]), None, 64).unwrap();
    found.records.into_iter().map(|note| note.bytes).collect()
}

#[test]
fn a_record_is_found_and_taken_back_by_whoever_left_it() {
    let mut board = board(Limits::default());
    let receipt = board.leave(at(0), ANN, note(1, b"a")).unwrap().receipt;
    assert_eq!(board.leave(at(0), ANN, note(1, b"a")).unwrap().receipt, receipt, "the same once more");
    board.leave(at(0), BOB, note(1, b"a")).unwrap();
    assert_eq!(found(&mut board, at(0), 1), ["a", "a"], "of two friends");
    board.retract(BOB, &[receipt]);
    assert_eq!(board.len(), 2, "not his");
    board.retract(ANN, &[receipt, receipt, Position([9; 16])]);
    assert_eq!(found(&mut board, at(0), 1), ["a"]);
    board.forget(BOB);
    assert!(board.is_empty() && board.bytes() == 0);
}

#[test]
fn records_expire_as_they_say_and_within_two_days() {
    let mut board = board(Limits::default());
    board.leave(at(0), ANN, note(1, b"a day")).unwrap();
    board.leave(at(0), ANN, Note { not_after: u64::MAX, ..note(2, b"for ever") }).unwrap();
    // Its sender's clock is behind.
    board.leave(at(0), ANN, Note { not_after: 0, ..note(3, b"past") }).unwrap();
    assert_eq!(found(&mut board, at(3599), 3), ["past"]);
    assert_eq!(found(&mut board, at(3600), 3), [""; 0]);
    assert_eq!(found(&mut board, at(DAY - 1), 1), ["a day"]);
    assert_eq!(found(&mut board, at(DAY), 1), [""; 0]);
    assert_eq!(found(&mut board, at(2 * DAY - 1), 2), ["for ever"]);
    assert_eq!(found(&mut board, at(2 * DAY), 2), [""; 0]);
    assert!(board.is_empty());
}

#[test]
fn a_friend_has_its_share_and_no_more() {
    let mut board = board(Limits { friend_records: 3, friend_bytes: 1000, ..Limits::default() });
    assert_eq!(board.leave(at(0), ANN, note(0, &[0; 961])).unwrap_err().reason, Reason::TooLarge);
    for slot in 1..=3 {
        board.leave(at(0), ANN, note(slot, &[0; 100])).unwrap();
    }
    assert_eq!(board.leave(at(0), ANN, note(4, b"")).unwrap_err().reason, Reason::FriendFull);
    board.leave(at(0), BOB, note(1, &[0; 900])).unwrap();
    assert_eq!(board.leave(at(0), BOB, note(1, &[0; 101])).unwrap_err().reason, Reason::FriendFull);
    board.leave(at(0), BOB, note(1, &[0; 100])).unwrap();
}

#[test]
fn whoever_has_the_most_makes_room() {
    let mut board = board(Limits { records: 6, ..Limits::default() });
    board.leave(at(0), ANN, note(1, b"ann's")).unwrap();
    for junk in 0..5 {
        board.leave(at(0), EVE, note(2, &[junk])).unwrap();
    }
    assert_eq!(
        board.leave(at(0), EVE, note(2, &[5])).unwrap_err().reason,
        Reason::Full,
        "her own is the most"
    );
    board.leave(at(0), BOB, note(1, b"bob's")).unwrap();
    board.leave(at(0), ANN, note(3, b"another")).unwrap();
    assert_eq!(found(&mut board, at(0), 1), ["ann's", "bob's"]);
    assert_eq!(found(&mut board, at(0), 2), ["\u{2}", "\u{3}", "\u{4}"], "the oldest went");
    // Where all have as much nobody has to go for another.
    board.leave(at(0), BOB, note(3, b"his second")).unwrap();
    assert_eq!(board.len(), 6);
    assert_eq!(board.leave(at(0), BOB, note(3, b"third")).unwrap_err().reason, Reason::Full);
}

#[test]
fn requests_are_held_to_a_rate() {
    let limits = Limits { burst: 10, every: Duration::from_secs(1), ..Limits::default() };
    let mut board = board(limits);
    for _ in 0..10 {
        board.ask(at(0), ANN).unwrap();
    }
    let refusal = board.ask(at(0), ANN).unwrap_err();
    assert_eq!((refusal.reason, refusal.retry), (Reason::TooFast, Some(Duration::from_secs(1))));
    board.ask(at(0), BOB).unwrap();
    board.ask(at(1), ANN).unwrap();
    board.ask(at(1), ANN).unwrap_err();
    for _ in 0..10 {
        board.ask(at(1000), ANN).unwrap();
    }
    board.ask(at(1000), ANN).unwrap_err();
}

#[test]
fn who_is_gone_and_has_nothing_there_costs_nothing() {
    let mut board = board(Limits::default());
    let (stream, _) = board.open(ANN);
    board.ask(at(0), ANN).unwrap();
    board.watch(stream, 1, slots(&[1]), None).unwrap();
    board.close(at(1), stream);
    assert!(board.friends.is_empty());
    assert!(board.leave(at(1), BOB, note(1, b"x")).unwrap().wake.is_empty());
}

#[test]
fn a_watcher_is_woken_for_its_keys_and_sent_no_more_than_it_takes() {
    let mut board = board(Limits::default());
    let (stream, _) = board.open(BOB);
    board.watch(stream, 5, slots(&[1, 2]), None).unwrap();
    assert_eq!(board.due(at(0), stream), None);
    assert_eq!(board.leave(at(0), ANN, note(3, b"x")).unwrap().wake, []);
    for number in 0..10 {
        assert_eq!(board.leave(at(0), ANN, note(1, &[number])).unwrap().wake, [stream]);
        let due = board.due(at(0), stream);
        assert_eq!(due.is_some(), usize::from(number) < WINDOW, "{number}");
    }
    board.taken(stream, 5);
    let (number, batch) = board.due(at(0), stream).unwrap();
    assert_eq!((number, batch.records.len()), (5, 10 - WINDOW), "what waited comes at once");
    board.unwatch(stream, 5);
    assert_eq!(board.leave(at(0), ANN, note(1, b"x")).unwrap().wake, []);
}

#[test]
fn streams_and_watches_are_few() {
    let mut board = board(Limits { streams: 2, watches: 2, ..Limits::default() });
    let (first, none) = board.open(ANN);
    assert_eq!(none, None);
    board.watch(first, 1, slots(&[1]), None).unwrap();
    let (second, none) = board.open(ANN);
    assert_eq!(none, None);
    let (_, over) = board.open(ANN);
    assert_eq!(over, Some(first));
    assert_eq!(board.leave(at(0), BOB, note(1, b"x")).unwrap().wake, [], "its watches are over");
    board.watch(second, 1, slots(&[1]), None).unwrap();
    board.watch(second, 2, slots(&[1]), None).unwrap();
    assert_eq!(board.watch(second, 3, slots(&[1]), None).unwrap_err().reason, Reason::TooMany);
    board.watch(second, 2, slots(&[2]), None).unwrap();
    let many: BTreeSet<Slot> = (0..=u16::try_from(MAX_KEYS).unwrap())
        .map(|n| Slot(std::array::from_fn(|i| n.to_be_bytes()[i % 2])))
        .collect();
    assert_eq!(board.watch(second, 2, many.clone(), None).unwrap_err().reason, Reason::TooMany);
    assert_eq!(board.look(at(0), &many, None, 1).unwrap_err().reason, Reason::TooMany);
}

/// What happens to a board.
#[derive(Clone, Debug)]
enum Step {
    Leave(u8, u8, usize),
    Retract(u8, usize),
    Forget(u8),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..4_u8, 0..6_u8, 0..1000_usize).prop_map(|(who, slot, len)| Step::Leave(who, slot, len)),
        3 => (0..4_u8, 0..40_usize).prop_map(|(who, which)| Step::Retract(who, which)),
        1 => (0..4_u8).prop_map(Step::Forget),
        1 => (0..DAY).prop_map(Step::Pass),
    ]
}

proptest! {
    /// Whatever happens: bounds hold, the tables agree, others' records are never taken back, and a reader who goes on from its cursor and one who
    /// watches see all that a look from the beginning shows.
    #[test]
    fn bounds_hold_and_nothing_is_missed(steps in prop::collection::vec(step(), 1..120)) {
        let limits = Limits {
            friend_records: 12, friend_bytes: 6000, records: 24, bytes: 12_000, ..Limits::default()
        };
        let mut board = board(limits);
        let keys = slots(&[0, 1, 2]);
        let (stream, _) = board.open(EVE);
        board.watch(stream, 1, keys.clone(), None).unwrap();
        let (mut now, mut left, mut cursor) = (0, Vec::new(), None);
        let (mut read, mut pushed) = (BTreeSet::new(), BTreeSet::new());
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Leave(who, slot, len) => {
                    let note = Note { not_after: u64::try_from(number).unwrap() + 1_000_000 + DAY, ..note(slot, &vec![0; len]) };
                    if let Ok(done) = board.leave(at(now), Owner([who; 32]), note) {
                        left.push((who, done.receipt));
                    }
                }
                Step::Retract(who, which) => if let Some((whose, receipt)) = left.get(which) {
                    let before = board.len();
                    board.retract(Owner([who; 32]), &[*receipt]);
                    prop_assert!(*whose == who || board.len() == before);
                }
                Step::Forget(who) => board.forget(Owner([who; 32])),
                Step::Pass(secs) => now += secs,
            }
            prop_assert!(board.len() <= limits.records && board.bytes() <= limits.bytes);
            prop_assert_eq!(board.bytes(), board.entries.values().map(|entry| entry.bytes.len()).sum::<usize>());
            for table in [board.by_slot.len(), board.by_owner.len(), board.by_expiry.len()] {
                prop_assert_eq!(table, board.len());
            }
            for (owner, account) in &board.friends {
                let of_owner: Vec<_> = board.entries.values().filter(|entry| entry.owner == *owner).collect();
                prop_assert_eq!(account.records, of_owner.len());
                prop_assert_eq!(account.bytes, of_owner.iter().map(|entry| entry.bytes.len()).sum::<usize>());
                prop_assert!(account.records <= limits.friend_records && account.bytes <= limits.friend_bytes);
            }
            let page = board.look(at(now), &keys, cursor, 2).unwrap();
            prop_assert!(page.records.len() <= 2 && (page.more || page.records.len() < 3));
            cursor = Some(page.position);
            read.extend(page.records.into_iter().map(|note| note.not_after));
            while let Some((_, batch)) = board.due(at(now), stream) {
                board.taken(stream, 1);
                pushed.extend(batch.records.into_iter().map(|note| note.not_after));
            }
            if !page.more {
                let all = board.look(at(now), &keys, None, 64).unwrap();
                prop_assert!(!all.more);
                for note in all.records {
                    prop_assert!(read.contains(&note.not_after), "a cursor left out a record");
                    prop_assert!(pushed.contains(&note.not_after), "a watcher was not told of a record");
                }
            }
        }
    }

    /// Positions of another board, or of none, mean the beginning.
    #[test]
    fn a_position_of_another_board_is_the_beginning(bytes: [u8; 16], ours: bool, number: u64) {
        let mut board = board(Limits::default());
        for slot in 0..5 {
            board.leave(at(0), ANN, note(slot, b"x")).unwrap();
        }
        let mut position = bytes;
        if ours {
            position[..8].copy_from_slice(&[7; 8]);
            position[8..].copy_from_slice(&number.to_be_bytes());
        }
        let found = board.look(at(0), &slots(&[0, 1, 2, 3, 4]), Some(Position(position)), 64).unwrap();
        let expected = if ours && number <= 5 { 5 - number } else { 5 };
        prop_assert_eq!(u64::try_from(found.records.len()).unwrap(), expected);
    }
}
