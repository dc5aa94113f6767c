//! The key schedule: from γ and from a finished Noise handshake to every key of a link.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::cipher::PacketCipher;
use crate::secret::Secret32;

/// A secret for each direction, named by who sends under it.
#[derive(Clone)]
pub(crate) struct Directions {
    pub(crate) initiator: Secret32,
    pub(crate) responder: Secret32,
}

impl Directions {
    /// Expands `<label> i` and `<label> r`.
    pub(crate) fn expand(prk: &Secret32, label: &str) -> Self {
        Self {
            initiator: expand32(prk, &format!("{label} i"), &[]),
            responder: expand32(prk, &format!("{label} r"), &[]),
        }
    }

    /// The next generation, for a key update (RFC 9001, section 6.1, with our labels).
    pub(crate) fn next(&self) -> Self {
        Self {
            initiator: expand32(&self.initiator, "ku", &[]),
            responder: expand32(&self.responder, "ku", &[]),
        }
    }
}

/// Everything a finished Noise handshake yields.
#[derive(Clone)]
pub(crate) struct LinkSecrets {
    /// Protects packets of the Handshake space and 1-RTT packets.
    pub(crate) cipher: PacketCipher,
    /// Protects packets of the Handshake space.
    pub(crate) handshake: Directions,
    /// Protects 1-RTT packets of generation 0.
    pub(crate) application: Directions,
    /// What each side sends in the Handshake space to prove that it holds the keys.
    pub(crate) confirm: Directions,
    exporter: Secret32,
}

impl LinkSecrets {
    /// `hash` is the Noise handshake hash after the second message, `split` the two keys of Noise's `Split()`.
    ///
    /// The hash is public and serves as salt: it ties the keys to the transcript even if both keys of the split were
    /// to come out alike in two handshakes.
    pub(crate) fn derive(cipher: PacketCipher, hash: &[u8; 32], split: &[[u8; 32]; 2]) -> Self {
        let ikm = Zeroizing::new(split.concat());
        let prk = extract(hash, &ikm);
        Self {
            cipher,
            handshake: Directions::expand(&prk, "hs"),
            application: Directions::expand(&prk, "app"),
            confirm: Directions::expand(&prk, "confirm"),
            exporter: expand32(&prk, "exporter", &[]),
        }
    }

    /// Keying material for another protocol, alike on both sides.
    pub(crate) fn export(&self, label: &[u8]) -> Secret32 {
        use sha2::Digest as _;
        expand32(&self.exporter, "export", &Sha256::digest(label))
    }
}

/// HKDF-Extract (RFC 5869) with SHA-256.
pub(crate) fn extract(salt: &[u8], ikm: &[u8]) -> Secret32 {
    let (mut prk, _) = Hkdf::<Sha256>::extract(Some(salt), ikm);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(&prk);
    zeroize::Zeroize::zeroize(prk.as_mut_slice());
    Secret32::from(bytes)
}

/// [`expand`] to 32 bytes.
pub(crate) fn expand32(prk: &Secret32, label: &str, context: &[u8]) -> Secret32 {
    Secret32::from(expand(prk, label, context))
}

/// HKDF-Expand-Label (RFC 8446, section 7.1) with the prefix `wayside1 ` in place of `tls13 `.
///
/// `label`, `context` and `N` are ours, never a peer's: at most 40, 32 and 32 bytes.
pub(crate) fn expand<const N: usize>(prk: &Secret32, label: &str, context: &[u8]) -> [u8; N] {
    debug_assert!(label.len() <= 40 && context.len() <= 32 && N <= 32);
    let length = (N as u16).to_be_bytes();
    let label_len = [(LABEL_PREFIX.len() + label.len()) as u8];
    let context_len = [context.len() as u8];
    let info: [&[u8]; 6] =
        [&length, &label_len, LABEL_PREFIX.as_bytes(), label.as_bytes(), &context_len, context];
    let mut out = [0; N];
    // Fails only for a key below 32 or an output above 8160 bytes; ours are fixed.
    let done =
        Hkdf::<Sha256>::from_prk(prk.as_bytes()).is_ok_and(|h| h.expand_multi_info(&info, &mut out).is_ok());
    assert!(done, "a 32-byte key expands to at most 8160 bytes");
    out
}

const LABEL_PREFIX: &str = "wayside1 ";
