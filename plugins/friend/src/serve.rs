//! A board at work: serves streams of friends, each for as long as it is let.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{Either, select};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use wayside_bridge::{Clock, Slot};

use crate::board::{Board, Found, Left, Now, Owner};
use crate::limits::{Limits, Reason, Refusal};
use crate::watches::StreamId;
use crate::wire::{Answer, Ask, FrameReader, Id, MOST_ASKED, Reply, Request, WireError, write_frame};

/// Whether a friend may leave and read records here: asked anew at each request.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Whether it may now.
    async fn allowed(&self) -> bool;

    /// Resolves once it may not any more.
    async fn revoked(&self);
}

/// A board, and the streams over which it is asked. Clones are the same.
#[derive(Clone)]
pub struct Host(Arc<Shared>);

struct Shared {
    board: Mutex<Board>,
    bells: Mutex<BTreeMap<StreamId, Arc<Bell>>>,
    clock: Arc<dyn Clock>,
}

/// What a stream is told by others.
#[derive(Debug, Default)]
struct Bell {
    /// There may be something to send.
    news: Notify,
    /// The friend has newer streams enough.
    over: Notify,
}

/// How a stream came to its end.
#[derive(Debug, thiserror::Error)]
pub enum Served {
    /// What came makes no sense, or nothing comes any more.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Nothing of an answer was taken for too long.
    #[error("the friend does not read what it asked for")]
    Slow,
    /// The friend opened others.
    #[error("the friend has newer streams")]
    Superseded,
    /// The friend is not let, or not any more.
    #[error("the friend is not let")]
    NotAllowed,
}

/// How long a friend may take to take an answer.
const PATIENCE: Duration = Duration::from_secs(30);

impl Host {
    /// A board that nobody knows yet; `id` is random.
    pub fn new(id: [u8; 8], limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let board = Mutex::new(Board::new(id, limits));
        Self(Arc::new(Shared { board, bells: Mutex::default(), clock }))
    }

    /// The board itself. Whoever leaves something there by hand [wakes](Self::wake) who waits.
    pub fn board(&self) -> MutexGuard<'_, Board> {
        self.0.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What time it is for the board.
    pub fn now(&self) -> Now {
        Now { wall: self.0.clock.now(), elapsed: self.0.clock.monotonic().0 }
    }

    /// Has these streams look whether there is something for them.
    pub fn wake(&self, streams: &[StreamId]) {
        let bells = self.bells();
        streams.iter().filter_map(|stream| bells.get(stream)).for_each(|bell| bell.news.notify_one());
    }

    /// Serves a stream of a friend's until it ends, or the friend is not let any more. What it left stays.
    ///
    /// # Errors
    /// The stream ended otherwise than by its other end.
    pub async fn serve(
        &self,
        owner: Owner,
        recv: impl AsyncRead + Unpin + Send,
        send: impl AsyncWrite + Unpin + Send,
        gate: &dyn Gate,
    ) -> Result<(), Served> {
        let (stream, over) = self.board().open(owner);
        let bell = Arc::new(Bell::default());
        {
            let mut bells = self.bells();
            bells.insert(stream, Arc::clone(&bell));
            over.and_then(|over| bells.remove(&over)).inspect(|over| over.over.notify_one());
        }
        let _open = Open { host: self, stream };
        let talk = Talk { host: self, owner, stream, gate, send };
        tokio::select! {
            served = talk.run(FrameReader::new(recv, MOST_ASKED), &bell) => served,
            () = bell.over.notified() => Err(Served::Superseded),
            () = gate.revoked() => Err(Served::NotAllowed),
        }
    }

    fn bells(&self) -> MutexGuard<'_, BTreeMap<StreamId, Arc<Bell>>> {
        self.0.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("records", &self.board().len()).finish_non_exhaustive()
    }
}

/// A stream that is served; dropped, it is forgotten.
struct Open<'a> {
    host: &'a Host,
    stream: StreamId,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let now = self.host.now();
        self.host.board().close(now, self.stream);
        self.host.bells().remove(&self.stream);
    }
}

