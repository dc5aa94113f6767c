//! The link: QUIC whose handshake and keys are Noise.

mod adapter;
mod config;
mod core;
mod endpoint;
mod error;
mod gate;
mod link;
mod secret;
mod socket;
mod stream;

pub use config::EndpointConfig;
pub use endpoint::{Endpoint, Expectation};
pub use error::{Attempt, CloseReason, LinkError};
pub use link::{Link, LinkStats, MAX_PROTOCOL_NAME};
pub use secret::{Secret32, SessionId, StaticKey};
pub use stream::{RecvStream, SendStream, Stream};
