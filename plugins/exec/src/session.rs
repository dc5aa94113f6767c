//! One life of a child: requests that wait for answers, watches with credit, and what is held against it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, oneshot};
use wayside_bridge::{Batch, BridgeError, Clock, ErrorKind, Locator, Monotonic, RecordStream};

use crate::error::{ExecError, Problem};
use crate::hello::{self, Hello};
use crate::limits::Budget;
use crate::lines::{Lines, NoLine};
use crate::protocol::{Answer, Credit, FromChild, Id, Info, MAX_LINE, MAX_TEXT, Parsed, ToChild};
use crate::wire::clip;

/// Requests at a time; whoever comes later waits.
const REQUESTS: usize = 64;

/// Watches at a time; more are refused.
const WATCHES: usize = 32;

/// Lines that wait to be written.
const QUEUE: usize = 64;

/// `records` that a watch may have on the way: what a consumer that does not read can cost, at [`MAX_LINE`] each.
pub(crate) const CREDIT: u32 = 4;

/// Messages that nobody asked for, at once and a second in the long run.
const STRAYS: (u32, u32) = (200, 10);

/// One life of a child, from its hello to its end.
pub(crate) struct Session {
    program: String,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    lines: mpsc::Sender<String>,
    requests: Arc<Semaphore>,
    watches: Arc<Semaphore>,
    next_id: AtomicU64,
    table: Mutex<Table>,
    /// Somebody has begun to wait for something.
    waiting: Notify,
    info: Mutex<(String, Vec<Locator>)>,
}

struct Table {
    entries: BTreeMap<u64, Entry>,
    strays: Budget,
    over: Option<ExecError>,
}

/// What an id stands for.
struct Entry {
    /// When an answer is overdue.
    deadline: Option<Monotonic>,
    what: What,
    _permit: OwnedSemaphorePermit,
}

enum What {
    Request(oneshot::Sender<Result<Answer, BridgeError>>),
    /// A watch that has not been answered yet; its answer goes to the first sender.
    Opening(oneshot::Sender<Result<Answer, BridgeError>>, Feed),
    Watch(Feed),
    /// A watch that nobody wants any more; its `end` is awaited.
    Closing,
}

struct Feed {
    batches: mpsc::Sender<Result<Batch, BridgeError>>,
    credit: u32,
}

impl Session {
    /// A session with a child that has said this, and the lines to write to it.
    pub(crate) fn new(
        program: &str,
        hello: &Hello,
        clock: Arc<dyn Clock>,
        timeout: Duration,
    ) -> (Arc<Self>, mpsc::Receiver<String>) {
        let (lines, outgoing) = mpsc::channel(QUEUE);
        let strays = Budget::new(STRAYS.0, STRAYS.1, clock.monotonic());
        let session = Arc::new(Self {
            program: program.to_owned(),
            clock,
            timeout,
            lines,
            requests: Arc::new(Semaphore::new(REQUESTS)),
            watches: Arc::new(Semaphore::new(WATCHES)),
            next_id: AtomicU64::new(1),
            table: Mutex::new(Table { entries: BTreeMap::new(), strays, over: None }),
            waiting: Notify::new(),
            info: Mutex::new((hello.title.clone(), hello::locators(&hello.locators))),
        });
        (session, outgoing)
    }

