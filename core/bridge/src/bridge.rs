//! The trait that a plugin implements, and the one that its users call.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;

use crate::{
    Batch, BridgeError, Capability, Fetch, Key, Keys, Place, Receipt, Record, RecordStream, Timestamp, Watch,
};

/// A service that two people share, as a place for small sealed records.
///
/// Every method may be called at any time, concurrently, from any task. Dropping a returned future is
/// allowed at every await point: a publication may then have happened or not (whoever cares publishes the same
/// record again, which is harmless), and the bridge stays usable.
///
/// No method has a default: one that silently did nothing would be a bug that nobody sees. A bridge that
/// cannot do a thing says so in its [`Capability`] and answers [`BridgeError::unsupported`].
///
/// The same contract in numbered sentences is the page `docs/BRIDGE-SPEC.md`; the behaviour suite (`wayside-conformance`) names the one that a bridge breaks.
#[async_trait]
pub trait Bridge: Send + Sync + fmt::Debug {
    /// What this bridge is called and which places it reaches.
    ///
    /// Cheap, no I/O, may change over time (a room is found, a folder is marked): ask again rather than keep it.
    fn info(&self) -> BridgeInfo;

    /// What the service can do, and who sees what. Constant for the life of the bridge.
    fn capability(&self) -> &Capability;

    /// Leaves a record in this bridge's own place.
    ///
    /// *Needs* the record's class to be declared. *Idempotent*: publishing an equal record again leaves one or
    /// more copies, each of which the returned receipt or an earlier one takes back. With
    /// [`Collision::Overwrite`](crate::Collision::Overwrite) a later record replaces an earlier one of the same
    /// key; with `Append` both are found. When it returns `Ok`, the service has accepted the record: other
    /// handles find it at once or after the declared propagation.
    ///
    /// *Errors*: [`Refused`](crate::ErrorKind::Refused) for what is not declared or too large (never truncated),
    /// [`RateLimited`](crate::ErrorKind::RateLimited), [`Denied`](crate::ErrorKind::Denied),
    /// [`Unreachable`](crate::ErrorKind::Unreachable).
    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError>;

    /// Records that are there now, of the keys asked for, at most [`Fetch::limit`].
    ///
    /// A key with nothing under it is no error: the batch lacks it. With a cursor, what was handed out before
    /// it may be left out; **nothing published after it is ever left out**, across restarts of this process
    /// too. An unknown, stale or foreign cursor means "from the beginning", never an error. Order is
    /// unspecified; duplicates may occur; expired records may be left out.
    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError>;

    /// Records of the keys asked for as they appear, beginning with those already there after the cursor.
    ///
    /// *Needs* [`Delivery::Push`](crate::Delivery::Push); a polling bridge answers `Unsupported`, and
    /// [`BridgeExt`]'s caller polls. A batch arrives within the declared latency of its publication. The
    /// stream ends with an error when the service is lost; the caller watches again from the last cursor.
    /// Dropping it frees everything that it held. Buffers are bounded: a consumer that does not read slows the
    /// stream or makes it end with [`Lagged`](crate::ErrorKind::Lagged), and watching again from the cursor
    /// misses nothing.
    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError>;

    /// Takes back what was published, in as few requests as the service allows.
    ///
    /// *Needs* `retract` of the class. *Idempotent*: what is gone already, or was never there, is `Ok`. Receipts of an
    /// earlier process work. It never removes anything but what the receipts stand for.
    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError>;

    /// Makes a person's device notice, without content.
    ///
    /// *Needs* [`Wake::Rings`](crate::Wake::Rings). At most once; a service's rate limits apply.
    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError>;

    /// Asks the service whether it answers and accepts us: one cheap round trip that publishes nothing.
    ///
    /// *Errors* as a publication would have: bad credentials are `Denied`, a host that does not answer is `Unreachable`.
    async fn probe(&self) -> Result<Probe, BridgeError>;
}

/// What a bridge is called and which places it reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BridgeInfo {
    /// The kind under which it is registered (`dir`, `matrix`).
    pub kind: String,
    /// What a person calls the place, in a few words, without secrets or user info.
    pub title: String,
    /// The place or places that this bridge reaches, the preferred first. Two bridges that share a locator reach
    /// the same place, even when each side sees it at another path. May be empty while unknown.
    pub locators: Vec<Locator>,
}

impl BridgeInfo {
    /// Of this kind, called so, and reaching these places.
    pub fn new(kind: impl Into<String>, title: impl Into<String>, locators: Vec<Locator>) -> Self {
        Self { kind: kind.into(), title: title.into(), locators }
    }
}

/// The name of a place that is the same for everybody who shares it: what an invite carries.
///
/// Attack input when it comes from an invite: it is compared with those of one's own bridges, and never
/// opened, resolved or run by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locator {
    kind: String,
    address: String,
}

