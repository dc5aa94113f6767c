//! The gateway that is asked: the one of the default route, and no other.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
};

/// Where a gateway listens for PCP (RFC 6887, section 19.1) and NAT-PMP (RFC 6886, section 1.1).
const PORT_CONTROL: u16 = 5351;
/// Where UPnP's devices are looked for (UPnP Device Architecture 1.1, section 1.3.2).
const SSDP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 255, 255, 250), 1900);

/// A gateway, and this machine as the gateway sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gateway {
    /// Its address on our network.
    pub(crate) address: Ipv4Addr,
    /// Our address on its network.
    pub(crate) local: Ipv4Addr,
    /// Where it listens for PCP and NAT-PMP.
    pub(crate) control: SocketAddrV4,
    /// Whom UPnP's search goes to.
    pub(crate) search: SocketAddrV4,
}

impl Gateway {
    /// The gateway of the default route; `None` without one. Sends nothing.
    pub(crate) fn of_default_route() -> Option<Self> {
        let address = default_gateway()?;
        let local = local_towards(address).ok()?;
        let usable = |ip: Ipv4Addr| !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast();
        (usable(address) && usable(local) && address != local).then_some(Self {
            address,
            local,
            control: SocketAddrV4::new(address, PORT_CONTROL),
            search: SSDP,
        })
    }
}

/// The address that this machine would send from. Connecting a UDP socket sends nothing.
fn local_towards(gateway: Ipv4Addr) -> io::Result<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect((gateway, PORT_CONTROL))?;
    match socket.local_addr()? {
        SocketAddr::V4(address) => Ok(*address.ip()),
        SocketAddr::V6(_) => Err(io::ErrorKind::AddrNotAvailable.into()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn default_gateway() -> Option<Ipv4Addr> {
    parse_routes(&std::fs::read_to_string("/proc/net/route").ok()?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn default_gateway() -> Option<Ipv4Addr> {
    netdev::get_default_gateway().ok()?.ipv4.first().copied()
}

/// The gateway of the default route that the kernel takes: the one that is up and has the least metric. Where that one has no gateway (a tunnel, say), there
/// is nobody to ask, for what we send does not go by another one. The kernel prints addresses as numbers in its own byte order (`fib_route_seq_show` in
/// net/ipv4/fib_trie.c).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn parse_routes(table: &str) -> Option<Ipv4Addr> {
    /// RTF_UP of linux/route.h.
    const UP: u32 = 0x1;
    let route = |line: &str| {
        let hex = |field: Option<&str>| u32::from_str_radix(field?, 16).ok();
        // Interface, destination, gateway, flags, two counters, metric, mask.
        let mut fields = line.split_ascii_whitespace().skip(1);
        let destination = hex(fields.next())?;
        let gateway = hex(fields.next())?;
        let flags = hex(fields.next())?;
        let metric: u32 = fields.nth(2)?.parse().ok()?;
        let mask = hex(fields.next())?;
        (destination == 0 && mask == 0 && flags & UP != 0)
            .then_some((metric, Ipv4Addr::from(gateway.to_ne_bytes())))
    };
    let (_, gateway) = table.lines().skip(1).filter_map(route).min_by_key(|(metric, _)| *metric)?;
    (!gateway.is_unspecified()).then_some(gateway)
}

#[cfg(all(test, target_os = "linux", target_endian = "little"))]
mod tests {
    use super::*;

    const HEAD: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";

    #[test]
    fn the_default_route_with_the_least_metric() {
        let table = format!(
            "{HEAD}wlan0\t00000000\t0100A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
             eth0\t00000000\t01004D0A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
             eth0\t00004D0A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
        );
        assert_eq!(parse_routes(&table), Some(Ipv4Addr::new(10, 77, 0, 1)));
    }

    #[test]
    fn without_a_gateway_there_is_none() {
        // A point-to-point link has a default route, and no gateway.
        let table = format!("{HEAD}ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n");
        assert_eq!(parse_routes(&table), None);
        // Nor is the one of another default route asked, that has not the least metric.
        let table = format!(
            "{HEAD}tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0\n\
             eth0\t00000000\t01004D0A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
        );
        assert_eq!(parse_routes(&table), None);
        for table in ["", HEAD, "x\ny z\n\n", "h\neth0\t00000000\tzz\t0003\n"] {
            assert_eq!(parse_routes(table), None);
        }
    }
}
