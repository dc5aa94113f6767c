//! A direct, Noise-encrypted link between the machines of two people who already share *something*: a folder, or whatever
//! a small program of theirs can put notes into. No server of anybody else's is needed.
//!
//! This crate is the front of the house: it re-exports what an application needs and registers the bridges that its
//! features switch on. The command `wayside` is built from it as well (feature `cli`).
//!
//! # The model
//!
//! - A [`Home`] is one person on one machine: keys, configuration, friends, messages.
//! - A [`bridge`] is a service that two people share already; small sealed notes are left and found there.
//! - A [`Node`] runs a home: it meets friends over its bridges, links to them directly, keeps their messages.
//! - An application talks to a node through its [`api::ApiClient`] and serves streams of its own with
//!   [`NodeBuilder::protocol`].
//!
//! # Example
//!
//! ```no_run
//! use wayside::api::types::{InviteView, NewInvite};
//! use wayside::{Home, Node};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let home = Home::init("/home/ada/.local/share/my-app".as_ref(), "Ada")?;
//! let node = Node::builder(home, wayside::registry()).start().await?;
//! let wanted = NewInvite { bridges: Vec::new(), uses: 1, expires_in_secs: 86_400 };
//! let invite: InviteView = node.client().post("/v1/invites", &wanted).await?;
//! println!("give this to a friend: {}", invite.invite);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `cli` | the command; a library does without (`default-features = false`) |
//! | `bridge-dir` | the bridge `dir`, a folder that both can see |
//! | `bridge-exec` | the bridge `exec`, a child process in any language |
//!
//! # Not here
//!
//! The protocol is `wayside-proto`, what a bridge is `wayside-bridge`, the link `wayside-noise`.

pub use wayside_bridge as bridge;
use wayside_bridge::Registry;
pub use wayside_node::{
    BridgeConfig, Config, Home, HomeError, Node, NodeBuilder, Peer, Protocol, api, bridge_context,
};

/// The kinds of bridge that are built in, by feature. An application adds its own with [`Registry::with`].
pub fn registry() -> Registry {
    let registry = Registry::new();
    #[cfg(feature = "bridge-dir")]
    let registry = registry.with(wayside_bridge_dir::DirKind);
    #[cfg(feature = "bridge-exec")]
    let registry = registry.with(wayside_bridge_exec::ExecKind);
    registry
}
