//! The bridge: each method is a job for the folder.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use wayside_bridge::{
    Batch, Bridge, BridgeContext, BridgeError, BridgeInfo, Capability, Class, ClassCapability, Collision,
    Delivery, Fetch, Probe, Receipt, Record, RecordStream, RingTarget, Visibility, Wake, Watch, file,
};

use crate::bell::{Bell, Listening};
use crate::error::DirError;
use crate::hook::Hook;
use crate::index::Index;
use crate::jobs::Jobs;
use crate::place::Place;
use crate::ring::{RingName, Ringer};
use crate::write::{self, Writer};
use crate::{pace, watch};

/// Records stay until they expire; nobody is held to more than this.
const RETENTION: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A folder that both sides can see.
pub struct DirBridge {
    shared: Arc<Shared>,
    capability: Capability,
    _listening: Option<Listening>,
}

/// What jobs and watches hold.
pub(crate) struct Shared {
    pub(crate) place: Arc<Place>,
    pub(crate) jobs: Jobs,
    index: Mutex<Index>,
    writer: Writer,
    ringer: Ringer,
}

impl DirBridge {
    /// Opens the folder at an absolute path and marks it as shared, where it may be written and is not marked yet.
    ///
    /// A folder that only reads is opened as well. So is one that an earlier process knew (by
    /// [`BridgeContext::state_dir`]) and that is not there now: every method then fails until it is plugged in again.
    ///
    /// With a hook it is run whenever its bell rings, for as long as the bridge is open.
    pub(crate) async fn open(
        path: PathBuf,
        hook: Option<(RingName, Hook)>,
        context: BridgeContext,
    ) -> Result<Self, DirError> {
        let spawner = Arc::clone(&context.spawner);
        let jobs = Jobs::new(path.clone(), Arc::clone(&context.clock));
        let index = Mutex::new(Index::new(context.entropy.as_ref()));
        let (place, latency) = jobs
            .run(move || {
                let place = Place::new(path, context);
                let was_known = place.is_known();
                match place.settle() {
                    Ok(_) | Err(DirError::ReadOnly { .. } | DirError::Full { .. }) => {}
                    Err(_) if was_known => {}
                    // Not ours to write does not mean not ours to read.
                    Err(DirError::Denied { .. }) => drop(place.enter()?),
                    Err(error) => return Err(error),
                }
                let latency = pace::latency(place.path());
                Ok((place, latency))
            })
            .await?;
        let place = Arc::new(place);
        let listening = hook.map(|(name, hook)| {
            Bell::new(Arc::clone(&place), jobs.clone(), name, Some(hook)).listen(spawner.as_ref())
        });
        let (writer, ringer) = (Writer::default(), Ringer::default());
        let shared = Arc::new(Shared { place, jobs, index, writer, ringer });
        Ok(Self { shared, capability: capability(latency), _listening: listening })
    }

    async fn job<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Shared) -> Result<T, DirError> + Send + 'static,
    ) -> Result<T, BridgeError> {
        let shared = Arc::clone(&self.shared);
        Ok(self.shared.jobs.run(move || job(&shared)).await?)
    }
}

impl Shared {
    /// The next page; blocks.
    pub(crate) fn fetch(&self, request: &Fetch) -> Result<Batch, DirError> {
        let Some(folder) = self.place.enter()? else {
            return Ok(Batch::new(Vec::new(), request.cursor.clone()));
        };
        let mut markers = self.place.markers();
        let now = self.place.context().clock.now();
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = index.page(&folder, request, &mut markers, now);
        drop(index);
        let batch = batch.map_err(|error| self.place.below(error))?;
        self.place.learn(&markers);
        Ok(batch)
    }
}

#[async_trait]
impl Bridge for DirBridge {
    fn info(&self) -> BridgeInfo {
        let place = &self.shared.place;
        BridgeInfo::new(crate::KIND, format!("folder {}", place.path().display()), place.locators())
    }

    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        self.capability.permit_publish(record)?;
        let record = record.clone();
        self.job(move |shared| shared.writer.publish(&shared.place, &record)).await
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.capability.permit_fetch(&request, &self.shared.place.locators())?;
        self.job(move |shared| shared.fetch(&request)).await
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        self.capability.permit_watch(&request, &self.shared.place.locators())?;
        let request = Fetch::new(request.place, request.keys).after(request.cursor);
        Ok(watch::stream(Arc::clone(&self.shared), request))
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        let receipts = receipts.to_vec();
        self.job(move |shared| write::retract(&shared.place, &receipts)).await
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.capability.permit_ring(target)?;
        let name = RingName::parse(&target.0).ok_or(DirError::RingName)?;
        self.job(move |shared| shared.ringer.ring(&shared.place, &name)).await
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        let clock = &self.shared.place.context().clock;
        let started = clock.monotonic();
        let note = self
            .job(|shared| match shared.writer.try_out(&shared.place) {
                Ok(()) => Ok(None),
                // Others' records can still be read.
                Err(error @ (DirError::ReadOnly { .. } | DirError::Denied { .. })) => {
                    shared.place.enter()?;
                    Ok(Some(error.to_string()))
                }
                Err(error) => Err(error),
            })
            .await?;
        // Whose clock stamps the files is not to be seen, so none is told.
        Ok(Probe::new(clock.monotonic().since(started)).with_note(note))
    }
}

impl fmt::Debug for DirBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirBridge").field("place", &self.shared.place).finish_non_exhaustive()
    }
}

fn capability(latency: Duration) -> Capability {
    let class = |class| {
        let collision = if class == Class::Pointer { Collision::Overwrite } else { Collision::Append };
        let max_record = file::max_record(class);
        (class, ClassCapability::new(max_record, RETENTION, collision, true))
    };
    let phrases = |phrases: &[&str]| phrases.iter().map(|&phrase| phrase.to_owned()).collect();
    let visible = Visibility {
        service: phrases(&[
            "your account on the file server or cloud behind the folder, and your IP address there",
            "when you read and write, and from which of your computers",
            "how many records there are, their sizes, when they were written and when they expire",
            "which records belong under one slot, and public names as they are",
            "who is rung, by the name that they chose for it, and when",
        ]),
        readers: phrases(&[
            "the user id that your files belong to on this file system",
            "how many records there are, their sizes, when they were written and when they expire",
            "which records belong under one slot, and public names as they are",
            "who is rung, by the name that they chose for it, and when",
        ]),
    };
    Capability::new(Class::ALL.into_iter().map(class), Delivery::Push { latency }, visible)
        .with_wake(Wake::Rings)
}
