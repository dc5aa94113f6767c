//! `wayside/deposit/1`: who is no friend, and nameless, leaves something for a friend of ours by that friend's door, or brings us something by our own.
//!
//! The guest writes [`Put`]s and reads an [`Answer`] for each, in order. Many may be on their way: they are written to disk together.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use minicbor::{Decode, Encode};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use wayside_noise::{Link, Stream};
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::wire::{Answer, MAX_BLOB, Put};

use super::{Mailboxes, lock};
use crate::doors::DoorProtocol;
use crate::driver::Driver;
use crate::links::{append_frame, read_frame};
use crate::mail::own_door::OwnDoor;
use crate::store::StoreError;

/// The protocol's name.
pub(crate) const NAME: &str = "wayside/deposit/1";

/// The largest frame: the largest blob and what stands around it, in bytes.
const MOST: usize = MAX_BLOB + 256;
/// How many of one stream may wait for the disk.
const WINDOW: usize = 128;
/// How long a guest may say nothing over a stream.
const IDLE: Duration = Duration::from_secs(120);
/// Streams of all guests that are served at a time, and those by one friend's door: each may hold one blob that is not in the queue yet.
const STREAMS: usize = 256;
const STREAMS_OF_ONE: usize = 64;
/// When it may be tried again with a disk that takes nothing, in seconds.
const LATER: u32 = 300;

/// Takes what guests leave.
#[derive(Debug)]
pub(crate) struct Deposits {
    mailboxes: Mailboxes,
    own: OwnDoor,
    streams: Mutex<BTreeMap<AccountId, usize>>,
}

impl Deposits {
    pub(crate) fn new(driver: &Driver) -> Self {
        let mailboxes = driver.mailboxes().clone();
        Self { mailboxes, own: OwnDoor::new(driver.clone()), streams: Mutex::default() }
    }

    fn enter(&self, owner: AccountId) -> Option<Inside<'_>> {
        let mut streams = lock(&self.streams);
        let all: usize = streams.values().sum();
        let of_one = streams.entry(owner).or_default();
        if all >= STREAMS || *of_one >= STREAMS_OF_ONE {
            return None;
        }
        *of_one += 1;
        Some(Inside { deposits: self, owner })
    }
}

/// A stream that is served.
struct Inside<'a> {
    deposits: &'a Deposits,
    owner: AccountId,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut streams = lock(&self.deposits.streams);
        if let Some(of_one) = streams.get_mut(&self.owner) {
            *of_one = of_one.saturating_sub(1);
        }
        streams.retain(|_, of_one| *of_one > 0);
    }
}

#[async_trait]
impl DoorProtocol for Deposits {
    async fn accept(&self, owner: AccountId, link: Link, stream: Stream) {
        let Some(_inside) = self.enter(owner) else { return };
        let taken = if self.own.is_of(&owner) {
            take(stream, MOST, |put| self.own.take(put)).await
        } else {
            take(stream, MOST, |put| self.mailboxes.deposit(owner, put)).await
        };
        if let Err(error) = taken {
            tracing::debug!(%error, "a stream of deposits ended");
            if error.kind() == io::ErrorKind::InvalidData {
                link.close("that is no deposit");
            }
        }
    }
}

impl Mailboxes {
    /// Has something kept for a friend by whose door it came. What comes back is known once it is on disk.
    pub(crate) async fn deposit(&self, owner: AccountId, put: Put) -> impl Future<Output = Answer> + use<> {
        let (mailboxes, limits, size) = (self.clone(), self.limits(), put.blob.len());
        let written = self.write(size, move |ledger, now| {
            // It may have been turned out while this waited.
            match mailboxes.is_owner(&owner) {
                true => ledger.deposit(now, &limits, &owner, &put),
                false => Ok(Answer::Denied),
            }
        });
        let (written, mailboxes) = (written.await, self.clone());
        async move {
            let answer = answer(written.done().await);
            if answer == Answer::Stored {
                mailboxes.came(&owner);
            }
            answer
        }
    }
}

/// What is said where the store does not do it: nothing is lost by that, since whoever asked still has it.
pub(super) fn answer(written: Result<Answer, StoreError>) -> Answer {
    written.unwrap_or(Answer::Full(LATER))
}

/// Takes one thing after the other, and answers in order, each once it is known what became of it.
pub(super) async fn take<T, F>(
    stream: Stream,
    most: usize,
    mut keep: impl FnMut(T) -> F + Send,
) -> io::Result<()>
where
    T: for<'b> Decode<'b, ()> + Send,
    F: Future<Output: Future<Output = Answer> + Send> + Send,
{
    let Stream { mut send, mut recv } = stream;
    let (kept, mut answers) = mpsc::channel(WINDOW);
    let taking = async move {
        while let Some(thing) = tokio::time::timeout(IDLE, read_frame::<T>(&mut recv, most)).await?? {
            if kept.send(keep(thing).await).await.is_err() {
                break;
            }
        }
        io::Result::Ok(())
    };
    let answering = async move {
        let answers = futures::stream::poll_fn(move |context| answers.poll_recv(context));
        let mut ready = answers.buffered(WINDOW).ready_chunks(WINDOW);
        while let Some(ready) = ready.next().await {
            let mut frames = Vec::new();
            ready.iter().try_for_each(|answer| append_frame(&mut frames, answer))?;
            send.write_all(&frames).await?;
            send.flush().await?;
        }
        io::Result::Ok(())
    };
    tokio::try_join!(taking, answering).map(|_| ())
}

/// How long whoever takes something may need to say what became of it.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest answer, in bytes.
const MOST_ANSWER: usize = 16;

/// Leaves things, and gives what became of each, in order. Those of which nothing is known, because the stream ended, are not in it.
pub(crate) async fn leave<T: Encode<()> + Sync>(
    stream: Stream,
    things: &[T],
) -> (Vec<Answer>, io::Result<()>) {
    let Stream { mut send, mut recv } = stream;
    let mut answers = Vec::with_capacity(things.len());
    let leaving = async {
        let mut frames = Vec::new();
        for (at, thing) in things.iter().enumerate() {
            append_frame(&mut frames, thing)?;
            // Small ones go together.
            if frames.len() > MAX_BLOB || at + 1 == things.len() {
                send.write_all(&frames).await?;
                frames.clear();
            }
        }
        send.flush().await
    };
    let hearing = async {
        while answers.len() < things.len() {
            let answer =
                tokio::time::timeout(PATIENCE, read_frame::<Answer>(&mut recv, MOST_ANSWER)).await??;
            answers.push(answer.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        }
        io::Result::Ok(())
    };
    let done = tokio::try_join!(leaving, hearing).map(|_| ());
    (answers, done)
}
