//! The Noise core as a QUIC library sees it: its crypto traits, and nothing that decides anything.

mod noq;
#[cfg(feature = "quinn")]
pub(crate) mod quinn;

pub(crate) use self::noq::{
    AdmittedServer, NoTokens, NoiseClient, NoiseServer, ResetKey, first_id, path_number, peer_of,
};
