//! Spoken codes: among people who mistype, and somebody in the same room who guesses, answers first, calls by the same number.

use std::time::Duration;

use rand_core::RngCore;
use wayside_proto::Epoch;
use wayside_proto::code::Code;
use wayside_proto::code::exchange::{Call, Caller, GUESSES, Heard, Response};
use wayside_proto::crypto::envelope::{self, Bucket};
use wayside_proto::engine::*;
use wayside_proto::meet::slot::{self, Slot};
use wayside_proto::place::PlaceTag;

use crate::seeds;
use crate::world::*;

fn room(seed: u64, kind: Kind) -> World {
    let mut world = World::new(seed);
    let room = world.bridge(kind, Weather::fine(2 * SECOND));
    for name in ["ann", "bob"] {
        world.node(name, &[room], 0);
    }
    world
}

fn speak(world: &mut World, who: usize) -> SpokenCode {
    world.command(who, |engine, now| engine.speak(now, &CodeOptions::default())).unwrap().unwrap()
}

fn hear(world: &mut World, who: usize, code: &Code) {
    world.command(who, |engine, now| engine.hear(now, code, Vec::new(), None)).unwrap().unwrap();
}

fn spoken(world: &World, who: usize, spoken: &SpokenCode) -> Option<OwnCodeState> {
    world.nodes[who].engine.as_ref()?.spoken(&spoken.id)
}

fn heard(world: &World, who: usize, code: &Code) -> Option<FollowState> {
    world.nodes[who].engine.as_ref()?.heard(code)
}

/// The same nameplate and other words.
fn other_words(world: &mut World, code: &Code) -> Code {
    let other = Code::random(&mut world.rng, 3, |number| number != code.nameplate());
    assert_ne!(other, *code);
    other
}

/// Somebody in the room who reads and writes everything, and has neither keys nor words.
struct Guesser {
    call: Call,
    tag: PlaceTag,
}

impl Guesser {
    /// Once the call is there.
    fn hear(world: &mut World, nameplate: u16) -> Self {
        world.pass(5 * SECOND);
        let tag = PlaceTag::of_space(&world.locator(0, 0));
        let slot = slot::code_call(nameplate, tag, Epoch::of(world.time(0).wall));
        let record = world.bridges[0].records.iter().find(|record| record.slot == slot.id && !record.gone);
        let message = envelope::open(&slot.siv, &record.unwrap().bytes).unwrap();
        match Heard::from_bytes(envelope::unpad(&message).unwrap()).unwrap() {
            Heard::Call(call) => Self { call: *call, tag },
            Heard::Burnt => panic!(),
        }
    }

    fn say(&self, world: &mut World, index: u8, response: &Response) {
        plant(world, &slot::code_response(&self.call.hash(), self.tag, index), &response.to_bytes());
    }

    fn guess(&self, world: &mut World, index: u8, code: &Code) {
        let mut rng = world.rng.clone();
        world.rng.next_u64();
        let (response, _) = self.call.respond(code, index, &mut rng).unwrap();
        self.say(world, index, &response);
    }
}

fn plant(world: &mut World, slot: &Slot, payload: &[u8]) {
    let message = Bucket::holding(payload.len(), 0).unwrap().pad(payload, 0).unwrap();
    world.plant(0, slot.id, envelope::seal(&slot.siv, &message));
}

#[test]
fn a_code_makes_friends_whoever_begins() {
    for kind in [Kind::List, Kind::Key] {
        seeds(40, |seed| {
            let mut world = room(seed, kind);
            let made = speak(&mut world, 0);
            world.pass(seed % 2 * MINUTE);
            hear(&mut world, 1, &made.code);
            let took = world.until("linked", MINUTE, |world| world.linked(0, 1));
            assert!(took < 15 * SECOND, "seed {seed}: {took} ms");
            assert_eq!(
                spoken(&world, 0, &made),
                Some(OwnCodeState::Done(world.nodes[1].account)),
                "seed {seed}"
            );
            let Some(FollowState::Contact(id)) = heard(&world, 1, &made.code) else { panic!("seed {seed}") };
            let contact = world.nodes[1].engine.as_ref().unwrap().contact(&id);
            assert_eq!(contact, Some(ContactState::Done(world.nodes[0].account)), "seed {seed}");
            world.pass(5 * MINUTE);
            assert_eq!(world.published(), 4, "seed {seed}: a call, a response, a join, a welcome");
            assert_eq!(world.left(), 0, "seed {seed}");
            world.check();
            // It is used up.
            let eve = world.node("eve", &[0], 0);
            hear(&mut world, eve, &made.code);
            world.pass(2 * HOUR);
            assert_eq!(world.nodes[eve].engine.as_ref().unwrap().friends().count(), 0, "seed {seed}");
        });
    }
}

