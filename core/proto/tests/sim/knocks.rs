//! Strangers who knock by a pointer: losses, crashes, wrong clocks, late consent, floods, swapped pointers, old copies.

use std::time::Duration;

use wayside_proto::UnixMillis;
use wayside_proto::engine::*;
use wayside_proto::message::Refusal;
use wayside_proto::pointer::{Pointer, PointerName};

use crate::seeds;
use crate::strangers::*;
use crate::world::*;

pub fn name() -> PointerName {
    PointerName::new("ann").unwrap()
}

pub fn options(bridges: &[usize]) -> PointerOptions {
    PointerOptions {
        name: name(),
        bridges: bridges.iter().map(|bridge| World::bridge_name(*bridge)).collect(),
        lifetime: Duration::from_secs(90 * 86_400),
    }
}

/// Ann makes her pointer; a crash may eat that, and then she does it again.
pub fn pointer(world: &mut World, ann: usize, bridges: &[usize]) -> Pointer {
    loop {
        let made = world.command(ann, |engine, now| engine.make_pointer(now, &options(bridges)));
        if let Some(Ok(pointer)) = made
            && world.nodes[ann].store.keys().any(|key| key.starts_with("pointer/"))
        {
            return pointer;
        }
        world.pass(MINUTE);
    }
}

pub fn knock(world: &mut World, node: usize, pointer: &Pointer) -> ContactId {
    loop {
        let knocked = world.command(node, |engine, now| engine.knock_by_pointer(now, pointer, None));
        if let Some(Ok(id)) = knocked
            && world.nodes[node].store.keys().any(|key| key.starts_with("contact/"))
        {
            return id;
        }
        world.pass(MINUTE);
    }
}

pub fn waiting(world: &World, ann: usize) -> Vec<Knock> {
    world.nodes[ann].engine.as_ref().map(|engine| engine.waiting_knocks().collect()).unwrap_or_default()
}

pub fn waits(world: &World, ann: usize, who: usize) -> Option<KnockId> {
    let of = |knock: &Knock| knock.account == world.nodes[who].account;
    waiting(world, ann).into_iter().find(of).map(|knock| knock.id)
}

pub fn is_friend(world: &World, of: usize, who: usize) -> bool {
    let engine = world.nodes[of].engine.as_ref();
    engine.is_some_and(|engine| engine.friend(&world.nodes[who].account).is_some())
}

/// Ann accepts, and once more if a crash ate it.
pub fn accept(world: &mut World, ann: usize, who: usize) {
    while !(is_friend(world, ann, who) && world.nodes[ann].store.keys().any(|key| key.starts_with("friend/")))
    {
        if let Some(id) = waits(world, ann, who) {
            world.command(ann, |engine, now| engine.accept_knock(now, &id, None));
        }
        world.pass(MINUTE);
    }
}

pub fn events(world: &World, node: usize, holds: impl Fn(&Event) -> bool) -> usize {
    world.nodes[node].events.iter().filter(|(_, event)| holds(event)).count()
}

pub fn state(world: &World, node: usize, id: &ContactId) -> Option<ContactState> {
    world.nodes[node].engine.as_ref().and_then(|engine| engine.contact(id))
}

pub fn kept(world: &World, node: usize, area: &str) -> usize {
    world.nodes[node].store.keys().filter(|key| key.starts_with(area)).count()
}

pub fn two(seed: u64, kind: Kind) -> (World, usize, usize) {
    let mut world = World::new(seed);
    let room = world.bridge(kind, Weather::fine(2 * SECOND));
    let (ann, bob) = (world.node("ann", &[room], 0), world.node("bob", &[room], 0));
    (world, ann, bob)
}

