//! Where datagrams go: real addresses and virtual ones.
//!
//! The QUIC stack knows a path by the socket address of its other end, and by nothing else. What is no address on a primary socket (another UDP socket of
//! the same family, a TCP connection, a relay's circuit) gets a virtual one: an IPv6 address under a prefix that is random for this endpoint,
//! so that nobody can name one from outside.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6},
    sync::{Mutex, MutexGuard, PoisonError},
};

use wayside_path::Kind;

use crate::core::agreement::fill_random;

/// Which of our sockets, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Route {
    Udp { socket: usize, remote: SocketAddr },
    Tunnel(TunnelId),
}

/// Names what carries datagrams besides UDP, within one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TunnelId(pub(super) u64);

/// Routes that have virtual addresses. Beyond it the oldest goes that no path of a link needs. Of strangers only those on TCP have one, and while
/// they stay.
const MOST_VIRTUAL: usize = 4096;
/// Any but zero does.
const VIRTUAL_PORT: u16 = 1;

pub(crate) struct Routes {
    prefix: [u8; 8],
    /// The socket of each family whose remotes keep their own addresses.
    primary: [Option<usize>; 2],
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next: u64,
    by_number: BTreeMap<u64, Route>,
    by_route: HashMap<Route, u64>,
    /// How many paths of links lead there.
    held: BTreeMap<u64, usize>,
    tunnels: HashMap<TunnelId, (Kind, Option<SocketAddr>)>,
}

impl Routes {
    /// Routes of an endpoint whose UDP sockets are bound to these addresses.
    pub(crate) fn new(bound: &[SocketAddr]) -> Self {
        let mut prefix = [0; 8];
        fill_random(&mut prefix);
        // A unique local address (RFC 4193); nothing with it ever reaches a wire.
        prefix[0] = 0xfd;
        let primary = [false, true].map(|v6| bound.iter().position(|address| address.is_ipv6() == v6));
        Self { prefix, primary, table: Mutex::default() }
    }

    /// The address by which QUIC knows a route.
    pub(crate) fn address(&self, route: Route) -> SocketAddr {
        if let Route::Udp { socket, remote } = route
            && self.primary_for(remote) == Some(socket)
        {
            return mapped(remote);
        }
        let number = self.lock().number(route);
        self.virtual_address(number)
    }

    /// The address by which QUIC knows a route, if it has one yet.
    pub(crate) fn known(&self, route: Route) -> Option<SocketAddr> {
        if let Route::Udp { socket, remote } = route
            && self.primary_for(remote) == Some(socket)
        {
            return Some(mapped(remote));
        }
        let number = self.lock().by_route.get(&route).copied()?;
        Some(self.virtual_address(number))
    }

    /// A path leads to this address: it stays, whoever else wants one.
    pub(crate) fn hold(&self, address: SocketAddr) {
        if let Some(number) = self.number_of(address) {
            *self.lock().held.entry(number).or_default() += 1;
        }
    }

    /// A path leads to this address no more.
    pub(crate) fn release(&self, address: SocketAddr) {
        let Some(number) = self.number_of(address) else { return };
        let mut table = self.lock();
        let Some(paths) = table.held.get_mut(&number) else { return };
        *paths = paths.saturating_sub(1);
        if *paths == 0 {
            table.held.remove(&number);
        }
    }

    fn number_of(&self, address: SocketAddr) -> Option<u64> {
        let IpAddr::V6(ip) = address.ip() else { return None };
        let octets = ip.octets();
        let (prefix, number) = octets.split_first_chunk::<8>()?;
        (*prefix == self.prefix).then(|| Some(u64::from_be_bytes(number.try_into().ok()?)))?
    }

