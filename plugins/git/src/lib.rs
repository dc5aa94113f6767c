//! A bridge over any git repository that the user's `git` can push to.
//!
//! # The model
//!
//! Records are files in a branch of their own, `wayside`, which shares no history with the project's. Its tree is flat:
//! a file a record ([`wayside_bridge::file`]) and a `README.md` for people. What else is in it is somebody's, and is kept.
//!
//! Whoever publishes reads the branch, makes a commit of what is there and its own, without what expired and *without a parent*,
//! and pushes it with `--force-with-lease`: it becomes the branch if the branch is still what was read, and otherwise all is done
//! anew. So history does not grow, and what was taken back is not kept in it. What several tasks of one process want written at
//! one moment goes out in one push.
//!
//! Reading is polling: `git ls-remote` says what the branch is, and only where that has changed is it fetched.
//!
//! # The program
//!
//! Everything goes through the `git` on the user's `PATH`, so that credential helpers, SSH agent, proxies and configuration work as
//! they do on the command line. Nothing asks: no terminal, no pop-up. Each process has a deadline and is ended with its children
//! when it passes, or when the future that waits for it is dropped.
//!
//! Between the repository and us is a bare repository in the bridge's state folder, a mere cache: it may be deleted at any time, and is made
//! anew when it has grown, broke or is gone. There is never a working tree, so no hook, filter or attribute of anybody's comes
//! into play, and links and paths in the branch's tree are names and nothing else.
//!
//! # What it does not trust
//!
//! Whoever may push to the branch may put anything there. A pack that is fetched is cut off at 64 MiB, a tree at 65,536 entries;
//! blobs larger than a record are left out where the server knows how to, and never read.
//!
//! # Example
//!
//! ```no_run
//! use wayside_bridge::{BridgeContext, BridgeOptions, Registry};
//! use wayside_bridge_git::GitKind;
//!
//! # async fn example(context: BridgeContext) -> Result<(), wayside_bridge::BridgeError> {
//! let registry = Registry::new().with(GitKind);
//! let options = BridgeOptions::from_iter([("remote", "git@github.com:us/project.git")]);
//! let bridge = registry.open("git", &options, context).await?.bridge;
//! println!("{:?}", bridge.info().locators);
//! # Ok(())
//! # }
//! ```
//!
//! Needs a tokio runtime with I/O enabled.
//!
//! # Not here
//!
//! Sealing, padding and the choice of slots (`wayside-proto`). Making repositories, and letting people in.

mod blobs;
mod bridge;
mod cache;
mod cards;
mod error;
mod git;
mod host;
mod index;
mod kind;
mod process;
mod queue;
mod remote;
mod said;
mod state;
mod tree;
mod write;

pub use kind::GitKind;

/// The name of this kind.
const KIND: &str = "git";
