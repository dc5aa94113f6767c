//! What the socket and the endpoint's links have in common: where datagrams go, who asks and answers probes, and what concerns every link.

use std::{
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
    time::Duration,
};

use noq::{UdpSender, udp::Transmit};
use tokio::sync::{Notify, broadcast};
use wayside_path::Kind;

use super::{
    circuits::Circuits,
    forward::Forwarder,
    meetings::Meetings,
    probes::{Arrived, Prober, Probers},
    route::{Route, Routes, TunnelId, canonical, mapped},
    source::Hand,
    spares::Spares,
    stun::Stun,
    talk::Talk,
    tunnel::{Tunnel, Tunnels},
};
use crate::{EndpointConfig, link::keep_alive::KeepAlive};

/// What may concern any link of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    /// The machine's addresses have changed.
    NetworkChanged,
    /// Nothing goes to or comes from this address any more.
    Gone(SocketAddr),
    /// Links are kept alive at another pace.
    Pace,
}

/// Hints that a busy link may be behind.
const HINTS: usize = 16;

/// What the socket and the endpoint's links have in common.
pub(crate) struct Shared {
    pub(crate) routes: Arc<Routes>,
    pub(super) tunnels: Arc<Tunnels>,
    pub(super) circuits: Arc<Circuits>,
    pub(crate) forwarder: Forwarder,
    pub(crate) stun: Stun,
    hints: broadcast::Sender<Hint>,
    probers: Probers,
    keep_alive: Mutex<KeepAlive>,
    pub(crate) meetings: Meetings,
    pub(super) spares: Arc<Spares>,
    /// What the endpoint's own sockets are bound to, and what sends over them beside QUIC.
    own: Vec<(SocketAddr, Hand)>,
    idle_timeout: Duration,
    /// A link that was cut off is back.
    revived: Notify,
    /// For what is sent beside QUIC: small, rare, and lost where the socket is busy.
    aside: Mutex<Option<Pin<Box<dyn UdpSender>>>>,
}

impl Shared {
    pub(super) fn new(own: Vec<(SocketAddr, Hand)>, tunnels: Tunnels, config: &EndpointConfig) -> Self {
        let bound: Vec<_> = own.iter().map(|(address, _)| *address).collect();
        Self {
            routes: Arc::new(Routes::new(&bound)),
            tunnels: Arc::new(tunnels),
            circuits: Arc::default(),
            forwarder: Forwarder::default(),
            stun: Stun::new(),
            hints: broadcast::channel(HINTS).0,
            probers: Probers::default(),
            keep_alive: Mutex::new(KeepAlive::new(config.keep_alive)),
            meetings: Meetings::default(),
            spares: Arc::new(Spares::new(own.len(), config.network.clone())),
            own,
            idle_timeout: config.idle_timeout,
            revived: Notify::new(),
            aside: Mutex::default(),
        }
    }

    /// A link that was cut off for long is back: its QUIC has backed off, and would wait for seconds more.
    pub(crate) fn link_revived(&self) {
        self.revived.notify_one();
    }

    /// Waits for such a link.
    pub(crate) async fn revival(&self) {
        self.revived.notified().await;
    }

    /// What is sent beside QUIC goes out by this.
    pub(super) fn send_by(&self, sender: Pin<Box<dyn UdpSender>>) {
        *self.aside.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
    }

    /// Carries datagrams by other means than UDP from now on.
    pub(crate) fn tunnel(self: &Arc<Self>, kind: Kind, peer: Option<SocketAddr>) -> Tunnel {
        self.tunnels.open(self, kind, peer)
    }

    pub(crate) fn hints(&self) -> broadcast::Receiver<Hint> {
        self.hints.subscribe()
    }

    pub(crate) fn hint(&self, hint: Hint) {
        // Nobody listens where there is no link.
        let _ = self.hints.send(hint);
    }

    pub(super) fn gone(&self, address: SocketAddr) {
        self.hint(Hint::Gone(address));
    }

    /// After how long a silence a path is asked whether it lives.
    pub(crate) fn longest_silence(&self) -> Option<Duration> {
        self.keep_alive().longest_silence()
    }

