//! How to build on wayside, a page a task.
//!
//! | page | what it answers |
//! |---|---|
//! | [`friends`] | how people become friends, and write to each other |
//! | [`streams`] | how an application speaks a protocol of its own over links, and sends datagrams |
//! | [`events`] | how it hears of what happens |
//! | [`bridges`] | how it adds a service of its own over which friends meet |
//! | [`embedding`] | what a node does to the process, the disk and the network that it runs in |
//! | [`errors`] | what can fail, and what to do about it |
//! | [`testing`] | how it is tested, in simulated time |
//!
//! Whole programs are in `examples/`: `echo`, `chat`, `voice`, `custom-bridge`, `embed`. Each runs by itself (`cargo run --example echo`), and each is tried
//! by the tests.

pub mod bridges {
    #![doc = include_str!("bridges.md")]
}
pub mod embedding {
    #![doc = include_str!("embedding.md")]
}
pub mod errors {
    #![doc = include_str!("errors.md")]
}
pub mod events {
    #![doc = include_str!("events.md")]
}
pub mod friends {
    #![doc = include_str!("friends.md")]
}
pub mod streams {
    #![doc = include_str!("streams.md")]
}
pub mod testing {
    #![doc = include_str!("testing.md")]
}
