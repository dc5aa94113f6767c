//! The vectors, made from fixed keys.

mod calls;
mod codes;
mod given;
mod greetings;
mod mail;
mod pointers;
mod relays;
mod tokens;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};
use wayside_proto::crypto::envelope::{self, Bucket};
use wayside_proto::crypto::keys::{AccountKey, DeviceKeys, NoiseKey};
use wayside_proto::crypto::noise::{Handshake, Pattern};
use wayside_proto::crypto::{Secret, derive, sha256};
use wayside_proto::identity::{Card, DeviceEntry, Roster, Signed, Status};
use wayside_proto::invite::Invite;
use wayside_proto::meet::pair::PairSecret;
use wayside_proto::meet::slot::{self, Slot};
use wayside_proto::message::{Answer, CardBytes, Join, Knock, Offer, Payload, Refusal, Update, Welcome};
use wayside_proto::place::{
    Candidate, CandidateKind, Candidates, Locator, MeetingPoint, PlaceTag, Transport,
};
use wayside_proto::reach::{
    Attestation, Filtering, Mapping, NatReport, Reach, Reflector, Reflectors, RelayTags,
};
use wayside_proto::reply::{Joined, Reply};
use wayside_proto::{Epoch, UnixMillis};

/// Every file, by its name without `.json`.
pub(crate) fn all() -> BTreeMap<&'static str, Value> {
    let file = |about: &str, vectors: Vec<Value>| json!({ "about": about, "vectors": vectors });
    BTreeMap::from([
        (
            "kdf",
            file(
                "derive(ikm, label, parts): HKDF-SHA256, salt \"wayside/1\"; info is every part after its length.",
                kdf(),
            ),
        ),
        ("slots", file("Slots: 16 bytes of name, 32 of AES-SIV key. Trays have a name only.", slots())),
        (
            "envelope",
            file("Records: AES-SIV (RFC 5297, two 128-bit keys) without associated data.", envelopes()),
        ),
        ("pair", file("K_e: the secret of two accounts, moved on by epochs.", pairs())),
        ("identity", file("Cards: what is signed, by which seeds, and the whole.", identities())),
        ("replies", file("Reply lines, or why they are none.", replies())),
        (
            "codes",
            file(
                "Spoken codes: the words, texts, and calls with their answers. A scalar is the 64 bytes drawn for it, little-endian, modulo the group's order.",
                codes::all(),
            ),
        ),
        (
            "greetings",
            file(
                "Invite files, the reply to one with all that was drawn for it, and texts that are none.",
                greetings::all(),
            ),
        ),
        ("invite", file("Links, with the SHA-256 of their bytes, or why they are none.", invites())),
        (
            "mail",
            file(
                "Mail: padding, what weeks and queues give, blobs with all that was drawn for them, items, frames, and a card with a mailbox.",
                mail::all(),
            ),
        ),
        (
            "pointers",
            file(
                "Pointers, with what knocks by them are keyed by, or why they are none; and what two people compare.",
                pointers::all(),
            ),
        ),
        (
            "relays",
            file(
                "Relays: their tags under a key, circuits under a gate key, and what two have in common.",
                relays::all(),
            ),
        ),
        (
            "tokens",
            file(
                "Tokens as one device reads them at one moment, or why they do not count; and proofs of whom they are for.",
                tokens::all(),
            ),
        ),
        ("payloads", file("What the handshake messages carry, before padding.", payloads())),
        (
            "noise",
            file(
                "Noise_IKpsk0, Noise_KKpsk0 and Noise_NKpsk0 with 25519_ChaChaPoly_SHA256; secrets are derive(raw split, label, [h2]).",
                handshakes(),
            ),
        ),
    ])
}

/// Bytes that name themselves: SHA-256 of `wayside vector NAME`.
fn bytes(name: &str) -> [u8; 32] {
    sha256(&[b"wayside vector ", name.as_bytes()])
}

