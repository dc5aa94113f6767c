//! The Noise core as a QUIC library sees it: its crypto traits, and nothing that decides anything.

mod noq;
#[cfg(feature = "quinn")]
pub(crate) mod quinn;

use std::net::SocketAddr;

pub(crate) use self::noq::{AdmittedServer, NoTokens, NoiseClient, NoiseServer, ResetKey, first_id, peer_of};

/// An IPv4 address as such, where a socket for both families shows it mapped.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
