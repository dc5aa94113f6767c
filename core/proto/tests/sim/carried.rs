//! Invite files and replies, carried by people: friends with nothing between them.

use std::time::Duration;

use wayside_proto::engine::*;
use wayside_proto::greeting::{Greeting, Maker};
use wayside_proto::invite::Invite;
use wayside_proto::message::Refusal;
use wayside_proto::reach::{Reach, RelayTags};
use wayside_proto::reply::{Joined, Reply};

use crate::seeds;
use crate::world::*;

fn week() -> InviteOptions {
    InviteOptions { lifetime: Duration::from_secs(7 * 86_400), ..InviteOptions::default() }
}

/// Ann's file, as text, until a crash has not eaten it.
fn greet(world: &mut World, ann: usize, options: &InviteOptions) -> Greeting {
    loop {
        let before = stored(world, ann, "invite/");
        if let Some(Ok(made)) = world.command(ann, |engine, now| engine.greet(now, options))
            && stored(world, ann, "invite/") > before
        {
            return made.to_string().parse().unwrap();
        }
        world.pass(MINUTE);
    }
}

/// Bob's reply, as text.
fn carry(world: &mut World, bob: usize, file: &Greeting) -> Reply {
    let id = ContactId(file.invite().key);
    loop {
        match world.command(bob, |engine, now| engine.carry(now, file, None)) {
            Some(Err(error)) => world.fail(&format!("carry: {error}")),
            Some(Ok(_)) => {}
            None => world.pass(MINUTE),
        }
        // A person whose command crashed has no reply, and tries again.
        if let Some(reply) = world.nodes[bob].engine.as_ref().and_then(|engine| engine.carried(&id))
            && stored(world, bob, "contact/") > 0
        {
            return reply.to_string().parse().unwrap();
        }
        world.pass(MINUTE);
    }
}

fn complete(world: &mut World, ann: usize, reply: &Reply) {
    loop {
        match world.command(ann, |engine, now| engine.complete(now, reply)) {
            Some(Err(error)) => world.fail(&format!("complete: {error}")),
            Some(Ok(_)) => {}
            None => world.pass(MINUTE),
        }
        // By the reply, or by another way before.
        let engine = world.nodes[ann].engine.as_ref();
        if engine.is_some_and(|engine| engine.friends().count() > 0) && stored(world, ann, "friend/") > 0 {
            return;
        }
        world.pass(MINUTE);
    }
}

fn stored(world: &World, node: usize, area: &str) -> usize {
    world.nodes[node].store.keys().filter(|key| key.starts_with(area)).count()
}

fn tried(world: &mut World, ann: usize, reply: &Reply) -> Result<ReplyState, CommandError> {
    world.command(ann, |engine, now| engine.complete(now, reply)).unwrap()
}

fn knows(world: &World, node: usize, other: usize) -> bool {
    let account = world.nodes[other].account;
    world.nodes[node].engine.as_ref().is_some_and(|engine| engine.friend(&account).is_some())
}

fn meet_again(world: &mut World, who: usize, whom: usize) {
    world.cut_links();
    world.pass(5 * MINUTE);
    world.want(who, whom);
    world.until("linked again", 10 * MINUTE, |world| world.linked(who, whom));
    world.unwant(who, whom);
    world.pass(5 * MINUTE);
}

#[test]
fn a_file_there_and_one_back_make_friends_with_no_bridge_at_all() {
    seeds(50, |seed| {
        let mut world = World::new(seed);
        let (ann, bob) = (world.node("ann", &[], 0), world.node("bob", &[], 0));
        let file = greet(&mut world, ann, &week());
        assert!(file.invite().points.is_empty());
        let days = world.below(3 * DAY);
        world.pass(days);
        let reply = carry(&mut world, bob, &file);
        assert!(knows(&world, bob, ann) && !knows(&world, ann, bob), "seed {seed}");
        assert_eq!(carry(&mut world, bob, &file), reply, "seed {seed}: the same file is the same reply");
        let hours = world.below(3 * DAY);
        world.pass(hours);
        let (anns, bobs) = (world.nodes[ann].account, world.nodes[bob].account);
        assert_eq!(tried(&mut world, ann, &reply), Ok(ReplyState::Done(bobs)));
        let took = world.until("linked", MINUTE, |world| world.linked(ann, bob));
        assert!(took < 10 * SECOND, "seed {seed}: {took} ms");
        assert_eq!(
            tried(&mut world, ann, &reply),
            Ok(ReplyState::Done(bobs)),
            "the same again changes nothing"
        );
        assert!(world.linked(ann, bob) && world.published() == 0, "seed {seed}");
        let invited = |world: &World, node: usize, who| {
            let events = world.nodes[node].events.iter();
            events.filter(|(_, event)| matches!(event, Event::FriendAdded { account, invited, .. } if *account == who && *invited == (node == ann))).count()
        };
        assert_eq!((invited(&world, ann, bobs), invited(&world, bob, anns)), (1, 1), "seed {seed}");
        world.check();
        // The one-time key goes with the invite, and what is left is by what they meet again: one session each way.
        world.pass(9 * DAY);
        assert_eq!(stored(&world, ann, "invite/"), 0, "seed {seed}");
        let sessions = [ann, bob].map(|node| stored(&world, node, "session/"));
        assert_eq!(sessions, [2, 2], "seed {seed}");
    });
}

