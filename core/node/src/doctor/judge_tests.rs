#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::api::types::{LinkState, PathKind, PortmapView, RelayState, RendezvousView, Transport};
use crate::doctor::facts::{Carried, Interfaces, Listens};
use crate::doctor::report::{BridgeFigure, Family, Figures};

/// Somebody at home who knows nothing yet.
fn facts() -> Facts {
    let bridge = BridgeFigure {
        bridge: "dir".into(),
        title: "folder /mnt/share".into(),
        works: true,
        latency_ms: Some(0.4),
        note: None,
    };
    Facts {
        figures: Figures {
            udp: Known::Unknown,
            asked: 0,
            answered: 0,
            addresses: vec![],
            mapping: MappingKind::Unknown,
            filtering: FilteringKind::Unknown,
            mapping_lifetime_secs: None,
            hairpin: Known::Unknown,
            ipv6: Ipv6Kind::None,
            portmap: PortmapView { state: PortmapState::Off, external: None, by: None, error: None },
            answers: AnswersKind::Off,
            responders: 0,
            stun_servers: vec![],
            unresolved: vec![],
            bridges: vec![bridge],
            friends: vec![],
            clock_ahead_secs: Some(0),
            disk_free_bytes: Some(1 << 40),
            disk_write_ms: Some(2.0),
            open_to_others: vec![],
        },
        config: "/h/config.toml".into(),
        home: "/h".into(),
        is_brief: false,
        interfaces: Interfaces { any: true, v4: true, v4_public: false },
        listens: Listens { udp: true, tcp: false },
        links: Carried::default(),
        is_behind_two_routers: false,
        clock_wrong: None,
        rendezvous: None,
        unwritable: None,
    }
}

fn with(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = facts();
    change(&mut facts);
    facts
}

/// Behind a router of which this was measured.
fn behind(mapping: MappingKind, filtering: FilteringKind) -> Facts {
    with(|facts| {
        let figures = &mut facts.figures;
        (figures.mapping, figures.filtering, figures.udp) = (mapping, filtering, Known::Yes);
        (figures.asked, figures.answered, figures.responders) = (2, 2, 1);
    })
}

fn friend(name: &str) -> FriendFigure {
    FriendFigure {
        friend: name.into(),
        account: "qrew".into(),
        link: LinkState::Down,
        path: None,
        transport: None,
        family: None,
        remote: None,
        relay: None,
        rtt_ms: None,
        step: None,
        reason: None,
        reflects: false,
        relays: false,
        relay_state: None,
        blocked: false,
    }
}

#[track_caller]
fn of(facts: &Facts, topic: Topic) -> Finding {
    let found: Vec<_> = judge(facts).0.into_iter().filter(|finding| finding.topic == topic).collect();
    assert_eq!(found.len(), 1, "{topic:?}: {found:?}");
    found[0].clone()
}

fn says(finding: &Finding, what: &str) -> bool {
    let advice = finding.advice.join(" ");
    format!("{} {} {advice}", finding.what, finding.why.as_deref().unwrap_or_default()).contains(what)
}

/// D directly, G after guessing, T by TCP, R by a relay, ? not known; in the order of the kinds of networks.
fn ways(facts: &Facts) -> String {
    let letter = |it: &Reachable| match it.way {
        Way::Direct => 'D',
        Way::Guess => 'G',
        Way::Tcp => 'T',
        Way::Relay => 'R',
        Way::Unknown => '?',
    };
    who::reachable(facts).iter().map(letter).collect()
}

