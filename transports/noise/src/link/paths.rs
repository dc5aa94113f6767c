//! Keeps the paths of one link: opens them, watches whether they live, moves between them.
//!
//! What to do is decided in `wayside-path`, which is pure; here it is seen and done.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use noq::{Connection, Path, PathError, PathEvent, PathId, PathStatus};
use tokio::{
    sync::{Notify, broadcast},
    time::{Instant, sleep, sleep_until, timeout},
};
use wayside_path::{Action, Kind, PathKey, Paths, Sample};

use crate::{
    Remote,
    adapter::path_number,
    socket::{
        Hint, Shared,
        route::{Route, canonical},
        tcp,
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
    /// The keeper sleeps, and whoever sends something wakes it.
    dormant: AtomicBool,
    stirred: Notify,
    in_use: Mutex<(PathId, Kind, SocketAddr)>,
    /// Above all numbers of paths so far.
    numbers: AtomicU32,
    /// Made when somebody first asks.
    events: Mutex<Option<broadcast::Sender<LinkEvent>>>,
}

/// Events that a slow listener may be behind; beyond it the oldest are lost to it.
const EVENTS: usize = 64;

impl Board {
    pub(super) fn new(kind: Kind, remote: SocketAddr) -> Self {
        Self {
            dormant: AtomicBool::new(false),
            stirred: Notify::new(),
            in_use: Mutex::new((PathId::ZERO, kind, remote)),
            numbers: AtomicU32::new(1),
            events: Mutex::default(),
        }
    }

    /// Something is about to be sent.
    pub(super) fn stir(&self) {
        if self.dormant.load(Ordering::Relaxed) && self.dormant.swap(false, Ordering::Relaxed) {
            self.stirred.notify_one();
        }
    }

    pub(super) fn in_use(&self) -> (PathId, Kind, SocketAddr) {
        *lock(&self.in_use)
    }

    /// Above all numbers of paths so far.
    pub(super) fn numbers(&self) -> u32 {
        self.numbers.load(Ordering::Relaxed)
    }

    pub(super) fn events(&self) -> broadcast::Receiver<LinkEvent> {
        lock(&self.events).get_or_insert_with(|| broadcast::channel(EVENTS).0).subscribe()
    }

    fn tell(&self, event: impl FnOnce() -> LinkEvent) {
        if let Some(events) = lock(&self.events).as_ref() {
            // Nobody may listen any more.
            let _ = events.send(event());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a candidate may take to become a path.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the peer may take to provide for another path.
const ID_PAUSE: Duration = Duration::from_millis(20);
/// Between two liveness checks that strangers' packets can cause.
const STRAY_PAUSE: Duration = Duration::from_secs(1);
/// How long it is remembered where a stray packet came from.
const STRAY_MEMORY: Duration = Duration::from_secs(3);

/// Runs for as long as the link does.
pub(super) struct Keeper {
    connection: Connection,
    shared: Arc<Shared>,
    board: Arc<Board>,
    decide: Paths,
    origin: Instant,
    open: BTreeMap<PathKey, (Path, SocketAddr)>,
    candidates: Vec<Remote>,
    opening: FuturesUnordered<BoxFuture<'static, (usize, Option<Opened>)>>,
    stray: Option<Stray>,
}

struct Opened {
    path: Path,
    address: SocketAddr,
    /// Ends the TCP connection if the path was closed meanwhile.
    _dialled: Option<tcp::Dialled>,
}

/// Where a packet for one of our ids came from that no path leads to.
struct Stray {
    from: SocketAddr,
    at: Duration,
    asked: Duration,
    /// The candidate that it is tried as.
    candidate: Option<usize>,
}

impl Keeper {
    /// Keeps the paths of a connection that has one. `candidates`: where else the peer may be reached, for the side that dialled.
    pub(super) fn new(
        connection: Connection,
        shared: Arc<Shared>,
        board: Arc<Board>,
        candidates: Vec<Remote>,
    ) -> Self {
        let mut keeper = Self {
            connection,
            shared,
            board,
            decide: Paths::default(),
            origin: Instant::now(),
            open: BTreeMap::new(),
            candidates: Vec::new(),
            opening: FuturesUnordered::new(),
            stray: None,
        };
        if let Some(path) = keeper.connection.path(PathId::ZERO) {
            keeper.opened(path, None);
        }
        let first = keeper.open.first_key_value().map(|(key, (_, address))| (*key, *address));
        for remote in candidates {
            let Some(candidate) = keeper.add_candidate(remote) else { break };
            if let Some((key, address)) = first
                && keeper.is_at(remote, address)
            {
                keeper.decide.began_at(key, candidate);
            }
        }
        keeper
    }

    /// Returns when the connection has ended.
    pub(super) async fn run(mut self) {
        let mut events = self.connection.path_events();
        let mut hints = self.shared.hints();
        let closed = self.connection.on_closed();
        tokio::pin!(closed);
        loop {
            self.carry_out();
            let due = self.decide.poll_timeout().map(|due| self.origin + due);
            // Looked at soon anyway, it need not be woken.
            self.board
                .dormant
                .store(due.is_none_or(|due| due > Instant::now() + STRAY_PAUSE / 10), Ordering::Relaxed);
            tokio::select! {
                _ = &mut closed => return,
                event = events.next() => match event {
                    Some(Ok(event)) => self.happened(event),
                    // What was missed is seen in the counters.
                    Some(Err(_)) => {}
                    None => return,
                },
                () = until(due) => self.look(),
                () = self.board.stirred.notified() => {
                    let now = self.now();
                    self.decide.stir(now);
                }
                Some((candidate, opened)) = self.opening.next() => self.tried(candidate, opened),
                hint = hints.recv() => match hint {
                    Ok(hint) => self.hinted(hint),
                    Err(broadcast::error::RecvError::Lagged(_)) => self.hinted(Hint::NetworkChanged),
                    Err(broadcast::error::RecvError::Closed) => return,
                },
            }
        }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn look(&mut self) {
        let now = self.now();
        for (key, (path, _)) in &self.open {
            let stats = path.stats();
            let sample = Sample { sent: stats.sent_bytes, received: stats.udp_rx.datagrams, rtt: stats.rtt };
            self.decide.observe(now, *key, sample);
        }
        self.follow_stray(now);
        self.decide.handle_timeout(now);
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.decide.poll_action() {
            match action {
                Action::Prefer(key) => self.prefer(key),
                Action::Ping(key) => {
                    if let Some((path, _)) = self.open.get(&key) {
                        // Fails where it was closed just now, of which there is an event.
                        let _ = path.ping();
                    }
                }
                Action::Close(key) => self.close(key),
                Action::Open(candidate) => self.try_candidate(candidate),
            }
        }
    }

    fn prefer(&mut self, key: PathKey) {
        for (other, (path, _)) in &self.open {
            let status = if *other == key { PathStatus::Available } else { PathStatus::Backup };
            // Fails where it was closed just now.
            let _ = path.set_status(status);
        }
        let Some((path, address)) = self.open.get(&key) else { return };
        let Some((kind, remote)) = self.known(*address) else { return };
        let before = std::mem::replace(&mut *lock(&self.board.in_use), (path.id(), kind, remote));
        if before.0 != path.id() {
            tracing::debug!(?kind, %remote, "a link moved to another path");
            self.board.tell(|| LinkEvent::Moved(view(path, kind, remote, true)));
        }
    }

    fn close(&mut self, key: PathKey) {
        let Some((path, address)) = self.open.remove(&key) else { return };
        match path.close() {
            Err(noq::ClosePathError::LastOpenPath) => {
                // The peer has closed the other one at the same moment: there is no better one than this.
                self.shared.path_closed(address);
                self.opened_at(path, address, None);
            }
            _ => self.gone(&path, address),
        }
    }

    /// A path is out of `open` for good.
    fn gone(&mut self, path: &Path, address: SocketAddr) {
        self.shared.path_closed(address);
        if let Some((kind, remote)) = self.known(address) {
            tracing::debug!(?kind, %remote, "a path of a link is closed");
            self.board.tell(|| LinkEvent::PathClosed(view(path, kind, remote, false)));
        }
    }

    fn happened(&mut self, event: PathEvent) {
        match event {
            // The server's side; the client learns it from its own attempt.
            PathEvent::Established { id, .. } if self.connection.side().is_server() => {
                if let Some(path) = self.connection.path(id) {
                    self.opened(path, None);
                }
            }
            PathEvent::Abandoned { id, .. } => {
                let key = PathKey(path_number(id));
                if let Some((path, address)) = self.open.remove(&key) {
                    self.gone(&path, address);
                    let now = self.now();
                    self.decide.closed(now, key);
                }
            }
            _ => {}
        }
    }

    fn opened(&mut self, path: Path, candidate: Option<usize>) {
        if let Ok(address) = path.remote_address() {
            self.opened_at(path, address, candidate);
        }
    }

    fn opened_at(&mut self, path: Path, address: SocketAddr, candidate: Option<usize>) {
        let (now, key, rtt) = (self.now(), PathKey(path_number(path.id())), path.stats().rtt);
        let Some((kind, remote)) = self.known(address) else { return };
        if self.open.contains_key(&key) {
            return;
        }
        self.shared.path_opened(address);
        self.board.numbers.fetch_max(key.0 + 1, Ordering::Relaxed);
        // Until it is preferred nothing is sent over it that another one can carry.
        let _ = path.set_status(PathStatus::Backup);
        self.board.tell(|| LinkEvent::PathOpened(view(&path, kind, remote, false)));
        self.open.insert(key, (path, address));
        match candidate {
            Some(candidate) => self.decide.opened_to(now, key, candidate, rtt),
            None => self.decide.opened(now, key, kind, rtt),
        }
    }

    fn add_candidate(&mut self, remote: Remote) -> Option<usize> {
        let kind = match remote {
            Remote::Udp(address) => Kind::Udp { v6: address.is_ipv6() },
            Remote::Tcp(_) => Kind::Tcp,
            Remote::Tunnel(tunnel) => self.shared.routes.kind(Route::Tunnel(tunnel)).unwrap_or(Kind::Relayed),
        };
        let number = self.decide.add_candidate(self.now(), kind)?;
        self.candidates.push(remote);
        Some(number)
    }

    fn is_at(&self, remote: Remote, address: SocketAddr) -> bool {
        match (remote, self.shared.routes.route(address)) {
            (Remote::Udp(remote), Some(Route::Udp { remote: at, .. })) => canonical(remote) == at,
            (Remote::Tunnel(tunnel), Some(Route::Tunnel(at))) => tunnel == at,
            _ => false,
        }
    }

    fn try_candidate(&mut self, candidate: usize) {
        let Some(remote) = self.candidates.get(candidate).copied() else { return };
        let opening = open(self.connection.clone(), Arc::clone(&self.shared), remote);
        self.opening.push(async move { (candidate, opening.await) }.boxed());
    }

    fn tried(&mut self, candidate: usize, opened: Option<Opened>) {
        match opened {
            Some(Opened { path, address, _dialled }) => self.opened_at(path, address, Some(candidate)),
            None => {
                let now = self.now();
                self.decide.attempt_failed(now, candidate);
            }
        }
    }

    fn hinted(&mut self, hint: Hint) {
        let now = self.now();
        match hint {
            Hint::NetworkChanged => self.decide.network_changed(now),
            Hint::Gone(address) => {
                let lost: Vec<_> =
                    self.open.iter().filter(|(_, (_, at))| *at == address).map(|(key, _)| *key).collect();
                for key in lost {
                    self.close(key);
                    self.decide.closed(now, key);
                }
            }
            Hint::Stray(from) if self.connection.side().is_client() => self.suspect(now, from),
            Hint::Stray(_) => {}
        }
    }

    /// The peer may have moved and speaks from another address, which QUIC does not accept of a server. Whether it is this link's peer is
    /// not known, and anybody may send such a packet: so the paths are asked whether they live, and only where none does is the address
    /// tried, as one more path that must prove itself.
    fn suspect(&mut self, now: Duration, from: SocketAddr) {
        if !matches!(self.shared.routes.route(from), Some(Route::Udp { .. })) {
            return;
        }
        let stray = self.stray.get_or_insert(Stray { from, at: now, asked: Duration::ZERO, candidate: None });
        (stray.from, stray.at) = (from, now);
        if stray.asked.is_zero() || now.saturating_sub(stray.asked) >= STRAY_PAUSE {
            stray.asked = now;
            for (path, _) in self.open.values() {
                let _ = path.ping();
            }
            self.decide.stir(now);
        }
    }

    fn follow_stray(&mut self, now: Duration) {
        if !self.decide.is_lost(now) {
            return;
        }
        let Some(stray) = &self.stray else { return };
        let Some(Route::Udp { remote, .. }) = self.shared.routes.route(stray.from) else { return };
        if now.saturating_sub(stray.at) > STRAY_MEMORY || self.candidates.contains(&Remote::Udp(remote)) {
            return;
        }
        match stray.candidate.and_then(|at| self.candidates.get_mut(at)) {
            Some(place) => *place = Remote::Udp(remote),
            None => {
                let candidate = self.add_candidate(Remote::Udp(remote));
                if let Some(stray) = &mut self.stray {
                    stray.candidate = candidate;
                }
            }
        }
    }

    fn known(&self, address: SocketAddr) -> Option<(Kind, SocketAddr)> {
        kind_and_remote(&self.shared, address)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        for (_, address) in self.open.values() {
            self.shared.path_closed(*address);
        }
    }
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

pub(super) fn view(path: &Path, kind: Kind, remote: SocketAddr, in_use: bool) -> PathView {
    let stats = path.stats();
    PathView {
        kind,
        remote,
        in_use,
        rtt: stats.rtt,
        mtu: stats.current_mtu,
        sent_bytes: stats.udp_tx.bytes,
        received_bytes: stats.udp_rx.bytes,
        lost_packets: stats.lost_packets,
    }
}

/// Opens a path to a candidate, as one that stands by.
async fn open(connection: Connection, shared: Arc<Shared>, remote: Remote) -> Option<Opened> {
    let (address, dialled) = match remote {
        Remote::Udp(remote) => (shared.routes.udp_address(remote)?, None),
        Remote::Tcp(remote) => {
            let dialled = tcp::dial(&shared, remote)
                .await
                .inspect_err(|error| tracing::debug!(%remote, %error, "no TCP connection"))
                .ok()?;
            (dialled.address, Some(dialled))
        }
        Remote::Tunnel(tunnel) => (shared.routes.address(Route::Tunnel(tunnel)), None),
    };
    let mut id = None;
    let attempt = async {
        loop {
            let opening = connection.open_path(address, PathStatus::Backup);
            id = opening.path_id();
            match opening.await {
                Ok(path) => return Some(path),
                // Right after the handshake, and while closed paths drain, the peer has not yet provided for another one.
                Err(PathError::RemoteCidsExhausted | PathError::MaxPathIdReached) => sleep(ID_PAUSE).await,
                Err(error) => {
                    tracing::debug!(%remote, %error, "no path");
                    return None;
                }
            }
        }
    };
    match timeout(OPEN_TIMEOUT, attempt).await {
        Ok(path) => Some(Opened { path: path?, address, _dialled: dialled }),
        Err(_) => {
            if let Some(path) = id.and_then(|id| connection.path(id)) {
                // Gives up its number and its probes.
                let _ = path.close();
            }
            None
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