#[test]
fn a_stranger_who_knocks_is_let_in_with_one_record_each_way() {
    seeds(40, |seed| {
        for kind in [Kind::List, Kind::Key] {
            let (mut world, ann, bob) = two(seed, kind);
            let made = pointer(&mut world, ann, &[]);
            let id = knock(&mut world, bob, &made);
            world.until("asked", 10 * SECOND, |world| waits(world, ann, bob).is_some());
            let shown = waiting(&world, ann).remove(0);
            assert_eq!((shown.name.as_str(), &shown.pointer), ("bob", &name()), "seed {seed}");
            assert!(!is_friend(&world, ann, bob) && world.nodes[ann].published == 0, "seed {seed}");
            world
                .command(ann, |engine, now| engine.accept_knock(now, &shown.id, Some("Robert".into())))
                .unwrap()
                .unwrap();
            let took = world.until("linked", MINUTE, |world| world.linked(ann, bob));
            assert!(took < 10 * SECOND, "seed {seed}: {took} ms");
            assert_eq!(state(&world, bob, &id), Some(ContactState::Done(made.account())));
            assert!(world.nodes[ann].engine.as_ref().unwrap().find("Robert").is_ok());
            world.pass(MINUTE);
            assert_eq!((world.published(), world.left()), (2, 0), "seed {seed}");
            assert_eq!((waiting(&world, ann).len(), kept(&world, ann, "request/")), (0, 0));
            // Repeated by somebody, now and after a restart, it does nothing.
            world.crash_node(ann, SECOND);
            world.pass(MINUTE);
            world.replay_all();
            world.pass(HOUR);
            assert_eq!(world.published(), 2, "seed {seed}: a repetition was answered");
            assert_eq!(events(&world, ann, |event| matches!(event, Event::Knocked { .. })), 1);
            world.check();
        }
    });
}

/// Losses, repetitions, crashes at any output on both sides, an attacker, clocks up to a day off, and consent after minutes or days.
#[test]
fn strangers_become_friends_in_any_weather() {
    seeds(60, any_weather);
}

fn any_weather(seed: u64) {
    let mut world = World::new(seed);
    let mut bridges = Vec::new();
    for at in 0..1 + world.below(3) {
        let kind = if world.chance(30) { Kind::Key } else { Kind::List };
        let latency = SECOND + world.below(30 * SECOND);
        let lost = u32::try_from(world.below(50)).unwrap();
        let weather = Weather { lost, twice: 30, refused: 10, latency, dead: at > 0 && world.chance(20) };
        bridges.push(world.bridge(kind, weather));
    }
    (world.attack, world.crash, world.crashes_left) = (30, 20, 12);
    let skew = (world.below(2 * DAY) as i64) - DAY as i64;
    let (ann, bob) = (world.node("ann", &bridges, skew), world.node("bob", &bridges, 0));
    let made = pointer(&mut world, ann, &[]);
    knock(&mut world, bob, &made);
    world.until("asked", 9 * DAY, |world| waits(world, ann, bob).is_some());
    let consent = match seed % 3 {
        0 => world.below(10 * MINUTE),
        1 => world.below(DAY),
        _ => world.below(9 * DAY),
    };
    world.pass(consent);
    assert!(!is_friend(&world, ann, bob) && !is_friend(&world, bob, ann), "seed {seed}: nobody was asked");
    accept(&mut world, ann, bob);
    world.until("friends", 19 * DAY, |world| world.friends(ann, bob));
    world.want(ann, bob);
    if seed.is_multiple_of(2) {
        world.want(bob, ann);
    }
    world.until("linked", 4 * DAY, |world| world.linked(ann, bob));
    world.attack = 0;
    world.crashes_left = 0;
    world.pass(DAY);
    world.until("linked", 4 * DAY, |world| world.linked(ann, bob));
    let knocked = events(&world, ann, |event| matches!(event, Event::Knocked { .. }));
    assert!(knocked <= 1, "seed {seed}: knocked {knocked} times");
    assert_eq!(kept(&world, ann, "request/"), 0, "seed {seed}");
    world.check();
}

