//! The made-up network does what it says: NATs by the words of RFC 4787, hop limits, queues, hairpins.
#![allow(clippy::indexing_slicing)]

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use proptest::prelude::*;
use wayside_netsim::{
    nat::{Allocation, Depends, Firewall, Hairpin, Nat, NatAxes, Refresh, Refusal},
    network::{CORE, Network, NodeId, Role, Wire},
    random::Random,
    transcript::Fate,
};

fn axes() -> NatAxes {
    NatAxes {
        mapping: Depends::Nothing,
        filtering: Depends::AddressAndPort,
        allocation: Allocation::Random,
        lifetime: Duration::from_secs(30),
        refresh: Refresh::Outbound,
        hairpin: Hairpin::No,
        collisions: false,
        background: 0,
    }
}

fn nat(axes: NatAxes) -> Nat {
    Nat::new(axes, IpAddr::from([31, 0, 0, 10]), Random::new(1, "nat"))
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

const INSIDE: &str = "192.168.1.7:4000";

#[test]
fn mappings_depend_on_what_they_say() {
    let seen = |mapping| {
        let mut nat = nat(NatAxes { mapping, ..axes() });
        ["5.5.5.5:1", "5.5.5.5:2", "6.6.6.6:1"]
            .map(|remote| nat.outbound(secs(0), at(INSIDE), at(remote)).map(|it| it.port()))
    };
    let [one, two, three] = seen(Depends::Nothing);
    assert!(one == two && two == three);
    let [one, two, three] = seen(Depends::Address);
    assert!(one == two && two != three);
    let [one, two, three] = seen(Depends::AddressAndPort);
    assert!(one != two && two != three && one != three);
}

#[test]
fn filters_depend_on_what_they_say() {
    let let_in = |filtering| {
        let mut nat = nat(NatAxes { filtering, ..axes() });
        let port = nat.outbound(secs(0), at(INSIDE), at("5.5.5.5:1")).map_or(0, |it| it.port());
        ["5.5.5.5:1", "5.5.5.5:2", "6.6.6.6:1"].map(|from| nat.inbound(secs(1), port, at(from)).is_ok())
    };
    assert_eq!(let_in(Depends::Nothing), [true, true, true]);
    assert_eq!(let_in(Depends::Address), [true, true, false]);
    assert_eq!(let_in(Depends::AddressAndPort), [true, false, false]);
}

#[test]
fn mappings_live_as_long_as_they_are_refreshed() {
    for (refresh, lives) in [(Refresh::Outbound, false), (Refresh::Both, true)] {
        let mut nat = nat(NatAxes { refresh, ..axes() });
        let port = nat.outbound(secs(0), at(INSIDE), at("5.5.5.5:1")).map_or(0, |it| it.port());
        assert!(nat.inbound(secs(20), port, at("5.5.5.5:1")).is_ok());
        assert_eq!(nat.inbound(secs(40), port, at("5.5.5.5:1")).is_ok(), lives, "{refresh:?}");
        nat.outbound(secs(45), at(INSIDE), at("5.5.5.5:1"));
        nat.reboot(None);
        assert_eq!(nat.inbound(secs(46), port, at("5.5.5.5:1")), Err(Refusal::NoMapping));
    }
}

#[test]
fn ports_are_given_as_said() {
    let ports = |allocation| {
        let mut nat = nat(NatAxes { mapping: Depends::AddressAndPort, allocation, ..axes() });
        let remotes = (1..=20).map(|port| SocketAddr::from(([5, 5, 5, 5], port)));
        remotes
            .filter_map(|remote| nat.outbound(secs(0), at(INSIDE), remote))
            .map(|it| it.port())
            .collect::<Vec<_>>()
    };
    let steps =
        |ports: &[u16]| ports.windows(2).map(|it| i32::from(it[1]) - i32::from(it[0])).collect::<Vec<_>>();
    assert_eq!(ports(Allocation::Preserve).first(), Some(&4_000));
    assert!(steps(&ports(Allocation::Preserve)).iter().all(|step| *step == 1));
    assert!(steps(&ports(Allocation::Sequential { step: 4 })).iter().all(|step| *step == 4));
    assert!(steps(&ports(Allocation::Contiguous)).iter().filter(|step| **step != 1).count() <= 1);
    assert!(steps(&ports(Allocation::Random)).iter().any(|step| step.abs() > 1_000));
}

/// Linux, where the router does not drop what is unsolicited before conntrack confirms it.
#[test]
fn an_unsolicited_packet_takes_the_tuple() {
    for collisions in [false, true] {
        let mut nat = nat(NatAxes { collisions, ..axes() });
        let port = nat.outbound(secs(0), at(INSIDE), at("5.5.5.5:1"));
        let stranger = at("6.6.6.6:1");
        assert!(nat.inbound(secs(1), port.map_or(0, |it| it.port()), stranger).is_err());
        let towards = nat.outbound(secs(2), at(INSIDE), stranger);
        assert_eq!(towards != port, collisions);
        assert_eq!(nat.outbound(secs(2), at(INSIDE), at("7.7.7.7:1")), port, "others see no difference");
    }
}

#[test]
fn others_move_a_sequence_on() {
    let axes = NatAxes {
        mapping: Depends::AddressAndPort,
        allocation: Allocation::Sequential { step: 1 },
        background: 60,
        ..axes()
    };
    let mut nat = nat(axes);
    let one = nat.outbound(secs(0), at(INSIDE), at("5.5.5.5:1")).map_or(0, |it| it.port());
    let two = nat.outbound(secs(10), at(INSIDE), at("5.5.5.5:2")).map_or(0, |it| it.port());
    assert_eq!(two - one, 11);
}

#[test]
fn a_firewall_lets_in_who_was_written_to() {
    let (inside, peer) = (at("[2a01::7]:1"), at("[2a02::7]:1"));
    let mut wall = Firewall::new(Depends::AddressAndPort, secs(30));
    assert!(wall.inbound(secs(0), inside, peer).is_err());
    wall.outbound(secs(0), inside, peer);
    assert!(wall.inbound(secs(29), inside, peer).is_ok());
    assert!(wall.inbound(secs(58), inside, peer).is_ok(), "refreshed by what came in");
    assert!(wall.inbound(secs(90), inside, peer).is_err());
    assert!(wall.inbound(secs(58), inside, at("[2a02::7]:2")).is_err());
}

proptest! {
    /// Two inside sockets never have one external port, whatever is sent when, and an answer to a fresh question always comes back to who asked.
    #[test]
    fn answers_come_back_and_ports_are_nobody_elses(
        mapping in 0..3_usize,
        filtering in 0..3_usize,
        allocation in 0..4_usize,
        collisions: bool,
        sends in proptest::collection::vec((0..6_u16, 0..4_u8, 0..3_u16, 0..20_000_u64), 1..120),
    ) {
        let depends = [Depends::Nothing, Depends::Address, Depends::AddressAndPort];
        let allocations = [
            Allocation::Preserve,
            Allocation::Random,
            Allocation::Sequential { step: 2 },
            Allocation::Contiguous,
        ];
        let axes = NatAxes {
            mapping: depends[mapping],
            filtering: depends[filtering],
            allocation: allocations[allocation],
            collisions,
            ..axes()
        };
        let mut nat = nat(axes);
        let mut now = Duration::ZERO;
        for (host, ip, port, pause) in sends {
            now += Duration::from_millis(pause);
            let inside = SocketAddr::from(([192, 168, 1, host as u8], 4_000 + host % 2));
            let remote = SocketAddr::from(([5, 5, 5, ip], 1 + port));
            let outside = nat.outbound(now, inside, remote);
            prop_assert!(outside.is_some());
            if let Some(outside) = outside {
                prop_assert_eq!(nat.inbound(now, outside.port(), remote), Ok(inside));
            }
        }
    }
}

/// A host behind two routers, and one across the core.
fn line(wire: Wire) -> (Network<u8>, NodeId, NodeId) {
    let mut network = Network::new(Random::new(1, "line"));
    let router = || Role::Router { inside: None, nat: None, firewall: None, blocks: false };
    let clean = Wire::clean(Duration::from_millis(1));
    let isp = network.add("isp", CORE, router(), clean);
    let home = network.add("home", isp, router(), wire);
    let host = network.add("host", home, Role::Host, clean);
    let other = network.add("other", CORE, Role::Host, clean);
    network.announce(host, IpAddr::from([31, 0, 0, 7]));
    network.announce(other, IpAddr::from([44, 0, 0, 7]));
    (network, host, other)
}

fn fates(network: &mut Network<u8>) -> Vec<Fate> {
    while network.due().is_some() {
        network.step();
    }
    network.transcript.iter().map(|line| line.fate).filter(|fate| *fate != Fate::Sent).collect()
}

#[test]
fn a_packet_dies_where_its_hop_limit_ends() {
    // The home's router, the provider's, the core: three that count it down.
    for (hops, fate) in [(1, Fate::Died), (3, Fate::Died), (4, Fate::Arrived)] {
        let (mut network, host, _) = line(Wire::clean(Duration::from_millis(1)));
        network.send(Duration::ZERO, host, at("31.0.0.7:1"), at("44.0.0.7:1"), hops, 0);
        assert_eq!(fates(&mut network), [fate], "{hops} hops");
    }
}

#[test]
fn what_a_line_cannot_take_is_queued_and_then_dropped() {
    let wire = Wire { rate: Some((100, 10)), ..Wire::clean(Duration::from_millis(1)) };
    let (mut network, host, _) = line(wire);
    for _ in 0..100 {
        network.send(Duration::ZERO, host, at("31.0.0.7:1"), at("44.0.0.7:1"), 64, 0);
    }
    let all = fates(&mut network);
    let arrived = all.iter().filter(|fate| **fate == Fate::Arrived).count();
    assert!((10..=12).contains(&arrived), "{arrived}");
    assert_eq!(all.iter().filter(|fate| **fate == Fate::Queue).count(), 100 - arrived);
}

#[test]
fn losses_and_repetitions_are_as_frequent_as_said() {
    let wire = Wire { loss: 100_000, repeats: 50_000, ..Wire::clean(Duration::from_millis(1)) };
    let (mut network, host, _) = line(wire);
    for number in 0..10_000 {
        let now = Duration::from_millis(number);
        network.send(now, host, at("31.0.0.7:1"), at("44.0.0.7:1"), 64, 0);
    }
    let all = fates(&mut network);
    let lost = all.iter().filter(|fate| **fate == Fate::Lost).count();
    let arrived = all.iter().filter(|fate| **fate == Fate::Arrived).count();
    assert!((900..1_100).contains(&lost), "{lost}");
    assert!((9_300..9_600).contains(&arrived), "{arrived}");
}

#[test]
fn jitter_puts_packets_out_of_order() {
    let wire = Wire { jitter: Duration::from_millis(20), ..Wire::clean(Duration::from_millis(1)) };
    let (mut network, host, _) = line(wire);
    for number in 0..100 {
        let now = Duration::from_millis(u64::from(number));
        network.send(now, host, at("31.0.0.7:1"), at("44.0.0.7:1"), 64, number);
    }
    fates(&mut network);
    let arrived = network.transcript.iter().filter(|line| line.fate == Fate::Arrived).map(|line| line.body);
    assert!(!arrived.collect::<Vec<_>>().is_sorted());
}

/// Two hosts behind one NAT, by its external address.
#[test]
fn packets_turn_round_as_said() {
    for (hairpin, expected) in [
        (Hairpin::No, Fate::NoHairpin),
        (Hairpin::InternalSource, Fate::Arrived),
        (Hairpin::ExternalSource, Fate::Arrived),
    ] {
        let mut network = Network::new(Random::new(1, "hairpin"));
        let axes =
            NatAxes { hairpin, filtering: Depends::Nothing, allocation: Allocation::Preserve, ..axes() };
        let nat = Some(Box::new(nat(axes)));
        let role = Role::Router { inside: None, nat, firewall: None, blocks: false };
        let clean = Wire::clean(Duration::from_millis(1));
        let router = network.add("router", CORE, role, clean);
        let [one, two] = [7, 8].map(|host: u8| {
            let node = network.add("host", router, Role::Host, clean);
            network.announce(node, IpAddr::from([192, 168, 1, host]));
            node
        });
        network.send(Duration::ZERO, two, at("192.168.1.8:5009"), at("44.0.0.7:1"), 64, 0);
        fates(&mut network);
        network.transcript.clear();
        network.send(Duration::from_secs(1), one, at("192.168.1.7:5005"), at("31.0.0.10:5009"), 64, 0);
        assert_eq!(fates(&mut network), [expected], "{hairpin:?}");
        if let Some(line) = network.transcript.iter().find(|line| line.fate == Fate::Arrived) {
            assert_eq!(line.node, two);
            let source =
                if hairpin == Hairpin::InternalSource { "192.168.1.7:5005" } else { "31.0.0.10:5005" };
            assert_eq!(line.source, at(source));
        }
    }
}
