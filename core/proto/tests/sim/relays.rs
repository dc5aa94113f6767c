//! Relays that both sides can use, as each hears of them.

use wayside_proto::crypto::keys::DeviceId;
use wayside_proto::engine::*;
use wayside_proto::place::{Candidate, CandidateKind, Candidates, Transport};
use wayside_proto::reach::Reach;

use crate::scenes::*;
use crate::seeds;
use crate::world::*;

fn relays(nth: &[u8]) -> Vec<DeviceId> {
    nth.iter().map(|nth| DeviceId([*nth; 16])).collect()
}

fn tell(world: &mut World, node: usize, nth: &[u8]) {
    world.nodes[node].relays = relays(nth);
    world.input(node, Input::Relays(relays(nth)));
}

/// Ann and Bob, with the relays of each; no link comes up.
fn two(seed: u64, kind: Kind, ann: &[u8], bob: &[u8]) -> World {
    let mut world = World::new(seed);
    let room = world.bridge(kind, Weather::fine(2 * SECOND));
    for (name, own) in [("ann", ann), ("bob", bob)] {
        let node = world.node(name, &[room], 0);
        // After a restart it is reached as before, so that the one update is left for the relays.
        let address = format!("192.0.2.{}:4000", node + 1).parse().unwrap();
        let (kind, transport) = (CandidateKind::Host, Transport::Udp);
        let reach = Reach::of(Candidates::new([Candidate { kind, transport, address }]));
        world.nodes[node].reach = Some(reach.clone());
        world.input(node, Input::Reach(reach));
        tell(&mut world, node, own);
    }
    world.links_blocked = true;
    world
}

/// What both heard last of the last session that both have.
fn heard(world: &World) -> [Option<Vec<DeviceId>>; 2] {
    let known = |node: usize| world.nodes[node].common.iter().map(|(id, _)| *id);
    let both = known(0).collect::<Vec<_>>().into_iter().rev().find(|id| known(1).any(|other| other == *id));
    [0, 1].map(|node| world.common(node, &both?))
}

fn updates(world: &World, node: usize) -> usize {
    let account = world.nodes[1 - node].account;
    let steps = world.nodes[node].engine.as_ref().unwrap().explain(&account);
    steps.iter().filter(|step| step.kind == StepKind::UpdateLeft).count()
}

/// By the definition: the places in both lists added up, then the ids.
fn by_hand(ours: &[u8], theirs: &[u8]) -> Vec<DeviceId> {
    let mut common: Vec<_> = (ours.iter().enumerate())
        .filter_map(|(at, relay)| Some((at + theirs.iter().position(|other| other == relay)?, *relay)))
        .collect();
    common.sort_unstable();
    relays(&common.into_iter().map(|(_, relay)| relay).collect::<Vec<_>>())
}

#[test]
fn both_sides_hear_the_same_in_the_same_order() {
    for kind in [Kind::List, Kind::Key] {
        for (ann, bob) in [
            (&[1, 2, 3][..], &[3, 2, 1][..]),
            (&[5, 1], &[4, 1, 5]),
            (&[2, 7, 1], &[7, 9, 2]),
            (&[1], &[2]),
            (&[], &[1]),
            (&[3, 1, 2], &[]),
        ] {
            let mut world = two(1, kind, ann, bob);
            let expected = [Some(by_hand(ann, bob)), Some(by_hand(bob, ann))];
            assert_eq!(expected[0], expected[1]);
            invite(&mut world, 0, 1);
            world.until("first contact", MINUTE, |world| heard(world)[0].is_some());
            assert_eq!(heard(&world), expected, "join and welcome");
            assert_eq!([0, 1].map(|node| updates(&world, node)), [0, 0]);
            world.links_blocked = false;
            world.until("linked", 10 * MINUTE, |world| world.linked(0, 1));
            world.nodes[1].accepting = None;
            world.pass(2 * MINUTE);
            world.cut_links();
            world.pass(SECOND);
            world.nodes.iter_mut().for_each(|node| node.common.clear());
            world.links_blocked = true;
            world.want(1, 0);
            world.until("met", 10 * MINUTE, |world| heard(world)[0].is_some());
            assert_eq!(heard(&world), expected, "offer and answer");
            assert_eq!([0, 1].map(|node| updates(&world, node)), [0, 0]);
        }
    }
}

