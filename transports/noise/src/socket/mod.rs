//! One socket for the QUIC stack, over everything that carries its datagrams: UDP sockets of both families, TCP connections, tunnels.
//!
//! ```text
//!            QUIC (noq)
//!                │ datagrams to and from addresses, real and virtual (route)
//!         VirtualSocket ── sieve: only what the gate admits
//!      ┌─────────┼──────────┐
//!   UDP v4    UDP v6     tunnels: TCP (tcp), relays
//! ```

pub(crate) mod memory;
pub(crate) mod probes;
pub(crate) mod route;
mod strangers;
pub(crate) mod tcp;
pub(crate) mod tunnel;
mod udp;

use std::{
    io::{self, IoSliceMut},
    net::{Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use noq::{
    AsyncUdpSocket, UdpSender,
    udp::{RecvMeta, Transmit},
};
use tokio::sync::{broadcast, mpsc};
use wayside_path::Kind;

use self::{
    memory::MemoryNetwork,
    probes::{Arrived, Prober, Probers},
    route::{Route, Routes, TunnelId, canonical, mapped},
    tunnel::{Tunnel, Tunnels},
};
use crate::{
    EndpointConfig,
    core::probe::{self, is_probe},
    gate::{Gate, Sieve},
};

/// Where sockets come from.
#[derive(Clone, Debug, Default)]
pub enum Network {
    /// The operating system's.
    #[default]
    System,
    /// A network within this process, for tests in virtual time.
    Memory(MemoryNetwork),
}

impl Network {
    fn bind(&self, address: SocketAddr) -> io::Result<Box<dyn AsyncUdpSocket>> {
        match self {
            Self::System => udp::bind(address),
            Self::Memory(network) => network.bind(address),
        }
    }
}

/// What may concern any link of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    /// The machine's addresses have changed.
    NetworkChanged,
    /// Nothing goes to or comes from this address any more.
    Gone(SocketAddr),
}

/// Hints that a busy link may be behind.
const HINTS: usize = 16;

/// What the socket and the endpoint's links have in common.
pub(crate) struct Shared {
    pub(crate) routes: Arc<Routes>,
    tunnels: Arc<Tunnels>,
    hints: broadcast::Sender<Hint>,
    probers: Probers,
    longest_silence: Option<Duration>,
    idle_timeout: Duration,
    /// For what is sent beside QUIC: small, rare, and lost where the socket is busy.
    aside: Mutex<Option<Pin<Box<dyn UdpSender>>>>,
}

impl Shared {
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

    fn gone(&self, address: SocketAddr) {
        self.hint(Hint::Gone(address));
    }

    /// After how long a silence a path is asked whether it lives.
    pub(crate) fn longest_silence(&self) -> Option<Duration> {
        self.longest_silence
    }

    /// How long questions may go unanswered before a link is given up.
    pub(crate) fn idle_timeout(&self) -> Duration {
        self.idle_timeout
    }

    /// A link asks and answers probes from now on; returns the number that it is known by here.
    pub(crate) fn add_link(&self, prober: Arc<Prober>) -> u64 {
        self.probers.add(prober)
    }

    pub(crate) fn remove_link(&self, link: u64) {
        self.probers.remove(link);
    }

    /// A link has a path to this address.
    pub(crate) fn path_opened(&self, link: u64, remote: SocketAddr) {
        self.probers.path_opened(link, remote);
        self.routes.hold(remote);
    }

    /// A link has a path to this address no more.
    pub(crate) fn path_closed(&self, link: u64, remote: SocketAddr) {
        self.probers.path_closed(link, remote);
        self.routes.release(remote);
        self.close_tcp(remote);
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
    fn probed(&self, from: Route, datagram: &[u8]) {
        // A made-up address takes a place in a table: not before it is a friend's.
        let known = match from {
            Route::Udp { remote, .. } => self.routes.known(from).unwrap_or_else(|| mapped(remote)),
            Route::Tunnel(_) => self.routes.address(from),
        };
        if let Arrived::Taken(Some(answer)) = self.probers.arrived(known, datagram) {
            self.send_aside(self.routes.address(from), &answer);
        }
    }

    /// Ends a TCP connection through which no path leads.
    fn close_tunnel_unless_used(&self, tunnel: TunnelId) {
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

#[cfg(test)]
impl Shared {
    /// How many links ask and answer probes, addresses that paths lead to, and addresses that were made up.
    pub(crate) fn tables(&self) -> (usize, usize, usize) {
        let (links, remotes) = self.probers.sizes();
        (links, remotes, self.routes.made_up())
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// What noq takes for its UDP socket.
#[derive(Debug)]
pub(crate) struct VirtualSocket {
    sockets: Vec<Bound>,
    /// What they are bound to.
    bound: Vec<SocketAddr>,
    inbox: mpsc::Receiver<(TunnelId, Bytes)>,
    /// The socket that is asked first, in turn, so that none starves another.
    turn: usize,
    sieve: Sieve,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Bound {
    inner: Box<dyn AsyncUdpSocket>,
    failed: bool,
}

impl VirtualSocket {
    /// Binds a UDP socket to each address.
    pub(crate) fn bind(
        addresses: &[SocketAddr],
        config: &EndpointConfig,
        gate: Arc<Gate>,
    ) -> Result<Self, (SocketAddr, io::Error)> {
        let (mut sockets, mut bound) = (Vec::new(), Vec::new());
        for &address in addresses {
            let inner = config.network.bind(address).map_err(|error| (address, error))?;
            bound.push(inner.local_addr().map_err(|error| (address, error))?);
            sockets.push(Bound { inner, failed: false });
        }
        let (tunnels, inbox) = Tunnels::new();
        let shared = Arc::new(Shared {
            routes: Arc::new(Routes::new(&bound)),
            tunnels: Arc::new(tunnels),
            hints: broadcast::channel(HINTS).0,
            probers: Probers::default(),
            longest_silence: config.longest_silence(),
            idle_timeout: config.idle_timeout,
            aside: Mutex::default(),
        });
        let socket =
            Self { sockets, bound, inbox, turn: 0, sieve: Sieve::new(gate), shared: Arc::clone(&shared) };
        *shared.aside.lock().unwrap_or_else(PoisonError::into_inner) = Some(socket.create_sender());
        Ok(socket)
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// What the UDP sockets are bound to, in the order in which they were asked for.
    pub(crate) fn bound(&self) -> Vec<SocketAddr> {
        self.bound.clone()
    }

    fn poll_udp(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<usize> {
        let count = self.sockets.len();
        for step in 0..count {
            let at = (self.turn + step) % count;
            while let Some(received) = self.sockets.get_mut(at).and_then(|it| it.poll(cx, buffers, metas)) {
                if self.sift(at, received, buffers, metas) {
                    self.turn = at + 1;
                    return Poll::Ready(received);
                }
            }
        }
        Poll::Pending
    }

    /// Keeps what the gate admits, and puts the addresses that QUIC knows in the place of real ones.
    fn sift(
        &mut self,
        socket: usize,
        received: usize,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> bool {
        let mut kept = 0;
        for (buffer, meta) in buffers.iter_mut().zip(metas.iter_mut()).take(received) {
            let route = Route::Udp { socket, remote: canonical(meta.addr) };
            self.take_probes(route, buffer, meta);
            meta.addr = mapped(meta.addr);
            self.sieve.keep_admitted(buffer, meta);
            if meta.len > 0 || self.sieve.has_released() {
                // Not before something was admitted: a made-up address takes a place in a table.
                let before = std::mem::replace(&mut meta.addr, self.shared.routes.address(route));
                self.sieve.rename(before, meta.addr);
                kept += meta.len;
            }
        }
        kept > 0
    }

    fn poll_tunnels(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<usize> {
        let mut count = 0;
        while let (Some(buffer), Some(meta)) = (buffers.get_mut(count), metas.get_mut(count)) {
            let (tunnel, datagram) = match self.inbox.poll_recv(cx) {
                Poll::Ready(Some(arrived)) => arrived,
                Poll::Ready(None) | Poll::Pending => break,
            };
            let Some(room) = buffer.get_mut(..datagram.len()) else { continue };
            room.copy_from_slice(&datagram);
            // It may have ended while this was in the queue.
            let Some(address) = self.shared.routes.known(Route::Tunnel(tunnel)) else { continue };
            *meta = RecvMeta::default();
            (meta.len, meta.stride) = (datagram.len(), datagram.len());
            meta.addr = address;
            self.take_probes(Route::Tunnel(tunnel), buffer, meta);
            self.sieve.keep_admitted(buffer, meta);
            if meta.len > 0 || self.sieve.has_released() {
                self.shared.tunnels.admitted(tunnel);
            }
            if meta.len > 0 {
                count += 1;
            }
        }
        if count > 0 { Poll::Ready(count) } else { Poll::Pending }
    }

    /// Takes out a probe, which looks like no packet of QUIC's. Several in one buffer are all there is in it; one behind larger packets is
    /// the shorter datagram that ends a buffer.
    fn take_probes(&self, from: Route, buffer: &[u8], meta: &mut RecvMeta) {
        let filled = meta.len.min(buffer.len());
        let stride = meta.stride.clamp(1, filled.max(1));
        let last = (filled.max(1) - 1) / stride * stride;
        if !buffer.get(last..filled).is_some_and(is_probe) {
            return;
        }
        let first = if stride == probe::LEN { 0 } else { last };
        for datagram in buffer.get(first..filled).into_iter().flat_map(|it| it.chunks(stride)) {
            if is_probe(datagram) {
                self.shared.probed(from, datagram);
            }
        }
        meta.len = first;
    }
}

impl Bound {
    /// How many datagrams it gave; `None` where none wait, or it failed for good.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Option<usize> {
        while !self.failed {
            match self.inner.poll_recv(cx, buffers, metas) {
                Poll::Pending => return None,
                Poll::Ready(Ok(received)) => return Some(received),
                // ICMP errors, which anybody can forge, must not stop an endpoint.
                Poll::Ready(Err(error)) if is_about_one_peer(&error) => {}
                Poll::Ready(Err(error)) => {
                    tracing::warn!(%error, "a socket failed; the others go on");
                    self.failed = true;
                }
            }
        }
        None
    }
}

fn is_about_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable)
}

impl AsyncUdpSocket for VirtualSocket {
    fn create_sender(&self) -> Pin<Box<dyn UdpSender>> {
        let senders = self.sockets.iter().map(|socket| socket.inner.create_sender()).collect();
        let (routes, tunnels) = (Arc::clone(&self.shared.routes), Arc::clone(&self.shared.tunnels));
        Box::pin(VirtualSender { senders, routes, tunnels, done: 0, sent: 0 })
    }

    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            // What was held of a first flight comes before what came after it.
            let released = self.sieve.deliver(buffers, metas);
            if released > 0 {
                return Poll::Ready(Ok(released));
            }
            if let Poll::Ready(count) = self.poll_udp(cx, buffers, metas) {
                return Poll::Ready(Ok(count));
            }
            let tunnelled = self.poll_tunnels(cx, buffers, metas);
            if tunnelled.is_ready() || !self.sieve.has_released() {
                return tunnelled.map(Ok);
            }
        }
    }

    /// IPv6, so that noq keeps every address in that form, virtual ones included.
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok((Ipv6Addr::UNSPECIFIED, 0).into())
    }

    /// One: what the kernel gathers into one buffer has at most 64 KiB in all, and a buffer has as much.
    fn max_receive_segments(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }

    fn may_fragment(&self) -> bool {
        self.sockets.iter().any(|socket| socket.inner.may_fragment())
    }
}

/// Sends to whatever an address stands for.
struct VirtualSender {
    senders: Vec<Pin<Box<dyn UdpSender>>>,
    routes: Arc<Routes>,
    tunnels: Arc<Tunnels>,
    /// How much of a transmission went out before the socket was full: the rest is asked for again.
    done: usize,
    /// What this link has sent so far, up to [`BURSTS_AFTER`].
    sent: usize,
}

/// A link that has sent less than this sends datagrams one by one. QUIC keeps a buffer for a whole burst once there was one, and most links are idle.
const BURSTS_AFTER: usize = 32 << 10;

/// The most that the kernel takes in one call, however many segments it is: an IPv4 datagram's payload.
const MOST_AT_ONCE: usize = 65_507;

impl std::fmt::Debug for VirtualSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VirtualSender")
    }
}

impl UdpSender for VirtualSender {
    fn poll_send(
        mut self: Pin<&mut Self>,
        transmit: &Transmit<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        match self.routes.route(transmit.destination) {
            Some(Route::Udp { socket, remote }) => {
                let segment = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
                let at_once = (MOST_AT_ONCE / segment).max(1) * segment;
                let Self { senders, done, .. } = &mut *self;
                let Some(sender) = senders.get_mut(socket) else { return Poll::Ready(Ok(())) };
                while let Some(rest) = transmit.contents.get(*done..).filter(|rest| !rest.is_empty()) {
                    let contents = rest.get(..at_once).unwrap_or(rest);
                    let real = Transmit {
                        destination: remote,
                        ecn: transmit.ecn,
                        contents,
                        segment_size: transmit.segment_size.filter(|segment| *segment < contents.len()),
                        src_ip: transmit.src_ip,
                    };
                    ready!(sender.as_mut().poll_send(&real, cx))?;
                    *done += contents.len();
                }
                *done = 0;
                self.sent = self.sent.saturating_add(transmit.contents.len());
                Poll::Ready(Ok(()))
            }
            Some(Route::Tunnel(tunnel)) => {
                let segment = transmit.segment_size.unwrap_or(transmit.contents.len());
                self.tunnels.send(tunnel, transmit.contents, segment);
                Poll::Ready(Ok(()))
            }
            // Whoever carried it is gone: lost, as on a wire that was cut.
            None => Poll::Ready(Ok(())),
        }
    }

    fn max_transmit_segments(&self) -> NonZeroUsize {
        if self.sent < BURSTS_AFTER {
            return NonZeroUsize::MIN;
        }
        let least = self.senders.iter().map(|sender| sender.max_transmit_segments()).min();
        least.unwrap_or(NonZeroUsize::MIN)
    }
}
