//! The Noise protocols that a gate may speak.

/// What the initiator shows of itself. Which it is, both sides know beforehand; it never goes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// The initiator's static key, encrypted to the responder.
    Ik,
    /// Nothing but that it has the psk.
    Nk,
}

impl Pattern {
    /// The Noise protocol name, with which every transcript begins.
    pub(crate) fn protocol(self) -> &'static str {
        match self {
            Self::Ik => "Noise_IKpsk0_25519_ChaChaPoly_SHA256",
            Self::Nk => "Noise_NKpsk0_25519_ChaChaPoly_SHA256",
        }
    }
}
