//! Mail over bridges: losses, restarts, taking back, junk.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_core::RngCore;
use wayside_proto::crypto::Secret;
use wayside_proto::engine::*;

use crate::scenes::*;
use crate::seeds;
use crate::world::*;

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Two friends who may leave each other mail at every bridge, and are not linked.
fn correspondents(seed: u64, bridges: usize, weather: Weather) -> (World, usize, usize) {
    let mut world = World::new(seed);
    let rooms: Vec<_> = (0..bridges).map(|_| world.bridge(Kind::List, Weather::fine(2 * SECOND))).collect();
    let (ann, bob) = (world.node("ann", &rooms, 0), world.node("bob", &rooms, 0));
    invite(&mut world, ann, bob);
    world.until("friends", HOUR, |world| world.linked(ann, bob));
    world.nodes[bob].accepting = None;
    world.pass(5 * MINUTE);
    world.cut_links();
    for room in rooms {
        world.bridges[room].mail = Some(20_000);
        world.bridges[room].weather = weather.clone();
        for node in [ann, bob] {
            world.bridge_up(node, room);
        }
    }
    give_roots(&mut world, ann, bob);
    world.pass(MINUTE);
    (world, ann, bob)
}

fn give_roots(world: &mut World, ann: usize, bob: usize) {
    let (one, other) = (Secret::random(&mut world.rng), Secret::random(&mut world.rng));
    let (hers, his) = (world.nodes[ann].account, world.nodes[bob].account);
    world.nodes[ann].roots.insert(his, MailRoots { to: one.clone(), from: other.clone() });
    world.nodes[bob].roots.insert(hers, MailRoots { to: other, from: one });
    for node in [ann, bob] {
        let roots = world.nodes[node].roots.clone();
        world.command(node, |engine, now| engine.set_mail_roots(now, roots));
    }
}

fn blob(world: &mut World, length: usize) -> Vec<u8> {
    let mut blob = vec![0; length];
    world.rng.fill_bytes(&mut blob);
    blob
}

fn hash(blob: &[u8]) -> [u8; 32] {
    blob[..32].try_into().unwrap()
}

fn leave(world: &mut World, from: usize, to: usize, blob: &[u8], lifetime: Duration) -> Option<bool> {
    let account = world.nodes[to].account;
    world.command(from, |engine, now| engine.leave_mail(now, &account, hash(blob), blob, lifetime))
}

fn take_back(world: &mut World, node: usize, blob: &[u8]) {
    world.command(node, |engine, now| engine.take_back_mail(now, &hash(blob)));
}

/// What came to a node, of each run.
fn came(world: &World, node: usize) -> BTreeMap<u32, Vec<Vec<u8>>> {
    let mut came: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
    for (run, _, blob) in &world.nodes[node].mail {
        came.entry(*run).or_default().push(blob.clone());
    }
    came
}

fn has(world: &World, node: usize, blob: &[u8]) -> bool {
    world.nodes[node].mail.iter().any(|(.., came)| came == blob)
}

