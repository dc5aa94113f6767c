//! The handshake against itself, and the reader against anything.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;
use crate::Kem;

fn keys() -> (StaticKey, StaticKey, Secret32) {
    (StaticKey::from_bytes([1; 32]), StaticKey::from_bytes([2; 32]), [4; 32].into())
}

fn suite(pattern: Pattern, kem: Kem) -> Suite {
    Suite { pattern, kem }
}

fn parties<'a>(local: &'a StaticKey, peer: &'a [u8; 32], psk: &'a Secret32) -> Parties<'a> {
    let (local, peer, ciphers) = (Some(local), Some(peer), Ciphers::Automatic.into());
    Parties { suite: suite(Pattern::Ik, Kem::None), local, peer, psk, ciphers, fixed: None }
}

#[test]
fn both_sides_come_to_the_same_secrets() {
    let (i, r, psk) = keys();
    let (i_public, r_public) = (i.public(), r.public());
    let (initiator, one) = Initiator::start(&parties(&i, &r_public, &psk), b"from i").unwrap();
    let responder = Responder::receive(&parties(&r, &i_public, &psk), one).unwrap();
    assert_eq!(responder.parameters(), b"from i");
    let (two, theirs) = responder.reply(b"from r").unwrap();
    let (parameters, ours) = initiator.finish(&two).unwrap();
    assert_eq!(parameters, b"from r");
    assert_eq!(ours.handshake.initiator, theirs.handshake.initiator);
    assert_eq!(ours.application.responder, theirs.application.responder);
    assert_eq!(ours.export(b"x"), theirs.export(b"x"));
    assert!(confirms(&theirs.confirm.responder, ours.confirm.responder.as_bytes()));
    let all = [&ours.handshake, &ours.application, &ours.confirm, &ours.application.next()];
    let all: std::collections::HashSet<_> =
        all.iter().flat_map(|d| [*d.initiator.as_bytes(), *d.responder.as_bytes()]).collect();
    assert_eq!(all.len(), 8, "no secret serves twice");
}

#[test]
fn anyone_else_is_refused() {
    let (i, r, psk) = keys();
    let other = StaticKey::from_bytes([9; 32]);
    let one = |local: &StaticKey, peer: [u8; 32], psk: &Secret32| {
        Initiator::start(&parties(local, &peer, psk), b"").unwrap().1
    };
    let receive = |message: Vec<u8>| Responder::receive(&parties(&r, &i.public(), &psk), message).err();
    assert_eq!(receive(one(&i, r.public(), &psk)), None);
    assert_eq!(receive(one(&other, r.public(), &psk)), Some(HandshakeError::WrongPeer));
    assert_eq!(receive(one(&i, other.public(), &psk)), Some(HandshakeError::Unauthentic));
    assert_eq!(receive(one(&i, r.public(), &[5; 32].into())), Some(HandshakeError::Unauthentic));
    // A low-order ephemeral key, whose every shared secret would be zero.
    assert_eq!(receive(vec![0; 200]), Some(HandshakeError::Unauthentic));
}

#[test]
fn anyone_is_let_in_by_the_psk_and_named_by_the_static_key() {
    let (_, r, psk) = keys();
    let r_public = r.public();
    let anyone = Parties { peer: None, ..parties(&r, &r_public, &psk) };
    for i in [[1; 32], [9; 32]].map(StaticKey::from_bytes) {
        let one = |psk| Initiator::start(&parties(&i, &r_public, psk), b"").unwrap().1;
        let responder = Responder::receive(&anyone, one(&psk)).unwrap();
        assert_eq!(responder.peer(), Peer::Device(i.public()));
        assert!(Responder::receive(&anyone, one(&[5; 32].into())).is_err(), "another psk");
    }
}

#[test]
fn a_guest_shows_nothing_but_the_psk() {
    let (i, r, psk) = keys();
    let r_public = r.public();
    let guest = Parties { suite: suite(Pattern::Nk, Kem::None), local: None, ..parties(&i, &r_public, &psk) };
    let host = Parties { suite: suite(Pattern::Nk, Kem::None), peer: None, ..parties(&r, &r_public, &psk) };
    let (initiator, one) = Initiator::start(&guest, b"from i").unwrap();
    assert_eq!(one.len(), 32 + 1 + 6 + 16);
    assert_eq!(initiator.peer(), Peer::Device(r_public));
    let responder = Responder::receive(&host, one.clone()).unwrap();
    assert_eq!(responder.peer(), Peer::Guest(one[..32].try_into().unwrap()));
    let (two, theirs) = responder.reply(b"from r").unwrap();
    let (parameters, ours) = initiator.finish(&two).unwrap();
    assert_eq!((parameters, ours.export(b"x")), (b"from r".to_vec(), theirs.export(b"x")));
    // Neither is taken for the other, and a guest needs the psk and the host's key.
    let as_device = Initiator::start(&parties(&i, &r_public, &psk), b"").unwrap().1;
    assert!(Responder::receive(&host, as_device).is_err());
    let anyone = Parties { peer: None, ..parties(&r, &r_public, &psk) };
    assert!(Responder::receive(&anyone, one).is_err());
    let other_psk = [5; 32].into();
    let other = Initiator::start(&Parties { psk: &other_psk, ..guest }, b"").unwrap().1;
    assert!(Responder::receive(&host, other).is_err());
}

