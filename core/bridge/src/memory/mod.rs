//! A service in memory: for tests and simulations, and the reference for what the contract means.
//!
//! It takes whatever shape its [`Capability`] describes: listed or looked up by key, appending or overwriting,
//! shared or one writer a place, pushing or polled. It is also a service that a test can abuse: plant junk, tamper
//! with what is stored, make it fail.

mod bridge;
mod builder;
mod kind;
mod room;
mod store;
mod watch;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

pub use bridge::MemoryBridge;
pub use builder::MemoryServiceBuilder;
pub use room::MemoryRoom;
use store::{Content, Store};

use crate::{Capability, Clock, ErrorKind, Locator, Record, RingTarget, Writers};

/// A service in memory. Clones are the same service.
#[derive(Clone)]
pub struct MemoryService(Arc<Service>);

struct Service {
    name: String,
    capability: Capability,
    clock: Arc<dyn Clock>,
    queue: usize,
    capacity: usize,
    store: Mutex<Store>,
}

impl MemoryService {
    /// A service that carries everything: listed, appending, shared, pushing at once, ringing.
    ///
    /// Its clock stands still; [`MemoryService::builder`] takes another.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A service of another shape.
    pub fn builder() -> MemoryServiceBuilder {
        MemoryServiceBuilder::new()
    }

    /// A member's bridge. The same name again is the same member, as after a restart.
    ///
    /// Members share one place, or have one each (`memory:<name>`) where the service has one writer a place.
    pub fn bridge(&self, name: &str) -> MemoryBridge {
        MemoryBridge::new(self.clone(), name, true)
    }

    /// A bridge of somebody whom the service does not let in: everything is `Denied`.
    pub fn stranger(&self, name: &str) -> MemoryBridge {
        MemoryBridge::new(self.clone(), name, false)
    }

    /// What the service can do.
    pub fn capability(&self) -> &Capability {
        &self.0.capability
    }

    /// How many entries are stored in all places, junk included.
    pub fn stored(&self) -> usize {
        self.store().sweep(self.0.clock.now());
        self.store().len()
    }

    /// Whom members have rung, the latest last; at most the queue's length of them are kept.
    pub fn rung(&self) -> Vec<RingTarget> {
        self.store().rung.iter().cloned().collect()
    }

    /// Stores, in a member's place, what no bridge could parse.
    pub fn plant_junk(&self, member: &str, junk: impl Into<Bytes>) {
        let place = self.place_of(member);
        self.insert(&place, "somebody", Content::Junk(junk.into()));
    }

    /// Stores a record in a member's place, whatever limits are declared.
    pub fn plant(&self, member: &str, record: Record) {
        let place = self.place_of(member);
        self.insert(&place, "somebody", Content::Record(record));
    }

    /// Shows every stored record to `change`, which may alter it.
    pub fn tamper(&self, change: impl FnMut(&mut Record)) {
        self.store().records_mut().for_each(change);
    }

    /// Makes every operation fail so, watchers included, until it is called with `None`.
    pub fn fail_with(&self, kind: Option<ErrorKind>) {
        let wakers = {
            let mut store = self.store();
            store.fault = kind;
            store.wakers()
        };
        wakers.into_iter().for_each(std::task::Waker::wake);
    }

    fn insert(&self, place: &str, writer: &str, content: Content) -> u64 {
        let (sequence, wakers) =
            self.store().insert(place, writer, content, &self.0.capability, self.0.clock.now());
        wakers.into_iter().for_each(std::task::Waker::wake);
        sequence
    }

    fn place_of(&self, member: &str) -> String {
        match self.0.capability.writers {
            Writers::Shared => self.0.name.clone(),
            Writers::One => member.to_owned(),
        }
    }

    fn locator_of(&self, member: &str) -> Option<Locator> {
        Locator::new("memory", &self.place_of(member))
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryService {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryService").field("name", &self.0.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
