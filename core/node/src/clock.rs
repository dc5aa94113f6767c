//! Where time, entropy and tasks come from: the only place that asks the system.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::{BoxFuture, FutureExt};
use tokio_util::task::TaskTracker;
use wayside_bridge::{BridgeContext, Clock, Entropy, Monotonic, Spawner, Timestamp};
use wayside_proto::{Now, UnixMillis};

/// The system's clocks.
#[derive(Clone, Debug)]
pub(crate) struct SystemClock {
    start: Instant,
    /// Added to the wall clock: how tests make it wrong.
    offset_secs: i64,
}

impl SystemClock {
    /// The system's clocks, from now on.
    pub(crate) fn new(offset_secs: i64) -> Self {
        Self { start: Instant::now(), offset_secs }
    }

    /// Both clocks, for the engine.
    pub(crate) fn now_both(&self) -> Now {
        Now { wall: self.wall(), mono: self.start.elapsed() }
    }

    /// The wall clock.
    pub(crate) fn wall(&self) -> UnixMillis {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let millis = i64::try_from(millis).unwrap_or(i64::MAX);
        let shifted = millis.saturating_add(self.offset_secs.saturating_mul(1000));
        UnixMillis(u64::try_from(shifted).unwrap_or(0))
    }

    /// The moment at which [`Now::mono`] reads this.
    pub(crate) fn instant(&self, mono: Duration) -> Instant {
        self.start.checked_add(mono).unwrap_or_else(|| Instant::now() + Duration::from_secs(86_400))
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.wall().as_secs())
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.start.elapsed())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}

/// The system's entropy.
#[derive(Debug)]
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::expect_used, reason = "without entropy nothing that follows would be safe")]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the system gives entropy");
    }
}

/// Tasks that end with the node.
#[derive(Debug)]
struct TrackedSpawner(TaskTracker);

impl Spawner for TrackedSpawner {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }
}

/// What a bridge is handed, from tokio and the system. For whoever opens a bridge without a node.
pub fn bridge_context(state_dir: Option<PathBuf>) -> BridgeContext {
    context(SystemClock::new(0), TaskTracker::new(), state_dir)
}

pub(crate) fn context(clock: SystemClock, tasks: TaskTracker, state_dir: Option<PathBuf>) -> BridgeContext {
    BridgeContext {
        clock: Arc::new(clock),
        entropy: Arc::new(SystemEntropy),
        spawner: Arc::new(TrackedSpawner(tasks)),
        state_dir,
    }
}
