//! What happened to packets: a line for each that was sent, and one for where it came to its end.

use std::{fmt, net::SocketAddr, time::Duration};

use crate::{nat::Refusal, network::NodeId};

/// What became of a packet at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A host sent it.
    Sent,
    /// It came to a host.
    Arrived,
    /// It came to an address that nobody has, or to a host other than the two and their friends.
    Stranger,
    /// It came to a router's own inside address.
    Gateway,
    /// Its hop limit was used up.
    Died,
    /// The wire lost it.
    Lost,
    /// The wire's queue was full.
    Queue,
    /// A NAT or firewall refused it.
    Refused(Refusal),
    /// UDP is blocked there.
    Blocked,
    /// The NAT does not do hairpins.
    NoHairpin,
    /// The NAT had no port left.
    NoPort,
    /// The switch isolates its hosts.
    Isolated,
}

/// A line of the transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<B> {
    /// When.
    pub at: Duration,
    /// Where.
    pub node: NodeId,
    /// What happened.
    pub fate: Fate,
    /// Which packet.
    pub number: u64,
    /// Its source there.
    pub source: SocketAddr,
    /// Its destination there.
    pub to: SocketAddr,
    /// Its hop limit there.
    pub hops: u8,
    /// The host that sent it.
    pub sender: NodeId,
    /// What is in it.
    pub body: B,
}

impl<B: fmt::Debug> Line<B> {
    /// As people read it, with the names of the nodes.
    pub fn say(&self, node: &str, sender: &str) -> String {
        let Self { at, fate, number, source, to, hops, body, .. } = self;
        let fate = match fate {
            Fate::Refused(refusal) => format!("refused: {refusal:?}"),
            other => format!("{other:?}").to_lowercase(),
        };
        let at = at.as_micros() as f64 / 1e6;
        format!(
            "{at:10.6}  #{number:<6} {sender:<6} {source} -> {to} hops {hops:<2} at {node}: {fate}  {body:?}"
        )
    }
}
