//! Sealing for a friend's devices, so that only they can read it and only they can tell who wrote it.
//!
//! ```text
//! blob   = 01 ‖ n ‖ n × header 92 ‖ body
//! header = tag 8 ‖ prekey id 4 ‖ Noise_Kpsk0_25519_ChaChaPoly_SHA256 of the content key, 80
//! body   = ChaCha20-Poly1305(content key, nonce 0, associated data = all before, u32 length ‖ item ‖ zeros)
//! ```

use rand_core::RngCore;

use super::prekeys::Prekeys;
use super::wire::BlobHash;
use crate::codec::Malformed;
use crate::crypto::Secret;
use crate::crypto::keys::{AccountId, DeviceId, NoiseKey};

/// One device to seal for.
#[derive(Clone, Debug)]
pub struct Recipient<'a> {
    /// Which.
    pub device: DeviceId,
    /// The number of its prekey.
    pub prekey: u32,
    /// The prekey.
    pub key: [u8; 32],
    /// The pair's psk that goes with it.
    pub psk: &'a Secret,
}

/// Why a blob does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not what it should be.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Nothing in it is for this device from this friend.
    #[error("it is not for this device, or not from this friend")]
    NotForUs,
    /// It was sealed to a key that is destroyed, or that is not ours.
    #[error("the key that it was sealed to is gone")]
    KeyGone,
    /// It was tampered with or forged.
    #[error("it does not verify")]
    Forged,
}

/// Seals an item's bytes. At most 8 recipients; `item` at most what fits [`MAX_BLOB`](super::wire::MAX_BLOB).
pub fn seal(
    from: (&AccountId, &NoiseKey),
    to: &AccountId,
    recipients: &[Recipient<'_>],
    item: &[u8],
    rng: &mut impl RngCore,
) -> Result<Vec<u8>, Malformed> {
    let _ = (from, to, recipients, item, rng);
    unimplemented!()
}

/// Opens what a friend sealed for this device. `senders` are the X25519 keys of the friend's devices.
pub fn open(
    to: (&AccountId, DeviceId),
    prekeys: &Prekeys,
    from: &AccountId,
    senders: &[[u8; 32]],
    blob: &[u8],
) -> Result<Vec<u8>, OpenError> {
    let _ = (to, prekeys, from, senders, blob);
    unimplemented!()
}

/// SHA-256 of a blob.
pub fn hash(blob: &[u8]) -> BlobHash {
    BlobHash(crate::crypto::sha256(&[blob]))
}

/// The length that something of this length is padded to: Padmé (Nikitin and others, PETS 2019), at least 512. What it gives away is at most log log of the length, for 12 % more.
pub const fn padded(length: usize) -> usize {
    let _ = length;
    unimplemented!()
}
