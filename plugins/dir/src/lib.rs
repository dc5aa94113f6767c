//! A bridge over a folder that both sides can see: a network share, a folder that Syncthing keeps alike on two
//! machines, a USB stick that goes to and fro.
//!
//! # The model
//!
//! A record is a file in `⟨folder⟩/.wayside/`, and nothing outside that is ever touched. The file's name tells class,
//! key, expiry and a digest, so that ten thousand files that concern somebody else cost one listing. Publishing
//! writes a temporary file, syncs it and renames it: readers see a whole record or none, and the same record twice
//! is one file. Whoever sees a record a day after it expired removes it.
//!
//! The place is named `dir:⟨id⟩` after a marker file in the folder, not after its path, which the two sides need not
//! have in common. A folder without the marker that is expected (an empty mount point, another stick) is left alone.
//!
//! Linux tells at once when a program on the same machine leaves a record. Nothing tells what another machine did, so
//! a watch also looks by itself every second and a half. Neither reading nor writing trusts a modification time.
//!
//! A ring is an empty file in `rings/`, named as whoever is rung calls itself there. A bridge with a name of its own
//! watches for that file while it is open, runs what its user wrote, and removes it; a [`Bell`] does it without a bridge.
//!
//! # What it does not trust
//!
//! Everybody who may write in the folder may delete everything in it; against that there is no help here, and
//! records are sealed, so nothing else is at stake. What they cannot do is lead us elsewhere or stop us: links are
//! not followed, pipes and devices not opened, files over the limit not read, and junk is read at most a few times.
//!
//! # Permissions
//!
//! `.wayside/` takes the group and permissions of the folder that it is in, and records can be read by whoever can
//! read `.wayside/`, whatever the umask of whoever writes: the folder says who shares it.
//!
//! # Example
//!
//! ```no_run
//! use wayside_bridge::{BridgeContext, BridgeOptions, Registry};
//! use wayside_bridge_dir::DirKind;
//!
//! # async fn example(context: BridgeContext) -> Result<(), wayside_bridge::BridgeError> {
//! let registry = Registry::new().with(DirKind);
//! let options = BridgeOptions::from_iter([("path", "/mnt/share")]);
//! let bridge = registry.open("dir", &options, context).await?.bridge;
//! println!("{:?}", bridge.info().locators);
//! # Ok(())
//! # }
//! ```
//!
//! Needs a tokio runtime with I/O enabled; blocking calls run on its blocking threads, at most eight at a time.
//!
//! # Not here
//!
//! Sealing, padding and the choice of slots (`wayside-proto`); finding or mounting shares.

mod bell;
mod bridge;
mod error;
mod expiry;
mod folder;
mod hook;
mod index;
mod jobs;
mod kind;
mod name;
mod notice;
mod pace;
mod place;
mod ring;
mod watch;
mod write;

pub use bell::Bell;
pub use bridge::DirBridge;
pub use kind::DirKind;

/// The name of this kind.
const KIND: &str = "dir";
