//! Fetching: what friends keep for us, over their links, as fast as it can be opened and written down.
//!
//! ```text
//!  list (waits at the host for what comes) ─> get (blobs, ahead of their turn) ─> take in (one transaction a batch) ─> acknowledge
//! ```
//!
//! Each step has a stream of its own, and goes on while the others do. What is known by its hash already is acknowledged and not fetched.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::time::timeout;
use wayside_noise::Stream;
use wayside_proto::crypto::keys::{AccountId, DeviceId};
use wayside_proto::engine::Friend;
use wayside_proto::mailbox::seal;
use wayside_proto::mailbox::wire::{Ask, BlobHash, HostEntry, Listed, MAX_BLOB, Queue, QueueId, Told, queue};

use super::came::{Came, all_came};
use super::lock;
use crate::driver::Driver;
use crate::links::{Peer, append_frame, read_frame};
use crate::mailbox::fetch::NAME;

/// The largest frame, in bytes: a blob, or what is listed at once.
const MOST: usize = MAX_BLOB + 1024;
/// How much is listed at once.
const LISTED: u16 = 1000;
/// Blobs that are asked for at once.
const GET: usize = 128;
/// Requests for blobs that are on their way.
const AHEAD: usize = 2;
/// Blobs that are taken in with one transaction, at most.
const BATCH: usize = 512;
/// Bytes of them.
const BATCH_BYTES: usize = 8 << 20;
/// How long to wait with a host after something went wrong, or while there is no room here.
const PAUSE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });
/// The same with one that does not do what a host does.
const LONG_PAUSE: Duration = Duration::from_secs(600);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a host may wait for something to come.
const LONG: Duration = Duration::from_secs(120);
/// Pages in a row on which there was nothing new: a host goes on listing what was acknowledged.
const NOTHING_NEW: u32 = 20;

