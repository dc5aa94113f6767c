//! The child's side: any Rust bridge, served over a pair of pipes.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::{AbortHandle, BoxFuture, abortable};
use futures::stream::FuturesUnordered;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};
use wayside_bridge::{
    Batch, Bridge, BridgeError, BridgeInfo, Cursor, ErrorKind, Fetch, Receipt, RingTarget, Watch,
};

use crate::lines::{Lines, NoLine};
use crate::protocol::{
    Answer, FetchLine, Found, FromChild, Hello, Id, Info, MAX_LINE, MAX_RECORD, Parsed, Start, ToChild,
    VERSION, WatchLine,
};
use crate::wire;

/// Why serving ended before the node closed our input.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The pipes to the node broke.
    #[error("the pipe to the node broke")]
    Pipe(#[from] io::Error),
    /// What we read is not of the exec protocol: we were not started by a node.
    #[error("this program is a wayside bridge: a node starts it and speaks the exec protocol to it")]
    NotANode,
    /// The node chose a version that we did not offer.
    #[error("the node speaks version {0} of the exec protocol")]
    Version(u32),
    /// The node asks for more at a time than any node should.
    #[error("the node has more than {AT_A_TIME} requests under way")]
    TooMuch,
    /// What the bridge declares does not fit in a hello.
    #[error("what the bridge declares is too long for a hello")]
    Hello,
}

/// Serves a bridge on standard input and output until the node closes the former: the whole `main` of a child.
///
/// Standard output belongs to the protocol from here on; write logs to standard error. Requests run side by side, watches have the flow control of the
/// protocol, and what is under way when the node leaves is dropped. A request that the capability does not declare never comes from a node; the bridge refuses
/// it all the same, with the `permit_…` methods of its [`Capability`](wayside_bridge::Capability).
///
/// # Example
///
/// A whole program: a board in memory, which forgets all when it ends. Its users type `wayside bridge add exec --command /path/to/board`.
///
/// ```no_run
/// use std::sync::Mutex;
/// use std::time::Duration;
///
/// use async_trait::async_trait;
/// use wayside_bridge::*;
///
/// #[derive(Debug)]
/// struct Board {
///     capability: Capability,
///     /// A record's number is its place here, and stays that.
///     notes: Mutex<Vec<Option<Record>>>,
/// }
///
/// #[async_trait]
/// impl Bridge for Board {
///     fn info(&self) -> BridgeInfo {
///         BridgeInfo::new("board", "a board in memory", Vec::new())
///     }
///
///     fn capability(&self) -> &Capability {
///         &self.capability
///     }
///
///     async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
///         self.capability.permit_publish(record)?;
///         let mut notes = self.notes.lock().unwrap();
///         notes.push(Some(record.clone()));
///         Ok(Receipt::new(notes.len().to_be_bytes().to_vec()).unwrap())
///     }
///
///     async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
///         self.capability.permit_fetch(&request, &[])?;
///         let notes = self.notes.lock().unwrap();
///         let known = request.cursor.as_ref().and_then(|cursor| number(cursor.as_bytes()));
///         let known = known.filter(|known| *known <= notes.len()).unwrap_or(0);
///         let (mut records, mut seen) = (Vec::new(), known);
///         for note in notes.iter().skip(known) {
///             if records.len() == request.limit {
///                 break;
///             }
///             seen += 1;
///             records.extend(note.clone().filter(|record| request.keys.contains(&record.key)));
///         }
///         let more = seen < notes.len();
///         Ok(Batch::new(records, Cursor::new(seen.to_be_bytes().to_vec())).with_more(more))
///     }
///
///     async fn watch(&self, _request: Watch) -> Result<RecordStream, BridgeError> {
///         Err(BridgeError::unsupported("the board is polled"))
///     }
///
///     async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
///         let mut notes = self.notes.lock().unwrap();
///         for number in receipts.iter().filter_map(|receipt| number(receipt.as_bytes())) {
///             if let Some(note) = number.checked_sub(1).and_then(|index| notes.get_mut(index)) {
///                 *note = None;
///             }
///         }
///         Ok(())
///     }
///
///     async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
///         self.capability.permit_ring(target)
///     }
///
///     async fn probe(&self) -> Result<Probe, BridgeError> {
///         Ok(Probe::new(Duration::ZERO))
///     }
/// }
///
/// fn number(bytes: &[u8]) -> Option<usize> {
///     bytes.try_into().ok().map(usize::from_be_bytes)
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), wayside_bridge_exec::ServeError> {
///     let limits = ClassCapability::new(4096, Duration::from_secs(3600), Collision::Append, true);
///     let polled = Delivery::Poll { interval: Duration::from_secs(1) };
///     let visible = Visibility { service: vec!["nothing leaves this process".into()], readers: Vec::new() };
///     let capability = Capability::new([(Class::Meeting, limits)], polled, visible);
///     wayside_bridge_exec::serve(Board { capability, notes: Mutex::default() }).await
/// }
/// ```
///
/// # Errors
/// See [`ServeError`]: something other than a node speaks to it, or the pipe broke.
pub async fn serve(bridge: impl Bridge) -> Result<(), ServeError> {
    serve_on(&bridge, tokio::io::stdin(), tokio::io::stdout()).await
}

/// Serves a bridge on any pair of pipes until the node closes its end. What is under way then is dropped.
pub async fn serve_on<B, R, W>(bridge: &B, input: R, mut output: W) -> Result<(), ServeError>
where
    B: Bridge + ?Sized,
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (lines, mut outgoing) = mpsc::channel::<String>(QUEUE);
    let writing = async {
        while let Some(line) = outgoing.recv().await {
            output.write_all(line.as_bytes()).await?;
            output.flush().await?;
        }
        Ok::<_, io::Error>(())
    };
    let hello = FromChild::Hello(Box::new(Hello::new(&bridge.info(), bridge.capability())));
    let hello =
        hello.to_line().filter(|line| line.len() <= crate::protocol::MAX_HELLO).ok_or(ServeError::Hello)?;
    // the queue is empty: there is room
    let _ = lines.try_send(hello);

    let server = Server { bridge, lines };
    tokio::select! {
        served = server.run(Lines::new(input)) => served,
        written = writing => written.map_err(ServeError::Pipe),
    }
}

