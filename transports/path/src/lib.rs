//! How two machines get through to each other, which of a link's paths carries it, which one is dead, and what else is to be tried: decisions, and
//! nothing that acts on them.
//!
//! # The model
//!
//! A link between two machines may have several *paths* at a time: over UDP, over TCP where UDP is blocked, relayed by a friend. Datagrams
//! of the link travel over one of them, the *preferred* one; the others stand by. Each side chooses for what it sends.
//!
//! [`Paths`] is fed with what its driver sees (paths that open and close, their counters) and drained of [`Action`]s:
//!
//! ```text
//!   opened, closed, observe ──> Paths ──> Prefer, Ask, Close, Open
//!   stir, handle_timeout    ──>   │
//!                                 └─────> poll_timeout: when to observe and call handle_timeout again
//! ```
//!
//! - **Choice** ([`choice`]): direct before relayed, UDP before TCP, then the lower latency, with hysteresis.
//! - **Liveness** ([`liveness`]): a path over which something was sent and nothing comes back is doubted, asked, and given up as soon as another
//!   one has answered meanwhile. Nobody waits for QUIC's idle timeout.
//! - **Attempts** ([`attempts`]): addresses that may lead to the peer and have no open path are tried again, soon where nothing works, rarely where
//!   all is well.
//!
//! # Pure
//!
//! No I/O, no clock, no randomness. Time is the [`Duration`](std::time::Duration) since any fixed moment, the same for one `Paths`.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use wayside_path::{Action, Kind, PathKey, Paths, Sample};
//!
//! let ms = Duration::from_millis;
//! let mut paths = Paths::default();
//! paths.opened(ms(0), PathKey(0), Kind::Udp { v6: false }, ms(20));
//! assert_eq!(paths.poll_action(), Some(Action::Prefer(PathKey(0))));
//! // Bytes were sent, nothing came back: the driver is told to observe again soon.
//! paths.observe(ms(30), PathKey(0), Sample { sent: 1200, received: 0, rtt: ms(20), ..Sample::default() });
//! paths.handle_timeout(ms(30));
//! assert!(paths.poll_timeout().is_some());
//! ```
//!
//! # Before there is a link
//!
//! [`Traversal`] gets packets through the NATs that are between two machines that have met ([`traversal`] has the model), and [`Budget`] keeps it from
//! being a nuisance. Where candidates come from is told to it.

pub mod attempts;
mod budget;
mod candidate;
pub mod choice;
pub mod liveness;
mod nat;
mod paths;
pub mod traversal;

pub use budget::Budget;
pub use candidate::{Candidate, CandidateKind};
pub use nat::{Filtering, Mapping, Nat};
pub use paths::{Action, PathKey, Paths, Sample};
pub use traversal::Traversal;

/// How a path carries datagrams, the best way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Straight to the peer, by UDP.
    Udp {
        /// Over IPv6.
        v6: bool,
    },
    /// Straight to the peer, framed in a TCP connection: for networks that block UDP.
    Tcp,
    /// Through a friend that forwards.
    Relayed,
}

impl Kind {
    /// Whether nobody is in between.
    pub fn is_direct(self) -> bool {
        self != Self::Relayed
    }

    /// Kinds of a lower rank are always preferred, whatever the latency.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Udp { .. } => 0,
            Self::Tcp => 1,
            Self::Relayed => 2,
        }
    }
}
