//! What a bridge carries.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// One sealed record, as it is published and as it is found.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it is found.
    pub key: Key,
    /// What it is for; decides the limits that apply to it.
    pub class: Class,
    /// When anybody may delete it. Published by the day at most, so that it tells little.
    pub not_after: Timestamp,
    /// The sealed bytes; a bridge never looks inside.
    pub bytes: Bytes,
}

impl Record {
    /// A record of its parts.
    pub fn new(key: Key, class: Class, not_after: Timestamp, bytes: impl Into<Bytes>) -> Self {
        Self { key, class, not_after, bytes: bytes.into() }
    }
}

impl fmt::Debug for Record {
    /// Tells the length, not the bytes: logs stay short and records stay out of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("key", &self.key)
            .field("class", &self.class)
            .field("not_after", &self.not_after)
            .field("len", &self.bytes.len())
            .finish()
    }
}

/// Where a record is found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Sixteen bytes that look random to whoever lacks the secret they were derived from.
    Slot(Slot),
    /// A public name, for [`Class::Pointer`] alone: 1–64 characters of `a-z 0-9 - _ .`, not beginning with
    /// `.` or `-`. See [`Key::name`].
    Name(String),
}

impl Key {
    /// The longest public name, in characters.
    pub const MAX_NAME: usize = 64;

    /// A public name, or `None` where it breaks the rule of [`Key::Name`].
    pub fn name(name: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        let first = *name.as_bytes().first()?;
        (name.len() <= Self::MAX_NAME && name.bytes().all(allowed) && !matches!(first, b'.' | b'-'))
            .then(|| Self::Name(name.to_owned()))
    }
}

impl From<Slot> for Key {
    fn from(slot: Slot) -> Self {
        Self::Slot(slot)
    }
}

/// A slot: sixteen bytes derived from a secret that sender and recipient share.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub [u8; 16]);

impl Slot {
    /// The slot of its 32 lower- or upper-case hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for Slot {
    /// 32 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({self})")
    }
}

/// What a record is for. Limits are declared class by class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Introductions, offers, answers: small, short-lived.
    Meeting,
    /// Mail held for somebody who is away: larger, kept for weeks.
    Custody,
    /// A public card under a name: overwritten by its owner, read by anybody.
    Pointer,
}

impl Class {
    /// All classes, in order.
    pub const ALL: [Self; 3] = [Self::Meeting, Self::Custody, Self::Pointer];
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Meeting => "meeting",
            Self::Custody => "custody",
            Self::Pointer => "pointer",
        })
    }
}

/// A moment in whole seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `secs` seconds after the Unix epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// Seconds since the Unix epoch.
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// This moment and `duration`, or the last that can be expressed.
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()))
    }
}

/// What a publication left behind, so that it can be taken back, after a restart too.
///
/// Opaque to everyone but the bridge that made it; at most [`Receipt::MAX`] bytes; never a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(Bytes);

impl Receipt {
    /// The longest receipt, in bytes.
    pub const MAX: usize = 1024;

    /// A receipt of a bridge's own bytes, or `None` where they are longer than [`Receipt::MAX`].
    pub fn new(bytes: impl Into<Bytes>) -> Option<Self> {
        let bytes = bytes.into();
        (bytes.len() <= Self::MAX).then_some(Self(bytes))
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
