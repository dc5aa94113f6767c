//! Which AEAD protects packets after the handshake, and how both sides come to the same one.
//!
//! ChaCha20-Poly1305 is what everybody has, at the same speed on any processor and in constant time without help. Where
//! both processors have AES and carry-less multiplication in hardware, AES-256-GCM is faster and as safe.

use aws_lc_rs::aead::{self, AES_256_GCM, CHACHA20_POLY1305, quic};

/// Which ciphers may protect the packets of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ciphers {
    /// AES-256-GCM where both sides' processors accelerate it, otherwise ChaCha20-Poly1305.
    #[default]
    Automatic,
    /// ChaCha20-Poly1305, whatever the processors can do.
    ChaChaOnly,
}

/// The cipher of Handshake and 1-RTT packets. Initial packets always have ChaCha20-Poly1305.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketCipher {
    ChaCha20Poly1305,
    Aes256Gcm,
}

impl PacketCipher {
    /// The bit that stands for it in an offer; alone, it is a choice.
    pub(crate) fn bit(self) -> u8 {
        match self {
            Self::ChaCha20Poly1305 => 1,
            Self::Aes256Gcm => 2,
        }
    }

    /// Packets after which a key must be replaced (RFC 9001, section 6.6).
    pub(crate) fn confidentiality_limit(self) -> u64 {
        match self {
            // None below the number of packets that QUIC can count.
            Self::ChaCha20Poly1305 => u64::MAX,
            Self::Aes256Gcm => 1 << 23,
        }
    }

    /// Failed decryptions after which a link must be given up (RFC 9001, section 6.6).
    pub(crate) fn integrity_limit(self) -> u64 {
        match self {
            Self::ChaCha20Poly1305 => 1 << 36,
            Self::Aes256Gcm => 1 << 52,
        }
    }

    pub(super) fn aead(self) -> &'static aead::Algorithm {
        match self {
            Self::ChaCha20Poly1305 => &CHACHA20_POLY1305,
            Self::Aes256Gcm => &AES_256_GCM,
        }
    }

    pub(super) fn header(self) -> &'static quic::Algorithm {
        match self {
            Self::ChaCha20Poly1305 => &quic::CHACHA20,
            Self::Aes256Gcm => &quic::AES_256,
        }
    }
}

/// The ciphers that one side is willing to use: the first byte of message 1's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer(u8);

impl Offer {
    /// A byte off the wire. Bits that mean nothing here are left alone, so that a later cipher can be offered to us.
    pub(crate) fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    pub(crate) fn byte(self) -> u8 {
        self.0
    }

    /// What both can do and both like best; `None` for a peer that does not even offer the baseline.
    pub(crate) fn choose(self, other: Self) -> Option<PacketCipher> {
        [PacketCipher::Aes256Gcm, PacketCipher::ChaCha20Poly1305]
            .into_iter()
            .find(|cipher| self.0 & other.0 & cipher.bit() != 0)
    }

    /// The cipher that a byte off the wire names, if it was on offer.
    pub(crate) fn chosen(self, byte: u8) -> Option<PacketCipher> {
        [PacketCipher::Aes256Gcm, PacketCipher::ChaCha20Poly1305]
            .into_iter()
            .find(|cipher| cipher.bit() == byte && self.0 & byte != 0)
    }
}

impl From<Ciphers> for Offer {
    fn from(ciphers: Ciphers) -> Self {
        let chacha = PacketCipher::ChaCha20Poly1305.bit();
        match ciphers {
            Ciphers::Automatic if aes_in_hardware() => Self(chacha | PacketCipher::Aes256Gcm.bit()),
            Ciphers::Automatic | Ciphers::ChaChaOnly => Self(chacha),
        }
    }
}

/// Without AES and carry-less multiplication in hardware, AES-GCM is slow or leaks its key through the time it takes.
fn aes_in_hardware() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aes_is_chosen_where_both_offer_it_and_nothing_without_the_baseline() {
        let choose = |a, b| Offer(a).choose(Offer(b));
        assert_eq!(choose(3, 3), Some(PacketCipher::Aes256Gcm));
        assert_eq!(choose(1, 3), Some(PacketCipher::ChaCha20Poly1305));
        assert_eq!(choose(3, 0xfd), Some(PacketCipher::ChaCha20Poly1305), "bits of the future");
        assert_eq!(choose(3, 0), None);
        assert_eq!(choose(1, 2), None);
    }

    #[test]
    fn only_one_that_was_offered_can_be_chosen() {
        assert_eq!(Offer(1).chosen(1), Some(PacketCipher::ChaCha20Poly1305));
        assert_eq!(Offer(3).chosen(2), Some(PacketCipher::Aes256Gcm));
        for byte in [0, 2, 3, 4, 0xff] {
            assert_eq!(Offer(1).chosen(byte), None);
        }
        assert_eq!(Offer(0xff).chosen(4), None);
    }
}
