//! What packets have in them.

use std::net::SocketAddr;

/// The contents of a packet. Seals are modelled: who has the key of a meeting can read and make what is under it, and nobody else can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// A question of a meeting.
    Ask {
        /// The secret of the meeting, and of the direction.
        key: u64,
        /// Its number.
        number: u64,
    },
    /// The answer to one.
    Answer {
        /// The secret of the meeting, and of the direction.
        key: u64,
        /// The question's number.
        number: u64,
        /// Where the question was seen to come from.
        seen: SocketAddr,
    },
    /// Asks a friend what it sees (RFC 8489, Binding).
    See,
    /// What a friend says that it saw.
    Seen(SocketAddr),
}