    fn virtual_address(&self, number: u64) -> SocketAddr {
        let mut octets = [0; 16];
        let (left, right) = octets.split_at_mut(8);
        left.copy_from_slice(&self.prefix);
        right.copy_from_slice(&number.to_be_bytes());
        SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(octets), VIRTUAL_PORT, 0, 0))
    }

    /// What an address stands for; `None` for a virtual one that is no more, and where no socket of the family is.
    pub(crate) fn route(&self, address: SocketAddr) -> Option<Route> {
        if let Some(number) = self.number_of(address) {
            return self.lock().by_number.get(&number).copied();
        }
        let remote = canonical(address);
        Some(Route::Udp { socket: self.primary_for(remote)?, remote })
    }

    /// A tunnel exists from now on; `peer` is the address at its other end, where it has one.
    pub(crate) fn add_tunnel(&self, tunnel: TunnelId, kind: Kind, peer: Option<SocketAddr>) {
        let mut table = self.lock();
        table.tunnels.insert(tunnel, (kind, peer));
        // So that what arrives from one that has ended makes no other.
        table.number(Route::Tunnel(tunnel));
    }

    /// The address at a tunnel's other end.
    pub(crate) fn peer_of(&self, tunnel: TunnelId) -> Option<SocketAddr> {
        self.lock().tunnels.get(&tunnel)?.1
    }

    /// The tunnel of kind [`Kind::Relayed`] that an address stands for, if it does.
    pub(crate) fn relayed(&self, address: SocketAddr) -> Option<TunnelId> {
        let number = self.number_of(address)?;
        let table = self.lock();
        let Some(Route::Tunnel(tunnel)) = table.by_number.get(&number) else { return None };
        let (kind, _) = table.tunnels.get(tunnel)?;
        (*kind == Kind::Relayed).then_some(*tunnel)
    }

    /// A tunnel is no more; returns the address that it had.
    pub(crate) fn remove_tunnel(&self, tunnel: TunnelId) -> Option<SocketAddr> {
        let mut table = self.lock();
        table.tunnels.remove(&tunnel);
        let number = table.by_route.remove(&Route::Tunnel(tunnel))?;
        table.by_number.remove(&number);
        Some(self.virtual_address(number))
    }

    /// Sockets are no more: nothing is routed over them.
    pub(super) fn remove_sockets(&self, sockets: &[usize]) {
        let mut table = self.lock();
        let over_them =
            |route: &Route| matches!(route, Route::Udp { socket, .. } if sockets.contains(socket));
        table.by_number.retain(|_, route| !over_them(route));
        table.by_route.retain(|route, _| !over_them(route));
    }

    /// How a route carries datagrams; `None` for a tunnel that is no more.
    pub(crate) fn kind(&self, route: Route) -> Option<Kind> {
        match route {
            Route::Udp { remote, .. } => Some(Kind::Udp { v6: remote.is_ipv6() }),
            Route::Tunnel(tunnel) => self.lock().tunnels.get(&tunnel).map(|(kind, _)| *kind),
        }
    }

    /// The address of a UDP remote on the primary socket of its family; `None` where there is none.
    pub(crate) fn udp_address(&self, remote: SocketAddr) -> Option<SocketAddr> {
        let remote = canonical(remote);
        Some(self.address(Route::Udp { socket: self.primary_for(remote)?, remote }))
    }

    fn primary_for(&self, remote: SocketAddr) -> Option<usize> {
        let [v4, v6] = self.primary;
        if remote.is_ipv6() { v6 } else { v4 }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Routes {
    pub(super) fn made_up(&self) -> usize {
        self.lock().by_number.len()
    }
}

impl Table {
    fn number(&mut self, route: Route) -> u64 {
        if let Some(number) = self.by_route.get(&route) {
            return *number;
        }
        if self.by_number.len() >= MOST_VIRTUAL
            && let Some(oldest) =
                self.by_number.keys().find(|number| !self.held.contains_key(number)).copied()
            && let Some(route) = self.by_number.remove(&oldest)
        {
            self.by_route.remove(&route);
        }
        self.next += 1;
        self.by_number.insert(self.next, route);
        self.by_route.insert(route, self.next);
        self.next
    }
}

/// Every address as an IPv6 one, which is how noq keeps them.
pub(super) fn mapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::V6(match address {
        SocketAddr::V4(v4) => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0),
        SocketAddr::V6(v6) => v6,
    })
}