fn secret(name: &str) -> Secret {
    Secret::new(bytes(name))
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    data_encoding::HEXLOWER.encode(bytes.as_ref())
}

fn first<const N: usize>(name: &str) -> [u8; N] {
    std::array::from_fn(|i| bytes(name)[i])
}

const NOW: UnixMillis = UnixMillis(1_790_000_000_123);

fn kdf() -> Vec<Value> {
    let one = |ikm: &[u8], label: &str, parts: &[&[u8]]| {
        let output = derive::<48>(ikm, label, parts);
        let parts: Vec<_> = parts.iter().map(hex).collect();
        json!({ "ikm": hex(ikm), "label": label, "parts": parts, "output": hex(output.expose()) })
    };
    let ikm = bytes("ikm");
    vec![
        one(&ikm, "next", &[]),
        one(&ikm, "slot", &[b"one", b"", b"three"]),
        one(&ikm, "slot", &[b"one", b"three"]),
        one(&ikm[..16], "join", &[&[0], &[0, 0, 80, 236], &[7]]),
        one(b"", "", &[]),
        one(&[0x55; 64], "meeting", &[&[0xaa; 300]]),
    ]
}

fn slots() -> Vec<Value> {
    let (pair, tag) = (secret("pair"), PlaceTag(first("tag")));
    let (invite, tray) = (Secret::<16>::new(first("invite")), secret("tray"));
    let (anna, ben) = (device("anna").public().id(), device("ben").public().id());
    let (h1, day) = (bytes("h1"), Epoch(20_717));
    let found = |kind: &str, slot: &Slot, mut inputs: Value| {
        inputs["kind"] = kind.into();
        inputs["id"] = hex(slot.id.0).into();
        inputs["siv"] = hex(slot.siv.expose()).into();
        inputs
    };
    let mut vectors = Vec::new();
    for (from, to, index) in [(anna, ben, 0), (ben, anna, 0), (anna, ben, 15)] {
        let inputs = json!({ "pair": hex(pair.expose()), "tag": hex(tag.0), "from": hex(from.0), "to": hex(to.0), "index": index });
        vectors.push(found("offer", &slot::offer(&pair, tag, &from, &to, index), inputs));
    }
    let inputs = json!({ "pair": hex(pair.expose()), "tag": hex(tag.0), "h1": hex(h1) });
    vectors.push(found("answer", &slot::answer(&pair, tag, &h1), inputs));
    for offerer in [true, false] {
        let inputs = json!({ "meeting": hex(pair.expose()), "tag": hex(tag.0), "offerer": offerer });
        vectors.push(found("update", &slot::update(&pair, tag, offerer), inputs));
    }
    for (point, lane) in [(0, 0), (2, 7)] {
        let inputs = json!({ "secret": hex(invite.expose()), "point": point, "day": day.0, "lane": lane });
        vectors.push(found("join", &slot::join(&invite, point, day, lane), inputs));
        let inputs = json!({ "secret": hex(invite.expose()), "point": point, "h1": hex(h1) });
        vectors.push(found("welcome", &slot::welcome(&invite, point, &h1), inputs));
    }
    let space = Locator::new("web", "ben.example/").unwrap();
    let inputs = json!({ "secret": hex(invite.expose()), "space": space.to_string(), "day": day.0 });
    vectors.push(found("own join", &slot::own_join(&invite, PlaceTag::of_space(&space), day), inputs));
    let inputs = json!({ "secret": hex(invite.expose()), "space": space.to_string(), "epoch": day.0 });
    vectors.push(found(
        "contact index",
        &slot::contact_index(&invite, PlaceTag::of_space(&space), day),
        inputs,
    ));
    let door = secret("door");
    for lane in [0, slot::KNOCKS - 1] {
        let inputs = json!({ "door": hex(door.expose()), "tag": hex(tag.0), "day": day.0, "lane": lane });
        vectors.push(found("knock", &slot::knock(&door, tag, day, lane), inputs));
    }
    let inputs = json!({ "door": hex(door.expose()), "tag": hex(tag.0), "h1": hex(h1) });
    vectors.push(found("knock answer", &slot::knock_answer(&door, tag, &h1), inputs));
    let inputs = json!({ "tray": hex(tray.expose()), "tag": hex(tag.0), "epoch": day.0 });
    vectors.push(found("index", &slot::index(&tray, tag, day), inputs));
    for lane in [0, slot::LANES - 1] {
        let id = slot::tray(&tray, tag, day, lane);
        vectors.push(json!({ "kind": "tray", "tray": hex(tray.expose()), "tag": hex(tag.0), "epoch": day.0, "lane": lane, "id": hex(id.0) }));
    }
    vectors
}

