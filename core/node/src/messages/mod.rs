//! `wayside/message/1`: messages over a link, each kept on disk until the other side has it on disk.
//!
//! The sender writes [`Message`] frames in order; the recipient commits each, then answers with an [`Ack`]. A message that came before is acknowledged
//! again and shown once: numbers of a device only grow, and the greatest that came is stored in the same transaction as the message. A stream begins with
//! the oldest message that was not acknowledged and goes on in order, so several of them at once, over one link or two, do no harm.
//!
//! A home that was restored from an old backup goes on with numbers from its clock. Only where that clock runs behind what it was before the backup are
//! messages taken for known ones; nobody can tell.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use minicbor::{Decode, Encode};
use wayside_noise::Stream;
use wayside_proto::UnixMillis;

use crate::api::types::{NodeEvent, Send};
use crate::driver::Driver;
use crate::links::{Peer, Protocol, read_frame, write_frame};
use crate::store::{Arrival, InboxEntry, OutboxEntry};

/// The protocol's name.
pub(crate) const NAME: &str = "wayside/message/1";

/// A message on the wire.
#[derive(Encode, Decode)]
pub(crate) struct Message {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) id: [u8; 16],
    #[n(1)]
    pub(crate) number: u64,
    #[n(2)]
    pub(crate) sent: UnixMillis,
    #[n(3)]
    pub(crate) text: String,
}

/// What the recipient says of it.
#[derive(Encode, Decode)]
pub(crate) struct Ack {
    #[n(0)]
    pub(crate) number: u64,
    /// Not taken: there is no room until some were read.
    #[n(1)]
    pub(crate) full: bool,
}

/// The largest frame: the longest text and what stands around it, in bytes.
const MOST: usize = Send::MAX_TEXT + 128;
/// Messages that may be on their way at once.
const WINDOW: usize = 64;
/// How long to wait before trying again with a recipient that has no room, or whose disk does not take it.
const PAUSE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });
/// How long a recipient may take to say what became of a message.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 60 });

/// Takes messages in.
#[derive(Debug)]
pub(crate) struct Inbox(pub(crate) Driver);

#[async_trait]
impl Protocol for Inbox {
    async fn accept(&self, peer: Peer, mut stream: Stream) {
        if let Err(error) = self.take(&peer, &mut stream).await {
            tracing::debug!(%error, "a stream of messages ended");
        }
    }
}

impl Inbox {
    async fn take(&self, peer: &Peer, stream: &mut Stream) -> io::Result<()> {
        while let Some(message) = read_frame::<Message>(&mut stream.recv, MOST).await? {
            let number = message.number;
            let arrival = self.commit(peer, message).await?;
            if arrival == Arrival::Absurd {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a message's number is absurd"));
            }
            let full = arrival == Arrival::Full;
            write_frame(&mut stream.send, &Ack { number, full }).await?;
            if full {
                // A later one taken now would make this one count as known when it comes again.
                return Ok(());
            }
        }
        Ok(())
    }

    async fn commit(&self, peer: &Peer, message: Message) -> io::Result<Arrival> {
        if message.text.len() > Send::MAX_TEXT {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is too long"));
        }
        let entry = InboxEntry {
            id: message.id,
            from: peer.account,
            text: message.text,
            sent: message.sent,
            received: self.0.clock().wall(),
        };
        let (device, most) = (peer.device, self.0.limits().inbox);
        let store = self.0.store();
        let arrival = store.run(move |store| store.receive(&device, message.number, &entry, most)).await;
        let arrival = arrival.map_err(io::Error::other)?;
        if arrival == Arrival::New {
            let from = self.0.name_of(&peer.account).await;
            let (id, account) = (data_encoding::HEXLOWER.encode(&message.id), peer.account.to_string());
            self.0.tell(NodeEvent::MessageReceived { id, from, account });
        }
        Ok(arrival)
    }
}

/// Sends what waits for a friend, and what is accepted later, until the link ends.
pub(crate) async fn send_queued(driver: &Driver, peer: &Peer) {
    let mut accepted = driver.message_accepted();
    loop {
        accepted.borrow_and_update();
        match send_all(driver, peer).await {
            Ok(Progress::Done) => {
                if accepted.changed().await.is_err() {
                    return;
                }
            }
            Ok(Progress::Full) => tokio::time::sleep(PAUSE).await,
            Err(error) => {
                tracing::debug!(%error, "messages could not be sent yet");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

enum Progress {
    /// Nothing waits any more.
    Done,
    /// The recipient has no room.
    Full,
}

/// Sends what waits now.
async fn send_all(driver: &Driver, peer: &Peer) -> io::Result<Progress> {
    let mut after = 0;
    let mut stream: Option<Stream> = None;
    loop {
        let account = peer.account;
        let store = driver.store();
        let batch = store
            .run(move |store| store.queued_after(&account, after, WINDOW))
            .await
            .map_err(io::Error::other)?;
        let Some(last) = batch.last() else { return Ok(Progress::Done) };
        after = last.number;
        let stream = match &mut stream {
            Some(stream) => stream,
            None => stream.insert(peer.link.open(NAME).await.map_err(io::Error::other)?),
        };
        if let Progress::Full = send_batch(driver, peer, stream, batch).await? {
            return Ok(Progress::Full);
        }
    }
}

async fn send_batch(
    driver: &Driver,
    peer: &Peer,
    stream: &mut Stream,
    batch: Vec<OutboxEntry>,
) -> io::Result<Progress> {
    let written = async {
        for OutboxEntry { id, number, sent, text, .. } in &batch {
            let message = Message { id: *id, number: *number, sent: *sent, text: text.clone() };
            write_frame(&mut stream.send, &message).await?;
        }
        io::Result::Ok(())
    };
    // One that reads nothing holds up nothing but this.
    tokio::time::timeout(PATIENCE, written).await??;
    let mut delivered = Vec::new();
    let mut progress = Ok(Progress::Done);
    for entry in &batch {
        match acknowledged(stream, entry).await {
            Ok(Progress::Done) => delivered.push(entry.number),
            other => {
                progress = other;
                break;
            }
        }
    }
    driver.delivered(&peer.account, delivered).await.map_err(io::Error::other)?;
    progress
}

async fn acknowledged(stream: &mut Stream, entry: &OutboxEntry) -> io::Result<Progress> {
    let ack = tokio::time::timeout(PATIENCE, read_frame::<Ack>(&mut stream.recv, 64)).await??;
    let ack = ack.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the stream ended"))?;
    if ack.number != entry.number {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "an acknowledgement is out of order"));
    }
    Ok(if ack.full { Progress::Full } else { Progress::Done })
}
