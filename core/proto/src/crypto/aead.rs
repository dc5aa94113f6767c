//! ChaCha20-Poly1305 under a key that is used once.

use snow::params::CipherChoice;
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::Cipher;

use super::Secret;

/// Bytes that sealing adds.
pub const OVERHEAD: usize = 16;

/// `plain`, encrypted and authenticated together with `beside` (RFC 8439), nonce 0: a key seals one thing only.
pub fn seal(key: &Secret, beside: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut sealed = vec![0; plain.len() + OVERHEAD];
    if let Some(cipher) = cipher(key) {
        cipher.encrypt(0, beside, plain, &mut sealed);
    }
    sealed
}

/// What was sealed; `None` where anything of it, of `beside` or of the key is another.
pub fn open(key: &Secret, beside: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let mut plain = vec![0; sealed.len().checked_sub(OVERHEAD)?];
    cipher(key)?.decrypt(0, beside, sealed, &mut plain).ok()?;
    Some(plain)
}

fn cipher(key: &Secret) -> Option<Box<dyn Cipher>> {
    let cipher = DefaultResolver.resolve_cipher(&CipherChoice::ChaChaPoly);
    debug_assert!(cipher.is_some(), "snow is built with it");
    let mut cipher = cipher?;
    cipher.set(key.expose());
    Some(cipher)
}

#[cfg(test)]
mod tests;
