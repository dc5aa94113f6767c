//! What packets and handshakes cost. Measurements, not checks:
//! `cargo test --release -p wayside-noise cost -- --ignored --nocapture --test-threads 1`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use super::{
    cipher::PacketCipher,
    handshake::{Initiator, Parties, Responder},
    packet::{HeaderKey, PacketKey},
};
use crate::{Ciphers, Expectation, Kem, SessionId, StaticKey, Whom};

/// The best of several rounds, since others want the processor too.
fn each(count: u32, mut run: impl FnMut(u64)) -> Duration {
    let round = |run: &mut dyn FnMut(u64)| {
        let began = Instant::now();
        (0..u64::from(count)).for_each(run);
        began.elapsed() / count
    };
    (0..7).map(|_| round(&mut run)).min().unwrap()
}

#[test]
#[ignore = "a measurement, not a check"]
fn cost_of_a_packet() {
    for cipher in [PacketCipher::ChaCha20Poly1305, PacketCipher::Aes256Gcm] {
        let secret = [7; 32].into();
        let (key, header_key) = (PacketKey::new(cipher, &secret), HeaderKey::new(cipher, &secret));
        let (header, mut payload) = ([0x43; 17], vec![1; 1400]);
        let seal = each(20_000, |number| {
            black_box(key.seal(1, number, &header, &mut payload).unwrap());
        });
        let tag = key.seal(1, 7, &header, &mut payload).unwrap();
        payload.extend_from_slice(&tag);
        let open = each(20_000, |_| {
            let mut copy = black_box(payload.clone());
            assert!(key.open(1, 7, &header, &mut copy).is_ok());
        });
        let mask = each(20_000, |_| header_key.protect(13, black_box(&mut payload)));
        println!("{cipher:?}, 1400 bytes: seal {seal:?}, open {open:?} with a copy, mask {mask:?}");
    }
}

#[test]
#[ignore = "a measurement, not a check"]
fn cost_of_a_handshake() {
    let (client, server) = (StaticKey::from_bytes([1; 32]), StaticKey::from_bytes([2; 32]));
    for kem in [Kem::None, Kem::MlKem768] {
        let expectation = |whom| Expectation {
            session: SessionId([1; 16]),
            whom,
            gate: [3; 32].into(),
            psk: [4; 32].into(),
            kem,
        };
        let pairs = [
            (Whom::Device(server.public()), Whom::Device(client.public())),
            (Whom::Host(server.public()), Whom::Guests(server.clone())),
        ];
        for (dialled, expected) in pairs.map(|(d, e)| (expectation(d), expectation(e))) {
            let dialling = Parties::dialling(&client, &dialled, Ciphers::Automatic).unwrap();
            let expecting = Parties::expecting(&server, &expected, Ciphers::Automatic).unwrap();
            let suite = dialling.suite;
            let start = each(500, |_| drop(black_box(Initiator::start(&dialling, &[7; 100]).unwrap())));
            let (_, one) = Initiator::start(&dialling, &[7; 100]).unwrap();
            let receive =
                each(500, |_| drop(black_box(Responder::receive(&expecting, one.clone()).unwrap())));
            let whole = each(500, |_| {
                let (initiator, one) = Initiator::start(&dialling, &[7; 100]).unwrap();
                let (two, _) = Responder::receive(&expecting, one).unwrap().reply(&[7; 100]).unwrap();
                drop(black_box(initiator.finish(&two).unwrap()));
            });
            println!("{suite:?}: message 1 written {start:?}, verified {receive:?}; both sides {whole:?}");
        }
    }
}
