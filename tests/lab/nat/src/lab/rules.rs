//! The nftables ruleset of each kind of router. Its devices are `wan` and `lan` (and `lan2` where two are kept apart).
//!
//! Connection tracking alone filters by address and port. What maps independently of the destination learns its mappings from the packets
//! that pass, into maps that the next connection is translated by; what filters less lets more in by the same maps.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::kind::{Filtering, Kind, Mapping, Traits};

/// One router.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Router {
    pub(crate) kind: Kind,
    /// The address that it translates to.
    pub(crate) external: Ipv4Addr,
    /// How long a mapping lives that nothing uses.
    pub(crate) lifetime: Duration,
    /// Where sequential ports begin.
    pub(crate) first_port: u16,
    /// Whether what a host sends to the external address comes back in, between hosts that cannot reach each other otherwise.
    pub(crate) hairpins: bool,
}

/// How long mappings live that nothing is said about: what Linux gives UDP that went both ways.
pub(crate) const LIFETIME: Duration = Duration::from_secs(120);

impl Router {
    /// All of its tables, to be loaded instead of those that are there.
    pub(crate) fn rules(&self) -> String {
        let mut rules = String::new();
        match self.kind {
            Kind::Public => {}
            Kind::Linux => rules += &self.plain(),
            Kind::UdpBlocked => rules += &(self.plain() + &blocked()),
            Kind::Ipv6Only => rules += &firewall_v6(),
            Kind::DualStack => rules += &(self.independent(Filtering::AddressAndPort) + &firewall_v6()),
            kind => {
                if let Some(Traits { mapping, filtering }) = kind.v4() {
                    rules += &match mapping {
                        Mapping::Sequential => self.sequential(),
                        Mapping::Random => self.random(),
                        Mapping::None | Mapping::Independent => self.independent(filtering),
                    };
                }
            }
        }
        if self.kind == Kind::Upnp {
            rules += UPNP;
        }
        rules
    }

    /// The tables that hold mappings, in the order that they may go in.
    fn table(&self, name: &str, chains: &str) -> String {
        format!("table {name}\ndelete table {name}\ntable {name} {{\n{chains}}}\n")
    }

    /// What `iptables -j MASQUERADE` or the like makes: a port stays what it is while it is free. Nothing is dropped.
    fn plain(&self) -> String {
        let Self { external, .. } = self;
        self.table(
            "ip nat",
            &format!(
                "chain postrouting {{\n  type nat hook postrouting priority srcnat;\n  oifname wan snat to {external}\n}}\n"
            ),
        )
    }

