//! A bridge over a repository at GitHub, through its API: for who has a token and wants no clone.
//!
//! # The model
//!
//! In a **branch** of its own (`wayside`) records are files, named and filled as [`wayside_bridge::file`] says, so that a git bridge to the same
//! repository meets us there. What waits to be written goes out as one commit, made of blobs, a tree and a commit by the git-data API, and the branch
//! is moved only forwards: whoever comes second tries again from where it is. After some commits the branch begins anew, without history.
//!
//! In an **issue** each record is a comment: one line for people, and the record in a block. Only comments of our own account are ever removed.
//!
//! A look asks whether anything has changed, by the tag of the last answer. Where nothing has, that is one request, which GitHub answers with "not
//! modified" and does not count. Every limit that it announces is kept to: until then nothing is sent.
//!
//! Beside what is published in the branch, `peers/NAME.card` in the project's own branch is found under the public name NAME.
//!
//! # What it does not trust
//!
//! Answers are bounded in size and time, and of a place full of junk no more is read than is asked for. Redirects are not followed: the token goes to
//! one host. Whoever may write to the repository can delete everything in it; against that there is no help here, and records are sealed, so nothing
//! else is at stake.
//!
//! # Example
//!
//! ```no_run
//! use wayside_bridge::{BridgeContext, BridgeOptions, Registry};
//! use wayside_bridge_github::GitHubKind;
//!
//! # async fn example(context: BridgeContext) -> Result<(), wayside_bridge::BridgeError> {
//! let registry = Registry::new().with(GitHubKind::default());
//! let options = BridgeOptions::from_iter([("repo", "ada/box"), ("token-file", "/home/ada/.config/github-token")]);
//! let bridge = registry.open("github", &options, context).await?.bridge;
//! println!("{:?}", bridge.info().locators);
//! # Ok(())
//! # }
//! ```
//!
//! Needs a tokio runtime with I/O and time enabled.
//!
//! # Not here
//!
//! Sealing, padding and the choice of slots (`wayside-proto`); making tokens; git itself (`wayside-bridge-git`).

mod api;
mod armour;
mod branch;
mod bridge;
mod client;
mod error;
mod gate;
mod index;
mod issue;
mod kind;
mod pace;
mod queue;
mod repo;
mod token;
mod wire;

pub use bridge::GitHubBridge;
pub use kind::GitHubKind;
pub use pace::Pace;

/// The name of this kind.
const KIND: &str = "github";
