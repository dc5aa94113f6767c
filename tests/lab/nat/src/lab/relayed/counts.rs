//! What passes a machine that relays, counted by its kernel.

use std::collections::BTreeMap;
use std::net::{IpAddr, UdpSocket};
use std::ops::Sub;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::lab::Failure;
use crate::lab::ground::{Ground, Layout};
use crate::lab::home::Host;
use crate::lab::kind::Kind;
use crate::lab::shell::run_with;

/// Counts by where it comes from what arrives: datagrams of circuits, and everything.
///
/// A datagram of a circuit begins with the bits 10, which no packet of QUIC and no question to STUN does; a probe may, and has 64 bytes. Over TCP they
/// cannot be told from the rest of the link with the relay.
pub(crate) const RULES: &str = "table inet relayed {
set circuits4 { type ipv4_addr; flags dynamic; counter; size 4096; }
set circuits6 { type ipv6_addr; flags dynamic; counter; size 4096; }
set heard4 { type ipv4_addr; flags dynamic; counter; size 4096; }
set heard6 { type ipv6_addr; flags dynamic; counter; size 4096; }
chain in {
  type filter hook prerouting priority -250;
  iifname eth0 ip saddr != 0.0.0.0 update @heard4 { ip saddr }
  iifname eth0 update @heard6 { ip6 saddr }
  iifname eth0 udp length != 72 @th,64,8 & 0xc0 == 0x80 update @circuits4 { ip saddr }
  iifname eth0 udp length != 72 @th,64,8 & 0xc0 == 0x80 update @circuits6 { ip6 saddr }
}
}
";

/// What came to those who relay from some addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Datagrams of circuits over UDP.
    pub(crate) frames: u64,
    /// Bytes of everything, links with the relay included.
    pub(crate) bytes: u64,
}

impl Sub for Passed {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            frames: self.frames.saturating_sub(earlier.frames),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }
}

impl Passed {
    /// Since the ground was made, at all of these machines, from these addresses.
    pub(crate) fn at(relays: &[Host], sources: &[IpAddr]) -> Result<Self, Failure> {
        let mut passed = Self::default();
        for relay in relays {
            let counted = counted(relay)?;
            let sum = |what: &str, unit: usize| -> u64 {
                let of_what =
                    counted.iter().filter(|((name, from), _)| name == what && sources.contains(from));
                of_what.filter_map(|(_, counts)| counts.get(unit)).sum()
            };
            passed.frames += sum("circuits", 0);
            passed.bytes += sum("heard", 1);
        }
        Ok(passed)
    }
}

/// Packets and bytes, by set and source.
fn counted(relay: &Host) -> Result<BTreeMap<(String, IpAddr), [u64; 2]>, Failure> {
    let mut command = relay.space.command("nft");
    let listing = run_with(command.args(["-j", "list", "table", "inet", "relayed"]), "")?;
    let listing: Value = serde_json::from_str(&listing)?;
    let mut counted = BTreeMap::new();
    for object in listing["nftables"].as_array().into_iter().flatten() {
        let name = object["set"]["name"].as_str().unwrap_or_default().trim_end_matches(['4', '6']);
        for element in object["set"]["elem"].as_array().into_iter().flatten() {
            let element = &element["elem"];
            let from = element["val"].as_str().ok_or("an address is text")?.parse()?;
            let count = |what: &str| element["counter"][what].as_u64().unwrap_or_default();
            counted.insert((name.to_owned(), from), [count("packets"), count("bytes")]);
        }
    }
    Ok(counted)
}

/// Whether datagrams of circuits are told from others, tried with plain sockets; sentences about what is not so.
pub(crate) fn check(seed: u64, folder: &Path) -> Result<Vec<String>, Failure> {
    std::fs::create_dir_all(folder)?;
    let kinds = Layout::Homes(Kind::PortRestricted, Kind::DualStack);
    let mut ground = Ground::new(kinds, seed, None, folder)?;
    ground.add_relays(2)?;
    let mut wrong = Vec::new();
    for (relay, at) in ground.relays.iter().enumerate() {
        for (host, to) in [(0, at.v4.map(IpAddr::V4)), (1, at.v6.map(IpAddr::V6))] {
            let to = to.ok_or("those in public have both families")?;
            let from = ground.hosts.get(host).ok_or("there are two")?;
            let sources = ground.sources(host);
            let before = Passed::at(&ground.relays, &sources)?;
            from.space.enter(|| send(to))??;
            let passed = Passed::at(&ground.relays, &sources)? - before;
            if passed.frames != 1 {
                wrong.push(format!("{} datagrams of a circuit were counted at {to}, not one", passed.frames));
            }
            if passed.bytes < (OTHER + FRAME) as u64 {
                wrong.push(format!("only {} bytes were counted at relay {relay}", passed.bytes));
            }
        }
    }
    for host in [0, 1] {
        let relay = ground.relays.first().ok_or("there are two")?;
        ground.part(host, relay, true)?;
        let sources = ground.sources(host);
        let before = Passed::at(&ground.relays, &sources)?;
        let from = ground.hosts.get(host).ok_or("there are two")?;
        for to in relay.addresses().filter(|to| from.addresses().any(|own| own.is_ipv4() == to.is_ipv4())) {
            from.space.enter(|| send(to))??;
        }
        let passed = Passed::at(&ground.relays, &sources)? - before;
        if passed != Passed::default() {
            wrong.push(format!("host {host} reaches a relay that it is kept apart from: {passed:?}"));
        }
    }
    Ok(wrong)
}

/// Lengths of what is sent in the check, in bytes.
const FRAME: usize = 100;
const OTHER: usize = 1000;
const PROBE: usize = 64;

/// One datagram of a circuit, one of QUIC, and a probe that begins like a circuit's.
fn send(to: IpAddr) -> Result<(), Failure> {
    let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((any, 0))?;
    for (first, length) in [(0x80, FRAME), (0x40, OTHER), (0x80, PROBE)] {
        let mut datagram = vec![0; length];
        datagram.iter_mut().take(1).for_each(|byte| *byte = first);
        socket.send_to(&datagram, (to, NOBODY))?;
    }
    // It is counted when it arrives.
    std::thread::sleep(Duration::from_millis(100));
    Ok(())
}

/// A port where nobody listens.
const NOBODY: u16 = 9;
