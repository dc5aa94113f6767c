//! An internet with two homes (or one with two hosts) and friends in public, in namespaces of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Failure;
use super::home::{Home, Host, Lan};
use super::kind::Kind;
use super::relayed::counts;
use super::space::Space;
use super::watch;
use super::wire::Wire;

/// Who lives where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Each in a home of this kind.
    Homes(Kind, Kind),
    /// Both in one network of one home.
    SameLan(Kind),
    /// Both behind one router that hairpins, in networks that reach each other no other way.
    Hairpin(Kind),
}

/// The address of the friend in public.
pub(crate) const FRIEND: [u8; 4] = [11, 9, 0, 2];
/// The core's own, beside the friend.
pub(crate) const CORE: [u8; 4] = [11, 9, 0, 1];

#[derive(Debug)]
pub(crate) struct Ground {
    number: usize,
    pub(crate) core: Space,
    /// A public host at the core, with nothing between.
    pub(crate) friend: Host,
    /// Public hosts of others, in networks of their own, for those who relay.
    pub(crate) relays: Vec<Host>,
    pub(crate) homes: Vec<Home>,
    pub(crate) hosts: [Host; 2],
}

impl Ground {
    /// Makes it. `folder` is for the files of what runs in it.
    pub(crate) fn new(layout: Layout, seed: u64, wire: Option<Wire>, folder: &Path) -> Result<Self, Failure> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let ground = MADE.fetch_add(1, Ordering::Relaxed);
        let core = Space::new(ground, "core")?;
        core.set("ipv4/ip_forward", "1")?;
        core.set("ipv6/conf/all/forwarding", "1")?;
        let friend = in_public(ground, &core, "friend", FRIEND[1])?;
        let homes = match layout {
            Layout::Homes(one, other) => {
                let home = |number, kind| {
                    let wire = wire.filter(|wire| wire.is_each || number == 1);
                    Home::new(ground, number, kind, Lan::Shared, &core, seed, wire)
                };
                vec![home(1, one)?, home(2, other)?]
            }
            Layout::SameLan(kind) => vec![Home::new(ground, 1, kind, Lan::Shared, &core, seed, wire)?],
            Layout::Hairpin(kind) => vec![Home::new(ground, 1, kind, Lan::Apart, &core, seed, wire)?],
        };
        let hosts = match homes.as_slice() {
            [one, other, ..] => [one.host(ground, 0)?, other.host(ground, 0)?],
            [one] => [one.host(ground, 0)?, one.host(ground, 1)?],
            [] => return Err("nobody lives here".into()),
        };
        let mut made = Self { number: ground, core, friend, relays: Vec::new(), homes, hosts };
        for home in &mut made.homes {
            home.start_upnp(folder)?;
        }
        made.wait()?;
        Ok(made)
    }

    /// Waits until packets of each host come to the friend in public: a device takes its time, and who asked for a neighbour before asks
    /// again after a second.
    fn wait(&self) -> Result<(), Failure> {
        let until = Instant::now() + Duration::from_secs(5);
        for (number, host) in self.hosts.iter().enumerate() {
            let kind = self.home(number).kind;
            let v4 = self.friend.v4.filter(|_| kind.v4().is_some()).map(IpAddr::V4);
            let v6 = self.friend.v6.filter(|_| kind.v6().is_some()).map(IpAddr::V6);
            for friend in v4.into_iter().chain(v6) {
                let at_friend = self.friend.space.enter(|| UdpSocket::bind((friend, 0)))??;
                at_friend.set_read_timeout(Some(Duration::from_millis(50)))?;
                let any: IpAddr = if friend.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
                let at_host = host.space.enter(|| UdpSocket::bind((any, 0)))??;
                let target = at_friend.local_addr()?;
                // What is not sent now is sent next time.
                while at_host.send_to(b"up?", target).is_err() || at_friend.recv(&mut [0; 8]).is_err() {
                    if Instant::now() > until {
                        return Err(format!("{} does not reach {friend}", kind.name()).into());
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes so many public hosts for those who relay.
    pub(crate) fn add_relays(&mut self, count: usize) -> Result<(), Failure> {
        for network in (FRIEND[1] + 1..).take(count) {
            let relay = in_public(self.number, &self.core, &format!("relay{network}"), network)?;
            relay.space.nft(counts::RULES)?;
            self.relays.push(relay);
        }
        Ok(())
    }

    /// The home of a host.
    pub(crate) fn home(&self, host: usize) -> &Home {
        self.homes.get(host).unwrap_or(&self.homes[0])
    }

    /// Where packets of a host may come from: its own addresses, and those its routers translate to.
    pub(crate) fn sources(&self, host: usize) -> Vec<IpAddr> {
        let home = self.home(host);
        let own = self.hosts.get(host).into_iter().flat_map(Host::addresses);
        own.chain([home.public().into(), home.external().into()]).collect()
    }

    /// All routers start anew, and everything is counted from nothing.
    pub(crate) fn refresh(&mut self, seed: u64) -> Result<(), Failure> {
        for (home, salt) in self.homes.iter_mut().zip([17, 40_503]) {
            home.restart(
                10_000 + u16::try_from((seed.wrapping_mul(2_654_435_761) >> 7).wrapping_add(salt) % 40_000)?,
            )?;
        }
        self.count_anew()
    }

    pub(crate) fn count_anew(&self) -> Result<(), Failure> {
        self.hosts.iter().try_for_each(|host| watch::reset(&host.space))
    }

    /// Has the core carry nothing between a host's home and a public host, or all again. Nobody is told.
    pub(crate) fn part(&self, host: usize, from: &Host, is_parted: bool) -> Result<(), Failure> {
        let mut rules = String::new();
        if is_parted {
            for (source, address) in
                self.sources(host).iter().flat_map(|source| from.addresses().map(move |to| (source, to)))
            {
                let family = match (source, address) {
                    (IpAddr::V4(_), IpAddr::V4(_)) => "ip",
                    (IpAddr::V6(_), IpAddr::V6(_)) => "ip6",
                    _ => continue,
                };
                rules += &format!("{family} saddr {source} {family} daddr {address} drop\n");
                rules += &format!("{family} saddr {address} {family} daddr {source} drop\n");
            }
        }
        self.core.nft(&format!(
            "table inet part\ndelete table inet part\ntable inet part {{\nchain forward {{\ntype filter hook forward priority 0;\n{rules}}}\n}}\n"
        ))
    }

    /// Has the core carry nothing between the homes and the rest, or all again. Nobody is told.
    pub(crate) fn cut(&self, is_cut: bool) -> Result<(), Failure> {
        let chains = "chain in { type filter hook prerouting priority -300; drop; }
chain out { type filter hook postrouting priority 400; drop; }\n";
        let chains = if is_cut { chains } else { "" };
        self.core.nft(&format!("table inet cut\ndelete table inet cut\ntable inet cut {{\n{chains}}}\n"))
    }
}

/// A host at the core, with nothing between. `network` tells its addresses from those of homes and of others in public.
fn in_public(ground: usize, core: &Space, role: &str, network: u8) -> Result<Host, Failure> {
    let space = Space::new(ground, role)?;
    let [own, gateway] = [2, 1].map(|host| Ipv4Addr::new(11, network, 0, host));
    let v6: Ipv6Addr = format!("2a0a:{network}::2").parse()?;
    core.ip(&[
        format!("link add {role} type veth peer name eth0 netns {}", space.name()),
        format!("address add {gateway}/24 dev {role}"),
        format!("address add 2a0a:{network}::1/64 dev {role} nodad"),
        format!("link set {role} up"),
    ])?;
    space.ip(&[
        format!("address add {own}/24 dev eth0"),
        format!("address add {v6}/64 dev eth0 nodad"),
        "link set eth0 up".to_owned(),
        format!("route add default via {gateway}"),
        format!("route add ::/0 via 2a0a:{network}::1"),
    ])?;
    Ok(Host { space, v4: Some(own), v6: Some(v6) })
}
