//! Who counts as one stranger.

use std::net::IpAddr;

/// Where a stranger comes from: an IPv4 address, or an IPv6 network of 64 bits, within which anybody has as many addresses as they like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Source {
    V4(u32),
    V6(u64),
}

/// Neighbours, who are often one and the same: an IPv4 network of 24 bits, or an IPv6 network of 48, which is what a customer gets (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Neighbourhood {
    V4(u32),
    V6(u64),
}

impl Source {
    pub(crate) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.to_bits()),
            IpAddr::V6(ip) => Self::V6((ip.to_bits() >> 64) as u64),
        }
    }

    pub(crate) const fn neighbourhood(self) -> Neighbourhood {
        match self {
            Self::V4(bits) => Neighbourhood::V4(bits >> 8),
            Self::V6(bits) => Neighbourhood::V6(bits >> 16),
        }
    }

    /// As it is kept: the family, and the bits.
    pub(crate) fn to_parts(self) -> (u8, u64) {
        match self {
            Self::V4(bits) => (4, bits.into()),
            Self::V6(bits) => (6, bits),
        }
    }

    pub(crate) fn from_parts(family: u8, bits: u64) -> Option<Self> {
        match family {
            4 => u32::try_from(bits).ok().map(Self::V4),
            6 => Some(Self::V6(bits)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(ip: &str) -> Source {
        Source::of(ip.parse().unwrap())
    }

    #[test]
    fn a_network_of_ipv6_is_one_and_an_address_of_ipv4_is_one() {
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::9"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
        assert_eq!(source("2001:db8:1:2::1").neighbourhood(), source("2001:db8:1:3::1").neighbourhood());
        assert_ne!(source("2001:db8:1::1").neighbourhood(), source("2001:db8:2::1").neighbourhood());
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("192.0.2.1").neighbourhood(), source("192.0.2.2").neighbourhood());
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    }

    #[test]
    fn what_is_kept_reads_back() {
        for ip in ["192.0.2.1", "2001:db8::1", "255.255.255.255"] {
            let (family, bits) = source(ip).to_parts();
            assert_eq!(Source::from_parts(family, bits), Some(source(ip)));
        }
        assert_eq!(Source::from_parts(4, u64::MAX), None);
        assert_eq!(Source::from_parts(5, 1), None);
    }
}