    /// What the child calls the place and which places it reaches, as of now.
    pub(crate) fn info(&self) -> (String, Vec<Locator>) {
        self.info.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn call(&self, message: impl FnOnce(u64) -> ToChild) -> Result<Answer, BridgeError> {
        let (sender, answer) = oneshot::channel();
        let permit = Arc::clone(&self.requests).acquire_owned().await.map_err(|_| self.over())?;
        self.send(message, permit, What::Request(sender)).await?;
        answer.await.unwrap_or_else(|_| Err(self.over()))
    }

    /// Opens a watch.
    pub(crate) async fn watch(
        self: &Arc<Self>,
        message: impl FnOnce(u64) -> ToChild,
    ) -> Result<RecordStream, BridgeError> {
        let (sender, answer) = oneshot::channel();
        // one more than the credit, so that there is always room for the reason of its end
        let (batches, receiver) = mpsc::channel(CREDIT as usize + 1);
        let feed = Feed { batches, credit: CREDIT };
        let permit = Arc::clone(&self.watches).try_acquire_owned().map_err(|error| match error {
            TryAcquireError::Closed => self.over(),
            TryAcquireError::NoPermits => {
                BridgeError::new(ErrorKind::Refused, format!("{WATCHES} watches are the most at a time"))
            }
        })?;
        let id = self.send(message, permit, What::Opening(sender, feed)).await?;
        let watcher = Watcher { id, session: Arc::downgrade(self), receiver, owed: false };
        answer.await.unwrap_or_else(|_| Err(self.over()))?;
        Ok(futures::stream::unfold(watcher, |mut watcher| async move {
            watcher.next().await.map(|batch| (batch, watcher))
        })
        .boxed())
    }

    /// Writes and reads until the child misbehaves or ends.
    pub(crate) async fn run<R, W>(
        &self,
        incoming: &mut Lines<R>,
        mut outgoing: mpsc::Receiver<String>,
        writer: &mut W,
    ) -> Problem
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let reading = async {
            loop {
                let line = match incoming.next(MAX_LINE).await {
                    Ok(line) => line,
                    Err(NoLine::TooLong) => return Problem::LongLine(MAX_LINE),
                    Err(NoLine::Closed) => return Problem::Ended(String::new()),
                    Err(NoLine::Failed(error)) => return Problem::Ended(error.to_string()),
                };
                if let Err(problem) = self.take(line) {
                    return problem;
                }
            }
        };
        let writing = async {
            while let Some(line) = outgoing.recv().await {
                if writer.write_all(line.as_bytes()).await.is_err() || writer.flush().await.is_err() {
                    break;
                }
            }
            // a child that has closed its input is about to end, and reading tells how
            self.clock.sleep(self.timeout).await;
            Problem::Ended("it closed its input".to_owned())
        };
        tokio::select! {
            problem = reading => problem,
            problem = writing => problem,
            problem = self.overdue() => problem,
        }
    }

    /// Fails whatever waits, and whatever comes.
    pub(crate) fn fail(&self, error: &ExecError) {
        let entries = {
            let mut table = self.table();
            table.over.get_or_insert_with(|| error.clone());
            std::mem::take(&mut table.entries)
        };
        self.requests.close();
        self.watches.close();
        for entry in entries.into_values() {
            entry.what.end(Some(error.clone().into()));
        }
    }

    async fn send(
        &self,
        message: impl FnOnce(u64) -> ToChild,
        permit: OwnedSemaphorePermit,
        what: What,
    ) -> Result<u64, BridgeError> {
        let slot = self.lines.reserve().await.map_err(|_| self.over())?;
        // nothing below awaits: an id is in the table exactly when its line is on the way
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let line = message(id).to_line().ok_or_else(|| {
            BridgeError::new(ErrorKind::Refused, format!("the request is longer than {MAX_LINE} bytes"))
        })?;
        let deadline = Some(Monotonic(self.clock.monotonic().0.saturating_add(self.timeout)));
        {
            let mut table = self.table();
            if let Some(error) = &table.over {
                return Err(error.clone().into());
            }
            table.entries.insert(id, Entry { deadline, what, _permit: permit });
        }
        slot.send(line);
        self.waiting.notify_one();
        Ok(id)
    }

    /// Takes one line of the child.
    fn take(&self, line: &[u8]) -> Result<(), Problem> {
        match FromChild::parse(line) {
            Parsed::Garbage => {
                Err(Problem::Garbage(clip(&String::from_utf8_lossy(line.get(..80).unwrap_or(line)), 80)))
            }
            Parsed::Unknown | Parsed::Message(FromChild::Hello(_)) => self.stray(),
            Parsed::Message(FromChild::Info(info)) => {
                self.learn(info);
                self.stray()
            }
            Parsed::Message(FromChild::Answer(answer)) => self.answered(*answer),
            Parsed::Message(FromChild::Records(found)) => self.found(found.id, found.into_batch()),
            Parsed::Message(FromChild::Error(failed)) => self.ended(failed.id, Some(failed.error.into())),
            Parsed::Message(FromChild::End(Id { id })) => self.ended(id, None),
            Parsed::Malformed { id, why } => {
                let error = BridgeError::new(
                    ErrorKind::Garbled,
                    format!("the bridge program `{}` answered what makes no sense ({why})", self.program),
                );
                self.ended(id.unwrap_or(0), Some(error))
            }
        }
    }

    fn answered(&self, answer: Answer) -> Result<(), Problem> {
        let mut table = self.table();
        match table.entries.remove(&answer.id) {
            Some(Entry { what: What::Request(sender), .. }) => {
                // whoever asked may have gone
                let _ = sender.send(Ok(answer));
            }
            Some(Entry { what: What::Opening(sender, feed), _permit, .. }) => {
                let id = answer.id;
                table.entries.insert(id, Entry { deadline: None, what: What::Watch(feed), _permit });
                let _ = sender.send(Ok(answer));
            }
            Some(entry) => {
                let closing = matches!(entry.what, What::Closing);
                table.entries.insert(answer.id, entry);
                drop(table);
                // a watch may have been given up before it was answered
                return if closing { Ok(()) } else { self.stray() };
            }
            None => {
                drop(table);
                return self.stray();
            }
        }
        Ok(())
    }

