//! From which networks a friend gets a link with this machine: what docs/NAT.md measured of each pair of NATs, as a table.

use super::facts::Facts;
use super::report::{FilteringKind, Ipv6Kind, Known, PeerNetwork, Reachable, Way};
use crate::api::types::{MappingKind, PortmapState};

/// What stands in front of this machine over IPv4, as far as it matters to who can reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// Whoever knows the address gets in, or whoever at whose address something was sent to: a public address, an open port, a NAT that does not look at ports.
    Open,
    /// One port towards everybody, and only whom something was sent to gets in.
    Strict,
    /// Another port towards each destination, in order.
    InOrder,
    /// Another port towards each destination, at random.
    Random,
    /// UDP goes nowhere.
    Blocked,
    /// There is no IPv4.
    NoIpv4,
    /// Nobody has told.
    Unknown,
}

impl Front {
    /// As the facts have it.
    pub(super) fn of(facts: &Facts) -> Self {
        let figures = &facts.figures;
        if !facts.listens.udp || figures.udp == Known::No {
            return Self::Blocked;
        }
        if !facts.interfaces.v4 && figures.ipv6 != Ipv6Kind::None {
            return Self::NoIpv4;
        }
        if figures.portmap.state == PortmapState::Mapped {
            return Self::Open;
        }
        match (figures.mapping, figures.filtering) {
            (MappingKind::Sequential, _) => Self::InOrder,
            (MappingKind::Random, _) => Self::Random,
            (MappingKind::Unknown, _) if !facts.interfaces.v4_public => Self::Unknown,
            (_, FilteringKind::Anybody | FilteringKind::Address) => Self::Open,
            // A public address may have a firewall in front of it; what nobody has tried is taken for the stricter.
            (_, FilteringKind::AddressAndPort | FilteringKind::Unknown) => Self::Strict,
        }
    }
}

/// All kinds, the nearest first.
const NETWORKS: [PeerNetwork; 7] = [
    PeerNetwork::Same,
    PeerNetwork::Public,
    PeerNetwork::OnePort,
    PeerNetwork::PortsInOrder,
    PeerNetwork::RandomPorts,
    PeerNetwork::UdpBlocked,
    PeerNetwork::Ipv6Only,
];

/// What is to be expected of each kind.
pub(super) fn reachable(facts: &Facts) -> Vec<Reachable> {
    NETWORKS.into_iter().map(|network| expect(facts, network)).collect()
}

fn expect(facts: &Facts, network: PeerNetwork) -> Reachable {
    let way = way(facts, network);
    let mut what = format!("{}: {}", describe(network), words(facts, network, way));
    let has_v6 = facts.figures.ipv6 != Ipv6Kind::None && facts.listens.udp;
    let is_udp = !matches!(network, PeerNetwork::UdpBlocked | PeerNetwork::Ipv6Only | PeerNetwork::Same);
    if has_v6 && is_udp && matches!(way, Way::Guess | Way::Relay) && facts.figures.udp != Known::No {
        what.push_str("; directly over IPv6 where they have it too");
    }
    Reachable { network, way, what }
}

/// Both directions of a pair are one: both sides ask for each other at once.
pub(super) fn way(facts: &Facts, network: PeerNetwork) -> Way {
    let front = Front::of(facts);
    match (network, front) {
        (PeerNetwork::Same, _) => Way::Direct,
        (PeerNetwork::UdpBlocked, _) => {
            let is_reached = facts.interfaces.v4_public || facts.figures.ipv6 != Ipv6Kind::None;
            if facts.listens.tcp && is_reached { Way::Tcp } else { Way::Relay }
        }
        (PeerNetwork::Public, Front::Blocked) => Way::Tcp,
        (_, Front::Blocked) => Way::Relay,
        (PeerNetwork::Ipv6Only, _) => match facts.figures.ipv6 {
            Ipv6Kind::Works => Way::Direct,
            Ipv6Kind::Address => Way::Unknown,
            Ipv6Kind::None => Way::Relay,
        },
        (_, Front::NoIpv4) => Way::Relay,
        (PeerNetwork::Public, Front::Unknown) if facts.figures.udp == Known::Yes => Way::Direct,
        (_, Front::Unknown) => Way::Unknown,
        (PeerNetwork::Public, _) | (_, Front::Open) => Way::Direct,
        (PeerNetwork::OnePort | PeerNetwork::PortsInOrder, Front::Strict) => Way::Direct,
        (PeerNetwork::OnePort, Front::InOrder) => Way::Direct,
        (PeerNetwork::RandomPorts, Front::Strict) | (PeerNetwork::OnePort, Front::Random) => Way::Guess,
        // Two that both give ports that the other cannot know.
        (PeerNetwork::PortsInOrder | PeerNetwork::RandomPorts, Front::InOrder | Front::Random) => Way::Relay,
    }
}

fn describe(network: PeerNetwork) -> &'static str {
    match network {
        PeerNetwork::Same => "in your own network",
        PeerNetwork::Public => "with a public address, or a port that their router opens",
        PeerNetwork::OnePort => "behind a router with one port towards everybody (most homes, most carriers)",
        PeerNetwork::PortsInOrder => "behind a router with another port towards everybody, in order",
        PeerNetwork::RandomPorts => {
            "behind a router with a random port towards everybody (some firms, some mobile networks)"
        }
        PeerNetwork::UdpBlocked => "where UDP is blocked",
        PeerNetwork::Ipv6Only => "with IPv6 alone",
    }
}

fn words(facts: &Facts, network: PeerNetwork, way: Way) -> &'static str {
    match (way, network) {
        (Way::Direct, _) => "directly",
        (Way::Guess, _) => "directly, after some seconds of guessing ports",
        (Way::Tcp, PeerNetwork::UdpBlocked) => "directly by TCP, if your TCP port is let out there",
        (Way::Tcp, _) => "directly by TCP, if they listen on a port that is let out here, as 443 mostly is",
        (Way::Relay, PeerNetwork::Ipv6Only) => {
            "only through a friend that relays, since this machine has no IPv6"
        }
        (Way::Relay, _) => "only through a friend that relays",
        (Way::Unknown, PeerNetwork::Ipv6Only) => {
            "directly, if this machine's IPv6 comes through, which nobody has told"
        }
        (Way::Unknown, PeerNetwork::Public) => {
            "directly, if UDP gets out of this network, which nobody has told"
        }
        (Way::Unknown, _) if facts.figures.udp == Known::Unknown => {
            "not known: nobody has told what this network lets through"
        }
        (Way::Unknown, _) => "not known: nobody has told which ports your router gives",
    }
}