#[test]
fn who_gets_through_to_whom_is_as_it_was_measured() {
    use FilteringKind::{Address, AddressAndPort, Anybody, Unknown as NotTried};
    use MappingKind::{Independent, None as NoNat, Random, Sequential, Unknown};
    let public = |facts: &mut Facts| facts.interfaces.v4_public = true;
    // Same network, public, one port, ports in order, random ports, UDP blocked, IPv6 alone.
    let table = [
        (behind(Independent, Anybody), "DDDDDRR", Verdict::Good),
        (behind(Independent, Address), "DDDDDRR", Verdict::Good),
        (behind(Independent, AddressAndPort), "DDDDGRR", Verdict::Good),
        (behind(Independent, NotTried), "DDDDGRR", Verdict::Good),
        (behind(Sequential, AddressAndPort), "DDDRRRR", Verdict::Fair),
        (behind(Random, AddressAndPort), "DDGRRRR", Verdict::Fair),
        (behind(Unknown, NotTried), "DD???RR", Verdict::Unknown),
        (facts(), "D????RR", Verdict::Unknown),
        (with(public), "DDDDGRR", Verdict::Good),
        (
            with(|it| {
                public(it);
                it.listens.tcp = true;
            }),
            "DDDDGTR",
            Verdict::Good,
        ),
        (
            {
                let mut it = behind(NoNat, Address);
                public(&mut it);
                (it.listens.tcp, it.figures.ipv6) = (true, Ipv6Kind::Works);
                it
            },
            "DDDDDTD",
            Verdict::Good,
        ),
        (with(|it| it.figures.udp = Known::No), "DTRRRRR", Verdict::Bad),
        (with(|it| it.listens = Listens { udp: false, tcp: true }), "DTRRRRR", Verdict::Bad),
        (
            {
                let mut it = behind(Random, AddressAndPort);
                it.figures.portmap.state = PortmapState::Mapped;
                it
            },
            "DDDDDRR",
            Verdict::Good,
        ),
        (
            with(|it| {
                it.interfaces = Interfaces { any: true, v4: false, v4_public: false };
                it.figures.ipv6 = Ipv6Kind::Works;
            }),
            "DRRRRRD",
            Verdict::Fair,
        ),
        (
            {
                let mut it = behind(Random, AddressAndPort);
                it.figures.ipv6 = Ipv6Kind::Address;
                it
            },
            "DDGRRR?",
            Verdict::Fair,
        ),
    ];
    for (facts, expected, verdict) in table {
        let (mapping, filtering) = (facts.figures.mapping, facts.figures.filtering);
        assert_eq!(ways(&facts), expected, "{mapping:?} {filtering:?}");
        let reach = of(&facts, Topic::Reach);
        assert_eq!(reach.verdict, verdict, "{mapping:?} {filtering:?}: {reach:?}");
    }
}

#[test]
fn no_pair_depends_on_which_side_one_is() {
    // What we say of them behind that router is what they say of us behind this one.
    use FilteringKind::AddressAndPort;
    let kinds = [
        (PeerNetwork::OnePort, MappingKind::Independent),
        (PeerNetwork::PortsInOrder, MappingKind::Sequential),
        (PeerNetwork::RandomPorts, MappingKind::Random),
    ];
    for (network, mapping) in kinds {
        for (other_network, other_mapping) in kinds {
            assert_eq!(
                who::way(&behind(mapping, AddressAndPort), other_network),
                who::way(&behind(other_mapping, AddressAndPort), network),
                "{mapping:?} {other_mapping:?}"
            );
        }
    }
}

#[test]
fn where_a_relay_is_needed_it_is_said_and_who_relays_is_named() {
    let mut facts = behind(MappingKind::Random, FilteringKind::AddressAndPort);
    let relays = of(&facts, Topic::Relays);
    assert_eq!(relays.verdict, Verdict::Fair);
    assert_eq!(relays.what, "none of your friends relays for you");
    assert!(says(&relays, "`wayside friend allow relay YOU`"), "{relays:?}");
    assert!(says(&of(&facts, Topic::Reach), "a friend that relays is needed"), "{facts:?}");
    facts.figures.friends = vec![FriendFigure { relays: true, ..friend("Rita") }];
    let relays = of(&facts, Topic::Relays);
    assert_eq!((relays.verdict, relays.what.as_str()), (Verdict::Good, "Rita relays for you"));
    assert!(says(&relays, "comes over the next link"), "{relays:?}");
    facts.figures.friends[0].relay_state = Some(RelayState::Reachable);
    assert_eq!(of(&facts, Topic::Relays).why, None);
    let away = FriendFigure { relays: true, relay_state: Some(RelayState::Away), ..friend("Rolf") };
    facts.figures.friends.push(away);
    let relays = of(&facts, Topic::Relays);
    assert_eq!((relays.verdict, relays.what.as_str()), (Verdict::Good, "Rita relays for you"));
    assert!(says(&relays, "Rolf would too"), "{relays:?}");
    facts.figures.friends[0].blocked = true;
    let relays = of(&facts, Topic::Relays);
    assert_eq!(relays.verdict, Verdict::Fair);
    assert_eq!(relays.what, "Rolf would relay for you, and cannot be reached now");
    facts.figures.friends.clear();
    assert_eq!(of(&facts, Topic::Relays).what, "none of your friends relays for you");
}

