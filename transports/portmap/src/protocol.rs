//! The ways to ask a gateway.

use std::{fmt, str::FromStr};

/// How a gateway is asked for a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// The Port Control Protocol, RFC 6887: one datagram to the gateway's port 5351, and its answer.
    Pcp,
    /// The NAT Port Mapping Protocol, RFC 6886, which PCP grew out of: the same port.
    NatPmp,
    /// UPnP's Internet Gateway Device: a question to everybody on the local network, by multicast to 239.255.255.250:1900, and then HTTP with
    /// the gateway, if it is the gateway that answers.
    Upnp,
}

impl Protocol {
    /// All of them, in the order in which they are best asked: the cheapest and most exact first.
    pub const ALL: [Self; 3] = [Self::Pcp, Self::NatPmp, Self::Upnp];

    /// What it is called in the configuration: `pcp`, `nat-pmp`, `upnp`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcp => "pcp",
            Self::NatPmp => "nat-pmp",
            Self::Upnp => "upnp",
        }
    }
}

/// As people know it: `PCP`, `NAT-PMP`, `UPnP`.
impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pcp => "PCP",
            Self::NatPmp => "NAT-PMP",
            Self::Upnp => "UPnP",
        })
    }
}

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    /// Reads what [`name`](Self::name) writes.
    fn from_str(text: &str) -> Result<Self, UnknownProtocol> {
        Self::ALL.into_iter().find(|protocol| protocol.name() == text).ok_or(UnknownProtocol)
    }
}

/// A word of the configuration names no protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a gateway is asked by \"pcp\", \"nat-pmp\" or \"upnp\"")]
pub struct UnknownProtocol;

/// `PCP, NAT-PMP or UPnP`.
pub(crate) struct Listed<'a>(pub(crate) &'a [Protocol]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, protocol) in self.0.iter().enumerate() {
            let between = match index {
                0 => "",
                _ if index + 1 == self.0.len() => " or ",
                _ => ", ",
            };
            write!(f, "{between}{protocol}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for protocol in Protocol::ALL {
            assert_eq!(protocol.name().parse(), Ok(protocol));
        }
        assert_eq!("PCP".parse::<Protocol>(), Err(UnknownProtocol));
    }

    #[test]
    fn a_list_reads_like_a_sentence() {
        let listed = |protocols: &[Protocol]| Listed(protocols).to_string();
        assert_eq!(listed(&Protocol::ALL), "PCP, NAT-PMP or UPnP");
        assert_eq!(listed(&[Protocol::Upnp]), "UPnP");
        assert_eq!(listed(&[Protocol::Pcp, Protocol::Upnp]), "PCP or UPnP");
    }
}
