//! The network of one seed: two sides, their routers and carriers, and the friends in public.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use crate::{
    axes::{Axes, Side, Topology},
    nat::{Firewall, Nat},
    network::{CORE, Network, NodeId, Role, Wire},
    probe::Body,
    random::Random,
};

/// The side that dials, in arrays of two.
pub const DIALS: usize = 0;
/// The side that waits.
pub const WAITS: usize = 1;

/// The ports on which friends tell what they see.
pub const FRIEND_PORTS: [u16; 2] = [3_478, 3_479];

/// The network, and who is where.
#[derive(Debug)]
pub struct World {
    /// Where packets travel.
    pub network: Network<Body>,
    /// The two peers.
    pub peers: [Home; 2],
    /// Two friends of each side, whether they are asked or not.
    pub friends: [[(NodeId, IpAddr); 2]; 2],
}

/// Where a peer is.
#[derive(Clone, Copy, Debug)]
pub struct Home {
    /// The machine.
    pub host: NodeId,
    /// Its address in its network.
    pub v4: IpAddr,
    /// Length of that network's prefix.
    pub bits: u8,
    /// Its global IPv6 address.
    pub v6: Option<IpAddr>,
    /// Its router, as it knows it.
    pub gateway: IpAddr,
    /// Its router.
    pub router: NodeId,
    /// Where its packets seem to come from on the internet.
    pub public: IpAddr,
}

impl World {
    /// What the axes say.
    pub fn new(axes: &Axes, seed: u64) -> Self {
        let mut network = Network::new(Random::new(seed, "network"));
        let mut random = Random::new(seed, "world");
        let friend = |network: &mut Network<Body>, side: u8, number: u8| {
            let ip = IpAddr::from([44, side + 1, number + 1, 7]);
            let name = format!("friend{}{}", side + 1, number + 1);
            let node = network.add(&name, CORE, Role::Host, Wire::clean(Duration::from_millis(8)));
            network.announce(node, ip);
            (node, ip)
        };
        let friends = [0, 1].map(|side| [0, 1].map(|number| friend(&mut network, side, number)));
        let mut builder = Builder { axes, seed, network, lans: [lan(&mut random), lan(&mut random)] };
        let dials = builder.first(&axes.dials);
        let waits = match axes.topology {
            Topology::Apart => builder.side(WAITS, &axes.waits, None),
            Topology::SameLan { .. } => builder.neighbour(dials),
            Topology::SameCarrier => builder.side(WAITS, &axes.waits, dials.carrier),
        };
        let peers = [dials.home, waits.home];
        Self { network: builder.network, peers, friends }
    }
}

/// Networks that homes have, the usual ones often: two homes may well have the same.
fn lan(random: &mut Random) -> [u8; 3] {
    random.one_of(&[[192, 168, 1], [192, 168, 1], [192, 168, 178], [192, 168, 0], [10, 0, 0], [172, 20, 3]])
}

struct Builder<'a> {
    axes: &'a Axes,
    seed: u64,
    network: Network<Body>,
    lans: [[u8; 3]; 2],
}

#[derive(Clone, Copy)]
struct Built {
    home: Home,
    switch: NodeId,
    carrier: Option<NodeId>,
}

const NAMES: [&str; 2] = ["dials", "waits"];

