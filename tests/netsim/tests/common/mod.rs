//! Seeds, and how a failure is said.
#![allow(dead_code, unreachable_pub, clippy::disallowed_methods)]

use std::time::Duration;

use wayside_netsim::{
    axes::{Axes, Sort},
    check::report,
    meeting::Meeting,
    world::DIALS,
};

pub const SECOND: Duration = Duration::from_secs(1);

/// `usual` of them, or as many as `WAYSIDE_NETSIM_SEEDS` says, or the one of `WAYSIDE_NETSIM_SEED`.
pub fn seeds(usual: u64) -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match (number("WAYSIDE_NETSIM_SEED"), number("WAYSIDE_NETSIM_SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, Some(2_000) | None) => (0..usual).collect(),
        // `usual` is a share of 2,000.
        (None, Some(count)) => (0..(usual * count / 2_000).max(1)).collect(),
    }
}

/// A meeting that goes on until a second after the side that dials has reached the other, or until so long after both have begun.
pub fn meet(axes: Axes, seed: u64, longest: Duration) -> Meeting {
    let mut meeting = Meeting::new(axes, seed);
    let until = meeting.times.both + longest;
    meeting.run(until, |it| it.reached(DIALS).is_some());
    if let Some(at) = meeting.reached(DIALS) {
        meeting.run(at + SECOND, |_| false);
    }
    meeting
}

pub fn draw(seed: u64, sort: Sort) -> Axes {
    Axes::draw(seed, sort)
}

/// Ends the test, with everything that is needed to see why.
pub fn fail(meeting: &Meeting, what: &str) -> ! {
    panic!("{}", report(meeting, what))
}
