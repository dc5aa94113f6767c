//! What is known, as a person is shown it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use tokio::time::Instant;
use wayside_path::Nat;
use wayside_proto::place::{Candidate, Transport};

use super::knowledge::{Knowledge, Tried};
use super::portmap::PortMapping;
use super::sightings::Witness;

/// What is known of how this machine is reached.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    /// What peers are told, in that order, each with who sees it.
    pub(crate) addresses: Vec<(Candidate, BTreeSet<Witness>)>,
    /// What is in front of us.
    pub(crate) nat: Nat,
    /// Whether the router lets others in.
    pub(crate) port_mapping: PortMapping,
    /// Who was asked in the last round, and what else came of it.
    pub(crate) tried: Tried,
    /// The addresses of this machine's interfaces, link-local ones and loopback among them.
    pub(crate) interfaces: Vec<IpAddr>,
    /// Friends, and those whom an inviter named, who can be asked now.
    pub(crate) responders: usize,
}

impl Knowledge {
    /// What there is to show now.
    pub(super) fn picture(&mut self, now: Instant) -> Picture {
        let (told, seen) = (self.told(now), self.seen(now));
        let by = |candidate: &Candidate| {
            let same = seen
                .iter()
                .find(|it| it.address == candidate.address && candidate.transport == Transport::Udp);
            same.map(|it| it.by.clone()).unwrap_or_default()
        };
        let addresses = told.reach.candidates.iter().map(|candidate| (*candidate, by(candidate))).collect();
        Picture {
            addresses,
            nat: told.nat,
            port_mapping: self.port_mapping().clone(),
            tried: self.what_was_tried().clone(),
            interfaces: self.around().interfaces.iter().map(|(ip, _)| *ip).collect(),
            responders: self.responders.to_ask(&told.surroundings).len(),
        }
    }
}
