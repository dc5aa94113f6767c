//! What a board holds and does for whom, and why it refuses.

use std::fmt;
use std::time::Duration;

/// What a board holds at most, and what one friend may take of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Records of one friend: each of its devices has a few meetings under way, each of one or two records.
    pub friend_records: usize,
    /// Bytes of one friend's records.
    pub friend_bytes: usize,
    /// Records altogether.
    pub records: usize,
    /// Bytes altogether, without what it takes to find them (some 300 bytes a record).
    pub bytes: usize,
    /// How long a record is held at most. Records of meetings expire at the end of the day in which they become a day old.
    pub lifetime: Duration,
    /// One request of a friend's every so often…
    pub every: Duration,
    /// …after so many at once.
    pub burst: u32,
    /// Streams of one friend: one for each of its devices, and what is left of links that were lost. A further one ends the oldest.
    pub streams: usize,
    /// Watches of one stream.
    pub watches: usize,
}

impl Default for Limits {
    /// At most some 20 MB for a crowd, and a quarter of a megabyte for one.
    fn default() -> Self {
        Self {
            friend_records: 512,
            friend_bytes: 256 * 1024,
            records: 32_768,
            bytes: 8 * 1024 * 1024,
            lifetime: Duration::from_secs(2 * 24 * 60 * 60),
            every: Duration::from_micros(31_250),
            burst: 1024,
            streams: 4,
            watches: 16,
        }
    }
}

/// The largest record, in bytes: the larger of the two sizes that records have.
pub const MAX_RECORD: usize = 960;
/// The most keys that one request names.
pub const MAX_KEYS: usize = 256;
/// The most records in one answer, and receipts in one request.
pub const MAX_BATCH: usize = 64;
/// Batches of one watch that may be under way: so many a friend sends before it hears that one was taken.
pub const WINDOW: usize = 4;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Whoever asks is not let.
    NotAllowed,
    /// The record is too large.
    TooLarge,
    /// As many records as one friend may have, or as many bytes, lie there.
    FriendFull,
    /// The board is full of others' records, none of whom has more than whoever asks.
    Full,
    /// Too many requests.
    TooFast,
    /// Too many keys or watches.
    TooMany,
    /// What a later version refuses for.
    Other,
}

impl Reason {
    /// Its number on the wire.
    pub const fn number(self) -> u32 {
        match self {
            Self::NotAllowed => 0,
            Self::TooLarge => 1,
            Self::FriendFull => 2,
            Self::Full => 3,
            Self::TooFast => 4,
            Self::TooMany => 5,
            Self::Other => u32::MAX,
        }
    }

    /// The reason of a number; [`Other`](Self::Other) where it is not known.
    pub const fn of(number: u32) -> Self {
        match number {
            0 => Self::NotAllowed,
            1 => Self::TooLarge,
            2 => Self::FriendFull,
            3 => Self::Full,
            4 => Self::TooFast,
            5 => Self::TooMany,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Reason {
    /// What is the case, to follow a name and a colon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAllowed => "we are not let leave records there",
            Self::TooLarge => "the record is too large",
            Self::FriendFull => "as many records of ours as one friend may have lie there",
            Self::Full => "there is no room left",
            Self::TooFast => "we ask too often",
            Self::TooMany => "we ask for too many keys at once",
            Self::Other => "for a reason that this version does not know",
        })
    }
}

/// A request that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// When to ask again, where that is known.
    pub retry: Option<Duration>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, retry: None }
    }
}
