//! A friend's datagrams, forwarded: frames, circuits, limits and fair queues, and no sockets.

mod frame;

pub use frame::{CircuitId, HEADER, Key, Keys, LONGEST, circuit_of, header, may_be_frame, open, seal_all};