#[test]
fn through_losses_crashes_and_an_attacker_both_sides_name_the_same() {
    let named = std::cell::Cell::new(0);
    seeds(30, |seed| {
        let (mut world, nodes) = chaos(seed);
        let (ann, bob) = (nodes[0], nodes[1]);
        for node in [ann, bob] {
            // More than three would be told anew as soon as the answer is read: for a moment one side knows more.
            let mut own: Vec<u8> = (0..3).map(|_| world.below(5) as u8).collect();
            own.dedup();
            tell(&mut world, node, &own);
        }
        // Every link that comes up compares what the two have in common.
        invite(&mut world, ann, bob);
        world.until("friends", 19 * DAY, |world| world.friends(ann, bob));
        world.nodes[bob].accepting = None;
        for _ in 0..3 {
            world.want(ann, bob);
            world.until("linked", 4 * DAY, |world| world.linked(ann, bob));
            world.cut_links();
            world.pass(5 * MINUTE);
        }
        named.set(
            named.get() + world.nodes[ann].common.iter().filter(|(_, common)| !common.is_empty()).count(),
        );
    });
    // One seed alone may have none in common.
    assert!(named.get() > 10 || std::env::var_os("WAYSIDE_SIM_SEED").is_some(), "{}", named.get());
}

#[test]
fn whoever_answers_names_first_what_the_other_named() {
    // The eighth of Bob's is all that they have in common.
    let mut world = two(2, Kind::List, &[8, 20, 21], &[1, 2, 3, 4, 5, 6, 7, 8]);
    invite(&mut world, 1, 0);
    world.until("heard", MINUTE, |world| heard(world)[0].is_some());
    assert_eq!(heard(&world), [Some(relays(&[8])), Some(relays(&[8]))]);
    assert_eq!([0, 1].map(|node| updates(&world, node)), [0, 0]);
}

#[test]
fn whoever_offered_and_did_not_name_what_the_answer_does_says_so() {
    let mut world = two(3, Kind::List, &[8, 20, 21], &[1, 2, 3, 4, 5, 6, 7, 8]);
    world.relays_settled = false;
    invite(&mut world, 0, 1);
    world.until("heard", MINUTE, |world| heard(world)[0].as_ref().is_some_and(|common| !common.is_empty()));
    assert_eq!(heard(&world), [Some(relays(&[8])), Some(relays(&[8]))]);
    assert_eq!([0, 1].map(|node| updates(&world, node)), [0, 1]);
}

#[test]
fn what_changes_while_a_session_is_under_way_is_told_once() {
    seeds(10, |seed| {
        let mut world = two(seed, Kind::List, &[1, 2], &[2, 3]);
        world.relays_settled = false;
        invite(&mut world, 0, 1);
        world.until("heard", MINUTE, |world| heard(world)[0].is_some());
        assert_eq!(heard(&world), [Some(relays(&[2])), Some(relays(&[2]))]);
        // The order alone is no news.
        tell(&mut world, 0, &[2, 1]);
        world.pass(10 * SECOND);
        assert_eq!([0, 1].map(|node| updates(&world, node)), [0, 0]);
        if seed % 2 == 1 {
            // What both named is remembered.
            world.crash_node(0, SECOND);
            world.crash_node(1, SECOND);
            world.pass(10 * SECOND);
            assert_eq!(heard(&world), [Some(relays(&[2])), Some(relays(&[2]))]);
        }
        tell(&mut world, 0, &[3, 1, 2]);
        assert_eq!(heard(&world)[0], Some(relays(&[2, 3])), "here at once");
        world.until("told", MINUTE, |world| heard(world)[1] == Some(relays(&[2, 3])));
        tell(&mut world, 0, &[4, 5, 6]);
        world.pass(20 * SECOND);
        assert_eq!(updates(&world, 0), 1, "seed {seed}: there is one update a side");
        // The other side has its own.
        tell(&mut world, 1, &[2, 1]);
        world.until("told", MINUTE, |world| heard(world)[1] == Some(relays(&[2, 1])));
        world.links_blocked = false;
        world.until("linked", 10 * MINUTE, |world| world.linked(0, 1));
        world.pass(2 * MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

#[test]
fn with_a_link_up_nothing_is_told() {
    let (mut world, ann, bob) = friends(5, Kind::List, Weather::fine(SECOND));
    let before = world.published();
    tell(&mut world, ann, &[1, 2, 3]);
    tell(&mut world, bob, &[1, 2, 3]);
    world.pass(HOUR);
    assert_eq!(world.published(), before);
}

#[test]
fn the_other_sides_own_device_is_no_relay_between_the_two() {
    let (mut world, ann, bob) = friends(6, Kind::List, Weather::fine(SECOND));
    let bobs = world.nodes[bob].engine.as_ref().unwrap().device().id();
    world.cut_links();
    world.pass(MINUTE);
    for node in [ann, bob] {
        world.nodes[node].relays = vec![bobs, DeviceId([9; 16])];
        world.input(node, Input::Relays(vec![bobs, DeviceId([9; 16])]));
        world.nodes[node].common.clear();
    }
    world.want(ann, bob);
    world.until("linked", MINUTE, |world| world.linked(ann, bob));
    assert_eq!(heard(&world), [Some(relays(&[9])), Some(relays(&[9]))]);
}
