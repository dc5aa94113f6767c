//! Mail: what weeks, queues and blobs are made of, and the shapes of what goes between.

use minicbor::Encode;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::{Value, json};
use wayside_proto::crypto::keys::{AccountId, DeviceId};
use wayside_proto::crypto::{Secret, derive};
use wayside_proto::identity::{Card, Roster, Status};
use wayside_proto::mailbox::Age;
use wayside_proto::mailbox::custody::mac;
use wayside_proto::mailbox::item::{Content, FileRef, Item, Kind, News, Ordered, Receipt};
use wayside_proto::mailbox::prekeys::{Prekeys, Week};
use wayside_proto::mailbox::seal::{self, Recipient, padded, seal};
use wayside_proto::mailbox::wire::{
    Access, Answer, Ask, Bell, Carry, HostEntry, HostPoint, Key, Listed, MailboxCard, MailboxOffer, Put,
    Queue, Told, WeekPsk,
};
use wayside_proto::place::{Locator, PlaceTag};

use super::{NOW, bytes, candidates, card, device, first, hex, point, secret};

pub(super) fn all() -> Vec<Value> {
    let mut vectors = paddings();
    vectors.push(week());
    vectors.push(queue());
    vectors.extend([blob(1, b"hello"), blob(3, &message().to_bytes()), blob(1, &chunk().to_bytes())]);
    vectors
        .extend([message(), chunk(), news(), Item { kind: Kind::News(News::default()), ..news() }].map(item));
    vectors.extend(frames());
    vectors.push(status());
    vectors
}

fn paddings() -> Vec<Value> {
    let lengths = [0, 512, 513, 1000, 1024, 1025, 4096, 61_440, 61_441, 65_537, 79_872, 1 << 30];
    lengths.map(|length| json!({ "kind": "padding", "length": length, "padded": padded(length) })).to_vec()
}

fn friend() -> AccountId {
    let (account, ..) = card();
    account.id()
}

fn ben() -> AccountId {
    AccountId(bytes("ben account"))
}

fn weeks(name: &str) -> Prekeys {
    let week = |n: u32| Week {
        id: 40_000 + n,
        seed: secret(&format!("{name} week {n}")),
        begins: Age(604_800 * u64::from(n)),
    };
    Prekeys::new((0..8).map(week).collect())
}

fn week() -> Value {
    let seed = secret("ben week 0");
    let (key, psk) = weeks("ben").open_with(40_000, &friend()).unwrap();
    json!({
        "kind": "week", "seed": hex(seed.expose()), "friend": hex(friend().0),
        "prekey": hex(key.secret().expose()), "public": hex(key.public()), "psk": hex(psk.expose()),
    })
}

fn queue() -> Value {
    let mail_root = secret("mail root");
    let root: Secret = derive(mail_root.expose(), "mail queues", &[&friend().0]);
    let guest = bytes("guest key");
    let (id, key) = wayside_proto::mailbox::wire::queue(&root, &guest);
    let (hash, lifetime) = (seal::hash(b"a blob"), 1_209_600);
    json!({
        "kind": "queue", "mail_root": hex(mail_root.expose()), "friend": hex(friend().0), "root": hex(root.expose()),
        "guest": hex(guest), "queue": hex(id.0), "key": hex(key.expose()),
        "blob": hex(b"a blob"), "hash": hex(hash.0), "lifetime": lifetime,
        "mac": hex(mac(&key, &id, &hash, lifetime)),
    })
}

/// Anna's laptop writes to Ben, who has so many devices.
fn blob(devices: u32, item: &[u8]) -> Value {
    let laptop = device("anna");
    let known: Vec<_> = (0..devices)
        .map(|n| {
            let name = if n == 0 { "ben".to_owned() } else { format!("ben {n}") };
            let (key, psk) = weeks(&name).open_with(40_000 + n, &friend()).unwrap();
            (device(&name).public().id(), 40_000 + n, key, psk)
        })
        .collect();
    let recipients: Vec<_> = known
        .iter()
        .map(|(device, prekey, key, psk)| Recipient {
            device: *device,
            prekey: *prekey,
            key: key.public(),
            psk,
        })
        .collect();
    let seed = bytes("sealing");
    // What is drawn: the content key, and an ephemeral key for each device.
    let mut drawn = ChaCha20Rng::from_seed(seed);
    let content: Secret = Secret::random(&mut drawn);
    let ephemerals: Vec<Secret> = recipients.iter().map(|_| Secret::random(&mut drawn)).collect();
    let blob =
        seal((&friend(), laptop.noise()), &ben(), &recipients, item, &mut ChaCha20Rng::from_seed(seed))
            .unwrap();
    let senders = [laptop.public().noise];
    let opened = seal::open((&ben(), device("ben").public().id()), &weeks("ben"), &friend(), &senders, &blob);
    assert_eq!(opened.unwrap(), item);
    let recipients: Vec<_> = known
        .iter()
        .zip(&ephemerals)
        .map(|((device, prekey, key, psk), ephemeral)| {
            json!({
                "device": hex(device.0), "id": prekey, "prekey": hex(key.secret().expose()),
                "psk": hex(psk.expose()), "ephemeral": hex(ephemeral.expose()),
            })
        })
        .collect();
    json!({
        "kind": "blob", "from": hex(friend().0), "sender": hex(laptop.noise().secret().expose()), "to": hex(ben().0),
        "recipients": recipients, "content_key": hex(content.expose()), "item": hex(item), "blob": hex(&blob),
        "hash": hex(seal::hash(&blob).0),
    })
}

