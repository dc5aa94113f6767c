//! Both sides of a handshake as a QUIC library drives them, without one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use super::*;
use crate::{Ciphers, Expectation, Kem, SessionId, StaticKey, Whom};

fn client() -> StaticKey {
    StaticKey::from_bytes([1; 32])
}

fn server() -> StaticKey {
    StaticKey::from_bytes([2; 32])
}

fn expectation(whom: Whom, kem: Kem) -> Expectation {
    Expectation { session: SessionId([1; 16]), whom, gate: [3; 32].into(), psk: [4; 32].into(), kem }
}

fn keys() -> Arc<GateKeys> {
    Arc::new(GateKeys::new(&[3; 32].into()))
}

/// An initiator that has written message 1, and a responder that has verified it but not read it yet.
fn begun(kem: Kem) -> (Session, Session, Vec<u8>) {
    let (client, server) = (client(), server());
    let (of_server, of_client) =
        (expectation(Whom::Device(server.public()), kem), expectation(Whom::Anyone, kem));
    let dialling = Parties::dialling(&client, &of_server, Ciphers::Automatic).unwrap();
    let mut initiator = Session::initiate(keys(), &dialling, b"of i").unwrap();
    let mut one = Vec::new();
    assert!(initiator.write(&mut one).unwrap().is_none());
    let expecting = Parties::expecting(&server, &of_client, Ciphers::Automatic).unwrap();
    let responder = Responder::receive(&expecting, one[2..].to_vec()).unwrap();
    (initiator, Session::respond(keys(), Some(responder), b"of r".to_vec()), one)
}

fn written(session: &mut Session) -> (Vec<u8>, Option<LevelKeys>) {
    let mut out = Vec::new();
    let keys = session.write(&mut out).unwrap();
    (out, keys)
}

fn fits(ours: &Both<PacketKey>, theirs: &Both<PacketKey>) {
    for (from, to) in [(ours, theirs), (theirs, ours)] {
        let mut packet = b"said".to_vec();
        let tag = from.local.seal(0, 7, b"header", &mut packet).unwrap();
        packet.extend_from_slice(&tag);
        assert_eq!(to.remote.open(0, 7, b"header", &mut packet).unwrap(), b"said");
        assert_eq!(from.local.cipher(), to.remote.cipher());
    }
}

/// All the way, byte by byte; returns both sides when they are done.
fn finished(kem: Kem) -> (Session, Session) {
    let (mut initiator, mut responder, one) = begun(kem);
    let read = |session: &mut Session, bytes: &[u8]| bytes.chunks(1).for_each(|b| session.read(b).unwrap());
    read(&mut responder, &one);
    assert_eq!(responder.peer_parameters(), Some(&b"of i"[..]));
    let (two, theirs) = written(&mut responder);
    assert!(initiator.is_handshaking() && initiator.peer_parameters().is_none());
    read(&mut initiator, &two);
    assert_eq!(initiator.peer_parameters(), Some(&b"of r"[..]));
    let (nothing, ours) = written(&mut initiator);
    assert!(nothing.is_empty());
    fits(&ours.unwrap().packet, &theirs.unwrap().packet);
    assert!(initiator.export(b"x", &mut [0; 32]).is_none());

    let (confirm, theirs) = written(&mut responder);
    assert!(written(&mut initiator).0.is_empty(), "not before the other's confirmation");
    assert!(initiator.is_handshaking());
    read(&mut initiator, &confirm);
    assert!(!initiator.is_handshaking());
    let (confirm, ours) = written(&mut initiator);
    fits(&ours.unwrap().packet, &theirs.unwrap().packet);
    assert!(responder.is_handshaking());
    read(&mut responder, &confirm);
    assert!(!responder.is_handshaking());
    (initiator, responder)
}

#[test]
fn both_sides_finish_agree_and_update_keys() {
    for kem in [Kem::None, Kem::MlKem768] {
        let (mut initiator, mut responder) = finished(kem);
        assert_eq!(initiator.peer(), Some(Peer::Device(server().public())));
        assert_eq!(responder.peer(), Some(Peer::Device(client().public())));
        let (mut ours, mut theirs) = ([0; 32], [0; 32]);
        initiator.export(b"x", &mut ours).unwrap();
        responder.export(b"x", &mut theirs).unwrap();
        assert_eq!(ours, theirs);
        assert!(initiator.export(b"x", &mut [0; 33]).is_none());
        let mut before = initiator.next_keys().unwrap();
        fits(&before, &responder.next_keys().unwrap());
        for _ in 0..3 {
            let (ours, theirs) = (initiator.next_keys().unwrap(), responder.next_keys().unwrap());
            fits(&ours, &theirs);
            let mut packet = b"said".to_vec();
            let tag = before.local.seal(0, 7, b"", &mut packet).unwrap();
            packet.extend_from_slice(&tag);
            assert!(
                theirs.remote.open(0, 7, b"", &mut packet).is_err(),
                "each generation has keys of its own"
            );
            before = ours;
        }
    }
}

#[test]
fn what_a_handshake_is_done_with_is_gone() {
    let (mut initiator, mut responder) = finished(Kem::None);
    let first =
        [&initiator, &responder].map(|s| *s.established.as_ref().unwrap().generation.initiator.as_bytes());
    for session in [&mut initiator, &mut responder] {
        assert!(session.secrets.is_none());
        session.next_keys().unwrap();
    }
    let second =
        [&initiator, &responder].map(|s| *s.established.as_ref().unwrap().generation.initiator.as_bytes());
    assert_eq!(first[0], first[1]);
    assert_eq!(second[0], second[1]);
    assert_ne!(first, second);
}

#[test]
fn anything_out_of_turn_ends_the_handshake() {
    let (_, mut responder, one) = begun(Kem::None);
    let mut other = one.clone();
    *other.last_mut().unwrap() ^= 1;
    assert_eq!(responder.read(&other), Err(HandshakeError::Unauthentic), "not the message that was verified");
    assert_eq!(responder.read(&one), Err(HandshakeError::Unauthentic), "no second try");

    let (mut initiator, mut responder, one) = begun(Kem::None);
    responder.read(&one).unwrap();
    let (two, _) = written(&mut responder);
    written(&mut responder);
    initiator.read(&two).unwrap();
    written(&mut initiator);
    assert_eq!(initiator.read(&frame(&[0; 32])), Err(HandshakeError::Unauthentic), "a wrong confirmation");
    assert_eq!(responder.read(&frame(&[0; 32])), Err(HandshakeError::Unauthentic), "a wrong confirmation");
    assert!(initiator.is_handshaking() && responder.is_handshaking());

    let (mut initiator, ..) = begun(Kem::None);
    assert_eq!(initiator.read(&[0xff; 3]), Err(HandshakeError::TooLong));
    let nobody = &mut Session::respond(keys(), None, vec![]);
    assert_eq!(nobody.read(&frame(b"x")), Err(HandshakeError::TooLong));
    assert!(written(nobody).1.is_none());
}
