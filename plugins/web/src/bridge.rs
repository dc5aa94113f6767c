//! The bridge: each method looks at a space, or waits for its turn to write.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use wayside_bridge::{
    Batch, Bridge, BridgeContext, BridgeError, BridgeInfo, Capability, Class, ClassCapability, Collision,
    Delivery, Fetch, Key, Locator, Place, Probe, Receipt, Record, RecordStream, RingTarget, Timestamp,
    Visibility, Watch, Writers, file,
};

use crate::address::Address;
use crate::drop::Drop;
use crate::error::WebError;
use crate::folder::Folder;
use crate::http::{Http, Whose};
use crate::pace::Pace;
use crate::queue::{Queue, Task, Writer};
use crate::store::{Files, Served, Store};
use crate::view::{Layout, View};

/// The largest record of a meeting, in bytes. Everything of one writer is read again when some of it changes: large ones would be dear.
const MOST_OF_MEETING: usize = 16 * 1024;
/// The largest pointer, in bytes.
const MOST_OF_POINTER: usize = 8 * 1024;
/// Files stay until somebody removes them; nobody is held to more than this.
const RETENTION: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// What a drop on somebody's node keeps unless it is told otherwise.
const RETENTION_OF_OPEN: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The most spaces of others that are remembered.
const MOST_SPACES: usize = 256;
/// A copy that has lain in a cache for so long is told of.
const STALE: Duration = Duration::from_secs(60);

/// Web space: one that several share, or one's own.
pub struct WebBridge {
    parts: Parts,
    own: View,
    others: Mutex<BTreeMap<Locator, Arc<View>>>,
    capability: Capability,
    locators: Vec<Locator>,
    queue: Arc<Queue>,
}

/// What a bridge is made of.
pub(crate) struct Parts {
    pub(crate) http: Arc<Http>,
    pub(crate) address: Address,
    pub(crate) served: Arc<Served>,
    /// What our own space is read through; the web server, unless something knows better.
    pub(crate) files: Arc<dyn Files>,
    pub(crate) writing: Option<Writing>,
    pub(crate) shared: bool,
    /// A drop that takes anybody's records, and keeps them for less long.
    pub(crate) is_open: bool,
    pub(crate) pace: Pace,
    pub(crate) context: BridgeContext,
}

/// How our own space is written.
pub(crate) enum Writing {
    Folder(Arc<Folder>, Arc<dyn Store>),
    Drop(Arc<Drop>),
}

impl WebBridge {
    /// Contacts nothing.
    pub(crate) fn new(parts: Parts) -> Self {
        let own = View::new(Arc::clone(&parts.files), layout(&parts.address), &parts.context);
        let capability = capability(&parts);
        let locators = parts.address.locator().into_iter().collect();
        Self { parts, own, others: Mutex::default(), capability, locators, queue: Arc::default() }
    }

    async fn run(&self, task: Task) -> Result<Option<Receipt>, WebError> {
        let writer: Arc<dyn Writer> = match &self.parts.writing {
            None => return Err(WebError::ReadOnly),
            Some(Writing::Folder(folder, _)) => Arc::clone(folder) as Arc<dyn Writer>,
            Some(Writing::Drop(drop)) => Arc::clone(drop) as Arc<dyn Writer>,
        };
        self.queue.run(task, writer, (&self.parts.context, self.parts.pace)).await
    }

    async fn look(&self, request: &Fetch) -> Result<Batch, WebError> {
        if let Place::Of(locator) = &request.place
            && !self.locators.contains(locator)
        {
            return Ok(self.view_of(locator)?.fetch(request).await?.0);
        }
        let (mut batch, looked) = self.own.fetch(request).await?;
        if let (Some(Writing::Folder(folder, _)), Some(roll)) = (&self.parts.writing, looked.roll) {
            // What is there was found all the same.
            if let Err(error) = folder.saw(&roll).await {
                tracing::debug!(%error, "our name could not be put on the roll again");
            }
        }
        batch.service_time = self.parts.served.heard.service_time();
        Ok(batch)
    }

    /// Somebody else's space.
    fn view_of(&self, locator: &Locator) -> Result<Arc<View>, WebError> {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = others.get(locator) {
            return Ok(Arc::clone(view));
        }
        let address = Address::of_locator(locator, Some(&self.parts.address))?;
        // In a laboratory on one machine, another's space is where ours is.
        let whose = if address.is_private() { Whose::Own } else { Whose::Others };
        let layout = layout(&address);
        let served = Served {
            http: Arc::clone(&self.parts.http),
            address,
            whose,
            heard: crate::store::Heard::default(),
        };
        let view = Arc::new(View::new(Arc::new(served), layout, &self.parts.context));
        if others.len() >= MOST_SPACES {
            others.pop_first();
        }
        others.insert(locator.clone(), Arc::clone(&view));
        Ok(view)
    }

