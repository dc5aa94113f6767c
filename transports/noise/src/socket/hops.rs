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

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{io::IoSliceMut, os::fd::AsRawFd};

    use nix::sys::socket::{
        ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt,
        sockopt::{Ipv4RecvTtl, Ipv6RecvHopLimit},
    };

    use super::*;

    /// The limit with which a datagram arrives.
    fn arrives_with(receiver: &std::net::UdpSocket) -> i32 {
        let (mut buffer, mut space) = ([0; 100], nix::cmsg_space!(i32));
        let mut buffers = [IoSliceMut::new(&mut buffer)];
        let fd = receiver.as_raw_fd();
        let got = recvmsg::<SockaddrStorage>(fd, &mut buffers, Some(&mut space), MsgFlags::empty()).unwrap();
        let limits = got.cmsgs().unwrap().filter_map(|message| match message {
            ControlMessageOwned::Ipv4Ttl(hops) | ControlMessageOwned::Ipv6HopLimit(hops) => Some(hops),
            _ => None,
        });
        limits.last().unwrap()
    }

    #[tokio::test]
    async fn the_limit_goes_with_one_datagram_and_no_other() {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            // A machine may have no IPv6.
            let Ok(receiver) = std::net::UdpSocket::bind(local) else { continue };
            if receiver.local_addr().unwrap().is_ipv4() {
                setsockopt(&receiver, Ipv4RecvTtl, &true).unwrap();
            } else {
                setsockopt(&receiver, Ipv6RecvHopLimit, &true).unwrap();
            }
            let (sender, to) = (UdpSocket::bind(local).await.unwrap(), receiver.local_addr().unwrap());
            send(&sender, to, b"all the way", None).unwrap();
            let usual = arrives_with(&receiver);
            send(&sender, to, b"not far", Some(4)).unwrap();
            assert_eq!(arrives_with(&receiver), 4);
            send(&sender, to, b"all the way", None).unwrap();
            assert_eq!(arrives_with(&receiver), usual);
            sender.send_to(b"as links send", to).await.unwrap();
            assert_eq!(arrives_with(&receiver), usual);
        }
    }
}
