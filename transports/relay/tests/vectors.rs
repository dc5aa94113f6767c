//! Golden vectors: `tests/vectors/relay.json`, which another implementation can be checked against (`check.py` beside it is one), is what this one
//! makes.
//!
//! `WAYSIDE_VECTORS=write cargo test -p wayside-relay --test vectors` writes it anew. Friends of before and after then do not understand each other.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
#![allow(clippy::disallowed_methods, reason = "a test may read the environment")]

use std::path::PathBuf;

use serde_json::{Value, json};
use wayside_relay::{CircuitId, HEADER, Keys, Reason, header, open};

fn hex(bytes: impl AsRef<[u8]>) -> String {
    data_encoding::HEXLOWER.encode(bytes.as_ref())
}

fn made() -> Value {
    let keys: [u8; 32] = std::array::from_fn(|n| u8::try_from(n).unwrap());
    let both = Keys::from_bytes(keys);
    let mut frames = Vec::new();
    for (number, length) in
        [(0x8000_0000, 1), (0x8000_0001, 58), (0xa5a5_a5a5, 64), (0xbfff_ffff, 65), (0x9234_5678, 1_200)]
    {
        let datagram: Vec<u8> = (0..length).map(|n| u8::try_from(n % 256).unwrap()).collect();
        let circuit = CircuitId::from_bits(number).unwrap();
        for (direction, key) in [("up", &both.up), ("down", &both.down)] {
            let header = header(key, circuit, &datagram);
            let frame = [&header[..], &datagram].concat();
            assert_eq!(open(key, &frame), Some(&datagram[..]));
            frames.push(json!({
                "direction": direction, "circuit": number, "length": length, "header": hex(header),
            }));
        }
    }
    let reasons: Vec<Value> = (0..=u8::MAX)
        .filter_map(|number| {
            Some(json!({ "number": number, "words": Reason::from_number(number)?.to_string() }))
        })
        .collect();
    json!({ "keys": hex(keys), "header": HEADER, "frames": frames, "reasons": reasons })
}

#[test]
fn what_is_sent_is_what_it_has_always_been() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/relay.json");
    let made = format!("{}\n", serde_json::to_string_pretty(&made()).unwrap());
    if std::env::var_os("WAYSIDE_VECTORS").is_some_and(|value| value == "write") {
        std::fs::write(&path, &made).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), made);
}
