//! Guests who knock at doors: losses, crashes, wrong clocks, hosts that are off, and somebody who has a card and means harm.

use wayside_proto::Epoch;
use wayside_proto::crypto::envelope::{self, Bucket};
use wayside_proto::crypto::keys::NoiseKey;
use wayside_proto::crypto::noise::{Handshake, Pattern};
use wayside_proto::crypto::{Secret, derive};
use wayside_proto::engine::Door;
use wayside_proto::mailbox::wire::HostEntry;
use wayside_proto::meet::slot;
use wayside_proto::message::{Knock, Payload};
use wayside_proto::place::Candidates;
use wayside_proto::reach::Reach;

use crate::scenes::*;
use crate::seeds;
use crate::world::*;

/// One more door at a host, as a card names it.
fn door(world: &mut World, host: usize) -> HostEntry {
    let made = Door { key: NoiseKey::generate(&mut world.rng), secret: Secret::random(&mut world.rng) };
    world.nodes[host].doors.push(made.clone());
    let doors = world.nodes[host].doors.clone();
    world.command(host, |engine, now| engine.set_doors(now, doors));
    HostEntry {
        guest: made.key.public(),
        secret: made.secret,
        name: "hal".into(),
        points: world.command(host, |engine, _| engine.door_points()).unwrap(),
        candidates: Candidates::default(),
    }
}

fn knock(world: &mut World, guest: usize, entry: &HostEntry) {
    world.nodes[guest].knocking.push(entry.clone());
    world.command(guest, |engine, now| engine.knock(now, entry));
}

fn unknock(world: &mut World, guest: usize, entry: &HostEntry) {
    world.nodes[guest].knocking.retain(|known| known.guest != entry.guest);
    world.command(guest, |engine, now| engine.unknock(now, &entry.guest));
}

fn is_in(world: &World, guest: usize, entry: &HostEntry) -> bool {
    world.came_in.iter().any(|(who, _, door)| *who == guest && *door == entry.guest)
}

/// A host with a door, and somebody whom it does not know.
fn scene(seed: u64, kind: Kind, weather: Weather) -> (World, usize, usize, HostEntry) {
    let mut world = World::new(seed);
    let room = world.bridge(kind, weather);
    let (hal, sue) = (world.node("hal", &[room], 0), world.node("sue", &[room], 0));
    let entry = door(&mut world, hal);
    // Rounds of one guest come back to a lane in the end, and guests share them anyway.
    world.forgetful = true;
    (world, hal, sue, entry)
}

#[test]
fn a_guest_comes_in_with_one_record_each_way() {
    seeds(50, |seed| {
        for kind in [Kind::List, Kind::Key] {
            let (mut world, hal, sue, entry) = scene(seed, kind, Weather::fine(2 * SECOND));
            knock(&mut world, sue, &entry);
            let took = world.until("in", MINUTE, |world| is_in(world, sue, &entry));
            assert!(took < 10 * SECOND, "seed {seed}: {took} ms");
            world.pass(MINUTE);
            assert_eq!(world.published(), 2, "seed {seed}");
            assert_eq!(world.left(), 0, "seed {seed}");
            assert!(world.nodes[hal].awaited.is_empty() && world.nodes[sue].dialling.is_empty());
            for node in [hal, sue] {
                let kept = world.nodes[node].store.keys().filter(|key| key.starts_with("pub/")).count();
                assert_eq!(kept, 0, "seed {seed}: something of it is kept");
            }
            // What lay there shows up once more: it was seen.
            world.replay_all();
            world.pass(MINUTE);
            assert_eq!(world.nodes[hal].opened, 1, "seed {seed}");
            world.check();
        }
    });
}

