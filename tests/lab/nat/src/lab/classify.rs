//! Whether each kind is what it claims, tried with plain sockets: a laboratory whose NATs are others than it says proves nothing.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use super::Failure;
use super::ground::{CORE, FRIEND, Ground, Layout};
use super::kind::{Filtering, Kind, Mapping, Traits};
use super::space::Space;

/// Longer than any packet takes here, unless the machine is very busy.
const PATIENCE: Duration = Duration::from_millis(250);
/// The v6 addresses beside [`FRIEND`] and [`CORE`].
const FRIEND_V6: [u16; 8] = [0x2a0a, 9, 0, 0, 0, 0, 0, 2];
const CORE_V6: [u16; 8] = [0x2a0a, 9, 0, 0, 0, 0, 0, 1];

/// Tries everything that a kind claims; what is not so, in sentences.
pub(crate) fn check(kind: Kind, seed: u64, folder: &Path) -> Result<Vec<String>, Failure> {
    let mut ground = Ground::new(Layout::Homes(kind, Kind::Public), seed, None, folder)?;
    let mut wrong = Vec::new();
    let mut expect = |what: &str, claimed: String, found: String| {
        if claimed != found {
            wrong.push(format!("{}: {what}: claims {claimed}, is {found}", kind.name()));
        }
    };
    if kind.has_v4() {
        let stage = Stage::new(&ground, false)?;
        let claimed = kind.v4();
        expect("UDP over IPv4", shown(claimed), shown(stage.traits()?));
        if claimed.is_some() {
            expect(
                "a port is kept",
                (kind == Kind::Linux || kind == Kind::Public).to_string(),
                stage.keeps_ports()?.to_string(),
            );
            let poisoned = stage.unsolicited_takes_the_port()?;
            expect(
                "an unasked packet takes the port",
                (kind == Kind::Linux).to_string(),
                poisoned.to_string(),
            );
        }
        if kind == Kind::Upnp {
            expect("a port can be mapped", "true".into(), stage.maps_by_nat_pmp(&ground)?.to_string());
        }
    }
    if kind.has_v6() {
        expect("UDP over IPv6", shown(kind.v6()), shown(Stage::new(&ground, true)?.traits()?));
    }
    if kind.v4().is_some() && kind != Kind::Public {
        let hops = hops_to_the_other_router(&ground)?;
        expect("hops to the other side's router", "5".into(), hops.to_string());
        ground.homes.iter_mut().try_for_each(|home| home.set_lifetime(Duration::from_secs(3)))?;
        let lived = Stage::new(&ground, false)?.lives()?;
        expect("after 1 s and after 5 s", "[true, false]".into(), format!("{lived:?}"));
    }
    Ok(wrong)
}

/// Tries that two hosts behind one router that hairpins reach each other by its address outside, and by no other.
pub(crate) fn check_hairpin(seed: u64, folder: &Path) -> Result<Vec<String>, Failure> {
    let ground = Ground::new(Layout::Hairpin(Kind::PortRestricted), seed, None, folder)?;
    let stage = Stage::new(&ground, false)?;
    let [_, other] = &ground.hosts;
    let (one, other_socket) = (&stage.inside()?, &bind(&other.space, "0.0.0.0:0")?);
    let outside = stage.reflexive(one, &stage.friend)?.ok_or("no mapping")?;
    let local = SocketAddr::new(ground.hosts[0].v4.ok_or("no address")?.into(), one.local_addr()?.port());
    let mut wrong = Vec::new();
    if !arrives(other_socket, outside, one)? {
        wrong.push("hairpin: the address outside does not lead back in".to_owned());
    }
    if arrives(other_socket, local, one)? {
        wrong.push("hairpin: the two networks are not apart".to_owned());
    }
    Ok(wrong)
}

fn shown(traits: Option<Traits>) -> String {
    traits.map_or("blocked".to_owned(), |traits| traits.to_string())
}

/// Sockets at the friend and at the core, which are two addresses, and at a host.
struct Stage<'a> {
    host: &'a Space,
    any: &'static str,
    friend: UdpSocket,
    friend_other_port: UdpSocket,
    core: UdpSocket,
}

