//! A direct, Noise-encrypted link between the machines of two people who already share *something*: a folder, a repository, a mailbox, or whatever
//! a small program of theirs can put notes into. No server of anybody else's is needed.
//!
//! This crate is the front of the house: it re-exports what an application needs and registers the bridges that its
//! features switch on. The command `wayside` is built from it as well (feature `cli`). This page is the quick start, and the [`guide`] the rest: [friends and
//! messages](guide::friends), [streams and datagrams](guide::streams), [events](guide::events), [bridges of one's own](guide::bridges),
//! [embedding](guide::embedding), [errors](guide::errors), [testing](guide::testing).
//!
//! # The model
//!
//! - A [`Home`] is one person on one machine: keys, configuration, friends, messages.
//! - A [`bridge`] is a service that two people share already; small sealed notes are left and found there.
//! - A [`Node`] runs a home: it meets friends over its bridges, links to them directly, keeps their messages.
//! - An application [connects](Node::connect) with a friend and gets a [`Peer`]: streams that name the protocol they speak, with
//!   backpressure, and datagrams. It answers the streams of friends with [`NodeBuilder::serve`].
//!
//! ```text
//!        your application                                    your friend's
//!   ┌───────────────────────┐                         ┌───────────────────────┐
//!   │ serve, connect, events│                         │ serve, connect, events│
//!   │         Node          │◄══ link: QUIC, Noise ══►│         Node          │
//!   │  Home      bridges    │                         │    bridges      Home  │
//!   └───────────────┬───────┘                         └───────┬───────────────┘
//!                   └────────► a service that both ◄──────────┘
//!                              share: sealed notes
//! ```
//!
//! # Quick start
//!
//! ```toml
//! [dependencies]
//! wayside = { version = "0.1", default-features = false, features = ["bridge-dir"] }
//! tokio = { version = "1", features = ["io-util", "macros", "rt-multi-thread"] }
//! ```
//!
//! ```no_run
//! use tokio::io::AsyncWriteExt;
//! use wayside::api::types::NewInvite;
//! use wayside::{Home, Node};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let home = Home::init("/home/ada/.local/share/my-app".as_ref(), "Ada")?;
//! let node = Node::builder(home, wayside::registry())
//!     .serve("echo/1", |_, mut stream| async move {
//!         tokio::io::copy(&mut stream.recv, &mut stream.send).await.map(drop)
//!     })
//!     .start()
//!     .await?;
//! // What happens: friends, links, messages.
//! let mut events = node.events();
//! // Once: a line that Ben accepts (`Node::accept_invite`).
//! let wanted = NewInvite { bridges: Vec::new(), uses: 1, expires_in_secs: 86_400 };
//! println!("give this to a friend: {}", node.invite(wanted).await?.invite);
//! // From then on, wherever both are:
//! let ben = node.connect("Ben").await?;
//! let mut stream = ben.link.open("echo/1").await?;
//! stream.send.write_all(b"hello").await?;
//! # while let Some(event) = events.next().await { println!("{event:?}"); }
//! # Ok(())
//! # }
//! ```
//!
//! Whole programs are in `examples/`, and each runs by itself: `echo`, a protocol in a few lines; `chat`, two people in sixty; `voice`, a call in datagrams;
//! `custom-bridge`, a service of the application's own to meet over; `embed`, all of a node's life without the command.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `cli` | the command, and with it `api`; a library does without (`default-features = false`) |
//! | `api` | the local API over the home's socket, and its client (`NodeBuilder::serve_api`) |
//! | `bridge-dir` | the bridge `dir`, a folder that both can see |
//! | `bridge-dns` | the bridge `dns`, TXT records in a zone |
//! | `bridge-email` | the bridge `email`, mail between two addresses or on a list |
//! | `bridge-exec` | the bridge `exec`, a child process in any language, and `wayside::exec`, which makes such a program of any Rust bridge |
//! | `bridge-git` | the bridge `git`, any repository, through the `git` program |
//! | `bridge-github` | the bridge `github`, a repository at GitHub, through its API |
//! | `bridge-matrix` | the bridge `matrix`, a Matrix room |
//! | `bridge-mdns` | the bridge `mdns`, the local network |
//! | `bridge-web` | the bridge `web`, web space: WebDAV, `wayside.php`, and, in `full`, S3 |
//! | `portmap` | asking the router for a port, where the configuration says so |
//! | `rendezvous` | the node itself can be a drop for everybody (`[rendezvous] listen`); part of `cli` |
//! | `testing` | `wayside::testing`: two friends in simulated time, for an application's own tests |
//!
//! # Versions
//!
//! Until 1.0 a minor version may break what it says in the changelog. What grows is `#[non_exhaustive]`: events, errors, configuration, capabilities, batches; such
//! structs have a constructor. The words of a capability, of which a bridge's author must know each, are not: a new one is to stop the compiler.
//!
//! Of other crates' types the interface has those without which it would not fit in anywhere: `bytes::Bytes` for what is carried, the traits of `tokio::io` and
//! `futures::Stream` on streams, `async_trait` on traits, `serde` on what is JSON, and `jiff::Timestamp` inside [`Time`](api::types::Time). Noise, the store and
//! HTTP are nobody's business: none of their types is to be seen. `docs/ARCHITECTURE.md` has the whole list.
//!
//! # Not here
//!
//! The protocol is `wayside-proto`, what a bridge is `wayside-bridge`, the link `wayside-noise`.

