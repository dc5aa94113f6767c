//! The local API: JSON over HTTP over a Unix socket in a folder that only its owner may enter.

mod client;
mod socket;
pub mod types;

pub use client::{ApiClient, Lines};
