//! First contact between people who each have a space of their own, or none, and read the other's.

use std::collections::BTreeSet;
use std::time::Duration;

use wayside_proto::engine::*;
use wayside_proto::invite::Invite;
use wayside_proto::message::Refusal;
use wayside_proto::reply::{Joined, Reply};

use crate::seeds;
use crate::world::*;

/// Ann and Bob, each with a space of their own at one service.
fn apart(seed: u64, weather: Weather) -> (World, usize, usize, usize) {
    let mut world = World::new(seed);
    let zone = world.bridge(Kind::OneWriter, weather);
    let (ann, bob) = (world.node("ann", &[zone], 0), world.node("bob", &[zone], 0));
    (world, zone, ann, bob)
}

fn invite(world: &mut World, ann: usize, options: InviteOptions) -> Invite {
    loop {
        // A crash may have eaten the command, as it would a person's.
        if let Some(Ok(made)) = world.command(ann, |engine, now| engine.invite(now, options.clone()))
            && world.nodes[ann].store.keys().any(|key| key.starts_with("invite/"))
        {
            return made;
        }
        world.pass(MINUTE);
    }
}

/// Bob accepts, waits until his join lies there, and has the line.
fn accept(world: &mut World, bob: usize, made: &Invite) -> Reply {
    world.nodes[bob].accepting = Some(made.clone());
    if let Some(Err(error)) = world.command(bob, |engine, now| engine.accept(now, made, None)) {
        world.fail(&format!("accept: {error}"));
    }
    let id = ContactId(made.key);
    world.until("the join lies there", HOUR, |world| {
        world.nodes[bob].engine.as_ref().is_some_and(|engine| engine.is_joined(&id))
    });
    let reply = world.nodes[bob].engine.as_ref().unwrap().reply(&id).unwrap();
    // It goes by as text.
    reply.to_string().parse().unwrap()
}

/// Ann is sent the line; again, where a crash ate it.
fn complete(world: &mut World, ann: usize, reply: &Reply) {
    loop {
        match world.command(ann, |engine, now| engine.complete(now, reply)) {
            Some(Err(error)) => world.fail(&format!("complete: {error}")),
            Some(Ok(_)) => {}
            None => world.pass(MINUTE),
        }
        let state = world.nodes[ann].engine.as_ref().and_then(|engine| engine.reply_state(reply));
        if state.is_some() {
            return;
        }
    }
}

fn meet_again(world: &mut World, who: usize, whom: usize) {
    world.nodes[who].accepting = None;
    world.nodes[whom].accepting = None;
    world.cut_links();
    world.pass(5 * MINUTE);
    world.want(who, whom);
    world.until("linked again", 10 * MINUTE, |world| world.linked(who, whom));
    world.unwant(who, whom);
    world.pass(5 * MINUTE);
}

