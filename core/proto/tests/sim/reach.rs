//! How each side is reached, as the other hears of it.

use wayside_proto::engine::*;
use wayside_proto::place::{Candidate, CandidateKind, Candidates, Transport};
use wayside_proto::reach::{Attestation, Filtering, Mapping, NatReport, Reach, Reflector};

use crate::scenes::*;
use crate::seeds;
use crate::world::*;

fn reach(addresses: &[&str], mapping: Mapping, attested_by: &[&str]) -> Reach {
    let candidates = Candidates::new(addresses.iter().map(|address| Candidate {
        kind: CandidateKind::Reflexive,
        transport: Transport::Udp,
        address: address.parse().unwrap(),
    }));
    let by = |by: &&str| Attestation { by: by.parse().unwrap(), mac: *b"attested" };
    let attestations = attested_by.iter().map(by).collect();
    let filtering = Filtering::AddressAndPortDependent;
    Reach { candidates, nat: NatReport { mapping, filtering, attestations } }
}

fn host(address: &str) -> Reach {
    reach(&[address], Mapping::Unknown, &[])
}

fn reflector() -> Reflector {
    Reflector { addresses: vec!["198.51.100.7:3478".parse().unwrap()], token: *b"a token." }
}

/// Ann and Bob, with what each says of itself.
fn two(seed: u64, kind: Kind, latency: Ms, ann: &Reach, bob: &Reach) -> World {
    let mut world = World::new(seed);
    let room = world.bridge(kind, Weather::fine(latency));
    for (name, reach) in [("ann", ann), ("bob", bob)] {
        let node = world.node(name, &[room], 0);
        tell(&mut world, node, reach);
    }
    world
}

fn tell(world: &mut World, node: usize, reach: &Reach) {
    world.nodes[node].reach = Some(reach.clone());
    world.input(node, Input::Reach(reach.clone()));
}

fn last_heard(world: &World, node: usize) -> Option<&Reach> {
    world.nodes[node].heard.last().map(|(_, reach)| reach)
}

fn steps(world: &World, node: usize, other: usize) -> Vec<StepKind> {
    let account = world.nodes[other].account;
    let steps = world.nodes[node].engine.as_ref().unwrap().explain(&account);
    steps.into_iter().map(|step| step.kind).collect()
}

#[test]
fn what_each_says_of_its_nat_arrives_as_it_was_said() {
    for kind in [Kind::List, Kind::Key] {
        seeds(10, |seed| {
            let ann = reach(
                &["192.0.2.1:1", "192.0.2.2:2"],
                Mapping::Sequential { last: 40_000, step: -3 },
                &["198.51.100.1:3478", "198.51.100.2:3478"],
            );
            let bob = reach(&["192.0.2.3:3", "[2001:db8::3]:3"], Mapping::Random, &["198.51.100.1:3478"]);
            let mut world = two(seed, kind, 2 * SECOND, &ann, &bob);
            invite(&mut world, 0, 1);
            world.until("linked", 10 * MINUTE, |world| world.linked(0, 1));
            assert_eq!(
                (last_heard(&world, 0), last_heard(&world, 1)),
                (Some(&bob), Some(&ann)),
                "join and welcome"
            );
            world.nodes[1].accepting = None;
            world.pass(2 * MINUTE);
            let (ann, bob) = (
                reach(&["192.0.2.1:11"], Mapping::Independent, &[]),
                reach(&["192.0.2.3:13"], Mapping::None, &["[2001:db8::1]:3478"]),
            );
            tell(&mut world, 0, &ann);
            tell(&mut world, 1, &bob);
            world.cut_links();
            world.pass(SECOND);
            world.want(0, 1);
            world.until("linked again", 10 * MINUTE, |world| world.linked(0, 1));
            assert_eq!(
                (last_heard(&world, 0), last_heard(&world, 1)),
                (Some(&bob), Some(&ann)),
                "offer and answer"
            );
            world.pass(2 * MINUTE);
            assert_eq!(world.left(), 0, "seed {seed}");
        });
    }
}

