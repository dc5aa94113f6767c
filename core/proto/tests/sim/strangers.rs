//! Strangers that no engine makes: accounts by the hundred, and holders of keys who lie.

use std::time::Duration;

use rand_core::RngCore;
use wayside_proto::crypto::envelope::{self, Bucket};
use wayside_proto::crypto::keys::{AccountKey, DeviceKeys, NoiseKey};
use wayside_proto::crypto::noise::{Handshake, Pattern};
use wayside_proto::crypto::{Secret, sha256};
use wayside_proto::identity::{Card, DeviceEntry, Roster};
use wayside_proto::message::{CardBytes, Join, Payload, Welcome};
use wayside_proto::place::{Candidates, Locator};
use wayside_proto::pointer::{Claims, Pointer, PointerName};
use wayside_proto::reach::{NatReport, Reflectors, RelayTags};
use wayside_proto::{Epoch, UnixMillis};

use crate::world::*;

pub struct Stranger {
    account: AccountKey,
    device: DeviceKeys,
}

impl Stranger {
    pub fn new(number: u32) -> Self {
        let secret = |what: &[u8]| Secret::new(sha256(&[what, &number.to_be_bytes()]));
        Self {
            account: AccountKey::from_secret(&secret(b"account")),
            device: DeviceKeys::from_secrets(&secret(b"sign"), &secret(b"noise")),
        }
    }

    /// With the keys of a node, for what that one left once.
    pub fn of(node: &Node) -> Self {
        Self { account: node.account_key(), device: node.device_keys() }
    }

    pub fn card(&self, now: UnixMillis) -> Card {
        let roster = Roster {
            account: self.account.id(),
            seq: 1,
            previous: None,
            issued: now,
            expires: now.after(Roster::LIFETIME),
            name: "a stranger".into(),
            devices: vec![DeviceEntry::new(&self.device, &self.account.id())],
        };
        Card::new(roster.sign(&self.account), Vec::new()).unwrap()
    }

    /// Knocks at a node, in one of today's lanes.
    pub fn knock(&self, world: &mut World, at: usize, pointer: &Pointer, sent: UnixMillis) {
        let now = world.time(at).wall;
        let join = Join {
            card: CardBytes(self.card(now)),
            candidates: Candidates::default(),
            sent,
            nat: NatReport::default(),
            relays: RelayTags::default(),
        };
        let ephemeral = Secret::random(&mut world.rng);
        let mut handshake = Handshake::initiator(
            Pattern::Contact,
            self.device.noise(),
            &pointer.claims().key,
            &pointer.psk(),
            &pointer.prologue(),
            &ephemeral,
        )
        .unwrap();
        let padded = Bucket::Large.pad(&join.to_bytes(), Pattern::Contact.overhead1()).unwrap();
        let message = handshake.write(&padded).unwrap();
        let lane = (world.rng.next_u32() % u32::from(Pointer::LANES)) as u8;
        let day = Epoch::of(now);
        let slot = pointer.knock_slot(Pointer::tag(&pointer.points()[0]), day, lane);
        world.plant(0, slot.id, envelope::seal(&slot.siv, &message));
    }

    /// A pointer of its own with the key that knocks are made to.
    pub fn pointer(&self, name: PointerName, point: Locator, now: UnixMillis) -> (Pointer, NoiseKey) {
        let key = NoiseKey::from_secret(Secret::new([7; 32]));
        let claims = Claims {
            name,
            seq: 1,
            expires: now.after(Duration::from_secs(86_400)),
            key: key.public(),
            public: [8; 16],
            points: vec![point],
        };
        (Pointer::sign(&self.account, claims).unwrap(), key)
    }

    /// Welcomes whoever knocked by this pointer and left the first record in the place, with this card.
    pub fn welcome(
        &self,
        world: &mut World,
        who: usize,
        place: usize,
        pointer: &Pointer,
        key: &NoiseKey,
        card: Card,
    ) {
        let (tag, day) = (Pointer::tag(&pointer.points()[0]), Epoch::of(world.time(who).wall));
        let record = world.bridges[place].records[0].clone();
        let slots = (0..Pointer::LANES).map(|lane| pointer.knock_slot(tag, day, lane));
        let slot = slots.into_iter().find(|slot| slot.id == record.slot).unwrap();
        let message = envelope::open(&slot.siv, &record.bytes).unwrap();
        let ephemeral = Secret::random(&mut world.rng);
        let (psk, prologue) = (pointer.psk(), pointer.prologue());
        let mut handshake =
            Handshake::responder(Pattern::Contact, key, None, &psk, &prologue, &ephemeral).unwrap();
        handshake.read(&message).unwrap();
        let h1 = handshake.hash();
        let welcome = Welcome::Accepted {
            card: CardBytes(card),
            device: self.device.public().noise,
            proof: self.device.sign("knock", &[key.public(), h1].concat()),
            candidates: "192.0.2.1:4000".parse().map(candidate).unwrap(),
            epoch: day.minus(2),
            sent: world.time(who).wall,
            nat: NatReport::default(),
            reflectors: Reflectors::default(),
            relays: RelayTags::default(),
        };
        let padded = Bucket::Large.pad(&welcome.to_bytes(), Pattern::Contact.overhead2()).unwrap();
        let message = handshake.write(&padded).unwrap();
        let slot = pointer.welcome_slot(tag, &h1);
        world.plant(place, slot.id, envelope::seal(&slot.siv, &message));
    }
}

fn candidate(address: std::net::SocketAddr) -> Candidates {
    use wayside_proto::place::{Candidate, CandidateKind, Transport};
    Candidates::new([Candidate { kind: CandidateKind::Host, transport: Transport::Udp, address }])
}
