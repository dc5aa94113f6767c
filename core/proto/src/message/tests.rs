#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::identity::testing::{NOW, Person, points};
use crate::place::{Candidate, CandidateKind};

fn candidates() -> Candidates {
    let address = |i: u8| match i % 2 {
        0 => SocketAddr::from(([203, 0, 113, i + 1], 40_000)),
        _ => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(i)], 40_000)),
    };
    Candidates::new((0..6).map(|i| Candidate { kind: CandidateKind::Host, address: address(i) }))
}

fn join(person: &Person) -> Join {
    Join::fitting(&person.card(), &person.device.public().id(), &candidates(), NOW).unwrap()
}

fn welcome(person: &Person) -> Welcome {
    Welcome::fitting(&person.card(), &person.device.public(), [7; 64], &candidates(), Epoch(20_700), NOW)
        .unwrap()
}

fn offer() -> Offer {
    Offer { no: NOW.0, lifetime: 600, candidates: candidates(), roster_seq: u64::MAX, status_seq: u64::MAX }
}

fn answer() -> Answer {
    Answer { lifetime: 600, candidates: candidates(), roster_seq: u64::MAX, status_seq: u64::MAX, sent: NOW }
}

#[test]
fn offers_and_answers_fit_the_smaller_record() {
    for length in [offer().to_bytes().len(), answer().to_bytes().len()] {
        assert_eq!(Bucket::holding(length, Pattern::Meeting.overhead1()), Some(Bucket::Small), "{length}");
    }
    let worst = Candidates::new((1..=6).map(|i| Candidate {
        kind: CandidateKind::Guessed,
        address: SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, i], 65_535)),
    }));
    let offer = Offer { no: u64::MAX, lifetime: u32::MAX, candidates: worst, ..offer() };
    assert!(offer.to_bytes().len() <= Bucket::Small.payload(Pattern::Meeting.overhead1()));
}

/// What was left out to fit: candidates, points.
fn left(card: &CardBytes, candidates: &Candidates, device: &DeviceId) -> (usize, usize) {
    (candidates.len(), card.0.status(device).map_or(0, |status| status.points.len()))
}

#[test]
fn first_contact_fits_the_larger_record() {
    let sizes = |count: usize, points_of: (usize, usize)| {
        let mut person = Person::with_devices(1, count);
        person.points = points(points_of.0, points_of.1);
        person.previous = Some([1; 32]);
        let device = person.device.public().id();
        let (join, welcome) = (join(&person), welcome(&person));
        assert!(Bucket::holding(join.to_bytes().len(), Pattern::Contact.overhead1()).is_some());
        assert!(Bucket::holding(welcome.to_bytes().len(), Pattern::Contact.overhead2()).is_some());
        let Welcome::Accepted { card, candidates, .. } = welcome else { unreachable!() };
        (left(&join.card, &join.candidates, &device), left(&card, &candidates, &device))
    };
    // One device: everything, but for the longest addresses.
    for points in [(1, 56), (2, 56), (3, 40)] {
        assert_eq!(sizes(1, points), ((6, points.0), (6, points.0)), "{points:?}");
    }
    assert_eq!(sizes(1, (3, 56)), ((6, 3), (5, 3)));
    // Eight devices: the one that speaks, with its points.
    assert_eq!(sizes(8, (1, 40)), ((6, 1), (6, 1)));
    assert_eq!(sizes(8, (2, 40)), ((6, 2), (4, 2)));
    // Points that do not fit are left out, candidates are not.
    assert_eq!(sizes(8, (8, 190)), ((6, 0), (6, 0)));
}

#[test]
fn the_fullest_that_fits_is_taken() {
    let small = join(&Person::new(1));
    assert_eq!(small.card.0, Person::new(1).card());
    assert_eq!(small.candidates, candidates());
    let mut longest = Person::with_devices(1, 8);
    longest.name = "x".repeat(64);
    longest.points = points(8, 190);
    longest.previous = Some([1; 32]);
    assert_eq!(welcome(&longest).to_bytes().len().max(Welcome::MAX), Welcome::MAX);
    let stranger = Person::new(2).device.public().id();
    assert!(Join::fitting(&longest.card(), &stranger, &candidates(), NOW).is_none());
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
    spoils(&Update { candidates: candidates() });
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
        let offer = Offer { no, lifetime, roster_seq, status_seq, candidates: candidates() };
        prop_assert_eq!(Offer::from_bytes(&offer.to_bytes()), Ok(offer));
    }
}