#[test]
fn mail_comes_though_the_two_are_never_up_together() {
    seeds(30, |seed| {
        let (mut world, ann, bob) = correspondents(seed, 2, Weather::fine(2 * SECOND));
        let away = 2 * DAY + world.below(3 * DAY);
        world.crash_node(bob, away);
        let text = blob(&mut world, 2000);
        assert_eq!(leave(&mut world, ann, bob, &text, WEEK), Some(true), "seed {seed}");
        world.pass(MINUTE);
        assert_eq!(world.left(), 2, "seed {seed}: one at each place");
        world.crash_node(ann, away + DAY);
        world.until("it came", away + MINUTE, |world| has(world, bob, &text));
        let account = world.nodes[ann].account;
        assert!(world.nodes[bob].mail.iter().all(|(_, from, _)| *from == account), "seed {seed}");
        // From one place or two, it comes once.
        world.pass(HOUR);
        assert!(came(&world, bob).values().all(|blobs| blobs.len() == 1), "seed {seed}");
        // She hears of it, and takes it back, by receipts of the run before.
        world.pass(2 * DAY);
        take_back(&mut world, ann, &text);
        world.pass(MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
        world.check();
    });
}

/// What a service loses openly is tried again; what it loses silently is at the other place, or waits for another way.
#[test]
fn mail_survives_bad_weather_and_crashes_on_both_sides() {
    seeds(60, |seed| {
        let weather = Weather { lost: 0, twice: 40, refused: 50, latency: 20 * SECOND, dead: false };
        let (mut world, ann, bob) = correspondents(seed, 2, weather);
        if seed % 2 == 1 {
            world.bridges[0].weather.dead = true;
        }
        (world.crash, world.crashes_left) = (40, 10);
        let texts: Vec<_> = (0..12).map(|_| blob(&mut world, 700)).collect();
        for text in &texts {
            // A crash may have eaten the command; whoever keeps the outbox says it again.
            for _ in 0..20 {
                let left = leave(&mut world, ann, bob, text, WEEK);
                world.pass(3 * MINUTE);
                if left == Some(true) && leave(&mut world, ann, bob, text, WEEK) == Some(true) {
                    break;
                }
            }
        }
        let all = |world: &World| texts.iter().all(|text| has(world, bob, text));
        world.until("all came", DAY, all);
        for (run, blobs) in came(&world, bob) {
            let mut unlike = blobs.clone();
            unlike.sort();
            unlike.dedup();
            assert_eq!(unlike.len(), blobs.len(), "seed {seed}: one came twice in run {run}");
            assert!(blobs.iter().all(|blob| texts.contains(blob)), "seed {seed}");
        }
        world.crashes_left = 0;
        world.pass(10 * MINUTE);
        for text in &texts {
            take_back(&mut world, ann, text);
        }
        // A service that refuses to take back is asked again.
        world.pass(8 * DAY);
        assert_eq!(world.left(), 0, "seed {seed}");
        assert!(world.nodes[ann].engine.as_ref().unwrap().records_out().is_empty(), "seed {seed}");
        assert!(!world.nodes[ann].store.keys().any(|key| key.starts_with("pub/")), "seed {seed}");
    });
}

#[test]
fn mail_outlives_links_farewells_and_restarts() {
    seeds(20, |seed| {
        let (mut world, ann, bob) = correspondents(seed, 1, Weather::fine(2 * SECOND));
        let text = blob(&mut world, 500);
        leave(&mut world, ann, bob, &text, WEEK);
        world.pass(MINUTE);
        world.want(ann, bob);
        world.until("linked", MINUTE, |world| world.linked(ann, bob));
        world.pass(5 * MINUTE);
        assert_eq!(world.left(), 1, "seed {seed}: the link took it along");
        world.cut_links();
        world.unwant(ann, bob);
        world.pass(5 * MINUTE);
        world.command(ann, |engine, now| engine.tidy_up(now)).unwrap();
        assert!(!world.nodes[ann].engine.as_ref().unwrap().leaves_litter(), "seed {seed}");
        world.pass(MINUTE);
        assert_eq!(world.left(), 1, "seed {seed}: leaving took it along");
        world.crash_node(ann, HOUR);
        world.pass(2 * HOUR);
        assert_eq!(world.left(), 1, "seed {seed}: the restart took it along");
        // The bridge goes, and nobody could do it later.
        let room = World::bridge_name(0);
        world.command(ann, |engine, now| engine.tidy_up_at(now, &room)).unwrap();
        world.pass(MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

#[test]
fn mail_goes_when_its_days_are_over() {
    seeds(20, |seed| {
        let (mut world, ann, bob) = correspondents(seed, 1, Weather::fine(2 * SECOND));
        let (short, long) = (blob(&mut world, 500), blob(&mut world, 500));
        leave(&mut world, ann, bob, &short, Duration::from_secs(86_400));
        leave(&mut world, ann, bob, &long, 5 * WEEK);
        world.pass(DAY);
        assert_eq!(world.left(), 2, "seed {seed}");
        world.pass(DAY);
        assert_eq!(world.left(), 1, "seed {seed}: a day is over by the end of the next");
        world.pass(5 * DAY - HOUR);
        assert_eq!(world.left(), 1, "seed {seed}");
        world.pass(DAY + HOUR);
        assert_eq!(
            world.left(),
            0,
            "seed {seed}: nothing lies for more than a week and what is left of a day"
        );
        assert!(world.nodes[ann].engine.as_ref().unwrap().records_out().is_empty(), "seed {seed}");
    });
}

/// Whoever comes back on the last day still finds what lies there, whatever the clocks say within a day.
#[test]
fn mail_is_looked_for_as_long_as_it_lies() {
    seeds(20, |seed| {
        let (mut world, ann, bob) = correspondents(seed, 1, Weather::fine(2 * SECOND));
        world.nodes[bob].skew = (world.below(2 * DAY) as i64) - DAY as i64;
        world.crash_node(bob, 6 * DAY);
        let text = blob(&mut world, 500);
        leave(&mut world, ann, bob, &text, WEEK);
        world.until("it came", 6 * DAY + MINUTE, |world| has(world, bob, &text));
    });
}

#[test]
fn what_is_not_allowed_too_long_or_for_nobody_is_not_left() {
    let (mut world, ann, bob) = correspondents(1, 1, Weather::fine(SECOND));
    let before = world.published();
    let longest = blob(&mut world, MOST_MAIL);
    let longer = blob(&mut world, MOST_MAIL + 1);
    assert_eq!(leave(&mut world, ann, bob, &longer, WEEK), Some(false));
    assert_eq!(leave(&mut world, ann, ann, &longest, WEEK), Some(false), "no root");
    world.bridges[0].mail = Some(MOST_MAIL + 15);
    world.bridge_up(ann, 0);
    assert_eq!(leave(&mut world, ann, bob, &longest, WEEK), Some(false), "larger than it takes");
    world.bridges[0].mail = None;
    world.bridge_up(ann, 0);
    assert_eq!(leave(&mut world, ann, bob, &longest, WEEK), Some(false), "its user does not allow it");
    assert_eq!(world.published(), before);
    world.bridges[0].mail = Some(MOST_MAIL + 16);
    world.bridge_up(ann, 0);
    assert_eq!(leave(&mut world, ann, bob, &longest, WEEK), Some(true));
    world.until("it came", MINUTE, |world| has(world, bob, &longest));
    // Where bob does not let mail lie at his bridge, he reads all the same what is there.
}

#[test]
fn a_blocked_or_removed_friend_is_left_nothing_and_heard_no_more() {
    seeds(10, |seed| {
        let (mut world, ann, bob) = correspondents(seed, 1, Weather::fine(2 * SECOND));
        let (hers, his) = (blob(&mut world, 500), blob(&mut world, 500));
        leave(&mut world, ann, bob, &hers, WEEK);
        world.pass(MINUTE);
        let account = world.nodes[bob].account;
        world.command(ann, |engine, now| engine.block(now, &account)).unwrap().unwrap();
        world.pass(MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}: what lay for him is taken back");
        assert_eq!(leave(&mut world, ann, bob, &hers, WEEK), Some(false), "seed {seed}");
        leave(&mut world, bob, ann, &his, WEEK);
        world.pass(MINUTE);
        assert!(!has(&world, ann, &his), "seed {seed}");
        world.command(ann, |engine, now| engine.unblock(now, &account)).unwrap().unwrap();
        world.until("it came", MINUTE, |world| has(world, ann, &his));
        world.command(ann, |engine, now| engine.remove(now, &account)).unwrap().unwrap();
        assert_eq!(leave(&mut world, ann, bob, &hers, WEEK), Some(false), "seed {seed}");
    });
}

/// Somebody who reads and writes everything there forges, copies and floods; what comes is what was left.
#[test]
fn junk_neither_comes_nor_keeps_anything_from_coming() {
    seeds(10, |seed| {
        let (mut world, ann, bob) = correspondents(seed, 2, Weather::fine(2 * SECOND));
        world.attack = 100;
        let texts: Vec<_> = (0..5).map(|_| blob(&mut world, 900)).collect();
        for text in &texts {
            leave(&mut world, ann, bob, text, WEEK);
        }
        // Records of many lengths, in the very slots.
        let slots: Vec<_> = world.bridges[0].records.iter().rev().take(5).cloned().collect();
        for record in slots {
            for length in 0..30 {
                let mut junk = Record { forged: true, visible: true, gone: false, ..record.clone() };
                junk.bytes = blob(&mut world, 67 * length);
                world.bridges[0].records.push(junk);
            }
        }
        world.pass(3 * HOUR);
        world.replay_all();
        world.pass(HOUR);
        for blobs in came(&world, bob).values() {
            assert_eq!(blobs.len(), texts.len(), "seed {seed}");
            assert!(texts.iter().all(|text| blobs.contains(text)), "seed {seed}");
        }
    });
}

/// A friend who sends without end fills its own share, and nobody's meeting waits for it.
#[test]
fn a_flood_of_mail_is_bounded_and_holds_no_meeting_up() {
    seeds(5, |seed| {
        let (mut world, ann, bob) = correspondents(seed, 1, Weather::fine(2 * SECOND));
        let mut taken = 0;
        for _ in 0..400 {
            let text = blob(&mut world, 300);
            taken += usize::from(leave(&mut world, ann, bob, &text, WEEK) == Some(true));
        }
        assert_eq!(taken, 256, "seed {seed}");
        // Few of them are under way at once, so that an offer goes out at once.
        assert!(world.published() < 20, "seed {seed}");
        world.want(ann, bob);
        let took = world.until("linked", MINUTE, |world| world.linked(ann, bob));
        assert!(took < 10 * SECOND, "seed {seed}: {took} ms");
        world.until("all came", HOUR, |world| world.nodes[bob].mail.len() == 256);
    });
}

/// A newer root, and a root that comes after the mail, find what lies there.
#[test]
fn roots_may_come_late() {
    seeds(10, |seed| {
        let (mut world, ann, bob) = correspondents(seed, 1, Weather::fine(2 * SECOND));
        let roots = std::mem::take(&mut world.nodes[bob].roots);
        world.command(bob, |engine, now| engine.set_mail_roots(now, BTreeMap::new()));
        let text = blob(&mut world, 300);
        leave(&mut world, ann, bob, &text, WEEK);
        world.pass(HOUR);
        assert!(!has(&world, bob, &text), "seed {seed}");
        world.command(bob, |engine, now| engine.set_mail_roots(now, roots));
        world.until("it came", MINUTE, |world| has(world, bob, &text));
    });
}