fn envelopes() -> Vec<Value> {
    let (siv, slot) = (secret("siv"), first::<16>("slot"));
    let mut vectors = Vec::new();
    for bucket in Bucket::ALL {
        let message = bucket.pad(b"what a Noise message would be", 0).unwrap();
        assert_eq!(envelope::unpad(&message), Some(&b"what a Noise message would be"[..]));
        for (kind, record) in [
            ("slot", envelope::seal(&siv, &message)),
            ("tray", envelope::seal_in_tray(&slot, &siv, &message)),
        ] {
            vectors.push(json!({ "kind": kind, "siv": hex(siv.expose()), "slot": hex(slot), "message": hex(&message), "record": hex(record) }));
        }
    }
    vectors
}

fn pairs() -> Vec<Value> {
    let pair = PairSecret::new(Epoch(20_717), secret("pair"));
    let at = |epoch: u32| {
        let secret = pair.at(Epoch(epoch)).map(|secret| hex(secret.expose()));
        json!({ "epoch_0": 20_717, "secret_0": hex(bytes("pair")), "epoch": epoch, "secret": secret })
    };
    [20_716, 20_717, 20_718, 20_719, 20_817, 24_717, 24_718].map(at).to_vec()
}

fn device(name: &str) -> DeviceKeys {
    DeviceKeys::from_secrets(&secret(&format!("{name} sign")), &secret(&format!("{name} noise")))
}

fn point(kind: &str, address: &str, name: &str, one_writer: bool) -> MeetingPoint {
    let locator = Locator::new(kind, address).unwrap();
    MeetingPoint { locator, tag: PlaceTag(first(name)), tray: secret("tray"), one_writer }
}

/// Anna has a laptop and a phone and is met in three places.
fn card() -> (AccountKey, DeviceKeys, Signed<Roster>, Signed<Status>, Card) {
    let account = AccountKey::from_secret(&secret("anna account"));
    let (laptop, phone) = (device("anna"), device("anna phone"));
    let roster = Roster {
        account: account.id(),
        seq: 2,
        previous: Some(bytes("the roster before")),
        issued: NOW,
        expires: NOW.after(Roster::LIFETIME),
        name: "Anna Müller".into(),
        devices: [&laptop, &phone].map(|device| DeviceEntry::new(device, &account.id())).to_vec(),
    };
    let other_key =
        MeetingPoint { tray: secret("another tray"), ..point("dns", "anna.example.org", "third", true) };
    let points = vec![
        point("matrix", "#wayside:example.org", "first", false),
        point("email", "anna@example.org", "second", false),
        other_key,
    ];
    let status = Status { device: laptop.public().id(), seq: 7, issued: NOW, points, mailbox: None };
    let (roster, status) = (roster.sign(&account), status.sign(&laptop));
    let card = Card::new(roster.clone(), vec![status.clone()]).unwrap();
    (account, laptop, roster, status, card)
}

