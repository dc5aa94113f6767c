//! Sends QUIC's datagrams wherever their address leads.

use std::{
    io,
    net::SocketAddr,
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use noq::{UdpSender, udp::Transmit};

use super::{
    Shared,
    circuits::{Circuits, End},
    route::{Route, Routes},
    spares::Spares,
    tunnel::Tunnels,
};

/// A link that has sent less than this sends datagrams one by one. QUIC keeps a buffer for a whole burst once there was one, and most links are idle.
const BURSTS_AFTER: usize = 32 << 10;

/// The most that the kernel takes in one call, however many segments it is: an IPv4 datagram's payload.
const MOST_AT_ONCE: usize = 65_507;

/// Sends to whatever an address stands for.
pub(super) struct VirtualSender {
    senders: Vec<Pin<Box<dyn UdpSender>>>,
    routes: Arc<Routes>,
    tunnels: Arc<Tunnels>,
    spares: Arc<Spares>,
    circuits: Arc<Circuits>,
    /// What goes through a circuit, framed.
    framed: Vec<u8>,
    /// Waits for room in a spare socket, which has this number. Kept no longer: it would keep the socket open.
    waiting: Option<(usize, Pin<Box<dyn UdpSender>>)>,
    /// How much of a transmission, to where and how long, went out before the socket was full: the rest is asked for again, unless whoever sends has given it up.
    done: usize,
    under_way: Option<(SocketAddr, usize)>,
    /// What this link has sent so far, up to [`BURSTS_AFTER`].
    sent: usize,
}

impl VirtualSender {
    pub(super) fn new(senders: Vec<Pin<Box<dyn UdpSender>>>, shared: &Shared) -> Self {
        let (routes, tunnels) = (Arc::clone(&shared.routes), Arc::clone(&shared.tunnels));
        let (spares, circuits) = (Arc::clone(&shared.spares), Arc::clone(&shared.circuits));
        let (framed, waiting) = (Vec::new(), None);
        Self {
            senders,
            routes,
            tunnels,
            spares,
            circuits,
            framed,
            waiting,
            done: 0,
            under_way: None,
            sent: 0,
        }
    }

    fn most_segments(&self, socket: usize) -> usize {
        let own = self.senders.get(socket).or(self.senders.first());
        own.map_or(1, |sender| sender.max_transmit_segments().get())
    }

    /// Sends over one of our sockets. What goes over one that is no more is lost.
    fn poll_socket(
        &mut self,
        socket: usize,
        transmit: &Transmit<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(sender) = self.senders.get_mut(socket) {
            return sender.as_mut().poll_send(transmit, cx);
        }
        let waiting = self.waiting.take().filter(|(number, _)| *number == socket).map(|(_, sender)| sender);
        let Some(mut sender) = waiting.or_else(|| self.spares.sender(socket)) else {
            return Poll::Ready(Ok(()));
        };
        let sent = sender.as_mut().poll_send(transmit, cx);
        if sent.is_pending() {
            self.waiting = Some((socket, sender));
        }
        sent
    }
}

impl VirtualSender {
    /// Sends wherever the address leads.
    fn poll_route(&mut self, transmit: &Transmit<'_>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.routes.route(transmit.destination) {
            Some(Route::Udp { socket, remote }) => self.poll_batch(socket, remote, transmit, cx),
            Some(Route::Tunnel(tunnel)) => {
                if let Some(end) = self.circuits.get(tunnel) {
                    return self.poll_circuit(&end, transmit, cx);
                }
                let segment = transmit.segment_size.unwrap_or(transmit.contents.len());
                self.tunnels.send(tunnel, transmit.contents, segment);
                Poll::Ready(Ok(()))
            }
            // Whoever carried it is gone: lost, as on a wire that was cut.
            None => Poll::Ready(Ok(())),
        }
    }

    /// Sends a batch over one of our sockets, in as many parts as the kernel wants.
    fn poll_batch(
        &mut self,
        socket: usize,
        remote: SocketAddr,
        transmit: &Transmit<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let segment = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        // What is forwarded came in as large as the kernel receives, which may be more than it sends.
        let segments = self.most_segments(socket).min(MOST_AT_ONCE / segment).max(1);
        let at_once = segments * segment;
        while let Some(rest) = transmit.contents.get(self.done..).filter(|rest| !rest.is_empty()) {
            let contents = rest.get(..at_once).unwrap_or(rest);
            let real = Transmit {
                destination: remote,
                ecn: transmit.ecn,
                contents,
                segment_size: transmit.segment_size.filter(|segment| *segment < contents.len()),
                src_ip: transmit.src_ip,
            };
            ready!(self.poll_socket(socket, &real, cx))?;
            self.done += contents.len();
        }
        self.sent = self.sent.saturating_add(transmit.contents.len());
        Poll::Ready(Ok(()))
    }

    /// Sends a batch through a circuit. Where the socket takes nothing now it is framed anew the next time: to the same bytes.
    fn poll_circuit(
        &mut self,
        end: &End,
        transmit: &Transmit<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        // Lost, as on a wire that was cut.
        let Some(over) = end.over(&self.routes) else { return Poll::Ready(Ok(())) };
        let mut framed = std::mem::take(&mut self.framed);
        let segment = transmit.segment_size.unwrap_or(transmit.contents.len());
        let segment = end.seal(transmit.contents, segment, &mut framed);
        let sent = match over {
            Route::Udp { socket, remote } => {
                let whole = Transmit {
                    destination: remote,
                    ecn: None,
                    contents: &framed,
                    segment_size: Some(segment),
                    src_ip: None,
                };
                self.poll_batch(socket, remote, &whole, cx)
            }
            Route::Tunnel(tunnel) => {
                self.tunnels.send(tunnel, &framed, segment);
                Poll::Ready(Ok(()))
            }
        };
        self.framed = framed;
        if sent.is_ready() {
            end.way.sends();
        }
        sent
    }
}

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
        let this = (transmit.destination, transmit.contents.len());
        if self.under_way.replace(this) != Some(this) {
            self.done = 0;
        }
        ready!(self.poll_route(transmit, cx))?;
        (self.under_way, self.done) = (None, 0);
        Poll::Ready(Ok(()))
    }

    fn max_transmit_segments(&self) -> NonZeroUsize {
        if self.sent < BURSTS_AFTER {
            return NonZeroUsize::MIN;
        }
        let least = self.senders.iter().map(|sender| sender.max_transmit_segments()).min();
        least.unwrap_or(NonZeroUsize::MIN)
    }
}