impl<'a> Stage<'a> {
    fn new(ground: &'a Ground, v6: bool) -> Result<Self, Failure> {
        let (friend, core): (IpAddr, IpAddr) =
            if v6 { (FRIEND_V6.into(), CORE_V6.into()) } else { (FRIEND.into(), CORE.into()) };
        let at = |space, ip| bind(space, &SocketAddr::new(ip, 0).to_string());
        Ok(Self {
            host: &ground.hosts[0].space,
            any: if v6 { "[::]:0" } else { "0.0.0.0:0" },
            friend: at(&ground.friend.space, friend)?,
            friend_other_port: at(&ground.friend.space, friend)?,
            core: at(&ground.core, core)?,
        })
    }

    fn inside(&self) -> Result<UdpSocket, Failure> {
        bind(self.host, self.any)
    }

    /// Where a packet of `socket` comes from, as `to` sees it.
    fn reflexive(&self, socket: &UdpSocket, to: &UdpSocket) -> Result<Option<SocketAddr>, Failure> {
        let word = word();
        // A network that refuses it at once lets it through as little as one that says nothing.
        let _ = socket.send_to(&word, to.local_addr()?);
        heard(to, &word)
    }

    fn traits(&self) -> Result<Option<Traits>, Failure> {
        let mapping = self.mapping()?;
        let filtering = self.filtering()?;
        Ok(mapping.zip(filtering).map(|(mapping, filtering)| Traits { mapping, filtering }))
    }

    fn mapping(&self) -> Result<Option<Mapping>, Failure> {
        let mut found = Vec::new();
        for _ in 0..3 {
            let socket = self.inside()?;
            let mut seen = Vec::new();
            for to in [&self.friend, &self.friend_other_port, &self.core] {
                let Some(address) = self.reflexive(&socket, to)? else { return Ok(None) };
                seen.push(address);
            }
            let own = socket.local_addr()?.port();
            let (first, steps) =
                (seen[0], seen.windows(2).map(|two| i32::from(two[1].port()) - i32::from(two[0].port())));
            let steps: Vec<i32> = steps.collect();
            found.push(if steps == [0, 0] {
                // The one kind that keeps ports and translates is told by the address.
                let translated = self.is_translated(first.ip())?;
                if first.port() == own && !translated { Mapping::None } else { Mapping::Independent }
            } else if steps == [1, 1] {
                Mapping::Sequential
            } else {
                Mapping::Random
            });
        }
        let first = found.first().copied();
        if found.iter().all(|mapping| Some(*mapping) == first) {
            Ok(first)
        } else {
            Err(format!("mappings differ: {found:?}").into())
        }
    }

    /// Whether an address is none of the host's.
    fn is_translated(&self, seen: IpAddr) -> Result<bool, Failure> {
        Ok(self.host.enter(|| UdpSocket::bind((seen, 0)))?.is_err())
    }

    fn filtering(&self) -> Result<Option<Filtering>, Failure> {
        let socket = self.inside()?;
        let Some(outside) = self.reflexive(&socket, &self.friend)? else { return Ok(None) };
        if !arrives(&self.friend, outside, &socket)? {
            return Ok(None);
        }
        let of_address = arrives(&self.friend_other_port, outside, &socket)?;
        let of_all = arrives(&self.core, outside, &socket)?;
        Ok(Some(match (of_address, of_all) {
            (true, true) => Filtering::Independent,
            (true, false) => Filtering::Address,
            (false, _) => Filtering::AddressAndPort,
        }))
    }

    fn keeps_ports(&self) -> Result<bool, Failure> {
        let mut kept = true;
        for _ in 0..2 {
            let socket = self.inside()?;
            let seen = self.reflexive(&socket, &self.friend)?;
            kept &= seen.is_some_and(|seen| socket.local_addr().is_ok_and(|own| own.port() == seen.port()));
        }
        Ok(kept)
    }

