//! A bridge over multicast DNS: friends on one local network find each other there, with no internet and nobody's server.
//!
//! # The model
//!
//! A record is an instance of the DNS-SD service type `_wayside._udp` (RFC 6763): a PTR record that names it and a TXT record that holds it. The instance's
//! name is the record's slot and a digest; both look random and neither returns. There is no SRV record and no host name, since nothing is
//! reached by DNS here: what a machine on the network sees of another is that a few random names come and go at an IP address.
//!
//! A record is there while its writer's machine is on the network and the bridge is open ([`Kept::Writer`](wayside_bridge::Kept::Writer)): nothing waits here for
//! somebody who is away. What was published is kept in the bridge's own folder, so that it is there again after a restart, until it is taken back.
//!
//! News is announced at once and twice more (RFC 6762, section 8.3), what is taken back is said goodbye to (section 10.1), and whoever opens the bridge
//! asks who is there. Each packet fits into IPv6's least MTU, so that nothing is ever fragmented.
//!
//! # What it does not trust
//!
//! Everybody on the network can say anything, under any name. Records are sealed, so a forged one is junk to who reads it. What is heard is bounded in
//! number, in all and by sender, and who sends most gives way first; packets are bounded by sender before they are parsed. A record is forgotten at
//! the word of those who announced it, and of nobody else.
//!
//! Questions from other ports than 5353 are not answered: such an answer would go to whatever address the question named.
//!
//! # Example
//!
//! ```no_run
//! use wayside_bridge::{BridgeContext, BridgeOptions, Registry};
//! use wayside_bridge_mdns::MdnsKind;
//!
//! # async fn example(context: BridgeContext) -> Result<(), wayside_bridge::BridgeError> {
//! let registry = Registry::new().with(MdnsKind);
//! let options = BridgeOptions::from_iter([("interface", "wlan0")]);
//! let bridge = registry.open("mdns", &options, context).await?.bridge;
//! println!("{:?}", bridge.info().locators);
//! # Ok(())
//! # }
//! ```
//!
//! Needs a tokio runtime with I/O and time enabled.
//!
//! # Not here
//!
//! Sealing, padding and the choice of slots (`wayside-proto`); resolving host names; wide-area DNS-SD.

mod answers;
mod bridge;
mod budget;
mod error;
mod folder;
mod heard;
mod instance;
mod interfaces;
mod kind;
mod own;
mod packet;
mod shared;
mod socket;
mod task;

pub use bridge::MdnsBridge;
pub use kind::MdnsKind;

/// The name of this kind.
const KIND: &str = "mdns";
