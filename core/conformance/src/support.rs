//! What a harness on a real runtime hands its bridges.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use tokio::time::Instant;
use wayside_bridge::{BridgeContext, Clock, Monotonic, SeededEntropy, Spawner, Timestamp};

/// The real time, which a test can also turn on. Clones share the time.
#[derive(Clone, Debug)]
pub struct TestClock {
    started: Instant,
    wall: Timestamp,
    ahead: Arc<Mutex<Duration>>,
}

impl TestClock {
    /// The time it is.
    pub fn new() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), wall: Timestamp::from_secs(wall.as_secs()), ahead: Arc::default() }
    }

    /// Lets so much pass at once. Who sleeps already sleeps on.
    pub fn advance(&self, by: Duration) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        *ahead = ahead.saturating_add(by);
    }

    fn elapsed(&self) -> Duration {
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        self.started.elapsed().saturating_add(ahead)
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.wall.saturating_add(self.elapsed())
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.elapsed())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Runs tasks on the tokio runtime that calls it.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioSpawner;

impl Spawner for TokioSpawner {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        drop(tokio::spawn(task));
    }
}

/// A context on the calling tokio runtime: this clock, entropy of a seed, and a folder where there is one.
pub fn context(clock: &TestClock, seed: u64, state_dir: Option<PathBuf>) -> BridgeContext {
    BridgeContext {
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SeededEntropy::new(seed)),
        spawner: Arc::new(TokioSpawner),
        state_dir,
    }
}
