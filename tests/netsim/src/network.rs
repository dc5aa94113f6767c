//! The network: hosts, switches, routers and the internet in a tree, and packets that travel it a hop at a time.
//!
//! Every node has a parent; the internet's core is the root. A packet climbs until a node knows its destination below itself, and
//! descends there. On its way it meets NATs, firewalls and hop limits, and each link delays it, and may lose, repeat or queue it.
//! What comes to an address that nobody has is written down as having come to a stranger: no address in this world is unwatched.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use crate::{
    nat::{Firewall, Hairpin, Nat},
    random::Random,
    transcript::{Fate, Line},
};

/// A node of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// The internet's core.
pub const CORE: NodeId = NodeId(0);

/// Hops that a packet may go where its sender says nothing (the default of Linux).
pub const HOPS: u8 = 64;

/// A UDP packet; `B` is what is in it.
#[derive(Clone, Debug)]
pub struct Packet<B> {
    /// Where it came from, as seen where it is.
    pub source: SocketAddr,
    /// Where it goes.
    pub to: SocketAddr,
    /// Routers that it may still pass, and the one that drops it.
    pub hops: u8,
    /// The number under which the transcript knows it.
    pub number: u64,
    /// The host that sent it.
    pub sender: NodeId,
    /// The contents.
    pub body: B,
}

/// The way from a node to its parent.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    /// One way.
    pub latency: Duration,
    /// Up to so much more, drawn for each packet: what is sent later may come sooner.
    pub jitter: Duration,
    /// Lost, of a million packets.
    pub loss: u32,
    /// Repeated, of a million packets.
    pub repeats: u32,
    /// Packets a second, and how many wait at most; those beyond are dropped.
    pub rate: Option<(u32, u32)>,
}

impl Wire {
    /// A way without faults.
    pub const fn clean(latency: Duration) -> Self {
        Self { latency, jitter: Duration::ZERO, loss: 0, repeats: 0, rate: None }
    }
}

/// What a node does with packets.
#[derive(Debug)]
pub enum Role {
    /// Everything that is not below it is nobody's.
    Core,
    /// Joins what is below it; takes no hop.
    Switch {
        /// What is below it cannot reach each other.
        isolates: bool,
        /// Its network: whoever is not known there is a stranger on this wire.
        network: (IpAddr, u8),
    },
    /// Takes a hop.
    Router {
        /// Its address on the inside: what is sent there is sent to the gateway.
        inside: Option<IpAddr>,
        /// Translates IPv4.
        nat: Option<Box<Nat>>,
        /// Filters IPv6.
        firewall: Option<Box<Firewall>>,
        /// Drops all UDP.
        blocks: bool,
    },
    /// Sends and receives.
    Host,
}

#[derive(Debug)]
struct Node {
    name: String,
    role: Role,
    parent: NodeId,
    wire: Wire,
    /// When the queue of its wire will be empty, upwards and downwards.
    idle: [Duration; 2],
    /// Which child leads to an address.
    routes: BTreeMap<IpAddr, NodeId>,
}

#[derive(Debug)]
struct Flight<B> {
    node: NodeId,
    /// The node it comes from.
    from: NodeId,
    packet: Packet<B>,
}

/// The whole of it.
#[derive(Debug)]
pub struct Network<B> {
    nodes: Vec<Node>,
    flights: BTreeMap<(Duration, u64), Flight<B>>,
    sequence: u64,
    random: Random,
    /// What happened to packets, hop by hop only where that ended them.
    pub transcript: Vec<Line<B>>,
}

impl<B: Clone + fmt::Debug> Network<B> {
    /// The core alone.
    pub fn new(random: Random) -> Self {
        let core = Node {
            name: "core".into(),
            role: Role::Core,
            parent: CORE,
            wire: Wire::clean(Duration::ZERO),
            idle: [Duration::ZERO; 2],
            routes: BTreeMap::new(),
        };
        Self { nodes: vec![core], flights: BTreeMap::new(), sequence: 0, random, transcript: Vec::new() }
    }

