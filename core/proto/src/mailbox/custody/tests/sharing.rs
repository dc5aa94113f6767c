//! Nobody's flood takes what others are due; limits hold to the byte and to the item.

use super::*;

/// A friend's room is a million bytes, and its own part of the whole has all of it.
const ROOM: Limits = Limits { total: 16_000_000, friend: 1_000_000, queue: 1_000_000, friends: 8, ..WIDE };

/// Leaves blobs of this length in a queue until one finds no room; the bytes that did.
fn flood(tables: &mut Memory, limits: &Limits, owner: u8, nth: u8, length: usize) -> u64 {
    for number in 0.. {
        let answer = leave(tables, limits, owner, &put(nth, number, length));
        if answer != Answer::Stored {
            assert!(full(answer), "{answer:?}");
            audit(tables);
            return number * length as u64;
        }
    }
    unreachable!()
}

/// Fills what is left of some room with blobs of 600 bytes or a little more, and checks that it is exactly so many bytes: one more has no room.
fn fills_exactly(tables: &mut Memory, limits: &Limits, owner: u8, nth: u8, bytes: u64) {
    let mut before = tables.clone();
    let (whole, rest) = (bytes / 600 - 1, usize::try_from(600 + bytes % 600).unwrap());
    for number in 0..whole {
        assert_eq!(leave(&mut before, limits, owner, &put(nth, number, 600)), Answer::Stored);
    }
    let answer = leave(&mut before, limits, owner, &put(nth, whole, rest + 1));
    assert!(full(answer), "{answer:?}");
    assert_eq!(leave(&mut before, limits, owner, &put(nth, whole, rest)), Answer::Stored);
    let answer = leave(&mut before, limits, owner, &put(nth, whole + 1, 1));
    assert!(full(answer), "{answer:?}");
    audit(&before);
    *tables = before;
}

#[test]
fn a_queue_takes_its_bytes_and_not_one_more() {
    fills_exactly(&mut one(), &Limits { queue: 20_000, ..WIDE }, 1, 1, 20_000);
}

#[test]
fn a_queue_takes_its_items_and_not_one_more() {
    let mut tables = one();
    let limits = Limits { queue_items: 3, ..WIDE };
    assert_eq!(flood(&mut tables, &limits, 1, 1, 600), 1800);
    assert_eq!(acknowledge(&mut tables, NOW, &friend(1), &device(1), &[2]).unwrap(), 1);
    assert_eq!(leave(&mut tables, &limits, 1, &put(1, 9, 600)), Answer::Stored);
    assert!(full(leave(&mut tables, &limits, 1, &put(1, 10, 600))));
}

#[test]
fn no_items_means_none() {
    let limits = Limits { queue_items: 0, ..WIDE };
    assert_eq!(leave(&mut one(), &limits, 1, &put(1, 1, 600)), Answer::Full(86_400));
}

#[test]
fn what_is_small_counts_as_the_least() {
    let mut tables = one();
    let limits = Limits { queue: LEAST * 3, ..WIDE };
    assert_eq!(flood(&mut tables, &limits, 1, 1, 9), 27);
    assert_eq!(total(&tables).unwrap(), LEAST * 3);
}

#[test]
fn a_flooded_queue_leaves_twenty_quiet_ones_their_parts() {
    let mut tables = Memory::default();
    assert!(register(&mut tables, &friend(1), &queues(0..21), &[device(1)], MOST).unwrap());
    // Twenty-one queues and what is carried.
    let part = 1_000_000 / 2 / 22;
    fills_exactly(&mut tables, &ROOM, 1, 0, 1_000_000 - 21 * part);
    for quiet in 1..21 {
        fills_exactly(&mut tables, &ROOM, 1, quiet, part);
    }
    assert_eq!(total(&tables).unwrap(), 1_000_000 - part, "what is not carried remains");
}

#[test]
fn what_is_in_common_is_first_come_first_served() {
    let mut tables = Memory::default();
    assert!(register(&mut tables, &friend(1), &queues([1, 2]), &[device(1)], MOST).unwrap());
    let part = 1_000_000 / 2 / 3;
    let common = 1_000_000 - 3 * part;
    let limits = Limits { queue: part + 300_000, ..ROOM };
    fills_exactly(&mut tables, &limits, 1, 1, part + 300_000);
    fills_exactly(&mut tables, &limits, 1, 2, part + common - 300_000);
}

#[test]
fn a_flooding_friend_leaves_others_their_parts() {
    let mut tables = Memory::default();
    for owner in 1..=4 {
        assert!(register(&mut tables, &friend(owner), &queues([owner]), &[device(owner)], MOST).unwrap());
    }
    let limits = Limits { total: 1_000_000, friends: 4, ..ROOM };
    let part = 1_000_000 / 2 / 4;
    // Half of a friend's part is for queue and carrying, each as much; the rest of it is for either.
    let of_queue = part / 2 / 2;
    fills_exactly(&mut tables, &limits, 1, 1, 500_000 + part - of_queue);
    for quiet in 2..=4 {
        fills_exactly(&mut tables, &limits, quiet, quiet, part - of_queue);
    }
}

