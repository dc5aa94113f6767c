//! Where a peer may be reached.

use std::{fmt, net::SocketAddr};

use crate::socket::route::TunnelId;

/// A way to a peer, by which it can be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Remote {
    /// A UDP port.
    Udp(SocketAddr),
    /// A TCP port at which the peer listens, for where UDP is blocked.
    Tcp(SocketAddr),
    /// Whatever carries datagrams at the other end of a [`Tunnel`](crate::Tunnel).
    Tunnel(TunnelId),
}

impl From<SocketAddr> for Remote {
    fn from(address: SocketAddr) -> Self {
        Self::Udp(address)
    }
}

impl From<&SocketAddr> for Remote {
    fn from(address: &SocketAddr) -> Self {
        Self::Udp(*address)
    }
}

impl From<&Self> for Remote {
    fn from(remote: &Self) -> Self {
        *remote
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => write!(f, "udp://{address}"),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Tunnel(_) => f.write_str("a relay"),
        }
    }
}
