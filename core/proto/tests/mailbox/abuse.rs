//! Those who do not keep to it: who floods, who forges, who comes again with what was captured.

use rand_core::RngCore;
use wayside_proto::mailbox::item::Receipt;
use wayside_proto::mailbox::outbox::{self, State};
use wayside_proto::mailbox::wire::{Answer, Ask, BlobHash, Put, QueueId, Told};
use wayside_proto::mailbox::{custody, seal};

use super::checks::Clocks;
use super::mutants::Mutant;
use super::node::*;
use super::scenes::Outcome;
use super::world::{Weather, World};

/// A friend of the host's whose own friends leave as much as they can; a quiet friend beside it, and one who writes little to the flooded one: what is left for or by these is kept at once.
pub fn flood(seed: u64, mutant: Option<Mutant>) -> Outcome {
    // 0 quiet sender, 1 quiet recipient, 2 host, 3 flooded recipient, 4 to 7 those who flood it, 8 who writes little to it.
    let mut world = World::new(seed, 9, Weather::FINE, mutant);
    world.befriend(0, 1);
    world.grant(2, 1);
    world.grant(2, 3);
    for sender in 4..9 {
        world.befriend(sender, 3);
    }
    // Half of the whole is two friends' own: 30,000 bytes each, and a fourteenth of those a queue's of the six of the flooded one.
    let limits = custody::Limits {
        total: 120_000,
        friend: 120_000,
        queue: 40_000,
        queue_items: 60,
        ..world.nodes[2].limits
    };
    world.nodes[2].limits = custody::Limits { friends: 2, ..limits };
    world.begin(&[]);
    for node in [0, 2, 4, 5, 6, 7, 8] {
        world.power(0, node, true);
    }
    for flooder in 4..8 {
        // Large ones, and small ones that fill what is left between them.
        for most in [8000, 300] {
            for _ in 0..10 {
                let (at, size) = (world.below(DAY), (most / 4) as usize + world.below(most * 3 / 4) as usize);
                world.send_text(at, flooder, 3, 30 * DAY, size);
            }
        }
    }
    // Each is 622 bytes: 12,440 of the quiet friend's 30,000, and 1,866 of its queue's 2,142.
    for (from, to, count) in [(0, 1, 20), (8, 3, 3)] {
        for _ in 0..count {
            let at = world.below(36 * HOUR);
            world.send(at, from, to, 30 * DAY);
        }
    }
    for hour in 1..=40 {
        world.run(hour * HOUR);
        let quiet = world.sent.iter().filter(|sent| [0, 8].contains(&sent.from));
        for sent in quiet.filter(|sent| sent.at + 10 * MINUTE < world.now) {
            let store = &world.nodes[sent.from].store;
            let state = outbox::state(store, &sent.id).unwrap().map(|(_, state, _)| state);
            if state != Some(State::Held) {
                return world.fail(&format!("what a quiet one sent stands as {state:?}: {sent:?}"));
            }
        }
    }
    // When it comes it gets all of it, and what had no room before comes after.
    for node in [1, 3] {
        world.power(world.now, node, true);
    }
    world.run(6 * DAY);
    world.check_end(Clocks::Right)
}

