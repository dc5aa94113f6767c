//! How this machine is reached, in the words of the local API.

use wayside_path::Mapping;
use wayside_proto::place::{CandidateKind, Transport as By};

use super::Requests;
use crate::api::types::{
    AddressKind, AddressView, AnswersKind, MappingKind, PortmapState, PortmapView, ReachView, Transport,
};
use crate::home::Stun;
use crate::reach::{PortMapping, Witness};

impl Requests {
    /// How this machine is reached, as far as it knows.
    pub(crate) async fn reach(&self) -> ReachView {
        let picture = self.driver.reach().picture();
        let mut addresses = Vec::new();
        for (candidate, witnesses) in picture.addresses {
            let (mut seen_by, mut servers) = (Vec::new(), Vec::new());
            for witness in witnesses {
                match witness {
                    Witness::Friend(account) => seen_by.push(self.driver.name_of(&account).await),
                    Witness::Server(ip) => servers.push(ip.to_string()),
                }
            }
            seen_by.sort();
            addresses.push(AddressView {
                address: candidate.address.to_string(),
                transport: match candidate.transport {
                    By::Udp => Transport::Udp,
                    By::Tcp => Transport::Tcp,
                },
                kind: kind(candidate.kind),
                seen_by,
                servers,
            });
        }
        ReachView {
            addresses,
            mapping: mapping(picture.nat.mapping),
            mapping_lifetime_secs: picture.nat.lifetime.map(|lifetime| lifetime.as_secs()),
            portmap: port_map(picture.port_mapping),
            answers: match self.network.stun {
                Stun::Off => AnswersKind::Off,
                Stun::Friends => AnswersKind::Friends,
                Stun::Anyone => AnswersKind::Anyone,
            },
            stun_servers: self.network.stun_servers.iter().map(ToString::to_string).collect(),
        }
    }
}

fn kind(kind: CandidateKind) -> AddressKind {
    match kind {
        CandidateKind::Host => AddressKind::Host,
        CandidateKind::Mapped => AddressKind::Mapped,
        CandidateKind::Reflexive => AddressKind::Reflexive,
        CandidateKind::Guessed => AddressKind::Guessed,
    }
}

fn mapping(mapping: Mapping) -> MappingKind {
    match mapping {
        Mapping::Unknown => MappingKind::Unknown,
        Mapping::None => MappingKind::None,
        Mapping::Independent => MappingKind::Independent,
        Mapping::Sequential { .. } => MappingKind::Sequential,
        Mapping::Random => MappingKind::Random,
    }
}

fn port_map(port_mapping: PortMapping) -> PortmapView {
    let state = |state| PortmapView { state, external: None, by: None, error: None };
    match port_mapping {
        PortMapping::Off => state(PortmapState::Off),
        PortMapping::Asking => state(PortmapState::Asking),
        PortMapping::Mapped { external, by } => {
            PortmapView { external: Some(external.to_string()), by: Some(by), ..state(PortmapState::Mapped) }
        }
        PortMapping::Failed(why) => PortmapView { error: Some(why), ..state(PortmapState::Failed) },
    }
}