/// Fetches what a friend keeps for us, and what comes later, until the link ends.
pub(crate) async fn fetch(driver: &Driver, peer: &Peer) {
    let mut offers = driver.mailboxes().offers_changed();
    loop {
        offers.borrow_and_update();
        let Some(host) = host(driver, peer) else {
            if offers.changed().await.is_err() {
                return;
            }
            continue;
        };
        let pause = match fetch_from(driver, peer, &host).await {
            Ok(()) => Duration::ZERO,
            Err(error) => {
                tracing::debug!(%error, "what a friend keeps for us is not fetched for now");
                if error.kind() == io::ErrorKind::InvalidData { LONG_PAUSE } else { PAUSE }
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// What the friend's device keeps for us by, where it does.
fn host(driver: &Driver, peer: &Peer) -> Option<HostEntry> {
    let offers = driver.mailboxes().offers();
    offers.into_iter().find(|(device, _)| *device == peer.device).map(|(_, offered)| offered.host)
}

/// Whose queues there are at a host.
type Senders = BTreeMap<QueueId, AccountId>;

/// Until the queues there are to be others.
async fn fetch_from(driver: &Driver, peer: &Peer, host: &HostEntry) -> io::Result<()> {
    let (queues, devices, senders) = queues(driver, host).await?;
    let mut listing = open(peer).await?;
    ask(&mut listing, &Ask::Register(queues, devices)).await?;
    done(&mut listing).await?;
    // Or none any more.
    ask(&mut listing, &Ask::Ring(driver.own_bell().await)).await?;
    done(&mut listing).await?;
    let (getting, acknowledging) = (open(peer).await?, open(peer).await?);
    let (found, to_get) = mpsc::channel(usize::from(LISTED));
    let (got, to_take) = mpsc::channel(BATCH);
    let (taken, to_acknowledge) = mpsc::channel(usize::from(LISTED));
    let registered = senders.clone();
    tokio::select! {
        changed = others(driver, host, registered) => changed,
        ended = async {
            tokio::try_join!(
                list(driver, listing, &senders, found, taken.clone()),
                get(getting, to_get, got),
                take(driver, to_take, taken),
                acknowledge(acknowledging, to_acknowledge),
            )
        } => ended.map(|_| ()),
    }
}

/// Our queues there, our devices, and whose queue is which.
async fn queues(driver: &Driver, host: &HostEntry) -> io::Result<(Vec<Queue>, Vec<DeviceId>, Senders)> {
    let heard = |friend: &&Friend| !friend.blocked();
    let friends = driver
        .look(move |engine, _| engine.friends().filter(heard).map(Friend::account).collect::<Vec<_>>())
        .await
        .map_err(io::Error::other)?;
    let mail = driver.mail();
    let (mut queues, mut senders) = (Vec::new(), Senders::new());
    for friend in friends {
        let (id, key) = queue(&mail.root_of(&friend), &host.guest);
        senders.insert(id, friend);
        queues.push(Queue { id, key });
    }
    Ok((queues, vec![mail.0.device], senders))
}

/// Returns when there are other friends than before, or another door.
async fn others(driver: &Driver, host: &HostEntry, registered: Senders) -> io::Result<()> {
    let (mut grants, mut friends) = (driver.grants_changed(), driver.friends_changed());
    let mut offers = driver.mailboxes().offers_changed();
    loop {
        tokio::select! {
            changed = grants.changed() => changed.map_err(io::Error::other)?,
            changed = friends.changed() => changed.map_err(io::Error::other)?,
            changed = offers.changed() => changed.map_err(io::Error::other)?,
        }
        let is_there = driver.mailboxes().offers().iter().any(|(_, it)| it.host.guest == host.guest);
        if !is_there || queues(driver, host).await?.2 != registered {
            return Ok(());
        }
    }
}

async fn list(
    driver: &Driver,
    mut stream: Stream,
    senders: &Senders,
    found: mpsc::Sender<(Listed, AccountId)>,
    taken: mpsc::Sender<u64>,
) -> io::Result<()> {
    let (mut after, mut nothing_new) = (0, 0);
    loop {
        ask(&mut stream, &Ask::List(after, LISTED)).await?;
        let told = timeout(LONG, read_frame::<Told>(&mut stream.recv, MOST)).await??;
        let Some(Told::Listed(listed, _)) = told else { return Err(not_asked()) };
        let mut new = 0_u32;
        let is_empty = listed.is_empty();
        for listed in listed {
            if listed.arrival <= after {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a host lists what it has listed before",
                ));
            }
            after = listed.arrival;
            let known = lock(&driver.mail().0.recent).knows(&listed.hash);
            match senders.get(&listed.queue) {
                Some(sender) if !known => {
                    new += 1;
                    found.send((listed, *sender)).await.map_err(io::Error::other)?;
                }
                // Here already by another way, or nobody's.
                _ => taken.send(listed.arrival).await.map_err(io::Error::other)?,
            }
        }
        nothing_new = if new == 0 && !is_empty { nothing_new + 1 } else { 0 };
        if nothing_new > NOTHING_NEW {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a host goes on returning what was acknowledged",
            ));
        }
    }
}

/// A blob that was asked for.
struct Got {
    arrival: u64,
    hash: BlobHash,
    sender: AccountId,
    /// `None` where it is gone.
    blob: Option<Vec<u8>>,
}

