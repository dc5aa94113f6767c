//! A bridge that is a child process in any language.
//!
//! Whoever wants to add a service to wayside need not add it here: a program that speaks lines of JSON on its
//! standard input and output is a bridge. The protocol is specified in `docs/EXEC-BRIDGE.md`; this crate is both
//! of its sides.
//!
//! # The node's side
//!
//! [`ExecKind`] is what a node registers. It splits the configured command line without a shell ([`Program`]) and opens
//! an [`ExecBridge`], which starts the program, waits for its `hello`, and is a [`Bridge`](wayside_bridge::Bridge)
//! from then on: each method is a line out and the line of the same id back.
//!
//! ```text
//!   ExecBridge ── state: starting, up, down ──── supervisor: one life after the other
//!       │                                             │
//!       └──── call, watch ───► session ◄── lines ── program
//!                              (one life: ids, deadlines, credit)
//! ```
//!
//! A child is trusted with nothing. Whatever it can grow has a bound (a line, a batch, a watch's buffer, its log,
//! what it says unasked), whatever it can delay has a deadline, and every way in which it can fail is one [`Problem`]: it
//! is killed with its process group, its callers get one sentence, and it is started again after a pause. The
//! node goes on.
//!
//! # The child's side
//!
//! [`serve`] makes a program of any Rust bridge, for one that is heavy, or not ours: see there for a whole one, and `examples/bridge-template` for one to begin
//! from.
//!
//! # Not here
//!
//! Sandboxing: a child runs with the user's rights and comes from the user's own configuration. No locator starts
//! one. On Windows there are no process groups, and a child's own children outlive it.

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
