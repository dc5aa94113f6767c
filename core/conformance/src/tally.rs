//! Keeps account of what a case publishes, so that it can be held to its budget and all be taken back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use wayside_bridge::{
    Batch, Bridge, BridgeError, BridgeInfo, Capability, Fetch, Probe, Receipt, Record, RecordStream,
    RingTarget, SharedBridge, Watch,
};

/// What has been published and not taken back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Mutex<Account>>);

#[derive(Debug, Default)]
struct Account {
    published: usize,
    outstanding: Vec<(usize, Receipt)>,
}

impl Tally {
    /// The same bridge, with account kept of what goes through.
    pub(crate) fn watch_over(&self, who: usize, inner: SharedBridge) -> SharedBridge {
        Arc::new(Tallied { who, inner, tally: self.clone() })
    }

    /// How many publications were begun that the service did not turn down.
    pub(crate) fn published(&self) -> usize {
        self.account().published
    }

    /// The receipts of what is still out there, with whose they are; they are forgotten here.
    pub(crate) fn take_outstanding(&self) -> Vec<(usize, Receipt)> {
        std::mem::take(&mut self.account().outstanding)
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Tallied {
    who: usize,
    inner: SharedBridge,
    tally: Tally,
}

#[async_trait]
impl Bridge for Tallied {
    fn info(&self) -> BridgeInfo {
        self.inner.info()
    }

    fn capability(&self) -> &Capability {
        self.inner.capability()
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        self.tally.account().published += 1;
        let published = self.inner.publish(record).await;
        let mut account = self.tally.account();
        match &published {
            Ok(receipt) => {
                let receipt = (self.who, receipt.clone());
                if !account.outstanding.contains(&receipt) {
                    account.outstanding.push(receipt);
                }
            }
            Err(_) => account.published = account.published.saturating_sub(1),
        }
        published
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.inner.fetch(request).await
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        self.inner.watch(request).await
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        self.inner.retract(receipts).await?;
        self.tally
            .account()
            .outstanding
            .retain(|(who, receipt)| *who != self.who || !receipts.contains(receipt));
        Ok(())
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.inner.ring(target).await
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        self.inner.probe().await
    }
}
