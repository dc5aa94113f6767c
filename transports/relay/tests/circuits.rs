//! Circuits: how they come about, what they carry, and how they end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{FRAME, NOVEMBER, World, bytes, owner, tag};
use wayside_relay::{Ended, Limits, Month, Now, Reason, Usage};

const DAY: u64 = 24 * 3600;

#[test]
fn two_ends_meet_at_a_tag_and_reach_each_other() {
    let mut world = World::new(Limits::default());
    let (a, b) = world.pair(1, 2, 7);
    assert_ne!(a.circuit, b.circuit);
    assert_ne!(a.keys, b.keys);
    for (from, to) in [(&a, &b), (&b, &a)] {
        world.send(from, 1, 1_200);
        let sent = world.drain();
        assert_eq!(sent.len(), 1);
        assert_eq!(to.read(&sent[0]), [vec![0; 1_200]]);
    }
    let count = world.switch.circuits();
    assert_eq!((count.circuits, count.waiting), (1, 0));
    assert_eq!(count.owners, BTreeMap::from([(owner(1), 1), (owner(2), 1)]));
}

#[test]
fn a_batch_comes_out_whole_and_at_once() {
    let mut world = World::new(Limits::default());
    let (a, b) = world.pair(1, 2, 7);
    for (count, length) in [(1, 1), (1, 65_523), (10, 1_200), (54, 1_200), (64, 1_000)] {
        world.send(&a, count, length);
        let sent = world.switch.poll_transmit(world.now).unwrap();
        assert_eq!(b.read(&sent).len(), count);
        assert_eq!(world.switch.poll_transmit(world.now), None);
        world.switch.recycle(sent.contents);
    }
    // The last frame of a batch may be shorter.
    let (mut frames, segment) = a.frames(5, 1_200);
    frames.extend(a.frames(1, 77).0);
    assert_eq!(world.arrived(&frames, segment), frames.len());
    let sent = world.drain();
    assert_eq!(sent.len(), 1);
    let lengths: Vec<usize> = b.read(&sent[0]).iter().map(Vec::len).collect();
    assert_eq!(lengths, [1_200, 1_200, 1_200, 1_200, 1_200, 77]);
}

#[test]
fn half_a_circuit_takes_frames_and_sends_them_nowhere() {
    let mut world = World::new(Limits::default());
    let a = world.open(1, 1, 7).unwrap();
    assert_eq!(world.switch.waiting(tag(7)), Some((1, a.circuit)));
    world.send(&a, 10, 1_200);
    assert!(world.drain().is_empty());
    let b = world.open(2, 2, 7).unwrap();
    assert_eq!(world.switch.waiting(tag(7)), None);
    assert!(world.drain().is_empty());
    world.send(&a, 1, 5);
    assert_eq!(b.read(&world.drain()[0]).len(), 1);
}

#[test]
fn who_waits_for_too_long_is_told_so() {
    let mut world = World::new(Limits { half_open: Duration::from_secs(10), ..Limits::default() });
    let a = world.open(1, 1, 7).unwrap();
    world.pass(Duration::from_secs(4));
    let b = world.open(2, 2, 8).unwrap();
    assert_eq!(world.switch.poll_timeout(), Some(Duration::from_secs(1_010)));
    let (_, ended) = world.run(Duration::from_secs(60));
    let alone = |via, circuit| Ended { via, circuit, reason: Reason::Alone, retry: None };
    assert_eq!(ended, [alone(1, a.circuit), alone(2, b.circuit)]);
    assert_eq!(world.switch.circuits().circuits, 0);
    assert_eq!(world.switch.poll_timeout(), None);
}

#[test]
fn a_circuit_that_is_joined_waits_for_nothing() {
    let mut world = World::new(Limits::default());
    world.pair(1, 2, 7);
    assert_eq!(world.switch.poll_timeout(), None);
    let (_, ended) = world.run(Duration::from_secs(100_000));
    assert_eq!(ended, []);
}

#[test]
fn closing_ends_both_ends_and_only_ones_own() {
    let mut world = World::new(Limits::default());
    let (a, b) = world.pair(1, 2, 7);
    assert_eq!(world.switch.close(b.via, a.circuit), None, "not its end");
    assert_eq!(world.switch.circuits().circuits, 1);
    world.send(&b, 1, 100);
    assert_eq!(world.switch.close(a.via, a.circuit), Some((b.via, b.circuit)));
    assert!(world.drain().is_empty(), "what waited is lost");
    assert_eq!(world.arrived(&b.frames(1, 100).0, 112), 0);
    assert_eq!(world.switch.close(b.via, b.circuit), None);
    let again = world.pair(1, 2, 7);
    assert_ne!(again.0.keys, a.keys);
    assert_ne!(again.0.circuit, a.circuit);
}

