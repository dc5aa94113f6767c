//! A member's bridge to a service in memory.

use std::time::Duration;

use async_trait::async_trait;

use super::MemoryService;
use super::store::{Content, Store};
use super::watch::Watching;
use crate::{
    Batch, Bridge, BridgeError, BridgeInfo, Capability, Cursor, ErrorKind, Fetch, Place, Probe, Receipt,
    Record, RecordStream, Retry, RingTarget, Watch, Writers,
};

/// A member's bridge to a [`MemoryService`].
#[derive(Clone, Debug)]
pub struct MemoryBridge {
    service: MemoryService,
    name: String,
    /// Whether the service lets us in.
    member: bool,
}

impl MemoryBridge {
    pub(super) fn new(service: MemoryService, name: &str, member: bool) -> Self {
        Self { service, name: name.to_owned(), member }
    }

    /// Our own place.
    fn place(&self) -> String {
        self.service.place_of(&self.name)
    }

    /// What the service calls a place that is asked for.
    fn resolve(&self, place: &Place) -> Result<String, BridgeError> {
        match place {
            Place::Own => Ok(self.place()),
            Place::Of(locator) if locator.kind() == "memory" => Ok(locator.address().to_owned()),
            Place::Of(locator) => {
                Err(BridgeError::unsupported(format!("a bridge in memory does not reach {locator}")))
            }
        }
    }

    /// Lets us in and sees to what has expired meanwhile.
    fn enter(&self) -> Result<std::sync::MutexGuard<'_, Store>, BridgeError> {
        if !self.member {
            return Err(BridgeError::new(ErrorKind::Denied, "the service in memory does not let us in"));
        }
        let mut store = self.service.store();
        if let Some(kind) = store.fault {
            return Err(fault(kind));
        }
        store.sweep(self.service.0.clock.now());
        Ok(store)
    }
}

#[async_trait]
impl Bridge for MemoryBridge {
    fn info(&self) -> BridgeInfo {
        let title = match self.capability().writers {
            Writers::Shared => format!("{} (in memory)", self.service.0.name),
            Writers::One => format!("the place of {} (in memory)", self.name),
        };
        BridgeInfo {
            kind: "memory".to_owned(),
            title,
            locators: self.service.locator_of(&self.name).into_iter().collect(),
        }
    }

    fn capability(&self) -> &Capability {
        self.service.capability()
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        self.capability().permit_publish(record)?;
        if self.enter()?.len() >= self.service.0.capacity {
            return Err(BridgeError::new(ErrorKind::Full, "the service in memory is full"));
        }
        let sequence = self.service.insert(&self.place(), &self.name, Content::Record(record.clone()));
        receipt(sequence)
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.capability().permit_fetch(&request, &self.info().locators)?;
        let place = self.resolve(&request.place)?;
        let store = self.enter()?;
        let after = position(&self.service, &store, &place, request.cursor.as_ref());
        let found = store.find(&place, &request.keys, after, request.limit, self.capability().lookup);
        Ok(Batch {
            records: found.records,
            cursor: cursor(&self.service, &place, found.seen),
            more: found.more,
            service_time: Some(self.service.0.clock.now()),
            skipped: found.skipped,
        })
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        self.capability().permit_watch(&request, &self.info().locators)?;
        let place = self.resolve(&request.place)?;
        let mut store = self.enter()?;
        let after = position(&self.service, &store, &place, request.cursor.as_ref());
        let number = store.watch(place.clone(), request.keys.clone());
        drop(store);
        Ok(Box::pin(Watching::new(self.service.clone(), number, place, request.keys, after)))
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        self.capability().permit_retract()?;
        let place = self.place();
        let mut store = self.enter()?;
        for sequence in receipts.iter().filter_map(sequence) {
            let Some(class) = store.class_of(&place, sequence, &self.name) else { continue };
            if !self.capability().class(class).is_some_and(|limits| limits.retract) {
                return Err(BridgeError::unsupported(format!("{class} records cannot be taken back here")));
            }
            store.remove(&place, sequence);
        }
        Ok(())
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.capability().permit_ring(target)?;
        let mut store = self.enter()?;
        if store.rung.len() >= self.service.0.queue {
            store.rung.pop_front();
        }
        store.rung.push_back(target.clone());
        Ok(())
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        drop(self.enter()?);
        Ok(Probe { service_time: Some(self.service.0.clock.now()), ..Probe::default() })
    }
}

/// When it asks us to come again: soon, so that tests are quick.
const SLOW_DOWN: Duration = Duration::from_millis(100);

/// How the service fails when a test has told it to.
pub(super) fn fault(kind: ErrorKind) -> BridgeError {
    let error = BridgeError::new(kind, format!("the service in memory was told to fail: {kind:?}"));
    match kind {
        ErrorKind::RateLimited => error.with_retry(Retry::After(SLOW_DOWN)),
        _ => error,
    }
}

/// A cursor: the number up to which everything has been seen, and the service and place it is valid for.
pub(super) fn cursor(service: &MemoryService, place: &str, seen: u64) -> Option<Cursor> {
    let mut bytes = seen.to_be_bytes().to_vec();
    bytes.extend_from_slice(service.0.name.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(place.as_bytes());
    Cursor::new(bytes)
}

/// The number of a cursor; the beginning where it is none of ours.
fn position(service: &MemoryService, store: &Store, place: &str, given: Option<&Cursor>) -> u64 {
    let number =
        given.and_then(|cursor| cursor.as_bytes().first_chunk()).map(|number| u64::from_be_bytes(*number));
    match number {
        Some(seen) if seen <= store.last() && cursor(service, place, seen).as_ref() == given => seen,
        Some(_) | None => 0,
    }
}

fn receipt(sequence: u64) -> Result<Receipt, BridgeError> {
    Receipt::new(sequence.to_be_bytes().to_vec())
        .ok_or_else(|| BridgeError::new(ErrorKind::Internal, "a number is longer than a receipt"))
}

fn sequence(receipt: &Receipt) -> Option<u64> {
    receipt.as_bytes().try_into().ok().map(u64::from_be_bytes)
}