fn identities() -> Vec<Value> {
    let (account, laptop, roster, _, card) = card();
    let brief = card.brief(&laptop.public().id()).unwrap();
    let devices: Vec<_> = ["anna", "anna phone"]
        .map(|name| {
            let (keys, (sign, noise)) = (device(name).public(), device(name).secrets());
            json!({
                "sign_seed": hex(sign.expose()), "noise_scalar": hex(noise.expose()),
                "sign": hex(keys.sign), "noise": hex(keys.noise), "id": hex(keys.id().0), "id_text": keys.id().to_string(),
            })
        })
        .to_vec();
    let shown = |kind: &str, card: &Card| {
        json!({
            "kind": kind, "account_seed": hex(account.secret().expose()), "account": hex(account.id().0), "account_text": account.id().to_string(),
            "devices": devices, "roster_hash": hex(roster.hash()), "card": hex(card.to_bytes()),
        })
    };
    vec![shown("whole", &card), shown("brief, of the first device", &brief)]
}

fn invites() -> Vec<Value> {
    let locators = [
        ("matrix", "#wayside:example.org"),
        ("nostr", "wss://relay.example.org"),
        ("kind-100", "a kind of the future"),
    ];
    let invite = |uses: u8, points: &[(&str, &str)]| Invite {
        uses,
        expires: UnixMillis::from_secs(1_790_000_000),
        key: NoiseKey::from_secret(secret("invite key")).public(),
        secret: Secret::new(first("invite")),
        points: points
            .iter()
            .filter_map(|(kind, address)| Locator::new(kind, &address.replace(' ', "-")))
            .collect(),
        own: Default::default(),
    };
    let good = |invite: &Invite| {
        let points: Vec<_> = invite.points.iter().map(ToString::to_string).collect();
        json!({
            "link": invite.to_string(), "uses": invite.uses, "expires": invite.expires.as_secs(), "key": hex(invite.key),
            "secret": hex(invite.secret.expose()), "points": points, "own": invite.own, "sha256": hex(invite.hash()),
        })
    };
    let bad = |link: String| {
        let error = link.parse::<Invite>().unwrap_err().to_string();
        json!({ "link": link, "error": error })
    };
    let link = invite(1, &locators[..1]).to_string();
    let mistyped = link.replacen("AE", "AF", 1);
    vec![
        good(&invite(1, &locators[..1])),
        good(&invite(127, &locators)),
        good(&invite(1, &[("dir", &"a".repeat(56))])),
        good(&Invite {
            own: [1, 2].into(),
            ..invite(1, &[locators[0], ("web", "ann.example/"), ("moon", "base")])
        }),
        bad(link[..link.len() - 9].to_owned()),
        bad(mistyped),
        bad(link[8..].to_owned()),
        bad(format!("{link}AAAAAAAA")),
    ]
}

fn replies() -> Vec<Value> {
    let invite = Secret::<16>::new(first("invite"));
    let good = |point: u8, joined: Joined| {
        let line = Reply::new(&invite, point, joined.clone()).to_string();
        let mut vector = json!({ "line": line, "secret": hex(invite.expose()), "point": point });
        match joined {
            Joined::Space(space) => vector["space"] = space.to_string().into(),
            Joined::Message(message) | Joined::Carried(message) => vector["message"] = hex(message).into(),
        }
        vector
    };
    let space = |kind: &str, address: &str| Joined::Space(Locator::new(kind, address).unwrap());
    let bad = |line: String| {
        let error = line.parse::<Reply>().unwrap_err().to_string();
        json!({ "line": line, "error": error })
    };
    let line = Reply::new(&invite, 0, space("web", "ben.example/")).to_string();
    vec![
        good(0, space("web", "ben.example/")),
        good(2, space("dns", &"b".repeat(40))),
        good(1, space("moon", "base")),
        good(0, Joined::Message([bytes("message"), bytes("more")].concat())),
        bad(line[..line.len() - 5].to_owned()),
        bad(line[8..].to_owned()),
        bad(format!("{line}AAAAAAAA")),
    ]
}