#[test]
fn a_reply_makes_friends_with_a_record_and_an_index_each_way() {
    seeds(50, |seed| {
        let (mut world, zone, ann, bob) = apart(seed, Weather::fine(5 * SECOND));
        let made = invite(&mut world, ann, InviteOptions::default());
        assert_eq!(made.own, BTreeSet::from([0]));
        assert_eq!(made.points, [world.locator(ann, zone)]);
        let reply = accept(&mut world, bob, &made);
        assert_eq!(*reply.joined(), Joined::Space(world.locator(bob, zone)));
        // Nothing happens without the line, and nobody's space is looked into but the inviter's, whose invite names it.
        let hours = world.below(20);
        // Not as the day changes, when it lies in the slots of two days for a moment and is answered in both.
        world.pass(hours * HOUR + 30 * MINUTE);
        assert!(!world.friends(ann, bob), "seed {seed}");
        assert!(world.watched(ann, zone).is_empty(), "seed {seed}");
        let before = world.published();
        complete(&mut world, ann, &reply);
        assert_eq!(
            world.command(ann, |engine, now| engine.complete(now, &reply)),
            Some(Ok(ReplyState::Waiting))
        );
        let took = world.until("linked", MINUTE, |world| world.linked(ann, bob));
        assert!(took < 30 * SECOND, "seed {seed}: {took} ms");
        let done = world.nodes[ann].engine.as_ref().unwrap().reply_state(&reply);
        assert_eq!(done, Some(ReplyState::Done(world.nodes[bob].account)), "seed {seed}");
        assert_eq!(world.published() - before, 2, "seed {seed}: a welcome and its index");
        world.pass(5 * MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
        world.check();
        meet_again(&mut world, ann, bob);
        meet_again(&mut world, bob, ann);
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

#[test]
fn a_slot_is_asked_for_only_when_an_index_names_it() {
    seeds(20, |seed| {
        let (mut world, zone, ann, bob) = apart(seed, Weather::fine(SECOND));
        let made = invite(&mut world, ann, InviteOptions::default());
        let reply = accept(&mut world, bob, &made);
        // Bob looks at Ann's index of three days and at nothing else.
        assert_eq!(world.watched(bob, zone).len(), 3, "seed {seed}");
        // Bob's space does not show what it has: Ann, too, looks at three indexes alone.
        world.bridges[zone].records.iter_mut().for_each(|record| record.visible = false);
        complete(&mut world, ann, &reply);
        world.pass(MINUTE);
        assert_eq!(world.watched(ann, zone).len(), 3, "seed {seed}");
        assert!(!world.friends(ann, bob), "seed {seed}");
        // What is left anew the next day is found.
        world.until("linked", 2 * DAY, |world| world.linked(ann, bob));
    });
}

#[test]
fn without_a_space_the_join_goes_from_hand_to_hand() {
    seeds(30, |seed| {
        let (mut world, zone, ann, _) = apart(seed, Weather::fine(5 * SECOND));
        let eve = world.node("eve", &[], 0);
        world.nodes[eve].bridges = vec![zone];
        world.nodes[eve].reads_only.insert(zone);
        world.bridge_up(eve, zone);
        let made = invite(&mut world, ann, InviteOptions::default());
        let reply = accept(&mut world, eve, &made);
        assert!(matches!(reply.joined(), Joined::Message(_)));
        let length = reply.to_string().len();
        assert!(length < 720, "seed {seed}: {length} characters");
        // The same after a restart: it may have been sent already.
        world.crash_node(eve, SECOND);
        world.pass(MINUTE);
        assert_eq!(accept(&mut world, eve, &made), reply, "seed {seed}");
        complete(&mut world, ann, &reply);
        if seed % 2 == 0 {
            world.crash_node(ann, SECOND);
            world.pass(SECOND);
        }
        world.until("linked", 2 * MINUTE, |world| world.linked(ann, eve));
        assert_eq!(world.nodes[eve].published, 0, "seed {seed}");
        complete(&mut world, ann, &reply);
        world.pass(5 * MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
        // Eve has nowhere to be met: whoever reads is not said to be met where it reads.
        let card = world.command(eve, |engine, now| engine.own_card(now)).unwrap();
        let device = card.roster().devices[0].keys.id();
        assert!(card.status(&device).unwrap().points.is_empty(), "seed {seed}");
        world.check();
    });
}

/// Ann has a zone and reads sites, Bob has a site and reads zones.
#[test]
fn one_of_each_kind_meets_too() {
    seeds(30, |seed| {
        let mut world = World::new(seed);
        let zone = world.bridge(Kind::OneWriter, Weather::fine(4 * SECOND));
        let site = world.bridge(Kind::OneWriter, Weather::fine(6 * SECOND));
        let (ann, bob) = (world.node("ann", &[zone], 0), world.node("bob", &[site], 0));
        for (node, reads) in [(ann, site), (bob, zone)] {
            world.nodes[node].bridges.push(reads);
            world.nodes[node].reads_only.insert(reads);
            world.bridge_up(node, reads);
        }
        let made = invite(&mut world, ann, InviteOptions::default());
        let reply = accept(&mut world, bob, &made);
        assert_eq!(*reply.joined(), Joined::Space(world.locator(bob, site)));
        complete(&mut world, ann, &reply);
        world.until("linked", MINUTE, |world| world.linked(ann, bob));
        world.pass(5 * MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
        meet_again(&mut world, ann, bob);
        meet_again(&mut world, bob, ann);
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

#[test]
fn crashes_between_any_two_steps_lose_nothing() {
    seeds(80, |seed| {
        let (mut world, _, ann, bob) = apart(seed, Weather::fine(5 * SECOND));
        world.crash = 80;
        world.crashes_left = 12;
        let made = invite(
            &mut world,
            ann,
            InviteOptions { lifetime: Duration::from_secs(20 * 86_400), ..InviteOptions::default() },
        );
        let reply = accept(&mut world, bob, &made);
        complete(&mut world, ann, &reply);
        world.until("friends", 2 * DAY, |world| world.friends(ann, bob));
        world.nodes[bob].accepting = None;
        world.crashes_left = 0;
        world.want(bob, ann);
        world.until("linked", DAY, |world| world.linked(ann, bob));
        world.unwant(bob, ann);
        world.pass(8 * HOUR);
        if world.left() != 0 {
            world.fail(&format!("{} records were left", world.left()));
        }
        world.check();
    });
}

#[test]
fn bad_weather_and_forgers_only_cost_time() {
    seeds(40, |seed| {
        let bad = Weather { lost: 30, twice: 30, refused: 20, latency: 5 * SECOND, dead: false };
        let (mut world, _, ann, bob) = apart(seed, bad);
        world.attack = 50;
        let made = invite(
            &mut world,
            ann,
            InviteOptions { lifetime: Duration::from_secs(20 * 86_400), ..InviteOptions::default() },
        );
        let reply = accept(&mut world, bob, &made);
        complete(&mut world, ann, &reply);
        world.until("friends", 19 * DAY, |world| world.friends(ann, bob));
        world.want(ann, bob);
        world.until("linked", 3 * DAY, |world| world.linked(ann, bob));
        world.check();
    });
}

#[test]
fn a_reply_that_leads_to_nothing_says_why() {
    seeds(10, |seed| {
        let (mut world, zone, ann, bob) = apart(seed, Weather::fine(2 * SECOND));
        let (carl, dora) = (world.node("carl", &[zone], 0), world.node("dora", &[zone], 0));
        let refused = |why| Some(Err(CommandError::Reply(ReplyFault::Refused(why))));
        let hour = InviteOptions { lifetime: Duration::from_secs(3600), ..InviteOptions::default() };
        let made = invite(&mut world, ann, hour);
        let (bobs, carls) = (accept(&mut world, bob, &made), accept(&mut world, carl, &made));
        let unknown = Some(Err(CommandError::Reply(ReplyFault::Unknown)));
        let wrong = world.command(dora, |engine, now| engine.complete(now, &bobs));
        assert_eq!(wrong, unknown, "another account's");
        let own = world.command(bob, |engine, now| engine.complete(now, &bobs));
        assert_eq!(own, unknown, "whoever accepted has nothing to complete");
        let elsewhere = Reply::new(&made.secret, 1, bobs.joined().clone());
        assert_eq!(world.command(ann, |engine, now| engine.complete(now, &elsewhere)), unknown);
        let foreign = Joined::Space(wayside_proto::place::Locator::new("moon", "base").unwrap());
        let foreign = Reply::new(&made.secret, 0, foreign);
        let nowhere = world.command(ann, |engine, now| engine.complete(now, &foreign));
        assert!(matches!(nowhere, Some(Err(CommandError::NoBridge { .. }))), "{nowhere:?}");
        let junk = Reply::new(&made.secret, 0, Joined::Message(vec![7; 400]));
        let unreadable = Some(Err(CommandError::Reply(ReplyFault::Unreadable)));
        assert_eq!(world.command(ann, |engine, now| engine.complete(now, &junk)), unreadable);

        // Both are looked for at once; the first who is found is let in, the other told that it was used.
        complete(&mut world, ann, &bobs);
        world.until("bob", MINUTE, |world| world.friends(ann, bob));
        complete(&mut world, ann, &carls);
        let id = ContactId(made.key);
        world.until("carl is told", 5 * MINUTE, |world| {
            let state = world.nodes[carl].engine.as_ref().unwrap().contact(&id);
            state == Some(ContactState::Refused(Refusal::Used))
        });
        assert_eq!(world.command(ann, |engine, now| engine.complete(now, &carls)), refused(Refusal::Used));
        world.until("linked", MINUTE, |world| world.linked(ann, bob));
        world.pass(MINUTE);
        let doras = Reply::new(&made.secret, 0, Joined::Space(world.locator(dora, zone)));
        assert_eq!(world.command(ann, |engine, now| engine.complete(now, &doras)), refused(Refusal::Used));
        assert!(!world.friends(ann, carl) && !world.friends(ann, dora), "seed {seed}");
        // Over with the invite.
        world.pass(3 * DAY);
        assert_eq!(world.command(ann, |engine, now| engine.complete(now, &bobs)), unknown);
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

#[test]
fn an_invite_that_ended_is_told_to_both_and_leaves_nothing() {
    seeds(20, |seed| {
        let (mut world, zone, ann, bob) = apart(seed, Weather::fine(2 * SECOND));
        let hour = InviteOptions { lifetime: Duration::from_secs(3600), ..InviteOptions::default() };
        let made = invite(&mut world, ann, hour);
        let reply = accept(&mut world, bob, &made);
        world.pass(2 * HOUR);
        let over = Some(Err(CommandError::Reply(ReplyFault::Refused(Refusal::Expired))));
        assert_eq!(world.command(ann, |engine, now| engine.complete(now, &reply)), over);
        world.pass(3 * DAY);
        let state = world.nodes[bob].engine.as_ref().unwrap().contact(&ContactId(made.key));
        assert_eq!(state, Some(ContactState::Expired), "seed {seed}");
        assert_eq!(world.left(), 0, "seed {seed}");
        assert!(world.watched(ann, zone).is_empty() && world.watched(bob, zone).is_empty());
        // Withdrawn is as good as ended.
        let made = invite(&mut world, ann, InviteOptions::default());
        let reply = accept(&mut world, bob, &made);
        world.command(ann, |engine, now| engine.withdraw(now, &made.key)).unwrap().unwrap();
        assert_eq!(world.command(ann, |engine, now| engine.complete(now, &reply)), over);
    });
}

#[test]
fn where_several_can_write_nobody_need_reply() {
    seeds(10, |seed| {
        let mut world = World::new(seed);
        let zone = world.bridge(Kind::OneWriter, Weather::fine(2 * SECOND));
        let room = world.bridge(Kind::List, Weather::fine(2 * SECOND));
        let (ann, bob) = (world.node("ann", &[zone, room], 0), world.node("bob", &[zone, room], 0));
        let made = invite(&mut world, ann, InviteOptions::default());
        assert!(made.own.is_empty(), "a space of one's own is the last resort");
        // Asked for both, whoever reaches the one that both write in needs no line.
        let both = InviteOptions {
            bridges: vec![World::bridge_name(zone), World::bridge_name(room)],
            ..InviteOptions::default()
        };
        let made = invite(&mut world, ann, both);
        assert_eq!(made.own, BTreeSet::from([0]));
        let id = world.command(bob, |engine, now| engine.accept(now, &made, None)).unwrap().unwrap();
        assert_eq!(world.nodes[bob].engine.as_ref().unwrap().reply(&id), None);
        world.until("linked", MINUTE, |world| world.linked(ann, bob));
        // Cards and introductions name no such place.
        let only = Some(world.nodes[bob].account);
        let options =
            InviteOptions { bridges: vec![World::bridge_name(zone)], only, ..InviteOptions::default() };
        let refused = world.command(ann, |engine, now| engine.invite(now, options)).unwrap();
        assert_eq!(refused, Err(CommandError::Bridge(World::bridge_name(zone))), "seed {seed}");
    });
}

#[test]
fn many_with_a_space_each_come_by_one_invite() {
    seeds(10, |seed| {
        let mut world = World::new(seed);
        let zone = world.bridge(Kind::OneWriter, Weather::fine(2 * SECOND));
        let nodes: Vec<_> = ["ann", "bob", "carl", "dora"].map(|name| world.node(name, &[zone], 0)).to_vec();
        let made = invite(&mut world, nodes[0], InviteOptions { uses: 3, ..InviteOptions::default() });
        let replies: Vec<_> = nodes[1..].iter().map(|node| accept(&mut world, *node, &made)).collect();
        for reply in &replies {
            complete(&mut world, nodes[0], reply);
        }
        world.until("all linked", 5 * MINUTE, |world| {
            nodes[1..].iter().all(|node| world.linked(nodes[0], *node))
        });
        world.pass(5 * MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
        world.check();
    });
}
