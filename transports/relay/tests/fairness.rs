//! That no friend keeps another one from its share, whatever it sends, and none of its circuits another.
//!
//! Made-up loads in virtual time. A failure prints its seed; `WAYSIDE_RELAY_SEED` runs that one alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]
#![allow(clippy::disallowed_methods, reason = "a test may read the environment")]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{End, World, bytes};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wayside_relay::{HEADER, Limits};

const STEP: Duration = Duration::from_millis(2);

/// What one end sends.
struct Load {
    end: End,
    who: usize,
    /// In bytes a second.
    rate: f64,
    frames: Vec<u8>,
    segment: usize,
    /// Bytes that it should have sent by now and has not.
    due: f64,
}

/// What each gets of `rate` where none gets more than it wants and the rest is shared equally.
fn shares(wants: &[f64], rate: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wants.len()).collect();
    order.sort_by(|a, b| wants[*a].total_cmp(&wants[*b]));
    let (mut left, mut given) = (rate, vec![0.0; wants.len()]);
    for (n, who) in order.iter().enumerate() {
        given[*who] = wants[*who].min(left / (wants.len() - n) as f64);
        left -= given[*who];
    }
    given
}

fn between(rng: &mut ChaCha20Rng, low: usize, high: usize) -> usize {
    low + usize::try_from(rng.next_u32()).unwrap() % (high - low + 1)
}

fn fair(seed: u64) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let owners = between(&mut rng, 2, 6);
    let rate = between(&mut rng, 500_000, 5_000_000) as f64;
    let limits = Limits { rate: Some(rate as u64), ..Limits::default() };
    let mut world = World::new(limits);
    let mut loads = Vec::new();
    for who in 0..owners {
        let circuits = between(&mut rng, 1, 4);
        // From a tenth of an equal share to ten times as much.
        let wants = rate / owners as f64 * 10f64.powf(between(&mut rng, 0, 2_000) as f64 / 1_000.0 - 1.0);
        for n in 0..circuits {
            let at = u32::try_from(who * 10 + n).unwrap();
            let (end, _) = world.pair(u8::try_from(who).unwrap(), 200, at);
            let length = between(&mut rng, 40, 1_400);
            // Who wants little sends little at once: what comes in one burst may be more than a fair share of the queue.
            let most = if wants < rate / owners as f64 { 5_000 } else { 60_000 };
            let count = between(&mut rng, 1, (most / (length + HEADER)).clamp(1, 64));
            let (frames, segment) = end.frames(count, length);
            loads.push(Load { end, who, rate: wants / circuits as f64, frames, segment, due: 0.0 });
        }
    }
    let mut got = BTreeMap::new();
    let (warm, steps) = (500, 2_000);
    for step in 0..steps {
        for load in &mut loads {
            load.due += load.rate * STEP.as_secs_f64();
            while load.due >= load.frames.len() as f64 {
                load.due -= load.frames.len() as f64;
                assert_eq!(world.arrived(&load.frames, load.segment), load.frames.len());
            }
        }
        for transmit in world.run(STEP).0 {
            if step >= warm {
                *got.entry(transmit.via / 2).or_insert(0.0) += transmit.contents.len() as f64;
            }
        }
    }
    let time = STEP.as_secs_f64() * f64::from(steps - warm);
    let wants: Vec<f64> = (0..owners)
        .map(|who| loads.iter().filter(|load| load.who == who).map(|load| load.rate).sum())
        .collect();
    let due = shares(&wants, rate);
    // A burst of each size, at either end of the time that was looked at.
    let slack = 2.0 * 65_536.0;
    for who in 0..owners {
        let of_who = || loads.iter().filter(move |load| load.who == who);
        let owned: f64 = of_who().filter_map(|load| got.get(&(load.end.via / 2))).sum();
        let share = due[who] * time;
        assert!(owned >= share * 0.93 - slack, "seed {seed}: owner {who} got {owned} of {share}");
        assert!(owned <= wants[who] * time + slack, "seed {seed}: owner {who} got {owned}");
        let circuits: Vec<f64> = of_who().map(|load| load.rate).collect();
        for (load, due) in of_who().zip(shares(&circuits, due[who])) {
            let own = got.get(&(load.end.via / 2)).copied().unwrap_or(0.0);
            assert!(
                own >= due * time * 0.9 - slack,
                "seed {seed}: a circuit of {who} got {own} of {}",
                due * time
            );
        }
    }
    let all: f64 = got.values().sum();
    let most = wants.iter().sum::<f64>().min(rate) * time;
    assert!((all - most).abs() <= most * 0.03 + slack, "seed {seed}: {all} of {most}");
}

#[test]
fn everybody_gets_a_share_whatever_the_others_send() {
    if let Ok(seed) = std::env::var("WAYSIDE_RELAY_SEED") {
        return fair(seed.parse().unwrap());
    }
    (0..24).for_each(fair);
}

#[test]
fn where_the_driver_is_the_bottleneck_turns_are_taken_too() {
    let mut world = World::new(Limits::default());
    let (greedy, _) = world.pair(1, 9, 0);
    let (modest, modest_end) = world.pair(2, 9, 1);
    let (many, _) = world.pair(1, 9, 2);
    let mut got = [0, 0];
    for _ in 0..2_000 {
        // More comes than is taken.
        for _ in 0..2 {
            world.send(&greedy, 54, 1_200);
            world.send(&many, 60, 1_000);
            (0..20).for_each(|_| world.send(&modest, 1, 1_200));
        }
        let sent = world.switch.poll_transmit(world.now).unwrap();
        got[usize::from(sent.via == modest_end.via)] += sent.contents.len();
    }
    // By bytes, whatever the size of batches; each turn one.
    let (most, least) = (got[0].max(got[1]), got[0].min(got[1]));
    assert!(most - least <= 2 * 65_536 || least * 11 >= most * 10, "{got:?}");
}

#[test]
fn one_datagram_waits_for_one_batch_of_a_flood_at_most() {
    let mut world = World::new(Limits::default());
    let (greedy, _) = world.pair(1, 9, 0);
    let (modest, modest_end) = world.pair(2, 9, 1);
    for _ in 0..100 {
        (0..10).for_each(|_| world.send(&greedy, 54, 1_200));
        world.send(&modest, 1, 100);
        let mut before = Vec::new();
        loop {
            let sent = world.switch.poll_transmit(world.now).unwrap();
            if sent.via == modest_end.via {
                break;
            }
            before.push(sent);
        }
        assert!(bytes(&before) <= 2 * 65_536, "{}", bytes(&before));
    }
}

#[test]
fn large_batches_with_pauses_between_get_no_more() {
    let mut world = World::new(Limits::default());
    let (bursts, bursts_end) = world.pair(1, 9, 0);
    let (steady, _) = world.pair(2, 9, 1);
    let mut got = [0, 0];
    world.send(&bursts, 54, 1_200);
    for _ in 0..5_000 {
        (0..2).for_each(|_| world.send(&steady, 1, 1_200));
        let sent = world.switch.poll_transmit(world.now).unwrap();
        let burst = sent.via == bursts_end.via;
        got[usize::from(burst)] += sent.contents.len();
        if burst {
            // Its queue is empty at this moment.
            world.send(&bursts, 54, 1_200);
        }
    }
    assert!(got[1] > 1 << 20 && got[1].abs_diff(got[0]) <= got[0] / 10 + 2 * 65_536, "{got:?}");
}
