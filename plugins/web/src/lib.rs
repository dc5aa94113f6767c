//! A bridge over static web space.

mod kind;

pub use kind::WebKind;

/// The name of this kind.
const KIND: &str = "web";
