//! Addresses at which a peer may be reached.

use std::net::SocketAddr;

/// An address at which somebody may be reached by UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Candidate {
    /// How it became known.
    pub kind: CandidateKind,
    /// Address and port.
    pub address: SocketAddr,
}

/// How a candidate became known (RFC 8445, section 5.1.1), the most certain first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateKind {
    /// An address of one of its own interfaces.
    Host,
    /// A port mapping that its gateway was asked for.
    Mapped,
    /// What somebody else saw.
    Reflexive,
    /// A public address with a guessed port.
    Guessed,
}
