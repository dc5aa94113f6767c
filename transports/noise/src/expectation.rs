//! Whom a link is made with, and under which secrets.

use crate::secret::{Secret32, SessionId};

/// A peer that we are prepared to link with, by one meeting or one standing secret.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// Names the link to the caller; stays on this side.
    pub session: SessionId,
    /// The peer's static X25519 key. Nobody else gets in.
    pub peer: [u8; 32],
    /// The gate key γ, alike on both sides.
    pub gate: Secret32,
    /// The pre-shared key, alike on both sides.
    pub psk: Secret32,
}
