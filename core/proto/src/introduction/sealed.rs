//! The invite that one of two introduced makes for the other, sealed so that the introducer passes on what it cannot read.

use super::IntroductionId;
use crate::crypto::Secret;
use crate::crypto::keys::{AccountId, NoiseKey};
use crate::crypto::noise::{self, NoiseError};
use crate::invite::Invite;

/// Which of two accounts makes the invite: the one with the smaller key. Each side finds that out by itself.
pub fn inviter(one: &AccountId, other: &AccountId) -> AccountId {
    *one.min(other)
}

/// Seals an invite of `from` for a device of `to`: one message of `Noise_K_25519_ChaChaPoly_SHA256`, which only that device opens, and which only the
/// two devices can have made. `ephemeral` is fresh, and used for this alone.
///
/// # Errors
/// The other's key is none.
pub fn seal(
    id: &IntroductionId,
    (from, key): (&AccountId, &NoiseKey),
    (to, device): (&AccountId, &[u8; 32]),
    ephemeral: &Secret,
    invite: &Invite,
) -> Result<Vec<u8>, NoiseError> {
    let link = zeroize::Zeroizing::new(invite.to_string());
    noise::seal_one_way(key, device, &prologue(id, from, to), ephemeral, link.as_bytes())
}

/// Opens what [`seal`] made in this introduction, for us by the device `device` of `from`.
///
/// # Errors
/// It is not that, or no invite.
pub fn open(
    id: &IntroductionId,
    (to, key): (&AccountId, &NoiseKey),
    (from, device): (&AccountId, &[u8; 32]),
    sealed: &[u8],
) -> Result<Invite, NoiseError> {
    let link = zeroize::Zeroizing::new(noise::open_one_way(key, device, &prologue(id, from, to), sealed)?);
    std::str::from_utf8(&link).ok().and_then(|link| link.parse().ok()).ok_or(NoiseError)
}

/// Of this introduction, from this account to that one, and of no other.
fn prologue(id: &IntroductionId, from: &AccountId, to: &AccountId) -> Vec<u8> {
    [&b"wayside/1 introduction"[..], &id.0, &from.0, &to.0].concat()
}