#[test]
fn who_is_refused_hears_nothing_and_is_not_heard_again() {
    seeds(20, |seed| {
        let (mut world, ann, bob) = two(seed, Kind::List);
        let made = pointer(&mut world, ann, &[]);
        let id = knock(&mut world, bob, &made);
        world.until("asked", MINUTE, |world| waits(world, ann, bob).is_some());
        let asked = waits(&world, ann, bob).unwrap();
        world.command(ann, |engine, now| engine.refuse_knock(now, &asked)).unwrap().unwrap();
        let gone = world.command(ann, |engine, now| engine.refuse_knock(now, &asked)).unwrap();
        assert_eq!(gone, Err(CommandError::Unknown("request")));
        if seed % 2 == 0 {
            world.crash_node(ann, SECOND);
        }
        world.pass(29 * DAY);
        assert_eq!(state(&world, bob, &id), Some(ContactState::Pending), "seed {seed}");
        world.pass(2 * DAY);
        assert_eq!(state(&world, bob, &id), Some(ContactState::Expired), "seed {seed}");
        // Once more, with another message.
        assert_eq!(knock(&mut world, bob, &made), id);
        world.pass(3 * DAY);
        assert_eq!(state(&world, bob, &id), Some(ContactState::Pending), "seed {seed}");
        assert_eq!((world.nodes[ann].published, waiting(&world, ann).len()), (0, 0), "seed {seed}");
        assert_eq!(events(&world, ann, |event| matches!(event, Event::Knocked { .. })), 1);
    });
}

#[test]
fn nobody_waits_for_longer_than_whoever_knocks() {
    let (mut world, ann, bob) = two(1, Kind::List);
    let made = pointer(&mut world, ann, &[]);
    let id = knock(&mut world, bob, &made);
    world.pass(29 * DAY);
    assert!(waits(&world, ann, bob).is_some());
    world.pass(3 * DAY);
    assert_eq!((waiting(&world, ann).len(), kept(&world, ann, "request/")), (0, 0));
    assert_eq!(state(&world, bob, &id), Some(ContactState::Expired));
    let expired = |event: &Event| matches!(event, Event::InviteRefused { why: Refusal::Expired, .. });
    assert_eq!((events(&world, bob, expired), world.left()), (1, 0));
    // What was left then and is repeated now, in today's slots, is too old to be somebody's who waits; or it is of a clock that is far ahead.
    let now = world.time(ann).wall;
    let days = |count: u64| Duration::from_secs(count * 86_400);
    let ago = |count: u64| UnixMillis(now.0 - count * DAY);
    for (number, sent) in [(1, ago(32)), (2, now.after(days(3)))] {
        Stranger::new(number).knock(&mut world, ann, &made, sent);
    }
    world.pass(MINUTE);
    assert_eq!(waiting(&world, ann).len(), 0);
    for (number, sent) in [(3, ago(30)), (4, now.after(days(1)))] {
        Stranger::new(number).knock(&mut world, ann, &made, sent);
    }
    world.pass(MINUTE);
    assert_eq!(waiting(&world, ann).len(), 2);
}

