//! Sockets: one a way, so that what is sent and heard on one network stays there.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use crate::interfaces::Way;

/// RFC 6762, section 3.
pub(crate) const PORT: u16 = 5353;
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// Packets carry the greatest hop limit (section 11).
const HOPS: u32 = 255;
/// Enough for a room in which everybody answers at once.
const BUFFER: usize = 1 << 20;

/// Says what is to be said on one way.
#[derive(Debug)]
pub(crate) struct Voice {
    socket: std::net::UdpSocket,
    group: SocketAddr,
}

impl Voice {
    /// Says it if there is room; what is lost is said again soon.
    pub(crate) fn say(&self, packets: &[Vec<u8>]) {
        for packet in packets {
            if let Err(error) = self.socket.send_to(packet, self.group) {
                tracing::debug!(%error, group = %self.group, "a packet was not sent");
                return;
            }
        }
    }
}

/// What speaks on a way, and what listens.
pub(crate) fn open(way: Way) -> io::Result<(Voice, tokio::net::UdpSocket)> {
    let socket = match way {
        Way::V4(index, ip) => v4(index, ip),
        Way::V6(index) => v6(index),
    }?;
    let group = group(way);
    let socket: std::net::UdpSocket = socket.into();
    let voice = Voice { socket: socket.try_clone()?, group };
    Ok((voice, tokio::net::UdpSocket::from_std(socket)?))
}

fn group(way: Way) -> SocketAddr {
    match way {
        Way::V4(..) => SocketAddrV4::new(GROUP_V4, PORT).into(),
        Way::V6(index) => SocketAddrV6::new(GROUP_V6, PORT, 0, index).into(),
    }
}

fn v4(index: u32, ip: Ipv4Addr) -> io::Result<Socket> {
    let socket = shared(Domain::IPV4)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_multicast_all_v4(false)?;
    socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(index))?;
    socket.set_multicast_if_v4(&ip)?;
    socket.set_multicast_ttl_v4(HOPS)?;
    socket.set_multicast_loop_v4(true)?;
    bind(&socket, group(Way::V4(index, ip)))?;
    Ok(socket)
}

fn v6(index: u32) -> io::Result<Socket> {
    let socket = shared(Domain::IPV6)?;
    socket.set_only_v6(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_multicast_all_v6(false)?;
    socket.join_multicast_v6(&GROUP_V6, index)?;
    socket.set_multicast_if_v6(index)?;
    socket.set_multicast_hops_v6(HOPS)?;
    socket.set_multicast_loop_v6(true)?;
    bind(&socket, group(Way::V6(index)))?;
    Ok(socket)
}

/// The port is shared with whatever else speaks multicast DNS on this machine (RFC 6762, section 15.1).
fn shared(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // As much of it as the system allows.
    let _ = socket.set_recv_buffer_size(BUFFER);
    Ok(socket)
}

/// To the group itself where that can be: nothing that is sent to this machine alone is for us, and another program shall not miss it.
fn bind(socket: &Socket, group: SocketAddr) -> io::Result<()> {
    #[cfg(unix)]
    let address = group;
    #[cfg(not(unix))]
    let address = match group {
        SocketAddr::V4(_) => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), PORT),
        SocketAddr::V6(_) => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), PORT),
    };
    socket.bind(&address.into())
}
