//! Small sealed datagrams beside QUIC, that look random but for their length.
//!
//! ```text
//! datagram = first ‖ nonce 12 ‖ AEAD(key, nonce, body, associated data first)
//! ```
//!
//! `first` has the fixed bit of QUIC clear, which every packet of ours has set; nothing else tells one, and no two have anything in common.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use super::agreement::fill_random;
use crate::secret::Secret32;

/// What comes before the body, and what after it, in bytes.
pub(crate) const OVERHEAD: usize = 1 + NONCE_LEN + TAG_LEN;
pub(crate) const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
/// Set in the first byte of every QUIC packet of ours (RFC 9000, section 17).
const FIXED_BIT: u8 = 0x40;

/// Whether a datagram of `LEN` bytes may be one; what it says is known to whoever has the key.
pub(crate) fn may_be<const LEN: usize>(datagram: &[u8]) -> bool {
    datagram.len() == LEN && datagram.first().is_some_and(|first| first & FIXED_BIT == 0)
}

/// Sealed for the wire. `LEN` is the body's length and [`OVERHEAD`].
pub(crate) fn seal<const LEN: usize>(key: &Secret32, body: &[u8]) -> [u8; LEN] {
    let (mut first, mut nonce) = ([0; 1], [0; NONCE_LEN]);
    fill_random(&mut first);
    fill_random(&mut nonce);
    seal_with(key, first, nonce, body)
}

/// Sealed with a given first byte, whose fixed bit does not count, and a given nonce.
pub(crate) fn seal_with<const LEN: usize>(
    key: &Secret32,
    [first]: [u8; 1],
    random: [u8; NONCE_LEN],
    said: &[u8],
) -> [u8; LEN] {
    let mut datagram = [0; LEN];
    let (head, rest) = datagram.split_at_mut(1);
    let (nonce, rest) = rest.split_at_mut(NONCE_LEN);
    let (body, tag_at) = rest.split_at_mut(LEN - OVERHEAD);
    head.fill(first & !FIXED_BIT);
    nonce.copy_from_slice(&random);
    body.copy_from_slice(said);
    let nonce = Nonce::try_assume_unique_for_key(nonce);
    let tag = nonce.and_then(|nonce| aead(key)?.seal_in_place_separate_tag(nonce, Aad::from(head), body));
    match tag {
        Ok(tag) => tag_at.copy_from_slice(tag.as_ref()),
        // Only a failing library gets here; nothing of ours is to be seen then.
        Err(_) => body.fill(0),
    }
    datagram
}

/// What came in, read by `read`; `None` unless it was sealed under this key, and can be read.
pub(crate) fn open<const LEN: usize, T>(
    key: &Secret32,
    datagram: &[u8],
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Option<T> {
    let mut copy: [u8; LEN] = datagram.try_into().ok()?;
    let (first, rest) = copy.split_at_mut(1);
    let (nonce, sealed) = rest.split_at_mut(NONCE_LEN);
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    read(aead(key).ok()?.open_in_place(nonce, Aad::from(first), sealed).ok()?)
}

fn aead(key: &Secret32) -> Result<LessSafeKey, aws_lc_rs::error::Unspecified> {
    Ok(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key.as_bytes())?))
}