pub mod guide;
#[cfg(feature = "testing")]
pub mod testing;

pub use wayside_bridge as bridge;
use wayside_bridge::Registry;
/// Bridges that are programs: both sides of the line protocol. [`serve`](exec::serve) is the whole `main` of one in Rust.
#[cfg(feature = "bridge-exec")]
pub use wayside_bridge_exec as exec;
pub use wayside_node::api::types::{ApiError, NodeEvent};
pub use wayside_node::{
    AccountId, Api, BotConfig, BridgeConfig, Comparison, Config, ConnectError, DeviceId, Events, Home,
    HomeError, Node, NodeBuilder, NodeClock, Origin, Peer, Protocol, Relay, Served, UnixMillis, Wanted, api,
    bot, bridge_context, code, community, comparison, greeting, pointer, reply,
};
/// The link to a friend's machine: streams, datagrams, paths.
pub use wayside_noise as link;

/// A drop for a web server of somebody else's, as a file to put there.
#[cfg(feature = "bridge-web")]
pub use wayside_bridge_web::Script;

/// The kinds of bridge that are built in: `friend`, which goes over a node's own links, and others by feature. An application adds its own with
/// [`Registry::with`].
pub fn registry() -> Registry {
    let registry = wayside_node::own_kinds();
    #[cfg(feature = "bridge-dir")]
    let registry = registry.with(wayside_bridge_dir::DirKind);
    #[cfg(feature = "bridge-exec")]
    let registry = registry.with(wayside_bridge_exec::ExecKind);
    #[cfg(feature = "bridge-git")]
    let registry = registry.with(wayside_bridge_git::GitKind);
    #[cfg(feature = "bridge-github")]
    let registry = registry.with(wayside_bridge_github::GitHubKind::default());
    #[cfg(feature = "bridge-matrix")]
    let registry = registry.with(wayside_bridge_matrix::MatrixKind);
    #[cfg(feature = "bridge-email")]
    let registry = registry.with(wayside_bridge_email::EmailKind::default());
    #[cfg(feature = "bridge-dns")]
    let registry = registry.with(wayside_bridge_dns::DnsKind::default());
    #[cfg(feature = "bridge-mdns")]
    let registry = registry.with(wayside_bridge_mdns::MdnsKind);
    #[cfg(feature = "bridge-web")]
    let registry = registry.with(wayside_bridge_web::WebKind::default());
    registry
}
