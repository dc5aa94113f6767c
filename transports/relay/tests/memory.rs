//! What circuits cost in memory, counted: at rest, in a flood, and a datagram at a time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]
#![allow(unsafe_code, reason = "an allocator that counts")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use common::{End, World};
use wayside_relay::Limits;

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: hands everything on to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.with(|held| held.set(held.get() + layout.size().cast_signed()));
        ALLOCATED.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.with(|held| held.set(held.get() - layout.size().cast_signed()));
        // SAFETY: the caller's promises are the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn many() -> Limits {
    Limits { circuits: 1_000_000, friend_circuits: 1_000_000, ..Limits::default() }
}

#[test]
fn a_circuit_at_rest_takes_less_than_a_kibibyte() {
    let mut world = World::new(many());
    let before = HELD.get();
    for at in 0..1_000 {
        let (a, b) = world.pair(u8::try_from(at % 50).unwrap(), 200, at);
        // One that has carried something, more at once than is usual.
        for end in [&a, &b] {
            (0..20).for_each(|_| world.send(end, 10, 1_200));
            drop(world.drain());
        }
    }
    let each = (HELD.get() - before) / 1_000;
    assert!(each < 1_024, "{each} bytes");
    assert!(each > 100, "{each} bytes: nothing was counted");
}

#[test]
fn what_waits_takes_no_more_than_the_limits_say() {
    for length in [1, 20, 100, 1_200, 9_000] {
        let mut world = World::new(Limits { queue: 1 << 20, friend_queue: 1 << 19, ..many() });
        let ends: Vec<End> = (0..20).map(|at| world.pair(u8::try_from(at).unwrap(), 200, at).0).collect();
        let before = HELD.get();
        for round in 0..400 {
            for end in &ends {
                // One at a time, which costs the most, and many.
                let (frames, segment) = end.frames(1 + round % 2 * (60_000 / (length + 12)).min(64), length);
                world.arrived(&frames, segment);
            }
        }
        (0..5).for_each(|_| drop(world.switch.poll_transmit(world.now)));
        let held = HELD.get() - before;
        assert!(held > 1 << 18, "{held} bytes: nothing waits");
        // Twice what the limit says, and 20 queues that have doubled just now.
        assert!(held <= 2 << 20, "{held} bytes with datagrams of {length}");
        assert!(world.switch.lost() > 0);
    }
}

#[test]
fn opening_and_closing_leaves_nothing() {
    let limits =
        Limits { friend_rate: Some(1_000), friend_circuits: 1_000, circuits: 1_000, ..Limits::default() };
    let mut world = World::new(limits);
    let mut held = 0;
    for round in 0..2_000_u32 {
        let (a, _) = world.pair(u8::try_from(round % 200).unwrap(), 200, round);
        world.send(&a, 10, 1_200);
        drop(world.drain());
        world.switch.close(a.via, a.circuit).unwrap();
        world.pass(Duration::from_secs(30));
        if round == 1_000 {
            held = HELD.get();
        }
    }
    assert!(HELD.get() <= held + 1_000, "{held} bytes, then {}", HELD.get());
}

#[test]
fn a_batch_costs_one_buffer_and_a_large_one_none() {
    let mut world = World::new(Limits::default());
    let (a, _) = world.pair(1, 2, 7);
    for (count, buffers) in [(1, 100), (10, 100), (54, 0)] {
        let (frames, segment) = a.frames(count, 1_200);
        let mut allocated = 0;
        for round in 0..101 {
            if round == 1 {
                allocated = ALLOCATED.get();
            }
            assert_eq!(world.switch.arrived(&frames, segment), frames.len());
            let sent = world.switch.poll_transmit(world.now).unwrap();
            world.switch.recycle(sent.contents);
        }
        assert_eq!(ALLOCATED.get() - allocated, buffers, "for 100 batches of {count}");
    }
}