/// Nothing but the files ever told them of each other, and whoever wants the other is enough.
#[test]
fn friends_by_files_alone_meet_again_and_again() {
    seeds(60, |seed| {
        let mut world = World::new(seed);
        let (ann, bob) = (world.node("ann", &[], 0), world.node("bob", &[], 0));
        let file = greet(&mut world, ann, &week());
        let reply = carry(&mut world, bob, &file);
        complete(&mut world, ann, &reply);
        world.until("linked", MINUTE, |world| world.linked(ann, bob));
        for round in 0..4 {
            let days = world.below(20 * DAY);
            world.pass(days);
            // One of them is away for a while, or both are, or the network is gone for so long that nobody dials any more.
            match (seed + round) % 4 {
                0 => world.crash_node(ann, 3 * HOUR),
                1 => world.crash_node(bob, 3 * HOUR),
                2 => {
                    world.crash_node(ann, 2 * HOUR);
                    world.crash_node(bob, 3 * HOUR);
                }
                _ => {
                    world.links_blocked = true;
                    world.cut_links();
                    world.pass(2 * DAY);
                    world.links_blocked = false;
                }
            }
            let (who, whom) = if (seed + round) % 3 == 0 { (ann, bob) } else { (bob, ann) };
            world.until("both are back", 4 * HOUR, |world| {
                [ann, bob].iter().all(|node| world.nodes[*node].engine.is_some())
            });
            world.want(who, whom);
            let took = world.until("linked again", 10 * MINUTE, |world| world.linked(ann, bob));
            assert!(took < 2 * MINUTE, "seed {seed}, round {round}: {took} ms");
            world.unwant(who, whom);
            assert_eq!(world.published(), 0, "seed {seed}");
        }
        world.pass(MINUTE);
        world.check();
        // Whoever is never seen again is forgotten in time, and so is what they met by.
        world.links_blocked = true;
        world.cut_links();
        world.pass(33 * DAY);
        let sessions = [ann, bob].map(|node| stored(&world, node, "session/"));
        assert_eq!(sessions, [0, 0], "seed {seed}");
    });
}

/// However many files go there and back, what stands is by the last of them.
#[test]
fn a_newer_file_takes_the_place_of_an_older_one() {
    seeds(20, |seed| {
        let mut world = World::new(seed);
        let (ann, bob) = (world.node("ann", &[], 0), world.node("bob", &[], 0));
        for round in 0..4 {
            let file = greet(&mut world, ann, &week());
            let reply = carry(&mut world, bob, &file);
            complete(&mut world, ann, &reply);
            world.until("linked", 10 * MINUTE, |world| world.linked(ann, bob));
            meet_again(&mut world, bob, ann);
            meet_again(&mut world, ann, bob);
            let sessions = [ann, bob].map(|node| stored(&world, node, "session/"));
            assert!(sessions.iter().all(|count| *count <= 3), "seed {seed}, round {round}: {sessions:?}");
        }
        world.check();
    });
}

