//! The golden vectors in `tests/vectors/link.json`, which `tests/vectors/check.py` computes independently.
//!
//! `WAYSIDE_WRITE_VECTORS=1 cargo test -p wayside-noise vectors` writes them anew. A change means another version number.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::{
    VERSION,
    cipher::{Offer, PacketCipher},
    compose::compose,
    frames::frame,
    gate_keys::GateKeys,
    handshake::{Fixed, Initiator, Parties, Responder, prologue},
    initial::Header,
    kem::FixedKem,
    packet::{HeaderKey, PacketKey},
    punch::{self, Punch},
    schedule::{Directions, LinkSecrets, expand},
    suite::{Kem, Pattern, Suite},
};
use crate::secret::{Secret32, StaticKey};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/link.json");

#[test]
fn golden_vectors_hold() {
    let computed = serde_json::to_string_pretty(&vectors()).unwrap() + "\n";
    if std::env::var_os("WAYSIDE_WRITE_VECTORS").is_some() {
        std::fs::write(FILE, &computed).unwrap();
    }
    assert_eq!(std::fs::read_to_string(FILE).unwrap(), computed);
}

fn vectors() -> Value {
    let suite = |pattern, kem| Suite { pattern, kem };
    let handshakes = [
        handshake(suite(Pattern::Ik, Kem::None), 1, 3),
        handshake(suite(Pattern::Ik, Kem::None), 3, 3),
        handshake(suite(Pattern::Nk, Kem::None), 3, 3),
        handshake(suite(Pattern::Ik, Kem::MlKem768), 3, 3),
        handshake(suite(Pattern::Nk, Kem::MlKem768), 3, 1),
    ];
    let message_1 = HEXLOWER.decode(handshakes[0]["message_1"].as_str().unwrap().as_bytes()).unwrap();
    let packets = [PacketCipher::ChaCha20Poly1305, PacketCipher::Aes256Gcm].map(|cipher| {
        [(0, 1), (0, u64::from(u32::MAX)), (3, 0x0102_0304_0506)].map(|(path, n)| packet(cipher, path, n))
    });
    json!({
        "version": hex(&VERSION.to_be_bytes()),
        "gate": gate(&message_1),
        "kem": kem_vector(),
        "handshakes": handshakes,
        "packets": packets.concat(),
        "meeting": meeting(),
    })
}

fn gate(message: &[u8]) -> Value {
    let gamma = secret(0x30);
    let keys = GateKeys::new(&gamma);
    let random: [u8; 12] = std::array::from_fn(|i| 0xa0 + i as u8);
    let id = keys.mint_from(&random);
    assert!(keys.recognises(&id));
    let datagram = compose(&keys, &id, message);
    let Some(Header::Opening(opening)) = Header::parse(&datagram) else { panic!("a first datagram") };
    assert_eq!(opening.pieces(&keys.initial(&id)).unwrap()[0].bytes, frame(message));
    json!({
        "gamma": hex(gamma.as_bytes()),
        "random": hex(&random),
        "first_destination_id": hex(&id),
        "initial": directions(&keys.initial(&id)),
        "first_datagram": hex(&datagram),
    })
}

fn handshake(suite: Suite, offered: u8, accepted: u8) -> Value {
    let (i, r) =
        (StaticKey::from_bytes(*secret(0x10).as_bytes()), StaticKey::from_bytes(*secret(0x11).as_bytes()));
    let (i_ephemeral, r_ephemeral, psk) = (secret(0x20), secret(0x21), secret(0x40));
    let (i_parameters, r_parameters) =
        (b"initiator's transport parameters", b"responder's transport parameters");
    let kem = kem();
    let of_i = Parties {
        suite,
        local: (suite.pattern == Pattern::Ik).then_some(&i),
        peer: Some(&r.public()),
        psk: &psk,
        ciphers: Offer::from_byte(offered),
        fixed: Some(Fixed { ephemeral: i_ephemeral.as_bytes(), kem: Some(&kem) }),
    };
    let of_r = Parties {
        suite,
        local: Some(&r),
        peer: None,
        psk: &psk,
        ciphers: Offer::from_byte(accepted),
        fixed: Some(Fixed { ephemeral: r_ephemeral.as_bytes(), kem: Some(&kem) }),
    };
    let (initiator, one) = Initiator::start(&of_i, i_parameters).unwrap();
    let responder = Responder::receive(&of_r, one.clone()).unwrap();
    let (two, secrets) = responder.reply(r_parameters).unwrap();
    let (_, same) = initiator.finish(&two).unwrap();
    assert_eq!(secrets.export(b""), same.export(b""));
    let mut vector = json!({
        "protocol": suite.protocol(),
        "initiator_ciphers": offered,
        "responder_ciphers": accepted,
        "chosen_cipher": secrets.cipher.bit(),
        "responder_static": hex(secret(0x11).as_bytes()),
        "responder_static_public": hex(&r.public()),
        "initiator_ephemeral": hex(i_ephemeral.as_bytes()),
        "responder_ephemeral": hex(r_ephemeral.as_bytes()),
        "psk": hex(psk.as_bytes()),
        "prologue": hex(&prologue()),
        "initiator_parameters": hex(i_parameters),
        "responder_parameters": hex(r_parameters),
        "message_1": hex(&one),
        "message_1_framed": hex(&frame(&one)),
        "message_2": hex(&two),
        "secrets": link_secrets(&secrets),
    });
    if suite.pattern == Pattern::Ik {
        vector["initiator_static"] = json!(hex(secret(0x10).as_bytes()));
        vector["initiator_static_public"] = json!(hex(&i.public()));
    }
    vector
}