#[test]
fn a_newcomer_asks_whom_the_welcome_names_and_the_inviter_hears_what_came_of_it() {
    seeds(20, |seed| {
        let (ann, bob) = (host("192.0.2.1:1"), host("10.0.0.2:2"));
        let mut world = two(seed, Kind::List, 3 * SECOND, &ann, &bob);
        world.nodes[0].reflectors = vec![reflector()];
        world.input(0, Input::Reflectors(vec![reflector()]));
        world.links_blocked = true;
        invite(&mut world, 0, 1);
        world.until("named", MINUTE, |world| !world.nodes[1].named.is_empty());
        let (session, named) = world.nodes[1].named[0].clone();
        assert_eq!(named, [reflector()]);
        // It hears in two steps, and says all of it at once.
        world.pass(500);
        tell(&mut world, 1, &reach(&["10.0.0.2:2", "203.0.113.2:2"], Mapping::Unknown, &[]));
        let measured = reach(&["10.0.0.2:2", "203.0.113.2:2"], Mapping::Independent, &["198.51.100.7:3478"]);
        tell(&mut world, 1, &measured);
        let before = world.nodes[1].published;
        world.pass(500);
        assert_eq!(world.nodes[1].published, before, "seed {seed}: said before it was all known");
        world.input(1, Input::Measured { session });
        assert_eq!(world.nodes[1].published, before + 1, "seed {seed}: said at once");
        world.until("heard", 10 * SECOND, |world| last_heard(world, 0) == Some(&measured));
        assert!(
            world.nodes[1].engine.as_ref().unwrap().session(&session).is_some(),
            "seed {seed}: still dialled"
        );
        world.links_blocked = false;
        world.until("linked", MINUTE, |world| world.linked(0, 1));
        world.pass(MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
        let kinds = steps(&world, 1, 0);
        let told = [
            StepKind::WelcomeRead,
            StepKind::Measuring,
            StepKind::Measured,
            StepKind::UpdateLeft,
            StepKind::Linked,
            StepKind::FirstData,
        ];
        assert!(told.iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
        assert!(steps(&world, 0, 1).contains(&StepKind::UpdateRead));
    });
}

#[test]
fn a_newcomer_whose_measuring_takes_long_does_not_wait_for_ever() {
    let (ann, bob) = (host("192.0.2.1:1"), host("10.0.0.2:2"));
    let mut world = two(3, Kind::List, 3 * SECOND, &ann, &bob);
    world.input(0, Input::Reflectors(vec![reflector()]));
    world.links_blocked = true;
    invite(&mut world, 0, 1);
    world.until("named", MINUTE, |world| !world.nodes[1].named.is_empty());
    let found = host("203.0.113.2:2");
    tell(&mut world, 1, &found);
    let waited = world.until("heard", 20 * SECOND, |world| last_heard(world, 0) == Some(&found));
    assert!(waited >= 5 * SECOND, "{waited}");
    // There is one update a side, and it has been.
    tell(&mut world, 1, &host("203.0.113.3:3"));
    world.pass(20 * SECOND);
    assert_eq!(last_heard(&world, 0), Some(&found));
}

#[test]
fn where_nobody_was_named_what_changed_is_told_at_once() {
    let (ann, bob) = (host("192.0.2.1:1"), host("10.0.0.2:2"));
    let mut world = two(4, Kind::List, 3 * SECOND, &ann, &bob);
    world.links_blocked = true;
    invite(&mut world, 0, 1);
    // What changes between the join and the welcome is told as soon as the welcome is read.
    let found = reach(&["203.0.113.2:2"], Mapping::Independent, &[]);
    world.pass(100);
    tell(&mut world, 1, &found);
    world.until("heard", 30 * SECOND, |world| last_heard(world, 0) == Some(&found));
    assert!(world.nodes[1].named.is_empty());
    let found = host("192.0.2.9:9");
    tell(&mut world, 0, &found);
    world.until("heard", 10 * SECOND, |world| last_heard(world, 1) == Some(&found));
}

#[test]
fn an_offerer_whose_addresses_changed_while_it_waited_says_so() {
    let (mut world, ann, bob) = friends(8, Kind::List, Weather::fine(SECOND));
    world.cut_links();
    world.pass(MINUTE);
    world.links_blocked = true;
    world.crash_node(bob, 10 * SECOND);
    world.want(ann, bob);
    world.pass(2 * SECOND);
    let found = reach(&["203.0.113.7:7"], Mapping::Random, &["198.51.100.7:3478"]);
    tell(&mut world, ann, &found);
    world.until("heard", MINUTE, |world| last_heard(world, bob) == Some(&found));
    world.links_blocked = false;
    world.until("linked", MINUTE, |world| world.linked(ann, bob));
}

#[test]
fn over_a_slow_bridge_the_update_still_comes_in_time() {
    let (ann, bob) = (host("192.0.2.1:1"), host("10.0.0.2:2"));
    let mut world = two(5, Kind::List, 100 * SECOND, &ann, &bob);
    world.input(0, Input::Reflectors(vec![reflector()]));
    world.links_blocked = true;
    invite(&mut world, 0, 1);
    world.until("named", HOUR, |world| !world.nodes[1].named.is_empty());
    let session = world.nodes[1].named[0].0;
    let found = host("203.0.113.2:2");
    tell(&mut world, 1, &found);
    world.input(1, Input::Measured { session });
    world.until("heard", 10 * MINUTE, |world| last_heard(world, 0) == Some(&found));
    assert!(world.nodes[1].engine.as_ref().unwrap().session(&session).is_some(), "still dialled");
    world.links_blocked = false;
    world.until("linked", 30 * SECOND, |world| world.linked(0, 1));
}

#[test]
fn what_was_said_survives_a_crash() {
    let ann = reach(&["192.0.2.1:1"], Mapping::Random, &["198.51.100.7:3478"]);
    let bob = reach(&["192.0.2.2:2"], Mapping::Independent, &[]);
    let mut world = two(6, Kind::List, SECOND, &ann, &bob);
    world.links_blocked = true;
    invite(&mut world, 0, 1);
    world.until("heard", MINUTE, |world| last_heard(world, 0).is_some() && last_heard(world, 1).is_some());
    world.nodes[1].accepting = None;
    for node in 0..2 {
        world.nodes[node].heard.clear();
        world.crash_node(node, SECOND);
    }
    world.pass(5 * SECOND);
    assert_eq!((last_heard(&world, 0), last_heard(&world, 1)), (Some(&bob), Some(&ann)));
    let told =
        steps(&world, 0, 1).iter().chain(&steps(&world, 1, 0)).any(|kind| *kind == StepKind::UpdateLeft);
    assert!(!told, "nothing has changed");
}