    /// How often the path in use is to have a packet.
    pub(crate) fn pace(&self) -> Option<Duration> {
        self.keep_alive().pace()
    }

    /// More has become known of how long NAT mappings live.
    pub(crate) fn learn_lifetime(&self, learn: impl FnOnce(&mut KeepAlive)) {
        let mut keep_alive = self.keep_alive();
        let before = *keep_alive;
        learn(&mut keep_alive);
        let has_changed = *keep_alive != before;
        drop(keep_alive);
        if has_changed {
            self.hint(Hint::Pace);
        }
    }

    fn keep_alive(&self) -> MutexGuard<'_, KeepAlive> {
        self.keep_alive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long questions may go unanswered before a link is given up.
    pub(crate) fn idle_timeout(&self) -> Duration {
        self.idle_timeout
    }

    /// A link asks and answers probes from now on; returns the number that it is known by here.
    pub(crate) fn add_link(&self, prober: Arc<Prober>) -> u64 {
        self.probers.add(prober)
    }

    /// A link is over: so is what needs it.
    pub(crate) fn link_ended(&self, link: u64) {
        self.close_circuits_over(link);
        self.forwarder.leave(link);
    }

    pub(crate) fn remove_link(&self, link: u64) {
        self.probers.remove(link);
    }

    /// A link has a path to this address.
    pub(crate) fn path_opened(&self, link: u64, remote: SocketAddr) {
        self.probers.path_opened(link, remote);
        self.routes.hold(remote);
        if let Some(spare) = self.spare_to(remote) {
            self.spares.path_opened(spare);
        }
    }

    /// A link has a path to this address no more.
    pub(crate) fn path_closed(&self, link: u64, remote: SocketAddr) {
        self.probers.path_closed(link, remote);
        self.routes.release(remote);
        if let Some(spare) = self.spare_to(remote)
            && self.spares.path_closed(spare)
        {
            self.routes.remove_sockets(&[spare]);
        }
        self.close_tcp(remote);
    }

    /// The spare socket that an address leads over.
    fn spare_to(&self, address: SocketAddr) -> Option<usize> {
        match self.routes.route(address)? {
            Route::Udp { socket, .. } => self.is_spare(socket).then_some(socket),
            Route::Tunnel(_) => None,
        }
    }

    /// Whether a socket was opened for a meeting.
    pub(super) fn is_spare(&self, socket: usize) -> bool {
        socket >= self.own.len()
    }

    /// Opens spare sockets for a meeting, beside the endpoint's own IPv4 one: as many, or fewer where there are no more.
    pub(crate) fn open_spares(&self, count: u16) -> Vec<usize> {
        let beside = self.own.iter().map(|(address, _)| address.ip()).find(IpAddr::is_ipv4);
        let Some(ip) = beside else { return Vec::new() };
        self.spares.open(SocketAddr::new(ip, 0), usize::from(count))
    }

    /// A meeting needs these spare sockets no more.
    pub(crate) fn close_spares(&self, spares: Vec<usize>) {
        let closed = self.spares.close(spares);
        if !closed.is_empty() {
            self.routes.remove_sockets(&closed);
        }
    }

    /// Whatever meets somebody looks whether it still may.
    pub(crate) fn closing(&self) {
        self.meetings.stir();
    }

    /// A meeting is over: its spare sockets close, but for those that led to the peer.
    pub(crate) fn end_meeting(&self, number: u64, talk: &Talk) {
        self.meetings.remove(number);
        talk.end(self);
    }

    /// The address by which QUIC knows a UDP remote: over the spare socket that has led there, if one has; else over the primary one of the family.
    pub(crate) fn udp_address(&self, remote: SocketAddr) -> Option<SocketAddr> {
        let remote = canonical(remote);
        match self.spares.leading_to(remote) {
            Some(socket) => Some(self.routes.address(Route::Udp { socket, remote })),
            None => self.routes.udp_address(remote),
        }
    }

