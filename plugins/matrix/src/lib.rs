//! A bridge over a Matrix room.

mod kind;

pub use kind::MatrixKind;

/// The name of this kind.
const KIND: &str = "matrix";
