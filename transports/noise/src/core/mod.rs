//! The Noise core: no socket, no clock, no QUIC library.
//!
//! It knows Noise messages, keys and packets; [`crate::adapter`] fits it into a QUIC library, and is all that
//! another library would need. Section 16 of `docs/PROTOCOL.md` is its specification.

pub(crate) mod agreement;
pub(crate) mod cipher;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod compose;
#[cfg(test)]
mod cost_tests;
pub(crate) mod frames;
pub(crate) mod gate_keys;
pub(crate) mod handshake;
pub(crate) mod initial;
pub(crate) mod kem;
pub(crate) mod packet;
pub(crate) mod pieces;
pub(crate) mod probe;
pub(crate) mod punch;
pub(crate) mod schedule;
mod sealed;
pub(crate) mod session;
pub(crate) mod suite;
#[cfg(test)]
mod vectors;

/// The QUIC version number. It names everything that a peer could notice: patterns, curve, ciphers, key schedule, frame
/// formats.
///
/// "wy", then 2. Any change takes another number; there is no negotiation.
pub(crate) const VERSION: u32 = 0x7779_0002;

/// The length in bytes of the first destination connection id: tag8 ‖ random12, the longest that QUIC allows.
pub(crate) const GATE_ID_LEN: usize = 20;
