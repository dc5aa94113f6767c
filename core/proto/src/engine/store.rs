//! What is persisted, under which keys.
//!
//! A value is a version byte and CBOR. A key names its area first, so that an area can be read in one go.

use minicbor::{Decode, Encode};

use super::config::RestoreError;
use super::io::PublicationId;
use crate::codec;
use crate::crypto::keys::{AccountId, DeviceId};
use crate::place::PlaceTag;

/// The version of all values.
const VERSION: u8 = 1;

/// The longest value that is read back, in bytes: a friend with the largest card is some 45,000.
const MAX: usize = 1 << 20;

pub(super) const FRIEND: &str = "friend";
pub(super) const INVITE: &str = "invite";
pub(super) const POINTER: &str = "pointer";
pub(super) const REQUEST: &str = "request";
pub(super) const CONTACT: &str = "contact";
pub(super) const MEETING: &str = "meeting";
pub(super) const SESSION: &str = "session";
pub(super) const PUBLICATION: &str = "pub";
pub(super) const PLACE: &str = "self/place";
pub(super) const CARD: &str = "self/card";

pub(super) fn friend(account: &AccountId) -> String {
    format!("{FRIEND}/{account}")
}

pub(super) fn invite(key: &[u8; 32]) -> String {
    format!("{INVITE}/{}", hex(key))
}

pub(super) fn pointer(id: &[u8; 32]) -> String {
    format!("{POINTER}/{}", hex(id))
}

pub(super) fn request(id: &[u8; 8]) -> String {
    format!("{REQUEST}/{}", hex(id))
}

pub(super) fn contact(key: &[u8; 32]) -> String {
    format!("{CONTACT}/{}", hex(key))
}

pub(super) fn meeting(account: &AccountId, device: &DeviceId) -> String {
    format!("{MEETING}/{account}/{device}")
}

pub(super) fn session(id: &[u8; 16]) -> String {
    format!("{SESSION}/{}", hex(id))
}

pub(super) fn publication(id: PublicationId) -> String {
    format!("{PUBLICATION}/{:016x}", id.0)
}

pub(super) fn place(tag: PlaceTag) -> String {
    format!("{PLACE}/{}", hex(&tag.0))
}

pub(super) fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend(codec::encode(value));
    bytes
}

pub(super) fn decode<T: for<'b> Decode<'b, ()>>(key: &str, bytes: &[u8]) -> Result<T, RestoreError> {
    let damaged = |why| RestoreError { key: key.to_owned(), why };
    match bytes.split_first() {
        Some((&VERSION, value)) => {
            codec::decode("a stored value", value, MAX).map_err(|error| damaged(error.why))
        }
        Some(_) => Err(damaged("it was written by another version")),
        None => Err(damaged("it is empty")),
    }
}

/// A key's area and the rest of it.
pub(super) fn area(key: &str) -> &str {
    [PLACE, CARD]
        .into_iter()
        .find(|area| key.starts_with(area))
        .or_else(|| key.split_once('/').map(|(area, _)| area))
        .unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
