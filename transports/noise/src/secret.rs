//! Secrets and names: what is erased on drop, what never prints, and what tells links apart.

use std::fmt;

use aws_lc_rs::agreement::{PrivateKey, X25519};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Which meeting, or which standing secret, a link belongs to.
///
/// A local name that the caller chooses: it never goes on the wire, so that the two sides may use different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 16]);

/// Thirty-two bytes of key material; erased on drop, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret32([u8; 32]);

impl Secret32 {
    /// The bytes; whoever copies them erases the copy.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Written in place, so that no copy is left behind.
    pub(crate) fn written(write: impl FnOnce(&mut [u8; 32])) -> Self {
        let mut secret = Self([0; 32]);
        write(&mut secret.0);
        secret
    }
}

impl From<[u8; 32]> for Secret32 {
    /// Whoever has other copies of the bytes erases them.
    fn from(mut bytes: [u8; 32]) -> Self {
        let secret = Self(bytes);
        bytes.zeroize();
        secret
    }
}

impl PartialEq for Secret32 {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(&self.0[..], &other.0[..]).into()
    }
}

impl Eq for Secret32 {}

impl fmt::Debug for Secret32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret32(..)")
    }
}

/// A device's X25519 secret key, used for Noise and for nothing else (Noise, revision 34, section 14).
#[derive(Clone)]
pub struct StaticKey {
    secret: Secret32,
    public: [u8; 32],
}

impl StaticKey {
    /// Takes any 32 bytes; X25519 clamps them (RFC 7748, section 5).
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let secret = Secret32::from(bytes);
        Self { public: public_key(secret.as_bytes()).unwrap_or_default(), secret }
    }

    /// The public key, by which peers know this device.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        self.secret.as_bytes()
    }
}

impl fmt::Debug for StaticKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticKey").finish_non_exhaustive()
    }
}

/// The public half of an X25519 secret; `None` only if the library fails, since every 32 bytes are a secret.
pub(crate) fn public_key(secret: &[u8; 32]) -> Option<[u8; 32]> {
    let key = PrivateKey::from_private_key(&X25519, secret).ok()?;
    key.compute_public_key().ok()?.as_ref().try_into().ok()
}
