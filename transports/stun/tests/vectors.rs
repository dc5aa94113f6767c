//! Golden vectors: `tests/vectors/stun.json`, which another implementation can be checked against (`check.py` beside it is one), is what this one
//! makes.
//!
//! `WAYSIDE_VECTORS=write cargo test -p wayside-stun --test vectors` writes it anew. Friends of before and after then do not understand each other.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
#![allow(clippy::disallowed_methods, reason = "a test may read the environment")]

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use wayside_stun::{
    Attestation, Limits, Mode, Outside, Port, Request, Responder, Secret, Token, TransactionId, attributes,
};

/// Seconds since the moment that the responder counts from.
const NOW: u64 = 1_900_000_000;
const SECRET: [u8; 32] = [0x5e; 32];
const ID: TransactionId = TransactionId(*b"twelve bytes");

fn hex(bytes: impl AsRef<[u8]>) -> String {
    data_encoding::HEXLOWER.encode(bytes.as_ref())
}

fn now() -> Duration {
    Duration::from_secs(NOW)
}

fn token() -> Token {
    Secret::new(SECRET).token(now(), b"ann")
}

fn attestation(ip: IpAddr) -> Attestation {
    Secret::new(SECRET).attest(now(), ip)
}

fn made() -> Value {
    let ips = ["198.51.100.1", "2001:db8::9"].map(|ip| ip.parse::<IpAddr>().unwrap());
    let tokens = [&b"ann"[..], b"ben", b""].map(
        |id| json!({ "id": hex(id), "seconds": NOW, "token": hex(Secret::new(SECRET).token(now(), id).0) }),
    );
    let attestations =
        ips.map(|ip| json!({ "ip": ip.to_string(), "seconds": NOW, "attestation": hex(attestation(ip).0) }));
    let requests = [
        ("plain", Request::plain()),
        ("plain with fingerprint", Request::plain().fingerprint()),
        ("token", Request::with_token(token())),
        ("token with fingerprint", Request::with_token(token()).fingerprint()),
        ("change port", Request::with_token(token()).change_port()),
        ("change address", Request::with_token(token()).change_ip()),
        ("response port", Request::with_token(token()).response_port(4321)),
        ("check", Request::with_token(token()).check(ips[0], attestation(ips[0]))),
        ("check of another", Request::with_token(token()).check(ips[1], attestation(ips[0]))),
    ];
    let mut messages = Vec::new();
    for (name, request) in &requests {
        messages.push(json!({ "name": name, "kind": "request", "bytes": hex(request.encode(ID)) }));
    }
    for (ip, family) in ips.iter().zip(["4", "6"]) {
        for (name, request) in &requests {
            let from = SocketAddr::new(*ip, 40_000);
            let mut responder = Responder::new(Mode::Anyone, Secret::new(SECRET), Limits::default());
            let outside = |port: u16| Outside {
                v4: Some(SocketAddr::from(([203, 0, 113, 5], port))),
                v6: Some(SocketAddr::new("2001:db8::5".parse().unwrap(), port)),
            };
            responder.set_ports(outside(1111), Some(outside(2222)));
            let reply = responder.respond(now(), Port::First, from, &request.encode(ID)).unwrap();
            messages.push(json!({
                "name": format!("{name} answered over {family}"),
                "kind": "answer",
                "from": from.to_string(),
                "to": reply.to.to_string(),
                "second_port": reply.via == Port::Second,
                "bytes": hex(reply.datagram),
            }));
        }
    }
    json!({
        "about": "STUN between friends. The responder is at 203.0.113.5 and 2001:db8::5, ports 1111 and 2222, and answers anyone.",
        "secret": hex(SECRET),
        "transaction": hex(ID.0),
        "attributes": {
            "WAYSIDE-TOKEN": attributes::WAYSIDE_TOKEN,
            "WAYSIDE-ATTEST": attributes::WAYSIDE_ATTEST,
            "WAYSIDE-ATTEST-CHECK": attributes::WAYSIDE_ATTEST_CHECK,
            "WAYSIDE-ATTEST-OK": attributes::WAYSIDE_ATTEST_OK,
            "WAYSIDE-PADDING": attributes::WAYSIDE_PADDING,
        },
        "tokens": tokens,
        "attestations": attestations,
        "messages": messages,
    })
}

#[test]
fn what_we_make_is_what_is_written_down() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/stun.json");
    let made = made();
    if std::env::var_os("WAYSIDE_VECTORS").is_some_and(|value| value == "write") {
        std::fs::write(&path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let stored: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    for (i, (ours, theirs)) in
        made["messages"].as_array().unwrap().iter().zip(stored["messages"].as_array().unwrap()).enumerate()
    {
        assert_eq!(ours, theirs, "message {i}");
    }
    assert_eq!(made, stored);
}
