//! A bridge over a Matrix room, and the room as a place where people talk.
//!
//! # The model
//!
//! A record is an event of the room that both are in: a notice with a sentence for people, and the record in a field of its own beside it. Taking it
//! back is redacting it. In an encrypted room the event is encrypted for every device of every member, verified or not: records are sealed already, and
//! a key that is missing would cost a meeting.
//!
//! One long poll listens to the room. What it brings goes into a log in memory (`log`), which watching and fetching read from; where the poll left
//! something out, and after a start, the room is looked back through (`walk`), within bounds of age, number and bytes.
//!
//! `account` logs in once and keeps the session in the bridge's folder; `place` sees to it that all handles of one folder in this process are one client,
//! since a device's keys can be used by one at a time. `chat`, `direct` and `room` are what people say.
//!
//! # What it does not trust
//!
//! Members may send whatever they like: each event is parsed once, into types, and what makes no sense is passed over and counted. Who floods the room pushes
//! their own records out of memory, nobody else's. Requests go to the homeserver that was named: no discovery, no redirects.
//!
//! # Example
//!
//! ```no_run
//! use wayside_bridge::{BridgeContext, BridgeOptions, Registry};
//! use wayside_bridge_matrix::MatrixKind;
//!
//! # async fn example(context: BridgeContext) -> Result<(), wayside_bridge::BridgeError> {
//! let registry = Registry::new().with(MatrixKind);
//! let options = BridgeOptions::from_iter([
//!     ("homeserver", "https://matrix.example.org"),
//!     ("user", "@ann:example.org"),
//!     ("password-file", "/home/ann/.config/matrix-password"),
//!     ("room", "#friends:example.org"),
//! ]);
//! let opened = registry.open("matrix", &options, context).await?;
//! println!("{:?}", opened.bridge.info().locators);
//! # Ok(())
//! # }
//! ```
//!
//! Needs a tokio runtime with I/O and time enabled.
//!
//! # Not here
//!
//! Sealing, padding and the choice of slots (`wayside-proto`); what a bot says in a room (`wayside-node`); verifying devices, and accounts themselves.

mod account;
mod bridge;
mod chat;
mod direct;
mod error;
mod event;
mod folder;
mod gate;
mod kind;
mod log;
mod options;
mod pending;
mod place;
mod power;
mod receipt;
mod room;
mod sdk;
mod secret;
mod sync;
mod walk;
mod write;

pub use kind::MatrixKind;

/// The name of this kind.
const KIND: &str = "matrix";
