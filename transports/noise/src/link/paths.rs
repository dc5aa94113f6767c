//! Keeps the paths of one link: opens them, watches whether they live, moves between them.
//!
//! What to do is decided in `wayside-path`, which is pure; here it is seen and done.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use noq::{Connection, Path, PathEvent, PathId, PathStatus, VarInt};
use tokio::{
    sync::broadcast,
    time::{Instant, sleep, sleep_until},
};
use wayside_path::{Action, Kind, PathKey, Paths, Sample};

use super::{
    board::{Board, LinkEvent, kind_and_remote, view},
    keep_alive,
    opening::{Opened, Outcome, open},
};
use crate::{
    CloseReason, Remote, Secret32,
    adapter::path_number,
    socket::{
        Hint, Shared,
        probes::{Answers, Prober},
        route::{Route, canonical},
    },
};

/// Told to a peer that did not answer, in case it hears it.
const NO_ANSWER: VarInt = VarInt::from_u32(3);
/// After so long without any answer QUIC has backed off too far to come back by itself.
const CUT_OFF: Duration = Duration::from_millis(500);
/// For so long the ways of a link that was closed stay.
const LEAVING: Duration = Duration::from_millis(200);
/// Sleeping no longer than this it need not be woken.
const NAP: Duration = Duration::from_millis(100);
/// Addresses from which the peer spoke and that are kept as candidates; a further one takes the oldest one's place.
const MOST_STRAYS: usize = 4;

/// Runs for as long as the link does.
pub(super) struct Keeper {
    connection: Connection,
    shared: Arc<Shared>,
    board: Arc<Board>,
    decide: Paths,
    origin: Instant,
    open: BTreeMap<PathKey, Open>,
    candidates: Vec<Remote>,
    opening: FuturesUnordered<BoxFuture<'static, (usize, Remote, Outcome)>>,
    /// The only path that QUIC has, and that leads nowhere.
    stump: Option<Path>,
    prober: Arc<Prober>,
    /// What the socket knows this link by.
    number: u64,
    /// Candidates that are addresses from which the peer spoke, the oldest first.
    strays: VecDeque<usize>,
    /// What went beside QUIC, when it was last looked at.
    beside: (u64, u64),
}

struct Open {
    path: Path,
    address: SocketAddr,
    /// What QUIC sent while it was the path in use: only then the replies come back over it.
    sent: u64,
    /// What QUIC had sent when it was last looked at.
    seen: u64,
    /// Questions and answers before its other end moved.
    before: Answers,
    /// What went out and came in beside QUIC while it was the path in use.
    beside: (u64, u64),
}

/// Who says where the peer may be reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// Whoever holds the link.
    Us,
    /// The peer, by speaking from there.
    Peer,
}

impl Keeper {
    /// What the socket knows the link by.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Keeps the paths of a connection that has one. `candidates`: where else the peer may be reached, for the side that dialled.
    pub(super) fn new(
        connection: Connection,
        shared: Arc<Shared>,
        board: Arc<Board>,
        candidates: Vec<Remote>,
    ) -> Self {
        let (initiators, responders) = (export(&connection, PROBE_I), export(&connection, PROBE_R));
        let prober = Arc::new(if connection.side().is_client() {
            Prober::new(initiators, responders)
        } else {
            Prober::new(responders, initiators)
        });
        let mut keeper = Self {
            number: shared.add_link(Arc::clone(&prober)),
            prober,
            connection,
            decide: Paths::new(shared.longest_silence()),
            shared,
            board,
            origin: Instant::now(),
            open: BTreeMap::new(),
            candidates: Vec::new(),
            opening: FuturesUnordered::new(),
            strays: VecDeque::new(),
            stump: None,
            beside: (0, 0),
        };
        if let Some(path) = keeper.connection.path(PathId::ZERO) {
            keeper.opened(path, None);
        }
        let first = keeper.open.first_key_value().map(|(key, open)| (*key, open.address));
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
        // It may have changed before anybody listened.
        self.hinted(Hint::Pace);
        let closed = self.connection.on_closed();
        let (prober, board) = (Arc::clone(&self.prober), Arc::clone(&self.board));
        tokio::pin!(closed);
        loop {
            self.carry_out();
            let due = self.decide.poll_timeout().map(|due| self.origin + due);
            let awake = due.is_some_and(|due| due <= Instant::now() + NAP);
            self.board.way.set_dormant(!awake);
            tokio::select! {
                _ = &mut closed => {
                    self.ended();
                    // What takes leave of the peer is still to go out, over connections that end with their last path.
                    return sleep(LEAVING).await;
                }
                event = events.next() => match event {
                    Some(Ok(event)) => self.happened(event),
                    // What was missed is seen in the counters.
                    Some(Err(_)) => {}
                    None => return,
                },
                () = until(due) => self.look(),
                () = self.board.way.stirred() => {
                    let now = self.now();
                    self.decide.stir(now);
                }
                from = prober.stray() => self.peer_is_at(from),
                remote = board.learnt() => self.learnt(remote, By::Us),
                Some((candidate, remote, opened)) = self.opening.next() => self.tried(candidate, remote, opened),
                hint = hints.recv() => match hint {
                    Ok(hint) => self.hinted(hint),
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        self.hinted(Hint::Pace);
                        self.hinted(Hint::NetworkChanged);
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                },
            }
        }
    }

