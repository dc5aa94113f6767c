//! The local API: JSON over HTTP over a Unix socket in a folder that only its owner may enter.
//!
//! [`types`] are the objects, `handlers` one file an area, [`ApiClient`] the other end.

mod client;
mod handlers;
mod server;
mod socket;
pub mod types;
pub(crate) mod words;

pub use client::{ApiClient, Lines};
pub(crate) use server::Server;
