//! Sealing for a friend's devices, so that only they can read it and only they can tell who wrote it.
//!
//! ```text
//! blob   = 01 ‖ n ‖ n × header 92 ‖ body
//! header = tag 8 ‖ prekey id 4 ‖ Noise_Kpsk0_25519_ChaChaPoly_SHA256 of the content key, 80
//! body   = ChaCha20-Poly1305(content key, nonce 0, associated data = all before, u32 length ‖ item ‖ zeros)
//! ```
//!
//! Noise's prologue names both accounts, the device and its prekey, so that a header is of no use elsewhere. The tag is derived from the pair's psk, the two devices and the header's
//! ephemeral key: the recipient finds its header, and which of its friend's devices wrote it, without trying keys, and nobody else sees anything that two blobs have in common but
//! the prekeys' numbers.

use rand_core::RngCore;

use super::prekeys::Prekeys;
use super::wire::{BlobHash, MAX_BLOB};
use crate::codec::{Malformed, at_most};
use crate::crypto::keys::{AccountId, DeviceId, NoiseKey};
use crate::crypto::{Secret, aead, derive, noise, sha256};

/// The most devices that one blob is for: as many as an account has.
pub const MOST_RECIPIENTS: usize = crate::identity::Roster::MOST;
/// The longest item, in bytes: what padded fits [`MAX_BLOB`], for however many devices.
pub const MAX_ITEM: usize = 79_868;

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
    /// It was sealed to a key that is destroyed, or that is not ours: which, nobody can tell any more.
    #[error("the key that it was sealed to is gone")]
    KeyGone,
    /// It was tampered with or forged.
    #[error("it does not verify")]
    Forged,
}

/// Seals an item's bytes. 1 to [`MOST_RECIPIENTS`] recipients; `item` at most [`MAX_ITEM`] bytes.
pub fn seal(
    from: (&AccountId, &NoiseKey),
    to: &AccountId,
    recipients: &[Recipient<'_>],
    item: &[u8],
    rng: &mut impl RngCore,
) -> Result<Vec<u8>, Malformed> {
    if item.len() > MAX_ITEM {
        return Err(Malformed::new(WHAT, "the item is too long"));
    }
    at_most(WHAT, recipients.len(), MOST_RECIPIENTS)?;
    let count = u8::try_from(recipients.len()).unwrap_or_default();
    if count == 0 {
        return Err(Malformed::new(WHAT, "it is for nobody"));
    }
    let content = Secret::random(rng);
    let mut blob = vec![VERSION, count];
    for recipient in recipients {
        let header = write_header(from, to, recipient, &content, &Secret::random(rng));
        blob.extend(header.ok_or(Malformed::new(WHAT, "a recipient's key is none"))?);
    }
    let plain = pad(item);
    let body = aead::seal(&content, &blob, &plain);
    blob.extend(body);
    Ok(blob)
}

/// Opens what a friend sealed for this device. `senders` are the X25519 keys of the friend's devices, of which at most [`MOST_RECIPIENTS`] are looked at. What is in it is the item's bytes, at most
/// [`MAX_ITEM`].
pub fn open(
    to: (&AccountId, DeviceId),
    prekeys: &Prekeys,
    from: &AccountId,
    senders: &[[u8; 32]],
    blob: &[u8],
) -> Result<Vec<u8>, OpenError> {
    let Parts { headers, before, body } = split(blob)?;
    let mut gone = false;
    for header in headers {
        let Some((key, psk)) = prekeys.open_with(header.prekey, from) else {
            gone = true;
            continue;
        };
        let ephemeral = header.ephemeral();
        let wrote = |sender: &&[u8; 32]| tag(&psk, sender, &to.1, ephemeral) == header.tag;
        let Some(sender) = senders.iter().take(MOST_RECIPIENTS).find(wrote) else { continue };
        let prologue = prologue(from, to.0, &to.1, header.prekey);
        let content = noise::open_one_way_psk(&key, sender, &psk, &prologue, header.noise);
        let content = content.map(zeroize::Zeroizing::new).map_err(|_| OpenError::Forged)?;
        let content = <[u8; 32]>::try_from(&content[..]).map_err(|_| OpenError::Forged)?;
        let plain = aead::open(&Secret::new(content), before, body).ok_or(OpenError::Forged)?;
        return Ok(unpad(plain)?);
    }
    Err(if gone { OpenError::KeyGone } else { OpenError::NotForUs })
}

/// SHA-256 of a blob.
pub fn hash(blob: &[u8]) -> BlobHash {
    BlobHash(sha256(&[blob]))
}

/// The length that something of this length is padded to: Padmé (Nikitin and others, PETS 2019), at least 512. What it gives away is at most log log of the length, for 12 % more.
pub const fn padded(length: usize) -> usize {
    if length <= LEAST {
        return LEAST;
    }
    // Of the length's bits only the upper ones may differ from zero: as many as it takes to write how many it has.
    let exponent = length.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1 << (exponent - kept)) - 1;
    match length.checked_add(mask) {
        Some(sum) => sum & !mask,
        None => usize::MAX,
    }
}

