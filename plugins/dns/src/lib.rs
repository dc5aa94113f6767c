//! A bridge over TXT records in a DNS zone.
//!
//! # The model
//!
//! A record is one TXT record: under `SLOT._wayside.ZONE` where it has a slot, under `_wayside.NAME.ZONE` where it has a public name. One writes by
//! signed updates (RFC 2136 with TSIG) to the zone's primary server, and reads wherever names are resolved.
//!
//! A zone is **one's own**, which friends only read, or one that friends **share**, with a key each. In one's own a later record replaces an earlier one
//! under its name; the update has what was read for its prerequisite, so that nothing of somebody else's goes with it. In a shared one all records under a
//! name stay: the server adds to what is there, so that two who write at the same moment lose nothing.
//!
//! # Caches
//!
//! Caches keep answers for their TTL, which is some seconds here, and keep *that a name does not exist* for as long as the zone's SOA record says, which
//! may be a day. So the first update also leaves a wildcard, `*._wayside.ZONE`, with a word that is no record: then every name below exists, and a cache asks again after seconds.
//!
//! # What it does not trust
//!
//! Answers count when they come from where they were asked, with the number, the question and the spelling that was sent; from plain resolvers anybody on the way
//! can still make them up. Records are sealed, so a forged one is junk to who reads it, and the worst that a resolver can do is to hide them. What an answer holds is bounded by what
//! a DNS message holds, and what is not a record is skipped and counted.
//!
//! # Example
//!
//! ```no_run
//! use wayside_bridge::{BridgeContext, BridgeOptions, Registry};
//! use wayside_bridge_dns::DnsKind;
//!
//! # async fn example(context: BridgeContext) -> Result<(), wayside_bridge::BridgeError> {
//! let registry = Registry::new().with(DnsKind::default());
//! let options = BridgeOptions::from_iter([
//!     ("zone", "ada.example"),
//!     ("server", "192.0.2.53"),
//!     ("tsig-file", "/home/ada/.config/ada.example.key"),
//! ]);
//! let bridge = registry.open("dns", &options, context).await?.bridge;
//! println!("{:?}", bridge.info().locators);
//! # Ok(())
//! # }
//! ```
//!
//! Needs a tokio runtime with I/O and time enabled.
//!
//! # Not here
//!
//! Sealing, padding and the choice of slots (`wayside-proto`); validating DNSSEC ourselves: what the resolver says of it is shown and relied on for nothing.

mod bridge;
mod desec;
mod direct;
mod error;
mod hook;
mod key;
mod kind;
mod pace;
mod page;
mod primary;
mod reader;
mod receipt;
mod resolver;
mod secret;
mod server;
mod text;
mod token;
mod update;
mod writer;
mod zone;

pub use bridge::DnsBridge;
pub use kind::DnsKind;
pub use pace::Pace;

/// The name of this kind.
const KIND: &str = "dns";
