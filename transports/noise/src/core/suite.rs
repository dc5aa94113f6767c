//! The Noise protocols that a gate may speak: a pattern, with or without a key encapsulation beside Diffie-Hellman.

use snow::params::{
    BaseChoice, CipherChoice, DHChoice, HandshakeChoice, HandshakeModifier, HandshakeModifierList,
    HandshakePattern, HashChoice, KemChoice, NoiseParams,
};

use crate::{Expectation, Whom};

#[cfg(test)]
use super::kem::ENCAPSULATION_KEY_LEN;

/// A key encapsulation that is mixed into a handshake beside X25519.
///
/// Both sides of an [`Expectation`](crate::Expectation) must have the same; there is no negotiation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kem {
    /// None: X25519 alone.
    #[default]
    None,
    /// ML-KEM-768 (FIPS 203): what is recorded today stays secret from a quantum computer of tomorrow. Who the peer is
    /// still rests on X25519 and the psk. The first flight takes two datagrams instead of one.
    MlKem768,
}

/// What the initiator shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Its static key, encrypted to the responder.
    Ik,
    /// Nothing but that it has the psk.
    Nk,
}

/// A Noise protocol. Which it is, both sides know beforehand; it never goes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    pub(crate) pattern: Pattern,
    pub(crate) kem: Kem,
}

impl Suite {
    /// The protocol that both sides of an expectation speak.
    pub(crate) fn of(expectation: &Expectation) -> Self {
        let pattern = match expectation.whom {
            Whom::Device(_) | Whom::Anyone => Pattern::Ik,
            Whom::Guests(_) | Whom::Host(_) => Pattern::Nk,
        };
        Self { pattern, kem: expectation.kem }
    }

    /// The Noise protocol name, with which every transcript begins.
    pub(crate) fn protocol(self) -> &'static str {
        match (self.pattern, self.kem) {
            (Pattern::Ik, Kem::None) => "Noise_IKpsk0_25519_ChaChaPoly_SHA256",
            (Pattern::Nk, Kem::None) => "Noise_NKpsk0_25519_ChaChaPoly_SHA256",
            (Pattern::Ik, Kem::MlKem768) => "Noise_IKhfs+psk0_25519+MLKEM768_ChaChaPoly_SHA256",
            (Pattern::Nk, Kem::MlKem768) => "Noise_NKhfs+psk0_25519+MLKEM768_ChaChaPoly_SHA256",
        }
    }

    /// The longest message in bytes, without its length before it. Message 1 must fit the first flight: one Initial
    /// packet of 1200 bytes beside headers and tag, or two of them where it carries a key of the encapsulation.
    pub(crate) fn max_message(self) -> usize {
        match self.kem {
            Kem::None => 1100,
            Kem::MlKem768 => 2200,
        }
    }

    /// What message 1 has beyond its payload.
    #[cfg(test)]
    pub(crate) fn overhead(self) -> usize {
        let pattern = match self.pattern {
            Pattern::Ik => 32 + 48 + 16,
            Pattern::Nk => 32 + 16,
        };
        match self.kem {
            Kem::None => pattern,
            Kem::MlKem768 => pattern + ENCAPSULATION_KEY_LEN + 16,
        }
    }

    /// The protocol in snow's terms.
    ///
    /// Put together here and not parsed, since snow's parser knows of Kyber1024 alone. The name is what snow hashes, and
    /// it says what is really there; snow's choice of a KEM only tells the resolver that one is wanted.
    pub(super) fn params(self) -> NoiseParams {
        let pattern = match self.pattern {
            Pattern::Ik => HandshakePattern::IK,
            Pattern::Nk => HandshakePattern::NK,
        };
        let (list, kem) = match self.kem {
            Kem::None => (vec![HandshakeModifier::Psk(0)], None),
            Kem::MlKem768 => {
                (vec![HandshakeModifier::Hfs, HandshakeModifier::Psk(0)], Some(KemChoice::Kyber1024))
            }
        };
        NoiseParams::new(
            self.protocol().to_owned(),
            BaseChoice::Noise,
            HandshakeChoice { pattern, modifiers: HandshakeModifierList { list } },
            DHChoice::Curve25519,
            kem,
            CipherChoice::ChaChaPoly,
            HashChoice::SHA256,
        )
    }
}
