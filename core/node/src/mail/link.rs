//! `wayside/message/1`: sealed items over a link, each kept until the other side has it on disk.
//!
//! The sender writes [`Frame`]s, items in their order and news under number 0; the recipient commits what is there in one transaction, then says with an [`Ack`] each what became of it, in
//! the order in which they came. Several streams at once, over one link or two, do no harm: an item is taken in once, by whatever way it comes.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use minicbor::{Decode, Encode};
use tokio::io::AsyncWriteExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use wayside_noise::Stream;
use wayside_proto::mailbox::item::Receipt;
use wayside_proto::mailbox::outbox::{self, Sealed};
use wayside_proto::mailbox::wire::MAX_BLOB;

use super::news::{self, Told};
use super::{Came, came, states};
use crate::driver::Driver;
use crate::links::{Peer, Protocol, append_frame, read_frame, write_frame};

/// The protocol's name.
pub(crate) const NAME: &str = "wayside/message/1";

/// An item on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Frame {
    /// Its number; 0 for news, which have none.
    #[n(0)]
    pub(crate) seq: u64,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) blob: Vec<u8>,
}

/// What the recipient says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Ack {
    #[n(0)]
    pub(crate) seq: u64,
    #[n(1)]
    pub(crate) what: Outcome,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(crate) enum Outcome {
    /// It is on disk.
    #[n(0)]
    Taken,
    /// It cannot be read.
    #[n(1)]
    Useless,
    /// Not taken: there is no room until some were read.
    #[n(2)]
    Full,
}

/// The largest frame, in bytes.
const MOST: usize = MAX_BLOB + 64;
/// The largest acknowledgement, in bytes.
const MOST_ACK: usize = 32;
/// Items that are on their way at once, and that are committed together.
const WINDOW: usize = outbox::MOST_BEYOND;
/// Bytes of all friends' items that wait for the disk at a time.
const WAITING: usize = 16 << 20;
/// How long to wait before trying again with a recipient that has no room, or whose disk does not take it.
const PAUSE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });
/// How long a recipient may take to say what became of an item.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 60 });

/// Takes items in.
#[derive(Debug)]
pub(crate) struct Inbox {
    driver: Driver,
    room: Arc<Semaphore>,
}

impl Inbox {
    pub(crate) fn new(driver: Driver) -> Self {
        Self { driver, room: Arc::new(Semaphore::new(WAITING)) }
    }
}

#[async_trait]
impl Protocol for Inbox {
    async fn accept(&self, peer: Peer, stream: Stream) {
        if let Err(error) = self.take(&peer, stream).await {
            tracing::debug!(%error, "a stream of messages ended");
        }
    }
}

impl Inbox {
    async fn take(&self, peer: &Peer, stream: Stream) -> io::Result<()> {
        let Stream { mut send, mut recv } = stream;
        let (frames, mut there) = mpsc::channel::<(Frame, OwnedSemaphorePermit)>(WINDOW);
        let reading = async move {
            while let Some(frame) = read_frame::<Frame>(&mut recv, MOST).await? {
                let size = u32::try_from(frame.blob.len()).map_err(io::Error::other)?;
                let room = Arc::clone(&self.room).acquire_many_owned(size).await.map_err(io::Error::other)?;
                if frames.send((frame, room)).await.is_err() {
                    break;
                }
            }
            io::Result::Ok(())
        };
        let taking = async move {
            let mut batch = Vec::new();
            while there.recv_many(&mut batch, WINDOW).await > 0 {
                let (frames, room): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
                let (seqs, blobs): (Vec<_>, Vec<_>) =
                    frames.into_iter().map(|it: Frame| (it.seq, it.blob)).unzip();
                let came = came(&self.driver, peer.account, blobs).await.map_err(io::Error::other)?;
                drop(room);
                let mut acks = Vec::new();
                for (seq, came) in seqs.into_iter().zip(&came) {
                    append_frame(&mut acks, &Ack { seq, what: outcome(*came) })?;
                }
                send.write_all(&acks).await?;
                send.flush().await?;
                if came.contains(&Came::Full) {
                    // It comes again over another stream, once there is room.
                    return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "there is no room for more"));
                }
            }
            Ok(())
        };
        tokio::try_join!(reading, taking).map(|_| ())
    }
}

const fn outcome(came: Came) -> Outcome {
    match came {
        Came::Taken => Outcome::Taken,
        Came::Useless => Outcome::Useless,
        Came::Full => Outcome::Full,
    }
}

