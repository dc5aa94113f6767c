//! What a *bridge* is: a service that two people already share, seen as a place where small sealed records
//! can be left and found.
//!
//! A plugin author implements [`Bridge`] (eight methods, none with a default), says what the service can do
//! in a [`Capability`], and registers a [`BridgeKind`]. A user of bridges calls the same methods, and the
//! conveniences of [`BridgeExt`]. Layers ([`layers`]) wrap a bridge in another one: `check` refuses what the
//! capability does not declare, `retry` and `rate limit` keep to what the service allows, `chaos` breaks
//! things with a seed.
//!
//! # What may be assumed, and what not
//!
//! A bridge is **untrusted in both directions**. The service behind it may read, drop, delay, duplicate,
//! reorder, replay and invent records; nobody above it relies on any of that not happening. A bridge in turn
//! hands every record on **untouched**: it never judges contents, and a record that it cannot parse is
//! skipped and counted, not an error for the others.
//!
//! A bridge never reads the ambient clock or ambient randomness and never starts threads behind one's back:
//! time, entropy and a spawner come with [`BridgeContext`].
//!
//! # Example
//!
//! ```
//! use wayside_bridge::{BridgeExt, Class, Key, MemoryService, Record, Slot, Timestamp};
//!
//! # futures::executor::block_on(async {
//! let service = MemoryService::new();
//! let (alice, bob) = (service.bridge("alice"), service.bridge("bob"));
//!
//! let key = Key::Slot(Slot([7; 16]));
//! let record = Record::new(key.clone(), Class::Meeting, Timestamp::from_secs(86_400), &b"sealed"[..]);
//! alice.publish_one(&record).await?;
//! let found = bob.fetch_keys([key]).await?;
//! assert_eq!(found, vec![record]);
//! # Ok::<(), wayside_bridge::BridgeError>(())
//! # }).unwrap();
//! ```
//!
//! # Not here
//!
//! Cryptography, what records mean, when to publish: that is `wayside-proto`. Drivers, storage, sockets:
//! `wayside-node`.

mod bridge;
mod capability;
mod context;
mod error;
pub mod file;
pub mod layers;
mod manual;
mod memory;
mod numbered;
mod permit;
mod record;
mod registry;
mod request;
mod room;

pub use bridge::{Bridge, BridgeExt, BridgeInfo, Locator, Probe, RingTarget};
pub use capability::{
    Capability, ClassCapability, Collision, Delivery, Kept, Lookup, Visibility, Wake, Writers,
};
pub use context::{BridgeContext, Clock, Entropy, Monotonic, SharedBridge, Spawner};
pub use error::{BridgeError, ErrorKind, Fault, Retry};
pub use manual::{ManualClock, SeededEntropy};
pub use memory::{MemoryBridge, MemoryRoom, MemoryService, MemoryServiceBuilder};
pub use numbered::{Numbered, Question};
pub use record::{Class, Key, Receipt, Record, Slot, Timestamp};
pub use registry::{BridgeKind, BridgeOptions, Opened, OptionSpec, Registry};
pub use request::{Batch, Cursor, Fetch, Keys, Place, RecordStream, Watch};
pub use room::{Incoming, Outgoing, Room, RoomEvent, RoomEvents, RoomInfo, Sender, SharedRoom, Standing};
