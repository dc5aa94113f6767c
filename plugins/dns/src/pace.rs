//! How fast we go.

use std::time::Duration;

/// How often a bridge looks, how long caches keep what it writes, and how long it waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The least time between two looks, which the bridge declares.
    pub poll: Duration,
    /// How long caches keep an answer, in whole seconds.
    pub ttl: Duration,
    /// How long one answer may take, all tries of it.
    pub patience: Duration,
}

impl Default for Pace {
    /// A look as often as caches ask anew, which is about what a person waits gladly, and the five seconds that resolvers usually give a server.
    fn default() -> Self {
        Self { poll: Duration::from_secs(10), ttl: Duration::from_secs(10), patience: Duration::from_secs(5) }
    }
}
