//! The ends of the mail over hosts and links that lose, repeat, reorder and hold back, with crashes on either side: what is accepted is shown once and in order, or reported as expired.
//!
//! `WAYSIDE_SIM_SEEDS=10000` runs so many of each, `WAYSIDE_SIM_SEED=17` that one alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, unreachable_pub, missing_docs)]

#[path = "mail_ends/recipient.rs"]
mod recipient;
#[path = "mail_ends/sender.rs"]
mod sender;
#[path = "mail_ends/world.rs"]
mod world;

use world::{Character, World};

/// Runs a world of this character for many seeds, or for the one asked for.
#[expect(clippy::disallowed_methods, reason = "which seeds to run is no part of what is tested")]
fn seeds(count: u64, character: &Character) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("WAYSIDE_SIM_SEED") {
        return World::new(seed, character).run();
    }
    for seed in 0..number("WAYSIDE_SIM_SEEDS").unwrap_or(count) {
        World::new(seed, character).run();
    }
}

#[test]
fn what_is_accepted_is_shown_once_and_in_order_or_expires() {
    seeds(40, &Character::default());
}

#[test]
fn a_host_that_keeps_everything_for_ever_shows_nothing_twice() {
    seeds(20, &Character { hoarding: true, ..Character::default() });
}

#[test]
fn a_friend_who_makes_receipts_up_loses_its_own_mail_alone() {
    seeds(20, &Character { lying: true, ..Character::default() });
}

#[test]
fn a_sender_that_goes_back_to_a_backup_is_understood() {
    seeds(20, &Character { restored: true, ..Character::default() });
}