#[test]
fn what_leads_to_ends_takes_all_of_them_with_it() {
    let mut world = World::new(Limits::default());
    let mut others = Vec::new();
    for at in 0..5 {
        world.open(1, 100, at).unwrap();
        if at > 0 {
            let other = world.open(2, at, at).unwrap();
            others.push((other.via, other.circuit));
        }
    }
    let (c, _) = world.pair(3, 2, 60);
    let mut told = world.switch.leave(100);
    told.sort_unstable();
    assert_eq!(told, others);
    assert_eq!(world.switch.circuits().circuits, 1);
    world.send(&c, 1, 1);
    assert_eq!(world.drain().len(), 1);
    assert_eq!(world.switch.leave(100), []);
}

#[test]
fn a_friend_that_is_revoked_has_nothing_left() {
    let mut world = World::new(Limits::default());
    let (a, b) = world.pair(1, 2, 7);
    let (own, too) = world.pair(1, 1, 8);
    let alone = world.open(1, 99, 9).unwrap();
    world.pair(2, 3, 10);
    world.send(&a, 1, 100);
    let mut ended = world.switch.revoke(owner(1));
    ended.sort_by_key(|ended| ended.via);
    let of = |end: &common::End, reason| Ended { via: end.via, circuit: end.circuit, reason, retry: None };
    assert_eq!(
        ended,
        [
            of(&a, Reason::Revoked),
            of(&b, Reason::Left),
            of(&own, Reason::Revoked),
            of(&too, Reason::Revoked),
            of(&alone, Reason::Revoked),
        ]
    );
    assert!(world.drain().is_empty());
    assert_eq!(world.switch.circuits().owners, BTreeMap::from([(owner(2), 1), (owner(3), 1)]));
    assert_eq!(world.switch.stop().len(), 2);
    assert_eq!(world.switch.circuits().circuits, 0);
}

#[test]
fn a_month_that_is_used_up_ends_everything_until_the_next() {
    let mut world = World::new(Limits { month: Some(100_000), ..Limits::default() });
    let (a, b) = world.pair(1, 2, 7);
    let (c, d) = world.pair(3, 4, 8);
    let mut sent = Vec::new();
    for _ in 0..1_000 {
        for end in [&a, &b, &c, &d] {
            let (frames, segment) = end.frames(3, 1_200);
            world.arrived(&frames, segment);
        }
        sent.extend(world.drain());
    }
    let all = bytes(&sent);
    assert!(all >= 100_000 && all <= 100_000 + 3 * FRAME as u64, "{all}");
    assert_eq!(world.switch.usage(world.now).total, all);
    assert_eq!(world.switch.poll_timeout(), Some(Duration::ZERO));
    let ended = world.switch.handle_timeout(world.now);
    assert_eq!(ended.len(), 4);
    let left = Duration::from_secs(5 * DAY);
    assert!(ended.iter().all(|ended| ended.reason == Reason::Month && ended.retry == Some(left)));
    let refusal = world.open(1, 1, 9).unwrap_err();
    assert_eq!((refusal.reason, refusal.retry), (Reason::Month, Some(left)));
    world.pass(left);
    world.pair(1, 2, 9);
}

#[test]
fn a_friends_month_is_its_own() {
    let mut world = World::new(Limits { friend_month: Some(10_000), ..Limits::default() });
    let (a, b) = world.pair(1, 2, 7);
    let (c, d) = world.pair(2, 3, 8);
    for _ in 0..10 {
        let (frames, segment) = a.frames(1, 1_200);
        world.arrived(&frames, segment);
    }
    assert_eq!(world.drain().len(), 9, "9 × 1,212 bytes are more than 10,000 for the first time");
    let ended = world.switch.handle_timeout(world.now);
    let left = Duration::from_secs(5 * DAY);
    assert_eq!(
        ended,
        [
            Ended { via: a.via, circuit: a.circuit, reason: Reason::FriendMonth, retry: Some(left) },
            Ended { via: b.via, circuit: b.circuit, reason: Reason::Left, retry: None },
        ]
    );
    assert_eq!(world.refused(1, 1, 9), Reason::FriendMonth);
    world.send(&c, 1, 1_200);
    world.send(&d, 1, 1_200);
    assert_eq!(world.drain().len(), 2);
    assert_eq!(world.switch.usage(world.now).of(&owner(1)), 9 * FRAME as u64);
}

