//! Which network interfaces there are, as far as multicast DNS goes over them.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use if_addrs::IfOperStatus;

/// The most interfaces of each family that are used: a machine that runs containers has hundreds.
const MOST: usize = 16;

/// A way to the neighbours: an interface, in one family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// By IPv4: its number, and its first address, by which it is chosen.
    V4(u32, Ipv4Addr),
    /// By IPv6: its number.
    V6(u32),
}

/// Which interfaces are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// All that may have neighbours: neither loopback nor tunnels.
    All,
    /// The one of this name.
    Named(String),
}

impl Chosen {
    /// The one of this name, if it can be one: Linux's have at most fifteen characters, others' about as many.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '/';
        let is_name = (1..=64).contains(&name.len()) && name.chars().all(plain);
        is_name.then(|| Self::Named(name.to_owned()))
    }

    /// The ways there are now, with interfaces that are up and have an address.
    pub(crate) fn ways(&self) -> io::Result<BTreeSet<Way>> {
        let interfaces = if_addrs::get_if_addrs()?;
        let wanted = interfaces.into_iter().filter(|interface| match self {
            Self::All => !interface.is_loopback() && !interface.is_p2p(),
            Self::Named(name) => interface.name == *name,
        });
        let up = wanted.filter(|it| matches!(it.oper_status, IfOperStatus::Up | IfOperStatus::Unknown));
        let (mut v4, mut v6) = (BTreeSet::new(), BTreeSet::new());
        for interface in up {
            let Some(index) = interface.index else { continue };
            match interface.ip() {
                IpAddr::V4(ip) => v4.insert((index, ip)),
                IpAddr::V6(_) => v6.insert(index),
            };
        }
        let mut last = None;
        v4.retain(|(index, _)| last.replace(*index) != Some(*index));
        let v4 = v4.into_iter().take(MOST).map(|(index, ip)| Way::V4(index, ip));
        Ok(v4.chain(v6.into_iter().take(MOST).map(Way::V6)).collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_no_neighbours() {
        let named = Chosen::named("lo").unwrap().ways().unwrap();
        let all = Chosen::All.ways().unwrap();
        assert!(named.is_disjoint(&all), "{named:?} {all:?}");
    }

    #[test]
    fn names_are_names() {
        for name in ["wlan0", "enp0s31f6", "br-lan", "Wi-Fi"] {
            assert!(Chosen::named(name).is_some(), "{name}");
        }
        for name in ["", "a b", "../x", "\u{1b}[2J", &"x".repeat(65)] {
            assert!(Chosen::named(name).is_none(), "{name:?}");
        }
    }
}
