//! First contact between more than two, late, twice, crossed.

use std::time::Duration;

use wayside_proto::engine::*;
use wayside_proto::introduction::IntroductionId;
use wayside_proto::message::Refusal;

use crate::scenes::*;
use crate::seeds;
use crate::world::*;

fn room(seed: u64, names: &[&str]) -> World {
    let mut world = World::new(seed);
    let room = world.bridge(Kind::List, Weather::fine(2 * SECOND));
    for name in names {
        world.node(name, &[room], 0);
    }
    world
}

fn has(world: &World, node: usize, holds: impl Fn(&Event) -> bool) -> usize {
    world.nodes[node].events.iter().filter(|(_, event)| holds(event)).count()
}

#[test]
fn a_second_comer_is_told_once_that_the_invite_was_used() {
    seeds(20, |seed| {
        let mut world = room(seed, &["ann", "bob", "eve"]);
        invite(&mut world, 0, 1);
        world.until("linked", MINUTE, |world| world.linked(0, 1));
        let made = world.nodes[0].invited.clone().unwrap();
        let id = world.command(2, |engine, now| engine.accept(now, &made, None)).unwrap().unwrap();
        world.until("told", MINUTE, |world| {
            world.nodes[2].engine.as_ref().unwrap().contact(&id) == Some(ContactState::Refused(Refusal::Used))
        });
        assert_eq!(
            has(&world, 2, |event| matches!(event, Event::InviteRefused { why: Refusal::Used, .. })),
            1
        );
        assert_eq!(has(&world, 0, |event| matches!(event, Event::JoinRefused { why: Refusal::Used, .. })), 1);
        assert!(!world.friends(0, 2) && world.linked(0, 1), "seed {seed}");
        // The refusal goes with the invite.
        world.pass(22 * DAY);
        assert_eq!(world.left(), 0, "seed {seed}");
        let kept = world.nodes[0].store.keys().filter(|key| key.starts_with("invite/")).count();
        assert_eq!(kept, 0, "seed {seed}: the one-time key is destroyed");
    });
}

