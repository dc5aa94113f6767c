#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
//! What made-up NATs do is told for what it is.

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::*;

/// How a made-up NAT names mappings.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Maps {
    Nothing,
    Independent,
    ByAddress,
    ByAddressAndPort,
}

/// How it numbers them.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Numbers {
    Kept,
    Rising(i16),
    /// With other people's mappings in between, now and then.
    Busy,
    Random,
    Parity,
}

struct Nat {
    maps: Maps,
    numbers: Numbers,
    mappings: BTreeMap<(u16, Option<IpAddr>, u16), u16>,
    taken: BTreeSet<u16>,
    next: u16,
    rng: ChaCha20Rng,
}

const OWN: [u8; 4] = [192, 168, 1, 7];

impl Nat {
    fn new(maps: Maps, numbers: Numbers, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let next = 2_000 + u16::try_from(rng.next_u32() % 50_000).unwrap();
        Self { maps, numbers, mappings: BTreeMap::new(), taken: BTreeSet::new(), next, rng }
    }

    fn send(&mut self, local: u16, server: SocketAddr) -> Seen {
        let (ip, port) = (server.ip(), server.port());
        let key = match self.maps {
            Maps::Nothing => {
                return Seen { local, server, mapped: SocketAddr::from((OWN, local)) };
            }
            Maps::Independent => (local, None, 0),
            Maps::ByAddress => (local, Some(ip), 0),
            Maps::ByAddressAndPort => (local, Some(ip), port),
        };
        let port = match self.mappings.get(&key) {
            Some(port) => *port,
            None => {
                let port = self.number(local);
                self.mappings.insert(key, port);
                port
            }
        };
        Seen { local, server, mapped: SocketAddr::from(([198, 51, 100, 1], port)) }
    }

    fn number(&mut self, local: u16) -> u16 {
        loop {
            let port = match self.numbers {
                Numbers::Kept => {
                    if !self.taken.contains(&local) {
                        local
                    } else {
                        self.random()
                    }
                }
                Numbers::Rising(step) => self.after(step),
                Numbers::Busy => {
                    let others = u16::try_from(self.rng.next_u32() % 8).unwrap().saturating_sub(4);
                    self.after(1 + i16::try_from(others).unwrap())
                }
                Numbers::Random => self.random(),
                Numbers::Parity => self.random() & !1 | local & 1,
            };
            if self.taken.insert(port) {
                return port;
            }
        }
    }

    fn after(&mut self, step: i16) -> u16 {
        self.next = self.next.wrapping_add_signed(step);
        self.next
    }

    fn random(&mut self) -> u16 {
        1024 + u16::try_from(self.rng.next_u32() % 64_000).unwrap()
    }
}

fn at(ip: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, ip], port))
}

fn blank() -> Behaviour {
    Behaviour::new([IpAddr::from(OWN)])
}

/// One socket asks these.
fn mapping(maps: Maps, numbers: Numbers, servers: &[SocketAddr]) -> Mapping {
    let mut nat = Nat::new(maps, numbers, 1);
    let mut behaviour = blank();
    servers.iter().for_each(|server| behaviour.seen(nat.send(5000, *server)));
    behaviour.mapping()
}

#[test]
fn two_addresses_and_two_ports_tell_all_mappings_apart() {
    let servers = [at(1, 10), at(1, 20), at(2, 10), at(2, 20)];
    for numbers in [Numbers::Rising(1), Numbers::Random, Numbers::Parity] {
        assert_eq!(mapping(Maps::Nothing, numbers, &servers), Mapping::None);
        assert_eq!(mapping(Maps::Independent, numbers, &servers), Mapping::EndpointIndependent);
        assert_eq!(mapping(Maps::ByAddress, numbers, &servers), Mapping::AddressDependent);
        assert_eq!(mapping(Maps::ByAddressAndPort, numbers, &servers), Mapping::AddressAndPortDependent);
    }
    // The first socket of a NAT that keeps ports shows two mappings all the same.
    assert_eq!(mapping(Maps::ByAddressAndPort, Numbers::Kept, &servers), Mapping::AddressAndPortDependent);
}

#[test]
fn one_friend_with_two_ports_tells_what_matters() {
    let servers = [at(1, 10), at(1, 20)];
    assert_eq!(mapping(Maps::Nothing, Numbers::Random, &servers), Mapping::None);
    assert_eq!(mapping(Maps::Independent, Numbers::Random, &servers), Mapping::PortIndependent);
    assert_eq!(mapping(Maps::ByAddressAndPort, Numbers::Random, &servers), Mapping::AddressAndPortDependent);
}

