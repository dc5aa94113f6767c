//! Arguments and answers of [`Bridge::fetch`](crate::Bridge::fetch) and [`Bridge::watch`](crate::Bridge::watch).

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::stream::BoxStream;

use crate::{BridgeError, Key, Locator, Record, Timestamp};

/// What to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetch {
    /// Whose place.
    pub place: Place,
    /// Which keys.
    pub keys: Keys,
    /// After what; `None` from the beginning.
    pub cursor: Option<Cursor>,
    /// At most so many records in the batch (the bridge may return fewer and set [`Batch::more`]).
    pub limit: usize,
}

impl Fetch {
    /// The default of [`Fetch::limit`].
    pub const LIMIT: usize = 256;

    /// Everything of these keys from the beginning, in batches of [`Fetch::LIMIT`].
    pub fn new(place: Place, keys: Keys) -> Self {
        Self { place, keys, cursor: None, limit: Self::LIMIT }
    }

    /// The same after a cursor.
    #[must_use]
    pub fn after(mut self, cursor: Option<Cursor>) -> Self {
        self.cursor = cursor;
        self
    }
}

/// What to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Watch {
    /// Whose place.
    pub place: Place,
    /// Which keys; at most the declared number.
    pub keys: Keys,
    /// After what; `None` from the beginning.
    pub cursor: Option<Cursor>,
}

impl Watch {
    /// Everything of these keys from the beginning, and then as it comes.
    pub fn new(place: Place, keys: Keys) -> Self {
        Self { place, keys, cursor: None }
    }

    /// The same after a cursor.
    #[must_use]
    pub fn after(mut self, cursor: Option<Cursor>) -> Self {
        self.cursor = cursor;
        self
    }
}

/// Whose place is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The place that this bridge was configured for: shared with others, or one's own one-writer space.
    Own,
    /// Another owner's one-writer space of the same kind (their zone, their web space). Needs
    /// [`Writers::One`](crate::Writers::One); others answer `Unsupported` unless the locator is among their own.
    Of(Locator),
}

/// Which keys are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// All of them. Needs [`Lookup::List`](crate::Lookup::List).
    All,
    /// These. With [`Lookup::Key`](crate::Lookup::Key) at most the declared number.
    These(BTreeSet<Key>),
}

impl Keys {
    /// Whether a record under this key is asked for.
    pub fn contains(&self, key: &Key) -> bool {
        match self {
            Self::All => true,
            Self::These(keys) => keys.contains(key),
        }
    }
}

impl<I: Into<Key>> FromIterator<I> for Keys {
    fn from_iter<T: IntoIterator<Item = I>>(keys: T) -> Self {
        Self::These(keys.into_iter().map(Into::into).collect())
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// The records, in no particular order.
    pub records: Vec<Record>,
    /// Where to go on; `None` where the service keeps no order (then everything is found again each time).
    pub cursor: Option<Cursor>,
    /// Whether fetching on from the cursor would find more right away.
    pub more: bool,
    /// The service's own clock, where it tells it.
    pub service_time: Option<Timestamp>,
    /// Entries that were there and could not be parsed as records: somebody else's, or junk.
    pub skipped: u64,
}

impl Batch {
    /// These records, and where to go on.
    pub fn new(records: Vec<Record>, cursor: Option<Cursor>) -> Self {
        Self { records, cursor, ..Self::default() }
    }

    /// With word of whether there is more after the cursor.
    #[must_use]
    pub fn with_more(mut self, more: bool) -> Self {
        self.more = more;
        self
    }

    /// With what the service's own clock reads, where it tells.
    #[must_use]
    pub fn with_service_time(mut self, service_time: Option<Timestamp>) -> Self {
        self.service_time = service_time;
        self
    }

    /// With the number of entries that could not be parsed.
    #[must_use]
    pub fn with_skipped(mut self, skipped: u64) -> Self {
        self.skipped = skipped;
        self
    }
}

/// A position in a bridge's records: opaque, storable, valid for the place and bridge that gave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(Bytes);

impl Cursor {
    /// The longest cursor, in bytes.
    pub const MAX: usize = 4096;

    /// A cursor of a bridge's own bytes, or `None` where they are longer than [`Cursor::MAX`].
    pub fn new(bytes: impl Into<Bytes>) -> Option<Self> {
        let bytes = bytes.into();
        (bytes.len() <= Self::MAX).then_some(Self(bytes))
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Batches as they come.
pub type RecordStream = BoxStream<'static, Result<Batch, BridgeError>>;
