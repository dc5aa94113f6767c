//! The bridge itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{StreamExt, unfold};
use wayside_bridge::{
    Batch, Bridge, BridgeContext, BridgeError, BridgeInfo, Capability, Class, ClassCapability, Collision,
    Delivery, Fetch, Kept, Locator, Probe, Receipt, Record, RecordStream, RingTarget, Visibility, Watch,
};

use crate::error::MdnsError;
use crate::folder::Folder;
use crate::instance::{self, Instance};
use crate::interfaces::Chosen;
use crate::shared::Shared;
use crate::task;

/// The neighbours have answered by then, once they were asked: each waits a moment so that not all speak at once.
const SETTLED: Duration = Duration::from_millis(250);
/// What was announced a moment ago is heard by then.
const MOMENT: Duration = Duration::from_millis(20);
/// How long a record is there at least: as long as it is good for without being heard again, if its writer's machine vanishes.
const RETENTION: Duration = Duration::from_secs(120);
/// An announcement is on its way for a moment, unless it is lost.
const LATENCY: Duration = Duration::from_millis(100);

/// The local network, as a place for records.
pub struct MdnsBridge {
    shared: Arc<Shared>,
    folder: Folder,
    title: String,
    capability: Capability,
}

impl MdnsBridge {
    /// Opens the bridge, on these interfaces, and says what it said before a restart.
    pub(crate) async fn open(chosen: Chosen, context: BridgeContext) -> Result<Self, MdnsError> {
        let title = match &chosen {
            Chosen::All => "the local network".to_owned(),
            Chosen::Named(name) => format!("the local network at {name}"),
        };
        let folder = Folder::new(context.state_dir.clone());
        let before = folder.read(context.clock.now()).await.map_err(MdnsError::Folder)?;
        let shared = Arc::new(Shared::new(context, chosen));
        for record in before {
            if let Some(encoded) = instance::encode(&record) {
                shared.put(record, encoded, false)?;
            }
        }
        shared.look_around()?;
        shared.ask();
        shared.spawner().spawn(Box::pin(task::run(Arc::downgrade(&shared))));
        Ok(Self { shared, folder, title, capability: capability() })
    }

    /// Waits until those who are there have answered, right after the start, and for what is on its way.
    async fn settle(&self) {
        tokio::time::sleep(SETTLED.saturating_sub(self.shared.now()).max(MOMENT)).await;
    }
}

#[async_trait]
impl Bridge for MdnsBridge {
    fn info(&self) -> BridgeInfo {
        BridgeInfo::new(crate::KIND, self.title.clone(), locators())
    }

    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        self.capability.permit_publish(record)?;
        let encoded = instance::encode(record).ok_or(MdnsError::NotCarried)?;
        let name = encoded.0;
        self.shared.has_room(&name)?;
        self.folder.write(&name, record).await.map_err(MdnsError::Folder)?;
        self.shared.put(record.clone(), encoded, true)?;
        Receipt::new(name.label().into_bytes()).ok_or_else(|| MdnsError::NotCarried.into())
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.capability.permit_fetch(&request, &locators())?;
        // A question that goes on is part of one that waited.
        if request.cursor.is_none() {
            self.settle().await;
        }
        Ok(self.shared.page(&request))
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        self.capability.permit_watch(&request, &locators())?;
        let request = Fetch::new(request.place, request.keys).after(request.cursor);
        let state = (Arc::clone(&self.shared), request, self.shared.news());
        let stream = unfold(Some(state), |state| async {
            let (shared, mut request, mut news) = state?;
            loop {
                news.borrow_and_update();
                let batch = shared.page(&request);
                request.cursor.clone_from(&batch.cursor);
                if !batch.records.is_empty() {
                    return Some((Ok(batch), Some((shared, request, news))));
                }
                if shared.is_closed() || news.changed().await.is_err() {
                    return Some((Err(MdnsError::Closed.into()), None));
                }
            }
        });
        Ok(stream.boxed())
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        let instances: Vec<Instance> =
            receipts.iter().filter_map(|receipt| Instance::parse(receipt.as_bytes())).collect();
        self.shared.take_off(&instances);
        for instance in &instances {
            self.folder.remove(instance).await.map_err(MdnsError::Folder)?;
        }
        Ok(())
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.capability.permit_ring(target)
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        let note = "no network interface with neighbours is up; it goes on by itself when one is";
        let note = (self.shared.ways() == 0).then(|| note.to_owned());
        Ok(Probe::new(Duration::ZERO).with_note(note))
    }
}

impl Drop for MdnsBridge {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl fmt::Debug for MdnsBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ways = self.shared.ways();
        f.debug_struct("MdnsBridge").field("title", &self.title).field("ways", &ways).finish_non_exhaustive()
    }
}

/// The local network has no name: whoever is on it calls it the same.
fn locators() -> Vec<Locator> {
    Locator::new(crate::KIND, "local").into_iter().collect()
}

fn capability() -> Capability {
    let limits = ClassCapability::new(instance::MAX_RECORD, RETENTION, Collision::Append, true);
    let phrases = |phrases: &[&str]| phrases.iter().map(|&phrase| phrase.to_owned()).collect();
    let visible = Visibility {
        service: phrases(&[
            "everybody on the local network sees that a machine with your IP and hardware address uses wayside",
            "how many records you have there, their sizes and times: after a start about as many as you have friends who use their local network too",
        ]),
        readers: phrases(&[
            "the same: whoever is on the local network reads all that is there",
            "no name, key or number that stays the same from one record to the next",
        ]),
    };
    // Mail would wait for nobody here.
    let classes = [(Class::Meeting, limits), (Class::Pointer, limits)];
    Capability::new(classes, Delivery::Push { latency: LATENCY }, visible).with_kept(Kept::Writer)
}
