//! What strangers, thieves and greedy friends get out of a relay.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

mod common;

use std::time::Duration;

use common::{End, FRAME, World, bytes};
use proptest::prelude::*;
use wayside_relay::{CircuitId, HEADER, Keys, Limits, Reason, Transmit, open};

#[test]
fn a_stranger_without_a_key_gets_nothing_forwarded() {
    let mut world = World::new(Limits::default());
    let (a, b) = world.pair(1, 2, 7);
    let stolen = End { keys: Keys::from_bytes([0; 32]), ..a.clone() };
    let others = End { keys: b.keys.clone(), ..a.clone() };
    for liar in [&stolen, &others] {
        let (frames, segment) = liar.frames(10, 1_200);
        assert_eq!(world.arrived(&frames, segment), 0);
    }
    assert!(world.drain().is_empty());
    assert_eq!(world.switch.usage(world.now).total, 0);
}

#[test]
fn frames_of_unknown_circuits_are_nobodys() {
    let mut world = World::new(Limits::default());
    let (a, b) = world.pair(1, 2, 7);
    for bits in 0..10_000 {
        let circuit = CircuitId::from_bits(0x8000_0000 + bits * 107_374).unwrap();
        if circuit != a.circuit && circuit != b.circuit {
            let (frames, segment) = End { circuit, ..a.clone() }.frames(2, 100);
            assert_eq!(world.switch.arrived(&frames, segment), 0);
        }
    }
    for other in [&b""[..], &[0x80; HEADER], &[0x40; 1_200], &[0x00; 64]] {
        assert_eq!(world.switch.arrived(other, 1_200), 0);
        assert_eq!(world.switch.arrived(other, 0), 0);
    }
    assert!(world.drain().is_empty());
}

#[test]
fn a_frame_does_not_count_when_it_is_sent_back() {
    let mut world = World::new(Limits::default());
    let (a, b) = world.pair(1, 2, 7);
    world.send(&a, 3, 1_200);
    let sent = world.drain().remove(0);
    // To the relay, as it came.
    assert_eq!(world.arrived(&sent.contents, sent.segment), 0);
    // To the sender, as it went in and as it came out.
    let (frames, segment) = a.frames(3, 1_200);
    assert!(frames.chunks(segment).all(|frame| open(&a.keys.down, frame).is_none()));
    assert!(sent.contents.chunks(sent.segment).all(|frame| open(&a.keys.down, frame).is_none()));
    // To the other end, as it went in.
    assert!(frames.chunks(segment).all(|frame| open(&b.keys.down, frame).is_none()));
    assert!(world.drain().is_empty());
}

#[test]
fn who_knows_one_circuits_key_speaks_for_no_other() {
    let mut world = World::new(Limits::default());
    let (a, _) = world.pair(1, 2, 7);
    let (c, _) = world.pair(3, 4, 8);
    // The right key for a, but the number of c in the second frame, and the other way round.
    for (first, second) in [(&a, &c), (&c, &a)] {
        let (mut frames, segment) = first.frames(1, 500);
        frames.extend(End { circuit: second.circuit, ..first.clone() }.frames(1, 500).0);
        assert_eq!(world.arrived(&frames, segment), segment);
        assert_eq!(bytes(&world.drain()), segment as u64);
    }
}

#[test]
fn a_third_end_and_a_second_one_over_the_same_link_are_refused() {
    let mut world = World::new(Limits::default());
    let a = world.open(1, 1, 7).unwrap();
    assert_eq!(world.refused(2, 1, 7), Reason::SameLink);
    assert_eq!(world.refused(1, 1, 7), Reason::SameLink);
    let b = world.open(2, 2, 7).unwrap();
    for (who, via) in [(3, 3), (1, 1), (2, 2), (1, 4)] {
        assert_eq!(world.refused(who, via, 7), Reason::Taken);
    }
    world.send(&a, 1, 10);
    assert_eq!(b.read(&world.drain()[0]).len(), 1, "the two go on");
}

#[test]
fn a_flood_of_circuits_ends_at_the_limits() {
    let limits = Limits { circuits: 100, friend_circuits: 10, ..Limits::default() };
    let mut world = World::new(limits);
    let mut opened = 0;
    for at in 0..20_000 {
        match world.open(1, at, at) {
            Ok(_) => opened += 1,
            Err(refusal) => {
                assert_eq!(refusal.reason, Reason::FriendCircuits);
                assert!(refusal.retry.is_some());
            }
        }
    }
    assert_eq!(opened, 10);
    for who in 2..200 {
        for at in 0..20 {
            let at = 100_000 + u32::from(who) * 100 + at;
            let (count, had) = (world.switch.circuits(), world.open(who, at, at).is_ok());
            assert_eq!(
                had,
                count.circuits < 100 && count.owners.get(&common::owner(who)).is_none_or(|n| *n < 10)
            );
        }
    }
    assert_eq!(world.refused(250, 1, 1_000_000), Reason::Circuits);
    assert_eq!(world.switch.circuits().circuits, 100);
    // The other end of one that waits is none more.
    world.open(250, 1_000_000, 0).unwrap();
    // A flood lasts no longer than a circuit waits.
    let (_, ended) = world.run(limits.half_open);
    assert_eq!(ended.len(), 99);
    assert_eq!(world.switch.circuits().circuits, 1);
}

