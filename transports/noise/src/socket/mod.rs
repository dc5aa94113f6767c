//! One socket for the QUIC stack, over everything that carries its datagrams: UDP sockets of both families, TCP connections, tunnels.
//!
//! ```text
//!            QUIC (noq)
//!                │ datagrams to and from addresses, real and virtual (route)
//!         VirtualSocket ── sieve: only what the gate admits
//!      ┌─────────┼──────────┐
//!   UDP v4    UDP v6     tunnels: TCP (tcp), relays
//! ```

pub(crate) mod circuits;
pub(crate) mod forward;
mod frames;
mod hops;
pub(crate) mod lone;
mod meetings;
pub(crate) mod memory;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
pub(crate) mod nat;
pub(crate) mod probes;
pub(crate) mod route;
mod sender;
mod shared;
mod source;
mod spares;
mod strangers;
pub(crate) mod stun;
pub(crate) mod talk;
pub(crate) mod tcp;
#[cfg(test)]
mod tests;
pub(crate) mod tunnel;
mod udp;
pub(crate) mod way;

use std::{
    collections::VecDeque,
    io::{self, IoSliceMut},
    net::{Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use noq::{AsyncUdpSocket, UdpSender, udp::RecvMeta};
use tokio::sync::mpsc;

pub(crate) use self::shared::{Hint, Shared};
pub use self::source::Network;
use self::{
    circuits::End,
    frames::Apart,
    route::{Route, TunnelId, canonical, mapped},
    sender::VirtualSender,
    tunnel::Tunnels,
    udp::Size,
};
use crate::{
    EndpointConfig,
    core::{
        probe::{self, is_probe},
        punch::{self, is_punch},
    },
    gate::{Gate, Sieve},
};

/// What noq takes for its UDP socket.
#[derive(Debug)]
pub(crate) struct VirtualSocket {
    sockets: Vec<Bound>,
    /// What they are bound to.
    bound: Vec<SocketAddr>,
    inbox: mpsc::Receiver<(TunnelId, Bytes)>,
    /// The socket that is asked first, in turn, so that none starves another.
    turn: usize,
    /// What came through circuits beside something else: bounded by what one reading can hold, and the next one takes it out first.
    apart: VecDeque<Apart>,
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
        let (mut sockets, mut bound, mut own) = (Vec::new(), Vec::new(), Vec::new());
        for &address in addresses {
            let (inner, hand) =
                config.network.bind(address, Size::Large).map_err(|error| (address, error))?;
            let local = inner.local_addr().map_err(|error| (address, error))?;
            bound.push(local);
            own.push((local, hand));
            sockets.push(Bound { inner, failed: false });
        }
        let (tunnels, inbox) = Tunnels::new();
        let shared = Arc::new(Shared::new(own, tunnels, config));
        let (sieve, apart) = (Sieve::new(gate), VecDeque::new());
        let socket = Self { sockets, bound, inbox, turn: 0, apart, sieve, shared: Arc::clone(&shared) };
        shared.send_by(socket.create_sender());
        shared.forwarder.send_by(socket.create_sender());
        for (number, bound) in socket.sockets.iter().enumerate() {
            shared.stun.add_own(number, bound.inner.create_sender());
        }
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
        // All spare ones together have one turn.
        let count = self.sockets.len() + 1;
        for step in 0..count {
            let at = (self.turn + step) % count;
            while let Some((socket, received)) = self.poll_one(at, cx, buffers, metas) {
                let is_kept = self.sift(socket, received, buffers, metas);
                if is_kept || !self.apart.is_empty() {
                    self.turn = at + 1;
                    return Poll::Ready(if is_kept { received } else { 0 });
                }
            }
        }
        Poll::Pending
    }

    /// Which socket gave how many datagrams, if any did.
    fn poll_one(
        &mut self,
        at: usize,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Option<(usize, usize)> {
        match self.sockets.get_mut(at) {
            Some(socket) => Some((at, socket.poll(cx, buffers, metas)?)),
            None => match self.shared.spares.poll(cx, buffers, metas) {
                Poll::Ready(arrived) => Some(arrived),
                Poll::Pending => None,
            },
        }
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
            if socket < self.sockets.len() {
                stun::take_out(&self.shared.stun, stun::own(socket), buffer, meta);
            }
            if let Some(end) = frames::take_out(&self.shared, route, &mut self.apart, buffer, meta) {
                self.take_through(&end, buffer, meta);
                kept += meta.len;
                continue;
            }
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

    /// Takes what came through a circuit, its frames stripped.
    fn take_through(&mut self, end: &End, buffer: &mut [u8], meta: &mut RecvMeta) {
        meta.addr = end.address;
        self.take_probes(end.route(), buffer, meta);
        self.sieve.keep_admitted(buffer, meta);
    }

    /// Hands over what came through circuits beside something else; how many buffers were filled.
    fn deliver_apart(&mut self, buffers: &mut [IoSliceMut<'_>], metas: &mut [RecvMeta]) -> usize {
        let mut count = 0;
        while let (Some(buffer), Some(meta)) = (buffers.get_mut(count), metas.get_mut(count)) {
            let Some(Apart { end, bytes, stride }) = self.apart.pop_front() else { break };
            let Some(room) = buffer.get_mut(..bytes.len()) else { continue };
            room.copy_from_slice(&bytes);
            *meta = RecvMeta::default();
            (meta.len, meta.stride) = (bytes.len(), stride);
            self.take_through(&end, buffer, meta);
            count += usize::from(meta.len > 0);
        }
        count
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
            if let Some(end) =
                frames::take_out(&self.shared, Route::Tunnel(tunnel), &mut self.apart, buffer, meta)
            {
                self.take_through(&end, buffer, meta);
                count += usize::from(meta.len > 0);
                continue;
            }
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

    /// Takes out probes, which look like no packet of QUIC's. Of one behind larger packets, the shorter datagram that ends a buffer, nothing else is looked
    /// at; where all are as short, each is.
    fn take_probes(&self, from: Route, buffer: &mut [u8], meta: &mut RecvMeta) {
        let filled = meta.len.min(buffer.len());
        let stride = meta.stride.clamp(1, filled.max(1));
        let are_short = stride == probe::LEN || stride == punch::LEN;
        let mut at = if are_short { 0 } else { (filled.max(1) - 1) / stride * stride };
        let mut kept = at;
        while at < filled {
            let end = (at + stride).min(filled);
            let Some(datagram) = buffer.get(at..end) else { break };
            if is_probe(datagram) {
                self.shared.probed(from, datagram);
            } else if is_punch(datagram) {
                self.shared.punched(from, datagram);
            } else {
                buffer.copy_within(at..end, kept);
                kept += end - at;
            }
            at = end;
        }
        meta.len = kept;
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
        Box::pin(VirtualSender::new(senders, &self.shared))
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
            let apart = self.deliver_apart(buffers, metas);
            if apart > 0 {
                return Poll::Ready(Ok(apart));
            }
            match self.poll_udp(cx, buffers, metas) {
                Poll::Ready(0) => continue,
                Poll::Ready(count) => return Poll::Ready(Ok(count)),
                Poll::Pending => {}
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
