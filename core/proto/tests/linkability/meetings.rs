//! A hundred meetings, as a service sees them.

use std::net::SocketAddr;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wayside_proto::crypto::envelope::{self, Bucket};
use wayside_proto::crypto::keys::{AccountKey, DeviceId, DeviceKeys};
use wayside_proto::crypto::noise::{Handshake, Pattern};
use wayside_proto::crypto::{Secret, derive};
use wayside_proto::meet::pair::PairSecret;
use wayside_proto::meet::slot::{self, Slot};
use wayside_proto::message::{Answer, Offer, Payload};
use wayside_proto::place::{Candidate, CandidateKind, Candidates, PlaceTag, Transport};
use wayside_proto::reach::RelayTags;
use wayside_proto::{Epoch, UnixMillis};

/// A record, with what the linker is to find out.
pub(crate) struct Record {
    pub(crate) pair: usize,
    pub(crate) meeting: usize,
    pub(crate) answer: bool,
    pub(crate) slot: [u8; 16],
    pub(crate) bytes: Vec<u8>,
}

/// What is done wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leak {
    None,
    /// One byte of 376 is the same in all records of a pair.
    ByteOfThePair,
    /// Payloads are not padded, and their length depends on the pair.
    LengthOfTheNames,
    /// Of each pair's records a tenth of the bytes, at random places, are one value.
    BytesUnevenly,
    /// Two bytes of the slot's name depend on the pair and not on the epoch.
    SlotFromThePair,
    /// Slots are derived without the place, so that what is left in two places is the same.
    SameInEveryPlace,
    /// The Noise message is left as it is, its first byte says which one it is.
    Unsealed,
}

const PAIRS: usize = 10;
const MEETINGS: usize = 10;

pub(crate) fn meetings(leak: Leak) -> Vec<Record> {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let mut records = Vec::new();
    for pair in 0..PAIRS {
        let two = Two::new(pair, &mut rng);
        for nth in 0..MEETINGS {
            let epoch = Epoch(20_700 + (nth as u32 * 3 + pair as u32) % 10);
            two.meet(epoch, nth as u8, pair * MEETINGS + nth, leak, &mut rng, &mut records);
        }
    }
    records
}

/// Two friends who can leave records in a room, which is listed, and in a zone, which is looked up by key.
struct Two {
    number: usize,
    accounts: [AccountKey; 2],
    devices: [DeviceKeys; 2],
    pair: PairSecret,
    room: PlaceTag,
    zone: PlaceTag,
    byte: u8,
    addresses: [Candidates; 2],
    /// Both name the same three relays in every meeting.
    relays: [DeviceId; 3],
}

impl Two {
    fn new(number: usize, rng: &mut ChaCha20Rng) -> Self {
        let mut tag = || PlaceTag(*Secret::<8>::random(rng).expose());
        let (room, zone) = (tag(), tag());
        // The same addresses in every meeting: what is inside is as alike as it can be.
        let mut addresses = || {
            Candidates::new((0..1 + rng.next_u32() % 6).map(|_| {
                let ip = [192, 0, 2, rng.next_u32() as u8];
                Candidate {
                    kind: CandidateKind::Host,
                    transport: Transport::Udp,
                    address: SocketAddr::from((ip, 40_000)),
                }
            }))
        };
        Self {
            number,
            room,
            zone,
            addresses: [addresses(), addresses()],
            relays: [1, 2, 3].map(|nth| DeviceId([16 * number as u8 + nth; 16])),
            accounts: [AccountKey::generate(rng), AccountKey::generate(rng)],
            devices: [DeviceKeys::generate(rng), DeviceKeys::generate(rng)],
            pair: PairSecret::new(Epoch(20_699), Secret::random(rng)),
            byte: rng.next_u32() as u8,
        }
    }

