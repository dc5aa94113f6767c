//! Which relays are best: a decision, made of what is known of them.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use wayside_noise::traversal::guard::is_public;
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::DeviceId;

/// What is known of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) device: DeviceId,
    /// The round trip there, where it was measured since the start.
    pub(super) rtt: Option<Duration>,
    /// When it was heard of last.
    pub(super) seen: UnixMillis,
    /// Whether going there failed the last time.
    pub(super) is_away: bool,
}

/// Two round trips that differ by less are alike: an order that changed with every packet would be told to peers again and again.
const ALIKE: Duration = Duration::from_millis(10);

/// The best first: those that answer, the nearest of them first; then those that nobody has gone to yet, the latest heard of first; then those that were away.
pub(super) fn rank(mut known: Vec<Known>) -> Vec<DeviceId> {
    known.sort_by_key(|it| {
        let far = it.rtt.map_or(u128::MAX, |rtt| rtt.as_millis() / ALIKE.as_millis());
        (it.is_away, far, std::cmp::Reverse(it.seen), it.device)
    });
    known.into_iter().map(|it| it.device).collect()
}

/// The networks that somebody at these addresses is in: the first 16 bits of an IPv4 address, 32 of an IPv6 one (what one operator mostly has at least).
/// What only machines near it can reach says nothing.
pub(super) fn networks(addresses: impl IntoIterator<Item = SocketAddr>) -> BTreeSet<(bool, u32)> {
    let network = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => (false, u32::from(ip) >> 16),
        IpAddr::V6(ip) => (true, u32::try_from(u128::from(ip) >> 96).unwrap_or_default()),
    };
    addresses.into_iter().map(|it| it.ip().to_canonical()).filter(|ip| is_public(*ip)).map(network).collect()
}

/// Which two of these, the best first, a link is to have: the best, and the best one that is in no network of its, since what fails there then does not take both.
/// Where all are in the same ones, the two best.
pub(super) fn two<K: Copy + Eq>(usable: &[(K, BTreeSet<(bool, u32)>)]) -> Vec<K> {
    let Some(((first, networks), others)) = usable.split_first() else { return Vec::new() };
    let apart = others.iter().find(|(_, other)| other.is_disjoint(networks));
    let second = apart.or(others.first()).map(|(key, _)| *key);
    std::iter::once(*first).chain(second).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn known(number: u8, rtt: Option<u64>, seen: u64, is_away: bool) -> Known {
        let device = DeviceId([number; 16]);
        Known { device, rtt: rtt.map(Duration::from_millis), seen: UnixMillis(seen), is_away }
    }

    #[test]
    fn near_ones_come_first_then_those_seen_lately_and_last_who_was_away() {
        let ranked = rank(vec![
            known(1, None, 5, false),
            known(2, Some(80), 1, false),
            known(3, None, 9, false),
            known(4, Some(5), 99, true),
            known(5, Some(31), 2, false),
            known(6, Some(34), 3, false),
        ]);
        let numbers: Vec<u8> = ranked.iter().map(|it| it.0[0]).collect();
        assert_eq!(numbers, [6, 5, 2, 3, 1, 4], "31 and 34 ms are alike: who was seen later is first");
    }

    fn at(addresses: &[&str]) -> BTreeSet<(bool, u32)> {
        networks(addresses.iter().map(|it| it.parse().unwrap()))
    }

    #[test]
    fn networks_are_those_of_the_internet() {
        assert_eq!(at(&["5.6.7.8:1", "5.6.99.1:2", "10.0.0.1:3", "[::ffff:5.6.1.1]:4"]).len(), 1);
        assert_eq!(at(&["[2a00:1:2::3]:1", "[2a00:1:9::3]:1", "[2a00:2::1]:1"]).len(), 2);
    }

    #[test]
    fn the_second_one_is_elsewhere_where_there_is_a_choice() {
        let here = at(&["5.6.7.8:1"]);
        let there = at(&["7.6.7.8:1"]);
        assert_eq!(two(&[(1, here.clone()), (2, here.clone()), (3, there)]), [1, 3]);
        assert_eq!(two(&[(1, here.clone()), (2, here.clone())]), [1, 2]);
        assert_eq!(two(&[(1, here)]), [1]);
        assert_eq!(two::<u8>(&[]), Vec::<u8>::new());
    }
}