impl Builder<'_> {
    fn first(&mut self, side: &Side) -> Built {
        self.side(DIALS, side, None)
    }

    /// From the core, or the other's carrier, down to the host.
    fn side(&mut self, at: usize, side: &Side, carrier: Option<NodeId>) -> Built {
        let name = NAMES.get(at).copied().unwrap_or_default();
        let block = if at == DIALS { 31 } else { 62 };
        let mut public = IpAddr::from([block, 0, 0, 10]);
        let mut above = CORE;
        let mut carrier = carrier;
        let short = Wire::clean(Duration::from_micros(500));
        if let Some(others) = carrier {
            above = others;
            public = IpAddr::from([31, 0, 0, 10]);
        } else {
            let far = Wire {
                latency: self.axes.latency,
                jitter: self.axes.jitter,
                loss: self.axes.loss / 2,
                repeats: self.axes.repeats,
                rate: None,
            };
            for hop in 0..side.hops_to_core {
                let wire = if hop == 0 { far } else { short };
                above = self.network.add(&format!("{name}-isp{hop}"), above, plain(), wire);
            }
            if let Some(nat) = side.carrier {
                let random = Random::new(self.seed, &format!("carrier of {name}"));
                let nat = Nat::new(nat, public, random);
                above = self.router(&format!("{name}-carrier"), above, short, Some(nat), None, false);
                carrier = Some(above);
            }
        }
        if side.carrier.is_some() {
            for hop in 0..side.hops_to_carrier {
                above = self.network.add(&format!("{name}-access{hop}"), above, plain(), short);
            }
        }
        let outside = if side.carrier.is_some() { IpAddr::from([100, 64, at as u8, 10]) } else { public };
        let random = Random::new(self.seed, &format!("home of {name}"));
        let nat = side.home.map(|nat| Nat::new(nat, outside, random));
        let lan = self.lans.get(at).copied().unwrap_or_default();
        let (v4, gateway, bits) = match side.home {
            Some(_) => (in_lan(lan, 10 + at as u8 * 7), in_lan(lan, 1), 24),
            None => (public, IpAddr::from([block, 0, 0, 1]), 24),
        };
        let firewall = side.v6.map(|v6| Firewall::new(v6.filtering, v6.lifetime));
        let line = Wire { rate: side.rate, ..short };
        let router = self.router(&format!("{name}-home"), above, line, nat, firewall, side.blocked);
        if let Some(Role::Router { inside, .. }) = self.network.role_mut(router) {
            *inside = Some(gateway);
        }
        let isolates = matches!(self.axes.topology, Topology::SameLan { isolated: true });
        let role = Role::Switch { isolates, network: (gateway, bits) };
        let switch = self.network.add(&format!("{name}-lan"), router, role, short);
        let v6 = side.v6.map(|_| global(at as u16, 7));
        let host = self.host(name, switch, v4, v6);
        let home = Home { host, v4, bits, v6, gateway, router, public };
        Built { home, switch, carrier }
    }

    /// The side that waits, in the home of the side that dials.
    fn neighbour(&mut self, other: Built) -> Built {
        let lan = self.lans.first().copied().unwrap_or_default();
        let v4 = in_lan(lan, 17);
        let v6 = self.axes.waits.v6.map(|_| global(0, 8));
        let host = self.host("waits", other.switch, v4, v6);
        Built { home: Home { host, v4, v6, ..other.home }, ..other }
    }

    fn host(&mut self, name: &str, switch: NodeId, v4: IpAddr, v6: Option<IpAddr>) -> NodeId {
        let wire = Wire { loss: self.axes.loss / 2, ..Wire::clean(Duration::from_micros(700)) };
        let host = self.network.add(name, switch, Role::Host, wire);
        for ip in [Some(v4), v6].into_iter().flatten() {
            self.network.announce(host, ip);
        }
        host
    }

    fn router(
        &mut self,
        name: &str,
        above: NodeId,
        wire: Wire,
        nat: Option<Nat>,
        firewall: Option<Firewall>,
        blocks: bool,
    ) -> NodeId {
        let (nat, firewall) = (nat.map(Box::new), firewall.map(Box::new));
        self.network.add(name, above, Role::Router { inside: None, nat, firewall, blocks }, wire)
    }
}

fn plain() -> Role {
    Role::Router { inside: None, nat: None, firewall: None, blocks: false }
}

fn in_lan([a, b, c]: [u8; 3], host: u8) -> IpAddr {
    Ipv4Addr::new(a, b, c, host).into()
}

fn global(site: u16, host: u16) -> IpAddr {
    Ipv6Addr::new(0x2a01, 0x100 + site, 0, 0, 0, 0, 0, host).into()
}
