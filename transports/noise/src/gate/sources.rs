//! How much of the search for a first datagram's gate goes to whom.
//!
//! A first datagram costs one HMAC a gate before anything is known of it, so that a flood of them could keep the endpoint from its links.
//! The search has a budget; one source gets a part of it, so that a flood from one address leaves the rest to others. Where source addresses
//! are forged, the flood can keep new peers out for as long as it lasts. Links that exist are not searched for.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

/// HMACs in each [`SPAN`], at 0.3 µs some 9 ms of it. With one gate 300,000 datagrams a second are searched for, with 1,024 some 290.
const MOST: usize = 30_000;
const SPAN: Duration = Duration::from_millis(100);
/// Sources share a place where their hashes agree.
const PLACES: usize = 256;
/// What one place may have of the whole.
const SHARE: usize = 8;

pub(super) struct Sources {
    /// Keyed, so that nobody can choose whose place to use up.
    hasher: RandomState,
    since: Option<Instant>,
    spent: usize,
    places: [usize; PLACES],
}

impl Default for Sources {
    fn default() -> Self {
        Self { hasher: RandomState::new(), since: None, spent: 0, places: [0; PLACES] }
    }
}

impl Sources {
    /// Whether a datagram from there may be searched for among so many gates.
    pub(super) fn may_search(&mut self, from: SocketAddr, gates: usize) -> bool {
        if self.since.is_none_or(|since| since.elapsed() >= SPAN) {
            (self.since, self.spent, self.places) = (Some(Instant::now()), 0, [0; PLACES]);
        }
        let at = self.hasher.hash_one(network(from.ip())) as usize % PLACES;
        let Some(place) = self.places.get_mut(at) else { return false };
        let may = self.spent + gates <= MOST && *place + gates <= MOST / SHARE;
        if may {
            self.spent += gates;
            *place += gates;
        }
        may
    }
}

/// What one subscriber has: an IPv4 address, or the first 64 bits of an IPv6 one (RFC 4291, section 2.5.1).
fn network(ip: IpAddr) -> u64 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => u64::from(ip.to_bits()),
        IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_leaves_most_to_the_others() {
        let mut sources = Sources::default();
        let at = |ip: [u8; 4], port| SocketAddr::from((ip, port));
        let began = Instant::now();
        let from_one = (0..60_000).filter(|port| sources.may_search(at([192, 0, 2, 1], *port), 100)).count();
        // Of a busy machine's time more may have passed than one span.
        let spans = began.elapsed().as_millis() as usize / SPAN.as_millis() as usize + 1;
        assert!((1..=(spans + 1) * MOST / SHARE / 100).contains(&from_one), "{from_one} in {spans} spans");
        let others = (0..250).filter(|last| sources.may_search(at([198, 51, 100, *last], 1), 100)).count();
        // One or two may have the flooder's place.
        assert!(others >= 240, "{others}");
    }

    #[test]
    fn all_sources_together_have_a_bound() {
        let mut sources = Sources::default();
        let began = Instant::now();
        let all = (0..200_000u32)
            .filter(|i| sources.may_search((i.wrapping_mul(0x9e37_79b9).to_be_bytes(), 1).into(), 1000))
            .count();
        let spans = began.elapsed().as_millis() as usize / SPAN.as_millis() as usize + 1;
        assert!(all <= spans * MOST / 1000, "{all} in {spans} spans");
        assert!(all > 0);
    }
}
