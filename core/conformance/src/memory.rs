//! The harness of a service in memory, with whatever layers one likes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wayside_bridge::{
    BridgeError, Clock, ErrorKind, MemoryService, MemoryServiceBuilder, Record, RingTarget, SharedBridge,
    Timestamp,
};

use crate::support::TestClock;
use crate::{Deviation, Harness, Missing, Namespace, Planted, Supply};

/// A harness whose every namespace is a new [`MemoryService`].
#[derive(Clone)]
pub struct MemoryHarness {
    builder: MemoryServiceBuilder,
    wrap: Arc<Wrap>,
    opened: Arc<AtomicU64>,
    deviations: Vec<Deviation>,
}

/// What is put over each handle.
type Wrap = dyn Fn(SharedBridge, &TestClock) -> SharedBridge + Send + Sync;

impl MemoryHarness {
    /// Services of this shape.
    pub fn new(builder: MemoryServiceBuilder) -> Self {
        Self { builder, wrap: Arc::new(|bridge, _| bridge), opened: Arc::default(), deviations: Vec::new() }
    }

    /// With a layer, or a defect, over each handle.
    #[must_use]
    pub fn wrapped(
        mut self,
        wrap: impl Fn(SharedBridge, &TestClock) -> SharedBridge + Send + Sync + 'static,
    ) -> Self {
        self.wrap = Arc::new(wrap);
        self
    }

    /// With a deviation.
    #[must_use]
    pub fn deviates(mut self, case: &'static str, reason: &'static str) -> Self {
        self.deviations.push(Deviation { case, reason });
        self
    }
}

impl Default for MemoryHarness {
    /// Services that carry everything.
    fn default() -> Self {
        Self::new(MemoryService::builder())
    }
}

impl fmt::Debug for MemoryHarness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryHarness").field("builder", &self.builder).finish_non_exhaustive()
    }
}

#[async_trait]
impl Harness for MemoryHarness {
    async fn open(&self) -> Supply<Box<dyn Namespace>> {
        let clock = TestClock::new();
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let builder = self.builder.clone().name(&format!("shared-{number}")).clock(Arc::new(clock.clone()));
        Ok(Box::new(InMemory { service: builder.build(), clock, number, wrap: Arc::clone(&self.wrap) }))
    }

    fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }
}

struct InMemory {
    service: MemoryService,
    clock: TestClock,
    number: u64,
    wrap: Arc<Wrap>,
}

impl InMemory {
    fn member(&self, who: usize) -> String {
        format!("member-{who}-of-{}", self.number)
    }
}

#[async_trait]
impl Namespace for InMemory {
    async fn handle(&self, who: usize) -> Result<SharedBridge, BridgeError> {
        Ok((self.wrap)(Arc::new(self.service.bridge(&self.member(who))), &self.clock))
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) -> Supply {
        self.clock.advance(by);
        Ok(())
    }

    async fn stranger(&self) -> Supply<SharedBridge> {
        Ok((self.wrap)(Arc::new(self.service.stranger("stranger")), &self.clock))
    }

    async fn throttle(&self, on: bool) -> Supply {
        self.service.fail_with(on.then_some(ErrorKind::RateLimited));
        Ok(())
    }

    async fn plant(&self, who: usize, entries: &[Planted]) -> Supply {
        for entry in entries {
            match entry {
                Planted::Junk(junk) => self.service.plant_junk(&self.member(who), junk.clone()),
                Planted::Record(record) => self.service.plant(&self.member(who), record.clone()),
            }
        }
        Ok(())
    }

    async fn tamper(&self, _who: usize, record: &Record, bytes: &Bytes) -> Supply {
        let mut found = false;
        self.service.tamper(|stored| {
            if stored == record {
                stored.bytes = bytes.clone();
                found = true;
            }
        });
        match found {
            true => Ok(()),
            false => Err(Missing::Failed(BridgeError::new(ErrorKind::Gone, "the record is not stored"))),
        }
    }

    async fn bell(&self, who: usize) -> Supply<RingTarget> {
        Ok(RingTarget(self.member(who)))
    }

    async fn rung(&self, who: usize) -> Supply<bool> {
        Ok(self.service.rung().contains(&RingTarget(self.member(who))))
    }

    async fn litter(&self) -> Supply<usize> {
        Ok(self.service.stored())
    }
}