#[test]
fn who_knows_nothing_is_told_what_would_tell() {
    let facts = facts();
    for topic in [Topic::Udp, Topic::Mapping, Topic::Stun, Topic::Reach] {
        let finding = of(&facts, topic);
        assert_eq!(finding.verdict, Verdict::Unknown, "{finding:?}");
        assert!(says(&finding, "`wayside friend allow reflect YOU`"), "{finding:?}");
        assert!(says(&finding, "in /h/config.toml, under `[network]`: `stun_servers"), "{finding:?}");
    }
    let known = with(|facts| {
        facts.figures.friends = vec![FriendFigure { reflects: true, ..friend("Fay") }];
        facts.is_brief = true;
    });
    let stun = of(&known, Topic::Stun);
    assert!(says(&stun, "`wayside doctor --friend Fay`") && says(&stun, "`wayside up`"), "{stun:?}");
}

#[test]
fn a_friends_name_is_no_command() {
    for name in ["Fay'; rm -rf ~; '", "-v", "$(x)", "a b"] {
        let facts =
            with(|facts| facts.figures.friends = vec![FriendFigure { reflects: true, ..friend(name) }]);
        let stun = of(&facts, Topic::Stun);
        assert!(says(&stun, "--friend qrew`") && !says(&stun, name), "{stun:?}");
    }
}

#[test]
fn udp_is_told_from_nobody_there() {
    let with_links = |udp: Known, asked, tcp: &[&str]| {
        with(|facts| {
            (facts.figures.udp, facts.figures.asked) = (udp, asked);
            facts.links.tcp = tcp.iter().map(|name| (*name).to_owned()).collect();
        })
    };
    for (facts, verdict, what) in [
        (with_links(Known::Unknown, 0, &[]), Verdict::Unknown, "nobody on the internet could be asked"),
        (with_links(Known::Unknown, 1, &[]), Verdict::Unknown, "did not answer, and may be away"),
        (with_links(Known::Unknown, 0, &["Fay"]), Verdict::Unknown, "that network's fault or this one's"),
        (with_links(Known::No, 2, &[]), Verdict::Bad, "0 of 2 that were asked answered"),
        (with_links(Known::No, 1, &["Fay"]), Verdict::Bad, "the link with Fay came up over TCP alone"),
        (with_links(Known::No, 0, &["Fay", "Gil"]), Verdict::Bad, "tcp://0.0.0.0:443"),
        (with_links(Known::Yes, 2, &["Fay"]), Verdict::Good, "0 of 2"),
    ] {
        let finding = of(&facts, Topic::Udp);
        assert_eq!(finding.verdict, verdict, "{finding:?}");
        assert!(says(&finding, what), "{finding:?}");
    }
}

#[test]
fn the_router_is_recommended_to_be_asked_only_where_there_is_one_and_it_would_help() {
    let line = "`portmap = [\"pcp\", \"nat-pmp\"]`";
    let mut random = behind(MappingKind::Random, FilteringKind::AddressAndPort);
    let finding = of(&random, Topic::Portmap);
    assert!(finding.verdict == Verdict::Fair && says(&finding, line), "{finding:?}");
    random.figures.portmap = PortmapView {
        state: PortmapState::Failed,
        error: Some("your gateway is itself behind another NAT: its outer address is 100.64.0.7".into()),
        ..random.figures.portmap
    };
    random.is_behind_two_routers = true;
    let finding = of(&random, Topic::Portmap);
    assert!(finding.verdict == Verdict::Fair && says(&finding, "100.64.0.7"), "{finding:?}");
    assert!(says(&finding, "the provider, is in between") && !says(&finding, line), "{finding:?}");
    assert!(!says(&of(&random, Topic::Mapping), line), "it is on already");
    let public = with(|facts| facts.interfaces.v4_public = true);
    let finding = of(&public, Topic::Portmap);
    assert!(finding.verdict == Verdict::Good && !says(&finding, line), "{finding:?}");
    assert_eq!(of(&facts(), Topic::Portmap).verdict, Verdict::Unknown);
}

#[test]
fn where_udp_is_blocked_nothing_is_said_of_what_routers_do_to_it() {
    let blocked = with(|facts| (facts.figures.udp, facts.figures.asked) = (Known::No, 2));
    let findings = judge(&blocked).0;
    let about = [Topic::Mapping, Topic::Filtering, Topic::Hairpin, Topic::Lifetime, Topic::Portmap];
    assert!(findings.iter().all(|it| !about.contains(&it.topic) && !says(it, "portmap =")), "{findings:?}");
}

