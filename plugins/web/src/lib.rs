//! A bridge over web space: places where files can be put that others read over the web.
//!
//! # The model
//!
//! A **folder** of files (WebDAV, an S3 bucket, a folder that is uploaded, a command) holds a *box* for each writer, with all that it has there, one record
//! after another, each as [`wayside_bridge::file`] says; and a *roll* that says whose boxes there are. So no two writers write one file, which matters where the server
//! compares nothing before it writes. What waits at the same moment goes out as one PUT.
//!
//! A **drop** is a program behind one address (`wayside.php`, `wayside.cgi`, a node that has `[rendezvous]` configured) that takes and removes records and hands out all of them at once.
//!
//! Either is shared by several, or one person's own, which friends only read: their places are named by locators like `web:alice.example/`.
//!
//! # What it does not trust
//!
//! Answers are bounded in size and time, nothing packed is unpacked, redirects are few, and the password goes to one host and port. Spaces that others name
//! are read over `https`, at public addresses alone. That a file is "not modified" is believed only where it had been there for a moment when it was read, and for an
//! hour at most: nginx' ETag is made of seconds and size.
//!
//! # Example
//!
//! ```no_run
//! use wayside_bridge::{BridgeContext, BridgeOptions, Registry};
//! use wayside_bridge_web::WebKind;
//!
//! # async fn example(context: BridgeContext) -> Result<(), wayside_bridge::BridgeError> {
//! let registry = Registry::new().with(WebKind::default());
//! let options = BridgeOptions::from_iter([("read", "https://alice.example/"), ("write", "dir:/srv/www")]);
//! let bridge = registry.open("web", &options, context).await?.bridge;
//! println!("{:?}", bridge.info().locators);
//! # Ok(())
//! # }
//! ```
//!
//! Needs a tokio runtime with I/O and time enabled.
//!
//! # Not here
//!
//! Sealing, padding and the choice of slots (`wayside-proto`); the drop that a node serves (`wayside-node`).

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
mod script;
mod store;
mod target;
mod ticket;
mod validator;
mod view;

pub use bridge::WebBridge;
pub use kind::WebKind;
pub use pace::Pace;
pub use script::Script;

/// The name of this kind.
const KIND: &str = "web";
