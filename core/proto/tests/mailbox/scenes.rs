//! Scenes: each a world with something that has to come out of it.

use wayside_proto::mailbox::placement::Policy;

use super::checks::{Clocks, Tally};
use super::liar::Lies;
use super::mutants::Mutant;
use super::node::*;
use super::oracle::{Spans, without};
use super::world::{Weather, World};

pub type Outcome<T = Tally> = Result<T, String>;

const YEAR: i64 = 365 * DAY as i64;

/// Up and down at random, so long on average each, from the beginning on or later.
pub fn now_and_then(world: &mut World, until: Secs, up: Secs, down: Secs) -> Spans {
    let about = |world: &mut World, mean: Secs| mean / 5 + world.below(mean * 8 / 5 + 1);
    let mut spans = Vec::new();
    // Somewhere in the middle of it.
    let mut at = world.below(up + down);
    if at > down {
        spans.push((0, at - down));
        at = at - down + about(world, down);
    }
    while at < until {
        let end = at + about(world, up).max(1);
        spans.push((at, end.min(until)));
        at = end + about(world, down).max(1);
    }
    spans
}

/// Two who are up by turns, and never both; in the last days the first, the other, and the first again, to hear what there is to be said. No week should begin in those.
fn by_turns(world: &mut World, end: Secs) -> (Spans, Spans) {
    let until = end - 4 * DAY;
    let (mut one, mut other, mut at) = (Vec::new(), Vec::new(), world.below(4 * HOUR));
    while at < until {
        for spans in [&mut one, &mut other] {
            let off = at + HOUR + world.below(9 * HOUR);
            spans.push((at, off));
            at = off + 1 + world.below(6 * HOUR);
        }
    }
    one.extend([(at, end - 3 * DAY), (end - 2 * DAY, end)]);
    other.push((end - 3 * DAY + HOUR, end - 2 * DAY - HOUR));
    (one, other)
}

/// A moment at which somebody is up.
pub fn moment(world: &mut World, spans: &Spans, until: Secs) -> Secs {
    let spans = spans.iter().filter(|(from, _)| *from < until).copied().collect::<Vec<_>>();
    let (from, to) = spans[world.below(spans.len() as u64) as usize];
    from + world.below(to.min(until) - from)
}

fn liar(world: &mut World) -> Lies {
    let mut of = |most: u64| world.below(most) as u32;
    Lies {
        forget: of(60),
        refuse: of(60),
        cross: of(60),
        alter: of(60),
        hoard: of(2) == 0,
        shuffle: of(2) == 0,
    }
}

/// Everything at once: crashes, losses, partitions, clocks, a host that lies; and then a quiet time in which everybody is there. What lives long is delivered, all of it.
pub fn chaos(seed: u64, mutant: Option<Mutant>) -> Outcome {
    let (world, clocks) = chaotic(seed, (25 * DAY, 5 * DAY), mutant);
    let (seed, sent) = (world.seed, 12);
    let tally = quiet(world, clocks)?;
    if tally.delivered != sent || tally.late > 0 {
        return Err(format!("seed {seed}: {tally:?}"));
    }
    Ok(tally)
}

/// The same where messages live for a few days: what is over is over, and what is not is delivered.
pub fn short_lives(seed: u64, mutant: Option<Mutant>) -> Outcome {
    let (world, clocks) = chaotic(seed, (6 * HOUR, 6 * DAY), mutant);
    quiet(world, clocks)
}

fn quiet(mut world: World, clocks: Clocks) -> Outcome {
    world.run(10 * DAY);
    world.check(clocks)?;
    world.weather = Weather::FINE;
    for node in 0..world.nodes.len() {
        world.power(10 * DAY, node, true);
    }
    // Ten days and more, for what has just been accepted, or was over just now.
    world.run(24 * DAY);
    world.check_end(clocks)
}

pub fn chaotic(seed: u64, (least, more): (Secs, Secs), mutant: Option<Mutant>) -> (World, Clocks) {
    let mut world = World::new(seed, 8, Weather::FOUL, mutant);
    let (ends, hosts, courier) = ([0, 1, 2, 3], [4, 5, 6], 7);
    let mut strangers = Vec::new();
    for one in ends {
        for other in one + 1..4 {
            world.befriend(one, other);
            if world.below(6) == 0 {
                strangers.extend([(one, other), (other, one)]);
            }
        }
        let most = world.below(4) as usize;
        for host in &hosts[..most] {
            world.grant(*host, one);
        }
        if most == 0 && world.below(2) == 0 {
            world.grant(one, one);
        }
        if world.below(2) == 0 {
            world.carries(courier, one);
        }
    }
    if world.below(2) == 0 {
        world.nodes[6].lies = Some(liar(&mut world));
    }
    world.begin(&strangers);
    for node in 0..8 {
        let (up, down) = (HOUR + world.below(12 * HOUR), HOUR + world.below(12 * HOUR));
        let spans = now_and_then(&mut world, 10 * DAY, up, down);
        world.spans(node, &spans);
        world.nodes[node].offset = world.below(2 * HOUR) as i64 - HOUR as i64;
    }
    for _ in 0..12 {
        let (from, to) = (world.below(4) as usize, world.below(3) as usize);
        let to = if to >= from { to + 1 } else { to };
        let (at, lifetime) = (world.below(9 * DAY), least + world.below(more));
        world.send(at, from, to, lifetime);
    }
    for _ in 0..world.below(5) {
        let (a, b, from) = (world.below(8) as usize, world.below(8) as usize, world.below(10 * DAY));
        let to = from + world.below(2 * DAY);
        world.cut(from, to, a, b);
    }
    let clocks = if world.below(2) == 0 { Clocks::Jump } else { Clocks::Right };
    if clocks == Clocks::Jump {
        for node in 0..8 {
            let (there, back) = (world.below(9 * DAY), DAY + world.below(9 * DAY));
            match world.below(4) {
                0 => world.clock(there, node, YEAR),
                1 => world.clock(there, node, -YEAR),
                2 => {
                    world.clock(there.min(back), node, YEAR);
                    world.clock(there.max(back), node, -YEAR);
                }
                _ => {}
            }
        }
    }
    (world, clocks)
}

