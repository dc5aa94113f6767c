//! Packet and header protection: RFC 9001, section 5, with the cipher that the handshake agreed on.

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce, UnboundKey, quic};
use zeroize::Zeroize;

use super::{
    cipher::PacketCipher,
    schedule::{Directions, expand},
};
use crate::secret::Secret32;

/// The length of the authentication tag, in bytes.
pub(crate) const TAG_LEN: usize = 16;
/// The length of the ciphertext sample that header protection takes, in bytes.
pub(crate) const SAMPLE_LEN: usize = 16;

/// Which of the two sides this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The QUIC client.
    Initiator,
    /// The QUIC server.
    Responder,
}

/// What one side sends under, and what it receives under.
pub(crate) struct Both<T> {
    pub(crate) local: T,
    pub(crate) remote: T,
}

impl<T> Both<T> {
    fn of(directions: &Directions, role: Role, make: impl Fn(&Secret32) -> T) -> Self {
        let (initiator, responder) = (make(&directions.initiator), make(&directions.responder));
        match role {
            Role::Initiator => Self { local: initiator, remote: responder },
            Role::Responder => Self { local: responder, remote: initiator },
        }
    }
}

/// All keys of one encryption level.
pub(crate) struct LevelKeys {
    pub(crate) header: Both<HeaderKey>,
    pub(crate) packet: Both<PacketKey>,
}

impl LevelKeys {
    pub(crate) fn new(cipher: PacketCipher, directions: &Directions, role: Role) -> Self {
        Self {
            header: Both::of(directions, role, |secret| HeaderKey::new(cipher, secret)),
            packet: packet_keys(cipher, directions, role),
        }
    }
}

/// The packet keys alone, for a key update.
pub(crate) fn packet_keys(cipher: PacketCipher, directions: &Directions, role: Role) -> Both<PacketKey> {
    Both::of(directions, role, |secret| PacketKey::new(cipher, secret))
}

/// A packet did not authenticate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unauthentic;

/// Seals and opens packets of one direction and one generation.
pub(crate) struct PacketKey {
    cipher: PacketCipher,
    key: LessSafeKey,
    /// The first 32 bits of the IV and its last 64, as the path id and the packet number meet them.
    iv: (u32, u64),
}

impl PacketKey {
    pub(crate) fn new(cipher: PacketCipher, secret: &Secret32) -> Self {
        let key = expand::<32>(secret, "key", &[]);
        // `new` checks the length only, which is fixed here.
        #[allow(clippy::expect_used)]
        let key = UnboundKey::new(cipher.aead(), &*key).expect("a key of 32 bytes");
        let [a, b, c, d, low @ ..] = *expand::<12>(secret, "iv", &[]);
        let iv = (u32::from_be_bytes([a, b, c, d]), u64::from_be_bytes(low));
        Self { cipher, key: LessSafeKey::new(key), iv }
    }

    pub(crate) fn cipher(&self) -> PacketCipher {
        self.cipher
    }

    /// Encrypts `payload` in place and returns its tag.
    pub(crate) fn seal(
        &self,
        path: u32,
        number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<[u8; TAG_LEN], Unauthentic> {
        let tag = self
            .key
            .seal_in_place_separate_tag(self.nonce(path, number), Aad::from(header), payload)
            .map_err(|_| Unauthentic)?;
        tag.as_ref().try_into().map_err(|_| Unauthentic)
    }

    /// Decrypts `payload` (ciphertext, then tag) in place; the plain text is what is returned.
    pub(crate) fn open<'a>(
        &self,
        path: u32,
        number: u64,
        header: &[u8],
        payload: &'a mut [u8],
    ) -> Result<&'a mut [u8], Unauthentic> {
        self.key.open_in_place(self.nonce(path, number), Aad::from(header), payload).map_err(|_| Unauthentic)
    }

    /// IV xor (path id, 32 bits ‖ packet number, 64 bits): draft-ietf-quic-multipath, "Nonce Calculation". On path 0
    /// it is RFC 9001's nonce.
    fn nonce(&self, path: u32, number: u64) -> Nonce {
        let [a, b, c, d] = (self.iv.0 ^ path).to_be_bytes();
        let [e, f, g, h, i, j, k, l] = (self.iv.1 ^ number).to_be_bytes();
        Nonce::assume_unique_for_key([a, b, c, d, e, f, g, h, i, j, k, l])
    }
}

impl Drop for PacketKey {
    fn drop(&mut self) {
        // The key itself is aws-lc's to erase.
        self.iv.0.zeroize();
        self.iv.1.zeroize();
    }
}

/// Masks the first byte and the packet number (RFC 9001, sections 5.4.1, 5.4.3 and 5.4.4).
pub(crate) struct HeaderKey(quic::HeaderProtectionKey);

impl HeaderKey {
    pub(crate) fn new(cipher: PacketCipher, secret: &Secret32) -> Self {
        let key = expand::<32>(secret, "hp", &[]);
        #[allow(clippy::expect_used)]
        let key = quic::HeaderProtectionKey::new(cipher.header(), &*key).expect("a key of 32 bytes");
        Self(key)
    }

    /// Masks a header whose packet number starts at `number_at`; a packet too short for a sample stays as it is.
    pub(crate) fn protect(&self, number_at: usize, packet: &mut [u8]) {
        let Some(first) = packet.first().copied() else { return };
        self.mask(number_at, packet, |_| first);
    }

    /// Undoes [`protect`](Self::protect); a packet too short for a sample stays as it is and fails to open.
    pub(crate) fn unprotect(&self, number_at: usize, packet: &mut [u8]) {
        self.mask(number_at, packet, |unmasked| unmasked);
    }

    /// `plain_first(f)` gives the first byte in the clear, `f` being the masked first byte after the mask.
    fn mask(&self, number_at: usize, packet: &mut [u8], plain_first: impl Fn(u8) -> u8) {
        // The sample starts where it would if the packet number took four bytes (RFC 9001, section 5.4.2).
        let Some(sample_at) = number_at.checked_add(4) else { return };
        let Some(sample) = packet.get(sample_at..sample_at.saturating_add(SAMPLE_LEN)) else { return };
        let Ok([mask_first, mask @ ..]) = self.0.new_mask(sample) else { return };
        let Some(first) = packet.first_mut() else { return };
        let bits = if *first & 0x80 != 0 { 0x0f } else { 0x1f };
        *first ^= mask_first & bits;
        let number_len = usize::from(plain_first(*first) & 0x03) + 1;
        if let Some(number) = packet.get_mut(number_at..number_at + number_len) {
            number.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        }
    }
}