#[test]
fn two_friends_with_one_port_each_tell_that_it_depends() {
    let servers = [at(1, 10), at(2, 10)];
    assert_eq!(mapping(Maps::Independent, Numbers::Random, &servers), Mapping::EndpointIndependent);
    assert_eq!(mapping(Maps::ByAddress, Numbers::Random, &servers), Mapping::Dependent);
    assert_eq!(mapping(Maps::ByAddressAndPort, Numbers::Random, &servers), Mapping::Dependent);
}

#[test]
fn too_little_is_unknown() {
    assert_eq!(blank().mapping(), Mapping::Unknown);
    assert_eq!(mapping(Maps::Independent, Numbers::Random, &[at(1, 10), at(1, 10)]), Mapping::Unknown);
    assert_eq!(
        mapping(Maps::Nothing, Numbers::Random, &[at(1, 10)]),
        Mapping::None,
        "one's own address is enough"
    );
    // Different sockets asked different servers: nothing is to be compared.
    let mut nat = Nat::new(Maps::ByAddressAndPort, Numbers::Random, 1);
    let mut behaviour = blank();
    behaviour.seen(nat.send(5000, at(1, 10)));
    behaviour.seen(nat.send(5001, at(2, 10)));
    assert_eq!(behaviour.mapping(), Mapping::Unknown);
    assert_eq!(behaviour.filtering(), Filtering::Unknown);
    assert_eq!(behaviour.allocation(), Allocation::Unknown);
    assert_eq!(Mapping::Unknown.is_independent(), None);
}

#[test]
fn a_mapping_that_expired_and_was_made_anew_counts_as_it_is_now() {
    let mut behaviour = blank();
    let outside = |port: u16| SocketAddr::from(([198, 51, 100, 1], port));
    for (server, port) in [(at(1, 10), 100), (at(1, 10), 200), (at(2, 10), 200)] {
        behaviour.seen(Seen { local: 5000, server, mapped: outside(port) });
    }
    assert_eq!(behaviour.mapping(), Mapping::EndpointIndependent);
}

#[test]
fn a_port_forward_to_another_port_is_no_lack_of_nat() {
    let mut behaviour = blank();
    behaviour.seen(Seen { local: 5000, server: at(1, 10), mapped: SocketAddr::from((OWN, 6000)) });
    assert_eq!(behaviour.mapping(), Mapping::Unknown);
}

#[test]
fn filtering_is_told_from_answers_from_elsewhere() {
    let (asked, port, address) = (at(1, 10), at(1, 20), at(2, 20));
    let tried = |from: SocketAddr, came: bool| Tried { local: 5000, asked, from, came };
    let filtering = |trials: &[Tried]| {
        let mut behaviour = blank();
        trials.iter().for_each(|trial| behaviour.tried(*trial));
        behaviour.filtering()
    };
    assert_eq!(filtering(&[tried(address, true)]), Filtering::EndpointIndependent);
    assert_eq!(filtering(&[tried(address, true), tried(port, true)]), Filtering::EndpointIndependent);
    assert_eq!(filtering(&[tried(address, false), tried(port, true)]), Filtering::AddressDependent);
    assert_eq!(filtering(&[tried(address, false), tried(port, false)]), Filtering::AddressAndPortDependent);
    assert_eq!(filtering(&[tried(port, true)]), Filtering::PortIndependent);
    assert_eq!(filtering(&[tried(port, false)]), Filtering::AddressAndPortDependent);
    assert_eq!(filtering(&[tried(address, false)]), Filtering::Unknown);
    assert_eq!(filtering(&[tried(address, true), tried(port, false)]), Filtering::Unknown, "cannot be");
    assert_eq!(filtering(&[tried(asked, true)]), Filtering::Unknown, "says nothing");
    // What the socket sent to may answer, whatever is filtered.
    let mut behaviour = blank();
    behaviour.seen(Seen { local: 5000, server: port, mapped: at(9, 9) });
    behaviour.tried(tried(port, true));
    assert_eq!(behaviour.filtering(), Filtering::Unknown);
    // What it sends to later does not matter.
    behaviour.tried(tried(address, true));
    behaviour.seen(Seen { local: 5000, server: address, mapped: at(9, 9) });
    assert_eq!(behaviour.filtering(), Filtering::EndpointIndependent);
}