#[test]
fn who_is_not_connected_is_told_that_alone() {
    let offline = with(|facts| facts.interfaces = Interfaces::default());
    let (findings, reachable) = judge(&offline);
    assert!(reachable.is_empty(), "{reachable:?}");
    assert_eq!(of(&offline, Topic::Network).verdict, Verdict::Bad);
    assert!(findings.iter().all(|finding| finding.topic != Topic::Udp && finding.topic != Topic::Mapping));
    let alone = with(|facts| facts.listens = Listens::default());
    assert_eq!(of(&alone, Topic::Network).verdict, Verdict::Fair);
    assert_eq!(of(&alone, Topic::Relays).verdict, Verdict::Unknown);
}

#[test]
fn friends_are_told_of_by_how_they_are_linked_and_why_not() {
    let up = FriendFigure {
        link: LinkState::Up,
        path: Some(PathKind::Direct),
        transport: Some(Transport::Udp),
        family: Some(Family::Ipv6),
        rtt_ms: Some(12.3),
        ..friend("Ada")
    };
    let step = |step: &str| FriendFigure {
        step: Some(step.into()),
        reason: Some("the reason".into()),
        ..friend("Ada")
    };
    let relayed = FriendFigure {
        path: Some(PathKind::Relay),
        transport: None,
        relay: Some("Rita".into()),
        ..FriendFigure { reason: Some("the NATs on both sides".into()), ..up.clone() }
    };
    let tcp = FriendFigure { transport: Some(Transport::Tcp), ..up.clone() };
    for (figure, verdict, what) in [
        (up, Verdict::Good, "Ada is linked directly by UDP over IPv6, 12 ms away"),
        (tcp, Verdict::Fair, "linked directly by TCP"),
        (relayed, Verdict::Fair, "linked through Rita, who relays, 12 ms away the NATs on both sides"),
        (
            step("no-way"),
            Verdict::Bad,
            "no way led to Ada at the last meeting the reason `wayside explain Ada`",
        ),
        (step("no-bridge"), Verdict::Bad, "`wayside bridge add`"),
        (step("offered"), Verdict::Unknown, "Ada has not answered"),
        (step("linked"), Verdict::Unknown, "1 friend is not linked now"),
        (FriendFigure { blocked: true, ..step("no-way") }, Verdict::Unknown, "not linked now"),
        (friend("Ada"), Verdict::Unknown, "1 friend is not linked now"),
    ] {
        let finding = of(&with(|facts| facts.figures.friends = vec![figure]), Topic::Friends);
        assert_eq!(finding.verdict, verdict, "{finding:?}");
        assert!(says(&finding, what), "{finding:?}");
    }
    assert!(says(&of(&facts(), Topic::Friends), "`wayside invite`"));
    let many = with(|facts| facts.figures.friends = vec![step("no-way"); 100]);
    assert!(judge(&many).0.len() < 60, "of many the figures tell");
}

#[test]
fn bridges_are_bad_only_where_none_works() {
    let broken = |name: &str| BridgeFigure {
        bridge: name.into(),
        title: "a room".into(),
        works: false,
        latency_ms: None,
        note: Some("no answer".into()),
    };
    let both = with(|facts| facts.figures.bridges.push(broken("room")));
    let of_room =
        |facts: &Facts| judge(facts).0.into_iter().find(|it| it.about.as_deref() == Some("room")).unwrap();
    assert_eq!(of_room(&both).verdict, Verdict::Fair);
    let alone = with(|facts| facts.figures.bridges = vec![broken("room")]);
    let finding = of_room(&alone);
    assert!(finding.verdict == Verdict::Bad && says(&finding, "no answer"), "{finding:?}");
    assert!(says(&finding, "`wayside bridge test room`"), "{finding:?}");
    assert_eq!(of(&with(|facts| facts.figures.bridges.clear()), Topic::Bridges).verdict, Verdict::Bad);
    let slow = with(|facts| facts.figures.bridges[0].latency_ms = Some(9_000.0));
    assert_eq!(of(&slow, Topic::Bridges).verdict, Verdict::Fair);
}