/// One stream.
struct Talk<'a, W> {
    host: &'a Host,
    owner: Owner,
    stream: StreamId,
    gate: &'a dyn Gate,
    send: W,
}

impl<W: AsyncWrite + Unpin + Send> Talk<'_, W> {
    async fn run(
        mut self,
        mut asks: FrameReader<impl AsyncRead + Unpin + Send>,
        bell: &Bell,
    ) -> Result<(), Served> {
        loop {
            while let Some((number, found)) = self.due() {
                self.say(number, self.batch(found)).await?;
            }
            tokio::select! {
                ask = asks.next::<Ask>() => match ask? {
                    Some(ask) => self.asked(ask).await?,
                    None => return Ok(()),
                },
                () = bell.news.notified() => {}
            }
        }
    }

    fn due(&self) -> Option<(u64, Found)> {
        let now = self.host.now();
        self.host.board().due(now, self.stream)
    }

    async fn asked(&mut self, Ask { number, what }: Ask) -> Result<(), Served> {
        if !self.gate.allowed().await {
            self.say(number, refused(Reason::NotAllowed.into())).await?;
            return Err(Served::NotAllowed);
        }
        match self.reply(number, what).unwrap_or_else(|refusal| Some(refused(refusal))) {
            Some(reply) => self.say(number, reply).await,
            None => Ok(()),
        }
    }

    fn reply(&self, number: u64, what: Request) -> Result<Option<Reply>, Refusal> {
        let (now, mut board) = (self.host.now(), self.host.board());
        // What ends or confirms something costs nothing and must not be refused.
        match what {
            Request::Taken(watch) => {
                board.taken(self.stream, watch);
                return Ok(None);
            }
            Request::Unwatch(watch) => {
                board.unwatch(self.stream, watch);
                return Ok(None);
            }
            _ => board.ask(now, self.owner)?,
        }
        match what {
            Request::Probe => Ok(Some(Reply::Here(now.wall.as_secs()))),
            Request::Leave(note) => {
                let Left { receipt, wake } = board.leave(now, self.owner, note)?;
                drop(board);
                self.host.wake(&wake);
                Ok(Some(Reply::Left(receipt)))
            }
            Request::Look { keys, after, limit } => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                let found = board.look(now, &slots(keys), after, limit)?;
                Ok(Some(self.batch(found)))
            }
            Request::Watch { keys, after } => {
                board.watch(self.stream, number, slots(keys), after)?;
                Ok(None)
            }
            Request::Retract(receipts) => {
                board.retract(self.owner, &receipts);
                Ok(Some(Reply::Done))
            }
            Request::Taken(_) | Request::Unwatch(_) => Ok(None),
        }
    }

    fn batch(&self, found: Found) -> Reply {
        let Found { records, position, more } = found;
        Reply::Batch { records, position, more, time: self.host.now().wall.as_secs() }
    }

    /// Answers. While the friend does not read, it is not heard either, and nothing is kept for it.
    async fn say(&mut self, number: u64, what: Reply) -> Result<(), Served> {
        let answer = Answer { number, what };
        let written = std::pin::pin!(write_frame(&mut self.send, &answer));
        match select(written, self.host.0.clock.sleep(PATIENCE)).await {
            Either::Left((written, _)) => Ok(written.map_err(WireError::from)?),
            Either::Right(_) => Err(Served::Slow),
        }
    }
}

fn refused(Refusal { reason, retry }: Refusal) -> Reply {
    // Whole seconds, and not too early.
    let seconds = |wait: Duration| u32::try_from(wait.as_secs().saturating_add(1)).unwrap_or(u32::MAX);
    Reply::Refused { reason: reason.number(), retry: retry.map(seconds) }
}

fn slots(keys: Vec<Id>) -> std::collections::BTreeSet<Slot> {
    keys.into_iter().map(Slot::from).collect()
}
