//! A bridge over static web space.

mod address;
mod bridge;
mod drop;
mod error;
mod folder;
mod http;
mod index;
mod kind;
mod me;
mod pace;
mod parcel;
mod password;
mod queue;
mod said;
mod store;
mod target;
mod ticket;
mod validator;
mod view;

pub use bridge::WebBridge;
pub use kind::WebKind;
pub use pace::Pace;

/// The name of this kind.
const KIND: &str = "web";
