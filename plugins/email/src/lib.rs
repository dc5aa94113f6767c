//! A bridge over electronic mail.

mod kind;

pub use kind::EmailKind;

/// The name of this kind.
const KIND: &str = "email";