#[test]
fn every_suite_comes_to_the_same_secrets_and_to_no_other_suite_s() {
    let (i, r, psk) = keys();
    let r_public = r.public();
    let all =
        [Pattern::Ik, Pattern::Nk].map(|p| [Kem::None, Kem::MlKem768].map(|kem| suite(p, kem))).concat();
    for &ours in &all {
        let local = (ours.pattern == Pattern::Ik).then_some(&i);
        let of_i = Parties { suite: ours, local, ..parties(&i, &r_public, &psk) };
        let (initiator, one) = Initiator::start(&of_i, b"from i").unwrap();
        assert_eq!(one.len(), ours.overhead() + 1 + 6);
        assert!(one.len() <= ours.max_message());
        for &theirs in &all {
            let of_r = Parties { suite: theirs, peer: None, ..parties(&r, &r_public, &psk) };
            assert_eq!(Responder::receive(&of_r, one.clone()).is_ok(), ours == theirs, "{ours:?} {theirs:?}");
        }
        let of_r = Parties { suite: ours, peer: None, ..parties(&r, &r_public, &psk) };
        let (two, theirs) = Responder::receive(&of_r, one).unwrap().reply(b"from r").unwrap();
        assert_eq!(two.len(), 32 + 16 + 1 + 6 + if ours.kem == Kem::None { 0 } else { 1088 + 16 });
        let (_, ours) = initiator.finish(&two).unwrap();
        assert_eq!(ours.export(b"x"), theirs.export(b"x"));
    }
}

#[test]
fn a_key_that_is_none_of_ml_kem_is_refused() {
    let (i, r, psk) = keys();
    let r_public = r.public();
    let hybrid = suite(Pattern::Ik, Kem::MlKem768);
    // Coefficients beyond the modulus, which the check of FIPS 203, section 7.2, must find.
    let kem = FixedKem { encapsulation_key: vec![0xff; 1184], ..FixedKem::generate() };
    let fixed = Some(Fixed { ephemeral: &[8; 32], kem: Some(&kem) });
    let (_, one) =
        Initiator::start(&Parties { suite: hybrid, fixed, ..parties(&i, &r_public, &psk) }, b"").unwrap();
    let of_r = Parties { suite: hybrid, peer: None, ..parties(&r, &r_public, &psk) };
    let responder = Responder::receive(&of_r, one).unwrap();
    assert_eq!(responder.reply(b"").err(), Some(HandshakeError::Unauthentic));
}

#[test]
fn the_cipher_is_what_both_allow_and_cannot_be_changed_in_flight() {
    let (i, r, psk) = keys();
    let (i_public, r_public) = (i.public(), r.public());
    let shake = |offered, accepted| {
        let ours = Parties { ciphers: Offer::from_byte(offered), ..parties(&i, &r_public, &psk) };
        let theirs = Parties { ciphers: Offer::from_byte(accepted), ..parties(&r, &i_public, &psk) };
        let (initiator, one) = Initiator::start(&ours, b"").unwrap();
        let (two, theirs) = Responder::receive(&theirs, one)?.reply(b"").unwrap();
        let ours = initiator.finish(&two).unwrap().1;
        assert_eq!(ours.cipher, theirs.cipher);
        Ok(ours.cipher)
    };
    assert_eq!(shake(3, 3), Ok(PacketCipher::Aes256Gcm));
    assert_eq!(shake(1, 3), Ok(PacketCipher::ChaCha20Poly1305));
    assert_eq!(shake(3, 1), Ok(PacketCipher::ChaCha20Poly1305));
    assert_eq!(shake(0, 3), Err(HandshakeError::NoCipher));
}

#[test]
fn a_choice_that_was_not_offered_is_refused() {
    let (i, r, psk) = keys();
    let (i_public, r_public) = (i.public(), r.public());
    let ours = Parties { ciphers: Ciphers::ChaChaOnly.into(), ..parties(&i, &r_public, &psk) };
    let (initiator, one) = Initiator::start(&ours, b"").unwrap();
    let mut responder = Responder::receive(&parties(&r, &i_public, &psk), one).unwrap();
    responder.cipher = PacketCipher::Aes256Gcm;
    let (two, _) = responder.reply(b"").unwrap();
    assert_eq!(initiator.finish(&two).err(), Some(HandshakeError::NoCipher));
}

#[test]
fn an_empty_payload_is_no_message() {
    let (i, r, psk) = keys();
    let (i_public, r_public) = (i.public(), r.public());
    let state = builder(&parties(&i, &r_public, &psk)).unwrap().remote_public_key(&r_public).unwrap();
    let mut message = vec![0; 1000];
    let length = state.build_initiator().unwrap().write_message(&[], &mut message).unwrap();
    let received = Responder::receive(&parties(&r, &i_public, &psk), message[..length].to_vec());
    assert_eq!(received.err(), Some(HandshakeError::NoCipher));
}

#[test]
fn secrets_do_not_print() {
    let (i, _, psk) = keys();
    assert_eq!(format!("{psk:?} {i:?}"), "Secret32(..) StaticKey { .. }");
}

proptest! {
    #[test]
    fn any_first_message_is_read_without_panic(message in prop::collection::vec(any::<u8>(), 0..1300)) {
        let (i, r, psk) = keys();
        prop_assert!(Responder::receive(&parties(&r, &i.public(), &psk), message).is_err());
    }

    #[test]
    fn any_change_of_a_first_message_is_refused(at in 0usize..97 * 8) {
        let (i, r, psk) = keys();
        let (_, mut one) = Initiator::start(&parties(&i, &r.public(), &psk), b"").unwrap();
        prop_assert_eq!(one.len(), 97);
        one[at / 8] ^= 1 << (at % 8);
        prop_assert!(Responder::receive(&parties(&r, &i.public(), &psk), one).is_err());
    }

    #[test]
    fn any_second_message_is_read_without_panic(message in prop::collection::vec(any::<u8>(), 0..1300)) {
        let (i, r, psk) = keys();
        let (initiator, _) = Initiator::start(&parties(&i, &r.public(), &psk), b"").unwrap();
        prop_assert!(initiator.finish(&message).is_err());
    }
}
