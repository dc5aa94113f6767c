//! The local API: JSON over HTTP over a Unix socket in a folder that only its owner may enter, and, where the user says so, over TCP on loopback with tokens.
//!
//! [`types`] are the objects, `handlers` one file an area, `access` says who may ask what, [`ApiClient`] the other end. All but the objects is behind the feature `api`: an application
//! in the node's own process asks [`Node`](crate::Node).

#[cfg(feature = "api")]
mod access;
#[cfg(feature = "api")]
mod client;
#[cfg(feature = "api")]
mod handlers;
#[cfg(feature = "api")]
mod server;
#[cfg(feature = "api")]
mod socket;
#[cfg(feature = "api")]
mod tcp;
pub mod types;
pub(crate) mod words;

#[cfg(feature = "api")]
pub(crate) use access::Tokens;
#[cfg(feature = "api")]
pub use client::{ApiClient, Lines};
#[cfg(feature = "api")]
pub(crate) use server::Server;
#[cfg(feature = "api")]
pub(crate) use tcp::Tcp;
