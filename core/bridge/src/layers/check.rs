//! Holds a bridge, and its callers, to its declaration.

use async_trait::async_trait;
use futures::StreamExt;
use tracing::warn;

use crate::{
    Batch, Bridge, BridgeError, BridgeInfo, Capability, Fetch, Keys, Probe, Receipt, Record, RecordStream,
    RingTarget, SharedBridge, Watch,
};

/// Refuses what the capability does not declare before the bridge sees it, and takes out of answers what breaks the
/// contract.
///
/// Records that were not asked for are dropped, a batch larger than asked for is cut: both are counted in
/// [`Batch::skipped`] and warned of, for the bridge has a bug. What a cut batch lacks is lost to a caller that goes on
/// from its cursor; handing it on would let a service decide how much memory we use. A stream ends with
/// its first error.
#[derive(Clone, Debug)]
pub struct Check(SharedBridge);

impl Check {
    /// This bridge, held to its declaration.
    pub fn new(inner: SharedBridge) -> Self {
        Self(inner)
    }
}

#[async_trait]
impl Bridge for Check {
    fn info(&self) -> BridgeInfo {
        self.0.info()
    }

    fn capability(&self) -> &Capability {
        self.0.capability()
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        self.capability().permit_publish(record)?;
        self.0.publish(record).await
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        let info = self.info();
        self.capability().permit_fetch(&request, &info.locators)?;
        let (keys, limit) = (request.keys.clone(), request.limit);
        let mut batch = self.0.fetch(request).await?;
        drop_strays(&mut batch, &keys, &info.kind);
        let surplus = batch.records.len().saturating_sub(limit);
        if surplus > 0 {
            warn!(bridge = info.kind, surplus, limit, "a batch is larger than asked for and is cut");
            batch.records.truncate(limit);
            batch.records.shrink_to_fit();
            batch.skipped = batch.skipped.saturating_add(surplus as u64);
        }
        Ok(batch)
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        let info = self.info();
        self.capability().permit_watch(&request, &info.locators)?;
        let keys = request.keys.clone();
        let stream = self.0.watch(request).await?;
        let checked = stream.map(move |item| {
            item.map(|mut batch| {
                drop_strays(&mut batch, &keys, &info.kind);
                batch
            })
        });
        let until_error = checked.scan(false, |failed, item| {
            let over = std::mem::replace(failed, item.is_err());
            std::future::ready((!over).then_some(item))
        });
        Ok(until_error.boxed())
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        self.capability().permit_retract()?;
        self.0.retract(receipts).await
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.capability().permit_ring(target)?;
        self.0.ring(target).await
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        self.0.probe().await
    }
}

fn drop_strays(batch: &mut Batch, keys: &Keys, kind: &str) {
    let before = batch.records.len();
    batch.records.retain(|record| keys.contains(&record.key));
    let strays = before.saturating_sub(batch.records.len());
    if strays > 0 {
        warn!(bridge = kind, strays, "records that nobody asked for are dropped");
        batch.skipped = batch.skipped.saturating_add(strays as u64);
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
