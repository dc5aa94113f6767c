//! How large a datagram this machine itself can send towards an address: the upper end of the search for a path's MTU.

use std::net::SocketAddr;

/// The smallest UDP payload that a path of QUIC's carries (RFC 9000, section 14).
pub(crate) const LEAST: u16 = 1200;
/// The largest UDP payload for Ethernet and IPv6: 1500 less 40 and 8 bytes of headers (RFC 8200, RFC 768).
pub(crate) const USUAL: u16 = 1452;
/// The largest UDP payload for Ethernet and IPv4: 1500 less 20 and 8 bytes of headers.
pub(crate) const ETHERNET: u16 = 1472;
/// The largest UDP payload of a jumbo frame with IPv4: 9000 less 20 and 8. Loopback would take 64 KiB, but congestion windows count in
/// packets: with such large ones two that are lost stop a link.
pub(crate) const JUMBO: u16 = 8972;

/// The largest UDP payload that the interface towards an address takes, up to a jumbo frame; the usual one where the system does not say.
///
/// Large packets spare most of the work. What lies behind the interface is found out by probing.
#[cfg(target_os = "linux")]
pub(crate) fn towards(remote: SocketAddr) -> u16 {
    // A connected UDP socket has a route and sends nothing.
    let mtu = || {
        let any: SocketAddr = if remote.is_ipv6() {
            (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
        } else {
            (std::net::Ipv4Addr::UNSPECIFIED, 0).into()
        };
        let socket = std::net::UdpSocket::bind(any).ok()?;
        socket.connect(remote).ok()?;
        let (mtu, headers) = if remote.is_ipv6() {
            (rustix::net::sockopt::ipv6_mtu(&socket).ok()?, 48)
        } else {
            (rustix::net::sockopt::ip_mtu(&socket).ok()?, 28)
        };
        Some(u16::try_from(mtu.saturating_sub(headers)).unwrap_or(u16::MAX).min(JUMBO))
    };
    mtu().unwrap_or(USUAL).max(LEAST)
}

/// The usual one: the system is not asked.
#[cfg(not(target_os = "linux"))]
pub(crate) fn towards(_: SocketAddr) -> u16 {
    USUAL
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn loopback_takes_large_datagrams() {
        assert_eq!(towards(([127, 0, 0, 1], 9).into()), JUMBO);
    }
}