#[test]
fn what_was_used_survives_a_restart_and_not_a_month() {
    let mut world = World::new(Limits::default());
    let (a, _) = world.pair(1, 2, 7);
    world.send(&a, 10, 1_200);
    world.drain();
    let stored = world.switch.usage(world.now).clone();
    assert_eq!(stored.month, Month::of(NOVEMBER));
    let limits = Limits { month: Some(stored.total), ..Limits::default() };

    let mut world = World::with_usage(limits, stored.clone());
    assert_eq!(world.refused(1, 1, 7), Reason::Month);
    // Before the clock is set, what was used is not forgotten.
    world.now.unix = 5;
    assert_eq!(world.refused(1, 1, 7), Reason::Month);
    world.now.unix = NOVEMBER + 10 * DAY;
    world.open(1, 1, 7).unwrap();

    let huge = Usage { month: Month(u32::MAX), total: u64::MAX, ..stored };
    World::with_usage(limits, huge).open(1, 1, 7).unwrap();
}

#[test]
fn lower_limits_end_the_newest_circuits() {
    let mut world = World::new(Limits::default());
    let pairs: Vec<_> = (0..6).map(|at| world.pair(1, 2 + u8::try_from(at).unwrap(), at)).collect();
    let waits = world.open(9, 100, 100).unwrap();

    let ended = world.switch.set_limits(world.now, Limits { friend_circuits: 4, ..Limits::default() });
    let circuits: Vec<_> = ended.iter().map(|ended| (ended.circuit, ended.reason)).collect();
    let ends = |at: usize, a, b| [(pairs[at].0.circuit, a), (pairs[at].1.circuit, b)];
    let expected = [5, 4].map(|at| ends(at, Reason::FriendCircuits, Reason::Left)).concat();
    assert_eq!(circuits, expected);

    let ended = world.switch.set_limits(world.now, Limits { circuits: 2, ..Limits::default() });
    let mut circuits: Vec<_> = ended.iter().map(|ended| (ended.circuit, ended.reason)).collect();
    circuits.sort_unstable();
    let mut expected = [3, 2].map(|at| ends(at, Reason::Circuits, Reason::Circuits)).concat();
    expected.push((waits.circuit, Reason::Circuits));
    expected.sort_unstable();
    assert_eq!(circuits, expected);
    assert!(ended.iter().all(|ended| ended.retry.is_some()));
    for (a, _) in &pairs[..2] {
        world.send(a, 1, 1);
    }
    assert_eq!(world.drain().len(), 2);

    let ended = world.switch.set_limits(world.now, Limits { friend_month: Some(1), ..Limits::default() });
    assert_eq!(ended.len(), 4);
    assert!(ended.iter().any(|ended| ended.reason == Reason::FriendMonth));
}

#[test]
fn rates_are_kept_and_may_change_under_way() {
    let rate = 100_000;
    let mut world = World::new(Limits { rate: Some(rate), ..Limits::default() });
    let (a, b) = world.pair(1, 2, 7);
    let second = |world: &mut World| {
        let mut sent = 0;
        for _ in 0..100 {
            let (frames, segment) = a.frames(10, 1_200);
            world.arrived(&frames, segment);
            let (more, ended) = world.run(Duration::from_millis(10));
            assert_eq!(ended, []);
            more.iter().for_each(|transmit| drop(b.read(transmit)));
            sent += bytes(&more);
        }
        sent
    };
    second(&mut world);
    let sent = second(&mut world);
    assert!(sent.abs_diff(rate) < rate / 20, "{sent}");
    world.switch.set_limits(world.now, Limits { friend_rate: Some(rate / 4), ..Limits::default() });
    second(&mut world);
    let sent = second(&mut world);
    assert!(sent.abs_diff(rate / 4) < rate / 40, "{sent}");
    world.switch.set_limits(world.now, Limits::default());
    world.drain();
    assert_eq!(second(&mut world), 1_000 * FRAME as u64);
}

#[test]
fn nothing_is_lost_at_half_the_rate() {
    for rate in [1 << 18, 10_000_000, 200_000_000] {
        let mut world = World::new(Limits { rate: Some(rate), ..Limits::default() });
        let (a, _) = world.pair(1, 2, 7);
        let (batch, segment) = a.frames(54, 1_200);
        let pause = Duration::from_secs_f64(batch.len() as f64 * 2.0 / rate as f64);
        let mut sent = 0;
        for _ in 0..200 {
            world.arrived(&batch, segment);
            sent += bytes(&world.run(pause).0);
        }
        assert_eq!((world.switch.lost(), sent), (0, 200 * batch.len() as u64), "at {rate}");
    }
}

#[test]
fn time_may_stand_still() {
    let mut world = World::new(Limits { rate: Some(1_000), friend_rate: Some(0), ..Limits::default() });
    let (a, _) = world.pair(1, 2, 7);
    for _ in 0..100 {
        world.send(&a, 10, 1_200);
        world.drain();
    }
    world.now = Now { since: Duration::ZERO, unix: 0 };
    world.drain();
    world.now = Now { since: Duration::MAX, unix: u64::MAX / 2 };
    world.drain();
    world.switch.handle_timeout(world.now);
}