/// A friend of everybody's who deposits for strangers, acknowledges what is another's, says that all was received, and leaves again what it captured.
pub fn forger(seed: u64, mutant: Option<Mutant>) -> Outcome {
    // 0 sender, 1 recipient, 2 and 3 hosts, 4 the forger, who has a mailbox there as well.
    let mut world = World::new(seed, 5, Weather::FINE, mutant);
    world.befriend(0, 1);
    for (owner, friend) in [(0, 4), (1, 4)] {
        world.befriend(owner, friend);
    }
    for host in [2, 3] {
        for owner in [0, 1, 4] {
            world.grant(host, owner);
        }
    }
    world.begin(&[]);
    for node in [0, 2, 3] {
        world.power(0, node, true);
    }
    for _ in 0..6 {
        let at = world.below(DAY);
        world.send(at, 0, 1, 20 * DAY);
    }
    for hour in 1..48 {
        world.run(hour * HOUR);
        for host in [2, 3] {
            forge_at_host(&mut world, host)?;
        }
        // It says that all is received that it was never sent, as itself, and in the recipient's name over a link that is its own.
        let forged =
            Receipt { device: world.nodes[0].device, upto: u64::MAX >> 1, beyond: vec![1, u64::MAX] };
        let forger = world.nodes[4].account;
        let age = world.nodes[0].kept.lived;
        let done =
            outbox::receipt(&mut world.nodes[0].store, wayside_proto::mailbox::Age(age), &forger, &forged);
        if !done.unwrap().is_empty() {
            return world.fail("a friend said for another one that something came");
        }
    }
    // They are there by turns from now on.
    world.power(48 * HOUR, 0, false);
    world.power(49 * HOUR, 1, true);
    world.run(60 * HOUR);
    let before = world.check(Clocks::Right)?;
    if before.delivered != before.sent {
        return world.fail(&format!("{before:?}"));
    }
    // What was fetched is left again, all of it, twice.
    for _ in 0..2 {
        for captured in world.captured.clone() {
            for host in [2, 3] {
                let doors = world.nodes[host].doors.clone();
                for (door, _) in doors.iter().filter(|(_, owner)| **owner == captured.owner) {
                    with_host(&mut world, host, |node, around| {
                        node.deposit(around, 4, *door, 9, &captured.put)
                    });
                }
            }
        }
    }
    world.run(70 * HOUR);
    world.power(70 * HOUR, 1, false);
    world.power(71 * HOUR, 0, true);
    world.run(90 * HOUR);
    world.power(90 * HOUR, 1, true);
    world.run(100 * HOUR);
    world.check_end(Clocks::Right)
}

fn forge_at_host(world: &mut World, host: usize) -> Outcome<()> {
    let mut bytes = [0; 32];
    world.rng.fill_bytes(&mut bytes);
    let doors = world.nodes[host].doors.clone();
    let recipient = world.nodes[1].account;
    let (door, _) = doors.iter().find(|(_, owner)| **owner == recipient).unwrap();
    let real = world.nodes[1].queues(door).into_iter().next().unwrap().1;
    let blob = vec![7; 600];
    let put = Put { queue: real.id, hash: seal::hash(&blob), lifetime: 3600, mac: bytes, blob };
    let stranger = Put { queue: QueueId(bytes[..16].try_into().unwrap()), ..put.clone() };
    let altered =
        Put { mac: custody::mac(&real.key, &real.id, &put.hash, 3600), hash: BlobHash(bytes), ..put.clone() };
    for put in [put, stranger, altered] {
        let said = with_host(world, host, |node, around| node.deposit(around, 4, *door, 9, &put));
        if !said.iter().any(|msg| matches!(msg, Msg::Answer(9, Answer::Denied | Answer::Malformed))) {
            return world.fail(&format!("a forged deposit was answered by {said:?}"));
        }
    }
    let arrivals = (0..200).collect::<Vec<_>>();
    let said = with_host(world, host, |node, around| node.asked(around, 4, 9, Ask::Get(arrivals.clone())));
    if said.iter().any(|msg| matches!(msg, Msg::Told(_, Told::Blob(_, Some(_))))) {
        return world.fail("a host gave one friend what lies there for another");
    }
    with_host(world, host, |node, around| node.asked(around, 4, 9, Ask::Acknowledge(arrivals)));
    Ok(())
}

/// What a host says when something is done there; it goes nowhere.
fn with_host(
    world: &mut World,
    host: usize,
    act: impl FnOnce(&mut Node, &mut Around<'_>) -> Result<(), Crash>,
) -> Vec<Msg> {
    let said = world.with(host, |node, around| {
        act(node, around)?;
        Ok(std::mem::take(&mut around.out))
    });
    said.unwrap_or_default().into_iter().map(|(_, msg)| msg).collect()
}
