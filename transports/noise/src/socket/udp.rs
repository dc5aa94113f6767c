//! UDP sockets of the operating system.

use std::{
    fmt,
    future::Future,
    io::{self, IoSliceMut},
    net::SocketAddr,
    num::NonZeroUsize,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use noq::{
    AsyncUdpSocket, UdpSender,
    udp::{RecvMeta, Transmit, UdpSocketState},
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;

use super::hops;
use crate::seldom::Seldom;

/// Asked of the kernel, which may give less. A flood of garbage on the port shares it with what links receive: with 2 MiB a flood of 200,000 datagrams a
/// second pushed out packets of theirs whenever the reader was late, and took a quarter to half of their throughput; with what 4 MiB and more give, none.
const RECEIVE_BYTES: usize = 8 << 20;
/// A burst at 1 Gbit/s for some 17 ms.
const SEND_BYTES: usize = 2 << 20;
/// Of a socket that carries nothing but a few probes, of which there may be hundreds.
const SMALL_BYTES: usize = 16 << 10;

/// One socket. Clones are the same.
#[derive(Clone)]
pub(super) struct UdpSocket {
    io: Arc<tokio::net::UdpSocket>,
    state: Arc<UdpSocketState>,
    unsent: Arc<Mutex<Seldom>>,
}

/// How much a socket's buffers hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// For links.
    Large,
    /// For a few probes.
    Small,
}

impl UdpSocket {
    pub(super) fn bind(address: SocketAddr, size: Size) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            // So that both families can have one port, and each address is what it looks like.
            socket.set_only_v6(true)?;
        }
        set_buffers(&(&socket).into(), size);
        socket.bind(&address.into())?;
        socket.set_nonblocking(true)?;
        let socket: std::net::UdpSocket = socket.into();
        let state = Arc::new(UdpSocketState::new((&socket).into())?);
        let io = Arc::new(tokio::net::UdpSocket::from_std(socket)?);
        Ok(Self { io, state, unsent: Arc::default() })
    }

    /// Its buffers hold what a link needs from now on.
    pub(super) fn enlarge(&self) {
        set_buffers(&(&*self.io).into(), Size::Large);
    }

    /// Sends one small datagram now or never, past at most so many routers.
    pub(super) fn send_now(&self, to: SocketAddr, datagram: &[u8], hops: Option<u8>) {
        // A full buffer loses it, as any wire may; and an error is about one peer, or shows again.
        let _ = hops::send(&self.io, to, datagram, hops);
    }
}

fn set_buffers(socket: &socket2::SockRef<'_>, size: Size) {
    let (receive, send) = match size {
        Size::Large => (RECEIVE_BYTES, SEND_BYTES),
        Size::Small => (SMALL_BYTES, SMALL_BYTES),
    };
    for result in [socket.set_recv_buffer_size(receive), socket.set_send_buffer_size(send)] {
        if let Err(error) = result {
            tracing::debug!(%error, "the kernel keeps its own socket buffer size");
        }
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

impl AsyncUdpSocket for UdpSocket {
    fn create_sender(&self) -> Pin<Box<dyn UdpSender>> {
        Box::pin(Sender { socket: self.clone(), writable: None })
    }

    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.io.poll_recv_ready(cx))?;
            let received =
                self.io.try_io(Interest::READABLE, || self.state.recv((&self.io).into(), buffers, metas));
            match received {
                // Somebody had looked before, and there was nothing: now it wakes us.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                received => return Poll::Ready(received),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    fn max_receive_segments(&self) -> NonZeroUsize {
        self.state.gro_segments()
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }
}

#[cfg(unix)]
fn is_too_large(error: &io::Error) -> bool {
    noq::udp::is_msg_size_err(error)
}

#[cfg(not(unix))]
fn is_too_large(_: &io::Error) -> bool {
    false
}

type Writable = Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>;

struct Sender {
    socket: UdpSocket,
    /// Waits for room in the socket's buffer, where there was none.
    writable: Option<Writable>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl UdpSender for Sender {
    fn poll_send(
        mut self: Pin<&mut Self>,
        transmit: &Transmit<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { socket, writable } = &mut *self;
        loop {
            if let Some(waiting) = writable {
                ready!(waiting.as_mut().poll(cx))?;
                *writable = None;
            }
            let sent =
                socket.io.try_io(Interest::WRITABLE, || socket.state.try_send((&socket.io).into(), transmit));
            match sent {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let io = Arc::clone(&socket.io);
                    *writable = Some(Box::pin(async move { io.writable().await }));
                }
                // What asks how large a packet may be.
                Err(error) if is_too_large(&error) => return Poll::Ready(Ok(())),
                // Lost, as on a wire: it is about this datagram or its peer, and says nothing about the next one.
                Err(error) => {
                    let mut unsent = socket.unsent.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(times) = unsent.happened() {
                        tracing::warn!(times, %error, to = %transmit.destination, "datagrams could not be sent");
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    fn max_transmit_segments(&self) -> NonZeroUsize {
        self.socket.state.max_gso_segments()
    }
}