fn ordered(content: Content) -> Item {
    let ordered = Ordered { seq: 12, previous: 10, floor: 9, sent: NOW, content };
    Item { device: device("anna").public().id(), kind: Kind::Ordered(ordered) }
}

fn message() -> Item {
    let file =
        FileRef { id: first("file"), name: "Käse.txt".into(), size: 70_000, hash: bytes("what is in it") };
    ordered(Content::Message(first("message"), "See you at eight.".into(), vec![file]))
}

fn chunk() -> Item {
    ordered(Content::Chunk(first("file"), 61_440, b"the rest".repeat(200)))
}

fn news() -> Item {
    let receipt = Receipt { device: device("ben").public().id(), upto: 7, beyond: vec![9, 10] };
    let news = News {
        seq: 3,
        receipt: Some(receipt),
        floor: 9,
        card: Some(b"a card".to_vec()),
        access: Some(access()),
    };
    Item { device: device("anna").public().id(), kind: Kind::News(news) }
}

fn item(item: Item) -> Value {
    let bytes = item.to_bytes();
    assert_eq!(Item::from_bytes(&bytes).unwrap(), item);
    json!({ "kind": "item", "bytes": hex(bytes) })
}

fn access() -> Access {
    let weeks = weeks("ben").psks(Age(0), &friend());
    Access { device: DeviceId(first("ben device")), root: secret("root"), weeks }
}

fn host() -> HostEntry {
    let point = HostPoint {
        locator: Locator::new("matrix", "#wayside:example.org").unwrap(),
        tag: PlaceTag(first("host tag")),
    };
    HostEntry {
        guest: bytes("guest key"),
        secret: secret("door"),
        name: "Rita".into(),
        points: vec![point],
        candidates: candidates(),
    }
}

fn frames() -> Vec<Value> {
    let (id, key) = access().queue(&bytes("guest key"));
    let (hash, lifetime) = (seal::hash(b"a blob"), 3600);
    let put =
        Put { queue: id, hash, lifetime, mac: mac(&key, &id, &hash, lifetime), blob: b"a blob".to_vec() };
    let bell = Bell { locator: Locator::new("dir", "/srv/shared").unwrap(), target: "anna".into() };
    let listed = Listed { arrival: 300, queue: id, hash, size: 6 };
    vec![
        frame("access", &access()),
        frame("access", &Access { weeks: vec![WeekPsk { id: 1, psk: secret("psk") }], ..access() }),
        frame("put", &put),
        frame("answer", &Answer::Stored),
        frame("answer", &Answer::Full(600)),
        frame("answer", &Answer::Denied),
        frame("answer", &Answer::Malformed),
        frame("ask", &Ask::Register(vec![Queue { id, key }], vec![device("ben").public().id()])),
        frame("ask", &Ask::List(299, 100)),
        frame("ask", &Ask::Get(vec![300, 301])),
        frame("ask", &Ask::Acknowledge(vec![300])),
        frame("ask", &Ask::Ring(Some(bell))),
        frame("ask", &Ask::Ring(None)),
        frame("told", &Told::Done),
        frame("told", &Told::Listed(vec![listed], false)),
        frame("told", &Told::Blob(300, Some(b"a blob".to_vec()))),
        frame("told", &Told::Blob(301, None)),
        frame("offer", &MailboxOffer { host: Some(host()), bytes: 100_000_000 }),
        frame("offer", &MailboxOffer { host: None, bytes: 0 }),
        frame("carry", &Carry { host: host(), put }),
    ]
}

fn frame(name: &str, frame: &impl Encode<()>) -> Value {
    json!({ "kind": "frame", "name": name, "bytes": hex(minicbor::to_vec(frame).unwrap()) })
}

/// Anna's card again, with a mailbox in its status.
fn status() -> Value {
    let (account, laptop, _, _, whole) = card();
    let (first, keys) = weeks("anna").published(Age(0));
    let mailbox = MailboxCard { first, prekeys: keys.into_iter().map(Key).collect(), hosts: vec![host()] };
    let status = Status {
        device: laptop.public().id(),
        seq: 8,
        issued: NOW,
        points: vec![point("email", "anna@example.org", "second", false)],
        mailbox: Some(mailbox),
    };
    assert_eq!(status.clone().fitted(), status);
    let roster: &Roster = whole.roster();
    let card = Card::new(roster.sign(&account), vec![status.sign(&laptop)]).unwrap();
    json!({ "kind": "card", "card": hex(card.to_bytes()) })
}
