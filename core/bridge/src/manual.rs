//! Time that a test turns by hand, and random bytes that a seed decides.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::BoxFuture;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use crate::{Clock, Entropy, Monotonic, Timestamp};

/// A clock that stands still until it is told to [`advance`](Self::advance). Clones share the time.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<Mutex<Dial>>);

impl ManualClock {
    /// A clock whose wall time is the Unix epoch.
    pub fn new() -> Self {
        Self::default()
    }

    /// A clock whose wall time is `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Dial { start, ..Dial::default() })))
    }

    /// Lets time pass and wakes whoever has slept long enough.
    pub fn advance(&self, by: Duration) {
        let due = {
            let mut dial = self.dial();
            dial.elapsed = dial.elapsed.saturating_add(by);
            dial.take_due()
        };
        due.into_iter().for_each(Waker::wake);
    }

    /// Lets time pass until the first sleeper wakes, and tells how long that was; `None` when nobody sleeps.
    pub fn advance_to_next(&self) -> Option<Duration> {
        let wait = {
            let dial = self.dial();
            let first = dial.sleepers.values().map(|(until, _)| *until).min()?;
            first.saturating_sub(dial.elapsed)
        };
        self.advance(wait);
        Some(wait)
    }

    /// How many sleeps have been polled and are not over.
    pub fn asleep(&self) -> usize {
        self.dial().sleepers.len()
    }

    fn dial(&self) -> MutexGuard<'_, Dial> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let dial = self.dial();
        dial.start.saturating_add(dial.elapsed)
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.dial().elapsed)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let until = self.dial().elapsed.saturating_add(duration);
        Box::pin(Sleep { clock: self.clone(), until, id: None })
    }
}

#[derive(Debug, Default)]
struct Dial {
    start: Timestamp,
    elapsed: Duration,
    sleepers: BTreeMap<u64, (Duration, Waker)>,
    next: u64,
}

impl Dial {
    fn take_due(&mut self) -> Vec<Waker> {
        let due: Vec<u64> = self
            .sleepers
            .iter()
            .filter(|(_, (until, _))| *until <= self.elapsed)
            .map(|(id, _)| *id)
            .collect();
        due.into_iter().filter_map(|id| self.sleepers.remove(&id)).map(|(_, waker)| waker).collect()
    }
}

struct Sleep {
    clock: ManualClock,
    until: Duration,
    id: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut dial = clock.dial();
        if dial.elapsed >= self.until {
            return Poll::Ready(());
        }
        let id = *self.id.get_or_insert_with(|| {
            dial.next += 1;
            dial.next
        });
        dial.sleepers.insert(id, (self.until, context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.clock.dial().sleepers.remove(&id);
        }
    }
}

/// Random bytes that a seed decides: for tests and simulations, never for keys.
pub struct SeededEntropy(Mutex<ChaCha12Rng>);

impl SeededEntropy {
    /// The bytes of this seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha12Rng::seed_from_u64(seed)))
    }
}

impl fmt::Debug for SeededEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeededEntropy").finish_non_exhaustive()
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(buffer);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn sleeps_end_when_time_is_advanced() {
        let clock = ManualClock::at(Timestamp::from_secs(100));
        let mut short = clock.sleep(Duration::from_secs(1));
        let mut long = clock.sleep(Duration::from_secs(5));
        assert!((&mut short).now_or_never().is_none());
        assert!((&mut long).now_or_never().is_none());
        assert_eq!(clock.asleep(), 2);

        assert_eq!(clock.advance_to_next(), Some(Duration::from_secs(1)));
        assert!((&mut short).now_or_never().is_some());
        assert!((&mut long).now_or_never().is_none());
        assert_eq!(clock.now(), Timestamp::from_secs(101));

        drop(long);
        assert_eq!(clock.asleep(), 0, "a dropped sleep is forgotten");
        assert_eq!(clock.advance_to_next(), None);
    }

    #[test]
    fn entropy_repeats_with_its_seed() {
        let draw = |seed| {
            let mut bytes = [0; 32];
            SeededEntropy::new(seed).fill(&mut bytes);
            bytes
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
