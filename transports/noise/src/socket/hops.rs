//! Sends a datagram with a hop limit of its own.
//!
//! The limit goes with the datagram and is not set on the socket: links send over the same one at the same time.

use std::{io, net::SocketAddr};

use tokio::net::UdpSocket;

/// Sends now, past at most so many routers; as far as datagrams go by default where there is no limit, or the system takes none with a datagram.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn send(socket: &UdpSocket, to: SocketAddr, datagram: &[u8], hops: Option<u8>) -> io::Result<()> {
    use std::{io::IoSlice, os::fd::AsRawFd};

    use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};

    let limit = hops.map(i32::from);
    let limit = limit.as_ref().map(|hops| match to {
        SocketAddr::V4(_) => ControlMessage::Ipv4Ttl(hops),
        SocketAddr::V6(_) => ControlMessage::Ipv6HopLimit(hops),
    });
    let (to, flags) = (SockaddrStorage::from(to), MsgFlags::MSG_DONTWAIT);
    sendmsg(socket.as_raw_fd(), &[IoSlice::new(datagram)], limit.as_slice(), flags, Some(&to))?;
    Ok(())
}

/// Sends now, as far as datagrams go by default: here a limit cannot be sent with one.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn send(socket: &UdpSocket, to: SocketAddr, datagram: &[u8], _: Option<u8>) -> io::Result<()> {
    socket2::SockRef::from(socket).send_to(datagram, &to.into()).map(|_| ())
}
