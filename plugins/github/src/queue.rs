//! What waits to be written. Whatever waits at the same moment goes out together.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use tokio::sync::oneshot;
use wayside_bridge::{Receipt, Spawner};

use crate::error::GitHubError;

/// The most that waits; what comes on top is turned away.
const MOST_WAITING: usize = 1024;
/// The most that goes out together.
const MOST_TOGETHER: usize = 64;
/// After so many bytes no more goes out together.
const BYTES_TOGETHER: usize = 4 * 1024 * 1024;

/// Something to be written.
#[derive(Debug)]
pub(crate) enum Task {
    /// This record's file.
    Publish(Outgoing),
    /// Take back what these stand for.
    Retract(Vec<Receipt>),
}

/// A record's file that is to be written.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    /// What it is called.
    pub(crate) name: wayside_bridge::file::Name,
    /// Of what is in it.
    pub(crate) check: wayside_bridge::file::Check,
    /// What is in it.
    pub(crate) contents: Vec<u8>,
}

/// What a task came to; a publication gives a receipt.
pub(crate) type Done = Result<Option<Receipt>, GitHubError>;

/// A task with somebody who waits for it, or did.
pub(crate) struct Waiting {
    /// What is to be done.
    pub(crate) task: Task,
    answer: oneshot::Sender<Done>,
}

impl Waiting {
    /// Tells whoever waits.
    pub(crate) fn answer(self, done: Done) {
        let _ = self.answer.send(done);
    }
}

/// Carries out tasks.
pub(crate) trait Writer: Send + Sync + 'static {
    /// Carries out all of these, and answers each.
    fn write(self: Arc<Self>, tasks: Vec<Waiting>) -> BoxFuture<'static, ()>;
}

/// Tasks that wait for their turn.
#[derive(Default)]
pub(crate) struct Queue(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    working: bool,
}

impl Queue {
    /// Has it done. Dropping this future leaves the task to be done all the same.
    pub(crate) async fn run(&self, task: Task, writer: Arc<impl Writer>, spawner: &dyn Spawner) -> Done {
        let (answer, done) = oneshot::channel();
        let begin = {
            let mut state = lock(&self.0);
            if state.waiting.len() >= MOST_WAITING {
                return Err(GitHubError::Crowded);
            }
            state.waiting.push_back(Waiting { task, answer });
            !std::mem::replace(&mut state.working, true)
        };
        if begin {
            let mut worker = Worker { state: Arc::clone(&self.0), over: false };
            spawner.spawn(Box::pin(async move {
                while let Some(tasks) = worker.next() {
                    Arc::clone(&writer).write(tasks).await;
                }
            }));
        }
        done.await.unwrap_or(Err(GitHubError::Lost))
    }
}

/// Whoever works the queue. When it goes, for whatever reason, nobody waits for it in vain.
struct Worker {
    state: Arc<Mutex<State>>,
    over: bool,
}

impl Worker {
    /// The next tasks to do together; `None` when there are none, and the work is over.
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let mut state = lock(&self.state);
        let (mut together, mut bytes) = (Vec::new(), 0_usize);
        while together.len() < MOST_TOGETHER && bytes < BYTES_TOGETHER {
            let Some(next) = state.waiting.pop_front() else { break };
            if let Task::Publish(outgoing) = &next.task {
                bytes = bytes.saturating_add(outgoing.contents.len());
            }
            together.push(next);
        }
        if together.is_empty() {
            // Under the lock: whoever comes from now on begins anew.
            state.working = false;
            self.over = true;
            return None;
        }
        Some(together)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.over {
            let mut state = lock(&self.state);
            state.waiting.clear();
            state.working = false;
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
