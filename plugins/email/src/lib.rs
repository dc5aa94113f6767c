//! A bridge over electronic mail.

mod address;
mod armour;
mod bridge;
mod capability;
mod compose;
mod error;
mod imap;
mod index;
mod kind;
mod ledger;
mod note;
mod pace;
mod parse;
mod receipt;
mod refusal;
mod room;
mod secret;
mod server;
mod smtp;
mod tls;

pub use bridge::EmailBridge;
pub use kind::EmailKind;
pub use pace::Pace;

/// The name of this kind.
const KIND: &str = "email";
