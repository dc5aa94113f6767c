//! What everybody who comes has in common: the shelf, the budgets, and what is under way.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use wayside_bridge::{Timestamp, file::Check};
use zeroize::Zeroizing;

use super::ask::{Sent, Space};
use super::budget::Budgets;
use super::disk::{Opened, Unwritten};
use super::http::tag;
use super::shelf::{Changed, Full, Limits, Owner, Seen, Shelf, Weight, Writer};
use super::source::Source;
use crate::clock::NodeClock;
use crate::home::Rendezvous;
use crate::lock::lock;
use crate::store::RendezvousStore;

/// Connections at a time.
const MOST_CONNECTIONS: usize = 256;
/// Connections of one source at a time.
const MOST_OF_A_SOURCE: usize = 16;
/// What is being received and sent at a time, in bytes.
const MOST_UNDER_WAY: u32 = 8 << 20;

/// The drop of this machine.
#[derive(Debug)]
pub(super) struct Host {
    shelf: Mutex<Shelf>,
    budgets: Mutex<Budgets>,
    unwritten: Mutex<Unwritten>,
    connections: Mutex<BTreeMap<Source, usize>>,
    room: Arc<Semaphore>,
    salt: Zeroizing<[u8; 32]>,
    boot: [u8; 8],
    most_of_a_body: u64,
    clock: NodeClock,
    started: Instant,
    store: Arc<RendezvousStore>,
}

impl Host {
    pub(super) fn new(config: Rendezvous, opened: Opened, boot: [u8; 8], clock: NodeClock) -> Self {
        let limits = Limits {
            all: Weight { records: config.records.into(), bytes: config.bytes },
            source: Weight { records: config.source_records.into(), bytes: config.source_bytes },
            space: config.space_bytes,
            kept: config.kept(),
        };
        Self {
            shelf: Mutex::new(Shelf::new(limits, opened.kept, now(clock))),
            budgets: Mutex::new(Budgets::new(config.source_rate, config.rate)),
            unwritten: Mutex::default(),
            connections: Mutex::default(),
            room: Arc::new(Semaphore::new(MOST_UNDER_WAY as usize)),
            salt: Zeroizing::new(opened.salt),
            boot,
            // More would not fit into anybody's share.
            most_of_a_body: config.source_bytes.min(MOST_UNDER_WAY.into()),
            clock,
            started: Instant::now(),
            store: opened.store,
        }
    }

    /// How much there is, how much there may be, and in how many spaces it lies.
    pub(super) fn weight(&self) -> (Weight, Weight, usize) {
        lock(&self.shelf).weight()
    }

    pub(super) const fn most_of_a_body(&self) -> u64 {
        self.most_of_a_body
    }

    /// Counts a connection, as long as the answer lives; `None` where there are too many.
    pub(super) fn connected(self: &Arc<Self>, from: IpAddr) -> Option<Connected> {
        let source = Source::of(from);
        let mut connections = lock(&self.connections);
        let own = connections.get(&source).copied().unwrap_or(0);
        if own >= MOST_OF_A_SOURCE || connections.values().sum::<usize>() >= MOST_CONNECTIONS {
            return None;
        }
        connections.insert(source, own.saturating_add(1));
        Some(Connected { host: Arc::clone(self), source })
    }

    /// Whether a source may ask now, else how long it is to wait.
    pub(super) fn may(&self, source: Source) -> Result<(), Duration> {
        lock(&self.budgets).may(self.started.elapsed(), source)
    }

    /// Counts what was moved for a source.
    pub(super) fn spend(&self, source: Source, bytes: u64) {
        lock(&self.budgets).spend(self.started.elapsed(), source, bytes);
    }

    /// Waits for room in memory for what comes or goes.
    pub(super) async fn room(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).unwrap_or(MOST_UNDER_WAY).min(MOST_UNDER_WAY);
        Arc::clone(&self.room).acquire_many_owned(bytes).await.ok()
    }

    /// Whose a record is: of whoever shows the same again, or else of the same source.
    pub(super) fn owner(&self, source: Source, shown: Option<&[u8]>) -> Owner {
        let (family, bits) = source.to_parts();
        let of_source = [&[family][..], &bits.to_be_bytes()].concat();
        let (kind, what) = shown.map_or((0, of_source.as_slice()), |shown| (1, shown));
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(self.salt.as_slice()) else { return Owner([0; 16]) };
        let mac: [u8; 32] = mac.chain_update([kind]).chain_update(what).finalize().into_bytes().into();
        Owner(mac.first_chunk().copied().unwrap_or_default())
    }

    pub(super) fn look(&self, space: &Space) -> Seen {
        lock(&self.shelf).look(space)
    }

    /// The tag of a space's version.
    pub(super) fn tag(&self, version: u64) -> String {
        tag(self.boot, version)
    }

    pub(super) fn write(
        &self,
        writer: Writer,
        space: &Space,
        remove: &[Check],
        put: &[Sent],
    ) -> Result<(), Full> {
        let (mut shelf, now) = (lock(&self.shelf), now(self.clock));
        let gone = shelf.expire(now);
        let written = shelf.write(now, writer, space, remove, put);
        // Before anybody else changes the same.
        let mut unwritten = lock(&self.unwritten);
        unwritten.add(Changed { put: Vec::new(), gone });
        written.map(|changed| unwritten.add(changed))
    }

    /// Removes what is over, and has everything on disk that has changed; what the disk does not take waits for the next time.
    pub(super) async fn keep(&self) {
        {
            let mut shelf = lock(&self.shelf);
            let gone = shelf.expire(now(self.clock));
            lock(&self.unwritten).add(Changed { put: Vec::new(), gone });
        }
        let unwritten = std::mem::take(&mut *lock(&self.unwritten));
        if unwritten.is_empty() {
            return;
        }
        if let Err(error) = unwritten.write(&self.store).await {
            tracing::warn!(%error, "what strangers left here cannot be kept on disk");
            let mut slot = lock(&self.unwritten);
            *slot = unwritten.before(std::mem::take(&mut slot));
        }
    }
}

/// A connection that is counted.
pub(super) struct Connected {
    host: Arc<Host>,
    source: Source,
}

impl Drop for Connected {
    fn drop(&mut self) {
        let mut connections = self.host.connections.lock().unwrap_or_else(PoisonError::into_inner);
        match connections.get_mut(&self.source) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            _ => drop(connections.remove(&self.source)),
        }
    }
}

fn now(clock: NodeClock) -> Timestamp {
    Timestamp::from_secs(clock.wall().as_secs())
}