    /// Sends a probe of a meeting over a socket, past at most so many routers.
    pub(crate) fn send_over(&self, socket: usize, to: SocketAddr, datagram: &[u8], hops: Option<u8>) {
        match self.own.get(socket) {
            Some((_, hand)) => hand.send(to, datagram, hops),
            None => self.spares.send_probe(socket, to, datagram, hops),
        }
    }

    /// Takes a probe of a meeting.
    pub(super) fn punched(&self, from: Route, datagram: &[u8]) {
        match from {
            Route::Udp { socket, remote } => {
                self.meetings.arrived(self, socket, remote, datagram);
            }
            // Needs no answer: the side that dials makes its link through it.
            Route::Tunnel(tunnel) => {
                if let Some(address) = self.routes.known(from)
                    && self.meetings.called(tunnel, address, datagram)
                {
                    self.tunnels.admitted(tunnel);
                }
            }
        }
    }

    /// Sends a probe.
    pub(crate) fn send_aside(&self, to: SocketAddr, datagram: &[u8]) {
        let transmit =
            Transmit { destination: to, ecn: None, contents: datagram, segment_size: None, src_ip: None };
        let mut aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = aside.as_mut() {
            // Where the socket takes nothing now, a probe is lost as it may be on any wire.
            let _ = sender.as_mut().poll_send(&transmit, &mut Context::from_waker(Waker::noop()));
        }
    }

    /// Takes a probe.
    pub(super) fn probed(&self, from: Route, datagram: &[u8]) {
        // A made-up address takes a place in a table: not before it is a friend's.
        let Some(known) = self.called(from) else { return };
        if let Arrived::Taken(Some(answer)) = self.probers.arrived(known, datagram) {
            let to = match from {
                Route::Udp { .. } => self.routes.address(from),
                Route::Tunnel(_) => known,
            };
            self.send_aside(to, &answer);
        }
    }

    /// How QUIC knows where something came from, or would; `None` where that is no more.
    pub(super) fn called(&self, from: Route) -> Option<SocketAddr> {
        match from {
            Route::Udp { remote, .. } => Some(self.routes.known(from).unwrap_or_else(|| mapped(remote))),
            Route::Tunnel(_) => self.routes.known(from),
        }
    }

    /// Whether what carries datagrams to this address has not ended.
    pub(crate) fn is_open(&self, address: SocketAddr) -> bool {
        self.routes.route(address).is_some_and(|route| self.routes.kind(route).is_some())
    }

    /// Ends a TCP connection through which no path leads.
    pub(super) fn close_tunnel_unless_used(&self, tunnel: TunnelId) {
        self.close_tcp(self.routes.address(Route::Tunnel(tunnel)));
    }

    /// Ends the TCP connection that an address stands for, if it does and no path leads through it.
    pub(crate) fn close_tcp(&self, remote: SocketAddr) {
        if let Some(route @ Route::Tunnel(tunnel)) = self.routes.route(remote)
            && self.routes.kind(route) == Some(Kind::Tcp)
            && !self.probers.is_known(remote)
        {
            self.tunnels.close(tunnel);
        }
    }
}

#[cfg(feature = "fuzzing")]
impl Shared {
    /// What sends over one socket on a network within the process, and receives nothing.
    pub(crate) fn over(network: &super::memory::MemoryNetwork, address: SocketAddr) -> Self {
        let own = vec![(address, Hand::Memory(network.clone(), address))];
        Self::new(own, Tunnels::new().0, &EndpointConfig::default())
    }
}

#[cfg(test)]
impl Shared {
    /// How many links ask and answer probes, addresses that paths lead to, and addresses that were made up.
    pub(crate) fn tables(&self) -> (usize, usize, usize) {
        let (links, remotes) = self.probers.sizes();
        (links, remotes, self.routes.made_up())
    }

    /// How many meetings are under way, addresses that their peers may speak from, and spare sockets.
    pub(crate) fn meeting_tables(&self) -> (usize, usize, usize) {
        let (talks, remotes) = self.meetings.sizes();
        (talks, remotes, self.spares.count())
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
