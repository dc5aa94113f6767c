//! Secrets and names: what is erased on drop, what never prints, and what tells links apart.

use std::{fmt, sync::Arc};

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
///
/// A handle: clones share the key.
#[derive(Clone)]
pub struct StaticKey(Arc<KeyPair>);

impl StaticKey {
    /// Takes any 32 bytes; X25519 clamps them (RFC 7748, section 5).
    ///
    /// # Panics
    /// Where the cryptographic library fails, which no bytes can bring about.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let secret = Secret32::from(bytes);
        // Every 32 bytes are a secret.
        #[allow(clippy::expect_used)]
        Self(Arc::new(KeyPair::new(secret).expect("X25519 takes any 32 bytes")))
    }

    /// The public key, by which peers know this device.
    pub fn public(&self) -> [u8; 32] {
        self.0.public
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        self.0.secret.as_bytes()
    }

    pub(crate) fn pair(&self) -> Arc<KeyPair> {
        Arc::clone(&self.0)
    }
}

impl fmt::Debug for StaticKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticKey").finish_non_exhaustive()
    }
}

/// An X25519 key, ready for use: making one costs as much as an agreement.
pub(crate) struct KeyPair {
    pub(crate) key: PrivateKey,
    pub(crate) secret: Secret32,
    pub(crate) public: [u8; 32],
}

impl KeyPair {
    /// `None` only if the library fails.
    pub(crate) fn new(secret: Secret32) -> Option<Self> {
        let key = PrivateKey::from_private_key(&X25519, secret.as_bytes()).ok()?;
        let public = key.compute_public_key().ok()?.as_ref().try_into().ok()?;
        Some(Self { key, secret, public })
    }
}
