//! How relays are named, and what two sides have in common.

use serde_json::{Value, json};
use wayside_proto::crypto::Secret;
use wayside_proto::crypto::keys::{AccountKey, DeviceId};
use wayside_proto::engine::{Session, SessionId};
use wayside_proto::reach::{RelayTag, RelayTags};

use super::{device, first, hex, secret};

const NAMES: [&str; 4] = ["rita", "rob", "ruth", "ray"];

fn relay(name: &str) -> DeviceId {
    device(name).public().id()
}

/// So many of them, under the key of the vectors' meeting.
pub(super) fn tags(count: usize) -> RelayTags {
    RelayTags::of(&secret("psk"), &NAMES.map(relay)[..count])
}

pub(super) fn all() -> Vec<Value> {
    let mut vectors = Vec::new();
    for (key, name) in [("psk", "rita"), ("psk", "rob"), ("meeting", "rita")] {
        let RelayTag(tag) = RelayTag::of(&secret(key), &relay(name));
        vectors.push(json!({
            "kind": "tag", "key": hex(secret(key).expose()), "relay": hex(relay(name).0), "tag": hex(tag),
        }));
    }
    for name in ["rita", "rob"] {
        let session = Session {
            id: SessionId(first("session")),
            account: AccountKey::from_secret(&secret("anna account")).id(),
            peer: device("ben").public().noise,
            gate: secret("gate"),
            psk: Secret::new([0; 32]),
        };
        vectors.push(json!({
            "kind": "circuit", "gate": hex(session.gate.expose()), "relay": hex(relay(name).0),
            "circuit": hex(session.circuit(&relay(name))),
        }));
    }
    for (ours, theirs) in [
        (&["rita", "rob", "ruth"][..], &["ruth", "rob", "rita"][..]),
        (&["rita", "rob", "ruth"], &["rob", "ray", "rita"]),
        (&["rob"], &["rob", "rita"]),
        (&["rita"], &["ray"]),
        (&["ruth", "rita"], &[]),
    ] {
        let [ours, theirs] =
            [ours, theirs].map(|names| names.iter().map(|name| relay(name)).collect::<Vec<_>>());
        let key = secret("psk");
        let named = RelayTags::of(&key, &theirs);
        let common = named.in_common(&key, &ours);
        assert_eq!(RelayTags::of(&key, &ours).in_common(&key, &theirs), common);
        let ids = |relays: &[DeviceId]| relays.iter().map(|relay| hex(relay.0)).collect::<Vec<_>>();
        vectors.push(json!({
            "kind": "common", "key": hex(key.expose()), "ours": ids(&ours), "theirs": hex(minicbor::to_vec(&named).unwrap()),
            "common": ids(&common),
        }));
    }
    vectors
}
