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

use crate::{adapter::canonical, gate::Gate};

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
        Ok(Self { inner: TokioRuntime.wrap_udp_socket(socket.into())?, gate: Sieve(gate) })
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

struct Sieve(Arc<Gate>);

impl Sieve {
    /// Closes the ranks over segments that are not admitted. The kernel hands several datagrams of one sender over as
    /// one buffer, each `stride` bytes long, the last one perhaps shorter: order keeps that so.
    fn keep_admitted(&self, buffer: &mut [u8], meta: &mut RecvMeta) {
        let filled = meta.len.min(buffer.len());
        let stride = meta.stride.clamp(1, filled.max(1));
        let remote = canonical(meta.addr);
        let (mut from, mut kept) = (0, 0);
        while from < filled {
            let end = from.saturating_add(stride).min(filled);
            let admitted = buffer.get(from..end).is_some_and(|datagram| self.0.admits(remote, datagram));
            if admitted {
                if kept < from {
                    buffer.copy_within(from..end, kept);
                }
                kept += end - from;
            }
            from = end;
        }
        meta.len = kept;
    }
}

impl std::fmt::Debug for Sieve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sieve")
    }
}

fn is_about_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Ciphers, StaticKey};

    #[test]
    fn segments_close_ranks_over_those_that_are_dropped() {
        let gate = Gate::new(StaticKey::from_bytes([1; 32]), Ciphers::default(), Duration::from_secs(1));
        let datagram = |known: bool, length: usize| {
            let mut datagram = vec![0x40];
            datagram.extend(if known { gate.own_ids().mint() } else { [7; 12] });
            datagram.resize(length, length as u8);
            datagram
        };
        let sieve = Sieve(Arc::clone(&gate));
        for pattern in 0..16u8 {
            let lengths = [100, 100, 100, 40];
            let parts: Vec<_> = lengths
                .iter()
                .enumerate()
                .map(|(i, n)| (pattern >> i & 1 == 1, datagram(pattern >> i & 1 == 1, *n)))
                .collect();
            let mut buffer = parts.iter().flat_map(|(_, d)| d.clone()).collect::<Vec<_>>();
            let expected: Vec<u8> =
                parts.iter().filter(|(known, _)| *known).flat_map(|(_, d)| d.clone()).collect();
            let mut meta = RecvMeta::default();
            (meta.len, meta.stride) = (buffer.len(), 100);
            // What lies behind the received bytes is of an earlier time.
            buffer.extend([0x40; 60]);
            sieve.keep_admitted(&mut buffer, &mut meta);
            assert_eq!(buffer[..meta.len], expected, "pattern {pattern:04b}");
        }
    }
}