#[test]
fn an_invite_for_many_makes_each_a_friend_once() {
    seeds(20, |seed| {
        let names = ["ann", "bob", "bob", "carl", "dora"];
        let mut world = room(seed, &names);
        let options = InviteOptions { uses: 4, ..InviteOptions::default() };
        let made = world.command(0, |engine, now| engine.invite(now, options)).unwrap().unwrap();
        for node in 1..names.len() {
            world.command(node, |engine, now| engine.accept(now, &made, None)).unwrap().unwrap();
        }
        world.until("all linked", 10 * MINUTE, |world| (1..5).all(|node| world.linked(0, node)));
        world.pass(MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
        world.check();
        let engine = world.nodes[0].engine.as_ref().unwrap();
        let names: Vec<_> = ["bob", "bob-2"].iter().map(|name| engine.find(name).unwrap()).collect();
        assert!(names.contains(&world.nodes[1].account) && names.contains(&world.nodes[2].account));
    });
}

#[test]
fn whoever_comes_after_the_end_is_told_so() {
    seeds(10, |seed| {
        let mut world = room(seed, &["ann", "bob"]);
        let options = InviteOptions { lifetime: Duration::from_secs(3600), ..InviteOptions::default() };
        let made = world.command(0, |engine, now| engine.invite(now, options)).unwrap().unwrap();
        world.crash_node(0, 3 * HOUR);
        let id = world.command(1, |engine, now| engine.accept(now, &made, None)).unwrap().unwrap();
        world.until("told", 4 * HOUR, |world| {
            world.nodes[1].engine.as_ref().unwrap().contact(&id)
                == Some(ContactState::Refused(Refusal::Expired))
        });
        let again = world.command(1, |engine, now| engine.accept(now, &made, None)).unwrap();
        assert_eq!(again, Ok(id), "seed {seed}: the same invite is the same contact");
        world.pass(2 * DAY);
        assert_eq!(world.left(), 0, "seed {seed}");
        let late = world.node("carl", &[0], 0);
        let late = world.command(late, |engine, now| engine.accept(now, &made, None)).unwrap();
        assert_eq!(late, Err(CommandError::Expired), "seed {seed}");
    });
}

#[test]
fn an_inviter_that_never_comes_back_is_given_up() {
    let mut world = room(1, &["ann", "bob"]);
    invite(&mut world, 0, 1);
    world.crash_node(0, 100 * DAY);
    world.pass(22 * DAY);
    let made = world.nodes[0].invited.clone().unwrap();
    let state = world.nodes[1].engine.as_ref().unwrap().contact(&ContactId(made.key));
    assert_eq!(state, Some(ContactState::Expired));
    assert_eq!(world.left(), 0);
}

#[test]
fn crossed_invites_make_one_friend_each() {
    seeds(30, crossed);
}

fn crossed(seed: u64) {
    let mut world = room(seed, &["ann", "bob"]);
    world.crash = 20;
    world.crashes_left = seed as u32 % 4;
    let make = |world: &mut World, node: usize| loop {
        if let Some(Ok(made)) =
            world.command(node, |engine, now| engine.invite(now, InviteOptions::default()))
            && world.nodes[node].store.keys().any(|key| key.starts_with("invite/"))
        {
            break made;
        }
        world.pass(MINUTE);
    };
    let (hers, his) = (make(&mut world, 0), make(&mut world, 1));
    world.nodes[0].accepting = Some(his.clone());
    world.nodes[1].accepting = Some(hers.clone());
    world.command(0, |engine, now| engine.accept(now, &his, None));
    let apart = world.below(6 * SECOND);
    world.pass(apart);
    world.command(1, |engine, now| engine.accept(now, &hers, None));
    world.until("friends", HOUR, |world| world.friends(0, 1));
    world.crashes_left = 0;
    world.check();
    // A crash right after the first link ends what the invite was accepted for; from here on somebody wants.
    world.want(1, 0);
    world.until("linked", HOUR, |world| world.linked(0, 1));
    world.unwant(1, 0);
    // Whatever secret each holds to be the right one, they meet again, now and a week later.
    for wait in [5 * MINUTE, 7 * DAY, 7 * DAY] {
        world.cut_links();
        world.pass(wait);
        world.want(0, 1);
        world.until("linked again", 10 * MINUTE, |world| world.linked(0, 1));
        world.unwant(0, 1);
    }
    world.pass(HOUR);
    assert_eq!(world.left(), 0, "seed {seed}");
}

#[test]
fn a_joiner_that_lost_its_state_gets_in_again() {
    seeds(20, |seed| {
        let mut world = room(seed, &["ann", "bob"]);
        invite(&mut world, 0, 1);
        world.until("bound", MINUTE, |world| {
            world.nodes[0].engine.as_ref().is_some_and(|engine| engine.friends().count() == 1)
        });
        world.crash_node(1, SECOND);
        world.nodes[1].store.clear();
        world.forgetful = true;
        world.until("linked", 30 * MINUTE, |world| world.linked(0, 1));
        world.check();
        world.nodes[1].accepting = None;
        world.cut_links();
        world.pass(DAY);
        world.want(0, 1);
        world.until("linked again", 10 * MINUTE, |world| world.linked(0, 1));
    });
}

#[test]
fn a_lost_welcome_does_not_lock_out() {
    seeds(20, |seed| {
        let mut world = room(seed, &["ann", "bob"]);
        invite(&mut world, 0, 1);
        world.until("bound", MINUTE, |world| world.nodes[0].published > 0);
        // The welcome is there and is never seen.
        world.bridges[0].records.last_mut().unwrap().visible = false;
        world.until("linked", 10 * MINUTE, |world| world.linked(0, 1));
        world.pass(MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

/// A link that was dead, since its peer had crashed, won against the one that the peer then made.
#[test]
fn regression_a_dead_link_does_not_outlive_a_newer_one() {
    crossed(14);
}

/// The cards by which two know each other who were introduced.
fn card(
    world: &mut World,
    node: usize,
) -> (wayside_proto::identity::Card, wayside_proto::crypto::keys::DeviceId) {
    let card = world.command(node, |engine, now| engine.own_card(now)).unwrap();
    let device = card.roster().devices[0].keys.id();
    (card, device)
}

const INTRODUCTION: IntroductionId = IntroductionId([5; 16]);

#[test]
fn an_invite_for_somebody_introduced_works_for_that_one_alone() {
    seeds(20, |seed| {
        let mut world = room(seed, &["ann", "bob", "eve"]);
        let (bob, bobs) = card(&mut world, 1);
        let (ann, anns) = card(&mut world, 0);
        let options = InviteOptions::default();
        let sealed = world
            .command(0, |engine, now| engine.invite_introduced(now, &INTRODUCTION, (&bob, &bobs), options))
            .unwrap()
            .unwrap();
        // Somehow Eve has it.
        let stolen = world.nodes[0].engine.as_ref().unwrap().invites().next().unwrap().invite;
        let id = world.command(2, |engine, now| engine.accept(now, &stolen, None)).unwrap().unwrap();
        world.until("refused", MINUTE, |world| {
            let state = world.nodes[2].engine.as_ref().unwrap().contact(&id);
            state == Some(ContactState::Refused(Refusal::Unwelcome))
        });
        assert!(!world.friends(0, 2), "seed {seed}");
        // It does not open for her, nor in another introduction, nor as if it were hers.
        let open = |world: &mut World, node: usize, id, from, device| {
            let sealed = sealed.clone();
            world
                .command(node, move |engine, now| {
                    engine.accept_introduced(now, id, (from, device), &sealed, Some("Anna".into()))
                })
                .unwrap()
        };
        let (eve, eves) = card(&mut world, 2);
        assert_eq!(open(&mut world, 2, &INTRODUCTION, &ann, &anns), Err(IntroducedError::Sealed));
        assert_eq!(open(&mut world, 1, &IntroductionId([6; 16]), &ann, &anns), Err(IntroducedError::Sealed));
        assert_eq!(open(&mut world, 1, &INTRODUCTION, &eve, &eves), Err(IntroducedError::Sealed));
        let id = open(&mut world, 1, &INTRODUCTION, &ann, &anns).unwrap();
        assert_eq!(open(&mut world, 1, &INTRODUCTION, &ann, &anns), Ok(id), "the same again is the same");
        world.until("linked", MINUTE, |world| world.linked(0, 1));
        assert!(world.nodes[1].engine.as_ref().unwrap().find("Anna").is_ok());
        world.check();
    });
}

/// Ann seals for Bob an invite that is Carl's: Bob does not become Carl's friend by it.
#[test]
fn an_invite_that_leads_to_somebody_else_is_dropped() {
    seeds(20, |seed| {
        let mut world = room(seed, &["ann", "bob", "carl"]);
        let (ann, anns) = card(&mut world, 0);
        let (bob, _) = card(&mut world, 1);
        let carls =
            world.command(2, |engine, now| engine.invite(now, InviteOptions::default())).unwrap().unwrap();
        let keys = world.nodes[0].device_keys();
        let sealed = wayside_proto::introduction::seal(
            &INTRODUCTION,
            (&ann.account(), keys.noise()),
            (&bob.account(), &bob.roster().devices[0].keys.noise),
            &wayside_proto::crypto::Secret::new([1; 32]),
            &carls,
        )
        .unwrap();
        let id = world
            .command(1, |engine, now| {
                engine.accept_introduced(now, &INTRODUCTION, (&ann, &anns), &sealed, None)
            })
            .unwrap()
            .unwrap();
        world.crash_node(1, SECOND);
        world.until("dropped", MINUTE, |world| {
            let engine = world.nodes[1].engine.as_ref();
            engine.is_some_and(|engine| engine.contact(&id) == Some(ContactState::Another))
        });
        let carl = world.nodes[2].account;
        assert!(world.nodes[1].engine.as_ref().unwrap().friend(&carl).is_none(), "seed {seed}");
        assert_eq!(has(&world, 1, |event| matches!(event, Event::Suspicious { .. })), 1, "seed {seed}");
    });
}
