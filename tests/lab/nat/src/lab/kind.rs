//! The kinds of homes, and what each is, in the words of RFC 4787.

use std::fmt;

/// What a host is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A router that translates and filters nothing: both families, and a TCP port that listens.
    Public,
    FullCone,
    Restricted,
    PortRestricted,
    SymmetricRandom,
    SymmetricSequential,
    /// What `snat` alone does on Linux: ports are kept where they are free, and what comes unasked is answered by the router itself.
    Linux,
    /// A port-restricted router behind a port-restricted carrier's.
    Cgnat,
    /// A port-restricted router with miniupnpd.
    Upnp,
    UdpBlocked,
    Ipv6Only,
    /// IPv4 behind a port-restricted router, IPv6 behind a stateful firewall.
    DualStack,
}

/// Which external address and port a socket is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mapping {
    /// Its own.
    None,
    /// One, whomever it speaks to.
    Independent,
    /// Another for each address and port, one behind the other.
    Sequential,
    /// Another for each address and port, at random.
    Random,
}

/// Whose packets come in through a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filtering {
    /// Everybody's.
    Independent,
    /// Those of addresses that were sent to.
    Address,
    /// Those of addresses and ports that were sent to.
    AddressAndPort,
}

/// What a family of a kind is like for UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traits {
    pub(crate) mapping: Mapping,
    pub(crate) filtering: Filtering,
}

impl Traits {
    const fn new(mapping: Mapping, filtering: Filtering) -> Self {
        Self { mapping, filtering }
    }
}

impl fmt::Display for Traits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} mapping, {:?} filtering", self.mapping, self.filtering)
    }
}

impl Kind {
    pub(crate) const ALL: [Self; 12] = [
        Self::Public,
        Self::FullCone,
        Self::Restricted,
        Self::PortRestricted,
        Self::SymmetricRandom,
        Self::SymmetricSequential,
        Self::Linux,
        Self::Cgnat,
        Self::Upnp,
        Self::UdpBlocked,
        Self::Ipv6Only,
        Self::DualStack,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::FullCone => "full-cone",
            Self::Restricted => "restricted",
            Self::PortRestricted => "port-restricted",
            Self::SymmetricRandom => "symmetric-random",
            Self::SymmetricSequential => "symmetric-sequential",
            Self::Linux => "linux",
            Self::Cgnat => "cgnat",
            Self::Upnp => "upnp",
            Self::UdpBlocked => "udp-blocked",
            Self::Ipv6Only => "ipv6-only",
            Self::DualStack => "dual-stack",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub(crate) const fn has_v4(self) -> bool {
        !matches!(self, Self::Ipv6Only)
    }

    pub(crate) const fn has_v6(self) -> bool {
        matches!(self, Self::Public | Self::Ipv6Only | Self::DualStack)
    }

    /// What UDP over IPv4 meets; none where it does not get out. Of `upnp` without its port mapped.
    pub(crate) const fn v4(self) -> Option<Traits> {
        use {Filtering as F, Mapping as M};
        Some(match self {
            Self::UdpBlocked | Self::Ipv6Only => return None,
            Self::Public => Traits::new(M::None, F::Independent),
            Self::FullCone => Traits::new(M::Independent, F::Independent),
            Self::Restricted => Traits::new(M::Independent, F::Address),
            Self::PortRestricted | Self::Linux | Self::Cgnat | Self::Upnp | Self::DualStack => {
                Traits::new(M::Independent, F::AddressAndPort)
            }
            Self::SymmetricRandom => Traits::new(M::Random, F::AddressAndPort),
            Self::SymmetricSequential => Traits::new(M::Sequential, F::AddressAndPort),
        })
    }

    /// What UDP over IPv6 meets.
    pub(crate) const fn v6(self) -> Option<Traits> {
        match self {
            Self::Public => Some(Traits::new(Mapping::None, Filtering::Independent)),
            Self::Ipv6Only | Self::DualStack => Some(Traits::new(Mapping::None, Filtering::AddressAndPort)),
            _ => None,
        }
    }
}
