//! Keeps to what a service allows.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::oneshot;

use crate::{
    Batch, Bridge, BridgeError, BridgeInfo, Capability, Clock, Delivery, ErrorKind, Fetch, Monotonic, Probe,
    Receipt, Record, RecordStream, Retry, RingTarget, SharedBridge, Watch,
};

/// How often something may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// One more each time this passes.
    pub every: Duration,
    /// So many at once after a quiet time; at least one.
    pub burst: u32,
}

/// The rates of a bridge. Operations without one are not held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// What writes: publish, retract, ring.
    pub publishes: Option<Rate>,
    /// What reads: fetch, opening a watch, probe.
    pub fetches: Option<Rate>,
    /// The most operations of each class that wait their turn; one more is told `RateLimited`.
    pub queue: usize,
}

/// How many operations wait unless told otherwise: more than a node has friends to meet at once.
const QUEUE: usize = 256;

impl RateLimits {
    /// What a capability declares: fetches by the polling interval, with a burst of two for a look on demand between
    /// two regular ones. It declares nothing of publications.
    pub fn declared(capability: &Capability) -> Self {
        let fetches = match capability.delivery {
            Delivery::Poll { interval } => Some(Rate { every: interval, burst: 2 }),
            Delivery::Push { .. } => None,
        };
        Self { publishes: None, fetches, queue: QUEUE }
    }

    /// With at most this many publications.
    #[must_use]
    pub fn with_publishes(mut self, rate: Rate) -> Self {
        self.publishes = Some(rate);
        self
    }
}

/// Holds operations back so that the service need not: a token bucket for what writes and one for what reads.
///
/// Waiting is first come, first served; a future that is dropped while it waits costs no token. When the service says
/// `RateLimited` all the same, nothing of that class goes out before the time that it tells.
#[derive(Clone)]
pub struct RateLimit {
    inner: SharedBridge,
    publishes: Arc<Bucket>,
    fetches: Arc<Bucket>,
}

impl RateLimit {
    /// This bridge, kept to these rates.
    pub fn new(inner: SharedBridge, clock: Arc<dyn Clock>, limits: RateLimits) -> Self {
        let bucket = |rate| Arc::new(Bucket::new(rate, limits.queue, Arc::clone(&clock)));
        Self { inner, publishes: bucket(limits.publishes), fetches: bucket(limits.fetches) }
    }
}

#[async_trait]
impl Bridge for RateLimit {
    fn info(&self) -> BridgeInfo {
        self.inner.info()
    }

    fn capability(&self) -> &Capability {
        self.inner.capability()
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        self.publishes.turn().await?;
        self.publishes.heed(self.inner.publish(record).await)
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.fetches.turn().await?;
        self.fetches.heed(self.inner.fetch(request).await)
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        self.fetches.turn().await?;
        self.fetches.heed(self.inner.watch(request).await)
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        self.publishes.turn().await?;
        self.publishes.heed(self.inner.retract(receipts).await)
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.publishes.turn().await?;
        self.publishes.heed(self.inner.ring(target).await)
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        self.fetches.turn().await?;
        self.fetches.heed(self.inner.probe().await)
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RateLimit").field(&self.inner).finish()
    }
}

/// Tokens, and those who wait for one.
struct Bucket {
    rate: Option<Rate>,
    queue: usize,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When the bucket would be full again: as good as a count of tokens, and exact.
    full_at: Monotonic,
    /// Nothing before this: the service said so.
    not_before: Monotonic,
    /// Who waits, the first at the front; each is told when it has come to the front.
    waiting: VecDeque<(u64, Option<oneshot::Sender<()>>)>,
    last: u64,
}

impl Bucket {
    fn new(rate: Option<Rate>, queue: usize, clock: Arc<dyn Clock>) -> Self {
        Self { rate, queue, clock, state: Mutex::default() }
    }

    /// Waits for a token.
    async fn turn(&self) -> Result<(), BridgeError> {
        let (ticket, at_front) = {
            let mut state = self.state();
            let wait = self.wait(&state);
            if state.waiting.is_empty() && wait.is_zero() {
                self.take(&mut state);
                return Ok(());
            }
            if state.waiting.len() >= self.queue {
                let message = format!("{} operations wait their turn already", state.waiting.len());
                let later = wait.max(self.rate.map_or(Duration::ZERO, |rate| rate.every));
                return Err(BridgeError::new(ErrorKind::RateLimited, message).with_retry(Retry::After(later)));
            }
            state.last += 1;
            let (sender, receiver) = oneshot::channel();
            let number = state.last;
            state.waiting.push_back((number, Some(sender)));
            state.tell_front();
            (Ticket { bucket: self, number }, receiver)
        };
        // Told at once where nobody is before us.
        let _ = at_front.await;
        loop {
            let wait = {
                let mut state = self.state();
                let wait = self.wait(&state);
                if wait.is_zero() {
                    self.take(&mut state);
                    break;
                }
                wait
            };
            self.clock.sleep(wait).await;
        }
        drop(ticket);
        Ok(())
    }

    /// Takes note of a service that asks us to slow down.
    fn heed<T>(&self, answer: Result<T, BridgeError>) -> Result<T, BridgeError> {
        if let Err(error) = &answer
            && error.kind() == ErrorKind::RateLimited
            && let Retry::After(wait) = error.retry()
        {
            let until = Monotonic(self.clock.monotonic().0.saturating_add(wait));
            let mut state = self.state();
            state.not_before = state.not_before.max(until);
        }
        answer
    }

    /// How long until there is a token.
    fn wait(&self, state: &State) -> Duration {
        let now = self.clock.monotonic();
        let told = state.not_before.since(now);
        // The bucket holds `burst` tokens; one is there while filling it up takes less than `burst - 1` more.
        let slack = |rate: Rate| rate.every.saturating_mul(rate.burst.saturating_sub(1));
        let own =
            self.rate.map_or(Duration::ZERO, |rate| state.full_at.since(now).saturating_sub(slack(rate)));
        told.max(own)
    }

    fn take(&self, state: &mut State) {
        if let Some(rate) = self.rate {
            let from = state.full_at.max(self.clock.monotonic());
            state.full_at = Monotonic(from.0.saturating_add(rate.every));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Tells whoever is at the front that it is, once.
    fn tell_front(&mut self) {
        if let Some(told) = self.waiting.front_mut().and_then(|(_, told)| told.take()) {
            // An error means that it was dropped just now, and gives its place up next.
            let _ = told.send(());
        }
    }
}

/// A place in the queue; given up when it is dropped.
struct Ticket<'a> {
    bucket: &'a Bucket,
    number: u64,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut state = self.bucket.state();
        let was_front = state.waiting.front().is_some_and(|(number, _)| *number == self.number);
        state.waiting.retain(|(number, _)| *number != self.number);
        if was_front {
            state.tell_front();
        }
    }
}

#[cfg(test)]
#[path = "rate_limit_tests.rs"]
mod tests;