fn candidates() -> Candidates {
    let by = |transport, kind, address: &str| Candidate {
        kind,
        transport,
        address: address.parse::<SocketAddr>().unwrap(),
    };
    let candidate = |kind, address: &str| by(Transport::Udp, kind, address);
    Candidates::new([
        candidate(CandidateKind::Host, "192.168.1.7:40000"),
        candidate(CandidateKind::Mapped, "203.0.113.5:40001"),
        candidate(CandidateKind::Reflexive, "[2001:db8::7]:40000"),
        candidate(CandidateKind::Guessed, "203.0.113.5:40000"),
        by(Transport::Tcp, CandidateKind::Mapped, "203.0.113.5:443"),
    ])
}

fn attested(mapping: Mapping) -> NatReport {
    let by = |address: &str, name| Attestation { by: address.parse().unwrap(), mac: first(name) };
    let attestations =
        vec![by("198.51.100.7:3478", "one witness"), by("[2001:db8::77]:3478", "another witness")];
    NatReport { mapping, filtering: Filtering::AddressAndPortDependent, attestations }
}

fn reflectors() -> Reflectors {
    let reflector = |addresses: &[&str], name| Reflector {
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        token: first(name),
    };
    Reflectors::new([
        reflector(&["198.51.100.7:3478", "[2001:db8::77]:3478"], "one token"),
        reflector(&["198.51.100.8:40000"], "another token"),
    ])
}

fn payloads() -> Vec<Value> {
    let (_, laptop, _, _, card) = card();
    let sent = NOW;
    let brief = || CardBytes(card.brief(&laptop.public().id()).unwrap());
    let join = Join {
        card: brief(),
        candidates: candidates(),
        sent,
        nat: NatReport::default(),
        relays: RelayTags::default(),
    };
    let welcome = Welcome::Accepted {
        card: brief(),
        device: laptop.public().noise,
        proof: laptop.sign("invite", b"a signature"),
        candidates: candidates(),
        epoch: Epoch(20_717),
        sent,
        nat: NatReport::default(),
        reflectors: Reflectors::default(),
        relays: RelayTags::default(),
    };
    let mut naming = welcome.clone();
    if let Welcome::Accepted { reflectors: named, .. } = &mut naming {
        *named = reflectors();
    }
    let mut attesting = naming.clone();
    if let Welcome::Accepted { candidates, nat, .. } = &mut attesting {
        *candidates = Candidates::new(candidates.iter().take(2).copied());
        *nat = attested(Mapping::Independent);
    }
    let mut relaying = welcome.clone();
    if let Welcome::Accepted { candidates, relays: named, .. } = &mut relaying {
        *candidates = Candidates::new(candidates.iter().take(2).copied());
        *named = relays::tags(2);
    }
    let nat = NatReport::default();
    let offer = Offer {
        no: NOW.0,
        lifetime: 600,
        candidates: candidates(),
        roster_seq: 2,
        status_seq: 7,
        nat: nat.clone(),
        relays: RelayTags::default(),
    };
    let answer = Answer {
        lifetime: 600,
        candidates: candidates(),
        roster_seq: 2,
        status_seq: 7,
        sent,
        nat: nat.clone(),
        relays: RelayTags::default(),
    };
    let update = Update { candidates: candidates(), nat, relays: RelayTags::default() };
    let plain = |mapping| NatReport { mapping, ..NatReport::default() };
    let sequential = Mapping::Sequential { last: 40_123, step: -2 };
    let refused = |why| ("welcome", Welcome::Refused(why).to_bytes());
    let made = [
        ("join", join.to_bytes()),
        ("welcome", welcome.to_bytes()),
        refused(Refusal::Used),
        refused(Refusal::Expired),
        refused(Refusal::Unwelcome),
        ("offer", offer.to_bytes()),
        ("offer", Offer { candidates: Candidates::default(), ..offer.clone() }.to_bytes()),
        ("answer", answer.to_bytes()),
        ("update", update.to_bytes()),
        ("join", Join { nat: plain(Mapping::Random), ..join.clone() }.to_bytes()),
        ("welcome", naming.to_bytes()),
        ("welcome", attesting.to_bytes()),
        ("offer", Offer { nat: attested(sequential), ..offer.clone() }.to_bytes()),
        ("answer", Answer { nat: plain(Mapping::None), ..answer.clone() }.to_bytes()),
        ("update", Update { nat: attested(Mapping::Random), ..update.clone() }.to_bytes()),
        ("join", Join { relays: relays::tags(3), ..join.clone() }.to_bytes()),
        ("welcome", relaying.to_bytes()),
        ("offer", Offer { relays: relays::tags(3), ..offer.clone() }.to_bytes()),
        (
            "answer",
            Answer { relays: relays::tags(1), nat: plain(Mapping::None), ..answer.clone() }.to_bytes(),
        ),
        ("update", Update { relays: relays::tags(2), ..update }.to_bytes()),
        ("knock", knock(NatReport::default())),
        // Of witnesses nothing is said.
        ("knock", knock(attested(sequential))),
    ];
    made.map(|(kind, bytes)| json!({ "kind": kind, "bytes": hex(bytes) })).to_vec()
}

