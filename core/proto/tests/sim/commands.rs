//! What a person does to friends, clocks that are far off, updates, bridges that watch few keys.

use std::time::Duration;

use wayside_proto::Now;
use wayside_proto::crypto::keys::{AccountKey, DeviceKeys};
use wayside_proto::engine::*;
use wayside_proto::invite::Invite;
use wayside_proto::place::{Candidate, CandidateKind, Candidates, Transport};
use wayside_proto::reach::Reach;

use crate::scenes::*;
use crate::seeds;
use crate::world::*;

#[test]
fn a_blocked_friend_gets_no_answer_and_an_unblocked_one_does() {
    let (mut world, ann, bob) = friends(1, Kind::List, Weather::fine(SECOND));
    let his = world.nodes[bob].account;
    world.command(ann, |engine, now| engine.block(now, &his)).unwrap().unwrap();
    world.pass(MINUTE);
    assert!(world.nodes[ann].links.is_empty() && world.nodes[bob].links.is_empty());
    let before = world.nodes[ann].published;
    world.want(bob, ann);
    world.pass(DAY);
    assert_eq!(world.nodes[ann].published, before);
    world.want(ann, bob);
    world.pass(MINUTE);
    assert_eq!(world.nodes[ann].published, before, "a blocked friend is not wanted");
    world.command(ann, |engine, now| engine.unblock(now, &his)).unwrap().unwrap();
    world.until("linked", 8 * HOUR, |world| world.linked(ann, bob));
}

#[test]
fn a_removed_friend_leaves_no_secret_behind() {
    let (mut world, ann, bob) = friends(2, Kind::List, Weather::fine(SECOND));
    world.cut_links();
    world.pass(MINUTE);
    world.want(ann, bob);
    let his = world.nodes[bob].account;
    world.command(ann, |engine, now| engine.remove(now, &his)).unwrap().unwrap();
    world.pass(30 * DAY);
    let kept = |area: &str| world.nodes[ann].store.keys().filter(|key| key.starts_with(area)).count();
    assert_eq!((kept("friend/"), kept("meeting/"), kept("session/"), kept("pub/")), (0, 0, 0, 0));
    assert_eq!(world.left(), 0);
    let gone = world.command(ann, |engine, now| engine.remove(now, &his)).unwrap();
    assert_eq!(gone, Err(CommandError::Unknown("friend")));
}

#[test]
fn names_and_grants_survive_a_restart() {
    let (mut world, ann, bob) = friends(3, Kind::List, Weather::fine(SECOND));
    let his = world.nodes[bob].account;
    let engine = |world: &mut World, command: &dyn Fn(&mut Engine, Now)| {
        world.command(ann, |engine, now| command(engine, now)).unwrap();
    };
    engine(&mut world, &|engine, now| engine.rename(now, &his, Some("Robert".into())).unwrap());
    engine(&mut world, &|engine, now| engine.allow(now, &his, Grant::Relay, true).unwrap());
    engine(&mut world, &|engine, now| engine.set_granted(now, &his, [Grant::Mailbox].into()).unwrap());
    engine(&mut world, &|engine, now| {
        assert_eq!(engine.rename(now, &his, Some("a\nb".into())), Err(CommandError::Name("a\nb".into())));
    });
    world.crash_node(ann, SECOND);
    world.pass(MINUTE);
    let engine = world.nodes[ann].engine.as_ref().unwrap();
    assert_eq!(engine.find("robert"), Ok(his));
    assert_eq!(engine.find(&his.to_string()), Ok(his));
    assert_eq!(engine.find("bob"), Err(FindError::Unknown("bob".into())));
    let friend = engine.friend(&his).unwrap();
    assert!(friend.allows(Grant::Relay) && !friend.allows(Grant::Mailbox) && friend.granted(Grant::Mailbox));
}

#[test]
fn a_damaged_value_is_named() {
    let (world, ann, _) = friends(4, Kind::List, Weather::fine(SECOND));
    let mut rng = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::from_seed([1; 32]);
    for key in world.nodes[ann].store.keys() {
        for damage in [vec![], vec![1], vec![9, 1, 2], b"\x01\xff\xff\xff\xff".to_vec()] {
            let identity = Identity {
                account: AccountKey::generate(&mut rng),
                device: DeviceKeys::generate(&mut rng),
                name: "ann".into(),
            };
            let mut store = world.nodes[ann].store.clone();
            store.insert(key.clone(), damage);
            store.insert("later/version".into(), vec![7]);
            let restored = Engine::restore(identity, Config::default(), store, [2; 32], Now::default());
            assert_eq!(restored.err().map(|error| error.key), Some(key.clone()));
        }
    }
}

#[test]
fn our_own_invite_and_one_that_leads_nowhere_are_refused() {
    let mut world = World::new(5);
    let (here, there) =
        (world.bridge(Kind::List, Weather::fine(SECOND)), world.bridge(Kind::List, Weather::fine(SECOND)));
    let (ann, bob) = (world.node("ann", &[here], 0), world.node("bob", &[there], 0));
    let made: Invite =
        world.command(ann, |engine, now| engine.invite(now, InviteOptions::default())).unwrap().unwrap();
    let own = world.command(ann, |engine, now| engine.accept(now, &made, None)).unwrap();
    assert_eq!(own, Err(CommandError::OwnInvite));
    let nowhere = world.command(bob, |engine, now| engine.accept(now, &made, None)).unwrap();
    assert_eq!(nowhere, Err(CommandError::NoBridge { wanted: made.points.clone() }));
    assert_eq!(made.to_string().parse::<Invite>().unwrap(), made);
}

