//! The primitives, each behind a name that says what it is for.
//!
//! SHA-256 everywhere; HKDF-SHA256 for every derivation ([`kdf`]); Ed25519 for signatures and X25519 for Noise
//! ([`keys`]); Noise by snow with the ephemeral key handed in ([`noise`]); AES-SIV around what bridges carry
//! ([`envelope`]); ChaCha20-Poly1305 around mail ([`aead`]).

pub mod aead;
pub mod envelope;
pub mod kdf;
pub mod keys;
pub mod noise;
pub mod secret;

pub use kdf::{derive, sha256};
pub use secret::Secret;
