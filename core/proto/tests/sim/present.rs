//! Friends on one local network, where a record is there while its writer is: whoever comes hails them.

use crate::scenes::*;
use crate::seeds;
use crate::world::*;

/// Two friends who have a room and a local network in common, linked.
fn friends_at_home(seed: u64) -> (World, [usize; 2], [usize; 2]) {
    let mut world = World::new(seed);
    let room = world.bridge(Kind::List, Weather::fine(2 * SECOND));
    let lan = world.bridge(Kind::List, Weather::fine(20));
    world.bridges[lan].present = true;
    let (ann, bob) = (world.node("ann", &[room, lan], 0), world.node("bob", &[room, lan], 0));
    invite(&mut world, ann, bob);
    world.until("friends", HOUR, |world| world.linked(ann, bob));
    world.nodes[bob].accepting = None;
    world.pass(5 * MINUTE);
    (world, [ann, bob], [room, lan])
}

fn lying(world: &World, bridge: usize) -> usize {
    world.bridges[bridge].records.iter().filter(|record| !record.gone && !record.forged).count()
}

fn ever(world: &World, bridge: usize) -> usize {
    world.bridges[bridge].records.len()
}

#[test]
fn whoever_starts_second_is_linked_at_once_and_nothing_is_left_anywhere_else() {
    seeds(40, |seed| {
        let (mut world, [ann, bob], [room, lan]) = friends_at_home(seed);
        world.idle_timeout = 15 * SECOND;
        let elsewhere = ever(&world, room);
        let starter = if seed.is_multiple_of(2) { ann } else { bob };
        world.pass(10 * MINUTE);
        // Away for so long that the other has noticed.
        world.crash_node(starter, 10 * MINUTE);
        world.pass(9 * MINUTE);
        assert_eq!(lying(&world, lan), 0, "seed {seed}: who was hailed in vain is hailed no longer");
        let before = ever(&world, lan);
        world.until("started", 2 * MINUTE, |world| world.nodes[starter].engine.is_some());
        // Two records of 20 ms, and what dialling takes here.
        let took = world.until("linked", SECOND, |world| world.linked(ann, bob));
        assert!(took < 500, "seed {seed}: {took} ms");
        world.pass(MINUTE);
        assert!(world.linked(ann, bob), "seed {seed}");
        assert_eq!(ever(&world, lan) - before, 2, "seed {seed}: a hail and its answer");
        assert_eq!(ever(&world, room), elsewhere, "seed {seed}: nobody else hears of it");
        assert_eq!(world.left(), 0, "seed {seed}");
        world.check();
    });
}

#[test]
fn both_at_once_make_one_link() {
    seeds(60, |seed| {
        let (mut world, [ann, bob], [_, lan]) = friends_at_home(seed);
        world.crash_node(ann, 10 * MINUTE);
        world.crash_node(bob, 10 * MINUTE);
        let before = ever(&world, lan);
        world.until("started", HOUR, |world| {
            world.nodes[ann].engine.is_some() && world.nodes[bob].engine.is_some()
        });
        world.until("linked", MINUTE, |world| world.linked(ann, bob));
        world.pass(2 * MINUTE);
        assert!(world.linked(ann, bob), "seed {seed}: the link did not stay");
        assert!(ever(&world, lan) - before <= 4, "seed {seed}");
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

#[test]
fn a_lost_link_comes_back_though_nobody_wants_it() {
    seeds(40, |seed| {
        let (mut world, [ann, bob], [room, _]) = friends_at_home(seed);
        let elsewhere = ever(&world, room);
        for _ in 0..3 {
            world.cut_links();
            world.until("cut", MINUTE, |world| !world.linked(ann, bob));
            world.until("linked again", 2 * MINUTE, |world| world.linked(ann, bob));
            let wait = world.below(2 * MINUTE);
            world.pass(wait);
        }
        world.pass(2 * MINUTE);
        assert!(world.linked(ann, bob), "seed {seed}");
        assert_eq!(ever(&world, room), elsewhere, "seed {seed}");
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

#[test]
fn a_stranger_sees_one_record_for_a_minute_of_somebody_whose_friend_is_away() {
    seeds(20, |seed| {
        let (mut world, [ann, bob], [room, lan]) = friends_at_home(seed);
        world.crash_node(bob, 30 * DAY);
        world.crash_node(ann, 10 * MINUTE);
        world.pass(9 * MINUTE);
        let (before, elsewhere) = (ever(&world, lan), ever(&world, room));
        world.until("started", 2 * MINUTE, |world| world.nodes[ann].engine.is_some());
        assert_eq!(lying(&world, lan), 1, "seed {seed}");
        world.pass(2 * MINUTE);
        assert_eq!(lying(&world, lan), 0, "seed {seed}");
        world.pass(3 * DAY);
        assert_eq!(ever(&world, lan) - before, 1, "seed {seed}: it is said once");
        assert_eq!(ever(&world, room), elsewhere, "seed {seed}");
    });
}

#[test]
fn who_is_blocked_is_not_greeted() {
    seeds(5, |seed| {
        let (mut world, [ann, bob], [_, lan]) = friends_at_home(seed);
        let him = world.nodes[bob].account;
        world.command(ann, |engine, now| engine.block(now, &him).unwrap());
        world.pass(10 * MINUTE);
        let before = ever(&world, lan);
        world.crash_node(ann, SECOND);
        world.pass(10 * MINUTE);
        assert_eq!(ever(&world, lan), before, "seed {seed}");
    });
}

#[test]
fn who_is_wanted_is_looked_for_everywhere() {
    seeds(20, |seed| {
        let (mut world, [ann, bob], [room, lan]) = friends_at_home(seed);
        world.crash_node(bob, HOUR);
        world.crash_node(ann, SECOND);
        world.pass(MINUTE);
        let (elsewhere, here) = (ever(&world, room), ever(&world, lan));
        world.want(ann, bob);
        assert_eq!((ever(&world, room), ever(&world, lan)), (elsewhere + 1, here + 1), "seed {seed}");
    });
}

/// Somebody with many friends does not say all of it at once.
#[test]
fn many_friends_are_greeted_a_few_at_a_time_each_in_its_turn() {
    let mut world = World::new(1);
    let lan = world.bridge(Kind::List, Weather::fine(20));
    world.bridges[lan].present = true;
    let ann = world.node("ann", &[lan], 0);
    let friends: Vec<usize> =
        (0..40).map(|number| world.node(&format!("friend {number}"), &[lan], 0)).collect();
    for friend in &friends {
        invite(&mut world, ann, *friend);
        world.until("friends", HOUR, |world| world.linked(ann, *friend));
        world.nodes[*friend].accepting = None;
    }
    // What was left for the first contacts is taken back.
    world.pass(MINUTE);
    for friend in &friends {
        world.crash_node(*friend, 30 * DAY);
    }
    world.crash_node(ann, 10 * MINUTE);
    world.pass(9 * MINUTE);
    let before = ever(&world, lan);
    world.until("started", 2 * MINUTE, |world| world.nodes[ann].engine.is_some());
    assert_eq!(ever(&world, lan) - before, 32);
    world.pass(MINUTE + SECOND);
    assert_eq!(ever(&world, lan) - before, 40);
    world.pass(10 * MINUTE);
    assert_eq!(ever(&world, lan) - before, 40, "each once");
    assert_eq!(lying(&world, lan), 0);
}