#[test]
fn whoever_copies_a_frame_spends_what_its_sender_may_send_and_nothing_else() {
    let (rate, friend_rate) = (4_000_000, 1_000_000);
    let mut world =
        World::new(Limits { rate: Some(rate), friend_rate: Some(friend_rate), ..Limits::default() });
    let (a, b) = world.pair(1, 2, 7);
    let (c, d) = world.pair(3, 4, 8);
    let (copied, segment) = a.frames(10, 1_200);
    let (mut flood, mut honest, mut back) = (0, 0, 0);
    let millis = 3_000;
    for _ in 0..millis {
        for _ in 0..10 {
            world.arrived(&copied, segment); // 120 MB/s
        }
        world.send(&c, 1, 800); // 0.8 MB/s
        world.send(&b, 1, 700);
        for transmit in world.run(Duration::from_millis(1)).0 {
            match transmit.via {
                via if via == b.via => flood += transmit.contents.len() as u64,
                via if via == d.via => honest += d.read(&transmit).len(),
                _ => back += a.read(&transmit).len(),
            }
        }
    }
    let allowed = friend_rate * millis / 1_000;
    assert!(flood >= allowed * 9 / 10 && flood <= allowed + allowed / 10, "{flood}");
    // All but what is still on its way.
    assert!(honest + 50 >= 3_000 && back + 50 >= 3_000, "{honest} and {back} of 3,000");
}

#[test]
fn copies_use_up_the_senders_month_alone() {
    let mut world = World::new(Limits { friend_month: Some(50_000), ..Limits::default() });
    let (a, b) = world.pair(1, 2, 7);
    let (c, d) = world.pair(2, 3, 8);
    let (copied, segment) = a.frames(1, 1_200);
    let mut sent = 0;
    for _ in 0..10_000 {
        world.arrived(&copied, segment);
        sent += bytes(&world.drain());
    }
    assert!(sent < 50_000 + FRAME as u64);
    let ended = world.switch.handle_timeout(world.now);
    assert_eq!(ended.iter().map(|ended| ended.via).collect::<Vec<_>>(), [a.via, b.via]);
    world.send(&c, 1, 1);
    world.send(&d, 1, 1);
    assert_eq!(world.drain().len(), 2);
}

/// What a batch may be made of.
#[derive(Clone, Debug)]
enum Piece {
    Good(usize, u8),
    Broken(usize, usize),
    Unknown(u32),
    Other(u8),
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        6 => (0usize..3, any::<u8>()).prop_map(|(who, byte)| Piece::Good(who, byte)),
        1 => (0usize..3, 0usize..HEADER + 64).prop_map(|(who, at)| Piece::Broken(who, at)),
        1 => any::<u32>().prop_map(Piece::Unknown),
        1 => any::<u8>().prop_map(Piece::Other),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn of_any_batch_the_good_frames_arrive_in_order_and_nothing_else(
        pieces in prop::collection::vec(piece(), 1..40), length in 64usize..300, last in 1usize..64,
    ) {
        let mut world = World::new(Limits::default());
        let pairs: Vec<(End, End)> = (0..3).map(|n| world.pair(1 + u8::try_from(n).unwrap(), 9, n)).collect();
        let mut batch = Vec::new();
        let mut expected = vec![Vec::new(); 3];
        for (n, piece) in pieces.iter().enumerate() {
            let length = if n + 1 == pieces.len() { last } else { length };
            match *piece {
                Piece::Good(who, byte) => {
                    let datagram = vec![byte; length];
                    let a = &pairs[who].0;
                    wayside_relay::seal_all(&a.keys.up, a.circuit, &datagram, 0, &mut batch);
                    expected[who].push(datagram);
                }
                Piece::Broken(who, at) => {
                    let mut frame = pairs[who].0.frames(1, length).0;
                    let at = at % frame.len();
                    frame[at] ^= 1;
                    batch.extend(frame);
                }
                Piece::Unknown(bits) => {
                    batch.extend(bits.to_be_bytes());
                    batch.extend(vec![0; length + HEADER - 4]);
                }
                Piece::Other(byte) => batch.extend(vec![byte; length + HEADER]),
            }
        }
        let good: usize = expected.iter().flatten().map(|datagram| datagram.len() + HEADER).sum();
        prop_assert_eq!(world.arrived(&batch, length + HEADER), good);
        let mut arrived = vec![Vec::new(); 3];
        for transmit in world.drain() {
            let who = pairs.iter().position(|(_, b)| b.via == transmit.via).unwrap();
            arrived[who].extend(pairs[who].1.read(&transmit));
        }
        prop_assert_eq!(arrived, expected);
    }

    #[test]
    fn whatever_comes_no_more_goes_out_than_came_in(
        datagrams in prop::collection::vec(any::<u8>(), 0..3_000), segment in 0usize..1_500, begins in any::<bool>(),
    ) {
        let mut world = World::new(Limits::default());
        let (a, _) = world.pair(1, 2, 7);
        let mut datagrams = datagrams;
        if begins && datagrams.len() >= 4 {
            datagrams[..4].copy_from_slice(&a.circuit.bits().to_be_bytes());
        }
        prop_assert_eq!(world.switch.arrived(&datagrams, segment), 0);
        prop_assert_eq!(world.drain(), Vec::<Transmit<u32>>::new());
    }
}
