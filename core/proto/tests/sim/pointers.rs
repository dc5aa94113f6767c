//! Pointers: renewed, swapped, withdrawn, ended, of no use.

use std::time::Duration;

use wayside_proto::engine::*;
use wayside_proto::pointer::{Pointer, PointerError};

use crate::knocks::*;
use crate::seeds;
use crate::strangers::*;
use crate::world::*;

#[test]
fn a_renewed_pointer_answers_whoever_has_the_copy_before() {
    seeds(20, |seed| {
        let mut world = World::new(seed);
        let bridges = [0, 1].map(|_| world.bridge(Kind::List, Weather::fine(2 * SECOND)));
        let (ann, bob, carl) = (
            world.node("ann", &bridges, 0),
            world.node("bob", &bridges[..1], 0),
            world.node("carl", &bridges[1..], 0),
        );
        let old = pointer(&mut world, ann, &bridges[..1]);
        world.pass(DAY);
        // Another place first; with an odd seed the one before is not named any more.
        let places: &[usize] = if seed % 2 == 0 { &[bridges[1], bridges[0]] } else { &bridges[1..] };
        let new = pointer(&mut world, ann, places);
        let now = world.time(ann).wall;
        assert_eq!(new.check(now, Some(&name()), Some(&old)), Ok(()));
        assert_eq!((new.claims().key, new.claims().public), (old.claims().key, old.claims().public));
        assert_eq!(world.nodes[ann].engine.as_ref().unwrap().pointers().collect::<Vec<_>>(), [&new]);
        if seed % 4 < 2 {
            world.crash_node(ann, SECOND);
        }
        for (who, copy) in [(bob, &old), (carl, &new)] {
            let id = knock(&mut world, who, copy);
            world.until("asked", MINUTE, |world| waits(world, ann, who).is_some());
            if who == bob && seed % 2 == 0 {
                let again = world.command(who, |engine, now| engine.knock_by_pointer(now, &new, None));
                assert_eq!(again, Some(Ok(id)), "seed {seed}: a newer copy is the same contact");
            }
            accept(&mut world, ann, who);
            world.until("linked", MINUTE, |world| world.linked(ann, who));
        }
        world.pass(MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
        world.check();
    });
}

/// Whoever hosts a pointer puts its own in the place of it, or one that it signed around somebody else's key.
#[test]
fn a_swapped_pointer_leads_to_nobody_else() {
    seeds(20, |seed| {
        let (mut world, ann, bob) = two(seed, Kind::List);
        let eve = world.node("eve", &[0], 0);
        let anns = pointer(&mut world, ann, &[]);
        let eves = pointer(&mut world, eve, &[]);
        let now = world.time(bob).wall;
        assert_eq!(eves.check(now, Some(&name()), Some(&anns)), Err(PointerError::OtherAccount));
        // By hers Bob comes to her, and knows that it is her account.
        let id = knock(&mut world, bob, &eves);
        world.until("asked", MINUTE, |world| waits(world, eve, bob).is_some());
        // Around Ann's key she makes one that Ann does not answer, and it is not Bob's contact with Ann.
        let around = Pointer::sign(&world.nodes[eve].account_key(), anns.claims().clone()).unwrap();
        assert_ne!(knock(&mut world, bob, &around), id);
        world.pass(DAY);
        assert_eq!(waiting(&world, ann).len(), 0, "seed {seed}");
        accept(&mut world, eve, bob);
        world.until("linked", DAY, |world| world.linked(eve, bob));
        assert_eq!(state(&world, bob, &id), Some(ContactState::Done(eves.account())));
        assert!(!is_friend(&world, bob, ann), "seed {seed}");
    });
}

/// Whoever holds the pointer's key welcomes, and shows a card of another account than signed it.
#[test]
fn only_the_account_of_a_pointer_is_believed() {
    seeds(20, |seed| {
        let mut world = World::new(seed);
        let room = world.bridge(Kind::List, Weather::fine(2 * SECOND));
        let bob = world.node("bob", &[room], 0);
        let (liar, now) = (Stranger::new(1), world.time(bob).wall);
        let (made, key) = liar.pointer(name(), world.locator(bob, room), now);
        let id = knock(&mut world, bob, &made);
        world.until("left", MINUTE, |world| !world.bridges[room].records.is_empty());
        let card = if seed % 2 == 0 { Stranger::new(2).card(now) } else { liar.card(now) };
        let signs = if seed % 2 == 0 { Stranger::new(2) } else { Stranger::new(1) };
        signs.welcome(&mut world, bob, room, &made, &key, card);
        world.pass(MINUTE);
        let expected = if seed % 2 == 0 { ContactState::Another } else { ContactState::Done(made.account()) };
        assert_eq!(state(&world, bob, &id), Some(expected), "seed {seed}");
        let friends = world.nodes[bob].engine.as_ref().unwrap().friends().count();
        assert_eq!(friends, (seed % 2) as usize, "seed {seed}");
    });
}

#[test]
fn a_withdrawn_pointer_is_looked_for_no_more() {
    let (mut world, ann, bob) = two(3, Kind::List);
    let nothing = world.watched(ann, 0).len();
    let made = pointer(&mut world, ann, &[]);
    assert_eq!(world.watched(ann, 0).len(), nothing + 24, "three days of eight lanes");
    knock(&mut world, bob, &made);
    world.until("asked", MINUTE, |world| waits(world, ann, bob).is_some());
    world.command(ann, |engine, now| engine.withdraw_pointer(now, &name())).unwrap().unwrap();
    assert_eq!((waiting(&world, ann).len(), world.watched(ann, 0).len()), (0, nothing));
    let again = world.command(ann, |engine, now| engine.withdraw_pointer(now, &name())).unwrap();
    assert_eq!(again, Err(CommandError::Unknown("card")));
    let other = pointer(&mut world, ann, &[]);
    assert_ne!(other.claims().key, made.claims().key, "the key ended with it");
    assert!(other.seq() > made.seq());
    world.pass(2 * DAY);
    assert_eq!(kept(&world, ann, "pointer/"), 1);
    // Let in, and then withdrawn: who comes late still finds its answer.
    let carl = world.node("carl", &[0], 0);
    knock(&mut world, carl, &other);
    world.until("asked", MINUTE, |world| waits(world, ann, carl).is_some());
    world.crash_node(carl, 6 * HOUR);
    accept(&mut world, ann, carl);
    world.command(ann, |engine, now| engine.withdraw_pointer(now, &name())).unwrap().unwrap();
    world.until("linked", DAY, |world| world.linked(ann, carl));
    world.pass(3 * DAY);
    assert_eq!(kept(&world, ann, "pointer/"), 0);
}

#[test]
fn a_pointer_ends_and_whoever_knocks_gives_up() {
    let (mut world, ann, bob) = two(4, Kind::List);
    let short = PointerOptions { lifetime: Duration::from_secs(1), ..options(&[]) };
    let made = world.command(ann, |engine, now| engine.make_pointer(now, &short)).unwrap().unwrap();
    let id = knock(&mut world, bob, &made);
    world.pass(2 * HOUR);
    assert_eq!(world.nodes[ann].engine.as_ref().unwrap().pointers().count(), 0);
    // Who came in time may still be let in for a day.
    accept(&mut world, ann, bob);
    world.until("linked", DAY, |world| world.linked(ann, bob));
    assert_eq!(state(&world, bob, &id), Some(ContactState::Done(made.account())));
    let late = world.node("late", &[0], 0);
    let expired = world.command(late, |engine, now| engine.knock_by_pointer(now, &made, None)).unwrap();
    assert_eq!(expired, Err(CommandError::Pointer(PointerError::Expired)));
    world.pass(2 * DAY);
    assert_eq!(kept(&world, ann, "pointer/"), 0, "its key is destroyed");
}

#[test]
fn what_leads_nowhere_is_said_at_once() {
    let (mut world, ann, bob) = two(5, Kind::List);
    let there = world.bridge(Kind::List, Weather::fine(SECOND));
    let far = world.node("far", &[there], 0);
    let made = pointer(&mut world, ann, &[]);
    let try_it = |world: &mut World, node: usize, alias: Option<&str>| {
        let alias = alias.map(str::to_owned);
        world.command(node, |engine, now| engine.knock_by_pointer(now, &made, alias)).unwrap()
    };
    assert_eq!(try_it(&mut world, ann, None), Err(CommandError::OwnPointer));
    let wanted = made.points().to_vec();
    assert_eq!(try_it(&mut world, far, None), Err(CommandError::NoBridge { wanted }));
    assert_eq!(try_it(&mut world, bob, Some("a\nb")), Err(CommandError::Name("a\nb".into())));
    try_it(&mut world, bob, Some("Anna")).unwrap();
    world.until("asked", MINUTE, |world| waits(world, ann, bob).is_some());
    accept(&mut world, ann, bob);
    world.until("linked", MINUTE, |world| world.linked(ann, bob));
    assert_eq!(try_it(&mut world, bob, None), Err(CommandError::AlreadyFriend("Anna".into())));
    let nobody = world.command(ann, |engine, now| engine.accept_knock(now, &KnockId([0; 8]), None)).unwrap();
    assert_eq!(nobody, Err(CommandError::Unknown("request")));
    // What was compared stays so when the card changes, and across a restart.
    let his = world.nodes[bob].account;
    world.command(ann, |engine, now| engine.set_verified(now, &his, true)).unwrap().unwrap();
    world.pass(25 * DAY);
    world.crash_node(ann, SECOND);
    world.pass(MINUTE);
    assert!(world.nodes[ann].engine.as_ref().unwrap().friend(&his).unwrap().verified());
}
