//! What a gate key γ yields: tags that name a gate to whoever holds γ, and the keys of Initial packets.

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq;

use super::{
    GATE_ID_LEN,
    agreement::fill_random,
    cipher::PacketCipher,
    packet::{LevelKeys, Role},
    schedule::{Directions, expand32, extract},
};
use crate::secret::Secret32;

/// The length in bytes of the tag before the random part of a first destination id.
const TAG_LEN: usize = 8;

/// Both keys of one gate.
pub(crate) struct GateKeys {
    tag: hmac::Key,
    initial: Secret32,
}

impl GateKeys {
    pub(crate) fn new(gamma: &Secret32) -> Self {
        let tag = expand32(gamma, "gate tag", &[]);
        Self {
            tag: hmac::Key::new(hmac::HMAC_SHA256, tag.as_bytes()),
            initial: expand32(gamma, "gate initial", &[]),
        }
    }

    /// A fresh first destination id: tag8 ‖ random12.
    pub(crate) fn mint(&self) -> [u8; GATE_ID_LEN] {
        let mut random = [0; GATE_ID_LEN - TAG_LEN];
        fill_random(&mut random);
        self.mint_from(&random)
    }

    /// The id around a given random part.
    pub(crate) fn mint_from(&self, random: &[u8; GATE_ID_LEN - TAG_LEN]) -> [u8; GATE_ID_LEN] {
        let mut id = [0; GATE_ID_LEN];
        let mac = hmac::sign(&self.tag, random);
        for (byte, from) in id.iter_mut().zip(mac.as_ref().iter().take(TAG_LEN).chain(random)) {
            *byte = *from;
        }
        id
    }

    /// Whether an id was minted under this gate's key.
    pub(crate) fn recognises(&self, id: &[u8; GATE_ID_LEN]) -> bool {
        let (tag, random) = id.split_at(TAG_LEN);
        let mac = hmac::sign(&self.tag, random);
        mac.as_ref().get(..TAG_LEN).is_some_and(|mac| mac.ct_eq(tag).into())
    }

    /// The secrets of Initial packets that go to, or answer, this id. No public salt: without γ they cannot be had.
    pub(crate) fn initial(&self, id: &[u8]) -> Directions {
        Directions::expand(&extract(self.initial.as_bytes(), id), "in")
    }

    /// The keys of those packets, as one side uses them.
    pub(crate) fn initial_keys(&self, id: &[u8], role: Role) -> LevelKeys {
        LevelKeys::new(PacketCipher::ChaCha20Poly1305, &self.initial(id), role)
    }
}
