//! `wayside/mailbox-fetch/1`: a friend fetches what lies here for it, over our link.
//!
//! It writes [`Ask`]s and reads what is [`Told`] of each, in order; several streams at once are fine. It may ask for the next before it has read what it asked for last.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncWriteExt;
use wayside_noise::Stream;
use wayside_proto::mailbox::custody;
use wayside_proto::mailbox::wire::{Ask, Bell, Told};

use super::Mailboxes;
use crate::driver::Driver;
use crate::links::{Peer, Protocol, append_frame, read_frame, write_frame};

/// The protocol's name.
pub(crate) const NAME: &str = "wayside/mailbox-fetch/1";

/// The largest frame that is asked with: the queues of as many senders as are taken, in bytes.
const MOST: usize = 256 * 1024;
/// Queues of one friend: it has one for each friend of its own and device.
const MOST_QUEUES: usize = 4096;
/// The most that is listed at once.
const MOST_LISTED: usize = 1000;
/// How long a question what lies there waits for something to come.
const LONG: Duration = Duration::from_secs(30);
/// How much is read from the disk before it is sent, in bytes.
const CHUNK: usize = 512 * 1024;
/// How many are acknowledged in one go.
const ACKNOWLEDGED: usize = 512;

/// Gives friends what lies here for them.
#[derive(Debug)]
pub(crate) struct Fetches(pub(crate) Driver);

#[async_trait]
impl Protocol for Fetches {
    async fn accept(&self, peer: Peer, mut stream: Stream) {
        let mailboxes = self.0.mailboxes();
        while let Ok(Some(ask)) = read_frame::<Ask>(&mut stream.recv, MOST).await {
            if !mailboxes.is_owner(&peer.account) {
                return;
            }
            if let Err(error) = self.answer(&peer, ask, &mut stream).await {
                tracing::debug!(%error, "a friend does not get what lies here for it");
                return;
            }
        }
    }
}

impl Fetches {
    async fn answer(&self, peer: &Peer, ask: Ask, stream: &mut Stream) -> io::Result<()> {
        let mailboxes = self.0.mailboxes();
        let told = match ask {
            Ask::Register(queues, devices) => {
                if queues.len() > MOST_QUEUES || devices.len() > custody::MOST_DEVICES {
                    return Err(invalid("too many queues or devices"));
                }
                let owner = peer.account;
                let size = queues.len() * 64;
                let registered = mailboxes
                    .write(size, move |ledger, _| ledger.register(&owner, &queues, &devices, MOST_QUEUES));
                registered.await.done().await.map_err(io::Error::other)?;
                mailboxes.0.changed.notify_one();
                Told::Done
            }
            Ask::List(after, most) => self.list(peer, after, most.into()).await?,
            Ask::Get(arrivals) => return self.give(peer, arrivals, stream).await,
            Ask::Acknowledge(arrivals) => {
                self.acknowledge(peer, arrivals).await?;
                Told::Done
            }
            Ask::Ring(bell) => {
                if bell.as_ref().is_some_and(|bell| !is_sound(bell)) {
                    return Err(invalid("nobody is rung so"));
                }
                mailboxes.set_bell(self.0.store(), peer.account, bell).await.map_err(io::Error::other)?;
                Told::Done
            }
        };
        write_frame(&mut stream.send, &told).await
    }

    /// What lies there, as soon as there is something.
    async fn list(&self, peer: &Peer, after: u64, most: usize) -> io::Result<Told> {
        let mailboxes = self.0.mailboxes();
        let (owner, device, most) = (peer.account, peer.device, most.clamp(1, MOST_LISTED));
        mailboxes.has_come(self.0.store(), &owner).await;
        let mut arrivals = mailboxes.arrivals(&owner);
        let until = tokio::time::Instant::now() + LONG;
        loop {
            arrivals.borrow_and_update();
            // One more than is told, to know whether there is more.
            let listed = mailboxes.look(move |look| custody::list(look, &owner, &device, after, most + 1));
            let mut listed = listed.await.map_err(io::Error::other)?.unwrap_or_default();
            let is_more = listed.len() > most;
            listed.truncate(most);
            if !listed.is_empty() {
                return Ok(Told::Listed(listed, is_more));
            }
            match tokio::time::timeout_at(until, arrivals.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Ok(Told::Listed(listed, false)),
            }
        }
    }

    async fn give(&self, peer: &Peer, arrivals: Vec<u64>, stream: &mut Stream) -> io::Result<()> {
        let owner = peer.account;
        let mut left = arrivals;
        while !left.is_empty() {
            let reading = self.0.mailboxes().look(move |look| {
                let (mut frames, mut given) = (Vec::new(), 0);
                for arrival in &left {
                    let told = Told::Blob(*arrival, custody::get(look, &owner, *arrival)?);
                    append_frame(&mut frames, &told)
                        .map_err(|_| wayside_proto::mailbox::MailError::Damaged("a blob is too long"))?;
                    given += 1;
                    if frames.len() >= CHUNK {
                        break;
                    }
                }
                Ok((frames, left.split_off(given)))
            });
            match reading.await.map_err(io::Error::other)? {
                Some((frames, rest)) => {
                    stream.send.write_all(&frames).await?;
                    left = rest;
                }
                None => return Err(invalid("nothing was ever kept here")),
            }
        }
        stream.send.flush().await
    }

    async fn acknowledge(&self, peer: &Peer, arrivals: Vec<u64>) -> io::Result<()> {
        let mailboxes = self.0.mailboxes();
        let (owner, device) = (peer.account, peer.device);
        for some in arrivals.chunks(ACKNOWLEDGED) {
            let some = some.to_vec();
            let size = some.len() * 8;
            let acknowledged =
                mailboxes.write(size, move |ledger, now| ledger.acknowledge(now, &owner, &device, &some));
            acknowledged.await.done().await.map_err(io::Error::other)?;
        }
        mailboxes.0.changed.notify_one();
        Ok(())
    }
}

impl Mailboxes {
    /// The most bytes of a bell's target.
    const MOST_TARGET: usize = 200;
}

fn is_sound(bell: &Bell) -> bool {
    (1..=Mailboxes::MOST_TARGET).contains(&bell.target.len()) && !bell.target.contains(char::is_control)
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