/// Lines that wait to be written.
const QUEUE: usize = 64;

/// Requests and watches at a time. A node has at most 64.
const AT_A_TIME: usize = 256;

/// A watch's batch is cut into lines of about so many bytes of records, well below the longest line.
const PART: usize = MAX_RECORD;

struct Server<'a, B: ?Sized> {
    bridge: &'a B,
    lines: mpsc::Sender<String>,
}

/// A watch, as the requests after it see it.
struct Watching {
    credit: Arc<Semaphore>,
    stop: AbortHandle,
}

impl<B: Bridge + ?Sized> Server<'_, B> {
    async fn run<R: AsyncRead + Unpin>(&self, mut input: Lines<R>) -> Result<(), ServeError> {
        let mut work: FuturesUnordered<BoxFuture<'_, u64>> = FuturesUnordered::new();
        let mut watches = BTreeMap::new();
        let mut told = self.bridge.info();
        loop {
            tokio::select! {
                line = input.next(MAX_LINE) => {
                    let message = match line {
                        Ok(line) => ToChild::parse(line),
                        Err(NoLine::Closed) => return Ok(()),
                        Err(NoLine::TooLong) => return Err(ServeError::NotANode),
                        Err(NoLine::Failed(error)) => return Err(error.into()),
                    };
                    match message {
                        Parsed::Message(message) => {
                            if let Some(task) = self.begin(message, &mut watches)? {
                                work.push(task);
                            }
                        }
                        Parsed::Unknown => {}
                        Parsed::Malformed { id: Some(id), why } => {
                            let error = BridgeError::new(ErrorKind::Refused, why);
                            work.push(Box::pin(self.say(id, FromChild::error(id, &error))));
                        }
                        Parsed::Malformed { id: None, .. } => {}
                        Parsed::Garbage => return Err(ServeError::NotANode),
                    }
                    if work.len() > AT_A_TIME {
                        return Err(ServeError::TooMuch);
                    }
                }
                Some(id) = work.next() => {
                    watches.remove(&id);
                    let info = self.bridge.info();
                    if info != told {
                        work.push(Box::pin(self.say(0, FromChild::Info(changed(&info)))));
                        told = info;
                    }
                }
            }
        }
    }

    /// What is to be done about a message.
    fn begin(
        &self,
        message: ToChild,
        watches: &mut BTreeMap<u64, Watching>,
    ) -> Result<Option<BoxFuture<'_, u64>>, ServeError> {
        Ok(match message {
            ToChild::Start(Start { version: VERSION }) => None,
            ToChild::Start(Start { version }) => return Err(ServeError::Version(version)),
            ToChild::Credit(credit) => {
                if let Some(watching) = watches.get(&credit.id) {
                    let room = MAX_CREDIT.saturating_sub(watching.credit.available_permits());
                    watching.credit.add_permits(room.min(credit.add as usize));
                }
                None
            }
            ToChild::Unwatch(Id { id }) => {
                stop(watches, id);
                None
            }
            ToChild::Watch(request) => {
                let id = request.id;
                let credit = Arc::new(Semaphore::new(MAX_CREDIT.min(request.credit as usize)));
                let (watch, stop) = abortable(self.watch(request, Arc::clone(&credit)));
                watches.insert(id, Watching { credit, stop });
                Some(Box::pin(async move {
                    match watch.await {
                        Ok(()) => id,
                        Err(_aborted) => self.say(id, FromChild::End(Id { id })).await,
                    }
                }))
            }
            request => Some(Box::pin(self.answer(request))),
        })
    }

    async fn answer(&self, request: ToChild) -> u64 {
        let bridge = self.bridge;
        let (id, answer) = match request {
            ToChild::Publish(request) => {
                let id = request.id;
                let receipt = bridge.publish(&request.record).await.and_then(|receipt| {
                    wire::to_text(receipt.as_bytes(), Receipt::MAX).ok_or_else(|| too_long("receipt"))
                });
                (id, receipt.map(|receipt| Answer::published(id, receipt)))
            }
            ToChild::Fetch(FetchLine { id, place, keys, cursor, limit }) => {
                let mut fetch = Fetch::new(place, keys).after(bytes(cursor));
                fetch.limit = limit;
                (id, bridge.fetch(fetch).await.map(|batch| Answer::fetched(id, fitting(batch))))
            }
            ToChild::Retract(request) => {
                let ours = |text: &String| wire::from_text(text).and_then(Receipt::new);
                let receipts: Vec<_> = request.receipts.iter().filter_map(ours).collect();
                (request.id, bridge.retract(&receipts).await.map(|()| Answer::done(request.id)))
            }
            ToChild::Ring(request) => {
                let rung = bridge.ring(&RingTarget(request.target)).await;
                (request.id, rung.map(|()| Answer::done(request.id)))
            }
            ToChild::Probe(Id { id }) => (id, bridge.probe().await.map(|probe| Answer::probed(id, &probe))),
            ToChild::Start(_) | ToChild::Watch(_) | ToChild::Credit(_) | ToChild::Unwatch(_) => return 0,
        };
        let message = match answer {
            Ok(answer) => FromChild::Answer(Box::new(answer)),
            Err(error) => FromChild::error(id, &error),
        };
        self.say(id, message).await
    }

    async fn watch(&self, request: WatchLine, credit: Arc<Semaphore>) {
        let WatchLine { id, place, keys, cursor, .. } = request;
        let mut last: Option<Cursor> = bytes(cursor);
        let mut stream = match self.bridge.watch(Watch::new(place, keys).after(last.clone())).await {
            Ok(stream) => stream,
            Err(error) => {
                self.say(id, FromChild::error(id, &error)).await;
                return;
            }
        };
        self.say(id, FromChild::Answer(Box::new(Answer::done(id)))).await;
        while let Some(next) = stream.next().await {
            let batch = match next {
                Ok(batch) => batch,
                Err(error) => {
                    self.say(id, FromChild::error(id, &error)).await;
                    return;
                }
            };
            for part in parts(fitting(batch), &mut last) {
                match credit.acquire().await {
                    Ok(permit) => permit.forget(),
                    Err(_) => return,
                }
                self.say(id, FromChild::Records(Found::new(id, part))).await;
            }
        }
        self.say(id, FromChild::End(Id { id })).await;
    }

    /// Queues a line for the node; tells the id, for whoever keeps books.
    async fn say(&self, id: u64, message: FromChild) -> u64 {
        let line = message.to_line().or_else(|| FromChild::error(id, &too_long("answer")).to_line());
        if let Some(line) = line {
            // a node that has gone closes our input too
            let _ = self.lines.send(line).await;
        }
        id
    }
}

