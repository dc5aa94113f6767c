//! The handshake against itself, and the reader against anything.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;

fn keys() -> (StaticKey, StaticKey, Secret32) {
    (StaticKey::from_bytes([1; 32]), StaticKey::from_bytes([2; 32]), [4; 32].into())
}

fn parties<'a>(local: &'a StaticKey, peer: &'a [u8; 32], psk: &'a Secret32) -> Parties<'a> {
    Parties { local, peer, psk, ephemeral: None }
}

#[test]
fn both_sides_come_to_the_same_secrets() {
    let (i, r, psk) = keys();
    let (i_public, r_public) = (i.public(), r.public());
    let (initiator, one) = Initiator::start(&parties(&i, &r_public, &psk), b"from i").unwrap();
    let (responder, parameters) = Responder::receive(&parties(&r, &i_public, &psk), &one).unwrap();
    assert_eq!(parameters, b"from i");
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
    let receive = |message: &[u8]| Responder::receive(&parties(&r, &i.public(), &psk), message).err();
    assert_eq!(receive(&one(&i, r.public(), &psk)), None);
    assert_eq!(receive(&one(&other, r.public(), &psk)), Some(HandshakeError::WrongPeer));
    assert_eq!(receive(&one(&i, other.public(), &psk)), Some(HandshakeError::Unauthentic));
    assert_eq!(receive(&one(&i, r.public(), &[5; 32].into())), Some(HandshakeError::Unauthentic));
    // A low-order ephemeral key, whose every shared secret would be zero.
    assert_eq!(receive(&[0; 200]), Some(HandshakeError::Unauthentic));
}

#[test]
fn frames_come_whole_from_any_chunks_and_stay_bounded() {
    let sent = [frame(b"one"), frame(b""), frame(b"two")].concat();
    for chunk in 1..sent.len() {
        let (mut frames, mut got) = (Frames::default(), Vec::new());
        for bytes in sent.chunks(chunk) {
            frames.push(bytes).unwrap();
            got.extend(std::iter::from_fn(|| frames.pop().unwrap()));
        }
        assert_eq!(got, [b"one".to_vec(), vec![], b"two".to_vec()]);
    }
    let mut frames = Frames::default();
    assert_eq!(frames.push(&[0; MAX_MESSAGE + 3]), Err(HandshakeError::TooLong));
    frames.push(&[0xff, 0xff]).unwrap();
    assert_eq!(frames.pop(), Err(HandshakeError::TooLong));
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
        prop_assert!(Responder::receive(&parties(&r, &i.public(), &psk), &message).is_err());
    }

    #[test]
    fn any_change_of_a_first_message_is_refused(at in 0usize..96 * 8) {
        let (i, r, psk) = keys();
        let (_, mut one) = Initiator::start(&parties(&i, &r.public(), &psk), b"").unwrap();
        prop_assert_eq!(one.len(), 96);
        one[at / 8] ^= 1 << (at % 8);
        prop_assert!(Responder::receive(&parties(&r, &i.public(), &psk), &one).is_err());
    }

    #[test]
    fn any_second_message_is_read_without_panic(message in prop::collection::vec(any::<u8>(), 0..1300)) {
        let (i, r, psk) = keys();
        let (initiator, _) = Initiator::start(&parties(&i, &r.public(), &psk), b"").unwrap();
        prop_assert!(initiator.finish(&message).is_err());
    }

    #[test]
    fn any_crypto_bytes_are_collected_without_panic(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..8)) {
        let mut frames = Frames::default();
        for chunk in chunks {
            if frames.push(&chunk).is_err() {
                break;
            }
            while let Ok(Some(message)) = frames.pop() {
                prop_assert!(message.len() <= MAX_MESSAGE);
            }
        }
    }
}
