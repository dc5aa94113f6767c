//! Invite files, the replies to them with all that was drawn, and texts that are none.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wayside_proto::crypto::derive;
use wayside_proto::crypto::keys::NoiseKey;
use wayside_proto::crypto::noise::{Handshake, Pattern};
use wayside_proto::greeting::{CarriedJoin, Greeting, GreetingError, Maker};
use wayside_proto::invite::Invite;
use wayside_proto::message::{CardBytes, Join};
use wayside_proto::place::Locator;
use wayside_proto::reach::{NatReport, Reach, RelayTags};
use wayside_proto::reply::{Joined, Reply};
use wayside_proto::{Epoch, UnixMillis};

use super::{NOW, bytes, candidates, card, device, first, hex, relays, secret};
use wayside_proto::crypto::Secret;

pub(super) fn all() -> Vec<Value> {
    let bare = greeting(&[]);
    let text = bare.to_string();
    let mut mistyped = text.clone();
    mistyped.replace_range(400..401, if text.as_bytes()[400] == b'A' { "B" } else { "A" });
    vec![
        good(&bare),
        good(&greeting(&["dir:/srv/x", "web:anna.example/"])),
        reply(&bare),
        bad(&text[..text.len() - 5]),
        bad(&mistyped),
        bad(text.strip_prefix("wayside-").unwrap()),
    ]
}

fn greeting(places: &[&str]) -> Greeting {
    let (_, _, _, _, card) = card();
    let invite = Invite {
        uses: 1,
        expires: UnixMillis::from_secs(1_790_600_000),
        key: NoiseKey::from_secret(secret("invite key")).public(),
        secret: Secret::new(first("invite")),
        points: places.iter().map(|place| Locator::parse(place).unwrap()).collect(),
        own: BTreeSet::new(),
    };
    let anna = device("anna");
    let maker = Maker {
        card: card.brief(&anna.public().id()).unwrap(),
        epoch: Epoch(20_715),
        sent: NOW,
        reach: Reach { candidates: candidates(), nat: NatReport::default() },
        relays: if places.is_empty() { RelayTags::default() } else { relays::tags(2) },
    };
    Greeting::sign(&anna, &invite, maker).unwrap()
}

fn good(greeting: &Greeting) -> Value {
    let invite = greeting.invite();
    json!({
        "kind": "greeting", "text": greeting.to_string(), "bytes": hex(greeting.bytes()),
        "invite_hash": hex(invite.hash()), "points": invite.points.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "account": hex(greeting.card().account().0), "device": hex(greeting.device()),
        "epoch": greeting.epoch().0, "sent": greeting.sent().0, "prologue": hex(greeting.prologue()),
    })
}

fn reply(greeting: &Greeting) -> Value {
    let ben = device("ben");
    let (key, ephemeral) = (secret("invite key"), secret("carried ephemeral"));
    let psk = derive(greeting.invite().secret.expose(), "invite psk", &[]);
    let (_, _, _, _, card) = card();
    let join = Join {
        card: CardBytes(card),
        candidates: candidates(),
        sent: NOW,
        nat: NatReport::default(),
        relays: RelayTags::default(),
    };
    let carried = CarriedJoin { join, seed: secret("carried seed") };
    let payload = carried.to_bytes().unwrap();
    let padded = [&u16::try_from(payload.len()).unwrap().to_be_bytes()[..], &payload].concat();
    let mut handshake = Handshake::initiator(
        Pattern::Contact,
        ben.noise(),
        &greeting.invite().key,
        &psk,
        &greeting.prologue(),
        &ephemeral,
    )
    .unwrap();
    let message = handshake.write(&padded).unwrap();
    let h1 = handshake.hash();
    let line = Reply::new(&greeting.invite().secret, 0, Joined::Carried(message)).to_string();
    json!({
        "kind": "reply", "prologue": hex(greeting.prologue()), "secret": hex(greeting.invite().secret.expose()),
        "key": hex(key.expose()), "joiner": hex(ben.noise().secret().expose()), "ephemeral": hex(ephemeral.expose()),
        "payload": hex(payload), "seed": hex(bytes("carried seed")), "h1": hex(h1), "line": line,
        "pair": hex(carried.pair_secret(&h1).expose()), "meeting": hex(carried.meeting_secret(&h1).expose()),
    })
}

fn bad(text: &str) -> Value {
    let error: GreetingError = text.parse::<Greeting>().unwrap_err();
    json!({ "kind": "none", "text": text, "error": error.to_string() })
}
