//! Three hosts that are up three tenths of the time, against an oracle of the overlaps.

use super::checks::Clocks;
use super::node::*;
use super::oracle::{earliest, without};
use super::scenes::{Outcome, moment, now_and_then};
use super::world::{Weather, World};

const WEEK: Secs = 7 * DAY;

/// How long a message took and how long it would have to, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    pub took: Secs,
    /// If all it took were to leave it and to be given it.
    pub least: Secs,
    /// If it had to be asked for: queues are said, the list is asked for, and what is in it; and each is answered.
    pub asked: Secs,
}

/// What became of the messages of a week in which sender and recipient are up at random and never both.
pub fn week(seed: u64) -> Outcome<Vec<Took>> {
    let mut world = World::new(seed, 5, Weather::FINE, None);
    let (from, to, hosts) = (0, 1, [2, 3, 4]);
    world.befriend(from, to);
    for host in hosts {
        world.grant(host, to);
    }
    world.begin(&[]);
    // What is sent in the week may come later.
    let end = 3 * WEEK;
    let mut up = Vec::new();
    for _ in [from, to] {
        let (cycle, share) = (4 * HOUR + world.below(20 * HOUR), 30 + world.below(21));
        up.push(now_and_then(&mut world, end, cycle * share / 100, cycle * (100 - share) / 100));
    }
    up[to] = without(&up[to], &up[from]);
    for _ in hosts {
        let cycle = 4 * HOUR + world.below(20 * HOUR);
        up.push(now_and_then(&mut world, end, cycle * 30 / 100, cycle * 70 / 100));
    }
    for (node, spans) in up.iter().enumerate() {
        world.spans(node, spans);
    }
    for _ in 0..5 {
        let at = moment(&mut world, &up[from], WEEK);
        world.send(at, from, to, 30 * DAY);
    }
    world.run(end);
    world.check(Clocks::Right)?;
    let mut took = Vec::new();
    for sent in &world.sent {
        let oracle = |ways| earliest(seed, &world.weather, ways, &up, (from, &hosts, to), sent.at);
        let (Some(least), Some(asked)) = (oracle([1, 1]), oracle([1, 6])) else { continue };
        let shown = world.nodes[to].kept.shown.iter().find(|shown| shown.id == sent.id);
        let came = shown.map_or(end, |shown| shown.at);
        took.push(Took { took: came - sent.at, least: least - sent.at, asked: asked - sent.at });
    }
    Ok(took)
}
