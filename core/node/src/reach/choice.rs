//! Which addresses are told to peers, and in which order: a message has room for six.

use std::net::SocketAddr;

use wayside_path::traversal::guard::is_public;
use wayside_proto::place::{Candidate, CandidateKind, Candidates, Transport};

/// Of the candidates of one message at most so many are reached by TCP, and as many have their place there whatever UDP has: one of each family.
const MOST_TCP: usize = 2;
/// At most so many are what others saw: the third confirms nothing that two did not.
const MOST_REFLEXIVE: usize = 3;

/// All that is known, each list with the best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// Where the UDP sockets are reached, by the interfaces.
    pub(super) udp: Vec<SocketAddr>,
    /// The same of TCP.
    pub(super) tcp: Vec<SocketAddr>,
    /// What the router was asked for.
    pub(super) mapped: Vec<SocketAddr>,
    /// What others see.
    pub(super) reflexive: Vec<SocketAddr>,
    /// A public address, with a port that is guessed.
    pub(super) guessed: Vec<SocketAddr>,
}

impl Known {
    /// What to tell.
    ///
    /// Each kind has one place before any has two; those on the internet come first, since they are tried wherever the peer is.
    pub(super) fn choose(&self) -> Candidates {
        let tcp = one_a_family(&self.tcp);
        let (public, private): (Vec<_>, Vec<_>) = self.udp.iter().copied().partition(|it| is_public(it.ip()));
        let of = |kind, addresses: &[SocketAddr], most| {
            let udp = |address: &SocketAddr| Candidate { kind, transport: Transport::Udp, address: *address };
            addresses.iter().map(udp).take(most).collect::<Vec<_>>()
        };
        let has = |address: &SocketAddr| self.udp.contains(address) || self.mapped.contains(address);
        let reflexive: Vec<_> = self.reflexive.iter().copied().filter(|it| !has(it)).collect();
        // Whoever knows a port need not guess one.
        let known_outside =
            !self.mapped.is_empty() || reflexive.iter().any(|it| is_public(it.ip()) && it.is_ipv4());
        let guessed = if known_outside { &[] } else { self.guessed.as_slice() };
        let kinds = [
            of(CandidateKind::Host, &public, Candidate::MOST),
            of(CandidateKind::Mapped, &self.mapped, 1),
            of(CandidateKind::Reflexive, &reflexive, MOST_REFLEXIVE),
            of(CandidateKind::Host, &private, Candidate::MOST),
            of(CandidateKind::Guessed, guessed, 1),
        ];
        let room = Candidate::MOST - tcp.len().min(MOST_TCP);
        let udp = fairly(kinds, room);
        let by_tcp = |address| Candidate { kind: CandidateKind::Host, transport: Transport::Tcp, address };
        Candidates::new(udp.into_iter().chain(tcp.into_iter().take(MOST_TCP).map(by_tcp)))
    }
}

/// So many of these, the first of each list before the second of any, in the order of the lists.
fn fairly<const N: usize>(lists: [Vec<Candidate>; N], room: usize) -> Vec<Candidate> {
    let mut taken = [0; N];
    for _ in 0..room {
        let open = taken.iter_mut().zip(&lists).filter(|(taken, list)| **taken < list.len());
        // The earliest of those that have had the fewest.
        if let Some((taken, _)) = open.min_by_key(|(taken, _)| **taken) {
            *taken += 1;
        }
    }
    lists.into_iter().zip(taken).flat_map(|(list, taken)| list.into_iter().take(taken)).collect()
}

/// The first of each family.
fn one_a_family(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first = |v4| addresses.iter().find(|address| address.is_ipv4() == v4).copied();
    [first(false), first(true)].into_iter().flatten().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn chosen(known: &Known) -> Vec<String> {
        known.choose().iter().map(|it| format!("{it:?}")).collect()
    }

    #[test]
    fn udp_comes_first_and_leaves_room_for_tcp() {
        let many = [
            "[2001:db8::1]:1",
            "10.0.0.1:1",
            "10.0.0.2:1",
            "10.0.0.3:1",
            "10.0.0.4:1",
            "10.0.0.5:1",
            "10.0.0.6:1",
        ];
        let udp = Known { udp: addresses(&many), ..Known::default() };
        let both = Known { tcp: addresses(&["[2001:db8::1]:2", "10.0.0.1:2", "10.0.0.2:2"]), ..udp.clone() };
        assert_eq!(
            chosen(&both),
            [
                "Host Udp [2001:db8::1]:1",
                "Host Udp 10.0.0.1:1",
                "Host Udp 10.0.0.2:1",
                "Host Udp 10.0.0.3:1",
                "Host Tcp [2001:db8::1]:2",
                "Host Tcp 10.0.0.1:2",
            ]
        );
        assert_eq!(chosen(&udp).len(), 6, "without TCP all of it is there");
        let tcp = Known { tcp: addresses(&["127.0.0.1:2"]), ..Known::default() };
        assert_eq!(chosen(&tcp), ["Host Tcp 127.0.0.1:2"]);
        assert!(chosen(&Known::default()).is_empty());
    }

    #[test]
    fn every_kind_has_its_place_before_any_has_two() {
        let known = Known {
            udp: addresses(&["[2001:db8::1]:1", "[2001:db8::2]:1", "192.168.1.7:1", "10.0.0.1:1"]),
            tcp: addresses(&["[2001:db8::1]:2", "192.168.1.7:2"]),
            mapped: addresses(&["5.5.5.5:1"]),
            reflexive: addresses(&["5.5.5.5:1", "5.5.5.5:100", "5.5.5.5:101", "192.168.1.7:1"]),
            guessed: addresses(&["5.5.5.5:1"]),
        };
        assert_eq!(
            chosen(&known),
            [
                "Host Udp [2001:db8::1]:1",
                "Mapped Udp 5.5.5.5:1",
                "Reflexive Udp 5.5.5.5:100",
                "Host Udp 192.168.1.7:1",
                "Host Tcp [2001:db8::1]:2",
                "Host Tcp 192.168.1.7:2",
            ]
        );
    }

    #[test]
    fn at_most_three_are_hearsay_and_a_guess_is_for_who_knows_nothing() {
        let reflexive = ["5.5.5.5:1", "5.5.5.5:2", "5.5.5.5:3", "5.5.5.5:4", "5.5.5.5:5"];
        let known = Known {
            udp: addresses(&["192.168.1.7:1"]),
            reflexive: addresses(&reflexive),
            guessed: addresses(&["5.5.5.5:1"]),
            ..Known::default()
        };
        assert_eq!(
            chosen(&known),
            [
                "Reflexive Udp 5.5.5.5:1",
                "Reflexive Udp 5.5.5.5:2",
                "Reflexive Udp 5.5.5.5:3",
                "Host Udp 192.168.1.7:1"
            ]
        );
        let ignorant = Known { reflexive: Vec::new(), ..known };
        assert_eq!(chosen(&ignorant), ["Host Udp 192.168.1.7:1", "Guessed Udp 5.5.5.5:1"]);
    }
}
