//! Where others see this machine come from, by their own word: hints, each with who said it.
//!
//! Anybody may lie. So one witness has one word in each family, what it says never takes away what another says, and an address counts by how many
//! witnesses name it. Whoever lies alone costs the peers a few packets to where nobody answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;
use wayside_path::Mapping;
use wayside_path::traversal::guard::is_public;
use wayside_proto::crypto::keys::AccountId;

use super::surroundings::Around;

/// Who says so. A friend's word over the link and its STUN answer are one witness's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Witness {
    /// A friend, over a link or by STUN.
    Friend(AccountId),
    /// Somebody else who answers STUN, by its address: a server that the user listed, or whom an inviter named.
    Server(IpAddr),
}

/// What one witness saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sighting {
    address: SocketAddr,
    /// Where the witness is, where it was seen from itself.
    from: SocketAddr,
    /// When it last said so.
    at: Instant,
    /// Its link is up: the mapping is in use now.
    live: bool,
    /// Counts the networks that this machine was in.
    network: u64,
}

/// What all of them saw.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    seen: BTreeMap<(Witness, bool), Sighting>,
    network: u64,
}

/// Witnesses that are remembered, each for two families.
const MOST: usize = 128;
/// How long a word counts whose witness is gone. Mappings die within minutes (RFC 4787, REQ-5), addresses of a household stay for a day; and what does
/// not answer costs a few packets.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// An address that others see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Address and port.
    pub(crate) address: SocketAddr,
    /// By whom.
    pub(crate) by: BTreeSet<Witness>,
    /// When one of them last said so.
    pub(crate) at: Instant,
    /// Since this machine's network last changed.
    current: bool,
}

impl Sightings {
    /// A witness at `from` says that it sees us at `address`. Whether that changes what is known.
    pub(super) fn saw(
        &mut self,
        now: Instant,
        witness: Witness,
        from: SocketAddr,
        address: SocketAddr,
        live: bool,
    ) -> bool {
        self.forget_old(now);
        let key = (witness, address.is_ipv4());
        if !self.seen.contains_key(&key) && self.seen.len() >= MOST {
            // The oldest of those that are gone makes room; friends with links are never so many.
            let oldest = self.seen.iter().filter(|(_, it)| !it.live).min_by_key(|(_, it)| it.at);
            let Some(oldest) = oldest.map(|(key, _)| *key) else { return false };
            self.seen.remove(&oldest);
        }
        let sighting = Sighting { address, from, at: now, live, network: self.network };
        self.seen
            .insert(key, sighting)
            .is_none_or(|before| before.address != address || before.network != self.network)
    }

    /// What this witness goes on saying in this network, its link being up, and where it is itself.
    pub(super) fn standing(&self, witness: &Witness, is_v4: bool) -> Option<(SocketAddr, SocketAddr)> {
        let seen = self.seen.get(&(*witness, is_v4))?;
        (seen.live && seen.network == self.network).then_some((seen.address, seen.from))
    }

    /// The friend's link is gone: what it said last counts for a while.
    pub(super) fn left(&mut self, now: Instant, account: &AccountId) {
        for is_v4 in [false, true] {
            if let Some(seen) = self.seen.get_mut(&(Witness::Friend(*account), is_v4)) {
                (seen.live, seen.at) = (false, now);
            }
        }
    }

    /// This machine's addresses have changed: what was said before counts less, and from who is gone nothing.
    pub(super) fn moved(&mut self) {
        self.network += 1;
        self.seen.retain(|_, seen| seen.live);
    }

    /// Forgets what friends have said who are none any more.
    pub(super) fn keep(&mut self, is_friend: impl Fn(&AccountId) -> bool) {
        self.seen.retain(|(witness, _), _| !matches!(witness, Witness::Friend(who) if !is_friend(who)));
    }

    fn forget_old(&mut self, now: Instant) {
        self.seen.retain(|_, seen| seen.live || now.saturating_duration_since(seen.at) < REMEMBERED);
    }