    fn random(&self) -> String {
        let Self { external, .. } = self;
        let chains = format!(
            "chain postrouting {{
  type nat hook postrouting priority srcnat;
  oifname wan meta l4proto {{ tcp, udp }} snat to {external}:1024-65535 fully-random
  oifname wan snat to {external}
}}
{INPUT}"
        );
        self.table("ip nat", &chains)
    }

    fn sequential(&self) -> String {
        let Self { external, first_port, .. } = self;
        let mut ports = String::new();
        for number in 0..SEQUENCE {
            let _ = write!(ports, "{number} : {}, ", first_port + number);
        }
        let chains = format!(
            "chain postrouting {{
  type nat hook postrouting priority srcnat;
  oifname wan meta l4proto {{ tcp, udp }} snat to {external}:numgen inc mod {SEQUENCE} map {{ {ports} }}
  oifname wan snat to {external}
}}
{INPUT}"
        );
        self.table("ip nat", &chains)
    }

    fn independent(&self, filtering: Filtering) -> String {
        let Self { external, hairpins, .. } = self;
        let life = format!("{}s", self.lifetime.as_secs());
        let to_inside = "dnat ip to meta l4proto . th dport map @back";
        let admitted = match filtering {
            Filtering::Independent => {
                format!("iifname wan ip daddr {external} meta l4proto {{ tcp, udp }} {to_inside}")
            }
            Filtering::Address => format!(
                "iifname wan ip daddr {external} meta l4proto . th dport . ip saddr @talked {to_inside}"
            ),
            Filtering::AddressAndPort => String::new(),
        };
        let (hairpin_in, hairpin_out, apart) = if *hairpins {
            (
                format!(
                    "iifname {{ lan, lan2 }} ip daddr {external} meta l4proto {{ tcp, udp }} {to_inside}"
                ),
                format!("oifname {{ lan, lan2 }} ct original ip daddr {external} jump translate"),
                APART,
            )
        } else {
            (String::new(), String::new(), "")
        };
        let chains = format!(
            "map out {{ type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service; flags dynamic,timeout; size 65536; timeout {life}; }}
map back {{ type inet_proto . inet_service : ipv4_addr . inet_service; flags dynamic,timeout; size 65536; timeout {life}; }}
set talked {{ type inet_proto . inet_service . ipv4_addr; flags dynamic,timeout; size 65536; timeout {life}; }}
chain prerouting {{
  type nat hook prerouting priority dstnat;
  {admitted}
  {hairpin_in}
}}
chain translate {{
  meta l4proto {{ tcp, udp }} snat ip to meta l4proto . ip saddr . th sport map @out
  meta l4proto {{ tcp, udp }} th sport < 32768 snat to {external}:32768-65535 fully-random
  meta l4proto {{ tcp, udp }} snat to {external}:1024-32767 fully-random
  snat to {external}
}}
chain postrouting {{
  type nat hook postrouting priority srcnat;
  oifname wan jump translate
  {hairpin_out}
}}
chain mapped {{
  meta l4proto {{ tcp, udp }} ct original ip saddr != {external} update @out {{ meta l4proto . ct original ip saddr . ct original proto-src timeout {life} : {external} . ct reply proto-dst }}
  meta l4proto {{ tcp, udp }} ct original ip saddr != {external} update @back {{ meta l4proto . ct reply proto-dst timeout {life} : ct original ip saddr . ct original proto-src }}
  meta l4proto {{ tcp, udp }} update @talked {{ meta l4proto . ct reply proto-dst . ct original ip daddr timeout {life} }}
}}
chain entered {{
  meta l4proto {{ tcp, udp }} update @back {{ meta l4proto . ct original proto-dst timeout {life} : ct reply ip saddr . ct reply proto-src }}
  meta l4proto {{ tcp, udp }} update @out {{ meta l4proto . ct reply ip saddr . ct reply proto-src timeout {life} : {external} . ct original proto-dst }}
}}
# After translation. A connection that was begun inside maps its source, in either direction; one that came in by a mapping keeps that.
chain learn {{
  type filter hook postrouting priority 300;
  ct status snat oifname {{ wan, lan, lan2 }} jump mapped
  ct status dnat oifname {{ wan, lan, lan2 }} jump entered
}}
{INPUT}{apart}"
        );
        self.table("ip nat", &chains)
    }
}

/// How many ports are given out one behind the other until they come again.
pub(crate) const SEQUENCE: u16 = 8192;

/// What comes unasked is dropped before connection tracking has confirmed it: else it would take the tuple, and the inside's own packet would
/// get another port.
const INPUT: &str = "chain input {
  type filter hook input priority filter;
  iifname wan ct state new drop
}
";

/// Two networks of one router that reach each other by its external address alone, as guests' and the family's do.
const APART: &str = "chain apart {
  type filter hook forward priority filter;
  ct status dnat accept
  iifname lan oifname lan2 drop
  iifname lan2 oifname lan drop
}
";

/// Chains that miniupnpd fills.
const UPNP: &str = "table inet upnp
delete table inet upnp
table inet upnp {
chain forward { type filter hook forward priority -5; jump miniupnpd; }
chain miniupnpd { }
chain prerouting { type nat hook prerouting priority -101; jump prerouting_miniupnpd; }
chain prerouting_miniupnpd { }
chain postrouting { type nat hook postrouting priority 99; jump postrouting_miniupnpd; }
chain postrouting_miniupnpd { }
}
";

/// Nothing but the web gets out.
fn blocked() -> String {
    "table ip blocked
delete table ip blocked
table ip blocked {
chain forward {
  type filter hook forward priority filter; policy drop;
  ct state established,related accept
  iifname lan tcp dport { 80, 443 } accept
}
}
"
    .to_owned()
}

/// What is begun inside gets out and is answered; nothing else gets in.
fn firewall_v6() -> String {
    "table ip6 firewall
delete table ip6 firewall
table ip6 firewall {
chain forward {
  type filter hook forward priority filter; policy drop;
  ct state established,related accept
  iifname lan accept
}
}
"
    .to_owned()
}
