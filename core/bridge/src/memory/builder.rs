//! Which shape a service in memory takes.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::store::Store;
use super::{MemoryService, Service};
use crate::{
    Capability, Class, ClassCapability, Clock, Collision, Delivery, Kept, Lookup, ManualClock, Visibility,
    Wake, Writers,
};

/// The largest record unless told otherwise: what a Matrix event or a mail carries without trouble.
const MAX_RECORD: usize = 64 * 1024;
/// How long records are kept unless told otherwise.
const RETENTION: Duration = Duration::from_secs(30 * 86_400);
/// How far a watcher may lag unless told otherwise.
const QUEUE: usize = 1024;
/// How many entries fit in unless told otherwise.
const CAPACITY: usize = 100_000;

/// Builds a [`MemoryService`].
#[derive(Clone)]
#[must_use]
pub struct MemoryServiceBuilder {
    name: String,
    capability: Capability,
    clock: Arc<dyn Clock>,
    queue: usize,
    capacity: usize,
}

impl MemoryServiceBuilder {
    pub(super) fn new() -> Self {
        let class = ClassCapability {
            max_record: MAX_RECORD,
            retention: RETENTION,
            collision: Collision::Append,
            retract: true,
        };
        let capability = Capability {
            classes: Class::ALL.into_iter().map(|name| (name, class)).collect(),
            lookup: Lookup::List,
            delivery: Delivery::Push { latency: Duration::ZERO },
            writers: Writers::Shared,
            max_keys: None,
            wake: Wake::Rings,
            kept: Kept::Service,
            visible: Visibility {
                service: vec!["everything but what is sealed".to_owned()],
                readers: vec!["everything but what is sealed".to_owned()],
            },
        };
        Self {
            name: "shared".to_owned(),
            capability,
            clock: Arc::new(ManualClock::new()),
            queue: QUEUE,
            capacity: CAPACITY,
        }
    }

    /// What the shared place is called: its locator is `memory:<name>`. At first `shared`.
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The whole capability at once.
    pub fn capability(mut self, capability: Capability) -> Self {
        self.capability = capability;
        self
    }

    /// The time by which records expire.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// How records are found. At first [`Lookup::List`].
    pub fn lookup(mut self, lookup: Lookup) -> Self {
        self.capability.lookup = lookup;
        self
    }

    /// How news arrives. At first pushed, at once.
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.capability.delivery = delivery;
        self
    }

    /// Who writes in a place. At first [`Writers::Shared`].
    pub fn writers(mut self, writers: Writers) -> Self {
        self.capability.writers = writers;
        self
    }

    /// The most keys of one request. At first without limit.
    pub fn max_keys(mut self, most: usize) -> Self {
        self.capability.max_keys = Some(most);
        self
    }

    /// Whether it rings. At first it does.
    pub fn wake(mut self, wake: Wake) -> Self {
        self.capability.wake = wake;
        self
    }

    /// Carries this class with these limits.
    pub fn class(mut self, class: Class, limits: ClassCapability) -> Self {
        self.capability.classes.insert(class, limits);
        self
    }

    /// Does not carry this class.
    pub fn without(mut self, class: Class) -> Self {
        self.capability.classes.remove(&class);
        self
    }

    /// The largest record of a class that is carried, in bytes. At first 64 KiB.
    pub fn max_record(mut self, class: Class, bytes: usize) -> Self {
        self.capability.classes.entry(class).and_modify(|limits| limits.max_record = bytes);
        self
    }

    /// What a second record under a key does, in all classes. At first both are found.
    pub fn collision(mut self, collision: Collision) -> Self {
        self.capability.classes.values_mut().for_each(|limits| limits.collision = collision);
        self
    }

    /// How long records are kept, in all classes. At first thirty days.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.capability.classes.values_mut().for_each(|limits| limits.retention = retention);
        self
    }

    /// Whether records can be taken back, in all classes. At first they can.
    pub fn retract(mut self, retract: bool) -> Self {
        self.capability.classes.values_mut().for_each(|limits| limits.retract = retract);
        self
    }

    /// How many unread records make a watcher end with `Lagged`. At first 1,024.
    pub fn queue(mut self, records: usize) -> Self {
        self.queue = records;
        self
    }

    /// How many entries fit in before a publication is told `Full`. At first 100,000.
    pub fn capacity(mut self, entries: usize) -> Self {
        self.capacity = entries;
        self
    }

    /// The service, empty.
    pub fn build(self) -> MemoryService {
        let Self { name, capability, clock, queue, capacity } = self;
        let store = Mutex::new(Store::default());
        MemoryService(Arc::new(Service { name, capability, clock, queue, capacity, store }))
    }
}

impl fmt::Debug for MemoryServiceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryServiceBuilder")
            .field("name", &self.name)
            .field("capability", &self.capability)
            .finish_non_exhaustive()
    }
}
