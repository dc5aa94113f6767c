//! How often a space is looked at, and how long an answer may take.

use std::time::Duration;

/// How fast a bridge goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The least time between two looks, which the bridge declares.
    pub poll: Duration,
    /// How long one answer may take, all of it.
    pub patience: Duration,
    /// How long something to be written waits for more, so that both go out as one.
    pub linger: Duration,
}

impl Default for Pace {
    /// What suits a web server that others use as well: a look each quarter minute, which costs a few hundred bytes where nothing has changed.
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(15),
            patience: Duration::from_secs(30),
            linger: Duration::from_millis(30),
        }
    }
}
