#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;
use rand_core::SeedableRng;

use super::*;

struct Sides {
    one: NoiseKey,
    two: NoiseKey,
    psk: Secret,
    e1: Secret,
    e2: Secret,
}

const BOTH: [Pattern; 2] = [Pattern::Contact, Pattern::Meeting];

impl Sides {
    fn new(seed: u64) -> Self {
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(seed);
        Self {
            one: NoiseKey::generate(&mut rng),
            two: NoiseKey::generate(&mut rng),
            psk: Secret::random(&mut rng),
            e1: Secret::random(&mut rng),
            e2: Secret::random(&mut rng),
        }
    }

    fn initiator(&self, pattern: Pattern) -> Handshake {
        Handshake::initiator(pattern, &self.one, &self.two.public(), &self.psk, b"prologue", &self.e1)
            .unwrap()
    }

    fn responder(&self, pattern: Pattern) -> Handshake {
        let remote = (pattern == Pattern::Meeting).then(|| self.one.public());
        Handshake::responder(pattern, &self.two, remote.as_ref(), &self.psk, b"prologue", &self.e2).unwrap()
    }
}

#[test]
fn both_sides_come_to_the_same_secrets() {
    for pattern in BOTH {
        let sides = Sides::new(1);
        let (mut one, mut two) = (sides.initiator(pattern), sides.responder(pattern));
        assert!(one.secret("pair").is_none() && two.secret("pair").is_none());
        let message1 = one.write(b"hello").unwrap();
        assert_eq!(message1.len(), 5 + pattern.overhead1());
        assert!(one.secret("pair").is_none());
        assert_eq!(two.read(&message1).unwrap(), b"hello");
        assert_eq!(one.hash(), two.hash());
        assert_eq!(two.remote(), Some(sides.one.public()));
        let h1 = one.hash();
        let message2 = two.write(b"welcome").unwrap();
        assert_eq!(message2.len(), 7 + pattern.overhead2());
        assert_eq!(one.read(&message2).unwrap(), b"welcome");
        assert_eq!(one.hash(), two.hash());
        assert_ne!(one.hash(), h1);
        assert_eq!(one.secret("pair").unwrap(), two.secret("pair").unwrap());
        assert_eq!(one.secret("pair").unwrap(), one.secret("pair").unwrap());
        assert_ne!(one.secret("pair").unwrap(), one.secret("gate").unwrap());
    }
}

#[test]
fn any_flipped_bit_and_any_cut_is_refused_and_does_not_spoil_the_handshake() {
    for pattern in BOTH {
        let sides = Sides::new(2);
        let (mut one, mut two) = (sides.initiator(pattern), sides.responder(pattern));
        let message1 = one.write(b"hello").unwrap();
        for at in 0..message1.len() {
            let mut flipped = message1.clone();
            flipped[at] ^= 1 << (at % 8);
            assert!(two.read(&flipped).is_err(), "{pattern:?}: byte {at} of message 1");
            assert!(two.read(&message1[..at]).is_err(), "{pattern:?}: message 1 cut at {at}");
        }
        assert_eq!(two.read(&message1).unwrap(), b"hello");
        let message2 = two.write(b"welcome").unwrap();
        for at in 0..message2.len() {
            let mut flipped = message2.clone();
            flipped[at] ^= 1 << (at % 8);
            assert!(one.read(&flipped).is_err(), "{pattern:?}: byte {at} of message 2");
            assert!(one.read(&message2[..at]).is_err(), "{pattern:?}: message 2 cut at {at}");
        }
        assert_eq!(one.read(&message2).unwrap(), b"welcome");
        assert_eq!(one.secret("pair").unwrap(), two.secret("pair").unwrap());
    }
}

#[test]
fn another_key_psk_or_prologue_does_not_verify() {
    for pattern in BOTH {
        let (sides, others) = (Sides::new(3), Sides::new(4));
        let message1 = sides.initiator(pattern).write(b"").unwrap();
        let respond = |local: &NoiseKey, remote: &NoiseKey, psk: &Secret, prologue: &[u8]| {
            let remote = (pattern == Pattern::Meeting).then(|| remote.public());
            Handshake::responder(pattern, local, remote.as_ref(), psk, prologue, &sides.e2)
                .unwrap()
                .read(&message1)
        };
        assert!(respond(&sides.two, &sides.one, &sides.psk, b"prologue").is_ok());
        assert!(respond(&others.two, &sides.one, &sides.psk, b"prologue").is_err());
        assert!(respond(&sides.two, &sides.one, &others.psk, b"prologue").is_err());
        assert!(respond(&sides.two, &sides.one, &sides.psk, b"Prologue").is_err());
        let known = pattern == Pattern::Contact;
        assert_eq!(respond(&sides.two, &others.one, &sides.psk, b"prologue").is_ok(), known);
    }
}

#[test]
fn the_same_ephemeral_and_payload_rebuild_the_same_state() {
    for pattern in BOTH {
        let sides = Sides::new(5);
        let (mut one, mut rebuilt) = (sides.initiator(pattern), sides.initiator(pattern));
        let message1 = one.write(b"payload").unwrap();
        assert_eq!(rebuilt.write(b"payload").unwrap(), message1);
        drop(one);
        let mut two = sides.responder(pattern);
        two.read(&message1).unwrap();
        let message2 = two.write(b"").unwrap();
        rebuilt.read(&message2).unwrap();
        assert_eq!(rebuilt.secret("pair").unwrap(), two.secret("pair").unwrap());
    }
}

#[test]
fn out_of_turn_is_an_error() {
    for pattern in BOTH {
        let sides = Sides::new(6);
        let (mut one, mut two) = (sides.initiator(pattern), sides.responder(pattern));
        assert!(two.write(b"").is_err());
        assert!(one.read(&[0; 200]).is_err());
        let message1 = one.write(b"").unwrap();
        assert!(one.write(b"").is_err());
        two.read(&message1).unwrap();
        assert!(two.read(&message1).is_err());
        let message2 = two.write(b"").unwrap();
        assert!(two.write(b"").is_err());
        one.read(&message2).unwrap();
        assert!(one.read(&message2).is_err() && one.write(b"").is_err());
    }
}

#[test]
fn a_payload_too_long_for_noise_is_an_error() {
    let mut one = Sides::new(7).initiator(Pattern::Meeting);
    assert!(one.write(&vec![0; 65_536]).is_err());
    assert!(one.write(b"").is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn junk_is_refused(junk in prop::collection::vec(any::<u8>(), 0..1200), contact in any::<bool>()) {
        let pattern = if contact { Pattern::Contact } else { Pattern::Meeting };
        let sides = Sides::new(8);
        prop_assert!(sides.responder(pattern).read(&junk).is_err());
        let mut one = sides.initiator(pattern);
        one.write(b"").unwrap();
        prop_assert!(one.read(&junk).is_err());
    }

    #[test]
    fn payloads_arrive(one_says in prop::collection::vec(any::<u8>(), 0..900), two_says in prop::collection::vec(any::<u8>(), 0..900), seed in any::<u64>()) {
        for pattern in BOTH {
            let sides = Sides::new(seed);
            let (mut one, mut two) = (sides.initiator(pattern), sides.responder(pattern));
            prop_assert_eq!(&two.read(&one.write(&one_says).unwrap()).unwrap(), &one_says);
            prop_assert_eq!(&one.read(&two.write(&two_says).unwrap()).unwrap(), &two_says);
        }
    }
}
