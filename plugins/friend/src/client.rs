//! Asks a friend, over a stream that is opened when it is needed and again when it was lost.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::sync::Mutex;
use wayside_bridge::{BridgeContext, BridgeError, ErrorKind, Monotonic};

use crate::carrier::{Carrier, Channel};
use crate::connection::{Connection, Ending, Exchange};
use crate::error::FriendError;
use crate::limits::{Reason, Refusal};
use crate::wire::{Id, Note, Position, Reply, Request};

/// Asks one friend.
#[derive(Debug)]
pub(crate) struct Client {
    carrier: Arc<dyn Carrier>,
    context: BridgeContext,
    name: String,
    open: Mutex<Open>,
}

/// The stream, and how opening one went last.
#[derive(Debug, Default)]
struct Open {
    connection: Option<Arc<Connection>>,
    failed: Option<(Monotonic, ErrorKind, String)>,
}

/// What a watch found.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) records: Vec<Note>,
    pub(crate) position: Position,
    pub(crate) more: bool,
    pub(crate) time: u64,
}

/// A watch that is under way. Dropped, it is over.
#[derive(Debug)]
pub(crate) struct Feed {
    exchange: Exchange,
    client: Arc<Client>,
    /// Keeps the stream open.
    _connection: Arc<Connection>,
}

/// How long an answer may take: the link carries it at once, or is dead.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest that a friend may ask us to wait.
const LONGEST: Duration = Duration::from_secs(60 * 60);

impl Client {
    /// One that asks over this stream first, where one is open.
    pub(crate) fn new(carrier: Arc<dyn Carrier>, context: BridgeContext, channel: Option<Channel>) -> Self {
        let name = carrier.name();
        let connection = channel.map(|channel| Arc::new(Connection::start(channel, &*context.spawner)));
        Self { carrier, context, name, open: Mutex::new(Open { connection, failed: None }) }
    }

    pub(crate) const fn context(&self) -> &BridgeContext {
        &self.context
    }

    /// Asks what has one answer. Where the stream was lost it asks once more: every request may be repeated.
    pub(crate) async fn ask(&self, what: Request) -> Result<Reply, FriendError> {
        match self.ask_once(what.clone()).await {
            Err(FriendError::Lost(_)) => self.ask_once(what).await,
            answered => answered,
        }
    }

    async fn ask_once(&self, what: Request) -> Result<Reply, FriendError> {
        let connection = self.connection().await?;
        let mut exchange = connection.ask(what);
        let answered = std::pin::pin!(exchange.next());
        match select(answered, self.context.clock.sleep(PATIENCE)).await {
            Either::Left((Ok(reply), _)) => self.accepted(reply),
            Either::Left((Err(ending), _)) => Err(self.ended(ending)),
            Either::Right(_) => {
                connection.end();
                Err(FriendError::Silent { friend: self.name.clone(), patience: PATIENCE })
            }
        }
    }

    /// Begins a watch.
    pub(crate) async fn watch(
        self: &Arc<Self>,
        keys: Vec<Id>,
        after: Option<Position>,
    ) -> Result<Feed, FriendError> {
        let connection = self.connection().await?;
        let exchange = connection.ask(Request::Watch { keys, after });
        Ok(Feed { exchange, client: Arc::clone(self), _connection: connection })
    }

    /// What makes no sense.
    pub(crate) fn garbled(&self) -> FriendError {
        FriendError::Garbled(self.name.clone())
    }

    async fn connection(&self) -> Result<Arc<Connection>, FriendError> {
        let clock = &self.context.clock;
        let asked = clock.monotonic();
        let mut open = self.open.lock().await;
        if let Some(connection) = open.connection.as_ref().filter(|connection| !connection.has_ended()) {
            return Ok(Arc::clone(connection));
        }
        open.connection = None;
        // Who waited for another's try does not wait for one more.
        if let Some((_, kind, why)) = open.failed.as_ref().filter(|(at, ..)| *at > asked) {
            return Err(FriendError::Carrier(BridgeError::new(*kind, why.clone())));
        }
        let channel = self.carrier.open().await.map_err(|error| {
            open.failed = Some((clock.monotonic(), error.kind(), error.message().to_owned()));
            FriendError::Carrier(error)
        })?;
        let connection = Arc::new(Connection::start(channel, &*self.context.spawner));
        open.connection = Some(Arc::clone(&connection));
        Ok(connection)
    }

    fn accepted(&self, reply: Reply) -> Result<Reply, FriendError> {
        let Reply::Refused { reason, retry } = reply else { return Ok(reply) };
        let retry = retry.map(|seconds| Duration::from_secs(seconds.into()).min(LONGEST));
        let refusal = Refusal { reason: Reason::of(reason), retry };
        Err(FriendError::Refused { friend: self.name.clone(), refusal })
    }

    fn ended(&self, ending: Ending) -> FriendError {
        match ending {
            Ending::Lost => FriendError::Lost(self.name.clone()),
            Ending::Garbled => self.garbled(),
        }
    }
}

impl Feed {
    /// The next batch that is not empty, once it is there.
    pub(crate) async fn next(&mut self) -> Result<News, FriendError> {
        loop {
            let reply = self.exchange.next().await.map_err(|ending| self.client.ended(ending))?;
            let Reply::Batch { records, position, more, time } = self.client.accepted(reply)? else {
                return Err(self.client.garbled());
            };
            self.exchange.taken();
            if !records.is_empty() {
                return Ok(News { records, position, more, time });
            }
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.exchange.unwatch();
    }
}
