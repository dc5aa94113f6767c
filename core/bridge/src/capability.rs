//! What a service can do, as data, limits included.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Class;

/// What a bridge declares. What is not declared is refused before the bridge sees it
/// ([`layers::Check`](crate::layers::Check)).
///
/// The words in it ([`Class`], [`Lookup`], [`Delivery`], [`Writers`], [`Collision`], [`Wake`], [`Kept`]) are all that there are, and whoever matches on them names each:
/// one that is passed over would be a promise that nobody keeps, so that a new one is to stop the compiler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Capability {
    /// The classes of record it carries, each with its limits. A class that is missing is not carried.
    pub classes: BTreeMap<Class, ClassCapability>,
    /// How records are found.
    pub lookup: Lookup,
    /// How news arrives.
    pub delivery: Delivery,
    /// Who writes in the place.
    pub writers: Writers,
    /// The most keys that one fetch or watch may name; `None` where only memory bounds it.
    pub max_keys: Option<usize>,
    /// Whether it can make a person's device notice.
    pub wake: Wake,
    /// By whom a record is kept until it expires.
    #[serde(default)]
    pub kept: Kept,
    /// What the service and its readers see, whatever the records' contents.
    pub visible: Visibility,
}

impl Capability {
    /// A shared place that can be listed, does not ring, and takes any number of keys at once: what differs is set with the methods below.
    pub fn new(
        classes: impl IntoIterator<Item = (Class, ClassCapability)>,
        delivery: Delivery,
        visible: Visibility,
    ) -> Self {
        Self {
            classes: classes.into_iter().collect(),
            lookup: Lookup::List,
            delivery,
            writers: Writers::Shared,
            max_keys: None,
            wake: Wake::Never,
            kept: Kept::Service,
            visible,
        }
    }

    /// With records found in this way.
    #[must_use]
    pub fn with_lookup(mut self, lookup: Lookup) -> Self {
        self.lookup = lookup;
        self
    }

    /// With these writers.
    #[must_use]
    pub fn with_writers(mut self, writers: Writers) -> Self {
        self.writers = writers;
        self
    }

    /// With at most so many keys in one request.
    #[must_use]
    pub fn with_max_keys(mut self, max_keys: usize) -> Self {
        self.max_keys = Some(max_keys);
        self
    }

    /// With ringing, or without.
    #[must_use]
    pub fn with_wake(mut self, wake: Wake) -> Self {
        self.wake = wake;
        self
    }

    /// With records kept by this one.
    #[must_use]
    pub fn with_kept(mut self, kept: Kept) -> Self {
        self.kept = kept;
        self
    }

    /// The limits of one class, where it is carried.
    pub fn class(&self, class: Class) -> Option<&ClassCapability> {
        self.classes.get(&class)
    }
}

/// The limits of one class of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassCapability {
    /// The largest record, in bytes of [`Record::bytes`](crate::Record::bytes).
    pub max_record: usize,
    /// How long the service keeps a record at least, unless it is retracted or expires.
    #[serde(with = "seconds")]
    pub retention: Duration,
    /// What a second record under one key does to the first.
    pub collision: Collision,
    /// Whether a record can be taken back before it expires.
    pub retract: bool,
}

impl ClassCapability {
    /// These limits.
    pub const fn new(max_record: usize, retention: Duration, collision: Collision, retract: bool) -> Self {
        Self { max_record, retention, collision, retract }
    }
}

/// How records are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lookup {
    /// The whole place can be listed (a room, a folder); [`Keys::All`](crate::Keys::All) works.
    List,
    /// One must know the key (DNS, a web space).
    Key,
}

/// How news arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
pub enum Delivery {
    /// [`Bridge::watch`](crate::Bridge::watch) works and wakes within this of a publication.
    Push {
        /// The longest time from publication to the watcher's batch, in a service that is up.
        #[serde(with = "millis")]
        latency: Duration,
    },
    /// One fetches now and then.
    Poll {
        /// The least interval between two fetches.
        #[serde(with = "millis")]
        interval: Duration,
    },
}

impl Delivery {
    /// About how long a record takes from one side to the other.
    pub const fn latency(self) -> Duration {
        match self {
            Self::Push { latency } => latency,
            Self::Poll { interval } => interval,
        }
    }
}

/// Who writes in the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Writers {
    /// Everybody who shares it (a room, a list, a repository).
    Shared,
    /// Its owner alone; others read (a zone, a web space).
    One,
}

/// What a second record under one key does to the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Collision {
    /// Both are found.
    Append,
    /// The later replaces the earlier.
    Overwrite,
}

/// Whether a bridge can make a person's device notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wake {
    /// It cannot.
    Never,
    /// [`Bridge::ring`](crate::Bridge::ring) works.
    Rings,
}

/// By whom a record is kept until it expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    /// By the service: a record waits there for whoever comes later, wherever its writer is by then.
    #[default]
    Service,
    /// By its writer's own machine, on a network that it shares with the reader: what is found was left by somebody who is there now, and is gone when
    /// the writer is. So nothing waits there, and looking costs nobody anything: whoever comes says so to friends who may be there.
    Writer,
}

/// Who sees what, in short phrases that `bridge add` shows to a person before anything is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visibility {
    /// What the service's operator sees (`your Matrix user id`, `your IP address`, `when you publish`).
    pub service: Vec<String>,
    /// What others who can read the place see.
    pub readers: Vec<String>,
}

/// Whole seconds, as capability files and the line protocol write retention.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(value.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

/// Whole milliseconds, as capability files and the line protocol write latencies.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