#[test]
fn a_friends_quiet_queues_keep_their_parts_though_others_flood_and_it_does_itself() {
    let mut tables = Memory::default();
    assert!(register(&mut tables, &friend(1), &queues(10..20), &[device(1)], MOST).unwrap());
    for owner in 2..=4 {
        assert!(register(&mut tables, &friend(owner), &queues([owner]), &[device(owner)], MOST).unwrap());
    }
    // Together friends may be promised four times what there is.
    let limits = Limits { total: 1_000_000, friends: 4, ..ROOM };
    let (part, of_queue) = (125_000, 125_000 / 2 / 2);
    fills_exactly(&mut tables, &limits, 2, 2, 500_000 + part - of_queue);
    fills_exactly(&mut tables, &limits, 3, 3, part - of_queue);
    fills_exactly(&mut tables, &limits, 4, 4, part - of_queue);
    // Ten queues and what is carried; one of them floods what the friend has beyond their parts.
    let of_queue = part / 2 / 11;
    fills_exactly(&mut tables, &limits, 1, 10, part - 10 * of_queue);
    for quiet in 11..20 {
        fills_exactly(&mut tables, &limits, 1, quiet, of_queue);
    }
    assert!(total(&tables).unwrap() <= 1_000_000);
}

#[test]
fn more_friends_than_were_counted_on_do_not_have_more_than_the_whole() {
    let mut tables = Memory::default();
    let limits = Limits { total: 100_000, friends: 2, ..ROOM };
    for owner in 1..=20 {
        assert!(register(&mut tables, &friend(owner), &queues([owner]), &[device(owner)], MOST).unwrap());
        flood(&mut tables, &limits, owner, owner, 700);
    }
    let total = total(&tables).unwrap();
    assert!((99_300..=100_000).contains(&total), "{total}");
}

#[test]
fn parts_that_become_smaller_delete_nothing_and_give_no_more_than_there_is() {
    let mut tables = one();
    let flooded = flood(&mut tables, &ROOM, 1, 1, 1000);
    assert_eq!(flooded, 750_000);
    assert!(register(&mut tables, &friend(1), &queues(1..=20), &[device(1)], MOST).unwrap());
    audit(&tables);
    let mut all = flooded;
    for quiet in 2..=20 {
        all += flood(&mut tables, &ROOM, 1, quiet, 1000);
    }
    assert_eq!(held(&tables).unwrap()[0].1.bytes, all);
    assert!((999_000..=1_000_000).contains(&all), "{all}");
    // Once it is fetched the parts are what they should be.
    let all = arrivals(&tables, 1, 1);
    acknowledge(&mut tables, NOW, &friend(1), &device(1), &all).unwrap();
    fills_exactly(&mut tables, &ROOM, 1, 1, 1_000_000 - 20 * (1_000_000 / 2 / 21));
}

#[test]
fn limits_that_change_are_kept_from_then_on() {
    let mut tables = Memory::default();
    for owner in 1..=3 {
        assert!(register(&mut tables, &friend(owner), &queues([owner]), &[device(owner)], MOST).unwrap());
        flood(&mut tables, &Limits { queue: 60_000, ..ROOM }, owner, owner, 1000);
    }
    // It shrinks: nothing goes, nothing comes.
    let small = Limits { total: 100_000, friends: 3, ..ROOM };
    for owner in 1..=3 {
        assert!(full(leave(&mut tables, &small, owner, &put(owner, 999, 600))));
        audit(&tables);
    }
    assert_eq!(total(&tables).unwrap(), 180_000);
    // It grows: as if it had been so from the beginning.
    let wide = Limits { total: 1_200_000, friends: 3, ..ROOM };
    let (part, of_queue) = (200_000, 50_000);
    fills_exactly_on(&mut tables, &wide, 1, 600_000 + part - of_queue);
    fills_exactly_on(&mut tables, &wide, 2, part - of_queue);
}

/// As `fills_exactly`, where 60,000 bytes lie already.
fn fills_exactly_on(tables: &mut Memory, limits: &Limits, owner: u8, bytes: u64) {
    for number in 1000..1000 + (bytes - 60_000) / 1000 {
        assert_eq!(leave(tables, limits, owner, &put(owner, number, 1000)), Answer::Stored);
    }
    assert!(full(leave(tables, limits, owner, &put(owner, 1, 512))));
    audit(tables);
}

#[test]
fn what_is_full_says_when_to_ask_again() {
    let limits = Limits { queue: 10_000, ..WIDE };
    for (lifetime, retry) in [(10, 60), (60, 60), (61, 61), (300, 300), (900, 900), (86_400, 900)] {
        let mut tables = one();
        assert_eq!(leave(&mut tables, &limits, 1, &put_of(1, lifetime, blob(1, 9999))), Answer::Stored);
        assert_eq!(leave(&mut tables, &limits, 1, &put(1, 2, 600)), Answer::Full(retry));
        assert_eq!(leave(&mut tables, &limits, 1, &put(1, 2, 10_001)), Answer::Full(86_400), "never");
    }
}
