//! How this machine is reached, as far as it is known.

use serde::{Deserialize, Serialize};

use super::Transport;

/// How a machine is reached, as far as it knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReachView {
    /// What friends are told, in that order.
    pub addresses: Vec<AddressView>,
    /// Which ports the routers in between give.
    pub mapping: MappingKind,
    /// For how long they keep one without traffic, in seconds, where that was measured.
    pub mapping_lifetime_secs: Option<u64>,
    /// Asking the router for a port.
    pub portmap: PortmapView,
    /// Whose questions how they are seen this machine answers.
    pub answers: AnswersKind,
    /// The STUN servers that the user listed: `HOST:PORT`.
    pub stun_servers: Vec<String>,
}

/// An address of this machine, as friends are told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressView {
    /// `ADDRESS:PORT`.
    pub address: String,
    /// By what it is reached.
    pub transport: Transport,
    /// How it became known.
    pub kind: AddressKind,
    /// Friends who see this machine there, by name.
    pub seen_by: Vec<String>,
    /// STUN servers that do, by IP address.
    pub servers: Vec<String>,
}

/// How an address became known (RFC 8445, section 5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressKind {
    /// One of this machine's interfaces has it.
    Host,
    /// The router was asked for it.
    Mapped,
    /// Others see this machine there.
    Reflexive,
    /// A service shows the address; the port is a guess.
    Guessed,
}

/// Which ports the routers in between give (RFC 4787, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MappingKind {
    /// Nobody has told.
    Unknown,
    /// None: this machine has a public address.
    None,
    /// The same one towards everybody.
    Independent,
    /// Another one towards each destination, one after the other.
    Sequential,
    /// Another one towards each destination, and nobody can tell which.
    Random,
}

/// Asking the router for a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortmapView {
    /// Whether it is off, under way, done or not done.
    pub state: PortmapState,
    /// Where the router lets others in to us.
    pub external: Option<String>,
    /// How it was asked, where it does: `PCP`, `NAT-PMP`, `UPnP`.
    pub by: Option<String>,
    /// Why it does not, one sentence.
    pub error: Option<String>,
}

/// How asking the router for a port stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortmapState {
    /// Nobody asked for it.
    Off,
    /// It has not answered yet.
    Asking,
    /// It lets others in.
    Mapped,
    /// It does not; it is asked again.
    Failed,
}

/// Whose questions how they are seen are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswersKind {
    /// Nobody's.
    Off,
    /// Those of friends who may, and of newcomers whom they invite.
    Friends,
    /// Everybody's.
    Anyone,
}
