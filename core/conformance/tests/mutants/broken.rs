//! A bridge with one defect, over a sound one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::StreamExt;
use wayside_bridge::{
    Batch, Bridge, BridgeError, BridgeInfo, Capability, Cursor, ErrorKind, Fetch, Key, Keys, Locator, Place,
    Probe, Receipt, Record, RecordStream, RingTarget, SharedBridge, Slot, Timestamp, Watch,
};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    None,
    /// Says nothing of what it is.
    NoTitle,
    /// Each member names the shared place differently.
    OtherLocator,
    ProbeFails,
    /// Loses the last byte.
    Truncates,
    /// Keeps the day and loses the hour of the expiry, wrongly.
    RoundsExpiry,
    /// Finds what nobody asked for.
    HandsOutStrays,
    MissingKeyFails,
    /// As a text-mode file.
    MangledLineEnds,
    /// As a mailbox file.
    QuotesFrom,
    RefusesDuplicates,
    /// One of two publications at the same time.
    LosesConcurrent,
    /// Says that it has done what it cannot.
    TakesAnything,
    /// Cuts a record that is too large.
    CutsTooLarge,
    OneByteShort,
    /// The smallest class's.
    OneLimitForAll,
    /// Looks for ten keys and forgets the others.
    TenKeys,
    /// Says that it has published when it was told to slow down.
    DeniesThrottling,
    /// Wrong credentials look like a service that is down.
    VagueDenial,
    /// An unknown cursor is an error.
    StrictCursor,
    /// A cursor that counts records.
    OffsetCursor,
    LosesAfterCursor,
    /// Answers with all there is.
    NoLimit,
    /// Says forever that there is more.
    NeverDone,
    /// Though it declares to append.
    Overwrites,
    /// Finds nothing once a day has passed.
    ForgetsAfterADay,
    IgnoresRetract,
    /// Receipts are good for one process.
    ForgetsReceipts,
    /// Retracting again is an error.
    RetractOnce,
    /// Everything under the record's key.
    RetractsTheKey,
    /// Five of a batch.
    RetractsFive,
    /// Whosever place is asked for.
    OwnPlaceOnly,
    /// Never wakes.
    DeafWatcher,
    /// Forgets what was there before.
    WatchesFromNow,
    /// A second watcher gets nothing.
    OneWatcher,
    /// Throws away what a slow watcher has not read.
    DropsUnread,
    /// Says that it has rung and has not.
    NeverRings,
    /// Whoever is meant.
    RingsEverybody,
    /// Takes any name for somebody's.
    RingsNobody,
    /// A publication that was broken off holds a lock for good.
    StuckWhenDropped,
    /// Writes half first.
    TornWhenDropped,
    /// Leaves something beside each record.
    LeavesMarkers,
    /// Hands on only what it knows.
    JudgesContent,
    ChokesOnJunk,
    HidesJunk,
    /// One record a batch.
    OneAtATime,
    /// Gives up after a thousand entries.
    LooksAtAThousand,
}

/// What all handles of a run know.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    published: Mutex<Vec<(Record, Receipt)>>,
    busy: AtomicBool,
    watchers: AtomicUsize,
    handles: AtomicUsize,
    first_seen: Mutex<Option<Timestamp>>,
}

#[derive(Debug)]
pub(crate) struct Broken {
    inner: SharedBridge,
    defect: Defect,
    shared: Arc<Shared>,
    number: usize,
    own: Mutex<Vec<Receipt>>,
    retracted: Mutex<BTreeMap<Receipt, ()>>,
}

impl Broken {
    pub(crate) fn new(inner: SharedBridge, defect: Defect, shared: Arc<Shared>) -> Self {
        let number = shared.handles.fetch_add(1, Ordering::Relaxed);
        Self { inner, defect, shared, number, own: Mutex::default(), retracted: Mutex::default() }
    }

    async fn put(&self, record: &Record) -> Result<Receipt, BridgeError> {
        let receipt = self.inner.publish(record).await?;
        self.shared.published.lock().unwrap().push((record.clone(), receipt.clone()));
        self.own.lock().unwrap().push(receipt.clone());
        Ok(receipt)
    }

    fn earlier(&self, key: &Key) -> Vec<(Record, Receipt)> {
        self.shared
            .published
            .lock()
            .unwrap()
            .iter()
            .filter(|(record, _)| record.key == *key)
            .cloned()
            .collect()
    }

    /// Everything of a place, for defects that do their own looking.
    async fn everything(&self, request: &Fetch) -> Result<Vec<Record>, BridgeError> {
        let mut all = Fetch::new(request.place.clone(), request.keys.clone());
        all.limit = usize::MAX;
        Ok(self.inner.fetch(all).await?.records)
    }
}