    /// The addresses, the most certain first: what was said in this network, by the most, the latest.
    pub(super) fn addresses(&mut self, now: Instant) -> Vec<Seen> {
        self.forget_old(now);
        let mut by_address: BTreeMap<SocketAddr, Seen> = BTreeMap::new();
        for ((witness, _), seen) in &self.seen {
            let current = seen.network == self.network;
            let fresh = || Seen { address: seen.address, by: BTreeSet::new(), at: seen.at, current };
            let entry = by_address.entry(seen.address).or_insert_with(fresh);
            entry.by.insert(*witness);
            entry.at = entry.at.max(seen.at);
            entry.current |= current;
        }
        let mut addresses: Vec<Seen> = by_address.into_values().collect();
        addresses.sort_by_key(|seen| (seen.current, seen.by.len(), seen.at));
        addresses.reverse();
        addresses
    }

    /// What those whose links are up now tell of the NAT over IPv4, without anybody having measured. Those in this machine's own network see it
    /// before any NAT, and are left out.
    pub(super) fn mapping(&self, around: &Around) -> Mapping {
        let outside = self.seen.iter().filter(|((_, is_v4), seen)| {
            *is_v4 && seen.live && seen.network == self.network && is_public(seen.from.ip())
        });
        let mut seen_from: BTreeMap<SocketAddr, BTreeSet<SocketAddr>> = BTreeMap::new();
        for (_, seen) in outside {
            seen_from.entry(seen.address).or_default().insert(seen.from);
        }
        if seen_from.keys().any(|address| around.has(address.ip())) {
            return Mapping::None;
        }
        let agreed = seen_from.values().any(|from| from.len() >= 2);
        let mut addresses = seen_from.keys().map(SocketAddr::ip);
        let first = addresses.next();
        let one_ip = first.is_some() && addresses.all(|ip| Some(ip) == first);
        match (agreed, one_ip, seen_from.len()) {
            // Two who agree outweigh a third who does not: it may lie, or have heard of nothing for long.
            (true, ..) => Mapping::Independent,
            (false, true, 2..) => Mapping::Random,
            _ => Mapping::Unknown,
        }
    }
}

