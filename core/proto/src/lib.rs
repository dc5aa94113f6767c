//! The pure protocol: no sockets, no async, no clock, no ambient randomness.

pub mod code;
mod codec;
pub mod crypto;
pub mod engine;
pub mod greeting;
pub mod identity;
pub mod introducer;
pub mod introduction;
pub mod invite;
pub mod mailbox;
pub mod meet;
pub mod message;
pub mod place;
pub mod pointer;
pub mod reach;
pub mod reply;
mod time;
pub mod token;

pub use codec::Malformed;
pub use time::{Epoch, Now, UnixMillis};