#[async_trait]
impl Bridge for Broken {
    fn info(&self) -> BridgeInfo {
        let mut info = self.inner.info();
        match self.defect {
            Defect::NoTitle => info.title.clear(),
            Defect::OtherLocator => {
                info.locators =
                    Locator::new("memory", &format!("mine-{}", self.number)).into_iter().collect();
            }
            _ => {}
        }
        info
    }

    fn capability(&self) -> &Capability {
        self.inner.capability()
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        let mut changed = record.clone();
        let bytes = record.bytes.to_vec();
        match self.defect {
            Defect::Truncates => changed.bytes.truncate(bytes.len().saturating_sub(1)),
            Defect::RoundsExpiry => changed.not_after = Timestamp::from_secs(record.not_after.as_secs() - 1),
            Defect::MangledLineEnds => {
                changed.bytes = bytes.into_iter().filter(|byte| *byte != b'\r').collect::<Vec<_>>().into();
            }
            Defect::QuotesFrom if bytes.starts_with(b"From ") => {
                changed.bytes = [b">", &*bytes].concat().into()
            }
            Defect::CutsTooLarge => {
                let most = self.capability().class(record.class).map_or(0, |limits| limits.max_record);
                changed.bytes.truncate(most);
            }
            Defect::RefusesDuplicates if self.earlier(&record.key).iter().any(|(one, _)| one == record) => {
                return Err(BridgeError::new(ErrorKind::Refused, "it is there already"));
            }
            Defect::LosesConcurrent => {
                let lost = self.shared.busy.swap(true, Ordering::SeqCst);
                tokio::task::yield_now().await;
                self.shared.busy.store(false, Ordering::SeqCst);
                if lost {
                    return Ok(Receipt::new(vec![0]).unwrap());
                }
            }
            Defect::OneByteShort => {
                let most = self.capability().class(record.class).map_or(0, |limits| limits.max_record);
                if bytes.len() == most {
                    return Err(BridgeError::new(ErrorKind::Refused, "too large"));
                }
            }
            Defect::OneLimitForAll => {
                let least = self.capability().classes.values().map(|limits| limits.max_record).min();
                if Some(bytes.len()) > least {
                    return Err(BridgeError::new(ErrorKind::Refused, "too large"));
                }
            }
            Defect::Overwrites => {
                for (_, receipt) in self.earlier(&record.key) {
                    self.inner.retract(&[receipt]).await?;
                }
            }
            Defect::StuckWhenDropped => {
                if self.shared.busy.swap(true, Ordering::SeqCst) {
                    return Err(BridgeError::new(ErrorKind::Internal, "somebody else publishes"));
                }
                tokio::task::yield_now().await;
                self.shared.busy.store(false, Ordering::SeqCst);
            }
            Defect::TornWhenDropped => {
                changed.bytes.truncate(bytes.len() / 2);
                let half = self.inner.publish(&changed).await?;
                tokio::task::yield_now().await;
                self.inner.retract(&[half]).await?;
                changed = record.clone();
            }
            Defect::LeavesMarkers => {
                let key = Key::Slot(Slot([0; 16]));
                self.inner.publish(&Record { key, ..record.clone() }).await?;
            }
            _ => {}
        }
        let refused = self.put(&changed).await;
        match (&refused, self.defect) {
            (Err(error), Defect::TakesAnything) if error.kind() == ErrorKind::Refused => {
                Ok(Receipt::new(vec![0]).unwrap())
            }
            (Err(error), Defect::DeniesThrottling) if error.kind() == ErrorKind::RateLimited => {
                Ok(Receipt::new(vec![0]).unwrap())
            }
            (Err(error), Defect::VagueDenial) if error.kind() == ErrorKind::Denied => {
                Err(BridgeError::new(ErrorKind::Unreachable, "something went wrong"))
            }
            _ => refused,
        }
    }