/// The card that came with a knock is not in force any more when its maker is let in: it brings a new one.
#[test]
fn whoever_is_let_in_after_weeks_comes_with_a_new_card() {
    seeds(10, |seed| {
        let (mut world, ann, bob) = two(seed, Kind::List);
        world.command(bob, Engine::own_card);
        world.pass(19 * DAY);
        let made = pointer(&mut world, ann, &[]);
        knock(&mut world, bob, &made);
        world.pass(14 * DAY);
        if seed % 2 == 0 {
            world.crash_node(ann, SECOND);
            world.crash_node(bob, SECOND);
            world.pass(MINUTE);
        }
        accept(&mut world, ann, bob);
        world.until("linked", HOUR, |world| world.linked(ann, bob));
        world.pass(MINUTE);
        let now = world.time(ann).wall;
        let friend = world.nodes[ann].engine.as_ref().unwrap().friend(&world.nodes[bob].account);
        assert!(friend.unwrap().card().roster().in_force(now), "seed {seed}");
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

/// Two hundred accounts, and one of them with a hundred messages: whoever waited first still does, and is let in.
#[test]
fn a_flood_pushes_nobody_out_and_costs_little() {
    let (mut world, ann, bob) = two(2, Kind::List);
    let made = pointer(&mut world, ann, &[]);
    knock(&mut world, bob, &made);
    world.until("asked", MINUTE, |world| waits(world, ann, bob).is_some());
    let sent = world.time(ann).wall;
    for number in 0..200 {
        Stranger::new(number).knock(&mut world, ann, &made, sent);
    }
    let loud = Stranger::new(0);
    for number in 1..100 {
        loud.knock(&mut world, ann, &made, sent.after(Duration::from_secs(number)));
    }
    world.pass(MINUTE);
    let all = waiting(&world, ann);
    // Sixty-four are heard at once; of those some are one stranger's, in the place of what it sent before.
    assert!((32..=64).contains(&all.len()), "{} wait", all.len());
    assert_eq!(kept(&world, ann, "request/"), all.len());
    assert_eq!(all[0].account, world.nodes[bob].account, "the earliest first");
    assert_eq!(events(&world, ann, |event| matches!(event, Event::Knocked { .. })), all.len());
    let bytes: usize = world.nodes[ann].store.values().map(Vec::len).sum();
    assert!(bytes < 150_000, "{bytes} bytes are kept");
    assert_eq!(world.nodes[ann].published, 0, "somebody was told something");
    // Nothing of it is forgotten by a restart, and nothing is told anew.
    world.crash_node(ann, SECOND);
    world.pass(MINUTE);
    assert!(waiting(&world, ann).starts_with(&all), "somebody who waited does not any more");
    assert!(waiting(&world, ann).len() <= 64);
    // The next day it goes on, and there is no room: another honest one waits unseen until somebody was refused.
    world.pass(DAY);
    let sent = world.time(ann).wall;
    for number in 200..300 {
        Stranger::new(number).knock(&mut world, ann, &made, sent);
    }
    world.pass(MINUTE);
    let all = waiting(&world, ann);
    assert_eq!((all.len(), all[0].account), (64, world.nodes[bob].account));
    let carl = world.node("carl", &[0], 0);
    knock(&mut world, carl, &made);
    world.pass(HOUR);
    assert_eq!(waits(&world, ann, carl), None);
    for knock in &all[1..4] {
        world.command(ann, |engine, now| engine.refuse_knock(now, &knock.id)).unwrap().unwrap();
    }
    world.until("asked", DAY, |world| waits(world, ann, carl).is_some());
    for who in [bob, carl] {
        accept(&mut world, ann, who);
        world.until("linked", DAY, |world| world.linked(ann, who));
    }
}

#[test]
fn a_friend_that_lost_its_state_is_let_in_at_once_and_a_blocked_one_is_not() {
    seeds(20, |seed| {
        let (mut world, ann, bob) = two(seed, Kind::List);
        world.forgetful = true;
        let made = pointer(&mut world, ann, &[]);
        knock(&mut world, bob, &made);
        accept(&mut world, ann, bob);
        world.until("linked", MINUTE, |world| world.linked(ann, bob));
        world.pass(DAY);
        for blocked in [false, true] {
            let his = world.nodes[bob].account;
            if blocked {
                world.command(ann, |engine, now| engine.block(now, &his)).unwrap().unwrap();
            }
            world.crash_node(bob, SECOND);
            world.nodes[bob].store.clear();
            world.pass(MINUTE);
            let id = knock(&mut world, bob, &made);
            world.pass(HOUR);
            assert_eq!(waiting(&world, ann).len(), 0, "seed {seed}");
            assert_eq!(world.linked(ann, bob), !blocked, "seed {seed}");
            let expected = if blocked { ContactState::Pending } else { ContactState::Done(made.account()) };
            assert_eq!(state(&world, bob, &id), Some(expected), "seed {seed}");
        }
    });
}

/// Somebody repeats what a friend left when it was none: the friend's next meeting is under the secret that it has.
#[test]
fn an_old_knock_of_a_friend_does_not_come_between() {
    seeds(20, |seed| {
        let (mut world, ann, bob) = two(seed, Kind::List);
        world.forgetful = true;
        let made = pointer(&mut world, ann, &[]);
        let bobs = Stranger::of(&world.nodes[bob]);
        let sent = world.time(bob).wall;
        crate::scenes::invite(&mut world, ann, bob);
        world.until("linked", MINUTE, |world| world.linked(ann, bob));
        world.nodes[bob].accepting = None;
        for second in 0..9 {
            bobs.knock(&mut world, ann, &made, sent.after(Duration::from_secs(second)));
        }
        world.pass(MINUTE);
        world.cut_links();
        world.pass(2 * DAY);
        world.want(ann, bob);
        world.until("linked", 10 * MINUTE, |world| world.linked(ann, bob));
    });
}