    /// Somebody who breaks the protocol is a friend's machine: to be seen by whoever looks after it.
    fn ended(&self) {
        self.board.way.leads_to(None);
        self.shared.link_ended(self.number);
        if let Some(CloseReason::Failed(what)) = self.connection.close_reason().map(CloseReason::from) {
            let remote = self.board.in_use().2;
            tracing::warn!(%remote, %what, "a link failed");
        }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn look(&mut self) {
        self.follow_addresses();
        let now = self.now();
        let was_cut_off = self.decide.lost_for(now) >= CUT_OFF;
        let in_use = self.decide.preferred();
        let (counts, seen) = (self.board.way.counts(), self.beside);
        self.beside = counts;
        // An acknowledgement takes whatever way the peer sends on.
        let came = self.connection.stats().frame_rx;
        let acknowledged = came.acks.saturating_add(came.path_acks);
        for (key, open) in &mut self.open {
            let (stats, answers) = (open.path.stats(), self.prober.answers(open.address));
            if in_use == Some(*key) {
                open.sent += stats.sent_bytes - open.seen.min(stats.sent_bytes);
                open.beside.0 += counts.0 - seen.0;
                open.beside.1 += counts.1 - seen.1;
            }
            open.seen = stats.sent_bytes;
            let sample = Sample {
                sent: open.sent + open.beside.0 + open.before.asked + answers.asked,
                received: stats.udp_rx.datagrams + open.beside.1 + open.before.count + answers.count,
                carried: open.sent,
                acknowledged,
                rtt: answers.rtt.unwrap_or(stats.rtt),
            };
            self.decide.observe(now, *key, sample);
        }
        self.decide.handle_timeout(now);
        if was_cut_off && self.decide.lost_for(now).is_zero() {
            self.shared.link_revived();
        }
        if self.decide.lost_for(now) >= self.shared.idle_timeout() {
            tracing::debug!("a peer answers over no path any more");
            self.board.give_up();
            self.connection.close(NO_ANSWER, b"no answer");
        }
    }

    /// A client's address may change under a path that goes on: QUIC follows it, and so do our probes.
    fn follow_addresses(&mut self) {
        let in_use = self.decide.preferred();
        let mut left = Vec::new();
        for (key, open) in &mut self.open {
            let Ok(address) = open.path.remote_address() else { continue };
            if address == open.address {
                continue;
            }
            let answers = self.prober.answers(open.address);
            open.before.asked += answers.asked;
            open.before.count += answers.count;
            self.shared.path_opened(self.number, address);
            self.shared.path_closed(self.number, open.address);
            left.push(std::mem::replace(&mut open.address, address));
            // QUIC has begun it anew, as one to be used.
            let is_in_use = in_use == Some(*key);
            let status = if is_in_use { PathStatus::Available } else { PathStatus::Backup };
            let _ = open.path.set_status(status);
            if let Some((kind, remote)) = kind_and_remote(&self.shared, address)
                && is_in_use
            {
                tracing::debug!(?kind, %remote, "the peer has another address");
                self.board.way.leads_to(Some(address));
                self.board.moved(open.path.id(), kind, remote);
                self.board.tell(|| LinkEvent::Moved(view(&self.shared, &open.path, kind, remote, true)));
            }
        }
        for address in left {
            if self.open.values().all(|open| open.address != address) {
                self.prober.forget(address);
            }
        }
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.decide.poll_action() {
            match action {
                Action::Prefer(key) => self.prefer(key),
                Action::Ask(key) => {
                    if let Some(open) = self.open.get(&key) {
                        self.shared.send_aside(open.address, &self.prober.ask(open.address));
                    }
                }
                Action::Close(key) => self.close(key),
                Action::Open(candidate) => self.try_candidate(candidate),
            }
        }
    }

    fn prefer(&mut self, key: PathKey) {
        for (other, open) in &self.open {
            let status = if *other == key { PathStatus::Available } else { PathStatus::Backup };
            // Fails where it was closed just now.
            let _ = open.path.set_status(status);
        }
        self.keep_pace();
        let Some(Open { path, address, .. }) = self.open.get(&key) else { return };
        self.board.way.leads_to(Some(*address));
        let Some((kind, remote)) = self.known(*address) else { return };
        if self.board.moved(path.id(), kind, remote) {
            tracing::debug!(?kind, %remote, "a link moved to another path");
            self.board.tell(|| LinkEvent::Moved(view(&self.shared, path, kind, remote, true)));
        }
    }

    /// Has QUIC keep the path in use alive, and no other.
    fn keep_pace(&self) {
        let (in_use, pace) = (self.decide.preferred(), self.shared.pace());
        for (key, open) in &self.open {
            let pace = pace.filter(|_| in_use == Some(*key));
            keep_alive::keep(&open.path, pace, self.connection.side().is_server());
        }
    }

    fn close(&mut self, key: PathKey) {
        let Some(Open { path, address, .. }) = self.open.remove(&key) else { return };
        match path.close() {
            Err(noq::ClosePathError::LastOpenPath) if self.known(address).is_some() => {
                // The peer has closed the other one at the same moment: there is no better one than this.
                self.shared.path_closed(self.number, address);
                self.opened_at(path, address, None);
            }
            // Led through a tunnel that is gone: QUIC parts with it when there is another one.
            Err(noq::ClosePathError::LastOpenPath) => {
                self.gone(&path, address);
                self.stump = Some(path);
            }
            _ => self.gone(&path, address),
        }
    }

    /// A path is out of `open` for good.
    fn gone(&mut self, path: &Path, address: SocketAddr) {
        self.shared.path_closed(self.number, address);
        if self.open.values().all(|open| open.address != address) {
            self.prober.forget(address);
        }
        if let Some((kind, remote)) = self.known(address) {
            tracing::debug!(?kind, %remote, "a path of a link is closed");
            self.board.tell(|| LinkEvent::PathClosed(view(&self.shared, path, kind, remote, false)));
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
                if let Some(Open { path, address, .. }) = self.open.remove(&key) {
                    self.gone(&path, address);
                    let now = self.now();
                    self.decide.closed(now, key);
                }
            }
            // The client chooses, and the server follows.
            PathEvent::RemoteStatus { id, status: PathStatus::Available, .. }
                if self.connection.side().is_server() =>
            {
                let now = self.now();
                self.decide.follow(now, PathKey(path_number(id)));
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
        self.shared.path_opened(self.number, address);
        self.board.numbered(key.0);
        // Until it is preferred nothing is sent over it that another one can carry. The first is taken anyway, and to say so costs packets.
        if !self.open.is_empty() {
            let _ = path.set_status(PathStatus::Backup);
        }
        self.board.tell(|| LinkEvent::PathOpened(view(&self.shared, &path, kind, remote, false)));
        if let Some(stump) = self.stump.take() {
            // Fails where the peer has closed it by now.
            let _ = stump.close();
        }
        let (sent, seen) = (0, path.stats().sent_bytes);
        if self.open.is_empty() {
            self.board.way.leads_to(Some(address));
        }
        let before = Answers::default();
        self.open.insert(key, Open { path, address, sent, seen, before, beside: (0, 0) });
        let was_cut_off = self.decide.lost_for(now) >= CUT_OFF;
        match candidate {
            Some(candidate) => self.decide.opened_to(now, key, candidate, rtt),
            None => self.decide.opened(now, key, kind, rtt),
        }
        if was_cut_off {
            // Sooner than the old path's answer was seen.
            self.shared.link_revived();
        }
        self.keep_pace();
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
            (Remote::Tcp(remote), Some(Route::Tunnel(at))) => self.shared.routes.peer_of(at) == Some(remote),
            _ => false,
        }
    }

    fn try_candidate(&mut self, candidate: usize) {
        let Some(remote) = self.candidates.get(candidate).copied() else { return };
        let opening =
            open(self.connection.clone(), Arc::clone(&self.shared), Arc::clone(&self.prober), remote);
        self.opening.push(async move { (candidate, remote, opening.await) }.boxed());
    }

    fn tried(&mut self, candidate: usize, remote: Remote, opened: Outcome) {
        // It may be another address by now.
        let candidate = (self.candidates.get(candidate) == Some(&remote)).then_some(candidate);
        match opened {
            Ok(Opened { path, address, _dialled }) => self.opened_at(path, address, candidate),
            Err(asked) => {
                if let Some(address) = asked
                    && self.open.values().all(|open| open.address != address)
                {
                    self.prober.forget(address);
                }
                if let Some(candidate) = candidate {
                    let now = self.now();
                    self.decide.attempt_failed(now, candidate);
                }
            }
        }
    }

    fn hinted(&mut self, hint: Hint) {
        let now = self.now();
        match hint {
            Hint::NetworkChanged => self.decide.network_changed(now),
            Hint::Pace => {
                self.decide.set_longest_silence(now, self.shared.longest_silence());
                self.keep_pace();
            }
            Hint::Gone(address) => {
                let lost: Vec<_> = self
                    .open
                    .iter()
                    .filter(|(_, open)| open.address == address)
                    .map(|(key, _)| *key)
                    .collect();
                for key in lost {
                    self.close(key);
                    self.decide.closed(now, key);
                }
            }
        }
    }

    /// The peer has proved that it is at an address to which no path leads: it has moved. QUIC follows a client, but not a server.
    fn peer_is_at(&mut self, from: SocketAddr) {
        let Some(Route::Udp { remote, .. }) = self.shared.routes.route(from) else { return };
        if self.connection.side().is_server() {
            return self.follow_addresses();
        }
        // Where it was it is no more, perhaps.
        self.decide.peer_moved(self.now());
        self.learnt(Remote::Udp(remote), By::Peer);
    }

    /// The peer may be reached there as well, or again.
    fn learnt(&mut self, remote: Remote, by_whom: By) {
        let now = self.now();
        if let Some(candidate) = self.candidates.iter().position(|it| *it == remote) {
            self.prober.hurry();
            return self.decide.renew(now, candidate);
        }
        // There is room for what we were told, and little for what a peer names by speaking from it.
        if by_whom == By::Us && (self.takes_place(now, remote) || self.add_candidate(remote).is_some()) {
            return;
        }
        if self.strays.len() < MOST_STRAYS {
            let added = self.add_candidate(remote);
            self.strays.extend(added);
        } else if let Some(oldest) = self.strays.pop_front() {
            if let Some(place) = self.candidates.get_mut(oldest) {
                *place = remote;
            }
            self.strays.push_back(oldest);
            self.decide.replaced(now, oldest);
        }
    }

    /// Whether a tunnel has taken the place of one that is no more: relays come and go.
    fn takes_place(&mut self, now: Duration, remote: Remote) -> bool {
        let Remote::Tunnel(_) = remote else { return false };
        let is_gone = |it: &Remote| match it {
            Remote::Tunnel(tunnel) => self.shared.routes.kind(Route::Tunnel(*tunnel)).is_none(),
            _ => false,
        };
        let Some(at) = self.candidates.iter().position(is_gone) else { return false };
        if let Some(place) = self.candidates.get_mut(at) {
            *place = remote;
        }
        self.decide.replaced(now, at);
        true
    }

    fn known(&self, address: SocketAddr) -> Option<(Kind, SocketAddr)> {
        kind_and_remote(&self.shared, address)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.board.way.leads_to(None);
        self.shared.link_ended(self.number);
        for open in self.open.values() {
            self.shared.path_closed(self.number, open.address);
        }
        self.shared.remove_link(self.number);
    }
}

/// What the probe keys are exported under, for what the initiator sends and for what the responder sends.
const PROBE_I: &[u8] = b"wayside probe i";
const PROBE_R: &[u8] = b"wayside probe r";

/// Keying material of an established connection.
pub(super) fn export(connection: &Connection, label: &[u8]) -> Secret32 {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    let exported = connection.export_keying_material(&mut *bytes, label, &[]);
    // There is a connection only after its handshake, and 32 bytes are what the exporter gives.
    assert!(exported.is_ok(), "an established link exports 32 bytes");
    Secret32::from(*bytes)
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
