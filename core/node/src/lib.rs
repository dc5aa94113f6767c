//! The tokio driver that joins the protocol, the bridges and the transports: everything of one home, running.
//!
//! # The model
//!
//! A [`Home`] is a folder: keys, one file of configuration, a store. A [`Node`] is a home that runs; a home has one at a time. It owns
//!
//! - the **meeting engine** of `wayside-proto`, which is pure: it says what is to be done and never does anything;
//! - a task for each **bridge**, which publishes, takes back and watches what the engine says, and keeps trying when the service is away;
//! - the **endpoint** of `wayside-noise`, and a task for each link that is up, over which streams name the protocol that they speak;
//! - the **store**, one redb file, another for what is kept for friends, and, where it is wanted, the **local API**, JSON over HTTP over a Unix socket ([`api`], feature `api`).
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
//! use std::time::Duration;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use wayside_bridge::{MemoryService, Registry};
//! use wayside_node::api::types::{Accept, AddBridge, NewInvite};
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
//!     let node = Node::builder(home, registry)
//!         .listen(vec!["udp://127.0.0.1:0".into()])
//!         .serve("echo/1", |_, mut stream| async move {
//!             tokio::io::copy(&mut stream.recv, &mut stream.send).await.map(drop)
//!         })
//!         .start()
//!         .await?;
//!     let options = [("member".into(), name.into())].into();
//!     node.add_bridge(AddBridge { kind: "memory".into(), options, ..AddBridge::default() }).await?;
//!     nodes.push(node);
//! }
//! let (ann, bob) = (&nodes[0], &nodes[1]);
//!
//! let invite = ann.invite(NewInvite { bridges: vec![], uses: 1, expires_in_secs: 3600 }).await?.invite;
//! let accepted = bob.accept_invite(Accept { invite, name: None, wait_ms: 10_000 }).await?;
//! assert_eq!(accepted.friend.as_deref(), Some("ann"));
//!
//! let peer = tokio::time::timeout(Duration::from_secs(10), bob.connect("ann")).await??;
//! let mut stream = peer.link.open("echo/1").await?;
//! stream.send.write_all(b"hello").await?;
//! stream.send.finish();
//! let mut echo = String::new();
//! stream.recv.read_to_string(&mut echo).await?;
//! assert_eq!(echo, "hello");
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
//! plugin's, and this crate knows none of them by name but `friend`, which goes over its own links. On systems without Unix sockets the local API is not served yet, since a loopback port would be open
//! to everybody on the machine: a node that is to serve it says so when it is started.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

pub mod api;
mod boards;
pub mod bot;
mod bridges;
mod clock;
pub mod community;
mod doctor;
mod doors;
mod driver;
mod guests;
mod home;
mod introductions;
mod links;
mod lock;
mod mail;
mod mailbox;
mod node;
mod offers;
mod pointers;
mod reach;
mod relays;
mod rendezvous;
mod requests;
mod store;
mod times;

pub use boards::own_kinds;
pub use clock::{NodeClock, bridge_context};
pub use home::{
    Api, BotConfig, BridgeConfig, Config, Home, HomeError, Limits, Mailbox, Network, Origin, Portmap, Relay,
    Rendezvous, Stun, StunServer,
};
pub use links::{Peer, Protocol, Served};
pub use node::{ConnectError, Events, Node, NodeBuilder, Wanted};
pub use wayside_proto::crypto::keys::{AccountId, DeviceId};
pub use wayside_proto::identity::{Comparison, comparison};
pub use wayside_proto::{UnixMillis, code, greeting, pointer, reply};

#[cfg(test)]
extern crate self as wayside_node;
#[cfg(test)]
mod tests;
