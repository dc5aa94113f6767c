//! A bridge over a Matrix room.

mod account;
mod bridge;
mod chat;
mod direct;
mod error;
mod event;
mod folder;
mod gate;
mod kind;
mod log;
mod options;
mod pending;
mod place;
mod power;
mod receipt;
mod room;
mod secret;
mod sync;
mod walk;
mod write;

pub use kind::MatrixKind;

/// The name of this kind.
const KIND: &str = "matrix";
