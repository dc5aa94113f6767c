//! Ports that a NAT may have given: in the order in which it gives them, or all of them in an order that looks random.

use std::{collections::VecDeque, net::IpAddr, time::Duration};

use crate::Mapping;

/// Between two guesses: a hundred a second, which is 6.4 kB/s.
pub(super) const PAUSE: Duration = Duration::from_millis(10);
/// Guesses of one run. With 256 sockets behind a NAT that gives ports at random, 98 % have been found after 1,024 and all but one of a thousand after
/// 2,000: 1 − (1 − 256/64,512)^n.
pub(super) const MOST: u32 = 2_000;
/// Guesses at an address of which nobody whom we trust has said that the peer is there.
pub const UNATTESTED: u32 = 32;
/// A machine that stood still does not make up for it.
const MOST_LATE: Duration = Duration::from_millis(100);
/// Ports below are given by no NAT that keeps to RFC 4787, section 4.2.1.
const FIRST_PORT: u16 = 1_024;

/// One run of guesses at the ports of one address.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) ip: IpAddr,
    ports: Ports,
    due: Duration,
    /// When the last one was made.
    last: Duration,
    /// Whether somebody whom we trust has said that the peer is at this address.
    attested: bool,
    made: u32,
    /// How many may be made before the peer is known to have begun.
    first_window: u32,
    /// When the rest may be made in any case.
    second_window: Duration,
}

impl Run {
    /// `uncertain`: the peer may begin so much later than then, and half of all guesses are kept for that.
    pub(super) fn new(
        ip: IpAddr,
        mapping: Mapping,
        begins: Duration,
        uncertain: Option<Duration>,
        seed: u64,
    ) -> Self {
        let ports = match mapping {
            Mapping::Sequential { last, step } => Ports::sequential(last, step),
            _ => Ports::random(seed),
        };
        Self {
            ip,
            ports,
            due: begins,
            last: Duration::ZERO,
            attested: false,
            made: 0,
            first_window: if uncertain.is_some() { MOST / 2 } else { MOST },
            second_window: begins.saturating_add(uncertain.unwrap_or_default()),
        }
    }

    /// When the next guess is due; `None` where there is none to come.
    pub(super) fn due(&self) -> Option<Duration> {
        if self.is_over() {
            None
        } else if self.made >= self.first_window {
            Some(self.due.max(self.second_window))
        } else {
            Some(self.due)
        }
    }

    /// Somebody whom we trust says that the peer is there; what could not be asked until now is not made up for.
    pub(super) fn attest(&mut self, now: Duration) {
        if !std::mem::replace(&mut self.attested, true) {
            self.due = self.due.max(now);
        }
    }

    pub(super) fn is_attested(&self) -> bool {
        self.attested
    }

    /// Whether all guesses were made.
    pub(super) fn is_over(&self) -> bool {
        self.made >= if self.attested { MOST } else { UNATTESTED }
    }

    /// The peer has begun, earlier than was to be expected: no guess waits for that beyond then.
    pub(super) fn begin_by(&mut self, begins: Duration) {
        self.due = self.due.min(begins);
        self.second_window = self.second_window.min(begins);
    }

    /// The peer is known to be at it now.
    pub(super) fn peer_is_there(&mut self, now: Duration, mapping: Mapping) {
        self.first_window = MOST;
        self.due = now.max(self.last.saturating_add(PAUSE));
        if let Mapping::Sequential { last, step } = mapping {
            self.ports = Ports::sequential(last, step);
        }
    }

    /// The port to ask now.
    pub(super) fn next(&mut self, now: Duration) -> Option<u16> {
        if self.due()? > now {
            return None;
        }
        if self.made == self.first_window {
            self.due = now;
        }
        self.due = self.due.max(now.saturating_sub(MOST_LATE)).saturating_add(PAUSE);
        self.last = now;
        self.made += 1;
        Some(self.ports.next())
    }
}

#[derive(Debug)]
enum Ports {
    /// Every port once, and then again: an affine permutation of all numbers of 16 bits.
    Random { at: u16, factor: u16 },
    /// What follows the last one that is known: near ones several times, since the peer may begin later than we, and then farther ones.
    Sequential { last: u16, step: i16, ahead: VecDeque<i32> },
}

