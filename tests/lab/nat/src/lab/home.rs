//! A home: a provider's router, the home's own, and up to two hosts behind it.
//!
//! From one home to another a packet passes the router, the provider's router, the core, and the same again, as on the internet: one that may
//! pass four routers has opened everything on its own side, and is dropped by the other side's provider.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::Failure;
use super::kind::Kind;
use super::rules::{LIFETIME, Router};
use super::space::Space;
use super::upnp::Upnp;
use super::watch;
use super::wire::{self, Wire};

/// What is behind one connection to the internet.
#[derive(Debug)]
pub(crate) struct Home {
    /// Tells its addresses from other homes'. It is between 1 and 8.
    number: u8,
    pub(crate) kind: Kind,
    hairpins: bool,
    pub(crate) lifetime: Duration,
    first_port: u16,
    /// The last byte of the router's address; it is another after the provider has given it another.
    external_host: u8,
    pub(crate) isp: Space,
    pub(crate) router: Space,
    upnp: Option<Upnp>,
}

/// A machine with its addresses.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) space: Space,
    pub(crate) v4: Option<Ipv4Addr>,
    pub(crate) v6: Option<Ipv6Addr>,
}

impl Host {
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        self.v4.map(IpAddr::V4).into_iter().chain(self.v6.map(IpAddr::V6))
    }
}

/// How hosts are placed in a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lan {
    /// One network.
    Shared,
    /// A network for each of two, which reach each other by the external address alone.
    Apart,
}

impl Home {
    /// One without hosts, joined to the core, which is told where its addresses are.
    pub(crate) fn new(
        ground: usize,
        number: u8,
        kind: Kind,
        lan: Lan,
        core: &Space,
        seed: u64,
        wire: Option<Wire>,
    ) -> Result<Self, Failure> {
        let home = Self {
            number,
            kind,
            hairpins: lan == Lan::Apart,
            lifetime: LIFETIME,
            first_port: 10_000 + u16::try_from((seed ^ u64::from(number).wrapping_mul(0x9e37)) % 40_000)?,
            external_host: 2,
            isp: Space::new(ground, &format!("i{number}"))?,
            router: Space::new(ground, &format!("r{number}"))?,
            upnp: None,
        };
        let n = number;
        for space in [&home.isp, &home.router] {
            space.set("ipv4/ip_forward", "1")?;
            space.set("ipv6/conf/all/forwarding", "1")?;
        }
        let (router, external) = (home.router.name(), home.external());
        let customers = home.customers();
        wire::join(wire, (core, &format!("h{n}")), (&home.isp, "wan"))?;
        core.ip(&[
            format!("address add 11.{n}.0.1/24 dev h{n}"),
            format!("address add 2a0a:{n}::1/64 dev h{n} nodad"),
            format!("link set h{n} up"),
        ])?;
        home.isp.ip(&[
            format!("address add 11.{n}.0.2/24 dev wan"),
            format!("address add 2a0a:{n}::2/64 dev wan nodad"),
            "link set wan up".to_owned(),
            format!("link add lan type veth peer name wan netns {router}"),
            format!("address add {} dev lan", customers(1)),
            format!("address add 2a0a:{n}:1::1/64 dev lan nodad"),
            "link set lan up".to_owned(),
            format!("route add default via 11.{n}.0.1"),
            format!("route add ::/0 via 2a0a:{n}::1"),
        ])?;
        home.router.ip(&[
            format!("address add {} dev wan", customers(home.external_host)),
            format!("address add 2a0a:{n}:1::2/64 dev wan nodad"),
            "link set wan up".to_owned(),
            format!("route add default via {}", address(&customers(1))),
            format!("route add ::/0 via 2a0a:{n}:1::1"),
            "link add lan type bridge mcast_snooping 0".to_owned(),
            format!("address add {}/24 dev lan", home.inside(0, 1)),
            format!("address add 2a0a:{n}:2::1/64 dev lan nodad"),
            "link set lan up".to_owned(),
        ])?;
        home.isp.ip(&[
            format!("route add 2a0a:{n}:2::/64 via 2a0a:{n}:1::2"),
            format!("route add 11.{n}.2.0/24 via {external}"),
        ])?;
        core.ip(&[
            format!("route add 11.{n}.0.0/16 via 11.{n}.0.2"),
            format!("route add 2a0a:{n}::/32 via 2a0a:{n}::2"),
        ])?;
        home.load()?;
        Ok(home)
    }

    /// A host there, the first or the second.
    pub(crate) fn host(&self, ground: usize, place: u8) -> Result<Host, Failure> {
        let n = self.number;
        let space = Space::new(ground, &format!("h{n}{place}"))?;
        let port = format!("p{place}");
        let mut lines = vec![format!("link add {port} type veth peer name eth0 netns {}", space.name())];
        let network = if self.hairpins && place > 0 {
            lines.push(format!("link set {port} name lan2"));
            lines.push(format!("address add {}/24 dev lan2", self.inside(1, 1)));
            lines.push("link set lan2 up".to_owned());
            1
        } else {
            lines.push(format!("link set {port} master lan up"));
            0
        };
        self.router.ip(&lines)?;
        let v4 = self.kind.has_v4().then(|| self.inside(network, 10 * n + place));
        let v6 = self
            .kind
            .has_v6()
            .then(|| Ipv6Addr::new(0x2a0a, n.into(), 2, 0, 0, 0, 0, 0x10 + u16::from(place)));
        if v6.is_none() {
            space.set("ipv6/conf/all/disable_ipv6", "1")?;
        }
        let mut lines = vec!["link set eth0 up".to_owned()];
        if let Some(v4) = v4 {
            lines.push(format!("address add {v4}/24 dev eth0"));
            lines.push(format!("route add default via {}", self.inside(network, 1)));
        }
        if let Some(v6) = v6 {
            lines.push(format!("address add {v6}/64 dev eth0 nodad"));
            lines.push(format!("route add ::/0 via 2a0a:{n}:2::1"));
        }
        space.ip(&lines)?;
        space.nft(watch::RULES)?;
        Ok(Host { space, v4, v6 })
    }