    /// One more node below another.
    pub fn add(&mut self, name: &str, parent: NodeId, role: Role, wire: Wire) -> NodeId {
        let id = NodeId(self.nodes.len());
        let routes = BTreeMap::new();
        self.nodes.push(Node { name: name.into(), role, parent, wire, idle: [Duration::ZERO; 2], routes });
        if let Some(Role::Router { nat: Some(nat), .. }) = self.nodes.get(id.0).map(|node| &node.role) {
            let external = nat.external;
            self.announce(id, external);
        }
        id
    }

    /// An address is at this node: whoever is above learns the way, up to the first NAT.
    pub fn announce(&mut self, node: NodeId, ip: IpAddr) {
        self.route(node, ip, true);
    }

    /// An address is at this node no more.
    pub fn withdraw(&mut self, node: NodeId, ip: IpAddr) {
        self.route(node, ip, false);
    }

    /// The name that a node was given.
    pub fn name(&self, node: NodeId) -> &str {
        self.nodes.get(node.0).map_or("?", |node| &node.name)
    }

    /// A line of the transcript as people read it.
    pub fn say(&self, line: &Line<B>) -> String {
        line.say(self.name(line.node), self.name(line.sender))
    }

    /// What a node is.
    pub fn role_mut(&mut self, node: NodeId) -> Option<&mut Role> {
        self.nodes.get_mut(node.0).map(|node| &mut node.role)
    }

    /// A router forgets all that it knows of connections, and its NAT may come back with another address.
    pub fn reboot(&mut self, router: NodeId, external: Option<IpAddr>) {
        let mut moved = None;
        if let Some(Role::Router { nat, firewall, .. }) =
            self.nodes.get_mut(router.0).map(|node| &mut node.role)
        {
            if let Some(nat) = nat {
                let old = nat.external;
                nat.reboot(external);
                moved = Some((old, nat.external)).filter(|(old, new)| old != new);
            }
            if let Some(firewall) = firewall {
                firewall.reboot();
            }
        }
        if let Some((old, new)) = moved {
            self.withdraw(router, old);
            self.announce(router, new);
        }
    }

    /// A host sends.
    pub fn send(
        &mut self,
        now: Duration,
        host: NodeId,
        source: SocketAddr,
        to: SocketAddr,
        hops: u8,
        body: B,
    ) {
        self.sequence += 1;
        let packet = Packet { source, to, hops, number: self.sequence, sender: host, body };
        self.note(now, host, Fate::Sent, &packet);
        self.up(now, host, packet);
    }

    /// When something happens next.
    pub fn due(&self) -> Option<Duration> {
        self.flights.keys().next().map(|(at, _)| *at)
    }

    /// The next thing happens. Yields the host and the packet where one has arrived.
    pub fn step(&mut self) -> Option<(Duration, NodeId, Packet<B>)> {
        let ((now, _), flight) = self.flights.pop_first()?;
        let Flight { node, from, packet } = flight;
        let from_below = self.nodes.get(from.0).is_some_and(|it| it.parent == node) && from != node;
        match self.nodes.get(node.0).map(|node| &node.role)? {
            Role::Host => {
                self.note(now, node, Fate::Arrived, &packet);
                return Some((now, node, packet));
            }
            Role::Core => {
                self.hop(now, node, packet);
            }
            Role::Switch { .. } => self.switch(now, node, from, from_below, packet),
            Role::Router { .. } if from_below => self.outwards(now, node, from, packet),
            Role::Router { .. } => self.inwards(now, node, packet),
        }
        None
    }

    /// The core: a router whose routes are all there is.
    fn hop(&mut self, now: Duration, node: NodeId, mut packet: Packet<B>) {
        if packet.hops <= 1 {
            return self.note(now, node, Fate::Died, &packet);
        }
        packet.hops -= 1;
        self.down(now, node, packet);
    }

