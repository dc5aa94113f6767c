//! The queue's bounds: whatever comes, what waits fits, and every byte is sent, waits or is counted as lost.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;

use super::*;
use crate::limits::Limits;

#[derive(Clone, Debug)]
enum Step {
    Push(u8, u8, usize, usize),
    Pop,
    Pass(u64),
    Close(u8, u8),
    Reshape(Option<u64>, Option<u64>, usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let rate = || prop::option::of(1_000u64..10_000_000);
    prop_oneof![
        8 => (0u8..4, 0u8..3, 1usize..1_500, 1usize..60).prop_map(|(o, c, s, n)| Step::Push(o, c, s, n)),
        4 => Just(Step::Pop),
        2 => (0u64..1_000).prop_map(Step::Pass),
        1 => (0u8..4, 0u8..3).prop_map(|(o, c)| Step::Close(o, c)),
        1 => (rate(), rate(), 1usize..1 << 20, 1usize..1 << 18).prop_map(|(a, b, c, d)| Step::Reshape(a, b, c, d)),
    ]
}

fn circuit(owner: u8, n: u8) -> CircuitId {
    CircuitId::from_bits(1 << 31 | u32::from(owner) << 8 | u32::from(n)).unwrap()
}

proptest! {
    #[test]
    fn what_waits_fits_and_every_byte_is_accounted_for(steps in prop::collection::vec(step(), 0..300)) {
        let mut queue = Queue::new(Limits::default().shape());
        let mut now = Duration::ZERO;
        let (mut pushed, mut popped, mut closed) = (0u64, 0u64, 0u64);
        for owner in 0..4 {
            (0..3).for_each(|n| queue.add(now, Owner([owner; 32]), circuit(owner, n)));
        }
        let waits = |queue: &Queue<u8>| -> u64 {
            queue.lines.values().flat_map(|line| line.lanes.values()).flat_map(|lane| &lane.batches).map(|b| b.len() as u64).sum()
        };
        for step in steps {
            match step {
                Step::Push(owner, n, segment, count) => {
                    let contents = vec![0; segment * count];
                    pushed += contents.len() as u64;
                    queue.push(Owner([owner; 32]), circuit(owner, n), Batch::new(n, contents, segment));
                }
                Step::Pop => popped += queue.pop(now).map_or(0, |(_, batch)| batch.len() as u64),
                Step::Pass(ms) => now += Duration::from_millis(ms),
                Step::Close(owner, n) => {
                    let before = waits(&queue);
                    queue.remove(Owner([owner; 32]), circuit(owner, n));
                    closed += before - waits(&queue);
                    queue.add(now, Owner([owner; 32]), circuit(owner, n));
                }
                Step::Reshape(rate, friend_rate, all, each) => {
                    let limits = Limits { rate, friend_rate, queue: all, friend_queue: each, ..Limits::default() };
                    queue.reshape(now, limits.shape());
                }
            }
            let Shape { all, each, .. } = queue.shape;
            prop_assert!(queue.weight() <= all);
            prop_assert!(queue.lines.values().all(|line| line.weight <= each));
            prop_assert_eq!(queue.weight(), queue.lines.values().map(|line| line.weight).sum::<usize>());
            for line in queue.lines.values() {
                prop_assert_eq!(line.weight, line.lanes.values().map(|lane| lane.weight).sum::<usize>());
                prop_assert_eq!(line.ring.len(), line.lanes.values().filter(|lane| lane.weight > 0).count());
            }
            let busy = queue.lines.values().filter(|line| line.weight > 0).count();
            prop_assert_eq!(queue.ring.len() + queue.held.len(), busy);
            prop_assert_eq!(pushed, popped + closed + queue.lost() + waits(&queue));
        }
        // What waits gets out in the end, and nothing before its time.
        let mut turns = 0;
        while queue.weight() > 0 {
            match queue.pop(now) {
                Some((_, batch)) => popped += batch.len() as u64,
                None => {
                    let at = queue.wake();
                    prop_assert!(at > Some(now), "{:?}", at);
                    now = at.unwrap();
                }
            }
            turns += 1;
            prop_assert!(turns < 100_000);
        }
        prop_assert_eq!(pushed, popped + closed + queue.lost());
    }
}

#[test]
fn the_longest_queue_loses_first() {
    let limits = Limits { queue: 100_000, friend_queue: 90_000, ..Limits::default() };
    let mut queue = Queue::new(limits.shape());
    for owner in 0..3 {
        queue.add(Duration::ZERO, Owner([owner; 32]), circuit(owner, 0));
    }
    let push = |queue: &mut Queue<u8>, owner: u8, count: usize| {
        queue.push(
            Owner([owner; 32]),
            circuit(owner, 0),
            Batch::new(owner, vec![owner; count * 1_000], 1_000),
        );
    };
    push(&mut queue, 0, 80);
    push(&mut queue, 1, 10);
    assert_eq!(queue.lost(), 0);
    push(&mut queue, 2, 30);
    let weights: Vec<usize> = queue.lines.values().map(|line| line.weight - OVERHEAD).collect();
    assert_eq!(weights, [59_000, 10_000, 30_000], "the overhead of three is a frame more");
}
