//! A bridge over a friend: two friends of Rita's meet through her.
//!
//! # The model
//!
//! Rita, who lets them (`wayside friend allow meet`), holds small sealed records for her friends in memory, and tells whoever watches a
//! slot at once what came under it. That is a [`Board`]; a [`Host`] serves it over streams. Her friends' bridges ask her over a stream of
//! the protocol [`PROTOCOL`], which a [`Carrier`] opens: in a node, over the link that it has with her anyway.
//!
//! The place is named `friend:⟨her account⟩`, which is the same for all of her friends.
//!
//! # What is trusted
//!
//! She may read, drop, invent and repeat what lies there, as any service may; records are sealed. What she cannot do is have us hold more
//! than a bounded amount, or wait for ever. Her friends in turn are held to shares ([`Limits`]): of records, bytes, requests, streams and
//! watched keys. Where the board is full, whoever holds the most loses the oldest, so that nobody is kept out by somebody else's junk.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use wayside_bridge::{BridgeOptions, ErrorKind, Registry};
//! use wayside_bridge_friend::FriendKind;
//! # use wayside_conformance::support::{TestClock, context};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! // A node puts one over its own links in its place.
//! let registry = Registry::new().with(FriendKind::unplugged());
//! let options = BridgeOptions::from_iter([("friend", "rita")]);
//! # let context = context(&TestClock::new(), 1, None);
//! let error = registry.open("friend", &options, context).await.unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::Configuration);
//! # }
//! ```
//!
//! # Not here
//!
//! Links, who is a friend and who is let: `wayside-node`, in `core/node/src/boards`. Sealing and the choice of slots: `wayside-proto`.

mod board;
mod bridge;
mod carrier;
mod client;
mod connection;
mod error;
mod kind;
mod limits;
mod serve;
mod watches;
pub mod wire;

pub use board::{Board, Found, Left, Now, Owner};
pub use bridge::FriendBridge;
pub use carrier::{Carrier, Carriers, Channel};
pub use kind::FriendKind;
pub use limits::{Limits, Reason, Refusal};
pub use serve::{Gate, Host, Served};
pub use watches::StreamId;

/// The name of this kind.
pub const KIND: &str = "friend";

/// What streams speak.
pub const PROTOCOL: &str = "wayside/board/1";
