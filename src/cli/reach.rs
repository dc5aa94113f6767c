//! How this machine is seen from outside, in words.

use wayside::api::types::{
    AddressKind, AddressView, AnswersKind, MappingKind, PortmapState, PortmapView, ReachView, Transport,
};

use super::output::one_line;
use super::words::list;

/// Where it is reached, who says so, what is in between, and who may ask: a line each.
pub(super) fn lines(reach: &ReachView) -> Vec<String> {
    let mut lines: Vec<String> = reach.addresses.iter().map(address).collect();
    if !reach.addresses.iter().any(is_known_outside) {
        lines.push(
            "nobody has told this machine how it is seen from outside; friends in public or network.stun_servers would"
                .to_owned(),
        );
    }
    lines.extend(mapping(reach.mapping).map(str::to_owned));
    let lifetime = reach.mapping_lifetime_secs;
    lines.extend(lifetime.map(|secs| format!("your router forgets a port that is silent for {secs} s")));
    lines.push(format!("asking the router to let others in: {}", port_map(&reach.portmap)));
    lines.push(answers(reach.answers).to_owned());
    lines
}

/// Whether it says more than the machine knows by itself.
fn is_known_outside(address: &AddressView) -> bool {
    let by_others = !address.seen_by.is_empty() || !address.servers.is_empty();
    by_others || address.kind != AddressKind::Host
}

pub(super) fn address(view: &AddressView) -> String {
    let how = match view.kind {
        AddressKind::Host => "an address of this machine",
        AddressKind::Mapped => "the router lets others in there",
        AddressKind::Reflexive => "outside",
        AddressKind::Guessed => "a service shows the address, the port is a guess",
    };
    let friends = view.seen_by.iter().map(|name| one_line(name));
    let servers = view.servers.iter().map(|ip| format!("the STUN server {ip}"));
    let by: Vec<String> = friends.chain(servers).collect();
    let by = if by.is_empty() { String::new() } else { format!(", seen by {}", list(&by)) };
    let transport = match view.transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    };
    format!("{} ({transport}): {how}{by}", view.address)
}

fn mapping(mapping: MappingKind) -> Option<&'static str> {
    match mapping {
        MappingKind::Unknown => None,
        MappingKind::None => Some("no router changes this machine's address"),
        MappingKind::Independent => Some(
            "your router gives this machine one port towards everybody: friends reach it there once both know",
        ),
        MappingKind::Sequential => Some(
            "your router gives each destination another port, one after the other: the next one can be told",
        ),
        MappingKind::Random => Some("your router gives each destination another port, which nobody can tell"),
    }
}

fn port_map(portmap: &PortmapView) -> String {
    match portmap.state {
        PortmapState::Off => "off (network.portmap)".to_owned(),
        PortmapState::Asking => "it has not answered yet".to_owned(),
        PortmapState::Mapped => {
            let by = portmap.by.as_deref().map(|by| format!(" (by {by})")).unwrap_or_default();
            format!("works, at {}{by}", portmap.external.as_deref().unwrap_or("an unknown address"))
        }
        PortmapState::Failed => {
            format!("does not work: {}", one_line(portmap.error.as_deref().unwrap_or("no reason given")))
        }
    }
}

fn answers(answers: AnswersKind) -> &'static str {
    match answers {
        AnswersKind::Off => "friends may not ask this machine how they are seen (network.stun)",
        AnswersKind::Friends => {
            "friends who may reflect can ask this machine how they are seen, and so can newcomers whom they invite"
        }
        AnswersKind::Anyone => "anybody may ask this machine how they are seen",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> ReachView {
        ReachView {
            addresses: vec![],
            mapping: MappingKind::Unknown,
            mapping_lifetime_secs: None,
            portmap: PortmapView { state: PortmapState::Off, external: None, by: None, error: None },
            answers: AnswersKind::Off,
            stun_servers: vec![],
        }
    }

    #[test]
    fn who_knows_nothing_is_told_who_would() {
        let said = lines(&nothing());
        assert!(said.iter().any(|line| line.starts_with("nobody has told this machine")), "{said:?}");
        assert!(said.iter().any(|line| line.contains("network.portmap")), "{said:?}");
        assert!(said.iter().any(|line| line.contains("network.stun)")), "{said:?}");
    }

    #[test]
    fn what_is_known_is_said_with_who_said_it() {
        let seen = AddressView {
            address: "5.5.5.5:61000".into(),
            transport: Transport::Udp,
            kind: AddressKind::Reflexive,
            seen_by: vec!["Bob".into(), "Eve\u{1b}[2J".into()],
            servers: vec!["9.9.9.9".into()],
        };
        let portmap = PortmapView {
            state: PortmapState::Failed,
            error: Some("the gateway does not answer".into()),
            ..nothing().portmap
        };
        let reach = ReachView { addresses: vec![seen], mapping: MappingKind::Random, portmap, ..nothing() };
        let said = lines(&reach).join("\n");
        assert!(said.contains("5.5.5.5:61000 (UDP): outside, seen by Bob"), "{said}");
        assert!(said.contains("the STUN server 9.9.9.9"), "{said}");
        assert!(said.contains("gives each destination another port"), "{said}");
        assert!(said.contains("does not work: the gateway does not answer"), "{said}");
        assert!(!said.contains('\u{1b}') && !said.contains("nobody has told"), "{said}");
    }
}
