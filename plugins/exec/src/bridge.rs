//! The node's side: a child as a [`Bridge`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use tokio::sync::{oneshot, watch};
use wayside_bridge::{
    Batch, Bridge, BridgeContext, BridgeError, BridgeInfo, Capability, Clock, ErrorKind, Fetch, Keys,
    Locator, Place, Probe, Receipt, Record, RecordStream, RingTarget, Timestamp, Watch,
};

use crate::error::Problem;
use crate::process::Launch;
use crate::protocol::{
    FetchLine, Id, MAX_LINE, MAX_RECEIPTS, MAX_TEXT, Publish, Retract, Ring, ToChild, WatchLine,
};
use crate::session::{CREDIT, Session};
use crate::supervisor::{Patience, State, supervise};
use crate::wire::{self, clip};

/// A bridge that is a child: requests are lines to it, and its lines are answers.
///
/// Dropping it closes the child's input, and two seconds later kills what is left of the child and of whatever it started.
pub struct ExecBridge {
    name: String,
    capability: Arc<Capability>,
    clock: Arc<dyn Clock>,
    state: watch::Receiver<State>,
    /// As of the last life, for while there is none.
    info: Mutex<BridgeInfo>,
    /// Dropped with the bridge, which ends the supervisor.
    _open: oneshot::Sender<()>,
}

impl ExecBridge {
    /// How long an answer may take where nothing else is configured.
    pub const TIMEOUT: Duration = Duration::from_secs(60);

    /// The longest that a child may take to say hello, whatever is configured.
    pub const HELLO: Duration = Duration::from_secs(30);

    /// How long a child may take to end once its input is closed.
    pub const END: Duration = Duration::from_secs(2);

    /// Starts a child and waits for its hello. `timeout` is how long it may take over an answer, and over its
    /// hello where that is less than [`ExecBridge::HELLO`].
    ///
    /// A child that cannot be started, or says nothing sensible, is an error here; one that fails later is
    /// started again, with longer and longer pauses. Needs a tokio runtime, since it is tokio that watches processes.
    pub async fn open(
        launch: impl Launch + 'static,
        timeout: Duration,
        context: BridgeContext,
    ) -> Result<Self, BridgeError> {
        let name = launch.name().to_owned();
        let clock = Arc::clone(&context.clock);
        let patience = Patience { hello: timeout.min(Self::HELLO), answer: timeout, end: Self::END };
        let (sender, mut state) = watch::channel(State::Starting);
        let (open, closed) = oneshot::channel();
        let spawner = Arc::clone(&context.spawner);
        spawner.spawn(supervise(Box::new(launch), context, patience, sender, closed).boxed());

        let first =
            state.wait_for(|state| !matches!(state, State::Starting)).await.map(|state| state.clone());
        match first {
            Ok(State::Up { session, capability }) => {
                let info = Mutex::new(info_of(&session));
                Ok(Self { name, capability, clock, state, info, _open: open })
            }
            Ok(State::Down { error, .. }) => Err(error.into()),
            Ok(State::Starting) | Err(_) => Err(Problem::Closed.of(&name).into()),
        }
    }

    /// The child at work, after waiting for one that is just starting.
    async fn session(&self) -> Result<Arc<Session>, BridgeError> {
        let mut state = self.state.clone();
        let state =
            state.wait_for(|state| !matches!(state, State::Starting)).await.map(|state| state.clone());
        match state {
            Ok(State::Up { session, .. }) => Ok(session),
            Ok(State::Down { error, again }) => Err(State::failure(&error, again, self.clock.monotonic())),
            Ok(State::Starting) | Err(_) => Err(Problem::Closed.of(&self.name).into()),
        }
    }

    /// Whose place is meant, as the child hears it: its own place by any of its locators is its own place.
    fn place(place: Place, own: &[Locator]) -> Place {
        match place {
            Place::Of(locator) if own.contains(&locator) => Place::Own,
            place => place,
        }
    }

    /// The most records whose answer surely fits in a line.
    fn most(&self) -> usize {
        let largest = self.capability.classes.values().map(|class| class.max_record).max().unwrap_or(0);
        // base64, and generously for the key, the class and the date
        let each = largest / 3 * 4 + 4 + 256;
        ((MAX_LINE - (64 << 10)) / each).clamp(1, crate::protocol::MAX_BATCH)
    }

