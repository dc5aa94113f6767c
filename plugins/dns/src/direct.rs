//! Asking a zone's own servers, which no cache stands before.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wayside_bridge::{Clock, Monotonic};

use crate::reader::Reader;
use crate::resolver::ResolverAddr;
use crate::zone::Zone;

/// How long it is remembered who a zone's servers are.
const KEPT: Duration = Duration::from_secs(3600);
/// How long a resolver is asked instead, where they do not answer us.
const AVOIDED: Duration = Duration::from_secs(600);
/// The most zones that are remembered: friends, and some.
const MOST_ZONES: usize = 4096;

/// The servers of zones, found by a resolver.
pub(crate) struct Direct {
    port: u16,
    patience: Duration,
    clock: Arc<dyn Clock>,
    known: Mutex<BTreeMap<String, Known>>,
}

struct Known {
    /// None where a resolver is asked instead.
    reader: Option<Arc<Reader>>,
    until: Monotonic,
}

impl Direct {
    pub(crate) fn new(port: u16, patience: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { port, patience, clock, known: Mutex::default() }
    }

    /// Who answers for a zone; `None` where a resolver is to be asked. Of others' zones servers with public addresses alone: whoever has a zone does not
    /// say whom we ask in our own network.
    pub(crate) async fn reader(&self, zone: &Zone, is_own: bool, resolver: &Reader) -> Option<Arc<Reader>> {
        let now = self.clock.monotonic();
        if let Some(known) = self.known().get(zone.as_str()).filter(|known| now < known.until) {
            return known.reader.clone();
        }
        let found = resolver.servers_of(&zone.name().ok()?).await.unwrap_or_default();
        let servers: Vec<ResolverAddr> = found
            .into_iter()
            .filter(|ip| is_own || is_public(*ip))
            .map(|ip| ResolverAddr::plain(SocketAddr::new(ip, self.port)))
            .collect();
        let reader = (!servers.is_empty()).then(|| Arc::new(Reader::servers(&servers, self.patience)));
        self.keep(zone, reader.clone());
        reader
    }

    /// They do not answer us.
    pub(crate) fn failed(&self, zone: &Zone) {
        self.keep(zone, None);
    }

    fn keep(&self, zone: &Zone, reader: Option<Arc<Reader>>) {
        let now = self.clock.monotonic();
        let until = Monotonic(now.0.saturating_add(if reader.is_some() { KEPT } else { AVOIDED }));
        let mut known = self.known();
        if known.len() >= MOST_ZONES {
            known.retain(|_, known| now < known.until);
        }
        if known.len() < MOST_ZONES {
            known.insert(zone.as_str().to_owned(), Known { reader, until });
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an address is anybody's in the open internet.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            // 100.64.0.0/10 is for carriers' NATs (RFC 6598), 0.0.0.0/8 and 240.0.0.0/4 are nobody's.
            let is_shared = a == 100 && (64..128).contains(&b);
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || is_shared
                || a == 0
                || a >= 240)
        }
        // 2000::/3 is what is given out; 2002::/16 and 64:ff9b::/96 would lead to the others.
        IpAddr::V6(ip) => {
            let [first, ..] = ip.segments();
            (first & 0xe000) == 0x2000 && first != 0x2002
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn others_do_not_say_whom_we_ask_at_home() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "2002:a00:1::1",
            "64:ff9b::a00:1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["9.9.9.9", "100.128.0.1", "2620:fe::fe", "::ffff:9.9.9.9"] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }
}
