//! Where sockets come from, and what sends beside QUIC over one of them.

use std::{io, net::SocketAddr};

use noq::AsyncUdpSocket;

use super::{
    memory::MemoryNetwork,
    udp::{Size, UdpSocket},
};

/// Where sockets come from.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Network {
    /// The operating system's.
    #[default]
    System,
    /// A network within this process, for tests in virtual time.
    Memory(MemoryNetwork),
}

impl Network {
    /// A socket, and what sends beside QUIC over it.
    pub(super) fn bind(
        &self,
        address: SocketAddr,
        size: Size,
    ) -> io::Result<(Box<dyn AsyncUdpSocket>, Hand)> {
        match self {
            Self::System => {
                let socket = UdpSocket::bind(address, size)?;
                Ok((Box::new(socket.clone()), Hand::System(socket)))
            }
            Self::Memory(network) => {
                let socket = network.bind(address)?;
                let bound = socket.local_addr()?;
                Ok((socket, Hand::Memory(network.clone(), bound)))
            }
        }
    }
}

/// Sends small datagrams over one socket: now or never, since whatever is sent so is repeated.
#[derive(Clone, Debug)]
pub(super) enum Hand {
    System(UdpSocket),
    Memory(MemoryNetwork, SocketAddr),
}

impl Hand {
    /// Sends one, past at most so many routers.
    pub(super) fn send(&self, to: SocketAddr, datagram: &[u8], hops: Option<u8>) {
        match self {
            Self::System(socket) => socket.send_now(to, datagram, hops),
            // It has no routers.
            Self::Memory(network, from) => network.send(*from, to, datagram),
        }
    }

    /// The socket is to carry a link from now on.
    pub(super) fn enlarge(&self) {
        if let Self::System(socket) = self {
            socket.enlarge();
        }
    }
}