    fn switch(&mut self, now: Duration, node: NodeId, from: NodeId, from_below: bool, packet: Packet<B>) {
        let Some(Node { role: Role::Switch { isolates, network }, routes, parent, .. }) =
            self.nodes.get(node.0)
        else {
            return;
        };
        let (isolates, network, parent) = (*isolates, *network, *parent);
        match routes.get(&packet.to.ip()) {
            Some(child) if from_below && isolates && *child != from => {
                self.note(now, node, Fate::Isolated, &packet);
            }
            Some(child) => {
                let child = *child;
                self.through(now, node, child, packet);
            }
            None if self.is_inside_of(parent, packet.to.ip()) => self.through(now, node, parent, packet),
            None if !from_below || within(packet.to.ip(), network) => {
                self.note(now, node, Fate::Stranger, &packet);
            }
            None => self.up(now, node, packet),
        }
    }

    fn outwards(&mut self, now: Duration, node: NodeId, from: NodeId, mut packet: Packet<B>) {
        let Some(Node { role: Role::Router { inside, nat, firewall, blocks }, routes, .. }) =
            self.nodes.get_mut(node.0)
        else {
            return;
        };
        if *inside == Some(packet.to.ip()) {
            return self.note(now, node, Fate::Gateway, &packet);
        }
        if *blocks {
            return self.note(now, node, Fate::Blocked, &packet);
        }
        // As in Linux: a packet that dies here leaves no mapping behind.
        if packet.hops <= 1 {
            return self.note(now, node, Fate::Died, &packet);
        }
        packet.hops -= 1;
        if let Some(child) = routes.get(&packet.to.ip()).copied()
            && child != from
        {
            return self.through(now, node, child, packet);
        }
        let Some(nat) = nat.as_mut().filter(|_| packet.to.is_ipv4()) else {
            if let Some(firewall) = firewall.as_mut().filter(|_| packet.to.is_ipv6()) {
                firewall.outbound(now, packet.source, packet.to);
            }
            return self.up(now, node, packet);
        };
        if packet.to.ip() == nat.external {
            return self.hairpin(now, node, packet);
        }
        match nat.outbound(now, packet.source, packet.to) {
            Some(source) => {
                packet.source = source;
                self.up(now, node, packet);
            }
            None => self.note(now, node, Fate::NoPort, &packet),
        }
    }

    fn hairpin(&mut self, now: Duration, node: NodeId, mut packet: Packet<B>) {
        let Some(Node { role: Role::Router { nat: Some(nat), .. }, .. }) = self.nodes.get_mut(node.0) else {
            return;
        };
        let internal = match nat.axes.hairpin {
            Hairpin::No => return self.note(now, node, Fate::NoHairpin, &packet),
            Hairpin::InternalSource => true,
            Hairpin::ExternalSource => false,
        };
        let Some(outside) = nat.outbound(now, packet.source, packet.to) else {
            return self.note(now, node, Fate::NoPort, &packet);
        };
        match nat.inbound(now, packet.to.port(), outside) {
            Ok(inside) => {
                packet.to = inside;
                packet.source = if internal { packet.source } else { outside };
                self.down(now, node, packet);
            }
            Err(refusal) => self.note(now, node, Fate::Refused(refusal), &packet),
        }
    }

    fn inwards(&mut self, now: Duration, node: NodeId, mut packet: Packet<B>) {
        let Some(Node { role: Role::Router { nat, firewall, blocks, .. }, .. }) = self.nodes.get_mut(node.0)
        else {
            return;
        };
        if *blocks {
            return self.note(now, node, Fate::Blocked, &packet);
        }
        if packet.hops <= 1 {
            return self.note(now, node, Fate::Died, &packet);
        }
        packet.hops -= 1;
        let admitted = match (packet.to.is_ipv4(), nat, firewall) {
            (true, Some(nat), _) if packet.to.ip() == nat.external => {
                nat.inbound(now, packet.to.port(), packet.source)
            }
            (false, _, Some(firewall)) => firewall.inbound(now, packet.to, packet.source).map(|()| packet.to),
            _ => Ok(packet.to),
        };
        match admitted {
            Ok(to) => {
                packet.to = to;
                self.down(now, node, packet);
            }
            Err(refusal) => self.note(now, node, Fate::Refused(refusal), &packet),
        }
    }

