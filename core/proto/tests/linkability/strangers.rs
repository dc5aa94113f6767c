//! A hundred first contacts, as a service sees them that has neither the invites nor the pointers: by ten of each over ten days, each join and welcome left in
//! two places that are listed.

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wayside_proto::crypto::envelope::{self, Bucket};
use wayside_proto::crypto::keys::{AccountKey, DeviceKeys, NoiseKey};
use wayside_proto::crypto::noise::{Handshake, Pattern};
use wayside_proto::crypto::{Secret, derive};
use wayside_proto::identity::{Card, DeviceEntry, Roster};
use wayside_proto::meet::slot::{self, Slot};
use wayside_proto::message::{CardBytes, Join, Payload};
use wayside_proto::place::{Candidate, CandidateKind, Candidates, Locator, Transport};
use wayside_proto::pointer::{Claims, Pointer, PointerName};
use wayside_proto::reach::{NatReport, RelayTags};
use wayside_proto::{Epoch, UnixMillis};

use super::meetings::Record;

const OPENINGS: usize = 10;
const STRANGERS: usize = 5;
/// Those who knock by pointers are numbered from here.
pub(crate) const KNOCKED_FROM: usize = 2000;

/// What both sides have beforehand.
enum Terms {
    Invite { secret: Secret<16>, hash: [u8; 32] },
    Pointer(Pointer),
}

impl Terms {
    fn psk(&self) -> Secret {
        match self {
            Self::Invite { secret, .. } => derive(secret.expose(), "invite psk", &[]),
            Self::Pointer(pointer) => pointer.psk(),
        }
    }

    fn prologue(&self) -> [u8; 32] {
        match self {
            Self::Invite { hash, .. } => *hash,
            Self::Pointer(pointer) => pointer.prologue(),
        }
    }

    /// The slots of a join and of its welcome, in the first or second place.
    fn slots(&self, place: u8, day: Epoch, lane: u8, h1: &[u8; 32]) -> [Slot; 2] {
        match self {
            Self::Invite { secret, .. } => {
                [slot::join(secret, place, day, lane), slot::welcome(secret, place, h1)]
            }
            Self::Pointer(pointer) => {
                let tag = Pointer::tag(&pointer.points()[usize::from(place)]);
                [pointer.knock_slot(tag, day, lane), pointer.welcome_slot(tag, h1)]
            }
        }
    }
}

pub(crate) fn strangers() -> Vec<Record> {
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let mut records = Vec::new();
    for opening in 0..2 * OPENINGS {
        let key = NoiseKey::generate(&mut rng);
        let by_pointer = opening >= OPENINGS;
        let terms = if by_pointer {
            Terms::Pointer(pointer(&key, &mut rng))
        } else {
            Terms::Invite { secret: Secret::random(&mut rng), hash: *Secret::random(&mut rng).expose() }
        };
        for nth in 0..STRANGERS {
            let day = Epoch(20_700 + (nth as u32 * 3 + opening as u32) % 10);
            // Everybody says the same to everybody, but for who it is: what is inside is as alike as it can be.
            let (device, padded) = join(day, &mut rng);
            let (e1, e2) = (Secret::random(&mut rng), Secret::random(&mut rng));
            let (psk, prologue) = (&terms.psk(), &terms.prologue());
            let pattern = Pattern::Contact;
            let mut one =
                Handshake::initiator(pattern, device.noise(), &key.public(), psk, prologue, &e1).unwrap();
            let mut other = Handshake::responder(pattern, &key, None, psk, prologue, &e2).unwrap();
            let message1 = one.write(&padded).unwrap();
            other.read(&message1).unwrap();
            let h1 = other.hash();
            let answer = Bucket::Large.pad(&[7; 600], pattern.overhead2()).unwrap();
            let message2 = other.write(&answer).unwrap();
            let lane = (rng.next_u32() % 8) as u8;
            for place in 0..2 {
                let [asks, answers] = terms.slots(place, day, lane, &h1);
                let left = [(asks, &message1, false), (answers, &message2, true)];
                for (slot, message, answer) in left {
                    let bytes = envelope::seal(&slot.siv, message);
                    let from = if by_pointer { KNOCKED_FROM } else { 0 };
                    let meeting = from + opening * STRANGERS + nth;
                    let pair = opening % OPENINGS;
                    records.push(Record { pair, meeting, answer, slot: slot.id.0, bytes });
                }
            }
        }
    }
    records
}

fn pointer(key: &NoiseKey, rng: &mut ChaCha20Rng) -> Pointer {
    let points = ["git:example.org/a", "dir:/srv/b"];
    let claims = Claims {
        name: PointerName::new("somebody").unwrap(),
        seq: 1,
        expires: UnixMillis(u64::MAX),
        key: key.public(),
        public: *Secret::<16>::random(rng).expose(),
        points: points.map(|point| Locator::parse(point).unwrap()).to_vec(),
    };
    Pointer::sign(&AccountKey::generate(rng), claims).unwrap()
}

fn join(day: Epoch, rng: &mut ChaCha20Rng) -> (DeviceKeys, Vec<u8>) {
    let (account, device) = (AccountKey::generate(rng), DeviceKeys::generate(rng));
    let roster = Roster {
        account: account.id(),
        seq: 1,
        previous: None,
        issued: day.begin(),
        expires: day.begin().after(Duration::from_secs(86_400)),
        name: "somebody".into(),
        devices: vec![DeviceEntry::new(&device, &account.id())],
    };
    let join = Join {
        card: CardBytes(Card::new(roster.sign(&account), Vec::new()).unwrap()),
        candidates: Candidates::new([Candidate {
            kind: CandidateKind::Host,
            transport: Transport::Udp,
            address: SocketAddr::from(([192, 0, 2, 7], 40_000)),
        }]),
        sent: day.begin(),
        nat: NatReport::default(),
        relays: RelayTags::default(),
    };
    let padded = Bucket::Large.pad(&join.to_bytes(), Pattern::Contact.overhead1()).unwrap();
    (device, padded)
}
