//! That whoever shows a token is whom it is for.

use minicbor::{Decode, Encode};

use crate::crypto::keys::{self, DeviceKeys};

/// A signature by the subject of a token over what only the two ends of one link know: 32 bytes of keying material that the link exports for this. Whoever copies
/// token and proof can use them in no other link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Proof(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; Proof::LENGTH]);

impl Proof {
    /// The label under which the link exports the keying material.
    pub const LABEL: &'static str = "wayside guest proof";
    /// Its length, in bytes.
    pub const LENGTH: usize = 64;

    /// Signs as the device that a token is for.
    pub fn sign(key: &DeviceKeys, exported: &[u8; 32]) -> Self {
        Self(key.sign(GUEST_PROOF, exported))
    }

    /// Whether the holder of this Ed25519 key made it, on the link that exports this.
    #[must_use]
    pub fn verify(&self, subject: &[u8; 32], exported: &[u8; 32]) -> bool {
        keys::verify(subject, GUEST_PROOF, exported, &self.0)
    }
}

const GUEST_PROOF: &str = "guest proof";
