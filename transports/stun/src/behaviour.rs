//! What a NAT does to addresses, told from what servers saw: the tests of RFC 5780, sections 4.3 and 4.4, as pure functions of observations.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::answer::canonical;
use crate::ports::{Allocation, allocation};

/// The most observations that are kept, of either kind. The oldest go first.
pub const MOST_OBSERVATIONS: usize = 512;

/// One of our sockets as a server saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The socket's port on this machine, which is its name here: no two sockets of one family have the same.
    pub local: u16,
    /// The server.
    pub server: SocketAddr,
    /// The address that it saw: [`Answer::mapped`](crate::Answer::mapped).
    pub mapped: SocketAddr,
}

/// Whether an answer came through from an address that was not asked (CHANGE-REQUEST).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The socket's port on this machine.
    pub local: u16,
    /// The server that was asked, and that is known to answer.
    pub asked: SocketAddr,
    /// Where the answer was to come from. The socket must not have sent anything there before.
    pub from: SocketAddr,
    /// It came. Where it did not, it was asked for several times.
    pub came: bool,
}

/// On what the outside address of one socket depends (RFC 4787, section 4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mapping {
    /// Too little was seen: a server with one port says where we are, and not whether the next one would see the same.
    #[default]
    Unknown,
    /// On nothing: servers see our own address. No NAT, though there may be a firewall.
    None,
    /// On nothing: servers at different addresses saw one outside address. What one sees, a friend can use.
    EndpointIndependent,
    /// Not on the destination's port: two ports of one server saw the same. Whether on its IP address was not seen; that is rare among NATs that pass
    /// this test.
    PortIndependent,
    /// On the destination's IP address.
    AddressDependent,
    /// On the destination's IP address and port.
    AddressAndPortDependent,
    /// On the destination; whether on its IP address alone was not seen.
    Dependent,
}

impl Mapping {
    /// Whether another peer is to be expected at the same outside address. `None` where it is not known.
    pub fn is_independent(self) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::None | Self::EndpointIndependent | Self::PortIndependent => Some(true),
            Self::AddressDependent | Self::AddressAndPortDependent | Self::Dependent => Some(false),
        }
    }
}

/// From whom a NAT or firewall lets packets in to a socket (RFC 4787, section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filtering {
    /// Nothing was tried, or nothing that says anything.
    #[default]
    Unknown,
    /// From anyone.
    EndpointIndependent,
    /// From any port of an IP address that was sent to; whether from other addresses too was not tried.
    PortIndependent,
    /// From any port of an IP address that was sent to, and from no other address.
    AddressDependent,
    /// From where something was sent to, and from nowhere else.
    AddressAndPortDependent,
}

/// What was seen of one address family, in the order of time.
///
/// Each observation is of the network that the machine is in: start anew when that changes, and for the other family.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    own: BTreeSet<IpAddr>,
    seen: Vec<Seen>,
    tried: Vec<Tried>,
}

impl Behaviour {
    /// `own`: the IP addresses of this machine.
    pub fn new(own: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { own: own.into_iter().map(|ip| ip.to_canonical()).collect(), ..Self::default() }
    }

    /// A server answered.
    pub fn seen(&mut self, seen: Seen) {
        if self.seen.len() >= MOST_OBSERVATIONS {
            self.seen.remove(0);
        }
        let (server, mapped) = (canonical(seen.server), canonical(seen.mapped));
        self.seen.push(Seen { server, mapped, ..seen });
    }

    /// A server was asked to answer from elsewhere. Says nothing, and is not kept, where the socket has been seen from there before: what was sent to
    /// may answer, whatever is filtered.
    pub fn tried(&mut self, tried: Tried) {
        let (asked, from) = (canonical(tried.asked), canonical(tried.from));
        if asked == from || self.seen.iter().any(|seen| seen.local == tried.local && seen.server == from) {
            return;
        }
        if self.tried.len() >= MOST_OBSERVATIONS {
            self.tried.remove(0);
        }
        self.tried.push(Tried { asked, from, ..tried });
    }

    /// On what the outside address depends.
    ///
    /// For each socket the latest word of each server counts. One pair of servers that saw different addresses outweighs any number that saw the
    /// same: NATs that keep ports while they can are what they are when they cannot.
    pub fn mapping(&self) -> Mapping {
        let mut latest: BTreeMap<u16, BTreeMap<SocketAddr, SocketAddr>> = BTreeMap::new();
        for seen in &self.seen {
            latest.entry(seen.local).or_default().insert(seen.server, seen.mapped);
        }
        let mut found = Pairs::default();
        for servers in latest.values() {
            // Each server against all that one socket asked: at most MOST_OBSERVATIONS squared, of two numbers each.
            for (i, (a, seen_a)) in servers.iter().enumerate() {
                for (b, seen_b) in servers.iter().skip(i + 1) {
                    found.count(a.ip() == b.ip(), seen_a == seen_b);
                }
            }
        }
        let unmapped = |seen: &Seen| seen.mapped.port() == seen.local && self.own.contains(&seen.mapped.ip());
        match found {
            Pairs { port_differs: true, .. } => Mapping::AddressAndPortDependent,
            Pairs { address_differs: true, port_same: true, .. } => Mapping::AddressDependent,
            Pairs { address_differs: true, .. } => Mapping::Dependent,
            _ if !self.seen.is_empty() && self.seen.iter().all(unmapped) => Mapping::None,
            Pairs { address_same: true, .. } => Mapping::EndpointIndependent,
            Pairs { port_same: true, .. } => Mapping::PortIndependent,
            _ => Mapping::Unknown,
        }
    }

    /// From whom packets are let in.
    pub fn filtering(&self) -> Filtering {
        let mut found = Trials::default();
        for tried in &self.tried {
            match (tried.from.ip() == tried.asked.ip(), tried.came) {
                (false, true) => found.address_came = true,
                (false, false) => found.address_lost = true,
                (true, true) => found.port_came = true,
                (true, false) => found.port_lost = true,
            }
        }
        match found {
            Trials { port_came: true, address_came: true, .. }
            | Trials { address_came: true, port_lost: false, .. } => Filtering::EndpointIndependent,
            Trials { port_came: true, address_lost: true, .. } => Filtering::AddressDependent,
            Trials { port_came: true, .. } => Filtering::PortIndependent,
            // What lets another port in, or another address, by chance of a loss, is not held to filter.
            Trials { port_lost: true, address_came: false, .. } => Filtering::AddressAndPortDependent,
            _ => Filtering::Unknown,
        }
    }

    /// How the NAT chooses outside ports, as far as the observations tell, in their order. Of use where the mapping depends on the destination.
    pub fn allocation(&self) -> Allocation {
        allocation(&self.seen)
    }
}

/// What pairs of servers that one socket asked have shown.
#[derive(Clone, Copy, Debug, Default)]
struct Pairs {
    /// Two ports of one address saw the same.
    port_same: bool,
    port_differs: bool,
    /// Two addresses saw the same.
    address_same: bool,
    address_differs: bool,
}

impl Pairs {
    fn count(&mut self, one_address: bool, same: bool) {
        match (one_address, same) {
            (true, true) => self.port_same = true,
            (true, false) => self.port_differs = true,
            (false, true) => self.address_same = true,
            (false, false) => self.address_differs = true,
        }
    }
}

/// What came of trials: from another port of the address asked, or from another address.
#[derive(Clone, Copy, Debug, Default)]
struct Trials {
    port_came: bool,
    port_lost: bool,
    address_came: bool,
    address_lost: bool,
}

#[cfg(test)]
#[path = "behaviour_tests.rs"]
mod tests;
