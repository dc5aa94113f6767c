//! How long a mapping lives without traffic: RFC 5780, section 4.6, as a state machine.
//!
//! One socket, *subject*, gets a mapping from a friend's responder and is then silent. After a while another socket, *witness*, asks the same
//! responder to answer to the subject's outside port (RESPONSE-PORT). If the answer arrives at the subject, the mapping has lived that long.

use std::net::SocketAddr;
use std::time::Duration;

/// The shortest lifetime that is told apart: less would be useless, and is below what any NAT does.
pub const SHORTEST: Duration = Duration::from_secs(10);
/// The longest that is measured: what lives longer is kept alive seldom enough.
pub const LONGEST: Duration = Duration::from_secs(180);
/// How far apart the two bounds of the result may stay.
pub const PRECISION: Duration = Duration::from_secs(12);
/// The most waits. Four halvings of 170 s come below the precision.
pub const MOST_ROUNDS: u32 = 6;

/// What the driver is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask the responder from the subject, plainly but with the token, and report [`Lifetime::bound`] or [`Lifetime::failed`]. Nothing else may be
    /// sent from the subject, and nothing else sent to it.
    Bind,
    /// Ask from the witness for an answer to this outside port, expected at the subject, a few times over a few seconds, and report
    /// [`Lifetime::checked`].
    Check {
        /// The subject's outside port.
        response_port: u16,
    },
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The mapping lived this long without traffic.
    pub at_least: Duration,
    /// And was gone after this long. `None`: nothing was too long, up to [`LONGEST`] less [`PRECISION`].
    pub less_than: Option<Duration>,
}

/// Why nothing was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmeasured {
    /// The responder does not answer, or not to RESPONSE-PORT, also to a mapping that is fresh: it does not know it, or witness and subject have
    /// different outside addresses.
    #[error("the responder's answer does not arrive at a fresh mapping either")]
    NoControl,
    /// The subject's request was not answered.
    #[error("the responder does not answer")]
    NoAnswer,
    /// The mapping was gone at one time after less than it lived at another: losses, or a NAT that throws mappings out.
    #[error("mappings live now longer, now shorter")]
    Restless,
}

/// Measures a mapping's lifetime. At most [`MOST_ROUNDS`] waits, 2 × (MOST_ROUNDS + 1) transactions, and some ten minutes.
///
/// Each time: [`poll_step`](Self::poll_step) until there is none, [`poll_timeout`](Self::poll_timeout) and
/// [`handle_timeout`](Self::handle_timeout), until [`outcome`](Self::outcome) is there.
#[derive(Clone, Debug)]
pub struct Lifetime {
    at_least: Duration,
    less_than: Option<Duration>,
    rounds: u32,
    state: State,
    step: Option<Step>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Bind is out. `control`: a check at once is next, before any wait.
    Binding {
        control: bool,
    },
    /// Silent until `until`.
    Idle {
        mapped: SocketAddr,
        until: Duration,
        idle: Duration,
    },
    /// Check is out. `idle`: how long the silence was.
    Checking {
        idle: Duration,
    },
    Ended(Result<Measured, Unmeasured>),
}

impl Default for Lifetime {
    fn default() -> Self {
        Self {
            at_least: Duration::ZERO,
            less_than: None,
            rounds: 0,
            state: State::Binding { control: true },
            step: Some(Step::Bind),
        }
    }
}

impl Lifetime {
    /// What is to be done now; each is said once.
    pub fn poll_step(&mut self) -> Option<Step> {
        self.step.take()
    }

    /// When the silence ends.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.state {
            State::Idle { until, .. } => Some(until),
            State::Binding { .. } | State::Checking { .. } | State::Ended(_) => None,
        }
    }

    /// What came of it.
    pub fn outcome(&self) -> Option<Result<Measured, Unmeasured>> {
        match self.state {
            State::Ended(outcome) => Some(outcome),
            State::Binding { .. } | State::Idle { .. } | State::Checking { .. } => None,
        }
    }

    /// The subject's request was answered, at `now`: this is where it was seen.
    pub fn bound(&mut self, now: Duration, mapped: SocketAddr) {
        let State::Binding { control } = self.state else { return };
        if control {
            self.check(mapped, Duration::ZERO);
            return;
        }
        let idle = self.next_idle();
        self.rounds += 1;
        self.state = State::Idle { mapped, until: now.saturating_add(idle), idle };
    }

    /// The subject's request was not answered.
    pub fn failed(&mut self) {
        if let State::Binding { .. } = self.state {
            self.end(Err(Unmeasured::NoAnswer));
        }
    }

    /// Whether the answer to the check has arrived at the subject.
    pub fn checked(&mut self, arrived: bool) {
        let State::Checking { idle } = self.state else { return };
        match (idle.is_zero(), arrived) {
            (true, false) => return self.end(Err(Unmeasured::NoControl)),
            (true, true) => {}
            (false, true) => self.at_least = self.at_least.max(idle),
            (false, false) => self.less_than = Some(self.less_than.map_or(idle, |known| known.min(idle))),
        }
        let (low, high) = self.bounds();
        // Losses, or a NAT under strain: what it outlived at one time was too long at another.
        if high <= self.at_least && self.less_than.is_some() {
            return self.end(Err(Unmeasured::Restless));
        }
        if high.saturating_sub(low) <= PRECISION || self.rounds >= MOST_ROUNDS {
            return self.end(Ok(Measured { at_least: self.at_least, less_than: self.less_than }));
        }
        // Whatever the check did to the mapping: a request of the subject's own makes it new.
        self.state = State::Binding { control: false };
        self.step = Some(Step::Bind);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        if let State::Idle { mapped, until, idle } = self.state
            && until <= now
        {
            // A machine that slept has waited longer.
            self.check(mapped, idle.saturating_add(now - until));
        }
    }

    fn check(&mut self, mapped: SocketAddr, idle: Duration) {
        self.state = State::Checking { idle };
        self.step = Some(Step::Check { response_port: mapped.port() });
    }

    fn end(&mut self, outcome: Result<Measured, Unmeasured>) {
        self.state = State::Ended(outcome);
        self.step = None;
    }

    /// Between which a lifetime is looked for.
    fn bounds(&self) -> (Duration, Duration) {
        (self.at_least.max(SHORTEST), self.less_than.unwrap_or(LONGEST))
    }

    /// Halfway between them: a short lifetime, which is the one that matters, is found sooner than by beginning at the far end.
    fn next_idle(&self) -> Duration {
        let (low, high) = self.bounds();
        low.saturating_add(high) / 2
    }
}

#[cfg(test)]
#[path = "lifetime_tests.rs"]
mod tests;
