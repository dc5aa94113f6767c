//! What is looked for where records are found by their keys alone.

use crate::scenes::invite;
use crate::world::{DAY, HOUR, Kind, SECOND, Weather, World};

/// How many keys somebody with so many friends looks for, when nothing is awaited.
fn looked_for(friends: usize) -> usize {
    let mut world = World::new(1);
    let zone = world.bridge(Kind::Key, Weather::fine(SECOND));
    let ann = world.node("ann", &[zone], 0);
    for number in 0..friends {
        let friend = world.node(&format!("f{number}"), &[zone], 0);
        invite(&mut world, ann, friend);
        world.until("friends", HOUR, |world| world.linked(ann, friend));
        world.nodes[friend].accepting = None;
        // Away for good, so that the others need not wait for it.
        world.crash_node(friend, 1_000_000 * DAY);
    }
    // The invites have ended by then, and whatever was awaited is over.
    world.pass(30 * DAY);
    world.watched(ann, zone).len()
}

#[test]
fn a_look_costs_the_same_for_one_friend_and_for_many() {
    // Four trays for each of three days.
    assert_eq!(looked_for(1), 12);
    assert_eq!(looked_for(40), 12);
}

#[test]
#[ignore = "takes minutes"]
fn a_look_costs_the_same_for_hundreds_of_friends() {
    // As many as there are addresses in the simulation.
    assert_eq!(looked_for(250), 12);
}