    /// Without the records that were not asked for or are larger than declared: somebody else's, or junk.
    fn sift(&self, keys: &Keys, mut batch: Batch) -> Batch {
        let before = batch.records.len();
        batch
            .records
            .retain(|record| keys.contains(&record.key) && self.capability.permit_publish(record).is_ok());
        batch.skipped = batch.skipped.saturating_add((before - batch.records.len()) as u64);
        batch
    }

    fn garbled(&self, why: &str) -> BridgeError {
        BridgeError::new(ErrorKind::Garbled, format!("the bridge program `{}` answered {why}", self.name))
    }
}

impl std::fmt::Debug for ExecBridge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecBridge")
            .field("name", &self.name)
            .field("info", &self.info())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Bridge for ExecBridge {
    fn info(&self) -> BridgeInfo {
        let mut info = self.info.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Up { session, .. } = &*self.state.borrow() {
            *info = info_of(session);
        }
        info.clone()
    }

    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        self.capability.permit_publish(record)?;
        let record = record.clone();
        let answer = self.session().await?.call(|id| ToChild::Publish(Publish { id, record })).await?;
        let receipt = answer.receipt.and_then(wire::receipt);
        receipt.ok_or_else(|| self.garbled("a publication without a receipt of at most 1024 bytes"))
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        let own = self.info().locators;
        self.capability.permit_fetch(&request, &own)?;
        let place = Self::place(request.place, &own);
        let limit = request.limit.min(self.most());
        let (keys, cursor) =
            (request.keys.clone(), text(request.cursor.as_ref().map(|cursor| cursor.as_bytes())));
        let session = self.session().await?;
        let answer = session.call(|id| ToChild::Fetch(FetchLine { id, place, keys, cursor, limit })).await?;
        let batch = answer.into_batch().ok_or_else(|| self.garbled("a fetch without records"))?;
        if batch.records.len() > limit {
            return Err(self.garbled("with more records than it was asked for"));
        }
        Ok(self.sift(&request.keys, batch))
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        let own = self.info().locators;
        self.capability.permit_watch(&request, &own)?;
        let place = Self::place(request.place, &own);
        let (keys, cursor) = (request.keys, text(request.cursor.as_ref().map(|cursor| cursor.as_bytes())));
        let session = self.session().await?;
        session.watch(|id| ToChild::Watch(WatchLine { id, place, keys, cursor, credit: CREDIT })).await
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        self.capability.permit_retract()?;
        // receipts that are no text are none of ours, so there is nothing to take back
        let receipts: Vec<_> = receipts.iter().filter_map(|receipt| text(Some(receipt.as_bytes()))).collect();
        for receipts in receipts.chunks(MAX_RECEIPTS) {
            let receipts = receipts.to_vec();
            self.session().await?.call(|id| ToChild::Retract(Retract { id, receipts })).await?;
        }
        Ok(())
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.capability.permit_ring(target)?;
        let target = target.0.clone();
        self.session().await?.call(|id| ToChild::Ring(Ring { id, target })).await.map(drop)
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        let session = self.session().await?;
        let start = self.clock.monotonic();
        let answer = session.call(|id| ToChild::Probe(Id { id })).await?;
        let measured = self.clock.monotonic().since(start);
        Ok(Probe::new(answer.latency_ms.map_or(measured, Duration::from_millis))
            .with_service_time(answer.service_time.map(Timestamp::from_secs))
            .with_note(answer.note.map(|note| clip(&note, MAX_TEXT)))
            // Optional: what is no address is as good as nothing.
            .with_public_address(answer.public_address.and_then(|text| text.parse().ok())))
    }
}

fn info_of(session: &Session) -> BridgeInfo {
    let (title, locators) = session.info();
    BridgeInfo::new(crate::ExecKind::KIND, title, locators)
}

/// The string that the child gave; nothing where it never was one.
fn text(bytes: Option<&[u8]>) -> Option<String> {
    std::str::from_utf8(bytes?).ok().map(str::to_owned)
}
