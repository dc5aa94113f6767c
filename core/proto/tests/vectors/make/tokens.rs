//! Tokens that count and tokens that do not, and proofs.

use std::time::Duration;

use minicbor::Encoder;
use serde_json::{Value, json};
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::DeviceKeys;
use wayside_proto::crypto::sha256;
use wayside_proto::token::{Proof, Purpose, Token};

use super::{NOW, bytes, device, hex};

const WEEK: Duration = Duration::from_secs(7 * 86_400);
const HOUR: Duration = Duration::from_secs(3600);

fn key(name: &str) -> [u8; 32] {
    device(name).public().sign
}

/// What a first block says, as it is written.
fn first(purpose: u64, serial: u64, expires: UnixMillis, hands: u8) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    let issuer = device("rita").public().id();
    e.array(7).unwrap().u64(purpose).unwrap().bytes(&issuer.0).unwrap().bytes(&key("anna")).unwrap();
    e.u64(serial).unwrap().u64(NOW.0).unwrap().u64(expires.0).unwrap().u8(hands).unwrap();
    e.into_writer()
}

fn further(subject: &str, expires: UnixMillis, hands: u8) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    e.array(3).unwrap().bytes(&key(subject)).unwrap().u64(expires.0).unwrap().u8(hands).unwrap();
    e.into_writer()
}

/// Blocks that say anything, each signed by these.
fn chain(blocks: &[(&DeviceKeys, Vec<u8>)]) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    e.array(blocks.len() as u64).unwrap();
    let mut before = Vec::new();
    for (nth, (signer, says)) in blocks.iter().enumerate() {
        let context = if nth == 0 { "token" } else { "token handed on" };
        let signature = signer.sign(context, &[&before[..], says].concat());
        e.array(2).unwrap().bytes(says).unwrap().bytes(&signature).unwrap();
        before = sha256(&[&before, says, &signature]).to_vec();
    }
    e.into_writer()
}

pub(super) fn all() -> Vec<Value> {
    let (rita, anna, ben) = (device("rita"), device("anna"), device("ben"));
    let week = NOW.after(WEEK);
    let plain = Token::issue(&rita, Purpose::Relay, key("anna"), 7, NOW, week, 2);
    let once = plain.hand_on(&anna, key("ben"), NOW.after(2 * HOUR)).unwrap();
    let twice = once.hand_on(&ben, key("anna phone"), NOW.after(HOUR)).unwrap();
    assert_eq!(plain.to_bytes(), chain(&[(&rita, first(0, 7, week, 2))]));
    let longest = Token::issue(&rita, Purpose::Relay, key("anna"), u64::MAX, NOW, UnixMillis(u64::MAX), 3);
    let longest = (0..3).fold(longest, |token, _| token.hand_on(&anna, key("anna"), week).unwrap());
    let good = || (&rita, first(0, 7, week, 2));
    let mut changed = once.to_bytes();
    // In the subject of the first block.
    changed[30] ^= 1;
    let made = [
        ("plain", plain.to_bytes()),
        ("handed on once", once.to_bytes()),
        ("handed on twice", twice.to_bytes()),
        ("the longest", longest.to_bytes()),
        ("for another purpose", chain(&[(&rita, first(1, 7, week, 2))])),
        ("for a purpose of the future", chain(&[(&rita, first(2, 7, week, 2))])),
        ("by somebody else", chain(&[(&ben, first(0, 7, week, 2))])),
        ("changed", changed),
        (
            "handed on too often",
            chain(&[good(), (&anna, further("ben", week, 1)), (&ben, further("anna", week, 1))]),
        ),
        ("for more than three hands", chain(&[(&rita, first(0, 7, week, 4))])),
        ("handed on by somebody else", chain(&[good(), (&ben, further("ben", week, 1))])),
        ("handed on for longer", chain(&[good(), (&anna, further("ben", week.after(HOUR), 1))])),
        ("longer than a month", chain(&[(&rita, first(0, 7, NOW.after(5 * WEEK), 2))])),
        ("over before it begins", chain(&[(&rita, first(0, 7, NOW, 2))])),
        ("with a byte too many", [plain.to_bytes(), vec![0]].concat()),
    ];
    let mut vectors = Vec::new();
    for (name, bytes) in made {
        vectors.push(read(name, &bytes, NOW.after(HOUR / 2)));
    }
    for (name, moment) in [
        ("a day early", UnixMillis(NOW.0 - 86_400_000)),
        ("more than a day early", UnixMillis(NOW.0 - 86_400_001)),
        ("at the last moment", UnixMillis(week.0 - 1)),
        ("expired", week),
    ] {
        vectors.push(read(name, &plain.to_bytes(), moment));
    }
    let exported = bytes("exported");
    let proof = Proof::sign(&ben, &exported);
    for (subject, holds) in [("ben", true), ("anna", false)] {
        assert_eq!(proof.verify(&key(subject), &exported), holds);
        vectors.push(json!({
            "kind": "proof", "subject": hex(key(subject)), "exported": hex(exported), "proof": hex(proof.0), "holds": holds,
        }));
    }
    vectors
}

/// What Rita says to it.
fn read(name: &str, bytes: &[u8], now: UnixMillis) -> Value {
    let issuer = device("rita").public();
    let mut vector = json!({
        "kind": "token", "name": name, "token": hex(bytes), "issuer": { "sign": hex(issuer.sign), "noise": hex(issuer.noise) },
        "purpose": 0, "now": now.0,
    });
    let read = Token::from_bytes(bytes).and_then(|token| token.verify(&issuer, Purpose::Relay, now));
    match read {
        Ok(it) => {
            vector["verified"] = json!({
                "first": hex(it.first), "last": hex(it.last), "serial": it.serial, "issued": it.issued.0, "expires": it.expires.0, "hands": it.hands,
            });
        }
        Err(error) => vector["error"] = error.to_string().into(),
    }
    vector
}
