//! Which addresses that a peer named are asked at all: what it names may be a third party's, or mischief.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What there is around this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The addresses of its interfaces, each with the length of its network's prefix in bits.
    pub interfaces: Vec<(IpAddr, u8)>,
    /// The routers that it sends through.
    pub gateways: Vec<IpAddr>,
    /// Where it can be reached itself, as it tells peers.
    pub ourselves: Vec<SocketAddr>,
}

/// Where an address is, as seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a network that one of our interfaces is in, or on this machine.
    Near,
    /// On the internet.
    Public,
    /// In a private network of the same sort as ours: perhaps routed, perhaps a stranger's that has the same numbers.
    Private,
}

/// Why an address is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// No machine has it: port 0, unspecified, multicast, broadcast, reserved.
    Nowhere,
    /// It is on the peer's own machine, or on its own wire only.
    LocalToPeer,
    /// It is a router of ours.
    Gateway,
    /// It is this machine.
    Ourselves,
    /// A private address, and we have none of the sort.
    NotOurs,
}

impl Surroundings {
    /// Where an address is, or why it is not asked.
    ///
    /// # Errors
    /// The reason why not.
    pub fn place(&self, address: SocketAddr) -> Result<Place, Refusal> {
        let ip = address.ip().to_canonical();
        if address.port() == 0 || is_nowhere(ip) || self.is_broadcast(ip) {
            return Err(Refusal::Nowhere);
        }
        if self.ourselves.contains(&SocketAddr::new(ip, address.port())) {
            return Err(Refusal::Ourselves);
        }
        if ip.is_loopback() {
            // Where nobody can be reached from elsewhere, everybody is on this machine: a demonstration, a test.
            return if self.is_alone() { Ok(Place::Near) } else { Err(Refusal::LocalToPeer) };
        }
        let is_near = self.interfaces.iter().any(|(own, bits)| in_network(ip, *own, *bits));
        // IPv4's mean something to whoever has one too, on a network where nobody gives addresses (RFC 3927); IPv6's need an interface's name.
        if is_link_local(ip) && !(ip.is_ipv4() && is_near && ip != CLOUD) {
            return Err(Refusal::LocalToPeer);
        }
        if self.gateways.iter().any(|it| it.to_canonical() == ip) {
            return Err(Refusal::Gateway);
        }
        if is_near {
            return Ok(Place::Near);
        }
        match realm(ip) {
            None => Ok(Place::Public),
            Some(realm_of_it) if self.interfaces.iter().any(|(own, _)| realm(*own) == Some(realm_of_it)) => {
                Ok(Place::Private)
            }
            Some(_) => Err(Refusal::NotOurs),
        }
    }

    fn is_alone(&self) -> bool {
        !self.ourselves.is_empty() && self.ourselves.iter().all(|address| address.ip().is_loopback())
    }

    fn is_broadcast(&self, ip: IpAddr) -> bool {
        let IpAddr::V4(ip) = ip else { return false };
        self.interfaces.iter().any(|(own, bits)| match own {
            // Networks of one or two machines have none (RFC 3021).
            IpAddr::V4(own) if *bits < 31 => {
                let hosts = u32::MAX.checked_shr(u32::from(*bits)).unwrap_or(0);
                let (first, last) = (own.to_bits() & !hosts, own.to_bits() | hosts);
                ip.to_bits() == first || ip.to_bits() == last
            }
            _ => false,
        })
    }
}

/// Where clouds tell a machine its secrets: nobody's to name.
const CLOUD: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 169, 254));

/// Whether an address is on the internet, where anybody may be behind it.
pub fn is_public(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    !is_nowhere(ip) && !ip.is_loopback() && !is_link_local(ip) && realm(ip).is_none()
}

/// Networks that are not on the internet, told apart since one of them never leads to another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Realm {
    /// RFC 1918.
    Private,
    /// Between a provider and its customers (RFC 6598).
    Shared,
    /// RFC 4193.
    UniqueLocal,
}

fn realm(ip: IpAddr) -> Option<Realm> {
    match ip {
        IpAddr::V4(ip) if ip.is_private() => Some(Realm::Private),
        IpAddr::V4(ip) if in_network(ip.into(), Ipv4Addr::new(100, 64, 0, 0).into(), 10) => {
            Some(Realm::Shared)
        }
        IpAddr::V6(ip) if ip.is_unique_local() => Some(Realm::UniqueLocal),
        _ => None,
    }
}

