//! What is said over a link: whatever is due, one thing after the other, each until the other side has it on its disk.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;
use wayside_noise::Stream;
use wayside_proto::introduction::{IntroductionId, Message, Receipt};

use super::{Introductions, NAME};
use crate::links::{Peer, Protocol, read_frame, write_frame};

/// How long to wait before trying again with somebody who does not listen, or whose disk does not take it.
const AGAIN: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });
/// The same with somebody who has no room.
const LATER: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 600 });
/// How long the other side may take to acknowledge something.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 60 });
/// The longest acknowledgement, in bytes.
const MOST_RECEIPT: usize = 64;

/// Takes in what friends say.
#[derive(Debug)]
pub(crate) struct Listener(pub(crate) Introductions);

#[async_trait]
impl Protocol for Listener {
    async fn accept(&self, peer: Peer, mut stream: Stream) {
        while let Ok(Some(message)) = read_frame::<Message>(&mut stream.recv, Message::MAX).await {
            let taken = match self.0.heard(&peer, message).await {
                Ok(taken) => taken,
                // The disk takes nothing: it is not acknowledged, and said again.
                Err(error) => return tracing::debug!(%error, "an introduction was not heard"),
            };
            if write_frame(&mut stream.send, &Receipt { taken }).await.is_err() {
                return;
            }
        }
    }
}

/// Says to a friend what is due, and what is due later, until the link ends.
pub(crate) async fn speak(introductions: &Introductions, peer: &Peer) {
    let mut changes = introductions.changes();
    let mut stream = None;
    let mut without_room = BTreeSet::new();
    loop {
        changes.borrow_and_update();
        match next(introductions, peer, &without_room).await {
            Some(message) => match say(peer, &mut stream, &message).await {
                Ok(Receipt { taken: true }) => {
                    if let Err(error) = acknowledged(introductions, peer, message).await {
                        tracing::debug!(%error, "an acknowledgement was not kept");
                        tokio::time::sleep(AGAIN).await;
                    }
                }
                Ok(Receipt { taken: false }) => drop(without_room.insert(message.id())),
                Err(error) => {
                    tracing::debug!(%error, "a friend does not hear of an introduction");
                    stream = None;
                    tokio::time::sleep(AGAIN).await;
                }
            },
            None => {
                let later = async {
                    match without_room.is_empty() {
                        true => std::future::pending().await,
                        false => tokio::time::sleep(LATER).await,
                    }
                };
                tokio::select! {
                    changed = changes.changed() => if changed.is_err() { return },
                    () = later => without_room.clear(),
                }
            }
        }
    }
}

async fn next(
    introductions: &Introductions,
    peer: &Peer,
    without_room: &BTreeSet<IntroductionId>,
) -> Option<Message> {
    let now = introductions.time().await.ok()?;
    let books = introductions.look().await;
    let ours = books.introducer.due(now, &peer.account);
    let theirs = books.introduced.due(now, &peer.account);
    ours.chain(theirs).find(|message| !without_room.contains(&message.id()))
}

async fn say(peer: &Peer, stream: &mut Option<Stream>, message: &Message) -> io::Result<Receipt> {
    let said = async {
        let stream = match stream {
            Some(stream) => stream,
            None => stream.insert(peer.link.open(NAME).await.map_err(io::Error::other)?),
        };
        write_frame(&mut stream.send, message).await?;
        let receipt = read_frame::<Receipt>(&mut stream.recv, MOST_RECEIPT).await?;
        receipt.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the stream ended"))
    };
    timeout(PATIENCE, said).await?
}

async fn acknowledged(introductions: &Introductions, peer: &Peer, message: Message) -> io::Result<()> {
    let now = introductions.time().await.map_err(io::Error::other)?;
    let account = peer.account;
    let id = message.id();
    let passes = matches!(message, Message::Invite { .. });
    let ours = introductions
        .change(move |books| {
            let ours = books.introducer.get(&id).is_some();
            match message {
                Message::Proposal { .. } | Message::Agreed { .. } => {
                    books.introducer.acknowledged(now, &account, &message);
                }
                // Handed to whom it is for by the introducer, or to the introducer by who made it.
                Message::Invite { .. } if ours => books.introducer.acknowledged(now, &account, &message),
                Message::Consent { .. } | Message::Invite { .. } => {
                    books.introduced.acknowledged(&account, message);
                }
            }
            ours
        })
        .await
        .map_err(io::Error::other)?;
    if ours && passes {
        introductions.tell_introduction(&id).await;
    }
    Ok(())
}