/// A sender and a recipient who are never there at the same time. All of it comes, and all of it is known to have come, by way of hosts.
pub fn never_together(seed: u64, weather: Weather, jumps: bool, mutant: Option<Mutant>) -> Outcome {
    let mut world = World::new(seed, 7, weather, mutant);
    let (from, to) = (0, 1);
    world.befriend(from, to);
    let hosts = 2 + world.below(2) as usize;
    for host in 2..2 + hosts {
        world.grant(host, to);
    }
    for host in [5, 6] {
        world.grant(host, from);
    }
    if hosts == 3 && weather.lost > 0 {
        world.nodes[4].lies = Some(liar(&mut world));
    }
    world.begin(&[]);
    // A week begins after 21 days and after 28, and up to two days later where a clock jumped, there and back, while its node was off: what passed in that time is not seen.
    let end = 27 * DAY + 12 * HOUR;
    let (one, other) = by_turns(&mut world, end);
    world.spans(from, &one);
    world.spans(to, &other);
    for host in 2..7 {
        let spans = now_and_then(&mut world, end - 4 * DAY, 12 * HOUR, 12 * HOUR);
        world.spans(host, &spans);
        world.power(end - 4 * DAY, host, true);
    }
    for _ in 0..8 {
        let at = moment(&mut world, &one, 7 * DAY);
        world.send(at, from, to, 30 * DAY);
    }
    if jumps {
        for node in 0..7 {
            let (there, back) = (world.below(10 * DAY), 10 * DAY + world.below(10 * DAY));
            world.clock(there, node, YEAR);
            world.clock(back, node, -YEAR);
        }
    }
    world.run(end);
    // Clocks that were a year ahead for a while have aged everybody by a week: everything else is as it should be.
    let tally = world.check_end(Clocks::Right)?;
    if tally.delivered != tally.sent || tally.sent != 8 {
        return world.fail(&format!("{tally:?}"));
    }
    Ok(tally)
}

/// Two of three hosts are lost for good after a message was left with hosts. Those are numbered from none.
pub fn losers(seed: u64, lost: [usize; 2], mutant: Option<Mutant>) -> Outcome {
    let mut world = World::new(seed, 5, Weather::FINE, mutant);
    world.befriend(0, 1);
    for host in 2..5 {
        world.grant(host, 1);
    }
    if mutant == Some(Mutant::OneCopy) {
        world.nodes[0].policy = Policy { copies: 1, doubt: 365 * DAY };
    }
    world.begin(&[]);
    let sender = now_and_then(&mut world, 6 * DAY, 8 * HOUR, 8 * HOUR);
    world.spans(0, &sender);
    for host in 2..5 {
        let spans = now_and_then(&mut world, 20 * DAY, 12 * HOUR, 6 * HOUR);
        world.spans(host, &spans);
    }
    let at = moment(&mut world, &sender, DAY);
    // Small ones go to every host, larger ones to two.
    let size = if seed.is_multiple_of(2) { 100 } else { 9000 };
    world.send_text(at, 0, 1, 30 * DAY, size);
    let when = at + world.below(2 * DAY);
    world.run(when);
    for host in lost {
        world.lose(2 + host);
    }
    let reads = now_and_then(&mut world, 20 * DAY, 8 * HOUR, 8 * HOUR);
    let reads = reads.into_iter().filter(|(from, _)| *from > 6 * DAY).collect::<Vec<_>>();
    world.spans(1, &reads);
    world.run(20 * DAY);
    let tally = world.check(Clocks::Right)?;
    if tally.delivered == 1 { Ok(tally) } else { world.fail("what two of three hosts had did not come") }
}