    async fn fetch(&self, mut request: Fetch) -> Result<Batch, BridgeError> {
        let asked = request.clone();
        match self.defect {
            Defect::HandsOutStrays => request.keys = Keys::All,
            Defect::OwnPlaceOnly => request.place = Place::Own,
            Defect::NoLimit => request.limit = usize::MAX,
            Defect::OneAtATime => request.limit = 1,
            Defect::TenKeys => {
                if let Keys::These(keys) = &request.keys {
                    request.keys = keys.iter().take(10).cloned().collect();
                }
            }
            Defect::StrictCursor
                if request.cursor.as_ref().is_some_and(|cursor| cursor.as_bytes().len() < 12) =>
            {
                return Err(BridgeError::new(ErrorKind::Refused, "what cursor is this?"));
            }
            Defect::OffsetCursor => return self.fetch_by_offset(request).await,
            Defect::LooksAtAThousand => {
                let mut found = self.everything(&Fetch::new(asked.place, Keys::All)).await?;
                found.truncate(1_000);
                found.retain(|record| asked.keys.contains(&record.key));
                found.truncate(asked.limit);
                return Ok(Batch::new(found, None));
            }
            _ => {}
        }
        let after = request.cursor.is_some();
        let mut batch = self.inner.fetch(request).await?;
        match self.defect {
            Defect::MissingKeyFails if batch.records.is_empty() => {
                return Err(BridgeError::new(ErrorKind::Gone, "there is no such key"));
            }
            Defect::LosesAfterCursor if after && !batch.records.is_empty() => {
                batch.records.remove(0);
            }
            Defect::NeverDone => batch.more = true,
            Defect::ForgetsAfterADay => {
                let now = batch.service_time.unwrap_or_default();
                let first = *self.shared.first_seen.lock().unwrap().get_or_insert(now);
                if now.as_secs() > first.as_secs() + 86_400 {
                    batch.records.clear();
                }
            }
            Defect::JudgesContent => {
                let published = self.shared.published.lock().unwrap();
                batch.records.retain(|record| published.iter().any(|(known, _)| known == record));
            }
            Defect::ChokesOnJunk if batch.skipped > 0 => {
                return Err(BridgeError::new(ErrorKind::Garbled, "what is this?"));
            }
            Defect::HidesJunk => batch.skipped = 0,
            _ => {}
        }
        Ok(batch)
    }

    async fn watch(&self, mut request: Watch) -> Result<RecordStream, BridgeError> {
        match self.defect {
            Defect::DeafWatcher => Ok(futures::stream::pending().boxed()),
            Defect::WatchesFromNow => {
                let mut latest = Fetch::new(request.place.clone(), request.keys.clone());
                latest.limit = usize::MAX;
                request.cursor = self.inner.fetch(latest).await?.cursor;
                self.inner.watch(request).await
            }
            Defect::OneWatcher if self.shared.watchers.fetch_add(1, Ordering::SeqCst) > 0 => {
                Ok(futures::stream::pending().boxed())
            }
            Defect::DropsUnread => {
                let stream = self.inner.watch(request).await?;
                let shortened = stream.map(|item| {
                    item.map(|mut batch| {
                        batch.records.truncate(20);
                        batch
                    })
                });
                Ok(shortened.boxed())
            }
            _ => self.inner.watch(request).await,
        }
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        let mut receipts = receipts.to_vec();
        match self.defect {
            Defect::IgnoresRetract => return Ok(()),
            Defect::ForgetsReceipts => {
                let own = self.own.lock().unwrap();
                receipts.retain(|receipt| own.contains(receipt));
            }
            Defect::RetractOnce => {
                let mut retracted = self.retracted.lock().unwrap();
                if receipts.iter().any(|receipt| retracted.insert(receipt.clone(), ()).is_some()) {
                    return Err(BridgeError::new(ErrorKind::Gone, "it is gone already"));
                }
            }
            Defect::RetractsTheKey => {
                let published = self.shared.published.lock().unwrap();
                let keys: Vec<_> = published
                    .iter()
                    .filter(|(_, receipt)| receipts.contains(receipt))
                    .map(|(record, _)| record.key.clone())
                    .collect();
                let under = published.iter().filter(|(record, _)| keys.contains(&record.key));
                receipts = under.map(|(_, receipt)| receipt.clone()).collect();
            }
            Defect::RetractsFive => receipts.truncate(5),
            _ => {}
        }
        self.inner.retract(&receipts).await
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        match self.defect {
            Defect::NeverRings => self.capability().permit_ring(target),
            Defect::RingsEverybody => {
                self.inner.ring(target).await?;
                // The harness names members by their number.
                self.inner.ring(&RingTarget(target.0.replace("member-1", "member-0"))).await
            }
            Defect::RingsNobody => self.inner.ring(target).await.or(Ok(())),
            _ => self.inner.ring(target).await,
        }
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        match self.defect {
            Defect::ProbeFails => Err(BridgeError::unsupported("this cannot be probed")),
            _ => self.inner.probe().await,
        }
    }
}

impl Broken {
    /// Counts records where it should keep a position.
    async fn fetch_by_offset(&self, request: Fetch) -> Result<Batch, BridgeError> {
        let all = self.everything(&Fetch::new(request.place, Keys::All)).await?;
        let given = request.cursor.as_ref().and_then(|cursor| cursor.as_bytes().try_into().ok());
        let offset = given.map_or(0, u64::from_be_bytes) as usize;
        let count = all.len();
        let mut records: Vec<_> = all.into_iter().skip(offset).collect();
        records.retain(|record| request.keys.contains(&record.key));
        records.truncate(request.limit);
        let cursor = Cursor::new((count as u64).to_be_bytes().to_vec());
        Ok(Batch::new(records, cursor))
    }
}
