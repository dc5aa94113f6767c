//! What a bridge's author supplies so that the suite can run.

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wayside_bridge::{BridgeError, Record, RingTarget, SharedBridge, Timestamp};

/// Opens fresh namespaces on one backend.
#[async_trait]
pub trait Harness: Send + Sync {
    /// A namespace in which nobody has ever published: a new folder, a new room, a fresh prefix of names.
    ///
    /// Every case opens its own, some two. What it started is stopped when it is dropped.
    /// [`Missing::NotApplicable`] skips the case with its reason (no server to be had here).
    async fn open(&self) -> Supply<Box<dyn Namespace>>;

    /// Where this backend is known to differ, and why. Reported with every run, never silently; a deviation whose
    /// case passes after all is a failure.
    fn deviations(&self) -> &[Deviation];
}

/// A place of our own on the backend, with the means to look behind the bridge's back.
///
/// No method has a default: what a backend has no means for it answers with [`Missing::NotApplicable`] and the
/// reason, which the run shows.
#[async_trait]
pub trait Namespace: Send + Sync {
    /// Member number `who`'s bridge: 0 and 1 share the place, as two people would; cases ask for up to four.
    ///
    /// The same number again is the same member after a restart: opened anew, with what is kept on disk.
    /// What it hands out is what [`BridgeKind::open`](wayside_bridge::BridgeKind::open) would.
    async fn handle(&self, who: usize) -> Result<SharedBridge, BridgeError>;

    /// The wall clock that the bridges go by.
    fn now(&self) -> Timestamp;

    /// Lets `by` pass for bridges and service: turns an injected clock, or waits where it is short.
    async fn advance(&self, by: Duration) -> Supply;

    /// A bridge to this place with credentials that the service does not accept.
    async fn stranger(&self) -> Supply<SharedBridge>;

    /// From now on the service asks everybody to slow down (`true`), or no longer does.
    async fn throttle(&self, on: bool) -> Supply;

    /// Puts these where member `who`'s bridge finds its records, behind the bridge's back.
    async fn plant(&self, who: usize, entries: &[Planted]) -> Supply;

    /// Replaces the sealed bytes of a record that `who` published, leaving everything about it as it was.
    async fn tamper(&self, who: usize, record: &Record, bytes: &Bytes) -> Supply;

    /// By what name member `who` is rung here.
    async fn bell(&self, who: usize) -> Supply<RingTarget>;

    /// Whether member `who` was rung since the namespace was opened.
    async fn rung(&self, who: usize) -> Supply<bool>;

    /// How many things (files, messages, names, drafts) the bridges have left in the place.
    async fn litter(&self) -> Supply<usize>;
}

/// What a hostile member puts in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Planted {
    /// What no bridge can parse, stored in the way records are: a file of that content, a message of that text.
    Junk(Bytes),
    /// A record in perfect shape that nobody asked for.
    Record(Record),
}

/// What a harness supplies, or why it does not.
pub type Supply<T = ()> = Result<T, Missing>;

/// Why a harness does not supply something.
#[derive(Debug)]
pub enum Missing {
    /// The backend has no such thing, or no means to it here: the case is skipped with this reason.
    NotApplicable(Cow<'static, str>),
    /// It should have worked and did not: the case fails.
    Failed(BridgeError),
}

impl Missing {
    /// The backend has no such thing, because of this.
    pub fn not_applicable<T>(reason: impl Into<Cow<'static, str>>) -> Supply<T> {
        Err(Self::NotApplicable(reason.into()))
    }
}

impl From<BridgeError> for Missing {
    fn from(error: BridgeError) -> Self {
        Self::Failed(error)
    }
}

/// A case in which a backend is known to differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The case's name.
    pub case: &'static str,
    /// What is different and why it cannot be otherwise.
    pub reason: &'static str,
}
