//! A friend's datagrams, forwarded: frames, circuits, limits and fair queues, and no sockets.

mod batch;
mod bucket;
mod circuits;
mod frame;
mod limits;
mod queue;
mod reason;
mod switch;
mod usage;

pub use frame::{CircuitId, HEADER, Key, Keys, LONGEST, circuit_of, header, may_be_frame, open, seal_all};
pub use limits::{Limits, OVERHEAD};
pub use reason::{Reason, Refusal};
pub use switch::{Count, Ended, Now, Opened, Owner, Switch, Tag, Transmit};
pub use usage::{Month, Usage};
