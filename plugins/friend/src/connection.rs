//! One stream to a friend, over which several requests are under way at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use tokio::io::AsyncWrite;
use tokio::sync::{mpsc, oneshot};
use wayside_bridge::Spawner;

use crate::carrier::Channel;
use crate::wire::{Answer, Ask, FrameReader, MOST_ANSWERED, Reply, Request, WINDOW, write_frame};

/// A stream that is open, or was. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    /// Dropped, the task ends.
    _alive: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    asks: mpsc::Sender<Ask>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    waiting: BTreeMap<u64, mpsc::Sender<Reply>>,
    ended: Option<Ending>,
}

/// Requests that may wait to be written: callers have few under way, and a friend who sends much and reads nothing is given up.
const ASKS: usize = 1024;

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The link is gone, or the friend does not serve us any more.
    Lost,
    /// What came makes no sense.
    Garbled,
}

/// A request that is under way. Dropped, its answers are passed over.
#[derive(Debug)]
pub(crate) struct Exchange {
    shared: Arc<Shared>,
    number: u64,
    replies: mpsc::Receiver<Reply>,
}

impl Connection {
    /// Begins to talk over a stream.
    pub(crate) fn start(channel: Channel, spawner: &dyn Spawner) -> Self {
        let (asks, asked) = mpsc::channel(ASKS);
        let (alive, gone) = oneshot::channel();
        let shared = Arc::new(Shared { state: Mutex::default(), asks });
        let talking = Arc::clone(&shared);
        spawner.spawn(
            async move {
                let Channel { recv, send, guard: _guard, rtt: _ } = channel;
                let answers = FrameReader::new(recv, MOST_ANSWERED);
                let ending = tokio::select! {
                    ending = talking.listen(answers) => ending,
                    () = speak(send, asked) => Ending::Lost,
                    _ = gone => Ending::Lost,
                };
                talking.end(ending);
            }
            .boxed(),
        );
        Self { shared, _alive: alive }
    }

    /// Asks.
    pub(crate) fn ask(&self, what: Request) -> Exchange {
        // The friend sends no more batches of a watch than this before one is taken; anything else has one answer.
        let (answer, replies) = mpsc::channel(WINDOW);
        let mut state = self.shared.state();
        state.last = state.last.saturating_add(1);
        let number = state.last;
        if state.ended.is_none() {
            state.waiting.insert(number, answer);
        }
        // In the order of the numbers.
        if !self.shared.say(number, what) {
            state.end(Ending::Lost);
        }
        drop(state);
        Exchange { shared: Arc::clone(&self.shared), number, replies }
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.shared.state().ended.is_some()
    }

    /// Ends it.
    pub(crate) fn end(&self) {
        self.shared.end(Ending::Lost);
    }
}

impl Exchange {
    /// The next answer.
    pub(crate) async fn next(&mut self) -> Result<Reply, Ending> {
        match self.replies.recv().await {
            Some(reply) => Ok(reply),
            None => Err(self.shared.state().ended.unwrap_or(Ending::Lost)),
        }
    }

    /// Says that a batch was taken, so that the friend sends another.
    pub(crate) fn taken(&self) {
        self.tell(Request::Taken(self.number));
    }

    /// Says that this watch is over.
    pub(crate) fn unwatch(&self) {
        self.tell(Request::Unwatch(self.number));
    }

    /// Says what has no answer, and so no number.
    fn tell(&self, what: Request) {
        if !self.shared.say(0, what) {
            self.shared.end(Ending::Lost);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.shared.state().waiting.remove(&self.number);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `false` where the friend does not read what we say any more.
    fn say(&self, number: u64, what: Request) -> bool {
        self.asks.try_send(Ask { number, what }).is_ok()
    }

    /// Hands out answers until none come.
    async fn listen(&self, mut answers: FrameReader<impl tokio::io::AsyncRead + Unpin>) -> Ending {
        loop {
            match answers.next::<Answer>().await {
                Ok(Some(Answer { number, what })) => {
                    // Nobody may be waiting any more.
                    let waiting = self.state().waiting.get(&number).cloned();
                    if waiting.is_some_and(|waiting| {
                        matches!(waiting.try_send(what), Err(mpsc::error::TrySendError::Full(_)))
                    }) {
                        return Ending::Garbled;
                    }
                }
                Err(crate::wire::WireError::TooLong { .. } | crate::wire::WireError::Malformed) => {
                    return Ending::Garbled;
                }
                Ok(None) | Err(crate::wire::WireError::Stream(_)) => return Ending::Lost,
            }
        }
    }

    fn end(&self, ending: Ending) {
        self.state().end(ending);
    }
}

impl State {
    fn end(&mut self, ending: Ending) {
        self.ended.get_or_insert(ending);
        self.waiting.clear();
    }
}

/// Writes requests until it cannot.
async fn speak(mut send: impl AsyncWrite + Unpin, mut asked: mpsc::Receiver<Ask>) {
    while let Some(ask) = asked.recv().await {
        if write_frame(&mut send, &ask).await.is_err() {
            // What the friend has said of it may still come.
            return std::future::pending().await;
        }
    }
}
