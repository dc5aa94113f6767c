//! Time, as it is told to us.

use std::time::Duration;

use minicbor::{Decode, Encode};

/// The present: both clocks, read at one moment by the driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, which may be wrong and may jump.
    pub wall: UnixMillis,
    /// Time since the process began; never goes back.
    pub mono: Duration,
}

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct UnixMillis(#[n(0)] pub u64);

impl UnixMillis {
    /// The moment `secs` seconds after the Unix epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Whole seconds since the Unix epoch.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// Later by `duration`, or the last moment that can be expressed.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// From `earlier` to this moment, zero where it is not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// How far two moments are apart.
    pub const fn distance(self, other: Self) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }
}

/// A day of 24 hours, UTC: the number of whole days since 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Epoch(#[n(0)] pub u32);

impl Epoch {
    /// How long an epoch lasts.
    pub const LENGTH: Duration = Duration::from_secs(86_400);

    /// The epoch that holds this moment.
    pub fn of(moment: UnixMillis) -> Self {
        Self(u32::try_from(moment.as_secs() / Self::LENGTH.as_secs()).unwrap_or(u32::MAX))
    }

    /// The moment it begins.
    pub const fn begin(self) -> UnixMillis {
        UnixMillis::from_secs(self.0 as u64 * Self::LENGTH.as_secs())
    }

    /// The epoch `days` later.
    #[must_use]
    pub const fn plus(self, days: u32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// The epoch `days` earlier.
    #[must_use]
    pub const fn minus(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// The one before, this one and the one after: what is watched, so that a clock a day wrong still meets.
    pub fn watched(self) -> [Self; 3] {
        [self.minus(1), self, self.plus(1)]
    }
}

#[cfg(test)]
mod tests;