/// A key pair of ML-KEM and what was encapsulated to it. The library draws them at random, so that they are kept from
/// one writing to the next.
fn kem() -> FixedKem {
    static KEM: LazyLock<FixedKem> = LazyLock::new(|| {
        let file = std::fs::read_to_string(FILE).unwrap_or_default();
        let value = serde_json::from_str::<Value>(&file).unwrap_or_default();
        let bytes = |name: &str| HEXLOWER.decode(value["kem"][name].as_str()?.as_bytes()).ok();
        let known = || {
            Some(FixedKem {
                decapsulation_key: bytes("decapsulation_key")?,
                encapsulation_key: bytes("encapsulation_key")?,
                ciphertext: bytes("ciphertext")?,
                shared_secret: bytes("shared_secret")?.try_into().ok()?,
            })
        };
        known().unwrap_or_else(FixedKem::generate)
    });
    KEM.clone()
}

fn kem_vector() -> Value {
    let kem = kem();
    json!({
        "algorithm": "ML-KEM-768",
        "decapsulation_key": hex(&kem.decapsulation_key),
        "encapsulation_key": hex(&kem.encapsulation_key),
        "ciphertext": hex(&kem.ciphertext),
        "shared_secret": hex(&kem.shared_secret),
    })
}

fn link_secrets(secrets: &LinkSecrets) -> Value {
    let next = secrets.application.next();
    json!({
        "handshake": directions(&secrets.handshake),
        "application": directions(&secrets.application),
        "application_1": directions(&next),
        "application_2": directions(&next.next()),
        "confirm_initiator": hex(secrets.confirm.initiator.as_bytes()),
        "confirm_responder": hex(secrets.confirm.responder.as_bytes()),
        "export_of_label_test": hex(secrets.export(b"test").as_bytes()),
    })
}

/// A 1-RTT packet with a connection id of 12 bytes and a packet number of 4.
fn packet(cipher: PacketCipher, path: u32, number: u64) -> Value {
    let of = secret(0x50);
    let mut header = vec![0x43];
    header.extend_from_slice(b"twelve bytes");
    header.extend_from_slice(&(number as u32).to_be_bytes());
    let plain = b"payload of a packet";
    let mut packet = [&header[..], plain].concat();
    let tag = PacketKey::new(cipher, &of).seal(path, number, &header, &mut packet[header.len()..]).unwrap();
    packet.extend_from_slice(&tag);
    HeaderKey::new(cipher, &of).protect(13, &mut packet);
    let mut opened = packet.clone();
    HeaderKey::new(cipher, &of).unprotect(13, &mut opened);
    let (opened_header, payload) = opened.split_at_mut(header.len());
    assert_eq!(opened_header, header);
    assert_eq!(PacketKey::new(cipher, &of).open(path, number, &header, payload).unwrap(), plain);
    json!({
        "cipher": cipher.bit(),
        "secret": hex(of.as_bytes()),
        "path": path,
        "number": number,
        "header": hex(&header),
        "payload": hex(plain),
        "protected": hex(&packet),
    })
}

/// A question of who dials, and answers of who waits.
fn meeting() -> Value {
    let (gate, psk) = (secret(0x30), secret(0x40));
    let keys = punch::keys(&gate, &psk);
    let nonce: [u8; 12] = std::array::from_fn(|i| 0xb0 + i as u8);
    let probe = |key: &Secret32, punch: Punch| {
        let datagram = punch.seal_with(key, [0xff], nonce);
        assert_eq!(Punch::open(key, &datagram), Some(punch));
        hex(&datagram)
    };
    let answer =
        |seen: &str| probe(&keys.responder, Punch::Answer(0x0102_0304_0506_0708, seen.parse().unwrap()));
    json!({
        "gate": hex(gate.as_bytes()),
        "psk": hex(psk.as_bytes()),
        "initiator": hex(keys.initiator.as_bytes()),
        "responder": hex(keys.responder.as_bytes()),
        "first": hex(&[0xff]),
        "nonce": hex(&nonce),
        "number": hex(&0x0102_0304_0506_0708_u64.to_be_bytes()),
        "ask": probe(&keys.initiator, Punch::Ask(0x0102_0304_0506_0708)),
        "seen_v4": "192.0.2.7:4660",
        "answer_v4": answer("192.0.2.7:4660"),
        "seen_v6": "[2001:db8::7]:4660",
        "answer_v6": answer("[2001:db8::7]:4660"),
    })
}

fn directions(directions: &Directions) -> Value {
    json!({ "initiator": expanded(&directions.initiator), "responder": expanded(&directions.responder) })
}

fn expanded(secret: &Secret32) -> Value {
    json!({
        "secret": hex(secret.as_bytes()),
        "key": hex(&*expand::<32>(secret, "key", &[])),
        "iv": hex(&*expand::<12>(secret, "iv", &[])),
        "hp": hex(&*expand::<32>(secret, "hp", &[])),
    })
}

fn secret(start: u8) -> Secret32 {
    std::array::from_fn(|i| start.wrapping_add(i as u8)).into()
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}
