//! Where records lie, and the keys they are sealed under.
//!
//! Every derivation takes in the place, so that the same message left in two places has nothing in common there: neither the slot's name nor
//! a byte of the record. For friends the place is the tag of the meeting point that is used; for an invite, whose points have no tags, the
//! point's number in the link; for a pointer, whose copies may number them otherwise, a hash of how it writes the place.

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

/// How many offers one device can leave another at one place in one epoch; each slot is used once, and the last one again by whoever
/// offers more often.
pub const OFFERS: u8 = 32;

/// How many trays a recipient has at one place in one epoch.
pub const LANES: u8 = 4;

/// Where `from` leaves its `index`-th offer for `to`, `index` below [`OFFERS`].
pub fn offer(pair: &Secret, tag: PlaceTag, from: &DeviceId, to: &DeviceId, index: u8) -> Slot {
    split(derive(pair.expose(), "slot", &[&tag.0, &from.0, &to.0, &[index]]))
}

/// Where the answer to the offer with handshake hash `h1` lies, in the place of this tag: the one that the offer was made under.
pub fn answer(pair: &Secret, tag: PlaceTag, h1: &[u8; 32]) -> Slot {
    split(derive(pair.expose(), "ans", &[&tag.0, h1]))
}

/// Where one update after a meeting lies, by the side that leaves it.
pub fn update(meeting: &Secret, tag: PlaceTag, offerer: bool) -> Slot {
    split(derive(meeting.expose(), "upd", &[&tag.0, &[u8::from(offerer)]]))
}

/// Where a join is left for an invite, by the number of the point in the link (from 0), day and lane.
pub fn join(secret: &Secret<16>, point: u8, day: Epoch, lane: u8) -> Slot {
    split(derive(secret.expose(), "join", &[&[point], &day.0.to_be_bytes(), &[lane]]))
}

/// Where the welcome to the join with handshake hash `h1` lies, by the number of the point in the link (from 0).
pub fn welcome(secret: &Secret<16>, point: u8, h1: &[u8; 32]) -> Slot {
    split(derive(secret.expose(), "wel", &[&[point], h1]))
}

/// Where a join to an invite lies in a space of the joiner's own, by what stands for that space's tag ([`PlaceTag::of_space`]) and day.
pub fn own_join(secret: &Secret<16>, space: PlaceTag, day: Epoch) -> Slot {
    split(derive(secret.expose(), "own join", &[&space.0, &day.0.to_be_bytes()]))
}

/// Where the owner of a one-writer space says which slots in it are filled for a first contact by this invite, by what stands for the space's tag.
pub fn contact_index(secret: &Secret<16>, space: PlaceTag, epoch: Epoch) -> Slot {
    split(derive(secret.expose(), "contact index", &[&space.0, &epoch.0.to_be_bytes()]))
}

/// Where a knock is left by a pointer, from its public bytes, by what stands for the place's tag, day and lane.
pub fn public_join(public: &[u8; 16], tag: PlaceTag, day: Epoch, lane: u8) -> Slot {
    split(derive(public, "public join", &[&tag.0, &day.0.to_be_bytes(), &[lane]]))
}

/// Where the welcome to a knock by a pointer lies, by what stands for the place's tag.
pub fn public_welcome(public: &[u8; 16], tag: PlaceTag, h1: &[u8; 32]) -> Slot {
    split(derive(public, "public wel", &[&tag.0, h1]))
}

/// How many lanes guests have at one door, place and day, so that few are in each other's way.
pub const KNOCKS: u8 = 8;

/// Where a guest knocks at a door, by the door's secret, the host's tag of the place, day and lane, the lane below [`KNOCKS`].
pub fn knock(door: &Secret, tag: PlaceTag, day: Epoch, lane: u8) -> Slot {
    split(derive(door.expose(), "knock", &[&tag.0, &day.0.to_be_bytes(), &[lane]]))
}

/// Where the answer to the knock with handshake hash `h1` lies, in the place of this tag.
pub fn knock_answer(door: &Secret, tag: PlaceTag, h1: &[u8; 32]) -> Slot {
    split(derive(door.expose(), "knock answer", &[&tag.0, h1]))
}

/// Where a call is left for whoever has the code with this nameplate, by what stands for the place's tag ([`PlaceTag::of_space`]) and day. Anybody can tell.
pub fn code_call(nameplate: u16, space: PlaceTag, day: Epoch) -> Slot {
    split(derive(&nameplate.to_be_bytes(), "code call", &[&space.0, &day.0.to_be_bytes()]))
}

/// Where it stands that the code with this nameplate is burnt.
pub fn code_burnt(nameplate: u16, space: PlaceTag, day: Epoch) -> Slot {
    split(derive(&nameplate.to_be_bytes(), "code burnt", &[&space.0, &day.0.to_be_bytes()]))
}

/// Where a response to one element of the call with this hash lies, by what stands for the place's tag. Anybody who sees the call can tell.
pub fn code_response(call: &[u8; 32], space: PlaceTag, index: u8) -> Slot {
    split(derive(call, "code response", &[&space.0, &[index]]))
}

/// Where the inviter says what it thinks of the response to that element.
pub fn code_verdict(call: &[u8; 32], space: PlaceTag, index: u8) -> Slot {
    split(derive(call, "code verdict", &[&space.0, &[index]]))
}

/// A recipient's tray, from the key that its card names: where offers for it lie in a place that is looked up by key.
pub fn tray(key: &Secret, tag: PlaceTag, epoch: Epoch, lane: u8) -> SlotId {
    SlotId(*derive::<16>(key.expose(), "tray", &[&tag.0, &epoch.0.to_be_bytes(), &[lane]]).expose())
}

/// Where the owner of a one-writer space says which slots are filled.
pub fn index(key: &Secret, tag: PlaceTag, epoch: Epoch) -> Slot {
    split(derive(key.expose(), "index", &[&tag.0, &epoch.0.to_be_bytes()]))
}

/// How many slots a friend has for mail to another at one place in one epoch.
pub const MAIL_LANES: u8 = 4;

/// Where mail lies for whoever gave this root, in the place that it calls by this tag, by the day on which it was left and lane (below [`MAIL_LANES`]).
pub fn mail(root: &Secret, tag: PlaceTag, epoch: Epoch, lane: u8) -> Slot {
    split(derive(root.expose(), "mail slot", &[&tag.0, &epoch.0.to_be_bytes(), &[lane]]))
}

fn split(both: Secret<48>) -> Slot {
    let (id, siv) = both.expose().split_at(16);
    Slot {
        id: SlotId(std::array::from_fn(|i| id.get(i).copied().unwrap_or_default())),
        siv: Secret::new(std::array::from_fn(|i| siv.get(i).copied().unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests;
