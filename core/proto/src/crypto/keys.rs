//! The keys of accounts and devices.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use minicbor::{Decode, Encode};
use rand_core::RngCore;
use x25519_dalek::{PublicKey, StaticSecret};

use super::{Secret, sha256};

/// An account's public key: who somebody is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct AccountId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl AccountId {
    /// The account of its text form, in upper or lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for AccountId {
    /// 52 characters of lower-case base32.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountId({self})")
    }
}

/// An account's key pair. It signs rosters and pointers and nothing else.
pub struct AccountKey(SigningKey);

impl AccountKey {
    /// Draws a fresh one.
    pub fn generate(rng: &mut impl RngCore) -> Self {
        Self::from_secret(&Secret::random(rng))
    }

    /// The key of its stored seed.
    pub fn from_secret(seed: &Secret) -> Self {
        Self(SigningKey::from_bytes(seed.expose()))
    }

    /// The seed to store.
    pub fn secret(&self) -> Secret {
        Secret::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn id(&self) -> AccountId {
        AccountId(self.0.verifying_key().to_bytes())
    }

    /// Signs `message` for `context`.
    pub fn sign(&self, context: &str, message: &[u8]) -> [u8; 64] {
        sign(&self.0, context, message)
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey({})", self.id())
    }
}

/// A device's public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct DevicePublic {
    /// Ed25519: verifies what the device signs.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub sign: [u8; 32],
    /// X25519: the device's Noise static key.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub noise: [u8; 32],
}

impl DevicePublic {
    /// The short name of this pair of keys.
    pub fn id(&self) -> DeviceId {
        let hash = sha256(&[b"wayside/1 device", &self.sign, &self.noise]);
        let mut id = [0; 16];
        id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        DeviceId(id)
    }
}

/// A device: the first half of the SHA-256 of its public keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct DeviceId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl fmt::Display for DeviceId {
    /// 26 characters of lower-case base32.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({self})")
    }
}

/// A device's two key pairs: one signs, one serves Noise, neither does the other's work (Noise, section 14).
pub struct DeviceKeys {
    sign: SigningKey,
    noise: NoiseKey,
}

impl DeviceKeys {
    /// Draws fresh ones.
    pub fn generate(rng: &mut impl RngCore) -> Self {
        Self::from_secrets(&Secret::random(rng), &Secret::random(rng))
    }

    /// The keys of their stored secrets: signing seed and Noise scalar.
    pub fn from_secrets(sign: &Secret, noise: &Secret) -> Self {
        Self { sign: SigningKey::from_bytes(sign.expose()), noise: NoiseKey::from_secret(noise.clone()) }
    }

    /// The secrets to store: signing seed and Noise scalar.
    pub fn secrets(&self) -> (Secret, Secret) {
        (Secret::new(self.sign.to_bytes()), self.noise.secret().clone())
    }

    /// The public halves.
    pub fn public(&self) -> DevicePublic {
        DevicePublic { sign: self.sign.verifying_key().to_bytes(), noise: self.noise.public() }
    }

    /// The Noise key pair.
    pub const fn noise(&self) -> &NoiseKey {
        &self.noise
    }

    /// Signs `message` for `context`.
    pub fn sign(&self, context: &str, message: &[u8]) -> [u8; 64] {
        sign(&self.sign, context, message)
    }
}

impl fmt::Debug for DeviceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKeys({})", self.public().id())
    }
}

/// An X25519 key pair for Noise: a device's static key, an invite's one-time key, an ephemeral key.
#[derive(Clone)]
pub struct NoiseKey {
    secret: Secret,
    public: [u8; 32],
}

impl NoiseKey {
    /// Draws a fresh one.
    pub fn generate(rng: &mut impl RngCore) -> Self {
        Self::from_secret(Secret::random(rng))
    }

    /// The pair of a stored scalar.
    pub fn from_secret(secret: Secret) -> Self {
        let public = PublicKey::from(&StaticSecret::from(*secret.expose())).to_bytes();
        Self { secret, public }
    }

    /// The scalar.
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The public half.
    pub const fn public(&self) -> [u8; 32] {
        self.public
    }
}

impl fmt::Debug for NoiseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoiseKey({})", data_encoding::HEXLOWER.encode(&self.public))
    }
}

/// Whether `signature` of `message` for `context` was made by the holder of `key`. Strict: no small-order keys and no
/// malleable signatures (RFC 8032, section 5.1.7, and "Taming the many EdDSAs", 2020).
#[must_use]
pub fn verify(key: &[u8; 32], context: &str, message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| {
        key.verify_strict(&signed_bytes(context, message), &Signature::from_bytes(signature)).is_ok()
    })
}

fn sign(key: &SigningKey, context: &str, message: &[u8]) -> [u8; 64] {
    key.sign(&signed_bytes(context, message)).to_bytes()
}

/// What is really signed: `wayside/1 `, the context, a zero byte, the message. A signature made for one purpose serves no other.
fn signed_bytes(context: &str, message: &[u8]) -> Vec<u8> {
    [b"wayside/1 ", context.as_bytes(), &[0], message].concat()
}

#[cfg(test)]
mod tests;
