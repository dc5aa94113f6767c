//! The tokio driver that joins the protocol, the bridges and the transports: everything of one home, running.
//!
//! # The model
//!
//! A [`Home`] is a folder: keys, one file of configuration, a store. A [`Node`] is a home that runs; a home has one at a time. It owns
//!
//! - the **meeting engine** of `wayside-proto`, which is pure: it says what is to be done and never does anything;
//! - a task for each **bridge**, which publishes, takes back and watches what the engine says, and keeps trying when the service is away;
//! - the **endpoint** of `wayside-noise`, and a task for each link that is up, over which streams name the protocol that they speak;
//! - the **store**, one redb file, and the **local API**, JSON over HTTP over a Unix socket ([`api`]).
//!
//! # The loop
//!
//! One task owns the engine. It takes an input (a record was found, a link is up, a command came), hands it to the engine with the time, and then
//! carries out the engine's outputs **in their order**: what follows a change of the store happens after that change is on disk. Whoever asked is answered
//! last. While the disk takes nothing the loop holds the output back, tries again every two seconds, refuses commands with a sentence, and takes nothing
//! else in, so that nothing is lost and memory stays bounded.
//!
//! Messages do not pass through that task. Each is committed by its sender before `send` is answered, goes over a link with a number that only grows, is
//! committed by its recipient together with that number, and leaves the sender's store once that was acknowledged.
//!
//! # Two nodes who meet
//!
//! ```
//! use wayside_bridge::{MemoryService, Registry};
//! use wayside_node::api::types::{Accept, Accepted, AddBridge, BridgeView, InviteView, NewInvite, Send, Sent};
//! use wayside_node::{Home, Node, bridge_context};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = MemoryService::builder().clock(bridge_context(None).clock).build();
//! let folder = tempfile::tempdir()?;
//! let mut nodes = Vec::new();
//! for name in ["ann", "bob"] {
//!     let home = Home::init(&folder.path().join(name), name)?;
//!     let registry = Registry::new().with(service.clone());
//!     let node = Node::builder(home, registry).listen(vec!["udp://127.0.0.1:0".into()]).start().await?;
//!     let options = [("member".into(), name.into())].into();
//!     let bridge = AddBridge { kind: "memory".into(), name: None, options };
//!     node.client().post::<_, BridgeView>("/v1/bridges", &bridge).await?;
//!     nodes.push(node);
//! }
//! let (ann, bob) = (nodes[0].client(), nodes[1].client());
//!
//! let invite = NewInvite { bridges: vec![], uses: 1, expires_in_secs: 3600 };
//! let InviteView { invite, .. } = ann.post("/v1/invites", &invite).await?;
//! let accept = Accept { invite, name: None, wait_ms: 10_000 };
//! let Accepted { friend, .. } = bob.post("/v1/accept", &accept).await?;
//! assert_eq!(friend.as_deref(), Some("ann"));
//!
//! let hello = Send { wait_ms: Some(10_000), ..Send::new("ann".into(), "hello".into()) };
//! let sent: Sent = bob.post("/v1/messages", &hello).await?;
//! println!("{:?}", sent.state);
//!
//! for node in nodes {
//!     node.shutdown().await;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Not here
//!
//! What a message of a meeting says, and when to meet, is `wayside-proto`'s; how packets are sealed is `wayside-noise`'s; what a service is like is its
//! plugin's, and this crate knows none of them by name. Systems without Unix sockets are not served yet: there a node says so when it is started, since a
//! loopback port would be open to everybody on the machine.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

pub mod api;
mod bridges;
mod clock;
mod driver;
mod home;
mod links;
mod messages;
mod node;
mod store;
mod times;

pub use clock::bridge_context;
pub use home::{BridgeConfig, Config, Home, HomeError, Limits, Network};
pub use links::{Peer, Protocol};
pub use node::{Node, NodeBuilder};

#[cfg(test)]
extern crate self as wayside_node;
#[cfg(test)]
mod tests;