const WHAT: &str = "a sealed message";
const VERSION: u8 = 1;
/// The shortest that anything is padded to, in bytes: receipts and short messages are alike.
const LEAST: usize = 512;
const TAG: usize = 8;
/// Bytes of a header: tag, number of the prekey, Noise message.
const HEADER: usize = TAG + 4 + noise::ONE_WAY_OVERHEAD + 32;
/// Bytes of the length before the item.
const LENGTH: usize = 4;

const _: () = {
    let around = 2 + MOST_RECIPIENTS * HEADER + aead::OVERHEAD;
    assert!(around + padded(LENGTH + MAX_ITEM) <= MAX_BLOB, "the longest item fits a blob");
    assert!(around + padded(LENGTH + MAX_ITEM + 1) > MAX_BLOB, "and a longer one does not");
};

fn write_header(
    from: (&AccountId, &NoiseKey),
    to: &AccountId,
    recipient: &Recipient<'_>,
    content: &Secret,
    ephemeral: &Secret,
) -> Option<[u8; HEADER]> {
    let Recipient { device, prekey, key, psk } = recipient;
    let prologue = prologue(from.0, to, device, *prekey);
    let message = noise::seal_one_way_psk(from.1, key, psk, &prologue, ephemeral, content.expose()).ok()?;
    let tag = tag(psk, &from.1.public(), device, message.first_chunk()?);
    [&tag[..], &prekey.to_be_bytes(), &message].concat().try_into().ok()
}

/// A blob, cut into its parts.
struct Parts<'a> {
    headers: Vec<Header<'a>>,
    /// All before the body.
    before: &'a [u8],
    body: &'a [u8],
}

struct Header<'a> {
    tag: [u8; TAG],
    prekey: u32,
    noise: &'a [u8; HEADER - TAG - 4],
}

impl Header<'_> {
    /// What a Noise message begins with.
    fn ephemeral(&self) -> &[u8; 32] {
        // It is longer than that.
        self.noise.first_chunk().unwrap_or(&[0; 32])
    }
}

fn split(blob: &[u8]) -> Result<Parts<'_>, Malformed> {
    if blob.len() > MAX_BLOB {
        return Err(Malformed::new(WHAT, "too long"));
    }
    let short = Malformed::new(WHAT, "too short");
    let ([version, count], rest) = blob.split_first_chunk().ok_or_else(|| short.clone())?;
    if *version != VERSION {
        return Err(Malformed::new(WHAT, "of another version"));
    }
    let count = usize::from(*count);
    if count == 0 {
        return Err(Malformed::new(WHAT, "it is for nobody"));
    }
    at_most(WHAT, count, MOST_RECIPIENTS)?;
    let (headers, body) = rest.split_at_checked(count * HEADER).ok_or_else(|| short.clone())?;
    if body.len() < LEAST + aead::OVERHEAD {
        return Err(short);
    }
    let before = blob.get(..blob.len() - body.len()).unwrap_or_default();
    let headers = headers.chunks_exact(HEADER).filter_map(read_header).collect();
    Ok(Parts { headers, before, body })
}

fn read_header(bytes: &[u8]) -> Option<Header<'_>> {
    let (tag, rest) = bytes.split_first_chunk()?;
    let (prekey, noise) = rest.split_first_chunk()?;
    Some(Header { tag: *tag, prekey: u32::from_be_bytes(*prekey), noise: noise.try_into().ok()? })
}

/// By what a device finds its header.
fn tag(psk: &Secret, sender: &[u8; 32], device: &DeviceId, ephemeral: &[u8; 32]) -> [u8; TAG] {
    *derive(psk.expose(), "mail tag", &[sender, &device.0, ephemeral]).expose()
}

fn prologue(from: &AccountId, to: &AccountId, device: &DeviceId, prekey: u32) -> Vec<u8> {
    [b"wayside/1 mail", &[VERSION][..], &from.0, &to.0, &device.0, &prekey.to_be_bytes()].concat()
}

fn pad(item: &[u8]) -> zeroize::Zeroizing<Vec<u8>> {
    // It is no longer than MAX_ITEM.
    let length = u32::try_from(item.len()).unwrap_or(u32::MAX);
    let room = padded(LENGTH + item.len());
    let mut plain = zeroize::Zeroizing::new(Vec::with_capacity(room));
    plain.extend_from_slice(&length.to_be_bytes());
    plain.extend_from_slice(item);
    plain.resize(room, 0);
    plain
}

/// The item of a padded one. Padding has one form, so that nothing else can be hidden in it.
fn unpad(mut plain: Vec<u8>) -> Result<Vec<u8>, Malformed> {
    let wrong = Malformed::new(WHAT, "its padding is not what it should be");
    let (length, rest) = plain.split_first_chunk::<LENGTH>().ok_or_else(|| wrong.clone())?;
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let (_, zeros) = rest.split_at_checked(length).ok_or_else(|| wrong.clone())?;
    if plain.len() != padded(LENGTH + length) || zeros.iter().any(|byte| *byte != 0) {
        return Err(wrong);
    }
    plain.truncate(LENGTH + length);
    plain.drain(..LENGTH);
    Ok(plain)
}

#[cfg(test)]
#[path = "seal_tests.rs"]
mod tests;