    async fn ask(&self) -> Result<(Option<Timestamp>, Option<IpAddr>), WebError> {
        match &self.parts.writing {
            Some(Writing::Folder(_, store)) => Ok((store.probe().await?.service_time, None)),
            Some(Writing::Drop(drop)) => {
                drop.probe().await.map(|(probed, seen_from)| (probed.service_time, seen_from))
            }
            None => {
                self.own
                    .fetch(&Fetch::new(Place::Own, [Key::Name("wayside".to_owned())].into_iter().collect()))
                    .await?;
                Ok((self.parts.served.heard.service_time(), None))
            }
        }
    }

    fn note(&self) -> Option<String> {
        let age = self.parts.served.heard.age();
        let stale = (age >= STALE).then(|| {
            format!(
                "a cache in front of the space hands out copies of {} s ago: have it leave out this folder",
                age.as_secs()
            )
        });
        let reads = self.parts.writing.is_none().then(|| "no --write: this bridge only reads".to_owned());
        let notes: Vec<String> = stale.into_iter().chain(reads).collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}

#[async_trait]
impl Bridge for WebBridge {
    fn info(&self) -> BridgeInfo {
        let title = format!("web space {}", self.parts.address.title());
        BridgeInfo::new(crate::KIND, title, self.locators.clone())
    }

    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        if self.parts.writing.is_none() {
            return Err(WebError::ReadOnly.into());
        }
        self.capability.permit_publish(record)?;
        if matches!(record.key, Key::Slot(_)) == (record.class == Class::Pointer) {
            return Err(WebError::Key.into());
        }
        let (len, max) = (record.bytes.len(), file::max_record(record.class));
        let (_, check) = file::encode(record).ok_or(WebError::RecordTooLarge { len, max })?;
        let task = Task::Publish(file::Found { record: record.clone(), check });
        Ok(self.run(task).await?.ok_or(WebError::Lost)?)
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.capability.permit_fetch(&request, &self.locators)?;
        Ok(self.look(&request).await?)
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        self.capability.permit_watch(&request, &self.locators)?;
        Err(BridgeError::unsupported("this bridge is polled: it has nothing to watch"))
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        if receipts.is_empty() {
            return Ok(());
        }
        Ok(self.run(Task::Retract(receipts.to_vec())).await.map(drop)?)
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.capability.permit_ring(target)
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        let clock = &self.parts.context.clock;
        let started = clock.monotonic();
        let (service_time, public_address) = self.ask().await?;
        let latency = clock.monotonic().since(started);
        Ok(Probe::new(latency)
            .with_service_time(service_time)
            .with_note(self.note())
            .with_public_address(public_address))
    }
}

impl fmt::Debug for WebBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebBridge")
            .field("http", &self.parts.http)
            .field("address", &self.parts.address)
            .finish_non_exhaustive()
    }
}

fn layout(address: &Address) -> Layout {
    if address.is_drop() { Layout::Drop } else { Layout::Folder }
}

fn capability(parts: &Parts) -> Capability {
    let retention = if parts.is_open { RETENTION_OF_OPEN } else { RETENTION };
    let class = |max_record| ClassCapability::new(max_record, retention, Collision::Append, true);
    let phrases = |of: &[&str]| of.iter().map(|&phrase| phrase.to_owned()).collect::<Vec<_>>();
    let mut service = phrases(&[
        "your IP address, and when you look and write",
        if parts.is_open {
            "which records are of one writer, but not whose"
        } else {
            "the user that you write as"
        },
        "everything that readers see, also after it was taken back",
    ]);
    if parts.address.is_plain() {
        service.push("whoever is on the way there: the same, since it goes over http".to_owned());
    }
    if !parts.shared {
        service.push("where friends have their space: your IP address, and when you look there".to_owned());
    }
    let mut readers = phrases(&[
        "whoever knows the address: how many records there are, how large, and until when they are good",
        "which belong under one slot, and public names as they are",
    ]);
    if layout(&parts.address) == Layout::Folder {
        readers.push("how many write there, and which records are of one writer, but not whose".to_owned());
    }
    let classes =
        [(Class::Meeting, class(MOST_OF_MEETING)), (Class::Pointer, class(MOST_OF_POINTER))].into_iter();
    let visible = Visibility { service, readers };
    // Without --write nothing is left there: the space may be somebody else's, and is not said to be where we are met.
    Capability::new(
        classes.filter(|_| parts.writing.is_some()),
        Delivery::Poll { interval: parts.pace.poll },
        visible,
    )
    .with_writers(if parts.shared { Writers::Shared } else { Writers::One })
}
