//! Group commit: whatever is to be written at the same moment goes to disk with one fsync.
//!
//! While a group is on its way to the disk the next one gathers, so that groups are as large as the disk is slow. What waits is bounded in number and bytes; whoever has
//! more waits, down to the guest's stream.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use wayside_proto::mailbox::custody::Ledger;
use wayside_proto::mailbox::{Age, MailError};

use super::{Mailboxes, lock};
use crate::store::{Change, CustodyStore, StoreError};

/// The most that one transaction does.
const GROUP: usize = 512;
/// Things that may wait for their group.
const QUEUE: usize = 1024;
/// Bytes of them, the group that is being written included.
const BYTES: usize = 8 << 20;

/// What waits, and who takes it.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    /// Taken by the task that writes.
    taken: Mutex<Option<mpsc::Receiver<Box<dyn Job>>>>,
    room: Arc<Semaphore>,
    /// How many groups were written.
    #[cfg(test)]
    groups: std::sync::atomic::AtomicU64,
}

impl Default for Writer {
    fn default() -> Self {
        let (queue, taken) = mpsc::channel(QUEUE);
        Self {
            queue,
            taken: Mutex::new(Some(taken)),
            room: Arc::new(Semaphore::new(BYTES)),
            #[cfg(test)]
            groups: std::sync::atomic::AtomicU64::new(0),
        }
    }
}

/// Something to be done in a transaction, with others.
trait Job: Send + fmt::Debug {
    /// Does it. It may be done again in another transaction where this one does not come to its end.
    fn work(&mut self, ledger: &mut Ledger<'_, Change<'_>>, now: Age) -> Result<(), MailError<StoreError>>;

    /// Says what became of it.
    fn answer(self: Box<Self>, failed: Option<&StoreError>);
}

struct Asked<W, R> {
    work: W,
    result: Option<R>,
    answer: oneshot::Sender<Result<R, StoreError>>,
    _room: OwnedSemaphorePermit,
}

impl<W, R> Job for Asked<W, R>
where
    W: FnMut(&mut Ledger<'_, Change<'_>>, Age) -> Result<R, MailError<StoreError>> + Send,
    R: Send,
{
    fn work(&mut self, ledger: &mut Ledger<'_, Change<'_>>, now: Age) -> Result<(), MailError<StoreError>> {
        self.result = Some((self.work)(ledger, now)?);
        Ok(())
    }

    fn answer(self: Box<Self>, failed: Option<&StoreError>) {
        let result = match (failed, self.result) {
            (None, Some(result)) => Ok(result),
            (failed, _) => Err(failed.map_or_else(ending, again)),
        };
        // Whoever asked may have gone.
        let _ = self.answer.send(result);
    }
}

impl<W, R> fmt::Debug for Asked<W, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("something to be written")
    }
}

/// What will become of it: known once it is on disk, or is not.
#[derive(Debug)]
pub(super) struct Written<R>(Option<oneshot::Receiver<Result<R, StoreError>>>);

impl<R> Written<R> {
    /// Waits for the disk.
    pub(super) async fn done(self) -> Result<R, StoreError> {
        match self.0 {
            Some(answer) => answer.await.unwrap_or_else(|_| Err(ending())),
            None => Err(ending()),
        }
    }
}

impl Mailboxes {
    /// Has something written, with whatever else is. Waits for room in the queue; what is asked in turn is done in turn. `size` is how much memory it takes, in bytes.
    pub(super) async fn write<R: Send + 'static>(
        &self,
        size: usize,
        work: impl FnMut(&mut Ledger<'_, Change<'_>>, Age) -> Result<R, MailError<StoreError>> + Send + 'static,
    ) -> Written<R> {
        let writer = &self.0.writer;
        let size = u32::try_from(size.clamp(1, BYTES)).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&writer.room).acquire_many_owned(size).await else { return Written(None) };
        let (answer, answered) = oneshot::channel();
        let asked = Asked { work, result: None, answer, _room: room };
        match writer.queue.send(Box::new(asked)).await {
            Ok(()) => Written(Some(answered)),
            Err(_) => Written(None),
        }
    }

    /// Writes what is asked for, until the node ends. To be run once.
    pub(super) async fn write_groups(&self) {
        let Some(mut taken) = lock(&self.0.writer.taken).take() else { return };
        let mut group = Vec::with_capacity(GROUP);
        while taken.recv_many(&mut group, GROUP).await > 0 {
            #[cfg(test)]
            self.0.writer.groups.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let (jobs, now) = (std::mem::take(&mut group), self.age());
            let written = self.0.custody.run(move |custody| {
                commit(custody, jobs, now);
                Ok(())
            });
            if let Err(error) = written.await {
                tracing::error!(%error, "what was to be kept for friends was not");
            }
        }
    }
}

#[cfg(test)]
impl Mailboxes {
    /// How many groups were written.
    pub(crate) fn groups(&self) -> u64 {
        self.0.writer.groups.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// All in one transaction, and each by itself where the group is spoilt by what one of them finds.
fn commit(custody: &CustodyStore, mut jobs: Vec<Box<dyn Job>>, now: Age) {
    let together = write(custody, now, &mut jobs);
    match together {
        Ok(()) => jobs.into_iter().for_each(|job| job.answer(None)),
        Err(StoreError::Io(error)) => {
            tracing::warn!(%error, "the disk does not take what is to be kept for friends");
            let failed = StoreError::Io(error);
            jobs.into_iter().for_each(|job| job.answer(Some(&failed)));
        }
        Err(_) => {
            for mut job in jobs {
                let alone = write(custody, now, std::slice::from_mut(&mut job));
                if let Err(error) = &alone {
                    tracing::warn!(%error, "something could not be kept for a friend");
                }
                job.answer(alone.as_ref().err());
            }
        }
    }
}

fn write(custody: &CustodyStore, now: Age, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    custody.change(|change| {
        let mut ledger = Ledger::open(change)?;
        jobs.iter_mut().try_for_each(|job| job.work(&mut ledger, now))?;
        ledger.close()
    })
}

/// The same error for another one who asked.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Io(error) => StoreError::Io(io::Error::new(error.kind(), error.to_string())),
        StoreError::Damaged(why) => StoreError::Damaged(why.clone()),
        StoreError::Limit(why) => StoreError::Limit(why),
    }
}

fn ending() -> StoreError {
    StoreError::Io(io::Error::other("the node is ending"))
}
