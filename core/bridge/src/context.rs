//! What a bridge is handed instead of reaching for it: time, entropy, tasks, a folder of its own.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::{Bridge, Timestamp};

/// A bridge that several tasks hold.
pub type SharedBridge = Arc<dyn Bridge>;

/// Handed to a bridge when it is opened.
#[derive(Clone)]
pub struct BridgeContext {
    /// Tells and waits for time.
    pub clock: Arc<dyn Clock>,
    /// Gives random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// Runs tasks; they end when the node does.
    pub spawner: Arc<dyn Spawner>,
    /// A folder for this bridge alone (mode 0700, created before use): sessions, caches. `None` where the bridge runs for
    /// a moment only and nothing is to be kept.
    pub state_dir: Option<PathBuf>,
}

impl fmt::Debug for BridgeContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BridgeContext").field("state_dir", &self.state_dir).finish_non_exhaustive()
    }
}

/// Time, as one is told it.
pub trait Clock: Send + Sync {
    /// The wall clock. May be wrong and may jump.
    fn now(&self) -> Timestamp;

    /// Time since some moment in the past; never goes back.
    fn monotonic(&self) -> Monotonic;

    /// Resolves after `duration` of monotonic time.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// A reading of [`Clock::monotonic`]; only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(pub Duration);

impl Monotonic {
    /// Time from `earlier` to this reading, zero where it is not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Random bytes, as one is given them.
pub trait Entropy: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// Runs tasks.
pub trait Spawner: Send + Sync {
    /// Runs a task until it ends or the node does.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}