#[test]
fn a_clock_a_year_wrong_does_no_harm() {
    const YEAR: i64 = 366 * DAY as i64;
    for skew in [YEAR, -YEAR] {
        let (mut world, ann, bob) = friends(6, Kind::List, Weather::fine(SECOND));
        world.crash_node(ann, SECOND);
        world.nodes[ann].skew = skew;
        world.want(ann, bob);
        world.pass(3 * DAY);
        assert!(!world.linked(ann, bob));
        // A service tells the time: it is believed, and said.
        let time = world.time(bob).wall;
        world.input(ann, Input::ServiceTime { bridge: World::bridge_name(0), time });
        let told = |(_, event): &(Ms, Event)| matches!(event, Event::ClockWrong { ahead, .. } if *ahead == (skew > 0));
        assert_eq!(world.nodes[ann].events.iter().filter(|event| told(event)).count(), 1);
        world.until("linked", 8 * HOUR, |world| world.linked(ann, bob));
    }
}

#[test]
fn candidates_found_late_go_in_one_update() {
    let (mut world, ann, bob) = friends(7, Kind::List, Weather::fine(SECOND));
    world.cut_links();
    world.pass(MINUTE);
    world.links_blocked = true;
    world.want(ann, bob);
    world.pass(10 * SECOND);
    let before = world.published();
    for port in 1..4 {
        let address = format!("192.0.2.1:{port}").parse().unwrap();
        let found = Candidates::new([Candidate {
            kind: CandidateKind::Reflexive,
            transport: Transport::Udp,
            address,
        }]);
        world.input(ann, Input::Reach(Reach::of(found)));
    }
    world.pass(5 * SECOND);
    assert_eq!(world.published(), before + 1, "one update a side");
    let last = world.transcript.iter().rev().find(|line| line.contains("bob MoreCandidates")).unwrap();
    assert!(last.contains("192.0.2.1:1"), "{last}");
    world.links_blocked = false;
    world.until("linked", MINUTE, |world| world.linked(ann, bob));
    world.pass(MINUTE);
    assert_eq!(world.left(), 0);
}

#[test]
fn a_bridge_that_watches_few_keys_is_shown_them_in_turn() {
    seeds(5, |seed| {
        let mut world = World::new(seed);
        let zone = world.bridge(Kind::Key, Weather::fine(SECOND));
        world.bridges[zone].max_keys = Some(14);
        let (ann, bob) = (world.node("ann", &[zone], 0), world.node("bob", &[zone], 0));
        invite(&mut world, ann, bob);
        world.until("linked", 10 * MINUTE, |world| world.linked(ann, bob));
        world.nodes[bob].accepting = None;
        world.cut_links();
        world.pass(MINUTE);
        world.want(bob, ann);
        world.until("linked", 10 * MINUTE, |world| world.linked(ann, bob));
    });
}

#[test]
fn a_bridge_that_comes_up_later_serves_at_once() {
    let (mut world, ann, bob) = friends(8, Kind::List, Weather::fine(SECOND));
    world.cut_links();
    world.pass(MINUTE);
    world.bridge_down(ann, 0);
    world.want(ann, bob);
    world.pass(2 * HOUR);
    world.bridge_up(ann, 0);
    world.until("linked", 10 * SECOND, |world| world.linked(ann, bob));
    let steps = world.nodes[ann].engine.as_ref().unwrap().explain(&world.nodes[bob].account);
    assert!(steps.len() <= 64 && steps.iter().any(|step| step.what.contains("no bridge")));
    assert!(
        steps.iter().any(|step| step.kind == StepKind::AnswerRead && step.what.contains("b0")),
        "{steps:?}"
    );
}

#[test]
fn a_card_is_renewed_in_time_and_only_then() {
    let (mut world, ann, _) = friends(9, Kind::List, Weather::fine(SECOND));
    let first = world.command(ann, Engine::own_card).unwrap();
    world.pass(19 * DAY);
    assert_eq!(world.command(ann, Engine::own_card).unwrap(), first);
    world.pass(2 * DAY);
    let second = world.command(ann, Engine::own_card).unwrap();
    assert!(second.roster().seq > first.roster().seq);
    assert_eq!(second.roster().previous, Some(first.signed_roster().hash()));
    world.crash_node(ann, SECOND);
    world.pass(MINUTE);
    assert_eq!(world.command(ann, Engine::own_card).unwrap(), second, "places keep their tags");
}

#[test]
fn a_hundred_friends_are_watched_without_effort() {
    let mut world = World::new(10);
    let room = world.bridge(Kind::List, Weather::fine(SECOND));
    let ann = world.node("ann", &[room], 0);
    let options =
        InviteOptions { uses: 100, lifetime: Duration::from_secs(86_400), ..InviteOptions::default() };
    let made = world.command(ann, |engine, now| engine.invite(now, options)).unwrap().unwrap();
    for at in 0..100 {
        let node = world.node(&format!("n{at}"), &[room], 0);
        world.command(node, |engine, now| engine.accept(now, &made, None)).unwrap().unwrap();
    }
    world.until("all linked", HOUR, |world| (1..101).all(|node| world.linked(ann, node)));
    world.pass(10 * MINUTE);
    assert_eq!(world.left(), 0);
    world.pass(DAY);
    world.crash_node(ann, SECOND);
    world.pass(MINUTE);
    let last = world.nodes[100].account;
    world.want(ann, 100);
    world.until("linked", MINUTE, |world| world.linked(ann, 100));
    assert!(world.nodes[ann].engine.as_ref().unwrap().friend(&last).is_some());
}