/// Throwaway sockets of the operating system's choice each ask one server.
fn allocation_of(numbers: Numbers, sockets: u16, seed: u64) -> (Allocation, Nat) {
    let mut nat = Nat::new(Maps::ByAddressAndPort, numbers, seed);
    let mut behaviour = blank();
    for n in 0..sockets {
        let local = 32_768 + u16::try_from(nat.rng.next_u32() % 14_000).unwrap() * 2 + n % 2;
        behaviour.seen(nat.send(local, at(1, 10)));
    }
    (behaviour.allocation(), nat)
}

#[test]
fn what_was_seen_is_bounded() {
    let mut behaviour = blank();
    for n in 0..3 * u16::try_from(MOST_OBSERVATIONS).unwrap() {
        behaviour.seen(Seen { local: n, server: at(1, 10), mapped: at(9, n) });
        behaviour.tried(Tried { local: n, asked: at(1, 10), from: at(1, 20), came: false });
    }
    assert_eq!((behaviour.seen.len(), behaviour.tried.len()), (MOST_OBSERVATIONS, MOST_OBSERVATIONS));
}

#[test]
fn few_ports_in_a_row_are_not_believed() {
    assert_eq!(allocation_of(Numbers::Rising(1), 3, 1).0, Allocation::Unknown);
    // Asking again shows no new mapping.
    let mut nat = Nat::new(Maps::Independent, Numbers::Rising(1), 1);
    let mut behaviour = blank();
    (0..9).for_each(|n| behaviour.seen(nat.send(5000, at(n, 10))));
    assert_eq!(behaviour.allocation(), Allocation::Unknown);
}

#[test]
fn a_range_that_ends_is_still_a_sequence() {
    let mut behaviour = blank();
    for (n, port) in [65_531, 65_533, 65_535, 1_024, 1_026, 1_028].into_iter().enumerate() {
        let local = 5_000 + u16::try_from(n).unwrap() * 3;
        behaviour.seen(Seen {
            local,
            server: at(1, 10),
            mapped: SocketAddr::from(([198, 51, 100, 1], port)),
        });
    }
    assert_eq!(behaviour.allocation(), Allocation::Sequential { last: 1_028, step: 2 });
}

proptest! {
    #[test]
    fn allocation_is_told_for_what_it_is(seed: u64, step in 1..=16_i16, down: bool) {
        let step = if down { -step } else { step };
        let (found, mut nat) = allocation_of(Numbers::Rising(step), 8, seed);
        // A start so near the end of the numbers that most of them wrap is no sequence.
        if let Allocation::Sequential { last, step: found } = found {
            prop_assert_eq!(found, step);
            let next = nat.send(1, at(1, 10)).mapped.port();
            prop_assert_eq!(next, last.wrapping_add_signed(step));
        } else {
            prop_assert!(false, "{:?}", found);
        }
        prop_assert_eq!(allocation_of(Numbers::Kept, 8, seed).0, Allocation::Preserved);
        prop_assert_eq!(allocation_of(Numbers::Parity, 16, seed).0, Allocation::Random { parity: true });
        let (found, nat) = allocation_of(Numbers::Busy, 16, seed);
        prop_assert!(matches!(found, Allocation::Sequential { last, step: 1..=4 } if last == nat.next), "{:?}", found);
    }

    /// At random, a sequence or parity would be a wonder: over these runs none may be seen more than the comments allow.
    #[test]
    fn random_ports_are_random(seed: u64) {
        let found = allocation_of(Numbers::Random, 16, seed).0;
        prop_assert!(matches!(found, Allocation::Random { parity: false }), "{:?}", found);
    }

    #[test]
    fn any_observations_are_borne(seen in proptest::collection::vec((any::<u16>(), any::<u8>(), any::<u16>(), any::<u16>()), 0..60)) {
        let mut behaviour = blank();
        for (local, ip, port, mapped) in seen {
            behaviour.seen(Seen { local: local % 4, server: at(ip % 3, port % 3), mapped: at(9, mapped) });
            behaviour.tried(Tried { local, asked: at(ip % 3, 1), from: at(ip % 2, port % 3), came: mapped % 2 == 0 });
        }
        behaviour.mapping();
        behaviour.filtering();
        behaviour.allocation();
    }
}
