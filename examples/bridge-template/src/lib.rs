//! A bridge over {{service}}.

mod bridge;
mod service;

pub use bridge::Kind;
pub use service::Service;