    /// Whether a packet that comes before the inside has asked for it makes the inside's own get another port than it has otherwise.
    fn unsolicited_takes_the_port(&self) -> Result<bool, Failure> {
        let socket = self.inside()?;
        let Some(before) = self.reflexive(&socket, &self.friend)? else { return Ok(false) };
        let undisturbed = self.reflexive(&socket, &self.friend_other_port)?;
        self.core.send_to(b"unasked", before)?;
        std::thread::sleep(Duration::from_millis(20));
        let after = self.reflexive(&socket, &self.core)?;
        // What gives every destination another port does so anyway.
        Ok(undisturbed == Some(before) && after != Some(before))
    }

    /// Whether a mapping lets answers in a second after its last packet, and five seconds after.
    fn lives(&self) -> Result<[bool; 2], Failure> {
        let socket = self.inside()?;
        let outside = self.reflexive(&socket, &self.friend)?.ok_or("no mapping")?;
        let after = |pause| {
            std::thread::sleep(Duration::from_secs(pause));
            arrives(&self.friend, outside, &socket)
        };
        Ok([after(1)?, after(5)?])
    }

    /// RFC 6886: asks the router for a port, and tries it from an address that nothing was sent to.
    fn maps_by_nat_pmp(&self, ground: &Ground) -> Result<bool, Failure> {
        let socket = self.inside()?;
        let inside = socket.local_addr()?.port().to_be_bytes();
        let gateway = ground.home(0).gateway();
        // Version 0, opcode 1 (UDP), two reserved, the inner port, no wish for an outer one, an hour.
        let request = [0, 1, 0, 0, inside[0], inside[1], 0, 0, 0, 0, 0x0e, 0x10];
        let mut answer = [0; 16];
        for _ in 0..20 {
            // It may not be up yet.
            let _ = socket.send_to(&request, (gateway, 5351));
            if let Ok((16, _)) = socket.recv_from(&mut answer) {
                let port = u16::from_be_bytes([answer[10], answer[11]]);
                let outside = SocketAddr::new(ground.homes[0].public().into(), port);
                return Ok(answer[3] == 0 && arrives(&self.core, outside, &socket)?);
            }
        }
        Ok(false)
    }
}

/// How many routers' worth of hops it takes for a packet to come to the router of the other home: one that may pass one less dies before.
fn hops_to_the_other_router(ground: &Ground) -> Result<u8, Failure> {
    let target = SocketAddr::new(ground.homes[1].external().into(), 9);
    let socket = bind(&ground.hosts[0].space, "0.0.0.0:0")?;
    let router = &ground.homes[1].router;
    router.nft(
        "table inet hops { counter came { }; chain in { type filter hook prerouting priority -250; udp dport 9 counter name came; }; }",
    )?;
    for hops in 1..=8 {
        socket.set_ttl(hops.into())?;
        // What a router on the way says about the last one is no failure of this.
        let _ = socket.send_to(b"hops", target).or_else(|_| socket.send_to(b"hops", target));
        std::thread::sleep(Duration::from_millis(20));
        let came = super::shell::run_with(
            router.command("nft").args(["list", "counter", "inet", "hops", "came"]),
            "",
        )?;
        if !came.contains("packets 0 ") {
            return Ok(hops);
        }
    }
    Ok(0)
}

fn bind(space: &Space, address: &str) -> Result<UdpSocket, Failure> {
    let socket = space.enter(|| UdpSocket::bind(address))??;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn arrives(from: &UdpSocket, to: SocketAddr, at: &UdpSocket) -> Result<bool, Failure> {
    let word = word();
    let _ = from.send_to(&word, to);
    Ok(heard(at, &word)?.is_some())
}

/// Waits for this word; whom it came from.
fn heard(at: &UdpSocket, word: &[u8]) -> Result<Option<SocketAddr>, Failure> {
    let mut buffer = [0; 64];
    loop {
        match at.recv_from(&mut buffer) {
            Ok((length, from)) if buffer.get(..length) == Some(word) => return Ok(Some(from)),
            // Something older, or a router's word about it.
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {}
            Err(_) => return Ok(None),
        }
    }
}

/// One that was not sent before.
fn word() -> [u8; 8] {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_be_bytes()
}
