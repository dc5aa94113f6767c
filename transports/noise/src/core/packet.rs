//! Packet and header protection: RFC 9001, section 5, with ChaCha20-Poly1305 at every level.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey, quic};
use zeroize::Zeroizing;

use super::schedule::expand;
use crate::secret::Secret32;

/// The length of the authentication tag, in bytes.
pub(crate) const TAG_LEN: usize = 16;
/// The length of the ciphertext sample that header protection takes, in bytes.
pub(crate) const SAMPLE_LEN: usize = 16;
/// Failed decryptions after which a link must be given up (RFC 9001, section 6.6, for ChaCha20-Poly1305).
pub(crate) const INTEGRITY_LIMIT: u64 = 1 << 36;

/// A packet did not authenticate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unauthentic;

/// Seals and opens packets of one direction and one generation.
pub(crate) struct PacketKey {
    key: LessSafeKey,
    iv: [u8; 12],
}

impl PacketKey {
    pub(crate) fn new(secret: &Secret32) -> Self {
        let key = Zeroizing::new(expand::<32>(secret, "key", &[]));
        // `new` checks the length only, which is fixed here.
        #[allow(clippy::expect_used)]
        let key = UnboundKey::new(&CHACHA20_POLY1305, &*key).expect("a key of 32 bytes");
        Self { key: LessSafeKey::new(key), iv: expand(secret, "iv", &[]) }
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
        let mut nonce = [0; 12];
        let counter = path.to_be_bytes().into_iter().chain(number.to_be_bytes());
        for (byte, (iv, counter)) in nonce.iter_mut().zip(self.iv.iter().zip(counter)) {
            *byte = iv ^ counter;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// Masks the first byte and the packet number (RFC 9001, sections 5.4.1 and 5.4.4).
pub(crate) struct HeaderKey(quic::HeaderProtectionKey);

impl HeaderKey {
    pub(crate) fn new(secret: &Secret32) -> Self {
        let key = Zeroizing::new(expand::<32>(secret, "hp", &[]));
        #[allow(clippy::expect_used)]
        let key = quic::HeaderProtectionKey::new(&quic::CHACHA20, &*key).expect("a key of 32 bytes");
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