/// Once they share a service they meet there, and keep nothing else.
#[test]
fn friends_by_files_who_come_to_share_a_place_meet_there() {
    seeds(20, |seed| {
        let mut world = World::new(seed);
        let room = world.bridge(Kind::List, Weather::fine(2 * SECOND));
        let (ann, bob) = (world.node("ann", &[room], 0), world.node("bob", &[room], 0));
        let file = greet(&mut world, ann, &week());
        let reply = carry(&mut world, bob, &file);
        complete(&mut world, ann, &reply);
        world.until("linked", MINUTE, |world| world.linked(ann, bob));
        world.pass(HOUR);
        let sessions = [ann, bob].map(|node| stored(&world, node, "session/"));
        assert_eq!(sessions, [0, 0], "seed {seed}");
        meet_again(&mut world, bob, ann);
        world.check();
    });
}

#[test]
fn whoever_is_away_when_the_reply_comes_is_met_later() {
    seeds(40, |seed| {
        let mut world = World::new(seed);
        let (ann, bob) = (world.node("ann", &[], 0), world.node("bob", &[], 0));
        let file = greet(&mut world, ann, &week());
        let reply = carry(&mut world, bob, &file);
        let (away, back) = (world.below(10 * HOUR), world.below(10 * HOUR));
        world.crash_node(bob, away + MINUTE);
        complete(&mut world, ann, &reply);
        if seed % 2 == 0 {
            world.crash_node(ann, back + MINUTE);
        }
        // However long Bob is away, Ann tries again at least every six hours.
        world.until("linked", DAY, |world| world.linked(ann, bob));
        assert_eq!(world.published(), 0, "seed {seed}");
        world.check();
    });
}

#[test]
fn crashes_between_any_two_steps_lose_nothing() {
    seeds(100, |seed| {
        let mut world = World::new(seed);
        let room = world.bridge(Kind::List, Weather::fine(5 * SECOND));
        let (ann, bob) = (world.node("ann", &[room], 0), world.node("bob", &[room], 0));
        world.crash = 100;
        world.crashes_left = 12;
        let file = greet(&mut world, ann, &week());
        let reply = carry(&mut world, bob, &file);
        complete(&mut world, ann, &reply);
        world.until("friends", DAY, |world| world.friends(ann, bob));
        world.crashes_left = 0;
        world.want(bob, ann);
        world.until("linked", DAY, |world| world.linked(ann, bob));
        world.unwant(bob, ann);
        world.pass(8 * HOUR);
        if world.left() != 0 {
            world.fail(&format!("{} records were left", world.left()));
        }
        world.check();
        meet_again(&mut world, ann, bob);
        meet_again(&mut world, bob, ann);
    });
}

