//! Friends that die and come back, that were gone before their offer was read, that leave in good order.

use crate::scenes::*;
use crate::seeds;
use crate::world::*;

/// The answerer believed in the dead link for as long as that was fresh, or until its idle timeout.
#[test]
fn a_friend_that_died_and_came_back_is_met_within_seconds() {
    // Its link is fresh, or no longer.
    seeds(40, |seed| dies_and_comes_back(seed, SECOND + seed * 7919 % (2 * MINUTE)));
}

fn dies_and_comes_back(seed: u64, age: Ms) {
    let latency = 2 * SECOND;
    let (mut world, ann, bob) = friends(seed, Kind::List, Weather::fine(latency));
    world.idle_timeout = 15 * SECOND;
    world.cut_links();
    world.pass(5 * MINUTE);
    world.want(bob, ann);
    if seed.is_multiple_of(2) {
        world.want(ann, bob);
    }
    world.until("linked", MINUTE, |world| world.linked(ann, bob));
    world.pass(age);
    assert!(world.linked(ann, bob), "seed {seed}");
    world.crash_node(bob, 1);
    world.until("dead", SECOND, |world| !world.linked(ann, bob));
    let took = world.until("linked anew", MINUTE, |world| world.linked(ann, bob));
    assert!(took <= 3 * latency + 2 * SECOND, "seed {seed}: {took} ms with a link {age} ms old");
    world.pass(2 * MINUTE);
    assert!(world.linked(ann, bob), "seed {seed}: the link did not stay");
    assert_eq!(world.left(), 0, "seed {seed}");
    world.check();
}

/// The link ceased to be fresh while it was being checked, and the offer that waited for that was dropped.
#[test]
fn regression_a_link_that_is_no_longer_fresh_when_its_death_is_noticed() {
    seeds(10, |seed| dies_and_comes_back(seed, 56 * SECOND + seed % 10 * 400));
}

/// An answer to somebody who was not there any more was waited for as if it were a link.
#[test]
fn an_offer_read_too_late_holds_nobody_up() {
    seeds(40, |seed| {
        let latency = 2 * SECOND;
        let (mut world, ann, bob) = friends(seed, Kind::List, Weather::fine(latency));
        world.cut_links();
        world.pass(5 * MINUTE);
        // Bob's offer gets stuck in a cache, and he thinks better of it.
        world.want(bob, ann);
        let offer = world.bridges[0].records.len() - 1;
        world.bridges[0].records[offer].visible = false;
        world.pass(MINUTE / 2);
        world.unwant(bob, ann);
        world.pass(MINUTE);
        assert!(world.bridges[0].records[offer].gone, "seed {seed}");
        let before = world.nodes[ann].published;
        world.replay(0, offer);
        world.until("answered", MINUTE, |world| world.nodes[ann].published == before + 1);
        let wait = world.below(4 * SECOND);
        world.pass(wait);
        world.want(ann, bob);
        let soon = 2 * latency + 5 * SECOND + 100;
        world.until("offered", soon, |world| world.nodes[ann].published > before + 1);
        world.until("linked", 3 * latency, |world| world.linked(ann, bob));
        world.pass(MINUTE);
        assert!(world.linked(ann, bob), "seed {seed}: the link did not stay");
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

/// The same with a blocked friend: its offer still lay there when it was unblocked, and its sender had been killed.
#[test]
fn an_offer_of_somebody_killed_is_answered_and_does_not_last() {
    seeds(20, |seed| {
        let latency = 2 * SECOND;
        let (mut world, ann, bob) = friends(seed, Kind::List, Weather::fine(latency));
        let his = world.nodes[bob].account;
        world.command(ann, |engine, now| engine.block(now, &his)).unwrap().unwrap();
        world.pass(MINUTE);
        world.want(bob, ann);
        world.pass(10 * SECOND);
        world.crash_node(bob, 2 * MINUTE);
        world.nodes[bob].wants.clear();
        world.command(ann, |engine, now| engine.unblock(now, &his)).unwrap().unwrap();
        let before = world.nodes[ann].published;
        world.want(ann, bob);
        let soon = latency + 2 * latency + 5 * SECOND + 100;
        world.until("offered and answered", soon, |world| world.nodes[ann].published >= before + 2);
        world.until("linked", 10 * MINUTE, |world| world.linked(ann, bob));
        world.pass(10 * MINUTE);
        assert!(world.linked(ann, bob), "seed {seed}: the link did not stay");
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

#[test]
fn a_node_that_ends_takes_back_what_would_be_litter() {
    seeds(40, |seed| {
        let mut world = World::new(seed);
        let room = world.bridge(Kind::List, Weather::fine(2 * SECOND));
        let (ann, bob) = (world.node("ann", &[room], 0), world.node("bob", &[room], 0));
        let carl = world.node("carl", &[room], 0);
        invite(&mut world, bob, ann);
        world.until("friends", MINUTE, |world| world.linked(ann, bob));
        world.nodes[ann].accepting = None;
        world.cut_links();
        world.pass(5 * MINUTE);
        // An offer or an answer is out, no link comes of it, and Carl is not there to welcome Ann.
        world.links_blocked = true;
        let offers = seed % 2 == 0;
        if offers {
            world.crash_node(bob, HOUR);
            world.want(ann, bob);
        } else {
            world.want(bob, ann);
            world.until("answered", MINUTE, |world| world.nodes[ann].published > 1);
            world.crash_node(bob, HOUR);
        }
        invite(&mut world, carl, ann);
        world.crash_node(carl, HOUR);
        // Also while a bridge is still about to say that it has published.
        let wait = world.below(400);
        world.pass(wait);

        world.command(ann, |engine, now| engine.tidy_up(now)).unwrap();
        assert!(world.nodes[ann].engine.as_ref().unwrap().leaves_litter(), "seed {seed}");
        world.until("tidy", 5 * SECOND, |world| !world.nodes[ann].engine.as_ref().unwrap().leaves_litter());
        world.pass(SECOND / 2);
        let out = world.nodes[ann].engine.as_ref().unwrap().records_out();
        assert_eq!(
            out,
            [(World::bridge_name(room), 1)].into(),
            "seed {seed}: the join stays, and nothing else"
        );
        let records = &world.bridges[room].records;
        let lie = records.iter().filter(|record| record.owner == ann && !record.gone).count();
        assert_eq!(lie, 1, "seed {seed}");

        // Ann comes back when the others do.
        world.crash_node(ann, HOUR + MINUTE);
        world.nodes[ann].wants.clear();
        world.nodes[bob].wants.clear();
        world.links_blocked = false;
        world.pass(HOUR + MINUTE + 1);
        world.want(ann, bob);
        world.until("linked", 5 * MINUTE, |world| world.linked(ann, bob));
        world.until("welcomed", 5 * MINUTE, |world| world.linked(ann, carl));
        world.pass(20 * MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
        world.check();
    });
}

#[test]
fn a_node_with_nothing_out_leaves_no_litter() {
    let (mut world, ann, _) = friends(1, Kind::List, Weather::fine(SECOND));
    let before = world.published();
    world.command(ann, |engine, now| engine.tidy_up(now)).unwrap();
    let engine = world.nodes[ann].engine.as_ref().unwrap();
    assert!(!engine.leaves_litter() && engine.records_out().is_empty());
    world.pass(HOUR);
    assert_eq!(world.published(), before);
}
