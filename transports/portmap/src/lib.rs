//! A port of this machine, opened at the user's own gateway, and closed again.
//!
//! # The model
//!
//! Most machines are behind a *gateway* that translates addresses (NAT) and lets nothing in that was not asked for from inside. Many gateways can be asked
//! for a *mapping*: a UDP port of their outer address that leads to a port of this machine. Whoever is told that address can then send the first packet.
//! [`PortMap`] asks for one mapping and keeps it:
//!
//! ```text
//!   start ──> asking ──> mapped ──> renewed at half the lease, and every ten minutes ──> … ──> close: removed
//!                │          └─ the gateway restarts, or is another one: asked anew
//!                └─> failed, with the reason ──> asked again after 30 s, 60 s, … at most every half hour
//! ```
//!
//! It is off until somebody names protocols: with none, nothing is sent.
//!
//! # Who is asked
//!
//! The gateway of the IPv4 default route, and nobody else: nothing is scanned. [PCP](Protocol::Pcp) and [NAT-PMP](Protocol::NatPmp) are datagrams to its port 5351.
//! [UPnP](Protocol::Upnp), only where it is named, begins with a multicast that the local network hears; only an answer of the default gateway that leads to
//! the default gateway is followed. One round of asking is one to three datagrams, or a multicast and some three requests over HTTP. With a gateway that says
//! nothing it is 8 datagrams in 7 s, with one that does its worst 17 datagrams and 11 requests in 45 s. It never begins within 5 s of the one before.
//!
//! # What is believed
//!
//! An outer address that is none of the Internet is an [error](Error::BehindAnotherNat), not a candidate. The outer port is what the gateway says, whatever
//! was wished for; port 0 is none. Everything that is read has a bound.
//!
//! # Removal
//!
//! [`PortMap::close`] asks the gateway to remove the mapping and waits until it has confirmed that, at most 4 s. Dropping a `PortMap` asks as well, and nobody
//! waits: where the runtime ends at once, the mapping goes when its lease ends, within an hour. So it does after a crash.
//!
//! # Example
//!
//! ```no_run
//! use std::num::NonZeroU16;
//! use wayside_portmap::{PortMap, Protocol, Status};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let port = NonZeroU16::new(4242).ok_or("a port")?;
//! let port_map = PortMap::start(port, &[Protocol::Pcp, Protocol::NatPmp]);
//! let mut watch = port_map.watch();
//! // Either may change at any time; this waits for the first news.
//! match &*watch.wait_for(|status| *status != Status::Asking).await? {
//!     Status::Mapped(mapping) => println!("tell friends {}", mapping.external),
//!     Status::Failed(error) => println!("{error}"),
//!     _ => {}
//! }
//! port_map.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Not here
//!
//! IPv6, where nothing is translated and PCP would open a firewall's pinhole; TCP; the announcements that gateways make when they have started anew
//! (RFC 6886, section 3.2.1), for which a second port would have to be open; mappings without an end, which would outlive a crash.

mod address;
mod asker;
mod control;
mod error;
mod gateway;
mod keeper;
mod mapping;
mod nat_pmp;
mod options;
mod pcp;
mod portmap;
mod protocol;
mod upnp;

pub use self::{
    error::{Attempt, Cause, Error},
    mapping::Mapping,
    options::Options,
    portmap::{PortMap, Status},
    protocol::{Protocol, UnknownProtocol},
};