fn knock(nat: NatReport) -> Vec<u8> {
    Knock::of(&Reach { candidates: candidates(), nat }).to_bytes()
}

fn handshakes() -> Vec<Value> {
    [Pattern::Contact, Pattern::Meeting, Pattern::Guest].map(handshake).to_vec()
}

fn handshake(pattern: Pattern) -> Value {
    let [initiator, responder] = ["initiator", "responder"].map(|name| NoiseKey::from_secret(secret(name)));
    let [psk, e1, e2] = ["psk", "initiator ephemeral", "responder ephemeral"].map(secret);
    let prologue = bytes("prologue");
    let known = (pattern == Pattern::Meeting).then(|| initiator.public());
    let has_key = pattern != Pattern::Guest;
    let mut one = if has_key {
        Handshake::initiator(pattern, &initiator, &responder.public(), &psk, &prologue, &e1).unwrap()
    } else {
        Handshake::guest(&responder.public(), &psk, &prologue, &e1).unwrap()
    };
    let mut two = Handshake::responder(pattern, &responder, known.as_ref(), &psk, &prologue, &e2).unwrap();
    let payload1 = Bucket::Small.pad(b"who is there?", pattern.overhead1()).unwrap();
    let payload2 = Bucket::Small.pad(b"a friend", pattern.overhead2()).unwrap();
    let message1 = one.write(&payload1).unwrap();
    assert_eq!(two.read(&message1).unwrap(), payload1);
    let h1 = one.hash();
    let message2 = two.write(&payload2).unwrap();
    assert_eq!(one.read(&message2).unwrap(), payload2);
    let labels = if has_key { vec!["pair", "meeting"] } else { vec!["knock meeting"] };
    let secrets: BTreeMap<_, _> =
        labels.into_iter().map(|label| (label, hex(one.secret(label).unwrap().expose()))).collect();
    json!({
        "pattern": match pattern { Pattern::Contact => "IKpsk0", Pattern::Meeting => "KKpsk0", Pattern::Guest => "NKpsk0" },
        "initiator": has_key.then(|| hex(initiator.secret().expose())),
        "initiator_public": has_key.then(|| hex(initiator.public())),
        "responder": hex(responder.secret().expose()), "responder_public": hex(responder.public()),
        "initiator_ephemeral": hex(e1.expose()), "responder_ephemeral": hex(e2.expose()),
        "psk": hex(psk.expose()), "prologue": hex(prologue),
        "payload1": hex(payload1), "message1": hex(message1), "h1": hex(h1),
        "payload2": hex(payload2), "message2": hex(message2), "h2": hex(one.hash()),
        "secrets": secrets,
    })
}