/// An IPv4 address as such, where a socket for both families shows it mapped.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(IpAddr::V4(ip), address.port()),
        // Keeps the scope of a link-local address.
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn primary_sockets_keep_real_addresses_and_others_get_virtual_ones() {
        let routes = Routes::new(&[at("127.0.0.1:1"), at("127.0.0.1:2"), at("[::1]:3")]);
        let udp = |socket, remote| Route::Udp { socket, remote: at(remote) };
        assert_eq!(routes.address(udp(0, "192.0.2.7:9")), at("[::ffff:192.0.2.7]:9"));
        assert_eq!(routes.address(udp(2, "[2001:db8::1]:9")), at("[2001:db8::1]:9"));
        let tunnel = Route::Tunnel(TunnelId(5));
        routes.add_tunnel(TunnelId(5), Kind::Tcp, None);
        for route in [
            udp(0, "192.0.2.7:9"),
            udp(1, "192.0.2.7:9"),
            udp(1, "192.0.2.8:9"),
            udp(2, "[2001:db8::1]:9"),
            tunnel,
        ] {
            let address = routes.address(route);
            assert_eq!(routes.route(address), Some(route));
            assert_eq!(routes.address(route), address, "it stays the same");
        }
        assert_eq!(routes.kind(tunnel), Some(Kind::Tcp));
        let address = routes.remove_tunnel(TunnelId(5)).unwrap();
        assert_eq!((routes.route(address), routes.kind(tunnel)), (None, None));
    }

    #[test]
    fn nobody_can_name_a_virtual_address_from_outside() {
        let (one, other) = (Routes::new(&[at("[::1]:1")]), Routes::new(&[at("[::1]:1")]));
        one.add_tunnel(TunnelId(1), Kind::Relayed, None);
        let address = one.address(Route::Tunnel(TunnelId(1)));
        assert_eq!(other.route(address), Some(Route::Udp { socket: 0, remote: address }));
    }

    #[test]
    fn what_a_path_needs_stays_whoever_else_comes() {
        let routes = Routes::new(&[at("127.0.0.1:1"), at("127.0.0.1:2")]);
        let held = Route::Udp { socket: 1, remote: at("192.0.2.1:1") };
        let address = routes.address(held);
        routes.hold(address);
        let flood = || {
            for port in 1..=MOST_VIRTUAL as u16 {
                let remote = SocketAddr::new(at("192.0.2.2:1").ip(), port);
                routes.address(Route::Udp { socket: 1, remote });
            }
        };
        flood();
        assert_eq!(routes.route(address), Some(held));
        routes.release(address);
        assert!(routes.lock().held.is_empty());
        let another = routes.address(Route::Udp { socket: 1, remote: at("192.0.2.3:1") });
        assert_eq!((routes.route(address), routes.route(another).is_some()), (None, true));
    }

    #[test]
    fn a_tunnel_that_has_ended_gets_no_address_anew() {
        let routes = Routes::new(&[]);
        routes.add_tunnel(TunnelId(1), Kind::Tcp, None);
        assert!(routes.known(Route::Tunnel(TunnelId(1))).is_some());
        routes.remove_tunnel(TunnelId(1));
        assert_eq!(routes.known(Route::Tunnel(TunnelId(1))), None);
        assert!(routes.lock().by_number.is_empty());
    }

    #[test]
    fn the_table_is_bounded() {
        let routes = Routes::new(&[at("127.0.0.1:1"), at("127.0.0.1:2")]);
        let first = routes.address(Route::Udp { socket: 1, remote: at("192.0.2.1:1") });
        for port in 1..=MOST_VIRTUAL as u16 {
            routes.address(Route::Udp { socket: 1, remote: SocketAddr::new(at("192.0.2.2:1").ip(), port) });
        }
        assert_eq!(routes.route(first), None);
        assert_eq!(routes.lock().by_number.len(), MOST_VIRTUAL);
        assert_eq!(routes.lock().by_route.len(), MOST_VIRTUAL);
    }
}
