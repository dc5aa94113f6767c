//! Where records lie, and the keys they are sealed under.
//!
//! Every derivation takes in the place: a message that is raced over several bridges lies under another slot and another key on each, so that
//! nobody who reads two of them can tell that the records belong together.

use crate::crypto::keys::DeviceId;
use crate::crypto::{Secret, derive};
use crate::place::PlaceTag;
use crate::time::Epoch;

/// Sixteen bytes that name a record's place: a bridge's key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub [u8; 16]);

impl std::fmt::Debug for SlotId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SlotId({})", data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// A slot and the AES-SIV key of what lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Where.
    pub id: SlotId,
    /// Sealed under what.
    pub siv: Secret,
}

/// How many offers one device can leave another at one place in one epoch; each slot is used once.
pub const OFFERS: u8 = 16;

/// How many trays a recipient has at one place in one epoch.
pub const LANES: u8 = 4;

/// Where `from` leaves its `index`-th offer for `to`, `index` below [`OFFERS`].
pub fn offer(pair: &Secret, tag: PlaceTag, from: &DeviceId, to: &DeviceId, index: u8) -> Slot {
    split(derive(pair.expose(), "slot", &[&tag.0, &from.0, &to.0, &[index]]))
}

/// Where the answer to the offer with handshake hash `h1` lies, at the place where that offer was found.
pub fn answer(pair: &Secret, tag: PlaceTag, h1: &[u8; 32]) -> Slot {
    split(derive(pair.expose(), "ans", &[&tag.0, h1]))
}

/// Where one update after a meeting lies, by the side that leaves it, at the place where the answer was left.
pub fn update(meeting: &Secret, tag: PlaceTag, offerer: bool) -> Slot {
    split(derive(meeting.expose(), "upd", &[&tag.0, &[u8::from(offerer)]]))
}

/// Where a join is left for an invite, by the position of the place in it, the day and the lane.
pub fn join(secret: &Secret<16>, point: u8, day: Epoch, lane: u8) -> Slot {
    split(derive(secret.expose(), "join", &[&[point], &day.0.to_be_bytes(), &[lane]]))
}

/// Where the welcome to the join with handshake hash `h1` lies, at the place where that join was found.
pub fn welcome(secret: &Secret<16>, point: u8, h1: &[u8; 32]) -> Slot {
    split(derive(secret.expose(), "wel", &[&[point], h1]))
}

/// A recipient's tray, from the key that its card names: where offers for it lie in a place that is looked up by key.
pub fn tray(key: &Secret, tag: PlaceTag, epoch: Epoch, lane: u8) -> SlotId {
    SlotId(*derive::<16>(key.expose(), "tray", &[&tag.0, &epoch.0.to_be_bytes(), &[lane]]).expose())
}

/// Where the owner of a one-writer space says which slots are filled.
pub fn index(key: &Secret, tag: PlaceTag, epoch: Epoch) -> Slot {
    split(derive(key.expose(), "index", &[&tag.0, &epoch.0.to_be_bytes()]))
}

fn split(both: Secret<48>) -> Slot {
    let (id, siv) = both.expose().split_at(16);
    Slot {
        id: SlotId(std::array::from_fn(|i| id.get(i).copied().unwrap_or_default())),
        siv: Secret::new(std::array::from_fn(|i| siv.get(i).copied().unwrap_or_default())),
    }
}
