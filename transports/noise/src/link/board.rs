//! What is known of a link's paths: shown to whoever holds the link, written by whoever keeps the paths.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use noq::{Path, PathId};
use tokio::sync::{Notify, broadcast};
use wayside_path::Kind;

use crate::{
    Remote,
    socket::{
        Shared,
        route::{Route, TunnelId},
        way::Way,
    },
};

/// What happened to a link's paths.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkEvent {
    /// Another path can carry the link now.
    PathOpened(PathView),
    /// A path is no more.
    PathClosed(PathView),
    /// What this side sends travels over another path from now on.
    Moved(PathView),
}

/// A path, as it was at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathView {
    /// How it carries datagrams.
    pub kind: Kind,
    /// The address at its other end; of a tunnel, none that means anything outside this process.
    pub remote: SocketAddr,
    /// Which circuit or other tunnel of kind [`Kind::Relayed`] it leads through, if it does.
    pub tunnel: Option<TunnelId>,
    /// Whether this side sends over it.
    pub in_use: bool,
    /// The smoothed round-trip time.
    pub rtt: Duration,
    /// Its largest UDP payload in bytes.
    pub mtu: u16,
    /// Bytes of UDP payload sent.
    pub sent_bytes: u64,
    /// Bytes of UDP payload received.
    pub received_bytes: u64,
    /// Packets of ours that were declared lost.
    pub lost_packets: u64,
}

/// What a link and the keeper of its paths share.
pub(super) struct Board {
    /// What the socket knows: for what is sent beside QUIC.
    pub(super) way: Arc<Way>,
    /// The link was closed since nobody answered.
    given_up: AtomicBool,
    in_use: Mutex<(PathId, Kind, SocketAddr)>,
    /// Where the peer may be reached as well, as whoever holds the link has learnt.
    learnt: Mutex<VecDeque<Remote>>,
    told: Notify,
    /// Above all numbers of paths so far.
    numbers: AtomicU32,
    /// Made when somebody first asks.
    events: Mutex<Option<broadcast::Sender<LinkEvent>>>,
}

/// Events that a slow listener may be behind; beyond it the oldest are lost to it.
const EVENTS: usize = 64;
/// Addresses that the keeper has not looked at yet.
const LEARNT: usize = 16;

impl Board {
    pub(super) fn new(kind: Kind, remote: SocketAddr) -> Self {
        Self {
            way: Arc::default(),
            given_up: AtomicBool::new(false),
            in_use: Mutex::new((PathId::ZERO, kind, remote)),
            learnt: Mutex::default(),
            told: Notify::new(),
            numbers: AtomicU32::new(1),
            events: Mutex::default(),
        }
    }

    /// The peer may be reached there as well.
    pub(super) fn learn(&self, remote: Remote) {
        let mut learnt = lock(&self.learnt);
        if learnt.len() >= LEARNT {
            learnt.pop_front();
        }
        learnt.push_back(remote);
        self.told.notify_one();
    }

    /// Waits for the next thing that was learnt.
    pub(super) async fn learnt(&self) -> Remote {
        loop {
            if let Some(remote) = lock(&self.learnt).pop_front() {
                return remote;
            }
            self.told.notified().await;
        }
    }

    /// The link is closed since nobody answers.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    pub(super) fn in_use(&self) -> (PathId, Kind, SocketAddr) {
        *lock(&self.in_use)
    }

    /// This path is in use from now on; whether another one was.
    pub(super) fn moved(&self, path: PathId, kind: Kind, remote: SocketAddr) -> bool {
        std::mem::replace(&mut *lock(&self.in_use), (path, kind, remote)).0 != path
    }

    /// There was a path of this number.
    pub(super) fn numbered(&self, number: u32) {
        self.numbers.fetch_max(number.saturating_add(1), Ordering::Relaxed);
    }

    /// Above all numbers of paths so far.
    pub(super) fn numbers(&self) -> u32 {
        self.numbers.load(Ordering::Relaxed)
    }

    pub(super) fn events(&self) -> broadcast::Receiver<LinkEvent> {
        lock(&self.events).get_or_insert_with(|| broadcast::channel(EVENTS).0).subscribe()
    }

    /// Tells whoever listens.
    pub(super) fn tell(&self, event: impl FnOnce() -> LinkEvent) {
        if let Some(events) = lock(&self.events).as_ref() {
            // Nobody may listen any more.
            let _ = events.send(event());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How an address carries datagrams, and the address as people know it.
pub(super) fn kind_and_remote(shared: &Shared, address: SocketAddr) -> Option<(Kind, SocketAddr)> {
    let route = shared.routes.route(address)?;
    let remote = match route {
        Route::Udp { remote, .. } => remote,
        Route::Tunnel(tunnel) => shared.routes.peer_of(tunnel).unwrap_or(address),
    };
    Some((shared.routes.kind(route)?, remote))
}

pub(super) fn view(shared: &Shared, path: &Path, kind: Kind, remote: SocketAddr, in_use: bool) -> PathView {
    let stats = path.stats();
    PathView {
        kind,
        remote,
        tunnel: path.remote_address().ok().and_then(|address| shared.routes.relayed(address)),
        in_use,
        rtt: stats.rtt,
        mtu: stats.current_mtu,
        sent_bytes: stats.udp_tx.bytes,
        received_bytes: stats.udp_rx.bytes,
        lost_packets: stats.lost_packets,
    }
}
