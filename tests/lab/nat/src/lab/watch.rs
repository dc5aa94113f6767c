//! What a host has sent and heard, counted by its kernel: a verdict that asks nobody.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use super::Failure;
use super::shell::run_with;
use super::space::Space;

/// Counts bytes by where they come from, before anything else sees them, and probes by where they go.
///
/// A probe of a meeting has 64 bytes and QUIC's fixed bit clear; neither a packet of QUIC nor a question to STUN is that.
pub(crate) const RULES: &str = "table inet watch
delete table inet watch
table inet watch {
set heard4 { type ipv4_addr; flags dynamic; counter; size 65536; }
set heard6 { type ipv6_addr; flags dynamic; counter; size 65536; }
set told4 { type ipv4_addr; flags dynamic; counter; size 65536; }
set told6 { type ipv6_addr; flags dynamic; counter; size 65536; }
set probed4 { type ipv4_addr . inet_service; flags dynamic; counter; size 262144; }
set probed6 { type ipv6_addr . inet_service; flags dynamic; counter; size 262144; }
chain in {
  type filter hook prerouting priority -250;
  iifname eth0 ip saddr != 0.0.0.0 update @heard4 { ip saddr }
  iifname eth0 update @heard6 { ip6 saddr }
}
chain out {
  type filter hook output priority -250;
  oifname eth0 ip daddr != 0.0.0.0 update @told4 { ip daddr }
  oifname eth0 update @told6 { ip6 daddr }
  oifname eth0 udp length 72 @th,64,8 & 0x40 == 0 @th,96,32 != 0x2112a442 update @probed4 { ip daddr . udp dport }
  oifname eth0 udp length 72 @th,64,8 & 0x40 == 0 @th,96,32 != 0x2112a442 update @probed6 { ip6 daddr . udp dport }
}
}
";

/// What was counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Bytes by source.
    pub(crate) heard: BTreeMap<IpAddr, u64>,
    /// Probes by destination.
    pub(crate) probed: BTreeMap<(IpAddr, u16), u64>,
    /// Packets by who they came from, and by whom they went to.
    pub(crate) packets: [BTreeMap<IpAddr, u64>; 2],
}

impl Seen {
    /// Reads what a host has counted so far.
    pub(crate) fn at(host: &Space) -> Result<Self, Failure> {
        let listing = run_with(host.command("nft").args(["-j", "list", "table", "inet", "watch"]), "")?;
        let listing: Value = serde_json::from_str(&listing)?;
        let mut seen = Self::default();
        for object in listing["nftables"].as_array().into_iter().flatten() {
            let name = object["set"]["name"].as_str().unwrap_or_default();
            for element in object["set"]["elem"].as_array().into_iter().flatten() {
                let element = &element["elem"];
                let (value, counter) = (&element["val"], &element["counter"]);
                let count = |what: &str| counter[what].as_u64().unwrap_or_default();
                if name.starts_with("heard") {
                    let from = ip(value)?;
                    seen.heard.insert(from, count("bytes"));
                    seen.packets[0].insert(from, count("packets"));
                } else if name.starts_with("told") {
                    seen.packets[1].insert(ip(value)?, count("packets"));
                } else {
                    let port = u16::try_from(value["concat"][1].as_u64().unwrap_or_default())?;
                    seen.probed.insert((ip(&value["concat"][0])?, port), count("packets"));
                }
            }
        }
        Ok(seen)
    }

    /// Bytes that came from one of these addresses.
    pub(crate) fn heard_from(&self, addresses: &[IpAddr]) -> u64 {
        addresses.iter().filter_map(|address| self.heard.get(address)).sum()
    }

    /// Packets that came from these addresses, and that went to them.
    pub(crate) fn packets_with(&self, addresses: &[IpAddr]) -> [u64; 2] {
        let sum = |packets: &BTreeMap<IpAddr, u64>| {
            addresses.iter().filter_map(|address| packets.get(address)).sum()
        };
        let [came, went] = &self.packets;
        [sum(came), sum(went)]
    }

    pub(crate) fn probes(&self) -> u64 {
        self.probed.values().sum()
    }
}

/// Counts from nothing again.
pub(crate) fn reset(host: &Space) -> Result<(), Failure> {
    host.nft(RULES)
}

fn ip(value: &Value) -> Result<IpAddr, Failure> {
    Ok(value.as_str().ok_or("an address is text")?.parse()?)
}
