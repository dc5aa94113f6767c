//! How fast we go.

use std::time::Duration;

/// How long a bridge waits, and how often it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long one answer of a server may take.
    pub patience: Duration,
    /// How long one `IDLE` lasts before it is issued anew. RFC 2177 asks for less than 29 minutes; home routers forget a silent connection sooner.
    pub idle: Duration,
    /// How often a mailbox is looked at whose server has no `IDLE`.
    pub poll: Duration,
    /// How long a connection to send by is kept for the next mail.
    pub linger: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(30),
            idle: Duration::from_secs(9 * 60),
            poll: Duration::from_secs(30),
            linger: Duration::from_secs(15),
        }
    }
}
