//! A UDP socket that hands on only what the gate admits.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use noq::{AsyncUdpSocket, Runtime, TokioRuntime, UdpSender, udp::RecvMeta};
use socket2::{Domain, Protocol, Socket, Type};

use crate::gate::{Gate, Sieve};

/// Asked of the kernel for either direction; a burst at 1 Gbit/s for some 17 ms. The kernel may give less.
const BUFFER_BYTES: usize = 2 << 20;

#[derive(Debug)]
pub(crate) struct GatedSocket {
    inner: Box<dyn AsyncUdpSocket>,
    gate: Sieve,
}

impl GatedSocket {
    pub(crate) fn bind(address: SocketAddr, gate: Arc<Gate>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            // So that both families can have one port, and each address is what it looks like.
            socket.set_only_v6(true)?;
        }
        for result in [socket.set_recv_buffer_size(BUFFER_BYTES), socket.set_send_buffer_size(BUFFER_BYTES)] {
            if let Err(error) = result {
                tracing::debug!(%error, "the kernel keeps its own socket buffer size");
            }
        }
        socket.bind(&address.into())?;
        socket.set_nonblocking(true)?;
        Ok(Self { inner: TokioRuntime.wrap_udp_socket(socket.into())?, gate: Sieve::new(gate) })
    }
}

impl AsyncUdpSocket for GatedSocket {
    fn create_sender(&self) -> Pin<Box<dyn UdpSender>> {
        self.inner.create_sender()
    }

    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            // What was held of a first flight comes before what came after it.
            let released = self.gate.deliver(buffers, metas);
            if released > 0 {
                return Poll::Ready(Ok(released));
            }
            let count = match ready!(self.inner.poll_recv(cx, buffers, metas)) {
                Ok(count) => count,
                // ICMP errors, which anybody can forge, must not stop an endpoint.
                Err(error) if is_about_one_peer(&error) => continue,
                Err(error) => return Poll::Ready(Err(error)),
            };
            let mut kept = 0;
            for (buffer, meta) in buffers.iter_mut().zip(metas.iter_mut()).take(count) {
                self.gate.keep_admitted(buffer, meta);
                kept += meta.len;
            }
            if kept > 0 {
                return Poll::Ready(Ok(count));
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_receive_segments(&self) -> NonZeroUsize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

fn is_about_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable)
}
