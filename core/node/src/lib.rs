//! The tokio driver that joins the protocol, the bridges and the transports.

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
