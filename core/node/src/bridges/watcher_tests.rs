use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::mpsc;
use wayside_bridge::{
    Bridge, BridgeInfo, Capability, Class, Key, MemoryService, Probe, Receipt, Record, RingTarget, Timestamp,
};
use wayside_proto::engine::BridgeName;

use super::super::{Report, What};
use super::*;

/// A bridge over another one that is polled, counts how often, and may always have more.
#[derive(Debug)]
struct Polled {
    inner: SharedBridge,
    capability: Capability,
    requests: AtomicU64,
    endless: AtomicBool,
}

const INTERVAL: Duration = Duration::from_secs(30);

impl Polled {
    fn new() -> Arc<Self> {
        let service = MemoryService::builder().clock(crate::bridge_context(None).clock).build();
        let inner: SharedBridge = Arc::new(service.bridge("ann"));
        let mut capability = inner.capability().clone();
        capability.delivery = Delivery::Poll { interval: INTERVAL };
        Arc::new(Self { inner, capability, requests: AtomicU64::new(0), endless: AtomicBool::new(false) })
    }

    fn requests(&self) -> u64 {
        self.requests.swap(0, Ordering::Relaxed)
    }

    async fn publish(&self, slot: SlotId) {
        let not_after = Timestamp::from_secs(4_000_000_000);
        let record = Record::new(Key::Slot(Slot(slot.0)), Class::Meeting, not_after, vec![7; 376]);
        self.inner.publish(&record).await.unwrap();
    }
}

#[async_trait]
impl Bridge for Polled {
    fn info(&self) -> BridgeInfo {
        self.inner.info()
    }

    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        self.inner.publish(record).await
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut batch = self.inner.fetch(request).await?;
        batch.more |= self.endless.load(Ordering::Relaxed);
        Ok(batch)
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        self.inner.watch(request).await
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        self.inner.retract(receipts).await
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.inner.ring(target).await
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        self.inner.probe().await
    }
}

fn slot(number: u16) -> SlotId {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    SlotId(id)
}

fn own(slots: impl IntoIterator<Item = u16>) -> Slots {
    Slots::from([(Space::Own, slots.into_iter().map(slot).collect())])
}

/// A watcher at work, what it is told to watch, and what it says.
fn watching(bridge: &Arc<Polled>) -> (watch::Sender<Slots>, mpsc::Receiver<Report>) {
    let (tell, wanted) = watch::channel(Slots::new());
    let (reports, said) = mpsc::channel(256);
    let bridge: SharedBridge = Arc::<Polled>::clone(bridge);
    tokio::spawn(async move {
        let reporter = Reporter { bridge: BridgeName("polled".into()), run: 1, reports };
        Watcher { bridge: &bridge, reporter: &reporter }.run(wanted).await
    });
    (tell, said)
}

async fn records(said: &mut mpsc::Receiver<Report>) -> Vec<SlotId> {
    tokio::time::sleep(INTERVAL * 2).await;
    let mut slots = Vec::new();
    while let Ok(report) = said.try_recv() {
        if let What::Input(Input::Records { records, .. }) = report.what {
            slots.extend(records.into_iter().map(|found| found.slot));
        }
    }
    slots
}

#[tokio::test(start_paused = true)]
async fn a_hundred_idle_friends_cost_one_request_a_poll_and_nobody_none() {
    let bridge = Polled::new();
    let (tell, mut said) = watching(&bridge);
    tokio::time::sleep(INTERVAL * 100).await;
    assert_eq!(bridge.requests(), 0, "nothing is watched");
    // A hundred friends, three days each.
    tell.send_replace(own(0..300));
    tokio::time::sleep(INTERVAL * 100).await;
    let requests = bridge.requests();
    assert!((99..=102).contains(&requests), "{requests} requests in 100 intervals");
    // Other slots cost none.
    for more in 301..320 {
        tell.send_replace(own(0..more));
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(INTERVAL).await;
    assert!(bridge.requests() <= 2);
    tell.send_replace(Slots::new());
    tokio::time::sleep(INTERVAL).await;
    bridge.requests();
    tokio::time::sleep(INTERVAL * 100).await;
    assert_eq!(bridge.requests(), 0, "nothing is watched any more");
    assert!(records(&mut said).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn slots_that_come_and_go_miss_nothing() {
    let bridge = Polled::new();
    for number in [1, 2, 3] {
        bridge.publish(slot(number)).await;
    }
    let (tell, mut said) = watching(&bridge);
    tell.send_replace(own([1]));
    assert_eq!(records(&mut said).await, [slot(1)]);
    tell.send_replace(own([1, 2]));
    assert_eq!(records(&mut said).await, [slot(2)]);
    tell.send_replace(own([2]));
    assert!(records(&mut said).await.is_empty());
    // Watched anew, it is wanted from the beginning.
    tell.send_replace(own([1, 2, 3]));
    let mut found = records(&mut said).await;
    found.sort();
    assert_eq!(found, [slot(1), slot(3)]);
    // What comes while a slot is not watched is there when it is.
    tell.send_replace(own([3]));
    bridge.publish(slot(9)).await;
    assert!(records(&mut said).await.is_empty());
    tell.send_replace(own([3, 9]));
    assert_eq!(records(&mut said).await, [slot(9)]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_always_has_more_is_not_asked_without_end() {
    let bridge = Polled::new();
    bridge.endless.store(true, Ordering::Relaxed);
    let (tell, _said) = watching(&bridge);
    tell.send_replace(own([1]));
    tokio::time::sleep(INTERVAL * 3).await;
    assert!(bridge.requests() <= u64::from(MOST_PAGES) * 4);
}
