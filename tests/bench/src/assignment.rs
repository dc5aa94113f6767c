//! What the two processes of a run are told.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::subjects::SubjectName;

/// What one end of a run is to do.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Assignment {
    pub(crate) subject: SubjectName,
    pub(crate) settings: Settings,
    pub(crate) task: Task,
    /// The local address to bind, on a port that the system chooses.
    pub(crate) ip: IpAddr,
}

/// What is done over links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Task {
    /// The client sends so many bytes over one stream of a link that exists.
    Bulk { bytes: u64 },
    /// The client links so many times, one after another, and gets a byte back over each.
    Connect { count: u32 },
    /// The client asks so many times over a link that exists.
    Requests { count: u32 },
    /// The client makes so many links and leaves them alone.
    Idle { links: u32 },
}

impl Task {
    /// Links that may exist at once.
    pub(crate) fn links(self) -> u32 {
        match self {
            Self::Bulk { .. } | Self::Connect { .. } | Self::Requests { .. } => 1,
            Self::Idle { links } => links,
        }
    }
}

/// The size of a request, and of its answer, in bytes.
pub(crate) const REQUEST: usize = 1024;

/// How subjects are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Settings {
    /// Each as it comes.
    Defaults,
    /// Each with [`SAME`] where it lets itself be told.
    Same,
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Defaults => "defaults",
            Self::Same => "same settings",
        })
    }
}

/// Wayside's own settings, which it takes from nobody. Beside them [`Settings::Same`] means ChaCha20-Poly1305, X25519, aws-lc as provider
/// of both, and a full handshake for each connection.
pub(crate) struct Same {
    /// Unread bytes of one stream.
    pub(crate) stream_window: u32,
    /// Unread bytes of one connection.
    pub(crate) link_window: u32,
    /// Unacknowledged bytes of one connection.
    pub(crate) send_window: u64,
    /// The largest UDP payload that path MTU discovery tries.
    pub(crate) mtu: u16,
}

pub(crate) const SAME: Same =
    Same { stream_window: 2 << 20, link_window: 8 << 20, send_window: 4 << 20, mtu: 1452 };

/// How a client reaches a server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ticket {
    pub(crate) address: SocketAddr,
    /// A key or certificate, as the subject's client wants it.
    pub(crate) identity: Vec<u8>,
}
