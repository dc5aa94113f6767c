//! The mailbox in virtual time: senders, hosts, couriers and recipients who are now and then there, clocks that jump, disks that keep what was committed, hosts that lie.
//!
//! `WAYSIDE_MAIL_SEEDS=10000` runs so many of each, `WAYSIDE_MAIL_SEED=17` that one alone, `WAYSIDE_MAIL_TRACE=1` prints what happens. `mailbox/drive.rs` and `mailbox/keep.rs` are how the
//! parts are meant to be driven.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    unreachable_pub,
    missing_docs
)]

#[path = "mailbox/abuse.rs"]
mod abuse;
#[path = "mailbox/bar.rs"]
mod bar;
#[path = "mailbox/checks.rs"]
mod checks;
#[path = "mailbox/drive.rs"]
mod drive;
#[path = "mailbox/keep.rs"]
mod keep;
#[path = "mailbox/liar.rs"]
mod liar;
#[path = "mailbox/mutants.rs"]
mod mutants;
#[path = "mailbox/node.rs"]
mod node;
#[path = "mailbox/oracle.rs"]
mod oracle;
#[path = "mailbox/scenes.rs"]
mod scenes;
#[path = "mailbox/world.rs"]
mod world;

use checks::Tally;
use mutants::Mutant;
use node::{DAY, Secs};
use world::Weather;

/// After how long a copy with a host that was not there any more is made again elsewhere.
const DOUBT: Secs = DAY;

/// Which seeds to run: those asked for, or so many.
#[expect(clippy::disallowed_methods, reason = "which seeds to run is no part of what is tested")]
fn seeds(count: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("WAYSIDE_MAIL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WAYSIDE_MAIL_SEEDS").unwrap_or(count),
    }
}

/// Runs a scene for many seeds, and prints what came of it.
fn all(what: &str, count: u64, scene: impl Fn(u64) -> Result<Tally, String>) {
    let mut sum = Tally::default();
    for seed in seeds(count) {
        let tally = scene(seed).unwrap_or_else(|wrong| panic!("{wrong}"));
        sum.sent += tally.sent;
        sum.delivered += tally.delivered;
        sum.expired += tally.expired;
        sum.crashes += tally.crashes;
        sum.late += tally.late;
    }
    println!("{what}: seeds {:?}: {sum:?}", seeds(count));
}

#[test]
fn chaos_loses_nothing_and_shows_nothing_twice() {
    all("chaos", 20, |seed| scenes::chaos(seed, None));
}

#[test]
fn short_lives_end_in_delivery_or_in_its_report() {
    all("short lives", 20, |seed| scenes::short_lives(seed, None));
}

#[test]
fn two_who_are_never_together_get_everything_by_way_of_hosts() {
    all("never together", 20, |seed| scenes::never_together(seed, Weather::FOUL, false, None));
}

#[test]
fn a_clock_that_jumps_a_year_loses_nothing() {
    all("clocks", 20, |seed| scenes::never_together(seed, Weather::FINE, true, None));
}

#[test]
fn two_of_three_hosts_lost_for_good_whichever_they_are() {
    for lost in [[0, 1], [0, 2], [1, 2]] {
        all(&format!("lost {lost:?}"), 20, |seed| scenes::losers(seed, lost, None));
    }
}

#[test]
fn what_is_delivered_is_not_over_and_what_is_over_is_not_delivered() {
    all("lifetimes", 20, |seed| scenes::lifetimes(seed, None));
    all("lifetimes with a courier", 20, |seed| scenes::carried_lifetimes(seed, None));
}

#[test]
fn one_host_that_crashes_keeps_what_it_said_it_would() {
    all("one host", 20, |seed| scenes::one_host(seed, None));
}

#[test]
fn couriers_bring_it_where_hosts_are_too_few() {
    all("couriers", 20, |seed| scenes::couriers(seed, false, None));
    all("couriers to the own door", 20, |seed| scenes::couriers(seed, true, None));
}

#[test]
fn a_quiet_friend_has_room_beside_one_who_floods() {
    all("flood", 20, |seed| abuse::flood(seed, None));
}

#[test]
fn forged_deposits_acknowledgements_and_receipts_do_nothing() {
    all("forger", 20, |seed| abuse::forger(seed, None));
}

#[test]
fn seeds_of_weeks_that_are_over_open_nothing_and_others_all() {
    let (mut closed, mut open) = (0, 0);
    for seed in seeds(20) {
        let (gone, here) = scenes::weeks(seed, None).unwrap_or_else(|wrong| panic!("{wrong}"));
        closed += gone;
        open += here;
    }
    println!("weeks: {closed} captured blobs are closed for ever, {open} still open");
    assert!(closed > 0 && open > 0);
}