    /// Offer and answer, each in both places.
    fn meet(
        &self,
        epoch: Epoch,
        index: u8,
        meeting: usize,
        leak: Leak,
        rng: &mut ChaCha20Rng,
        records: &mut Vec<Record>,
    ) {
        let offerer = usize::from(index % 2);
        let [one, two] = [&self.devices[offerer], &self.devices[1 - offerer]];
        let secret = self.pair.at(epoch).unwrap();
        let prologue = [offerer, 1 - offerer].map(|side| self.accounts[side].id().0).concat();
        let psk = derive(secret.expose(), "meet", &[]);
        let (e1, e2) = (Secret::random(rng), Secret::random(rng));
        let pattern = Pattern::Meeting;
        let mut initiator =
            Handshake::initiator(pattern, one.noise(), &two.public().noise, &psk, &prologue, &e1).unwrap();
        let mut responder =
            Handshake::responder(pattern, two.noise(), Some(&one.public().noise), &psk, &prologue, &e2)
                .unwrap();
        let sent = UnixMillis(epoch.begin().0 + u64::from(rng.next_u32() % 86_400_000));
        let [ours, theirs] = [&self.addresses[offerer], &self.addresses[1 - offerer]];
        let offer = Offer {
            no: sent.0,
            lifetime: 600,
            candidates: ours.clone(),
            roster_seq: 3,
            status_seq: 9,
            nat: Default::default(),
            relays: RelayTags::of(&psk, &self.relays),
        };
        let answer = Answer {
            lifetime: 600,
            candidates: theirs.clone(),
            roster_seq: 3,
            status_seq: 9,
            sent,
            nat: Default::default(),
            relays: RelayTags::of(&psk, &self.relays),
        };
        let pad = |payload: Vec<u8>| Bucket::Small.pad(&payload, 48).unwrap();
        let message1 = initiator.write(&pad(offer.to_bytes())).unwrap();
        responder.read(&message1).unwrap();
        let h1 = responder.hash();
        let message2 = responder.write(&pad(answer.to_bytes())).unwrap();

        for (place, tag) in [self.room, self.zone].into_iter().enumerate() {
            let tag = if leak == Leak::SameInEveryPlace { self.room } else { tag };
            let (from, to) = (one.public().id(), two.public().id());
            let left = [
                (slot::offer(&secret, tag, &from, &to, index), &message1, false),
                (slot::answer(&secret, tag, &h1), &message2, true),
            ];
            for (slot, message, answer) in left {
                // Offers in the zone lie in the recipient's tray.
                let in_tray = place == 1 && !answer && leak != Leak::SameInEveryPlace;
                let bytes = if in_tray {
                    envelope::seal_in_tray(&slot.id.0, &slot.siv, message)
                } else {
                    envelope::seal(&slot.siv, message)
                };
                let mut record = Record { pair: self.number, meeting, answer, slot: slot.id.0, bytes };
                self.spoil(&mut record, &slot, message, leak, rng);
                records.push(record);
            }
        }
    }

    fn spoil(&self, record: &mut Record, slot: &Slot, message: &[u8], leak: Leak, rng: &mut ChaCha20Rng) {
        match leak {
            Leak::None | Leak::SameInEveryPlace => {}
            Leak::ByteOfThePair => record.bytes[217] = self.byte,
            Leak::LengthOfTheNames => record.bytes.truncate(300 + self.number * 5),
            Leak::BytesUnevenly => {
                for _ in 0..record.bytes.len() / 10 {
                    let at = rng.next_u32() as usize % record.bytes.len();
                    record.bytes[at] = self.byte;
                }
            }
            Leak::SlotFromThePair => {
                record.slot = slot.id.0;
                record.slot[..2].copy_from_slice(&[self.byte, self.byte ^ 0x5a]);
            }
            Leak::Unsealed => {
                record.bytes = message.to_vec();
                record.bytes[0] = u8::from(record.answer);
                record.bytes.resize(Bucket::Small.record(), 0);
            }
        }
    }
}