#[test]
fn a_word_that_was_mistyped_is_said_on_both_sides_and_the_right_one_still_goes() {
    seeds(40, |seed| {
        let mut world = room(seed, Kind::List);
        let made = speak(&mut world, 0);
        let wrong = other_words(&mut world, &made.code);
        // The second time it may say something else to the same element: nothing there is sealed under a secret.
        world.forgetful = true;
        hear(&mut world, 1, &wrong);
        world.until("told", MINUTE, |world| heard(world, 1, &wrong) == Some(FollowState::Wrong));
        assert_eq!(spoken(&world, 0, &made), Some(OwnCodeState::Open { left: GUESSES - 1 }), "seed {seed}");
        assert!(
            world.nodes[0]
                .events
                .iter()
                .any(|(_, event)| matches!(event, Event::CodeGuessed { left: 7, .. }))
        );
        world.command(1, |engine, now| engine.unhear(now, &wrong));
        assert_eq!(
            world.nodes[1].engine.as_ref().unwrap().contacts().count(),
            0,
            "seed {seed}: nothing is left of it"
        );
        hear(&mut world, 1, &made.code);
        world.until("linked", MINUTE, |world| world.linked(0, 1));
        world.pass(2 * HOUR);
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

#[test]
fn a_guesser_in_the_room_has_eight_tries_and_both_are_told() {
    seeds(40, |seed| {
        let mut world = room(seed, Kind::List);
        let made = speak(&mut world, 0);
        let guesser = Guesser::hear(&mut world, made.code.nameplate());
        for index in 0..GUESSES {
            let guess = other_words(&mut world, &made.code);
            guesser.guess(&mut world, index, &guess);
            // Again at the same element, with the right words even: it is used up.
            world.pass(5 * SECOND);
            guesser.guess(&mut world, index, &made.code);
            world.pass(5 * SECOND);
        }
        assert_eq!(spoken(&world, 0, &made), Some(OwnCodeState::Burnt), "seed {seed}");
        let told = |event: &&(Ms, Event)| matches!(event.1, Event::CodeGuessed { .. });
        assert_eq!(world.nodes[0].events.iter().filter(told).count(), GUESSES.into(), "seed {seed}");
        hear(&mut world, 1, &made.code);
        world.until("told", MINUTE, |world| heard(world, 1, &made.code) == Some(FollowState::Burnt));
        world.pass(2 * HOUR);
        assert!(!world.friends(0, 1) && world.nodes[0].engine.as_ref().unwrap().friends().count() == 0);
        assert_eq!(world.left(), 0, "seed {seed}: what said so goes with the code's end");
    });
}

#[test]
fn whoever_is_guessed_against_meanwhile_takes_another_element() {
    seeds(60, |seed| {
        let mut world = room(seed, Kind::List);
        let made = speak(&mut world, 0);
        let guesser = Guesser::hear(&mut world, made.code.nameplate());
        // Seven of the eight are gone when Bob comes.
        for index in 0..GUESSES - 1 {
            let guess = other_words(&mut world, &made.code);
            guesser.guess(&mut world, index, &guess);
        }
        world.pass(5 * SECOND);
        hear(&mut world, 1, &made.code);
        world.pass(MINUTE);
        // Where it took one of those it was told so, and of which others not to take.
        assert!(matches!(heard(&world, 1, &made.code), Some(FollowState::Contact(_))), "seed {seed}");
        assert!(world.linked(0, 1), "seed {seed}");
    });
}

/// Somebody calls by the same number, before or after: by chance or to get in between.
#[test]
fn another_call_by_the_same_number_is_answered_and_leads_nowhere() {
    seeds(40, |seed| {
        let mut world = room(seed, Kind::List);
        let made = speak(&mut world, 0);
        let eve = world.node("eve", &[0], 0);
        let others = other_words(&mut world, &made.code);
        let point = world.locator(0, 0);
        let (tag, now) = (PlaceTag::of_space(&point), world.time(0).wall);
        let mut rng = world.rng.clone();
        let mut false_caller =
            Caller::new(&others, now.after(Duration::from_secs(600)), vec![point], &mut rng).unwrap();
        let slot = slot::code_call(made.code.nameplate(), tag, Epoch::of(now));
        plant(&mut world, &slot, &false_caller.call().to_bytes());
        hear(&mut world, 1, &made.code);
        world.until("linked", MINUTE, |world| world.linked(0, 1));
        // What Bob said to it is one guess, and wrong.
        let hash = false_caller.call().hash();
        let said = (0..GUESSES).find_map(|index| {
            let slot = slot::code_response(&hash, tag, index);
            let record = world.bridges[0].records.iter().find(|record| record.slot == slot.id)?;
            let message = envelope::open(&slot.siv, &record.bytes)?;
            Some((index, Response::from_bytes(envelope::unpad(&message)?).ok()?))
        });
        if let Some((index, response)) = said {
            assert!(matches!(
                false_caller.judge(index, &response),
                wayside_proto::code::exchange::Judged::Wrong(_)
            ));
        }
        assert!(!world.friends(1, eve), "seed {seed}");
        world.pass(2 * HOUR);
        assert_eq!(world.nodes[1].engine.as_ref().unwrap().friends().count(), 1, "seed {seed}");
    });
}

#[test]
fn whoever_calls_a_hundred_times_by_the_same_number_is_answered_three_times() {
    seeds(10, |seed| {
        let mut world = room(seed, Kind::List);
        let code = Code::random(&mut world.rng, 3, |_| false);
        let point = world.locator(0, 0);
        let (tag, now) = (PlaceTag::of_space(&point), world.time(0).wall);
        for _ in 0..100 {
            let others = other_words(&mut world, &code);
            let mut rng = world.rng.clone();
            world.rng.next_u64();
            let caller =
                Caller::new(&others, now.after(Duration::from_secs(600)), vec![point.clone()], &mut rng)
                    .unwrap();
            let slot = slot::code_call(code.nameplate(), tag, Epoch::of(now));
            plant(&mut world, &slot, &caller.call().to_bytes());
        }
        hear(&mut world, 1, &code);
        world.until("told", MINUTE, |world| heard(world, 1, &code) == Some(FollowState::Interfered));
        world.pass(10 * MINUTE);
        // Three responses, and the joins of three in their four lanes.
        assert!(world.published() <= 3 + 3 * 4, "seed {seed}: {}", world.published());
    });
}

#[test]
fn a_restart_ends_a_code_and_leaves_nothing() {
    seeds(20, |seed| {
        let mut world = room(seed, Kind::List);
        let made = speak(&mut world, 0);
        world.pass(10 * SECOND);
        world.crash_node(0, SECOND);
        world.pass(MINUTE);
        assert_eq!(spoken(&world, 0, &made), None, "seed {seed}");
        assert_eq!(world.left(), 0, "seed {seed}");
        hear(&mut world, 1, &made.code);
        world.pass(2 * HOUR);
        assert_eq!(heard(&world, 1, &made.code), None, "seed {seed}: it is given up");
        assert!(!world.friends(0, 1) && world.left() == 0, "seed {seed}");
    });
}

#[test]
fn what_was_answered_before_a_crash_goes_on() {
    seeds(60, |seed| {
        let mut world = room(seed, Kind::List);
        world.crash = 60;
        world.crashes_left = 2;
        let Some(Ok(made)) = world.command(0, |engine, now| engine.speak(now, &CodeOptions::default()))
        else {
            return;
        };
        world.command(1, |engine, now| engine.hear(now, &made.code, Vec::new(), None));
        world.pass(30 * MINUTE);
        world.check();
        // A crash may have ended it before it was answered. One-sided it does not stay: Bob's friend knows Bob.
        let knows = |of: usize| world.nodes[of].engine.as_ref().unwrap().friends().count();
        assert_eq!(knows(0), knows(1), "seed {seed}");
        if knows(0) == 1 {
            world.want(0, 1);
            world.until("linked", DAY, |world| world.linked(0, 1));
        }
    });
}

#[test]
fn a_code_with_a_bad_day_still_makes_friends() {
    seeds(40, |seed| {
        let mut world = World::new(seed);
        let weather = Weather { lost: 0, twice: 30, refused: 30, latency: 20 * SECOND, dead: false };
        let room = world.bridge(if seed % 2 == 0 { Kind::List } else { Kind::Key }, weather);
        let (ann, bob) = (world.node("ann", &[room], 0), world.node("bob", &[room], 0));
        let made = speak(&mut world, ann);
        hear(&mut world, bob, &made.code);
        world.until("linked", HOUR, |world| world.linked(ann, bob));
    });
}

#[test]
fn codes_are_few_and_end() {
    let mut world = room(1, Kind::List);
    let codes: Vec<_> = (0..16).map(|_| speak(&mut world, 0)).collect();
    let refused = world.command(0, |engine, now| engine.speak(now, &CodeOptions::default())).unwrap();
    assert_eq!(refused, Err(CommandError::TooMany("codes")));
    assert!(world.command(0, |engine, now| engine.unspeak(now, &codes[3].id)).unwrap());
    assert!(!world.command(0, |engine, now| engine.unspeak(now, &codes[3].id)).unwrap());
    world.pass(61 * MINUTE);
    assert!(codes.iter().all(|code| spoken(&world, 0, code).is_none()));
    assert_eq!(world.left(), 0);
    // With nothing but a space of its own nobody can answer, and nobody is heard.
    let mut apart = World::new(2);
    let zone = apart.bridge(Kind::OneWriter, Weather::fine(SECOND));
    let ann = apart.node("ann", &[zone], 0);
    let made = apart.command(ann, |engine, now| engine.speak(now, &CodeOptions::default())).unwrap();
    assert_eq!(made, Err(CommandError::NoBridge { wanted: Vec::new() }));
    let followed =
        apart.command(ann, |engine, now| engine.hear(now, &codes[0].code, Vec::new(), None)).unwrap();
    assert_eq!(followed, Err(CommandError::NoBridge { wanted: Vec::new() }));
}
