//! Messages for friends who are away: sealed, kept by friends, taken in once and in order.
//!
//! ```text
//!  sender                                   host                      recipient
//!  outbox: accepted, sealed (seal)
//!     │  placement: which copy where
//!     └── Put ── as a guest ───────────────> custody: kept, by queue
//!     ┊   or over the link, or by a courier    └── Listed, Get ─────> inbox: opened (seal), once, in order
//!     └ <───────── receipt, itself an item on the same ways ────────────┘
//! ```
//!
//! Pure: what is kept lies in [`Tables`], which the caller opens as one transaction and makes durable before anybody is told; time is an [`Age`], which a clock that jumps
//! does not shake.

pub mod custody;
pub mod inbox;
pub mod item;
pub mod outbox;
pub mod placement;
pub mod prekeys;
mod records;

pub mod seal;
pub mod tables;
pub mod wire;

pub use tables::{Read, Table, Tables};

/// How long something has lived, in seconds, counted so that a clock that jumps does no harm: it stands for a moment of this machine's own life, and only differences mean
/// anything.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode,
)]
#[cbor(transparent)]
pub struct Age(#[n(0)] pub u64);

impl Age {
    /// Later by so many seconds.
    #[must_use]
    pub const fn after(self, secs: u64) -> Self {
        Self(self.0.saturating_add(secs))
    }

    /// Seconds from `earlier` to this, none where it is not earlier.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Why something of a mailbox was not done: the store's own errors, or what was found in it.
#[derive(Debug, thiserror::Error)]
pub enum MailError<E> {
    /// The store.
    #[error(transparent)]
    Store(E),
    /// What lies in the store is not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(&'static str),
}
