#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::crypto::Secret;
use crate::crypto::keys::DeviceId;
use crate::identity::testing::{NOW, Person, points};
use crate::place::{Candidate, CandidateKind, Transport};
use crate::reach::{Attestation, Filtering, Mapping, Reflector};

fn candidates() -> Candidates {
    let address = |i: u8| match i % 2 {
        0 => SocketAddr::from(([203, 0, 113, i + 1], 40_000)),
        _ => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(i)], 40_000)),
    };
    Candidates::new((0..6).map(|i| Candidate {
        kind: CandidateKind::Host,
        transport: Transport::Udp,
        address: address(i),
    }))
}

/// The longest report whose witnesses have IPv4 addresses.
fn nat() -> NatReport {
    let by = |i| Attestation { by: SocketAddr::from(([192, 0, 2, i], 65_535)), mac: [i; 8] };
    NatReport {
        mapping: Mapping::Sequential { last: u16::MAX, step: i16::MIN },
        filtering: Filtering::AddressAndPortDependent,
        attestations: vec![by(1), by(2)],
    }
}

/// Two that answer over IPv4.
fn reflectors() -> Reflectors {
    Reflectors::new(
        (1..=2).map(|i| Reflector {
            addresses: vec![SocketAddr::from(([192, 0, 2, i], 65_535))],
            token: [i; 8],
        }),
    )
}

/// As many as are named.
fn relays() -> RelayTags {
    RelayTags::of(&Secret::new([7; 32]), &[1, 2, 3].map(|i| DeviceId([i; 16])))
}

/// The card that a first contact takes, with numbers that are times, as engines give them out.
fn brief(person: &Person) -> CardBytes {
    CardBytes(person.card_of(1_790_000_000, 0).brief(&person.device.public().id()).unwrap())
}

fn join(person: &Person) -> Join {
    Join {
        card: brief(person),
        candidates: candidates(),
        sent: NOW,
        nat: NatReport::default(),
        relays: RelayTags::default(),
    }
}

fn welcome(person: &Person) -> Welcome {
    let device = person.device.public().noise;
    let epoch = Epoch(20_700);
    Welcome::Accepted {
        card: brief(person),
        device,
        proof: [7; 64],
        candidates: candidates(),
        epoch,
        sent: NOW,
        nat: NatReport::default(),
        reflectors: Reflectors::default(),
        relays: RelayTags::default(),
    }
}

fn offer() -> Offer {
    Offer {
        no: NOW.0,
        lifetime: 600,
        candidates: candidates(),
        roster_seq: u64::MAX,
        status_seq: u64::MAX,
        nat: nat(),
        relays: relays(),
    }
}

fn answer() -> Answer {
    Answer {
        lifetime: 600,
        candidates: candidates(),
        roster_seq: u64::MAX,
        status_seq: u64::MAX,
        sent: NOW,
        nat: nat(),
        relays: relays(),
    }
}

#[test]
fn offers_and_answers_fit_the_smaller_record() {
    for length in [offer().to_bytes().len(), answer().to_bytes().len()] {
        assert_eq!(Bucket::holding(length, Pattern::Meeting.overhead1()), Some(Bucket::Small), "{length}");
    }
    let worst = Candidates::new((1..=6).map(|i| Candidate {
        kind: CandidateKind::Guessed,
        transport: Transport::Tcp,
        address: SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, i], 65_535)),
    }));
    let by =
        |i| Attestation { by: SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, i], 65_535)), mac: [7; 8] };
    let nat = NatReport { attestations: vec![by(1), by(2)], ..nat() };
    let sent = UnixMillis(u64::MAX);
    let answer = Answer { lifetime: u32::MAX, candidates: worst.clone(), sent, nat: nat.clone(), ..answer() };
    assert!(answer.to_bytes().len() <= Bucket::Small.payload(Pattern::Meeting.overhead2()));
    let offer = Offer { no: u64::MAX, lifetime: u32::MAX, candidates: worst, nat, ..offer() };
    assert!(!offer.relays.is_empty() && !answer.relays.is_empty());
    assert!(offer.to_bytes().len() <= Bucket::Small.payload(Pattern::Meeting.overhead1()));
}

#[test]
fn first_contact_fits_the_larger_record() {
    // How many bytes are left in a join and a welcome with six candidates, by devices, points and the bytes of their addresses.
    let left = |devices: usize, count: usize, length: usize| {
        let mut person = Person::with_devices(1, devices);
        person.points = points(count, length);
        person.previous = Some([1; 32]);
        let left = |length: usize, most: usize| most as i64 - length as i64;
        (
            left(join(&person).to_bytes().len(), Join::MAX),
            left(welcome(&person).to_bytes().len(), Welcome::MAX),
        )
    };
    // An account of one device says all it has to, but for one candidate where three addresses are very long.
    assert_eq!(left(1, 1, 56), (192, 135));
    assert_eq!(left(1, 2, 56), (115, 58));
    assert_eq!(left(1, 3, 40), (86, 29));
    assert_eq!(left(1, 3, 56), (37, -20));
    // An account of eight devices has room for one point, or for two and four candidates.
    assert_eq!(left(8, 1, 40), (89, 32));
    assert_eq!(left(8, 2, 40), (28, -29));
}

