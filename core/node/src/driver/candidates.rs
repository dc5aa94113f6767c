//! The addresses at which this machine may be reached directly.

use std::net::{IpAddr, SocketAddr};

use wayside_proto::place::{Candidate, CandidateKind, Candidates};

/// What to tell friends, for sockets bound to these addresses.
///
/// A socket bound to an address has that one; one bound to all has those of every interface that is up, IPv6 first, loopback only where there is
/// nothing else, and link-local ones not at all, since they mean nothing without an interface's name.
pub(super) fn of(bound: &[SocketAddr]) -> Candidates {
    let interfaces =
        if bound.iter().any(|address| address.ip().is_unspecified()) { interfaces() } else { Vec::new() };
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for socket in bound {
        if socket.ip().is_unspecified() {
            let same = interfaces.iter().filter(|ip| ip.is_ipv4() == socket.is_ipv4());
            addresses.extend(same.map(|ip| SocketAddr::new(*ip, socket.port())));
        } else {
            addresses.push(*socket);
        }
    }
    if addresses.iter().any(|address| !address.ip().is_loopback()) {
        addresses.retain(|address| !address.ip().is_loopback());
    }
    addresses.sort_by_key(SocketAddr::is_ipv4);
    Candidates::new(addresses.into_iter().map(|address| Candidate { kind: CandidateKind::Host, address }))
}

fn interfaces() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the interfaces' addresses cannot be told");
        Vec::new()
    });
    let addresses = interfaces.into_iter().map(|interface| interface.ip());
    addresses.filter(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())).collect()
}