/// Whether a peer whom we see at `from` can have seen us at `seen`, our own interfaces being these.
pub(super) fn is_plausible(seen: SocketAddr, from: SocketAddr, around: &Around) -> bool {
    let (ip, peer) = (seen.ip().to_canonical(), from.ip().to_canonical());
    let nowhere =
        seen.port() == 0 || ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::from([255; 4]);
    if nowhere || ip.is_ipv4() != peer.is_ipv4() {
        return false;
    }
    if around.has(ip) {
        return true;
    }
    // From here on it is an address that something between us gave us.
    if ip.is_loopback() || matches!(ip, IpAddr::V6(_)) {
        return false;
    }
    is_public(ip) || (!is_public(peer) && !matches!(ip, IpAddr::V4(ip) if ip.is_link_local()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn friend(number: u8) -> Witness {
        Witness::Friend(account(number))
    }

    fn account(number: u8) -> AccountId {
        use rand_chacha::rand_core::SeedableRng;
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([number; 32]);
        wayside_proto::crypto::keys::AccountKey::generate(&mut rng).id()
    }

    fn listed(sightings: &mut Sightings, now: Instant) -> Vec<(String, usize)> {
        sightings.addresses(now).iter().map(|seen| (seen.address.to_string(), seen.by.len())).collect()
    }

    fn around() -> Around {
        let of = |ip: &str, bits| (ip.parse().unwrap(), bits);
        Around {
            interfaces: vec![of("192.168.1.7", 24), of("127.0.0.1", 8), of("2a00:1::7", 64)],
            gateways: vec!["192.168.1.1".parse().unwrap()],
        }
    }

    #[test]
    fn what_more_friends_say_comes_first_and_nobody_takes_away_what_another_says() {
        let (mut sightings, now) = (Sightings::default(), Instant::now());
        let later = now + Duration::from_secs(5);
        assert!(sightings.saw(now, friend(1), at("9.9.9.1:1"), at("5.5.5.5:1000"), true));
        assert!(sightings.saw(now, friend(2), at("9.9.9.2:1"), at("5.5.5.5:1000"), true));
        assert!(sightings.saw(later, friend(3), at("9.9.9.3:1"), at("6.6.6.6:666"), true));
        assert!(!sightings.saw(later, friend(3), at("9.9.9.3:1"), at("6.6.6.6:666"), true), "nothing new");
        assert_eq!(listed(&mut sightings, later), [("5.5.5.5:1000".into(), 2), ("6.6.6.6:666".into(), 1)]);
        // The same witness has one word, however often it changes its mind.
        for port in 1..500 {
            let lie = SocketAddr::from(([7, 7, 7, 7], port));
            sightings.saw(later, friend(3), at("9.9.9.3:1"), lie, true);
        }
        assert_eq!(listed(&mut sightings, later), [("5.5.5.5:1000".into(), 2), ("7.7.7.7:499".into(), 1)]);
        assert_eq!(sightings.mapping(&around()), Mapping::Independent, "and does not make two wrong");
    }

    #[test]
    fn who_is_long_gone_is_forgotten_and_a_new_network_makes_old_words_count_less() {
        let (mut sightings, now) = (Sightings::default(), Instant::now());
        sightings.saw(now, friend(1), at("9.9.9.1:1"), at("5.5.5.5:1"), true);
        sightings.saw(now, friend(2), at("9.9.9.2:1"), at("5.5.5.5:2"), true);
        sightings.left(now, &account(1));
        let later = now + REMEMBERED;
        assert_eq!(listed(&mut sightings, later), [("5.5.5.5:2".into(), 1)]);

        sightings.saw(later, friend(1), at("9.9.9.1:1"), at("5.5.5.5:1"), true);
        sightings.saw(later, friend(3), at("9.9.9.1:1"), at("5.5.5.5:1"), true);
        sightings.left(later, &account(3));
        sightings.moved();
        sightings.saw(later, friend(2), at("9.9.9.2:1"), at("6.6.6.6:2"), true);
        assert_eq!(listed(&mut sightings, later), [("6.6.6.6:2".into(), 1), ("5.5.5.5:1".into(), 1)]);
    }

    #[test]
    fn memory_is_bounded_and_those_with_links_stay() {
        let (mut sightings, now) = (Sightings::default(), Instant::now());
        sightings.saw(now, friend(0), at("9.9.9.1:1"), at("5.5.5.5:1"), true);
        for number in 0..1000_u32 {
            let server = Witness::Server(IpAddr::from(number.to_be_bytes()));
            sightings.saw(now, server, at("9.9.9.1:1"), at("5.5.5.5:2"), false);
        }
        assert_eq!(sightings.seen.len(), MOST);
        assert!(sightings.seen.contains_key(&(friend(0), true)));
    }

    #[test]
    fn friends_who_are_linked_tell_what_the_nat_does() {
        let (mut sightings, now) = (Sightings::default(), Instant::now());
        let mut mapping = |number: u8, from: &str, seen: &str| {
            sightings.saw(now, friend(number), at(from), at(seen), true);
            sightings.mapping(&around())
        };
        assert_eq!(
            mapping(1, "192.168.1.9:1", "192.168.1.7:4000"),
            Mapping::Unknown,
            "a neighbour sees nothing of it"
        );
        assert_eq!(mapping(2, "9.9.9.2:1", "5.5.5.5:1"), Mapping::Unknown);
        assert_eq!(mapping(3, "9.9.9.3:1", "5.5.5.5:2"), Mapping::Random);
        assert_eq!(mapping(4, "9.9.9.4:1", "5.5.5.5:2"), Mapping::Independent);
        assert_eq!(mapping(5, "9.9.9.5:1", "192.168.1.7:4000"), Mapping::None);
    }

    #[test]
    fn what_cannot_be_ours_is_not_believed() {
        for (seen, from, expected) in [
            ("5.5.5.5:1", "9.9.9.9:1", true),
            ("192.168.1.7:1", "192.168.1.9:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", true),
            ("[2a00:1::7]:1", "[2a00:2::1]:1", true),
            // A NAT within a private network.
            ("10.0.0.5:1", "10.0.0.9:1", true),
            ("100.64.0.5:1", "100.64.0.9:1", true),
            ("5.5.5.5:0", "9.9.9.9:1", false),
            ("127.0.0.2:1", "9.9.9.9:1", false),
            ("224.0.0.1:1", "9.9.9.9:1", false),
            ("255.255.255.255:1", "9.9.9.9:1", false),
            ("0.0.0.0:1", "9.9.9.9:1", false),
            ("169.254.1.1:1", "10.0.0.9:1", false),
            ("10.0.0.5:1", "9.9.9.9:1", false),
            ("[2a00:3::7]:1", "[2a00:2::1]:1", false),
            ("[2a00:1::7]:1", "9.9.9.9:1", false),
            ("5.5.5.5:1", "[2a00:2::1]:1", false),
        ] {
            assert_eq!(is_plausible(at(seen), at(from), &around()), expected, "{seen} from {from}");
        }
    }
}
