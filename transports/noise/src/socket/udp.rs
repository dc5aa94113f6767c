//! UDP sockets of the operating system.

use std::{io, net::SocketAddr};

use noq::{AsyncUdpSocket, Runtime, TokioRuntime};
use socket2::{Domain, Protocol, Socket, Type};

/// Asked of the kernel, which may give less. A flood of garbage on the port shares it with what links receive: with 2 MiB a flood of 200,000 datagrams a
/// second pushed out packets of theirs whenever the reader was late, and took a quarter to half of their throughput; with what 4 MiB and more give, none.
const RECEIVE_BYTES: usize = 8 << 20;
/// A burst at 1 Gbit/s for some 17 ms.
const SEND_BYTES: usize = 2 << 20;

pub(super) fn bind(address: SocketAddr) -> io::Result<Box<dyn AsyncUdpSocket>> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // So that both families can have one port, and each address is what it looks like.
        socket.set_only_v6(true)?;
    }
    for result in [socket.set_recv_buffer_size(RECEIVE_BYTES), socket.set_send_buffer_size(SEND_BYTES)] {
        if let Err(error) = result {
            tracing::debug!(%error, "the kernel keeps its own socket buffer size");
        }
    }
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    TokioRuntime.wrap_udp_socket(socket.into())
}
