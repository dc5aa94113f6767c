//! The harness of a bridge that somebody has configured: what the command runs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use wayside_bridge::{BridgeError, Clock, Record, RingTarget, SharedBridge, Timestamp};

use crate::{Deviation, Harness, Missing, Namespace, Planted, Supply};

/// A harness that opens one configured bridge as often as it is asked to: every member is the same account, every
/// namespace the same place. What needs a look behind the bridge's back is skipped, with that reason.
#[derive(Clone)]
pub struct ConfiguredHarness {
    open: Arc<Open>,
    clock: Arc<dyn Clock>,
}

/// Opens the bridge.
type Open = dyn Fn() -> BoxFuture<'static, Result<SharedBridge, BridgeError>> + Send + Sync;

impl ConfiguredHarness {
    /// A harness of whatever `open` opens, whose bridges go by `clock`.
    pub fn new<F, O>(clock: Arc<dyn Clock>, open: F) -> Self
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = Result<SharedBridge, BridgeError>> + Send + 'static,
    {
        Self { open: Arc::new(move || Box::pin(open())), clock }
    }
}

impl fmt::Debug for ConfiguredHarness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfiguredHarness").finish_non_exhaustive()
    }
}

#[async_trait]
impl Harness for ConfiguredHarness {
    async fn open(&self) -> Supply<Box<dyn Namespace>> {
        Ok(Box::new(self.clone()))
    }

    fn deviations(&self) -> &[Deviation] {
        &[]
    }
}

/// Why most of a harness is missing here.
const IN_USE: &str = "a configured bridge is tried from the front alone";

#[async_trait]
impl Namespace for ConfiguredHarness {
    async fn handle(&self, _who: usize) -> Result<SharedBridge, BridgeError> {
        (self.open)().await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, _by: Duration) -> Supply {
        Missing::not_applicable("time is real here")
    }

    async fn stranger(&self) -> Supply<SharedBridge> {
        Missing::not_applicable(IN_USE)
    }

    async fn throttle(&self, _on: bool) -> Supply {
        Missing::not_applicable(IN_USE)
    }

    async fn plant(&self, _who: usize, _entries: &[Planted]) -> Supply {
        Missing::not_applicable(IN_USE)
    }

    async fn tamper(&self, _who: usize, _record: &Record, _bytes: &Bytes) -> Supply {
        Missing::not_applicable(IN_USE)
    }

    async fn bell(&self, _who: usize) -> Supply<RingTarget> {
        Missing::not_applicable("nobody is rung for a trial")
    }

    async fn rung(&self, _who: usize) -> Supply<bool> {
        Missing::not_applicable(IN_USE)
    }

    async fn litter(&self) -> Supply<usize> {
        Missing::not_applicable(IN_USE)
    }
}