impl Ports {
    fn random(seed: u64) -> Self {
        let [a, b, c, d, ..] = seed.to_le_bytes();
        // With a factor that is one more than a multiple of four, and an odd summand, x → factor·x + 1 goes through all (Hull and Dobell, 1962).
        Self::Random { at: u16::from_le_bytes([a, b]), factor: u16::from_le_bytes([c, d]) / 4 * 4 + 1 }
    }

    fn sequential(last: u16, step: i16) -> Self {
        // The first few may have been given before now; and one that was given a little earlier is another socket's that asked then.
        let near = [1..=64, 1..=64, 1..=256, -16..=0, 1..=256, 257..=1_024].into_iter().flatten();
        Self::Sequential { last, step: if step == 0 { 1 } else { step }, ahead: near.collect() }
    }

    fn next(&mut self) -> u16 {
        match self {
            Self::Random { at, factor } => loop {
                *at = at.wrapping_mul(*factor).wrapping_add(1);
                if *at >= FIRST_PORT {
                    return *at;
                }
            },
            Self::Sequential { last, step, ahead } => loop {
                let steps = ahead.pop_front().unwrap_or(1);
                ahead.push_back(steps);
                let port = i32::from(*last) + steps * i32::from(*step);
                // Beyond the last port it goes on at the first one, wherever that is; here one NAT's beginning is as good as another's.
                let span = i32::from(u16::MAX) + 1 - i32::from(FIRST_PORT);
                let port = (port - i32::from(FIRST_PORT)).rem_euclid(span) + i32::from(FIRST_PORT);
                if let Ok(port) = u16::try_from(port) {
                    return port;
                }
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn random_ports_come_once_each() {
        for seed in [0, 1, 0xdead_beef_1234_5678, u64::MAX] {
            let mut ports = Ports::random(seed);
            let all: BTreeSet<u16> = (0..64_512).map(|_| ports.next()).collect();
            assert_eq!(all.len(), 64_512, "seed {seed}");
            assert_eq!(all.first(), Some(&FIRST_PORT));
        }
    }

    #[test]
    fn sequential_ports_begin_behind_the_last_one() {
        let mut ports = Ports::sequential(65_534, 1);
        assert_eq!((0..4).map(|_| ports.next()).collect::<Vec<_>>(), [65_535, 1_024, 1_025, 1_026]);
        let mut down = Ports::sequential(1_025, -2);
        assert_eq!((0..2).map(|_| down.next()).collect::<Vec<_>>(), [65_535, 65_533]);
    }

    #[test]
    fn a_run_is_slow_and_ends() {
        let ip = "5.5.5.5".parse().unwrap();
        let secs = Duration::from_secs;
        let mut run = Run::new(ip, Mapping::Random, secs(1), None, 1);
        assert_eq!(run.next(Duration::ZERO), None);
        let made = |run: &mut Run, until: u64| {
            (0..until * 100).filter(|tick| run.next(Duration::from_millis(tick * 10)).is_some()).count()
        };
        assert_eq!(made(&mut run, 10), UNATTESTED as usize);
        run.attest(secs(10));
        assert_eq!(run.due(), Some(secs(10)), "nothing is made up for");
        let mut count = UNATTESTED;
        let mut now = secs(10);
        while let Some(due) = run.due() {
            now = now.max(due);
            count += u32::from(run.next(now).is_some());
        }
        assert_eq!(count, MOST);
        assert!(now >= secs(10) + PAUSE * (MOST - UNATTESTED - 20), "{now:?}");
    }

    #[test]
    fn half_of_a_run_waits_for_a_peer_that_may_begin_late() {
        let secs = Duration::from_secs;
        let mut run = Run::new("5.5.5.5".parse().unwrap(), Mapping::Random, secs(10), Some(secs(30)), 1);
        run.attest(secs(0));
        let mut now = secs(10);
        while run.due().is_some_and(|due| due < secs(40)) {
            now = now.max(run.due().unwrap());
            run.next(now);
        }
        assert_eq!(run.made, MOST / 2);
        assert_eq!(run.due(), Some(secs(40)));
        run.peer_is_there(secs(30), Mapping::Random);
        assert_eq!(run.due(), Some(secs(30)));
    }
}