/// Their addresses lead nowhere, and their services do: what the file and the reply say is enough to meet there.
#[test]
fn what_follows_from_the_two_files_is_the_same_on_both_sides() {
    seeds(40, |seed| {
        let mut world = World::new(seed);
        let kind = if seed % 2 == 0 { Kind::List } else { Kind::Key };
        let room = world.bridge(kind, Weather::fine(2 * SECOND));
        let (ann, bob) = (world.node("ann", &[room], 0), world.node("bob", &[room], 0));
        world.links_blocked = true;
        let hour = InviteOptions { lifetime: Duration::from_secs(3600), ..InviteOptions::default() };
        let file = greet(&mut world, ann, &hour);
        let reply = carry(&mut world, bob, &file);
        complete(&mut world, ann, &reply);
        // Until neither tries any more.
        world.pass(5 * DAY);
        assert_eq!(stored(&world, ann, "session/") + stored(&world, bob, "session/"), 0, "seed {seed}");
        world.links_blocked = false;
        let (who, whom) = if seed % 4 < 2 { (ann, bob) } else { (bob, ann) };
        world.want(who, whom);
        world.until("linked", 10 * MINUTE, |world| world.linked(ann, bob));
        world.unwant(who, whom);
        world.pass(10 * MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
        meet_again(&mut world, whom, who);
        world.check();
    });
}

#[test]
fn where_a_bridge_leads_to_its_maker_a_file_is_accepted_there() {
    seeds(20, |seed| {
        let mut world = World::new(seed);
        let room = world.bridge(Kind::List, Weather::fine(2 * SECOND));
        let (ann, bob, carl) =
            (world.node("ann", &[room], 0), world.node("bob", &[room], 0), world.node("carl", &[], 0));
        let file = greet(&mut world, ann, &InviteOptions { uses: 2, ..week() });
        assert_eq!(file.invite().points, [world.locator(ann, room)]);
        let reaches = |world: &World, node: usize| world.nodes[node].engine.as_ref().unwrap().reaches(&file);
        assert!(reaches(&world, bob) && !reaches(&world, carl));
        let id = world.command(bob, |engine, now| engine.accept_greeting(now, &file, None)).unwrap().unwrap();
        world.until("linked", MINUTE, |world| world.linked(ann, bob));
        assert_eq!(world.nodes[bob].engine.as_ref().unwrap().carried(&id), None, "nothing to be carried");
        // Done with, it is not accepted once more by a reply.
        let again = world.command(bob, |engine, now| engine.carry(now, &file, None)).unwrap();
        assert_eq!(again, Ok(id));
        assert_eq!(world.nodes[bob].engine.as_ref().unwrap().carried(&id), None);
        // Another use, by a reply.
        let reply = carry(&mut world, carl, &file);
        complete(&mut world, ann, &reply);
        world.until("linked", MINUTE, |world| world.linked(ann, carl));
        world.pass(5 * MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
        world.check();
    });
}

/// Nobody answered over the bridge yet, and the person carries a reply after all; whichever is there first.
#[test]
fn a_reply_may_follow_what_nobody_answered() {
    seeds(30, |seed| {
        let mut world = World::new(seed);
        let room = world.bridge(Kind::List, Weather::fine(2 * SECOND));
        let (ann, bob) = (world.node("ann", &[room], 0), world.node("bob", &[room], 0));
        let file = greet(&mut world, ann, &week());
        world.crash_node(ann, HOUR);
        world.command(bob, |engine, now| engine.accept_greeting(now, &file, None)).unwrap().unwrap();
        world.pass(10 * MINUTE);
        let reply = carry(&mut world, bob, &file);
        let wait = world.below(2 * HOUR);
        world.pass(wait);
        world.until("ann is back", 2 * HOUR, |world| world.nodes[ann].engine.is_some());
        complete(&mut world, ann, &reply);
        world.until("linked", HOUR, |world| world.linked(ann, bob));
        world.pass(HOUR);
        meet_again(&mut world, ann, bob);
        meet_again(&mut world, bob, ann);
        world.check();
        world.pass(9 * DAY);
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

/// Two copies of one file for one: the first reply counts, whoever is late is told so by who they gave it to.
#[test]
fn of_two_who_have_copies_the_first_is_in() {
    seeds(10, |seed| {
        let mut world = World::new(seed);
        let nodes: Vec<_> = ["ann", "bob", "carl"].map(|name| world.node(name, &[], 0)).to_vec();
        let (ann, bob, carl) = (nodes[0], nodes[1], nodes[2]);
        let file = greet(&mut world, ann, &week());
        let (bobs, carls) = (carry(&mut world, bob, &file), carry(&mut world, carl, &file));
        assert_ne!(bobs, carls);
        complete(&mut world, ann, &carls);
        let used = Err(CommandError::Reply(ReplyFault::Refused(Refusal::Used)));
        assert_eq!(tried(&mut world, ann, &bobs), used, "before they linked");
        world.until("linked", MINUTE, |world| world.linked(ann, carl));
        assert_eq!(tried(&mut world, ann, &bobs), used, "and after");
        world.pass(HOUR);
        assert!(!knows(&world, ann, bob), "seed {seed}");
    });
}

#[test]
fn replies_and_files_that_lead_to_nothing_say_why() {
    seeds(10, |seed| {
        let mut world = World::new(seed);
        let nodes: Vec<_> = ["ann", "bob", "eve"].map(|name| world.node(name, &[], 0)).to_vec();
        let (ann, bob, eve) = (nodes[0], nodes[1], nodes[2]);
        let late = world.node("late", &[], -(10 * DAY as i64));
        let fault = |fault| Err(CommandError::Reply(fault));
        let expired = fault(ReplyFault::Refused(Refusal::Expired));
        let carries = |world: &mut World, node: usize, file: &Greeting| {
            world.command(node, |engine, now| engine.carry(now, file, None)).unwrap()
        };

        let file = greet(&mut world, ann, &week());
        let reply = carry(&mut world, bob, &file);
        assert_eq!(tried(&mut world, eve, &reply), fault(ReplyFault::Unknown), "another's");
        assert_eq!(
            tried(&mut world, bob, &reply),
            fault(ReplyFault::Unknown),
            "whoever replied has nothing to complete"
        );
        let junk = Reply::new(&file.invite().secret, 0, Joined::Carried(vec![7; 900]));
        assert_eq!(tried(&mut world, ann, &junk), fault(ReplyFault::Unreadable));
        assert_eq!(carries(&mut world, ann, &file), Err(CommandError::OwnInvite));
        assert_eq!(carries(&mut world, late, &file), Err(CommandError::NotInForce), "from the future");
        world.command(ann, |engine, now| engine.withdraw(now, &file.invite().key)).unwrap().unwrap();
        assert_eq!(tried(&mut world, ann, &reply), expired, "withdrawn");

        let hour = InviteOptions { lifetime: Duration::from_secs(3600), ..InviteOptions::default() };
        let file = greet(&mut world, ann, &hour);
        let reply = carry(&mut world, bob, &file);
        world.pass(2 * HOUR);
        assert_eq!(tried(&mut world, ann, &reply), expired);
        assert_eq!(carries(&mut world, eve, &file), Err(CommandError::Expired));
        world.pass(2 * DAY);
        assert_eq!(tried(&mut world, ann, &reply), fault(ReplyFault::Unknown), "and forgotten");
        assert!(!knows(&world, ann, bob), "seed {seed}");
        // A link with no place is nothing by itself.
        assert!(file.invite().to_string().parse::<Invite>().is_err());
    });
}

/// Eve puts Ann's invite into a file of her own: Bob, who believes it to be hers, does not become Ann's friend by it.
#[test]
fn an_invite_in_a_file_of_somebody_elses_joins_nobody() {
    seeds(10, |seed| {
        let mut world = World::new(seed);
        let nodes: Vec<_> = ["ann", "bob", "eve"].map(|name| world.node(name, &[], 0)).to_vec();
        let (ann, bob, eve) = (nodes[0], nodes[1], nodes[2]);
        let file = greet(&mut world, ann, &week());
        let maker = Maker {
            card: world.command(eve, |engine, now| engine.own_card(now)).unwrap(),
            epoch: file.epoch(),
            sent: file.sent(),
            reach: Reach::default(),
            relays: RelayTags::default(),
        };
        let eves = Greeting::sign(&world.nodes[eve].device_keys(), file.invite(), maker).unwrap();
        let reply = carry(&mut world, bob, &eves);
        assert_eq!(
            tried(&mut world, ann, &reply),
            Err(CommandError::Reply(ReplyFault::Unreadable)),
            "seed {seed}"
        );
        assert!(!knows(&world, ann, bob) && knows(&world, bob, eve) && !knows(&world, bob, ann));
        // With the honest file it works still.
        let dora = world.node("dora", &[], 0);
        let reply = carry(&mut world, dora, &file);
        complete(&mut world, ann, &reply);
        world.until("linked", MINUTE, |world| world.linked(ann, dora));
        world.check();
    });
}

/// Two friends, and a file between them that may never be answered: they go on meeting, whoever begins.
#[test]
fn a_file_among_friends_breaks_nothing() {
    seeds(40, |seed| {
        let (mut world, ann, bob) = crate::scenes::friends(seed, Kind::List, Weather::fine(2 * SECOND));
        world.cut_links();
        world.pass(5 * MINUTE);
        let file = greet(&mut world, ann, &week());
        let reply = carry(&mut world, bob, &file);
        if seed % 2 == 0 {
            complete(&mut world, ann, &reply);
            world.pass(MINUTE);
        }
        for (who, whom) in [(bob, ann), (ann, bob), (bob, ann)] {
            meet_again(&mut world, who, whom);
            world.pass(DAY);
        }
        world.pass(9 * DAY);
        meet_again(&mut world, bob, ann);
        assert_eq!(world.left(), 0, "seed {seed}");
        world.check();
    });
}

#[test]
fn many_come_by_copies_of_one_file() {
    seeds(10, |seed| {
        let mut world = World::new(seed);
        let nodes: Vec<_> = ["ann", "bob", "carl", "dora"].map(|name| world.node(name, &[], 0)).to_vec();
        let file = greet(&mut world, nodes[0], &InviteOptions { uses: 3, ..week() });
        let replies: Vec<_> = nodes[1..].iter().map(|node| carry(&mut world, *node, &file)).collect();
        replies.iter().for_each(|reply| complete(&mut world, nodes[0], reply));
        world.until("all linked", 5 * MINUTE, |world| {
            nodes[1..].iter().all(|node| world.linked(nodes[0], *node))
        });
        world.check();
    });
}