/// A recipient who comes at any time around the end of a message's life: it is delivered or it is over.
pub fn lifetimes(seed: u64, mutant: Option<Mutant>) -> Outcome {
    let mut world = World::new(seed, 4, Weather::FINE, mutant);
    world.befriend(0, 1);
    for host in 2..4 {
        world.grant(host, 1);
        world.grant(host, 0);
    }
    world.begin(&[]);
    for node in [0, 2, 3] {
        world.power(0, node, true);
    }
    for _ in 0..4 {
        let (at, lifetime) = (world.below(3 * DAY), DAY + world.below(5 * DAY));
        world.send(at, 0, 1, lifetime);
    }
    let comes = DAY + world.below(10 * DAY);
    world.cut(0, 30 * DAY, 0, 1);
    world.power(comes, 1, true);
    world.run(16 * DAY);
    world.check_end(Clocks::Right)
}

/// The same where a courier has it first, for some time: what it and the host keep it for is the message's life together.
pub fn carried_lifetimes(seed: u64, mutant: Option<Mutant>) -> Outcome {
    let mut world = World::new(seed, 5, Weather::FINE, mutant);
    world.befriend(0, 1);
    world.grant(2, 1);
    world.grant(4, 0);
    world.carries(3, 0);
    world.begin(&[]);
    for node in [0, 3, 4] {
        world.power(0, node, true);
    }
    for (a, b) in [(0, 1), (0, 2), (1, 3)] {
        world.cut(0, 40 * DAY, a, b);
    }
    for _ in 0..4 {
        let (at, lifetime) = (world.below(DAY), 2 * DAY + world.below(4 * DAY));
        world.send(at, 0, 1, lifetime);
    }
    let (host, comes) = (world.below(6 * DAY), DAY + world.below(12 * DAY));
    world.power(host, 2, true);
    world.power(comes, 1, true);
    world.run(26 * DAY);
    world.check_end(Clocks::Right)
}

/// One host alone, one copy alone: what it said to have it has.
pub fn one_host(seed: u64, mutant: Option<Mutant>) -> Outcome {
    let weather = Weather { crash: 300, ..Weather::FINE };
    let mut world = World::new(seed, 3, weather, mutant);
    world.befriend(0, 1);
    world.grant(2, 1);
    world.grant(2, 0);
    world.begin(&[]);
    let (one, other) = by_turns(&mut world, 12 * DAY);
    world.spans(0, &one);
    world.spans(1, &other);
    world.power(0, 2, true);
    for _ in 0..6 {
        let at = moment(&mut world, &one, 4 * DAY);
        world.send(at, 0, 1, 30 * DAY);
    }
    world.run(12 * DAY);
    let tally = world.check_end(Clocks::Right)?;
    if tally.delivered == tally.sent { Ok(tally) } else { world.fail(&format!("{tally:?}")) }
}

/// No host of the recipient's that is there with the sender: couriers have to bring it.
pub fn couriers(seed: u64, own_door: bool, mutant: Option<Mutant>) -> Outcome {
    let mut world = World::new(seed, 5, Weather::FINE, mutant);
    world.befriend(0, 1);
    world.grant(if own_door { 1 } else { 2 }, 1);
    world.grant(4, 0);
    world.carries(3, 0);
    world.begin(&[]);
    let end = 12 * DAY;
    let (one, other) = by_turns(&mut world, end);
    world.spans(0, &one);
    world.spans(1, &other);
    for node in [3, 4] {
        world.power(0, node, true);
    }
    // The host is up with the courier and with the recipient, and never with the sender.
    let host = now_and_then(&mut world, end, 8 * HOUR, 4 * HOUR);
    if !own_door {
        world.spans(2, &without(&host, &one));
    }
    for _ in 0..6 {
        let at = moment(&mut world, &one, 3 * DAY);
        world.send(at, 0, 1, 30 * DAY);
    }
    world.run(end);
    let tally = world.check_end(Clocks::Right)?;
    if tally.delivered == tally.sent { Ok(tally) } else { world.fail(&format!("{tally:?}")) }
}

/// Many weeks: seeds change, cards go with news, captured blobs close.
pub fn weeks(seed: u64, mutant: Option<Mutant>) -> Outcome<(usize, usize)> {
    let mut world = World::new(seed, 4, Weather::FINE, mutant);
    world.befriend(0, 1);
    for host in [2, 3] {
        world.grant(host, 0);
        world.grant(host, 1);
    }
    world.begin(&[]);
    let end = 103 * DAY;
    let (one, other) = by_turns(&mut world, end);
    world.spans(0, &one);
    world.spans(1, &other);
    for host in [2, 3] {
        let spans = now_and_then(&mut world, end, 2 * DAY, 6 * HOUR);
        world.spans(host, &spans);
    }
    for _ in 0..40 {
        let at = moment(&mut world, &one, 92 * DAY);
        world.send(at, 0, 1, 30 * DAY);
    }
    world.run(end);
    let tally = world.check_end(Clocks::Right)?;
    if tally.delivered != 40 {
        return world.fail(&format!("{tally:?}"));
    }
    // A week for the card that a sender may have from before, its own week, and the retention after it.
    world.check_seeds(2 * 7 * DAY + wayside_proto::mailbox::prekeys::RETENTION + DAY, 30 * DAY)
}