    fn found(&self, id: u64, batch: Batch) -> Result<(), Problem> {
        let mut table = self.table();
        let feed = match table.entries.get_mut(&id) {
            Some(Entry { what: What::Watch(feed) | What::Opening(_, feed), .. }) => feed,
            // already on its way when the watch was given up; its credit bounds how many
            Some(Entry { what: What::Closing, .. }) => return Ok(()),
            _ => {
                drop(table);
                return self.stray();
            }
        };
        feed.credit = feed.credit.checked_sub(1).ok_or(Problem::Credit)?;
        // there is room for as many as there is credit; a receiver that has gone says `unwatch` itself
        let _ = feed.batches.try_send(Ok(batch));
        Ok(())
    }

    fn ended(&self, id: u64, error: Option<BridgeError>) -> Result<(), Problem> {
        let entry = self.table().entries.remove(&id);
        match entry {
            Some(entry) => {
                entry.what.end(error);
                Ok(())
            }
            None => self.stray(),
        }
    }

    fn learn(&self, Info { title, locators }: Info) {
        let mut info = self.info.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(title) = title {
            info.0 = clip(&title, MAX_TEXT);
        }
        if let Some(locators) = locators {
            info.1 = hello::locators(&locators);
        }
    }

    /// A message that nobody asked for: ignored, within a budget.
    fn stray(&self) -> Result<(), Problem> {
        if self.table().strays.take(self.clock.monotonic()) { Ok(()) } else { Err(Problem::Flood) }
    }

    /// Resolves when the oldest answer is overdue.
    async fn overdue(&self) -> Problem {
        loop {
            let next = self.table().entries.values().filter_map(|entry| entry.deadline).min();
            let now = self.clock.monotonic();
            match next {
                Some(deadline) if deadline <= now => return Problem::NoAnswer(self.timeout),
                Some(deadline) => self.clock.sleep(deadline.since(now)).await,
                None => self.waiting.notified().await,
            }
        }
    }

    fn over(&self) -> BridgeError {
        let error = self.table().over.clone();
        error.unwrap_or_else(|| Problem::Closed.of(&self.program)).into()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl What {
    fn end(self, error: Option<BridgeError>) {
        let unfinished = || BridgeError::new(ErrorKind::Garbled, "the bridge program ended what is no watch");
        match self {
            Self::Request(sender) | Self::Opening(sender, _) => {
                let _ = sender.send(Err(error.unwrap_or_else(unfinished)));
            }
            Self::Watch(feed) => {
                if let Some(error) = error {
                    let _ = feed.batches.try_send(Err(error));
                }
            }
            Self::Closing => {}
        }
    }
}

/// The consumer's end of a watch. Dropping it ends the watch.
struct Watcher {
    id: u64,
    session: Weak<Session>,
    receiver: mpsc::Receiver<Result<Batch, BridgeError>>,
    /// A batch was handed on, and its credit has not been given back.
    owed: bool,
}

impl Watcher {
    async fn next(&mut self) -> Option<Result<Batch, BridgeError>> {
        if self.owed {
            self.give_back().await;
        }
        let next = self.receiver.recv().await?;
        self.owed = next.is_ok();
        Some(next)
    }

    /// Gives credit for the batch that the consumer has dealt with: it has come for more.
    async fn give_back(&mut self) {
        let Some(session) = self.session.upgrade() else { return };
        let Ok(slot) = session.lines.reserve().await else { return };
        self.owed = false;
        let mut table = session.table();
        let Some(Entry { what: What::Watch(feed), .. }) = table.entries.get_mut(&self.id) else { return };
        feed.credit = feed.credit.saturating_add(1);
        if let Some(line) = ToChild::Credit(Credit { id: self.id, add: 1 }).to_line() {
            slot.send(line);
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let Some(session) = self.session.upgrade() else { return };
        let mut table = session.table();
        let Some(entry) = table.entries.get_mut(&self.id) else { return };
        entry.what = What::Closing;
        entry.deadline = Some(Monotonic(session.clock.monotonic().0.saturating_add(session.timeout)));
        drop(table);
        // a queue that is full belongs to a child that does not read, whose time is running out anyway
        if let Some(line) = ToChild::Unwatch(Id { id: self.id }).to_line() {
            let _ = session.lines.try_send(line);
        }
        session.waiting.notify_one();
    }
}
