//! What the service allows just now: rate limits, the space between writes, how often it wants to be asked.
//!
//! After GitHub's "Rate limits for the REST API" and "Best practices for using the REST API": where nothing is left, nothing is sent until the
//! time of `x-ratelimit-reset`; where `retry-after` is given, nothing before; a secondary limit without it costs a minute, and twice as much each
//! further time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use tokio::sync::OwnedMutexGuard;
use wayside_bridge::{Clock, Monotonic, Timestamp};

use crate::error::GitHubError;
use crate::pace::Pace;

/// What a secondary limit costs that does not say how long.
const SECONDARY: Duration = Duration::from_secs(60);
/// Nobody is kept waiting longer than this by what a header says: limits are by the hour.
const LONGEST: Duration = Duration::from_secs(3700);

/// Keeps to what the service allows.
pub(crate) struct Gate {
    clock: Arc<dyn Clock>,
    pace: Pace,
    state: Mutex<State>,
    last_write: Arc<tokio::sync::Mutex<Option<Monotonic>>>,
}

#[derive(Debug, Default)]
struct State {
    /// Nothing is sent before.
    closed_until: Option<Monotonic>,
    /// How many secondary limits came one after another.
    strikes: u32,
    /// The place is not looked at before.
    poll_from: Option<Monotonic>,
}

/// The turn to write. While it is held, nobody else writes.
pub(crate) struct Turn {
    last: OwnedMutexGuard<Option<Monotonic>>,
    clock: Arc<dyn Clock>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.last = Some(self.clock.monotonic());
    }
}

impl Gate {
    pub(crate) fn new(clock: Arc<dyn Clock>, pace: Pace) -> Self {
        Self { clock, pace, state: Mutex::default(), last_write: Arc::default() }
    }

    /// Whether anything may be sent now.
    pub(crate) fn check(&self) -> Result<(), GitHubError> {
        let now = self.clock.monotonic();
        let mut state = self.state();
        match state.closed_until {
            Some(until) if until > now => {
                Err(GitHubError::Slow { wait: at_least_a_second(until.since(now)) })
            }
            _ => {
                state.closed_until = None;
                Ok(())
            }
        }
    }

    /// Waits for the turn to write.
    pub(crate) async fn turn(&self) -> Turn {
        Turn { last: self.pause().await, clock: Arc::clone(&self.clock) }
    }

    /// Waits until a write would not have to wait.
    pub(crate) async fn breath(&self) {
        drop(self.pause().await);
    }

    async fn pause(&self) -> OwnedMutexGuard<Option<Monotonic>> {
        let last = Arc::clone(&self.last_write).lock_owned().await;
        if let Some(last) = *last {
            let passed = self.clock.monotonic().since(last);
            if let Some(rest) = self.pace.writes.checked_sub(passed).filter(|rest| !rest.is_zero()) {
                self.clock.sleep(rest).await;
            }
        }
        last
    }

    /// Whether the service asked not to be looked at yet.
    pub(crate) fn rests(&self) -> bool {
        let now = self.clock.monotonic();
        self.state().poll_from.is_some_and(|from| from > now)
    }

    /// Takes in how often the service wants to be looked at, up to the interval that the bridge declares.
    ///
    /// GitHub asks for five minutes in each answer about a branch, though it documents the header for events and notifications alone. Who waits for
    /// somebody cannot wait that long, and a look that finds nothing new is not counted.
    pub(crate) fn polled(&self, headers: &HeaderMap) {
        let interval = seconds(headers, "x-poll-interval").map(|interval| interval.min(self.pace.poll));
        let now = self.clock.monotonic();
        self.state().poll_from = interval.map(|interval| Monotonic(now.0.saturating_add(interval)));
    }

    /// Takes in what an answer says of limits. An error where it *is* one.
    pub(crate) fn note(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        message: &str,
    ) -> Result<(), GitHubError> {
        let used_up = number(headers, "x-ratelimit-remaining") == Some(0);
        let refused = matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
        let retry_after = seconds(headers, "retry-after");
        let limited = refused
            && (status == StatusCode::TOO_MANY_REQUESTS
                || retry_after.is_some()
                || used_up
                || message.to_ascii_lowercase().contains("rate limit"));
        let mut state = self.state();
        if !limited && status.is_success() {
            state.strikes = 0;
        }
        let wait = match (retry_after, used_up) {
            (Some(wait), _) if limited => Some(wait),
            (_, true) => Some(self.until_reset(headers)),
            _ if limited => {
                let wait = SECONDARY.saturating_mul(1 << state.strikes.min(6));
                state.strikes = state.strikes.saturating_add(1);
                Some(wait)
            }
            _ => None,
        };
        let Some(wait) = wait.map(|wait| wait.min(LONGEST)) else { return Ok(()) };
        let until = Monotonic(self.clock.monotonic().0.saturating_add(wait));
        state.closed_until = state.closed_until.max(Some(until));
        if limited { Err(GitHubError::Slow { wait: at_least_a_second(wait) }) } else { Ok(()) }
    }

    /// Until there are requests again, by the service's own clock where it tells it.
    fn until_reset(&self, headers: &HeaderMap) -> Duration {
        let now = service_time(headers).unwrap_or_else(|| self.clock.now());
        match number(headers, "x-ratelimit-reset") {
            // A second more, since both are cut to whole ones.
            Some(reset) => Duration::from_secs(reset.saturating_sub(now.as_secs()).saturating_add(1)),
            None => SECONDARY,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The service's clock, from the header `date`.
pub(crate) fn service_time(headers: &HeaderMap) -> Option<Timestamp> {
    let date = headers.get(http::header::DATE)?.to_str().ok()?;
    let seconds = jiff::fmt::rfc2822::parse(date).ok()?.timestamp().as_second();
    Some(Timestamp::from_secs(u64::try_from(seconds).ok()?))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn seconds(headers: &HeaderMap, name: &str) -> Option<Duration> {
    number(headers, name).map(Duration::from_secs)
}

fn at_least_a_second(wait: Duration) -> Duration {
    wait.max(Duration::from_secs(1))
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
