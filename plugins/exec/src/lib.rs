//! A bridge that is a child process in any language.

mod bridge;
mod error;
mod hello;
mod kind;
mod limits;
mod lines;
mod process;
pub mod protocol;
mod serve;
mod session;
mod supervisor;
mod wire;

pub use bridge::ExecBridge;
pub use error::{ExecError, Problem};
pub use kind::ExecKind;
pub use process::{Launch, Process, Program, Started};
pub use serve::{ServeError, serve, serve_on};