    /// The router's address outside.
    pub(crate) fn external(&self) -> Ipv4Addr {
        let host = self.external_host;
        if self.kind == Kind::Cgnat {
            Ipv4Addr::new(100, 64, self.number, host)
        } else {
            Ipv4Addr::new(11, self.number, 1, host)
        }
    }

    /// What others see a host's packets come from; its own address where nothing is translated.
    pub(crate) fn public(&self) -> Ipv4Addr {
        match self.kind {
            Kind::Public => self.inside(0, 10 * self.number),
            Kind::Cgnat => Ipv4Addr::new(11, self.number, 0, 2),
            _ => self.external(),
        }
    }

    /// The router's address inside.
    pub(crate) fn gateway(&self) -> Ipv4Addr {
        self.inside(0, 1)
    }

    /// An address in the first or second network. Homes of most people have the same one.
    fn inside(&self, network: u8, host: u8) -> Ipv4Addr {
        if self.kind == Kind::Public {
            Ipv4Addr::new(11, self.number, 2 + network, host)
        } else {
            Ipv4Addr::new(192, 168, 1 + network, host)
        }
    }

    /// Addresses of the provider's customers, with their network's length.
    fn customers(&self) -> impl Fn(u8) -> String + use<> {
        let (kind, number) = (self.kind, self.number);
        move |host| match kind {
            Kind::Cgnat => format!("100.64.{number}.{host}/24"),
            _ => format!("11.{number}.1.{host}/24"),
        }
    }

    /// Loads the rules anew and forgets every mapping, as a router does that starts.
    pub(crate) fn load(&self) -> Result<(), Failure> {
        self.router.nft(&self.rules(self.kind, self.external()).rules())?;
        if self.kind == Kind::Cgnat {
            self.isp.nft(&self.rules(Kind::Cgnat, self.public()).rules())?;
        }
        for space in [&self.router, &self.isp] {
            if self.kind != Kind::Public {
                space.flush_connections()?;
                space.set(
                    "netfilter/nf_conntrack_udp_timeout",
                    &self.lifetime.as_secs().min(30).to_string(),
                )?;
                space
                    .set("netfilter/nf_conntrack_udp_timeout_stream", &self.lifetime.as_secs().to_string())?;
            }
        }
        Ok(())
    }

    fn rules(&self, kind: Kind, external: Ipv4Addr) -> Router {
        let Self { lifetime, first_port, hairpins, .. } = *self;
        Router { kind, external, lifetime, first_port, hairpins }
    }

    /// The same, as after an hour in which others used the router: sequential ports go on somewhere else.
    pub(crate) fn restart(&mut self, first_port: u16) -> Result<(), Failure> {
        self.first_port = first_port;
        self.load()
    }

    /// Gives mappings this long.
    pub(crate) fn set_lifetime(&mut self, lifetime: Duration) -> Result<(), Failure> {
        self.lifetime = lifetime;
        self.load()
    }

    /// Starts what maps ports for who asks, where the kind has it.
    pub(crate) fn start_upnp(&mut self, folder: &std::path::Path) -> Result<(), Failure> {
        if self.kind == Kind::Upnp && self.upnp.is_none() {
            let inside = self.gateway();
            self.upnp =
                Some(Upnp::start(&self.router, inside, &folder.join(format!("upnp{}", self.number)))?);
        }
        Ok(())
    }

    /// A host takes another address in its network, as it does that joins another.
    pub(crate) fn move_host(&self, host: &mut Host) -> Result<(), Failure> {
        let Some(old) = host.v4 else { return Ok(()) };
        let new = self.inside(0, old.octets()[3].wrapping_add(100));
        host.space.ip(&[
            format!("address add {new}/24 dev eth0"),
            format!("address del {old}/24 dev eth0"),
            format!("route replace default via {}", self.gateway()),
        ])?;
        host.v4 = Some(new);
        Ok(())
    }

    /// The provider gives the router another address.
    pub(crate) fn renumber(&mut self) -> Result<(), Failure> {
        let customers = self.customers();
        let old = customers(self.external_host);
        self.external_host = self.external_host.wrapping_add(1);
        self.router.ip(&[
            format!("address add {} dev wan", customers(self.external_host)),
            format!("address del {old} dev wan"),
            // The address that went was the first, and its network's route went with it.
            format!("route replace default via {}", address(&customers(1))),
        ])?;
        self.load()
    }
}

/// Without the network's length.
fn address(with_length: &str) -> &str {
    with_length.split('/').next().unwrap_or(with_length)
}
