//! What waits to be written. Whatever waits at the same moment goes out together.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::oneshot;
use wayside_bridge::{BridgeContext, Receipt, Record, file};

use crate::error::WebError;
use crate::pace::Pace;
use crate::ticket::Ticket;

/// The most that waits; what comes on top is turned away.
const MOST_WAITING: usize = 1024;
/// The most that goes out together.
const MOST_TOGETHER: usize = 64;

/// Something to be written.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// This record, of this check.
    Publish(file::Found),
    /// Take back what these stand for.
    Retract(Vec<Receipt>),
}

/// What is to become of records; each once, however often it was asked for.
pub(crate) type Changes = BTreeMap<file::Check, Change>;

/// What is to become of a record.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// It is to be there.
    Put(Record),
    /// It is not to be there any more.
    Take(Ticket),
}

/// Carries out tasks.
#[async_trait]
pub(crate) trait Writer: Send + Sync {
    /// Puts there what is to be there and takes away what is not, in as few requests as it takes.
    async fn write(&self, changes: &Changes) -> Result<(), WebError>;

    /// What takes a record back.
    fn ticket(&self, found: &file::Found) -> Ticket;
}

struct Waiting {
    task: Task,
    answer: oneshot::Sender<Result<Option<Receipt>, WebError>>,
}

/// Tasks that wait for their turn.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<VecDeque<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

impl Queue {
    /// Has it done. Dropping this future leaves the task to be done all the same.
    pub(crate) async fn run(
        self: &Arc<Self>,
        task: Task,
        writer: Arc<dyn Writer>,
        (context, pace): (&BridgeContext, Pace),
    ) -> Result<Option<Receipt>, WebError> {
        let (answer, done) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.len() >= MOST_WAITING {
                return Err(WebError::Crowded);
            }
            waiting.push_back(Waiting { task, answer });
        }
        let (queue, clock) = (Arc::clone(self), Arc::clone(&context.clock));
        context.spawner.spawn(Box::pin(async move {
            clock.sleep(pace.linger).await;
            let _turn = queue.turn.lock().await;
            let together: Vec<Waiting> = {
                let mut waiting = queue.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let count = waiting.len().min(MOST_TOGETHER);
                waiting.drain(..count).collect()
            };
            if !together.is_empty() {
                work(writer.as_ref(), together).await;
            }
        }));
        done.await.unwrap_or(Err(WebError::Lost))
    }
}

async fn work(writer: &dyn Writer, together: Vec<Waiting>) {
    let done = write(writer, together.iter().map(|waiting| &waiting.task)).await;
    // One that is too much is not to keep the others out, above all not those that make room.
    let alone = together.len() > 1
        && matches!(
            done,
            Err(WebError::SpaceFull { .. } | WebError::DiskFull { .. } | WebError::UploadLimit { .. })
        );
    for waiting in together {
        let done = if alone { write(writer, [&waiting.task]).await } else { done.clone() };
        let answer = done.and_then(|()| match &waiting.task {
            Task::Publish(found) => writer.ticket(found).receipt().map(Some),
            Task::Retract(_) => Ok(None),
        });
        let _ = waiting.answer.send(answer);
    }
}

async fn write<'a>(writer: &dyn Writer, tasks: impl IntoIterator<Item = &'a Task>) -> Result<(), WebError> {
    let mut changes = Changes::new();
    for task in tasks {
        match task {
            Task::Publish(found) => drop(changes.insert(found.check, Change::Put(found.record.clone()))),
            Task::Retract(receipts) => {
                let tickets = receipts.iter().filter_map(Ticket::read);
                changes.extend(tickets.map(|ticket| (ticket.check, Change::Take(ticket))));
            }
        }
    }
    if changes.is_empty() { Ok(()) } else { writer.write(&changes).await }
}
