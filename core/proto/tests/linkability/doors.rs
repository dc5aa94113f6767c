//! A hundred guests at doors, as a service sees them: ten doors over ten days, each knock and answer left in two places that are listed.

use std::net::SocketAddr;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wayside_proto::Epoch;
use wayside_proto::crypto::envelope::{self, Bucket};
use wayside_proto::crypto::keys::NoiseKey;
use wayside_proto::crypto::noise::{Handshake, Pattern};
use wayside_proto::crypto::{Secret, derive};
use wayside_proto::meet::slot;
use wayside_proto::message::{Knock, Payload};
use wayside_proto::place::{Candidate, CandidateKind, Candidates, PlaceTag, Transport};
use wayside_proto::reach::Reach;

use super::meetings::Record;

const DOORS: usize = 10;
const GUESTS: usize = 10;
/// Their meetings are numbered from here.
pub(crate) const FROM: usize = 1000;

pub(crate) fn guests() -> Vec<Record> {
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    let mut records = Vec::new();
    for door in 0..DOORS {
        let (key, secret) = (NoiseKey::generate(&mut rng), Secret::random(&mut rng));
        let tags = [(); 2].map(|()| PlaceTag(*Secret::<8>::random(&mut rng).expose()));
        // Everybody says the same in every meeting: what is inside is as alike as it can be.
        let said = Candidates::new((0..1 + rng.next_u32() % 6).map(|_| Candidate {
            kind: CandidateKind::Host,
            transport: Transport::Udp,
            address: SocketAddr::from(([192, 0, 2, rng.next_u32() as u8], 40_000)),
        }));
        let said = Knock::of(&Reach::of(said)).to_bytes();
        let padded = Bucket::Small.pad(&said, Pattern::Guest.overhead1()).unwrap();
        let psk = derive(secret.expose(), "knock psk", &[]);
        for nth in 0..GUESTS {
            let day = Epoch(20_700 + (nth as u32 * 3 + door as u32) % 10);
            let (e1, e2) = (Secret::random(&mut rng), Secret::random(&mut rng));
            let mut guest = Handshake::guest(&key.public(), &psk, b"wayside door", &e1).unwrap();
            let host = Handshake::responder(Pattern::Guest, &key, None, &psk, b"wayside door", &e2);
            let mut host = host.unwrap();
            let message1 = guest.write(&padded).unwrap();
            host.read(&message1).unwrap();
            let h1 = host.hash();
            let message2 = host.write(&padded).unwrap();
            let lane = (rng.next_u32() % u32::from(slot::KNOCKS)) as u8;
            for tag in tags {
                let left = [
                    (slot::knock(&secret, tag, day, lane), &message1, false),
                    (slot::knock_answer(&secret, tag, &h1), &message2, true),
                ];
                for (slot, message, answer) in left {
                    let bytes = envelope::seal(&slot.siv, message);
                    let meeting = FROM + door * GUESTS + nth;
                    records.push(Record { pair: door, meeting, answer, slot: slot.id.0, bytes });
                }
            }
        }
    }
    records
}
