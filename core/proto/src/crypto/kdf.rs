//! The one key derivation of the protocol.

use hkdf::Hkdf;
use sha2::{Digest, Sha256};

use super::Secret;

/// HKDF's salt for every derivation: the protocol and its version.
const SALT: &[u8] = b"wayside/1";

/// The most bytes that HKDF-SHA256 yields (RFC 5869, section 2.3: 255 blocks).
const MOST: usize = 255 * 32;

/// `HKDF-SHA256(salt = "wayside/1", ikm, info)` of `N` bytes, where `info` is the label and then each part, every
/// one of them preceded by its length as two bytes, big-endian: no two lists of parts give the same `info`.
///
/// `N` is at most 8,160 and a part at most 65,535 bytes; both are fixed where this is called.
pub fn derive<const N: usize>(ikm: &[u8], label: &str, parts: &[&[u8]]) -> Secret<N> {
    const { assert!(N <= MOST, "HKDF-SHA256 yields at most 8160 bytes") };
    let mut info = Vec::with_capacity(64);
    for part in std::iter::once(label.as_bytes()).chain(parts.iter().copied()) {
        debug_assert!(part.len() <= usize::from(u16::MAX), "two lists of parts could give one info");
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
        info.extend_from_slice(&length.to_be_bytes());
        info.extend_from_slice(part);
    }
    let mut output = [0; N];
    let expanded = Hkdf::<Sha256>::new(Some(SALT), ikm).expand(&info, &mut output);
    debug_assert!(expanded.is_ok(), "the length was checked above");
    Secret::new(output)
}

/// SHA-256 of the parts in a row.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests;
