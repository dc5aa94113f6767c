//! A bridge that takes everything and does as it is told: what the layers' tests look through.
#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::StreamExt;

use crate::{
    Batch, Bridge, BridgeError, BridgeInfo, Capability, Fetch, Locator, MemoryService, Probe, Receipt,
    Record, RecordStream, RingTarget, Watch,
};

/// Counts what reaches it; answers with errors as long as there are some, then with `batch`.
#[derive(Debug)]
pub(crate) struct ProbeBridge {
    pub(crate) capability: Capability,
    pub(crate) batch: Mutex<Batch>,
    pub(crate) errors: Mutex<VecDeque<BridgeError>>,
    pub(crate) calls: Mutex<Vec<&'static str>>,
}

impl ProbeBridge {
    pub(crate) fn new() -> Arc<Self> {
        Self::with(MemoryService::new().capability().clone())
    }

    pub(crate) fn with(capability: Capability) -> Arc<Self> {
        let (batch, errors, calls) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { capability, batch, errors, calls })
    }

    pub(crate) fn fail_with(&self, errors: impl IntoIterator<Item = BridgeError>) {
        self.errors.lock().unwrap().extend(errors);
    }

    pub(crate) fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().unwrap().clone()
    }

    fn called(&self, what: &'static str) -> Result<(), BridgeError> {
        self.calls.lock().unwrap().push(what);
        self.errors.lock().unwrap().pop_front().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Bridge for ProbeBridge {
    fn info(&self) -> BridgeInfo {
        let locators = Locator::new("probe", "here").into_iter().collect();
        BridgeInfo { kind: "probe".to_owned(), title: "a probe".to_owned(), locators }
    }

    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn publish(&self, _: &Record) -> Result<Receipt, BridgeError> {
        self.called("publish")?;
        Ok(Receipt::new(vec![1]).unwrap())
    }

    async fn fetch(&self, _: Fetch) -> Result<Batch, BridgeError> {
        self.called("fetch")?;
        Ok(self.batch.lock().unwrap().clone())
    }

    async fn watch(&self, _: Watch) -> Result<RecordStream, BridgeError> {
        self.called("watch")?;
        let batch = self.batch.lock().unwrap().clone();
        let lost = || BridgeError::new(crate::ErrorKind::Unreachable, "lost");
        Ok(futures::stream::iter([Ok(batch.clone()), Err(lost()), Ok(batch)]).boxed())
    }

    async fn retract(&self, _: &[Receipt]) -> Result<(), BridgeError> {
        self.called("retract")
    }

    async fn ring(&self, _: &RingTarget) -> Result<(), BridgeError> {
        self.called("ring")
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        self.called("probe")?;
        Ok(Probe::default())
    }
}