/// The bar: a message by way of hosts that are up three tenths of a week takes hardly longer than it has to.
#[test]
fn delivery_by_three_hosts_up_three_tenths_is_near_what_an_oracle_reaches() {
    let (mut ratios, mut late, mut worst) = (Vec::new(), Vec::new(), (0.0, 0));
    let (mut sum, mut least) = (0, 0);
    for seed in seeds(50) {
        for took in bar::week(seed).unwrap_or_else(|wrong| panic!("{wrong}")) {
            let times = |oracle: Secs| took.took as f64 / oracle as f64;
            if times(took.least) > 1.1 {
                late.push((seed, took));
            }
            if times(took.asked) > worst.0 {
                worst = (times(took.asked), seed);
            }
            sum += took.took;
            least += took.least;
            ratios.push(times(took.least));
        }
    }
    ratios.sort_by(f64::total_cmp);
    let at = |part: usize| ratios[(ratios.len() - 1) * part / 100];
    println!(
        "three hosts up 30 %: {} messages over {:?}: median {:.4}, 90th {:.4}, 99th {:.4}, worst {:.4}; above 1.1: {late:?}; in all {:.4}; where it has to be asked for the worst is {:.4} (seed {})",
        ratios.len(),
        seeds(50),
        at(50),
        at(90),
        at(99),
        at(100),
        sum as f64 / least as f64,
        worst.0,
        worst.1
    );
    assert!(worst.0 <= 1.1, "seed {}: {}", worst.1, worst.0);
}

#[test]
fn the_same_seed_gives_the_same_transcript() {
    for seed in seeds(10) {
        let run = || {
            let (mut world, _) = scenes::chaotic(seed, (DAY, 20 * DAY), None);
            world.transcript = Some([0; 32]);
            world.run(6 * DAY);
            (world.transcript, world.steps)
        };
        assert!(run() == run(), "seed {seed}");
    }
}

/// Each of these would be a mistake, and is found.
#[test]
fn every_mutant_is_found() {
    let never = |weather| move |seed, mutant| scenes::never_together(seed, weather, false, mutant).map(drop);
    let jumping = |seed, mutant| scenes::never_together(seed, Weather::FINE, true, mutant).map(drop);
    let losers = |seed: u64, mutant| {
        scenes::losers(seed, [[0, 1], [0, 2], [1, 2]][(seed % 3) as usize], mutant).map(drop)
    };
    found(Mutant::NoShares, 10, |seed, mutant| abuse::flood(seed, mutant).map(drop));
    found(Mutant::HostForgets, 3, never(Weather::FINE));
    found(Mutant::AnswersEarly, 60, |seed, mutant| scenes::one_host(seed, mutant).map(drop));
    found(Mutant::ShowsTwice, 3, never(Weather::FINE));
    found(Mutant::ShowsAtOnce, 60, never(Weather::FOUL));
    found(Mutant::ReceiptEarly, 60, |seed, mutant| scenes::one_host(seed, mutant).map(drop));
    found(Mutant::TrustsHosts, 3, never(Weather::FINE));
    found(Mutant::NoGrace, 100, |seed, mutant| scenes::lifetimes(seed, mutant).map(drop));
    found(Mutant::TrustsTheClock, 3, jumping);
    found(Mutant::DestroysSeeds, 6, |seed, mutant| scenes::weeks(seed, mutant).map(drop));
    found(Mutant::KeepsSeeds, 2, |seed, mutant| scenes::weeks(seed, mutant).map(drop));
    found(Mutant::NoQuota, 3, |seed, mutant| abuse::flood(seed, mutant).map(drop));
    found(Mutant::NeverAcknowledges, 3, never(Weather::FINE));
    found(Mutant::NoReceipts, 3, never(Weather::FINE));
    found(Mutant::OneCopy, 30, losers);
}

/// Runs a scene with a mutant until it goes wrong, and without it the same seeds, where it must not.
fn found(mutant: Mutant, within: u64, scene: impl Fn(u64, Option<Mutant>) -> Result<(), String>) {
    let wrong = (0..within).find_map(|seed| scene(seed, Some(mutant)).err());
    let Some(wrong) = wrong else { panic!("{mutant:?} is not found within {within} seeds") };
    println!("{mutant:?}: {wrong}");
}