#[test]
fn a_host_that_comes_up_hours_later_finds_the_knock_at_once() {
    seeds(30, |seed| {
        let latency = 2 * SECOND;
        let (mut world, hal, sue, entry) = scene(seed, Kind::List, Weather::fine(latency));
        let off = MINUTE + world.below(30 * HOUR);
        world.crash_node(hal, off);
        knock(&mut world, sue, &entry);
        let most = off + 2 * latency + 2 * SECOND;
        world.until("in", most, |world| is_in(world, sue, &entry));
        world.pass(MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
        // A minute, two, four, to an hour: some forty in thirty hours.
        let made = world.nodes[sue].published;
        assert!(made <= 45, "seed {seed}: {made} knocks");
    });
}

#[test]
fn a_knock_lies_there_all_the_time() {
    seeds(10, |seed| {
        let (mut world, hal, sue, entry) = scene(seed, Kind::List, Weather::fine(SECOND));
        world.crash_node(hal, 30 * DAY);
        knock(&mut world, sue, &entry);
        world.pass(10 * SECOND);
        for _ in 0..2000 {
            // For the moment until the next batch there are two.
            let left = world.left();
            assert!((1..=2).contains(&left), "seed {seed}: {left} at {} s", world.now / SECOND);
            world.pass(7 * SECOND);
        }
        unknock(&mut world, sue, &entry);
        world.pass(MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

#[test]
fn losses_crashes_and_wrong_clocks_delay_it_and_no_more() {
    seeds(60, |seed| {
        let mut world = World::new(seed);
        let mut bridges = Vec::new();
        for _ in 0..1 + world.below(2) {
            let kind = if world.chance(30) { Kind::Key } else { Kind::List };
            let lost = u32::try_from(world.below(50)).unwrap();
            let latency = SECOND + world.below(30 * SECOND);
            bridges.push(world.bridge(kind, Weather { lost, twice: 30, refused: 10, latency, dead: false }));
        }
        let skew = (world.below(2 * DAY) as i64) - DAY as i64;
        let (hal, sue) = (world.node("hal", &bridges, 0), world.node("sue", &bridges, skew));
        let tom = world.node("tom", &bridges, 0);
        world.forgetful = true;
        world.attack = 30;
        let (entry, other) = (door(&mut world, hal), door(&mut world, hal));
        world.crash = 20;
        world.crashes_left = 8;
        knock(&mut world, sue, &entry);
        knock(&mut world, tom, &entry);
        knock(&mut world, tom, &other);
        world.until("all in", 12 * HOUR, |world| {
            is_in(world, sue, &entry) && is_in(world, tom, &entry) && is_in(world, tom, &other)
        });
        world.crashes_left = 0;
        world.pass(2 * HOUR);
        assert!(world.nodes[hal].awaited.len() <= 16, "seed {seed}");
        world.check();
    });
}

#[test]
fn a_guest_that_is_gone_when_it_is_answered_is_not_waited_for() {
    seeds(30, |seed| {
        let (mut world, hal, sue, entry) = scene(seed, Kind::List, Weather::fine(2 * SECOND));
        knock(&mut world, sue, &entry);
        world.until("answered", MINUTE, |world| !world.nodes[hal].awaited.is_empty());
        world.crash_node(sue, 12 * HOUR);
        world.nodes[sue].knocking.clear();
        world.pass(HOUR);
        assert!(world.nodes[hal].awaited.is_empty(), "seed {seed}");
        assert_eq!(world.nodes[hal].opened, 1, "seed {seed}");
        let theirs = world.bridges[0].records.iter().filter(|record| record.owner == hal && !record.gone);
        assert_eq!(theirs.count(), 0, "seed {seed}: the answer stays");
        world.pass(DAY);
        assert_eq!(world.left(), 0, "seed {seed}: who came back takes back what it had left");
    });
}

#[test]
fn a_host_that_starts_anew_answers_again() {
    seeds(30, |seed| {
        let (mut world, hal, sue, entry) = scene(seed, Kind::List, Weather::fine(2 * SECOND));
        world.links_blocked = true;
        knock(&mut world, sue, &entry);
        world.until("dialled", MINUTE, |world| !world.nodes[sue].dialling.is_empty());
        // What it had agreed on with her is gone with it.
        world.crash_node(hal, 1);
        world.links_blocked = false;
        world.until("in", MINUTE, |world| is_in(world, sue, &entry));
        world.pass(MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
    });
}

#[test]
fn nobody_comes_in_at_a_door_that_is_no_more_or_with_another_secret() {
    seeds(20, |seed| {
        let (mut world, hal, sue, entry) = scene(seed, Kind::List, Weather::fine(2 * SECOND));
        knock(&mut world, sue, &entry);
        world.until("answered", MINUTE, |world| !world.nodes[hal].awaited.is_empty());
        world.nodes[hal].doors.clear();
        world.command(hal, |engine, now| engine.set_doors(now, Vec::new()));
        assert!(world.nodes[hal].awaited.is_empty(), "seed {seed}: whoever was answered is let in");
        world.pass(HOUR);
        let wrong = HostEntry { secret: Secret::new([9; 32]), ..door(&mut world, hal) };
        unknock(&mut world, sue, &entry);
        knock(&mut world, sue, &wrong);
        world.pass(HOUR);
        assert!(world.came_in.is_empty(), "seed {seed}");
        assert_eq!(world.nodes[hal].opened, 1, "seed {seed}");
    });
}

/// Somebody who has a friend's card knocks as often as it can, in every lane of every day that is watched.
#[test]
fn whoever_floods_a_door_is_answered_so_often_and_no_more_and_other_doors_stand_open() {
    seeds(3, |seed| {
        let (mut world, hal, sue, entry) = scene(seed, Kind::List, Weather::fine(SECOND));
        let other = door(&mut world, hal);
        let today = Epoch::of(world.time(hal).wall);
        for at in 0..1000_u32 {
            let ephemeral = Secret::random(&mut world.rng);
            let psk = derive(entry.secret.expose(), "knock psk", &[]);
            let mut handshake = Handshake::guest(&entry.guest, &psk, b"wayside door", &ephemeral).unwrap();
            let said = Knock::of(&Reach::default()).to_bytes();
            let padded = Bucket::Small.pad(&said, Pattern::Guest.overhead1()).unwrap();
            let message = handshake.write(&padded).unwrap();
            let lane = u8::try_from(at % 8).unwrap();
            let day = Epoch(today.0 - 1 + at / 8 % 3);
            let found = slot::knock(&entry.secret, entry.points[0].tag, day, lane);
            world.plant(0, found.id, envelope::seal(&found.siv, &message));
            world.pass(SECOND / 4);
            assert!(world.nodes[hal].awaited.len() <= 16, "seed {seed}");
        }
        // The day's bound: fewer than fit into its slots, which are fewer than were left.
        assert_eq!(world.nodes[hal].opened, 256, "seed {seed}");
        knock(&mut world, sue, &other);
        world.until("in by the other door", MINUTE, |world| is_in(world, sue, &other));
        // Some days later there is room again.
        world.pass(3 * DAY);
        knock(&mut world, sue, &entry);
        world.until("in", MINUTE, |world| is_in(world, sue, &entry));
        world.pass(HOUR);
        assert!(world.nodes[hal].awaited.is_empty(), "seed {seed}");
        world.check();
    });
}

#[test]
fn many_doors_bound_what_is_awaited() {
    let (mut world, hal, sue, _) = scene(1, Kind::List, Weather::fine(SECOND));
    world.links_blocked = true;
    let tom = world.node("tom", &[0], 0);
    for _ in 0..50 {
        let entry = door(&mut world, hal);
        knock(&mut world, sue, &entry);
        knock(&mut world, tom, &entry);
    }
    world.pass(30 * SECOND);
    assert_eq!(world.nodes[hal].opened, 100);
    assert_eq!(world.nodes[hal].awaited.len(), 64);
}

#[test]
fn who_leaves_in_good_order_takes_its_knocks_back() {
    let (mut world, hal, sue, entry) = scene(1, Kind::List, Weather::fine(SECOND));
    world.crash_node(hal, DAY);
    knock(&mut world, sue, &entry);
    world.pass(MINUTE / 2);
    assert_eq!(world.left(), 1);
    world.command(sue, |engine, now| engine.tidy_up(now));
    world.pass(2 * SECOND);
    assert_eq!(world.left(), 0);
}

/// Where few slots can be watched at once they are watched a part at a time.
#[test]
fn a_place_that_watches_few_slots_serves_too() {
    seeds(10, |seed| {
        let mut world = World::new(seed);
        let room = world.bridge(Kind::Key, Weather::fine(2 * SECOND));
        world.bridges[room].max_keys = Some(20);
        let (hal, sue) = (world.node("hal", &[room], 0), world.node("sue", &[room], 0));
        world.forgetful = true;
        let entry = door(&mut world, hal);
        knock(&mut world, sue, &entry);
        // Twelve trays, and in turn eight of the twenty-four, every half a minute.
        world.until("in", 10 * MINUTE, |world| is_in(world, sue, &entry));
    });
}

/// Friends go on meeting while strangers knock.
#[test]
fn friends_and_guests_are_not_in_each_others_way() {
    seeds(10, |seed| {
        let (mut world, ann, bob) = friends(seed, Kind::List, Weather::fine(2 * SECOND));
        world.forgetful = true;
        let sue = world.node("sue", &[0], 0);
        let entry = door(&mut world, ann);
        world.cut_links();
        world.pass(5 * MINUTE);
        world.want(bob, ann);
        knock(&mut world, sue, &entry);
        // Bob is a friend of hers and comes as a guest all the same.
        knock(&mut world, bob, &entry);
        world.until("all", MINUTE, |world| {
            world.linked(ann, bob) && is_in(world, sue, &entry) && is_in(world, bob, &entry)
        });
        world.pass(MINUTE);
        assert_eq!(world.left(), 0, "seed {seed}");
        world.check();
    });
}
