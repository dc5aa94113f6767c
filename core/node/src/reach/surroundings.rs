//! What there is around this machine: the addresses of its interfaces, the networks they are in, the routers it sends through.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use if_addrs::IfAddr;

/// What the operating system tells of this machine's networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Around {
    /// The addresses of interfaces that are up, each with the length of its network's prefix in bits; link-local ones too.
    pub(super) interfaces: Vec<(IpAddr, u8)>,
    /// The routers of the default routes. Known on Linux only.
    pub(super) gateways: Vec<IpAddr>,
}

impl Around {
    /// As it is now.
    pub(super) fn look() -> Self {
        Self { interfaces: interfaces(), gateways: gateways() }
    }

    /// What a machine has whose sockets are bound to these addresses, on a network where nobody tells more.
    pub(super) fn of(bound: &[SocketAddr]) -> Self {
        let alone = |ip: IpAddr| (ip, if ip.is_ipv4() { 32 } else { 128 });
        let interfaces = bound.iter().filter(|address| !address.ip().is_unspecified());
        Self { interfaces: interfaces.map(|address| alone(address.ip())).collect(), gateways: Vec::new() }
    }

    /// Whether an interface has this address.
    pub(super) fn has(&self, ip: IpAddr) -> bool {
        self.interfaces.iter().any(|(own, _)| *own == ip)
    }

    /// At which addresses these sockets are reached.
    ///
    /// A socket bound to an address has that one; one bound to all has those of every interface that is up, IPv6 first, loopback only where there is
    /// nothing else, and link-local ones not at all, since they mean nothing without an interface's name.
    pub(super) fn reachable(&self, bound: &[SocketAddr]) -> Vec<SocketAddr> {
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for socket in bound {
            if socket.ip().is_unspecified() {
                let same = self.interfaces.iter().map(|(ip, _)| *ip);
                let same = same.filter(|ip| ip.is_ipv4() == socket.is_ipv4() && !is_link_local(*ip));
                addresses.extend(same.map(|ip| SocketAddr::new(ip, socket.port())));
            } else {
                addresses.push(*socket);
            }
        }
        if addresses.iter().any(|address| !address.ip().is_loopback()) {
            addresses.retain(|address| !address.ip().is_loopback());
        }
        addresses.sort_by_key(SocketAddr::is_ipv4);
        addresses
    }
}

/// IPv4's have always counted as any other: a machine with nothing better is reached there by its neighbours.
fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

fn interfaces() -> Vec<(IpAddr, u8)> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the interfaces' addresses cannot be told");
        Vec::new()
    });
    let of = |address: &IfAddr| match address {
        IfAddr::V4(v4) => (IpAddr::V4(v4.ip), v4.prefixlen),
        IfAddr::V6(v6) => (IpAddr::V6(v6.ip), v6.prefixlen),
    };
    interfaces.iter().map(|interface| of(&interface.addr)).collect()
}

#[cfg(target_os = "linux")]
fn gateways() -> Vec<IpAddr> {
    // Kernels without IPv6 have no second file.
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let mut gateways = v4_gateways(&read("/proc/net/route"));
    gateways.extend(v6_gateways(&read("/proc/net/ipv6_route")));
    gateways.sort_unstable();
    gateways.dedup();
    gateways
}

#[cfg(not(target_os = "linux"))]
fn gateways() -> Vec<IpAddr> {
    Vec::new()
}

/// The gateways of default routes in `/proc/net/route`: interface, destination, gateway, …, the mask in the eighth column; addresses as the kernel has
/// them in memory, in the machine's own order of bytes.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "of Linux"))]
fn v4_gateways(table: &str) -> Vec<IpAddr> {
    let gateway = |line: &str| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |column: usize| u32::from_str_radix(columns.get(column)?, 16).ok();
        let is_default = number(1)? == 0 && number(7)? == 0;
        let gateway = number(2).filter(|gateway| is_default && *gateway != 0)?;
        Some(IpAddr::V4(Ipv4Addr::from(gateway.to_ne_bytes())))
    };
    table.lines().filter_map(gateway).collect()
}

/// The gateways of default routes in `/proc/net/ipv6_route`: destination, its prefix's length, source, its prefix's length, next hop, …; all hexadecimal.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "of Linux"))]
fn v6_gateways(table: &str) -> Vec<IpAddr> {
    let gateway = |line: &str| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_default = *columns.first()? == "0".repeat(32) && *columns.get(1)? == "00";
        let next = u128::from_str_radix(columns.get(4)?, 16).ok()?;
        (is_default && next != 0).then(|| IpAddr::V6(Ipv6Addr::from_bits(next)))
    };
    table.lines().filter_map(gateway).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn gateways_are_those_of_default_routes() {
        let own_order = |ip: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(ip));
        let table = format!(
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n\
             eth0\t00000000\t{}\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
             eth0\t{}\t{}\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
             tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n\
             what\tis\tthis\n",
            own_order([192, 0, 2, 1]),
            own_order([10, 1, 0, 0]),
            own_order([192, 0, 2, 9]),
        );
        assert_eq!(v4_gateways(&table), ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        let table = "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 1 0 1 eth0\n\
                     00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 3 0 3 eth0\n\
                     00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 1 0 200200 lo\n";
        assert_eq!(v6_gateways(table), ["fe80::1".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn sockets_for_all_addresses_have_those_that_mean_something_elsewhere() {
        let addresses = ["127.0.0.1", "10.0.0.1", "fe80::1", "2001:db8::1"];
        let around = Around {
            interfaces: addresses.iter().map(|ip| (ip.parse().unwrap(), 24)).collect(),
            ..Around::default()
        };
        let reachable = |bound: &[&str]| {
            let bound: Vec<SocketAddr> = bound.iter().map(|it| it.parse().unwrap()).collect();
            around.reachable(&bound).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(reachable(&["0.0.0.0:1", "[::]:2"]), ["[2001:db8::1]:2", "10.0.0.1:1"]);
        assert_eq!(reachable(&["127.0.0.1:1"]), ["127.0.0.1:1"]);
        assert_eq!(reachable(&[]), Vec::<String>::new());
    }

    #[test]
    fn this_machine_has_an_address() {
        assert!(!Around::look().interfaces.is_empty());
    }
}
