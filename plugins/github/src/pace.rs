//! How fast we go.

use std::time::Duration;

/// How often a bridge looks, how far apart its writes are, and how long it waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The least time between two looks, which the bridge declares.
    pub poll: Duration,
    /// The least time from the end of one write to the next.
    pub writes: Duration,
    /// How long one answer may take, all of it.
    pub patience: Duration,
}

impl Default for Pace {
    /// What suits github.com: a look each half minute, and a second between writes, as GitHub's "Best practices for using the REST API" asks.
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(30),
            writes: Duration::from_secs(1),
            patience: Duration::from_secs(30),
        }
    }
}
