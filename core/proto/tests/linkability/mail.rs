//! Mail that lies at bridges, as a service sees it.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wayside_proto::Epoch;
use wayside_proto::crypto::{Secret, envelope};
use wayside_proto::meet::slot;
use wayside_proto::place::PlaceTag;

use super::meetings::{Leak, Record};

const PAIRS: usize = 10;
const MESSAGES: usize = 10;
/// What a blob is padded to here: its record is as long as those that the linker was made for.
const LENGTH: usize = 360;

/// Ten messages of each of ten pairs over ten days, each at two places. Half of a blob is the same in all of a pair's: what is inside is as alike as it could be.
pub(crate) fn mail(leak: Leak) -> Vec<Record> {
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let mut records = Vec::new();
    for pair in 0..PAIRS {
        let root = Secret::random(&mut rng);
        let mut tag = || PlaceTag(*Secret::<8>::random(&mut rng).expose());
        let places = [tag(), tag()];
        let mut alike = [0; LENGTH / 2];
        rng.fill_bytes(&mut alike);
        for nth in 0..MESSAGES {
            let epoch = Epoch(20_700 + (nth as u32 * 3 + pair as u32) % 10);
            let mut blob = alike.to_vec();
            blob.resize(LENGTH, 0);
            rng.fill_bytes(&mut blob[LENGTH / 2..]);
            for place in places {
                let place = if leak == Leak::SameInEveryPlace { PlaceTag([0; 8]) } else { place };
                let lane = (rng.next_u32() % u32::from(slot::MAIL_LANES)) as u8;
                let lane = if leak == Leak::SameInEveryPlace { 0 } else { lane };
                let slot = slot::mail(&root, place, epoch, lane);
                let mut bytes = envelope::seal_blob(&slot.siv, &blob);
                if leak == Leak::Unsealed {
                    bytes = [&blob[..], &[0; 16]].concat();
                }
                let meeting = pair * MESSAGES + nth;
                records.push(Record { pair, meeting, answer: false, slot: slot.id.0, bytes });
            }
        }
    }
    records
}
