//! The key schedule: from γ and from a finished Noise handshake to every key of a link.

use aws_lc_rs::{digest, hmac};
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
    pub(crate) exporter: Secret32,
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

    #[cfg(any(test, feature = "fuzzing"))]
    /// Keying material for another protocol, alike on both sides.
    pub(crate) fn export(&self, label: &[u8]) -> Secret32 {
        export(&self.exporter, label)
    }
}

/// Keying material under one label, from a link's exporter secret.
pub(crate) fn export(exporter: &Secret32, label: &[u8]) -> Secret32 {
    expand32(exporter, "export", digest::digest(&digest::SHA256, label).as_ref())
}

/// HKDF-Extract (RFC 5869) with SHA-256: one HMAC under the salt.
///
/// HMAC is aws-lc's, which erases what it computed with, and every secret is written where it stays.
pub(crate) fn extract(salt: &[u8], ikm: &[u8]) -> Secret32 {
    Secret32::written(|prk| mac(salt, ikm, prk))
}

/// [`expand`] to a secret.
pub(crate) fn expand32(prk: &Secret32, label: &str, context: &[u8]) -> Secret32 {
    Secret32::written(|out| expand_into(prk, label, context, out))
}

/// HKDF-Expand-Label (RFC 8446, section 7.1) with the prefix `wayside1 ` in place of `tls13 `.
///
/// `label`, `context` and `N` are ours, never a peer's: at most 40, 32 and 32 bytes.
pub(crate) fn expand<const N: usize>(prk: &Secret32, label: &str, context: &[u8]) -> Zeroizing<[u8; N]> {
    let mut out = Zeroizing::new([0; N]);
    expand_into(prk, label, context, &mut *out);
    out
}

fn expand_into(prk: &Secret32, label: &str, context: &[u8], out: &mut [u8]) {
    debug_assert!(label.len() <= 40 && context.len() <= 32 && out.len() <= 32);
    let length = (out.len() as u16).to_be_bytes();
    let label_len = [(LABEL_PREFIX.len() + label.len()) as u8];
    let context_len = [context.len() as u8];
    // RFC 5869's T(1), the only block that 32 bytes take.
    let info: [&[u8]; 7] =
        [&length, &label_len, LABEL_PREFIX.as_bytes(), label.as_bytes(), &context_len, context, &[1]];
    let mut block = Zeroizing::new([0; 32]);
    mac(prk.as_bytes(), &info.concat(), &mut block);
    out.iter_mut().zip(block.iter()).for_each(|(out, byte)| *out = *byte);
}

fn mac(key: &[u8], data: &[u8], out: &mut [u8; 32]) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    // Fails only for a buffer that is not of HMAC's size.
    let done = hmac::sign_to_buffer(&key, data, out).is_ok();
    assert!(done, "HMAC-SHA256 has 32 bytes");
}

const LABEL_PREFIX: &str = "wayside1 ";