    fn is_inside_of(&self, router: NodeId, ip: IpAddr) -> bool {
        matches!(self.nodes.get(router.0).map(|node| &node.role), Some(Role::Router { inside, .. }) if *inside == Some(ip))
    }

    fn up(&mut self, now: Duration, node: NodeId, packet: Packet<B>) {
        if let Some(parent) = self.nodes.get(node.0).map(|node| node.parent) {
            self.through(now, node, parent, packet);
        }
    }

    fn down(&mut self, now: Duration, node: NodeId, packet: Packet<B>) {
        match self.nodes.get(node.0).and_then(|node| node.routes.get(&packet.to.ip())).copied() {
            Some(child) => self.through(now, node, child, packet),
            None => self.note(now, node, Fate::Stranger, &packet),
        }
    }

    /// Over the wire between a node and its parent, either way.
    fn through(&mut self, now: Duration, from: NodeId, to: NodeId, packet: Packet<B>) {
        let is_up = self.nodes.get(from.0).is_some_and(|node| node.parent == to);
        let lower = if is_up { from } else { to };
        let Some(Node { wire, idle, .. }) = self.nodes.get_mut(lower.0) else { return };
        let wire = *wire;
        let mut leaves = now;
        if let (Some((rate, queue)), Some(idle)) = (wire.rate, idle.get_mut(usize::from(is_up))) {
            let takes = Duration::from_secs(1) / rate.max(1);
            if idle.saturating_sub(now) > takes * queue {
                return self.note(now, lower, Fate::Queue, &packet);
            }
            *idle = (*idle).max(now) + takes;
            leaves = *idle;
        }
        if self.random.millionths(wire.loss) {
            return self.note(now, lower, Fate::Lost, &packet);
        }
        if self.random.millionths(wire.repeats) {
            let later = self.flight_time(wire);
            self.fly(leaves + later, from, to, packet.clone());
        }
        let takes = self.flight_time(wire);
        self.fly(leaves + takes, from, to, packet);
    }

    fn flight_time(&mut self, wire: Wire) -> Duration {
        wire.latency + Duration::from_micros(self.random.below(wire.jitter.as_micros() as u64 + 1))
    }

    fn fly(&mut self, at: Duration, from: NodeId, node: NodeId, packet: Packet<B>) {
        self.sequence += 1;
        self.flights.insert((at, self.sequence), Flight { node, from, packet });
    }

    fn route(&mut self, mut below: NodeId, ip: IpAddr, is_there: bool) {
        while below != CORE {
            let Some(parent) = self.nodes.get(below.0).map(|node| node.parent) else { return };
            let Some(node) = self.nodes.get_mut(parent.0) else { return };
            if is_there {
                node.routes.insert(ip, below);
            } else {
                node.routes.remove(&ip);
            }
            if ip.is_ipv4() && matches!(&node.role, Role::Router { nat: Some(_), .. }) {
                return;
            }
            below = parent;
        }
    }

    fn note(&mut self, at: Duration, node: NodeId, fate: Fate, packet: &Packet<B>) {
        self.transcript.push(Line {
            at,
            node,
            fate,
            number: packet.number,
            source: packet.source,
            to: packet.to,
            hops: packet.hops,
            sender: packet.sender,
            body: packet.body.clone(),
        });
    }
}

/// Whether an address is in a network of IPv4, or the first 64 bits agree in IPv6.
pub fn within(ip: IpAddr, (network, bits): (IpAddr, u8)) -> bool {
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            let others = u32::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
            ip.to_bits() & !others == network.to_bits() & !others
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => ip.to_bits() >> 64 == network.to_bits() >> 64,
        _ => false,
    }
}