async fn get(
    stream: Stream,
    mut to_get: mpsc::Receiver<(Listed, AccountId)>,
    got: mpsc::Sender<Got>,
) -> io::Result<()> {
    let Stream { mut send, mut recv } = stream;
    let (asked, mut expected) = mpsc::channel::<Vec<(Listed, AccountId)>>(AHEAD);
    let asking = async move {
        let mut next = Vec::new();
        while to_get.recv_many(&mut next, GET).await > 0 {
            let wanted = std::mem::take(&mut next);
            let mut frame = Vec::new();
            append_frame(&mut frame, &Ask::Get(wanted.iter().map(|(it, _)| it.arrival).collect()))?;
            asked.send(wanted).await.map_err(io::Error::other)?;
            send.write_all(&frame).await?;
            send.flush().await?;
        }
        io::Result::Ok(())
    };
    let hearing = async move {
        while let Some(wanted) = expected.recv().await {
            for (listed, sender) in wanted {
                let told = timeout(PATIENCE, read_frame::<Told>(&mut recv, MOST)).await??;
                let Some(Told::Blob(arrival, blob)) = told else { return Err(not_asked()) };
                if arrival != listed.arrival {
                    return Err(not_asked());
                }
                let blob = Got { arrival, hash: listed.hash, sender, blob };
                got.send(blob).await.map_err(io::Error::other)?;
            }
        }
        Ok(())
    };
    tokio::try_join!(asking, hearing).map(|_| ())
}

async fn take(driver: &Driver, mut to_take: mpsc::Receiver<Got>, taken: mpsc::Sender<u64>) -> io::Result<()> {
    let mut batch = Vec::new();
    while to_take.recv_many(&mut batch, BATCH).await > 0 {
        while !batch.is_empty() {
            let mut bytes = 0;
            let fits = batch.iter().take_while(|got: &&Got| {
                bytes += got.blob.as_ref().map_or(0, Vec::len);
                bytes <= BATCH_BYTES
            });
            let count = fits.count().max(1);
            let rest = batch.split_off(count.min(batch.len()));
            take_batch(driver, std::mem::replace(&mut batch, rest), &taken).await?;
        }
    }
    Ok(())
}

async fn take_batch(driver: &Driver, batch: Vec<Got>, taken: &mpsc::Sender<u64>) -> io::Result<()> {
    let (mut over, mut blobs, mut heads) = (Vec::new(), Vec::new(), Vec::new());
    for Got { arrival, hash, sender, blob } in batch {
        match blob {
            // Not what was left there: nothing is to be had of it, and whoever left it still has it.
            Some(blob) if seal::hash(&blob) == hash => {
                heads.push((arrival, hash));
                blobs.push((sender, blob));
            }
            _ => over.push(arrival),
        }
    }
    let came = all_came(driver, blobs).await.map_err(io::Error::other)?;
    let mut is_full = false;
    for ((arrival, hash), came) in heads.into_iter().zip(came) {
        match came {
            Came::Taken | Came::Useless => {
                lock(&driver.mail().0.recent).taken(hash);
                over.push(arrival);
            }
            Came::Full => is_full = true,
        }
    }
    for arrival in over {
        taken.send(arrival).await.map_err(io::Error::other)?;
    }
    if is_full {
        return Err(io::Error::new(
            io::ErrorKind::QuotaExceeded,
            "there is no room for more until some was read",
        ));
    }
    Ok(())
}

async fn acknowledge(mut stream: Stream, mut to_acknowledge: mpsc::Receiver<u64>) -> io::Result<()> {
    let mut over = Vec::new();
    while to_acknowledge.recv_many(&mut over, usize::from(LISTED)).await > 0 {
        ask(&mut stream, &Ask::Acknowledge(std::mem::take(&mut over))).await?;
        done(&mut stream).await?;
    }
    Ok(())
}

async fn open(peer: &Peer) -> io::Result<Stream> {
    peer.link.open(NAME).await.map_err(io::Error::other)
}

async fn ask(stream: &mut Stream, ask: &Ask) -> io::Result<()> {
    crate::links::write_frame(&mut stream.send, ask).await
}

async fn done(stream: &mut Stream) -> io::Result<()> {
    match timeout(PATIENCE, read_frame::<Told>(&mut stream.recv, MOST)).await?? {
        Some(Told::Done) => Ok(()),
        _ => Err(not_asked()),
    }
}

fn not_asked() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "a host does not answer what it was asked")
}
