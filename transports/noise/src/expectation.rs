//! Whom a link is made with, and under which secrets.

pub use crate::core::suite::Kem;
use crate::secret::{Secret32, SessionId, StaticKey};

/// A peer that we are prepared to link with, by one meeting or one standing secret.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// Names the link to the caller; stays on this side.
    pub session: SessionId,
    /// Who may be at the other end. Nobody else gets in.
    pub whom: Whom,
    /// The gate key γ, alike on both sides.
    pub gate: Secret32,
    /// The pre-shared key, alike on both sides.
    pub psk: Secret32,
    /// What is mixed in beside X25519, alike on both sides.
    pub kem: Kem,
}

/// Who may be at the other end, and what the client shows of itself.
///
/// | the server expects | the client dials | Noise |
/// |---|---|---|
/// | [`Device`](Self::Device) or [`Anyone`](Self::Anyone) | [`Device`](Self::Device) | `IKpsk0`: each learns the other's key |
/// | [`Guests`](Self::Guests) | [`Host`](Self::Host) | `NKpsk0`: the client has no key to show |
///
/// Where the two do not fit each other the server is silent, as it is towards a wrong key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Whom {
    /// The one device with this static X25519 key; to expect and to dial.
    Device([u8; 32]),
    /// Any device that has the gate key and the psk: for a first contact. [`Link::peer`](crate::Link::peer) says which
    /// one came. Only to expect.
    Anyone,
    /// Whoever has the gate key and the psk, without a name. They know this side by the static key given here, which
    /// need not be the device's own: then they cannot tell that the two are one. Only to expect.
    Guests(StaticKey),
    /// The host with this static X25519 key, as one of its guests. Only to dial.
    Host([u8; 32]),
}

impl Whom {
    pub(crate) fn can_be_dialled(&self) -> bool {
        matches!(self, Self::Device(_) | Self::Host(_))
    }
}
