//! Where time, entropy and tasks come from: the only place that asks the system.
//!
//! Durations are measured by Tokio's clock everywhere, which is the system's monotonic one unless a test pauses it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::{BoxFuture, FutureExt};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use wayside_bridge::{BridgeContext, Clock, Entropy, Monotonic, Spawner, Timestamp};
use wayside_proto::{Now, UnixMillis};

/// What time it is: a monotonic clock, which is Tokio's, and a wall clock. Copies read the same.
#[derive(Clone, Copy, Debug)]
pub struct NodeClock {
    start: Instant,
    wall: Wall,
}

#[derive(Clone, Copy, Debug)]
enum Wall {
    /// The system's. It is read anew each time, since people set it and machines sleep.
    System {
        /// Added to it: how tests make it wrong.
        offset_secs: i64,
    },
    /// Read so at the start, and going on with the monotonic one.
    Simulated { at_start: UnixMillis },
}

impl NodeClock {
    /// The system's clocks.
    pub fn system() -> Self {
        Self::off_by(0)
    }

    /// A wall clock that reads `start` now and goes on with Tokio's clock. In a runtime whose clock is paused all time that a node knows of passes
    /// as fast as there is nothing to do, and the same times come again in the next run.
    pub fn simulated(start: Timestamp) -> Self {
        let at_start = UnixMillis::from_secs(start.as_secs());
        Self { start: Instant::now(), wall: Wall::Simulated { at_start } }
    }

    /// The system's clocks, the wall clock so many seconds wrong.
    pub(crate) fn off_by(offset_secs: i64) -> Self {
        Self { start: Instant::now(), wall: Wall::System { offset_secs } }
    }

    /// Both clocks, for the engine.
    pub(crate) fn now_both(&self) -> Now {
        Now { wall: self.wall(), mono: self.start.elapsed() }
    }

    /// The wall clock.
    pub(crate) fn wall(&self) -> UnixMillis {
        match self.wall {
            Wall::System { offset_secs } => {
                let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                let millis = i64::try_from(millis).unwrap_or(i64::MAX);
                let shifted = millis.saturating_add(offset_secs.saturating_mul(1000));
                UnixMillis(u64::try_from(shifted).unwrap_or(0))
            }
            Wall::Simulated { at_start } => at_start.after(self.start.elapsed()),
        }
    }

    /// The moment at which [`Now::mono`] reads this.
    pub(crate) fn instant(&self, mono: Duration) -> Instant {
        self.start.checked_add(mono).unwrap_or_else(|| Instant::now() + Duration::from_secs(86_400))
    }
}

impl Default for NodeClock {
    /// The system's clocks; tests of the whole program set its wall clock wrong by `WAYSIDE_TEST_CLOCK_OFFSET_SECS`.
    fn default() -> Self {
        let offset = std::env::var("WAYSIDE_TEST_CLOCK_OFFSET_SECS").unwrap_or_default();
        Self::off_by(offset.parse().unwrap_or(0))
    }
}

impl Clock for NodeClock {
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

impl SystemEntropy {
    /// So many bytes of it.
    pub(crate) fn draw<const N: usize>() -> [u8; N] {
        let mut bytes = [0; N];
        Self.fill(&mut bytes);
        bytes
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
    context(NodeClock::system(), TaskTracker::new(), state_dir)
}

pub(crate) fn context(clock: NodeClock, tasks: TaskTracker, state_dir: Option<PathBuf>) -> BridgeContext {
    BridgeContext {
        clock: Arc::new(clock),
        entropy: Arc::new(SystemEntropy),
        spawner: Arc::new(TrackedSpawner(tasks)),
        state_dir,
    }
}