/// What is said of a NAT costs a first contact so much of what is left: a mapping little, everything a place or some candidates.
#[test]
fn what_a_nat_and_reflectors_take_of_a_first_contact() {
    let person = Person::new(1);
    let (plain, welcome) = (join(&person).to_bytes().len(), welcome(&person));
    let with = |nat: NatReport| Join { nat, ..join(&person) }.to_bytes().len() - plain;
    assert_eq!(with(NatReport::default()), 0);
    assert_eq!(with(NatReport { mapping: Mapping::Random, ..NatReport::default() }), 3);
    assert_eq!(with(nat().with_attestations(0)), 11);
    assert_eq!(with(nat()), 41);
    // Behind a report that says nothing one byte stands for it, and in a welcome another for the reflectors.
    let named = |count| RelayTags::of(&Secret::new([7; 32]), &[1, 2, 3].map(|i| DeviceId([i; 16]))[..count]);
    let relaying = |count| Join { relays: named(count), ..join(&person) }.to_bytes().len() - plain;
    assert_eq!([0, 1, 2, 3].map(relaying), [0, 9, 16, 23]);
    let plain = welcome.to_bytes().len();
    let more = |said: NatReport, named: Reflectors| {
        let mut welcome = welcome.clone();
        if let Welcome::Accepted { nat, reflectors, .. } = &mut welcome {
            (*nat, *reflectors) = (said, named);
        }
        welcome.to_bytes().len() - plain
    };
    assert_eq!(more(NatReport::default(), Reflectors::default()), 0);
    assert_eq!(more(NatReport::default(), reflectors()), 38);
    assert_eq!(more(nat(), reflectors()), 78);
}

#[test]
fn what_an_older_version_says_is_read_and_it_reads_what_we_say() {
    #[derive(Encode, Decode, Debug, PartialEq)]
    struct OldUpdate {
        #[n(0)]
        candidates: Candidates,
    }
    let old = OldUpdate { candidates: candidates() };
    let new = Update { candidates: candidates(), nat: nat(), relays: relays() };
    assert_eq!(codec::decode::<OldUpdate>("an update", &new.to_bytes(), 900).as_ref(), Ok(&old));
    let read = Update::from_bytes(&codec::encode(&old)).unwrap();
    assert_eq!(
        read,
        Update { candidates: candidates(), nat: NatReport::default(), relays: RelayTags::default() }
    );
    // Where nothing is known, the bytes are the older version's too.
    assert_eq!(read.to_bytes(), codec::encode(&old));
}

#[test]
fn the_limits_of_payloads_are_those_of_the_larger_record() {
    assert_eq!(Join::MAX, 830);
    assert_eq!([Welcome::MAX, Offer::MAX, Answer::MAX, Update::MAX], [878; 4]);
}

fn spoils<P: Payload + PartialEq + std::fmt::Debug>(payload: &P) {
    let bytes = payload.to_bytes();
    assert_eq!(P::from_bytes(&bytes).as_ref(), Ok(payload));
    for cut in 0..bytes.len() {
        assert!(P::from_bytes(&bytes[..cut]).is_err(), "{} cut at {cut}", P::NAME);
    }
    assert!(P::from_bytes(&[&bytes[..], &[0]].concat()).is_err(), "{} with a byte too many", P::NAME);
    assert!(P::from_bytes(&vec![0; P::MAX + 1]).is_err());
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        if let Ok(other) = P::from_bytes(&flipped) {
            assert!(other.to_bytes().len() <= bytes.len() + 8, "{}: byte {at}", P::NAME);
        }
    }
}

#[test]
fn payloads_come_back_and_cut_ones_do_not() {
    let mut person = Person::new(1);
    person.points = points(2, 30);
    spoils(&join(&person));
    spoils(&welcome(&person));
    for refusal in [Refusal::Used, Refusal::Expired, Refusal::Unwelcome] {
        spoils(&Welcome::Refused(refusal));
    }
    spoils(&offer());
    spoils(&answer());
    spoils(&Update { candidates: candidates(), nat: nat(), relays: relays() });
    spoils(&Join { nat: nat(), ..join(&person) });
    let mut told = welcome(&person);
    if let Welcome::Accepted { nat: said, reflectors: named, .. } = &mut told {
        (*said, *named) = (nat(), reflectors());
    }
    spoils(&told);
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..900)) {
        prop_assert!(Join::from_bytes(&bytes).is_err());
        let _ = Welcome::from_bytes(&bytes);
        let _ = Offer::from_bytes(&bytes);
        let _ = Answer::from_bytes(&bytes);
        let _ = Update::from_bytes(&bytes);
    }

    #[test]
    fn offers_of_any_values_come_back(no in any::<u64>(), lifetime in any::<u32>(), roster_seq in any::<u64>(), status_seq in any::<u64>()) {
        let offer = Offer { no, lifetime, roster_seq, status_seq, candidates: candidates(), nat: nat(), relays: relays() };
        prop_assert_eq!(Offer::from_bytes(&offer.to_bytes()), Ok(offer));
    }
}
