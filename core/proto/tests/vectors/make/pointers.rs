//! Pointers, what knocks by them are keyed by, and what two people compare.

use serde_json::{Value, json};
use wayside_proto::crypto::keys::{AccountKey, NoiseKey};
use wayside_proto::identity::comparison;
use wayside_proto::place::Locator;
use wayside_proto::pointer::{Claims, Pointer, PointerError, PointerName};
use wayside_proto::{Epoch, UnixMillis};

use super::{NOW, bytes, first, hex, secret};

pub(super) fn all() -> Vec<Value> {
    let account = AccountKey::from_secret(&secret("anna account"));
    let claims = |name: &str, points: &[&str]| Claims {
        name: PointerName::new(name).unwrap(),
        seq: 1_790_000_000,
        expires: NOW.after(Pointer::LONGEST),
        key: NoiseKey::from_secret(secret("pointer key")).public(),
        public: first("public"),
        points: points.iter().map(|point| Locator::parse(point).unwrap()).collect(),
    };
    let good = |claims: Claims| good(&Pointer::sign(&account, claims).unwrap());
    let one = claims("anna", &["git:git.example.org/team/project"]);
    let several = Claims {
        seq: u64::MAX,
        expires: UnixMillis(1),
        ..claims("a.b-c_0", &["dir:/srv/x", "nostr:wss://r", "dir:/y"])
    };
    let pointer = Pointer::sign(&account, one.clone()).unwrap();
    let mut forged = pointer.to_bytes();
    *forged.last_mut().unwrap() ^= 1;
    let text = pointer.to_string();
    vec![
        good(one),
        good(several),
        bad(&text.as_bytes()[..text.len() - 1]),
        bad(&forged),
        bad(text.replacen("wayside-card", "wayside", 1).as_bytes()),
        compared("anna account", "ben account"),
        compared("ben account", "carl account"),
    ]
}

fn good(pointer: &Pointer) -> Value {
    let claims = pointer.claims();
    let (day, h1) = (Epoch(20_717), bytes("h1"));
    let points: Vec<_> = pointer
        .points()
        .iter()
        .map(|point| {
            let tag = Pointer::tag(point);
            let (knock, welcome) = (pointer.knock_slot(tag, day, 5), pointer.welcome_slot(tag, &h1));
            json!({
                "locator": point.to_string(), "tag": hex(tag.0),
                "join_id": hex(knock.id.0), "join_siv": hex(knock.siv.expose()),
                "welcome_id": hex(welcome.id.0), "welcome_siv": hex(welcome.siv.expose()),
            })
        })
        .collect();
    json!({
        "kind": "pointer", "bytes": hex(pointer.to_bytes()), "text": pointer.to_string(),
        "account": hex(pointer.account().0), "name": claims.name.as_str(), "seq": claims.seq, "expires": claims.expires.0,
        "key": hex(claims.key), "public": hex(claims.public), "prologue": hex(pointer.prologue()), "psk": hex(pointer.psk().expose()),
        "day": day.0, "lane": 5, "h1": hex(h1), "points": points,
    })
}

fn bad(contents: &[u8]) -> Value {
    let error = match Pointer::read(contents).unwrap_err() {
        PointerError::Unsigned => "unsigned".to_owned(),
        other => other.to_string(),
    };
    json!({ "kind": "none", "contents": hex(contents), "error": error })
}

fn compared(one: &str, other: &str) -> Value {
    let [one, other] = [one, other].map(|name| AccountKey::from_secret(&secret(name)).id());
    json!({ "kind": "comparison", "accounts": [hex(one.0), hex(other.0)], "text": comparison(&one, &other).to_string() })
}