fn is_nowhere(ip: IpAddr) -> bool {
    match ip {
        // "This network" and what is reserved (RFC 6890, section 2.2.2).
        IpAddr::V4(v4) => ip.is_multicast() || v4.octets().first().is_none_or(|it| *it == 0 || *it >= 240),
        IpAddr::V6(_) => ip.is_multicast() || ip.is_unspecified(),
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

fn in_network(ip: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            let hosts = u32::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
            ip.to_bits() & !hosts == network.to_bits() & !hosts
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => {
            let hosts = u128::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
            Ipv6Addr::from_bits(ip.to_bits() & !hosts) == Ipv6Addr::from_bits(network.to_bits() & !hosts)
        }
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn at_home() -> Surroundings {
        Surroundings {
            interfaces: vec![
                ("192.168.1.7".parse().unwrap(), 24),
                ("127.0.0.1".parse().unwrap(), 8),
                ("2a00:1::7".parse().unwrap(), 64),
                ("fe80::7".parse().unwrap(), 64),
            ],
            gateways: vec!["192.168.1.1".parse().unwrap(), "fe80::1".parse().unwrap()],
            ourselves: vec!["192.168.1.7:4000".parse().unwrap(), "5.5.5.5:4000".parse().unwrap()],
        }
    }

    fn place(around: &Surroundings, address: &str) -> Result<Place, Refusal> {
        around.place(address.parse().unwrap())
    }

    #[test]
    fn what_a_peer_names_is_placed_or_refused() {
        let home = at_home();
        for (address, expected) in [
            ("8.8.8.8:53", Ok(Place::Public)),
            ("5.5.5.5:4001", Ok(Place::Public)),
            ("[2a00:2::1]:1", Ok(Place::Public)),
            ("192.168.1.9:1", Ok(Place::Near)),
            ("[2a00:1::9]:1", Ok(Place::Near)),
            ("10.1.2.3:1", Ok(Place::Private)),
            ("100.64.1.1:1", Err(Refusal::NotOurs)),
            ("[fd00::1]:1", Err(Refusal::NotOurs)),
            ("127.0.0.1:22", Err(Refusal::LocalToPeer)),
            ("[::1]:22", Err(Refusal::LocalToPeer)),
            ("[::ffff:127.0.0.1]:22", Err(Refusal::LocalToPeer)),
            ("169.254.169.254:80", Err(Refusal::LocalToPeer)),
            ("[fe80::9]:1", Err(Refusal::LocalToPeer)),
            ("192.168.1.1:53", Err(Refusal::Gateway)),
            ("192.168.1.255:1", Err(Refusal::Nowhere)),
            ("192.168.1.0:1", Err(Refusal::Nowhere)),
            ("255.255.255.255:1", Err(Refusal::Nowhere)),
            ("0.0.0.0:1", Err(Refusal::Nowhere)),
            ("224.0.0.251:5353", Err(Refusal::Nowhere)),
            ("[ff02::fb]:5353", Err(Refusal::Nowhere)),
            ("[::]:1", Err(Refusal::Nowhere)),
            ("8.8.8.8:0", Err(Refusal::Nowhere)),
            ("192.168.1.7:4000", Err(Refusal::Ourselves)),
            ("5.5.5.5:4000", Err(Refusal::Ourselves)),
        ] {
            assert_eq!(place(&home, address), expected, "{address}");
        }
    }

    #[test]
    fn ipv4_link_local_addresses_are_for_those_who_have_one() {
        let ad_hoc = Surroundings {
            interfaces: vec![("169.254.77.1".parse().unwrap(), 16)],
            ..Surroundings::default()
        };
        assert_eq!(place(&ad_hoc, "169.254.77.2:9"), Ok(Place::Near));
        assert_eq!(place(&ad_hoc, "169.254.169.254:80"), Err(Refusal::LocalToPeer));
        assert_eq!(place(&ad_hoc, "[fe80::9]:1"), Err(Refusal::LocalToPeer));
    }

    #[test]
    fn loopback_is_for_those_who_are_nowhere_else() {
        let alone = Surroundings { ourselves: vec!["127.0.0.1:9".parse().unwrap()], ..at_home() };
        assert_eq!(place(&alone, "127.0.0.1:10"), Ok(Place::Near));
        assert_eq!(place(&alone, "127.0.0.1:9"), Err(Refusal::Ourselves));
    }
}
