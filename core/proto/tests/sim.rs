//! Simulations: engines, failing bridges, crashes and an attacker in virtual time, thousands of seeds.
//!
//! `WAYSIDE_SIM_SEEDS=10000` runs so many of each, `WAYSIDE_SIM_SEED=17` that one alone, `WAYSIDE_SIM_TRACE=1` prints what happens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout, unreachable_pub, missing_docs)]

#[path = "sim/scenes.rs"]
mod scenes;
#[path = "sim/world.rs"]
mod world;

use scenes::*;
use world::*;

/// Runs a scene for many seeds, or for the one asked for.
fn seeds(count: u64, scene: impl Fn(u64)) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("WAYSIDE_SIM_SEED") {
        return scene(seed);
    }
    for seed in 0..number("WAYSIDE_SIM_SEEDS").unwrap_or(count) {
        scene(seed);
    }
}

#[test]
fn an_invite_makes_friends_with_one_record_each_way() {
    seeds(50, |seed| {
        let mut world = World::new(seed);
        let room = world.bridge(Kind::List, Weather::fine(2 * SECOND));
        let (ann, bob) = (world.node("ann", &[room], 0), world.node("bob", &[room], 0));
        invite(&mut world, ann, bob);
        let took = world.until("linked", MINUTE, |world| world.linked(ann, bob));
        assert!(took < 10 * SECOND, "seed {seed}: {took} ms");
        world.pass(MINUTE);
        assert_eq!(world.published(), 2, "seed {seed}");
        assert_eq!(world.left(), 0, "seed {seed}");
        world.check();
    });
}

#[test]
fn friends_meet_with_one_record_each_way() {
    seeds(50, |seed| {
        let (mut world, ann, bob) = friends(seed, Kind::List, Weather::fine(2 * SECOND));
        world.cut_links();
        world.pass(5 * MINUTE);
        let before = world.published();
        world.want(ann, bob);
        world.until("linked", 10 * SECOND, |world| world.linked(ann, bob));
        world.pass(MINUTE);
        assert_eq!(world.published() - before, 2, "seed {seed}");
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

#[test]
fn both_at_once_make_one_link_with_four_records_at_most() {
    seeds(100, |seed| {
        let (mut world, ann, bob) = friends(seed, Kind::List, Weather::fine(3 * SECOND));
        world.cut_links();
        world.pass(5 * MINUTE);
        let before = world.published();
        world.want(ann, bob);
        let apart = world.below(4 * SECOND);
        world.pass(apart);
        world.want(bob, ann);
        world.until("linked", MINUTE, |world| world.linked(ann, bob));
        world.pass(2 * MINUTE);
        assert!(world.linked(ann, bob), "seed {seed}: the link did not stay");
        let made = world.published() - before;
        assert!(made <= 4, "seed {seed}: {made} records");
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

#[test]
fn nothing_is_published_when_nothing_is_wanted() {
    seeds(10, |seed| {
        let (mut world, ann, bob) = friends(seed, Kind::List, Weather::fine(SECOND));
        world.pass(HOUR);
        let before = world.published();
        world.crash_node(ann, SECOND);
        world.crash_node(bob, SECOND);
        world.pass(3 * DAY);
        assert_eq!(world.published(), before, "seed {seed}");
    });
}