#[test]
fn the_machine_itself_is_looked_at() {
    for (facts, topic, verdict) in [
        (with(|it| it.figures.clock_ahead_secs = None), Topic::Clock, Verdict::Unknown),
        (with(|it| it.figures.clock_ahead_secs = Some(-30)), Topic::Clock, Verdict::Good),
        (with(|it| it.figures.clock_ahead_secs = Some(-600)), Topic::Clock, Verdict::Fair),
        (with(|it| it.clock_wrong = Some("set it right".into())), Topic::Clock, Verdict::Bad),
        (facts(), Topic::Disk, Verdict::Good),
        (with(|it| it.figures.disk_free_bytes = Some(100 << 20)), Topic::Disk, Verdict::Fair),
        (with(|it| it.figures.disk_free_bytes = Some(1 << 20)), Topic::Disk, Verdict::Bad),
        (with(|it| it.figures.disk_write_ms = Some(5_000.0)), Topic::Disk, Verdict::Fair),
        (with(|it| it.unwritable = Some("the disk is read-only".into())), Topic::Disk, Verdict::Bad),
        (facts(), Topic::Home, Verdict::Good),
        (with(|it| it.figures.open_to_others = vec!["config.toml".into()]), Topic::Home, Verdict::Fair),
        (with(|it| it.figures.open_to_others = vec![".".into()]), Topic::Home, Verdict::Fair),
        (
            with(|it| it.figures.open_to_others = vec![".".into(), "store.redb".into()]),
            Topic::Home,
            Verdict::Bad,
        ),
    ] {
        let finding = of(&facts, topic);
        assert_eq!(finding.verdict, verdict, "{finding:?}");
    }
    let open = with(|it| {
        it.home = "/h/it's".into();
        it.figures.open_to_others = vec!["run/".into(), "store.redb".into()];
    });
    let modes = of(&open, Topic::Home).advice;
    assert_eq!(modes, [r"`chmod 700 '/h/it'\''s/run/'`", r"`chmod 600 '/h/it'\''s/store.redb'`"]);
}

#[test]
fn a_drop_for_everybody_is_told_of_where_there_is_one() {
    assert!(judge(&facts()).0.iter().all(|finding| finding.topic != Topic::Rendezvous));
    let served = |records| {
        with(|it| {
            it.rendezvous = Some(RendezvousView {
                listen: "192.0.2.1:3480".into(),
                records,
                bytes: 1_000,
                spaces: 1,
                most_records: 1_000,
                most_bytes: 1_000_000,
            });
        })
    };
    assert_eq!(of(&served(10), Topic::Rendezvous).verdict, Verdict::Good);
    let finding = of(&served(950), Topic::Rendezvous);
    assert!(finding.verdict == Verdict::Fair && says(&finding, "95 % full"), "{finding:?}");
    assert!(says(&finding, "`[rendezvous]`"), "{finding:?}");
}

#[test]
fn findings_come_in_order_and_the_worst_that_is_known_counts() {
    for facts in [facts(), behind(MappingKind::Random, FilteringKind::AddressAndPort)] {
        let topics: Vec<_> = judge(&facts).0.iter().map(|finding| finding.topic).collect();
        assert!(topics.is_sorted(), "{topics:?}");
    }
    let finding = |verdict| Finding::new(Topic::Udp, verdict, "");
    for (verdicts, expected) in [
        (&[][..], Verdict::Unknown),
        (&[Verdict::Unknown], Verdict::Unknown),
        (&[Verdict::Unknown, Verdict::Good], Verdict::Good),
        (&[Verdict::Good, Verdict::Fair, Verdict::Unknown], Verdict::Fair),
        (&[Verdict::Fair, Verdict::Bad, Verdict::Good], Verdict::Bad),
    ] {
        let findings: Vec<_> = verdicts.iter().map(|verdict| finding(*verdict)).collect();
        assert_eq!(worst(&findings), expected);
    }
}

#[test]
fn every_sentence_reads_like_one() {
    let situations = [
        facts(),
        behind(MappingKind::Random, FilteringKind::AddressAndPort),
        behind(MappingKind::Sequential, FilteringKind::Address),
        with(|facts| (facts.figures.udp, facts.figures.asked) = (Known::No, 2)),
        with(|facts| facts.interfaces = Interfaces::default()),
    ];
    for facts in situations {
        let (findings, reachable) = judge(&facts);
        let what = findings.iter().map(|finding| &finding.what).chain(reachable.iter().map(|it| &it.what));
        let all = what.chain(findings.iter().flat_map(|it| it.why.iter().chain(&it.advice)));
        for sentence in all {
            let ends = sentence.chars().last().is_some_and(|c| c.is_alphanumeric() || matches!(c, '`' | ')'));
            assert!(ends && !sentence.contains("  ") && !sentence.contains('\n'), "{sentence:?}");
        }
    }
}