/// More than any node gives.
const MAX_CREDIT: usize = 1 << 16;

fn stop(watches: &BTreeMap<u64, Watching>, id: u64) {
    if let Some(watching) = watches.get(&id) {
        watching.stop.abort();
    }
}

fn changed(info: &BridgeInfo) -> Info {
    let locators = info.locators.iter().map(ToString::to_string).collect();
    Info { title: Some(info.title.clone()), locators: Some(locators) }
}

/// The bridge's own cursor; a foreign one means the beginning.
fn bytes(cursor: Option<String>) -> Option<Cursor> {
    cursor.as_deref().and_then(wire::from_text).and_then(Cursor::new)
}

/// Without records that the protocol does not carry: they are larger than anything that was declared.
fn fitting(mut batch: Batch) -> Batch {
    let before = batch.records.len();
    batch.records.retain(|record| record.bytes.len() <= MAX_RECORD);
    batch.skipped = batch.skipped.saturating_add((before - batch.records.len()) as u64);
    batch
}

/// A batch in parts that each fit in a line. All but the last have the cursor from before the batch, so that whoever
/// goes on from a part misses nothing.
fn parts(batch: Batch, last: &mut Option<Cursor>) -> Vec<Batch> {
    let mut parts = vec![Batch::default()];
    let mut size = 0;
    for record in batch.records {
        let each = record.bytes.len() + OVERHEAD;
        if size > 0 && size + each > PART {
            parts.push(Batch::default());
            size = 0;
        }
        size += each;
        if let Some(part) = parts.last_mut() {
            part.records.push(record);
        }
    }
    let before = last.clone();
    if batch.cursor.is_some() {
        last.clone_from(&batch.cursor);
    }
    let count = parts.len();
    for (index, part) in parts.iter_mut().enumerate() {
        if index + 1 == count {
            part.cursor = batch.cursor.clone();
            part.skipped = batch.skipped;
            part.service_time = batch.service_time;
        } else {
            part.cursor.clone_from(&before);
        }
    }
    parts
}

/// About what a record's key, class and date take in a line. Keeps a part below [`crate::protocol::MAX_BATCH`] records.
const OVERHEAD: usize = 300;

fn too_long(what: &str) -> BridgeError {
    BridgeError::new(
        ErrorKind::Internal,
        format!("the bridge's {what} is longer than the exec protocol carries"),
    )
}