impl Locator {
    /// The longest kind and address together, in bytes.
    pub const MAX: usize = 200;

    /// A locator, or `None` where the kind is not 1–16 of `a-z 0-9 -` beginning with a letter, the address is
    /// empty, begins with `-`, holds white space or a character that is not seen, or both together are longer than [`Locator::MAX`].
    pub fn new(kind: &str, address: &str) -> Option<Self> {
        let kind_ok = (1..=16).contains(&kind.len())
            && kind.starts_with(|c: char| c.is_ascii_lowercase())
            && kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let address_ok = !address.is_empty()
            && !address.starts_with('-')
            && !address.contains(|c: char| c.is_whitespace() || is_deceptive(c))
            && kind.len() + address.len() <= Self::MAX;
        (kind_ok && address_ok).then(|| Self { kind: kind.to_owned(), address: address.to_owned() })
    }

    /// The bridge kind that reaches it.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Where it is, in that kind's own notation.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The locator of its `kind:address` form.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, address) = text.split_once(':')?;
        Self::new(kind, address)
    }
}

impl fmt::Display for Locator {
    /// `kind:address`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.address)
    }
}

/// Whether a character is not seen where it stands, or makes others seem to stand elsewhere: controls, bidirectional and zero-width formatting,
/// line and paragraph separators (Unicode Technical Report 36, sections 2.5 and 2.10).
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Whom to ring, in the bridge's own notation (`@ann:example.org`); attack input when it comes from a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingTarget(pub String);

/// What a probe found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// How long the service took to answer.
    pub latency: Duration,
    /// The service's own clock, where it tells it: time is estimated from these, never from the local clock alone.
    pub service_time: Option<Timestamp>,
    /// Something a person should know, in one sentence (read-only, almost full).
    pub note: Option<String>,
    /// The public address that the service sees us come from, where it tells: a hint, for a guess at how we are reached.
    pub public_address: Option<IpAddr>,
}

impl Probe {
    /// The service answered after so long.
    pub fn new(latency: Duration) -> Self {
        Self { latency, ..Self::default() }
    }

    /// With what the service's own clock reads, where it tells.
    #[must_use]
    pub fn with_service_time(mut self, service_time: Option<Timestamp>) -> Self {
        self.service_time = service_time;
        self
    }

    /// With a sentence that a person should know, where there is one.
    #[must_use]
    pub fn with_note(mut self, note: Option<String>) -> Self {
        self.note = note;
        self
    }

    /// With the address that the service sees us come from, where it tells.
    #[must_use]
    pub fn with_public_address(mut self, public_address: Option<IpAddr>) -> Self {
        self.public_address = public_address;
        self
    }
}

/// Conveniences for whoever uses a bridge; implemented for all of them.
#[async_trait]
pub trait BridgeExt: Bridge {
    /// Publishes and forgets the receipt.
    async fn publish_one(&self, record: &Record) -> Result<(), BridgeError> {
        self.publish(record).await.map(drop)
    }

    /// Everything under these keys in this bridge's own place, over as many fetches as it takes.
    ///
    /// Stops at `BridgeExt::MOST` records: a place stuffed with junk costs a bounded amount.
    async fn fetch_keys<I>(&self, keys: I) -> Result<Vec<Record>, BridgeError>
    where
        I: IntoIterator<Item = Key> + Send,
        I::IntoIter: Send,
    {
        let keys = Keys::These(keys.into_iter().collect());
        let mut found = Vec::new();
        let mut request = Fetch::new(Place::Own, keys);
        loop {
            let batch = self.fetch(request.clone()).await?;
            found.extend(batch.records);
            if !batch.more || found.len() >= MOST {
                return Ok(found);
            }
            request.cursor = batch.cursor;
        }
    }

    /// The first batch with a record in it, or `None` when the stream ends or `deadline` resolves first.
    async fn next_records<F>(
        &self,
        stream: &mut RecordStream,
        deadline: F,
    ) -> Result<Option<Batch>, BridgeError>
    where
        F: Future<Output = ()> + Send,
    {
        let mut deadline = std::pin::pin!(deadline);
        loop {
            let next = futures::future::select(stream.next(), deadline.as_mut()).await;
            match next {
                futures::future::Either::Left((Some(Ok(batch)), _)) if batch.records.is_empty() => {}
                futures::future::Either::Left((Some(batch), _)) => return batch.map(Some),
                futures::future::Either::Left((None, _)) | futures::future::Either::Right(_) => {
                    return Ok(None);
                }
            }
        }
    }
}

/// The most records that [`BridgeExt::fetch_keys`] collects.
const MOST: usize = 10_000;

impl<B: Bridge + ?Sized> BridgeExt for B {}