/// Sends what waits for a friend, and what is accepted later, and tells it what came, until the link ends.
pub(crate) async fn send_queued(driver: &Driver, peer: &Peer) {
    let (mut accepted, mut owing) = (driver.message_accepted(), driver.mail().owing());
    // What it cannot read is not sent again over this link.
    let mut useless = BTreeSet::new();
    // It is told how things stand at first, whether or not anything came: what was told before may be lost.
    let (mut tell_at, mut always) = (Some(Instant::now()), true);
    loop {
        accepted.borrow_and_update();
        let sent = async {
            if tell_at.is_some_and(|at| at <= Instant::now()) {
                owing.borrow_and_update();
                tell(driver, peer, always).await?;
                (tell_at, always) = (None, false);
            }
            send_all(driver, peer, &mut useless).await
        };
        match sent.await {
            Ok(Progress::Done) => {}
            Ok(Progress::Full) => {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            Err(error) => {
                tracing::debug!(%error, "messages could not be sent yet");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        }
        tokio::select! {
            changed = accepted.changed() => if changed.is_err() { return },
            changed = owing.changed() => {
                if changed.is_err() {
                    return;
                }
                tell_at = Some(tell_at.unwrap_or_else(|| Instant::now() + news::GATHER));
            }
            () = until(tell_at) => {}
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

enum Progress {
    /// Nothing waits any more.
    Done,
    /// The recipient has no room.
    Full,
}

/// Tells a friend what it is owed.
async fn tell(driver: &Driver, peer: &Peer, always: bool) -> io::Result<()> {
    let news = news::news(driver, peer.account, always, false).await.map_err(io::Error::other)?;
    if news.is_empty() {
        return Ok(());
    }
    let mut stream = peer.link.open(NAME).await.map_err(io::Error::other)?;
    for Told { receipt, blob } in news {
        write_frame(&mut stream.send, &Frame { seq: 0, blob }).await?;
        let ack = acknowledged(&mut stream.recv, 0).await?;
        if ack == Outcome::Taken {
            news::told(driver, peer.account, receipt).await.map_err(io::Error::other)?;
        }
    }
    Ok(())
}

/// Sends what waits now.
async fn send_all(driver: &Driver, peer: &Peer, useless: &mut BTreeSet<u64>) -> io::Result<Progress> {
    let account = peer.account;
    let next = async |after: u64| {
        let waiting = driver
            .store()
            .run(move |store| store.look_at_mail(|look| Ok(outbox::waiting(look, &account, after, WINDOW)?)));
        waiting.await.map_err(io::Error::other)
    };
    let mut batch = next(0).await?;
    if batch.is_empty() {
        return Ok(Progress::Done);
    }
    let Stream { mut send, mut recv } = peer.link.open(NAME).await.map_err(io::Error::other)?;
    let (sent, mut to_acknowledge) = mpsc::channel::<u64>(4 * WINDOW);
    let skipped = useless.clone();
    let sending = async move {
        while let Some(last) = batch.last().map(|item| item.seq) {
            for item in batch {
                let Sealed::Blob(blob) = item.sealed else { continue };
                if skipped.contains(&item.seq) {
                    continue;
                }
                if sent.send(item.seq).await.is_err() {
                    return Ok(());
                }
                // One that reads nothing holds up nothing but this.
                let frame = Frame { seq: item.seq, blob };
                tokio::time::timeout(PATIENCE, write_frame(&mut send, &frame)).await??;
            }
            batch = next(last).await?;
        }
        io::Result::Ok(())
    };
    let hearing = async {
        let mut seqs = Vec::new();
        while to_acknowledge.recv_many(&mut seqs, WINDOW).await > 0 {
            let (mut taken, mut unread, mut end) = (Vec::new(), Vec::new(), Ok(Progress::Done));
            for seq in seqs.drain(..) {
                match acknowledged(&mut recv, seq).await {
                    Ok(Outcome::Taken) => taken.push(seq),
                    Ok(Outcome::Useless) => unread.push(seq),
                    Ok(Outcome::Full) => end = Ok(Progress::Full),
                    Err(error) => {
                        end = Err(error);
                        break;
                    }
                }
            }
            // What it said it has it has, whatever came after.
            let receipt = Receipt { device: peer.device, upto: 0, beyond: taken };
            states::receipt(driver, account, receipt).await.map_err(io::Error::other)?;
            useless.extend(&unread);
            states::useless(driver, account, unread).await.map_err(io::Error::other)?;
            match end {
                Ok(Progress::Done) => {}
                end => return end,
            }
        }
        Ok(Progress::Done)
    };
    // Whoever hears is done when all that was sent was acknowledged, or one was not.
    let mut hearing = std::pin::pin!(hearing);
    tokio::select! {
        end = &mut hearing => end,
        sent = sending => {
            sent?;
            hearing.await
        }
    }
}

async fn acknowledged(recv: &mut wayside_noise::RecvStream, seq: u64) -> io::Result<Outcome> {
    let ack = tokio::time::timeout(PATIENCE, read_frame::<Ack>(recv, MOST_ACK)).await??;
    let ack = ack.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the stream ended"))?;
    if ack.seq != seq {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "an acknowledgement is out of order"));
    }
    Ok(ack.what)
}
