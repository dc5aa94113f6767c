//! With the real miniupnpd, as a router in network namespaces that are made here: `tests/run portmap`.
//!
//! Needs root, iproute2, nftables, python3 and miniupnpd built for nftables. Nothing is sent on the machine's own network.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

mod network;

use std::{thread::sleep, time::Duration};

use network::{Network, OUTER, PORT, Router, Sent, until};

const SOON: Duration = Duration::from_secs(15);
/// The lease that is asked for, in seconds; miniupnpd grants it.
const LEASE: u64 = 12;

/// What each protocol goes through.
fn protocols() -> [(&'static str, &'static str, Router); 3] {
    let quiet = Router { upnp: false, control: false, ..Router::default() };
    [
        ("pcp", "PCP", Router { control: true, ..quiet }),
        ("nat-pmp", "NAT-PMP", Router { control: true, ..quiet }),
        ("upnp", "UPnP", Router { upnp: true, ..quiet }),
    ]
}

#[test]
#[ignore = "needs root and miniupnpd: tests/run portmap"]
fn a_mapping_leads_in_is_renewed_and_is_removed_on_sigterm() {
    for_each(|protocol, name, router| {
        let network = Network::new(router);
        let program = network.program(&[protocol, &format!("lease={LEASE}")]);
        let port = program.mapped(OUTER, name);
        println!("{name}: mapped after {:?}", program.age());
        assert_eq!(port, PORT, "the wish is granted");
        assert!(network.lets_in(port), "{name}");
        let first = network.leases();
        assert_eq!((first.len(), first[0].0, network.rules()), (1, port, 1));
        if protocol == "upnp" {
            assert_eq!(first[0].2, "wayside");
        }
        assert_eq!(network.sent().multicast, usize::from(protocol == "upnp"), "{name}");
        // Well after the first lease has ended.
        sleep(Duration::from_secs(LEASE + LEASE / 2));
        let later = network.leases();
        assert_eq!((later.len(), later[0].0, network.rules()), (1, port, 1), "{name}");
        assert!(later[0].1 >= first[0].1 + LEASE, "{name}: {first:?} {later:?}");
        assert!(network.lets_in(port), "{name}");
        let Sent { control, multicast, .. } = network.sent();
        println!("{name}: in {:?} {control} datagrams to port 5351, {multicast} multicasts", program.age());
        // Four rounds, and room for one that had to be repeated.
        assert!(control <= 10 && multicast <= 1, "{name}: {control} {multicast}");
        assert_eq!(program.terminate(), "closed");
        assert_eq!((network.leases(), network.rules()), (vec![], 0), "{name}");
    });
}

#[test]
#[ignore = "needs root and miniupnpd: tests/run portmap"]
fn a_mapping_is_removed_on_close_and_after_a_crash_with_its_lease() {
    for_each(|protocol, name, router| {
        let network = Network::new(router);
        let program = network.program(&[protocol, "for=2"]);
        program.mapped(OUTER, name);
        assert_eq!((network.leases().len(), network.rules()), (1, 1), "{name}");
        program.says("closed", SOON);
        assert_eq!((network.leases(), network.rules()), (vec![], 0), "{name}");

        let program = network.program(&[protocol, &format!("lease={LEASE}")]);
        let port = program.mapped(OUTER, name);
        program.crash();
        assert_eq!(network.rules(), 1, "{name}");
        until("the lease ends", Duration::from_secs(LEASE + 10), || network.rules() == 0);
        assert!(!network.lets_in(port));
    });
}

#[test]
#[ignore = "needs root and miniupnpd: tests/run portmap"]
fn after_a_crash_the_mapping_is_taken_over() {
    for_each(|protocol, name, router| {
        let network = Network::new(router);
        let arguments = [protocol, "nonce=twelve bytes"];
        let program = network.program(&arguments);
        let port = program.mapped(OUTER, name);
        program.crash();
        let program = network.program(&arguments);
        assert_eq!(program.mapped(OUTER, name), port, "{name}");
        assert_eq!((network.leases().len(), network.rules()), (1, 1), "{name}");
        assert_eq!(program.terminate(), "closed");
        assert_eq!((network.leases(), network.rules()), (vec![], 0), "{name}");
    });
}

#[test]
#[ignore = "needs root and miniupnpd: tests/run portmap"]
fn a_gateway_that_starts_anew_is_asked_again() {
    for_each(|protocol, name, router| {
        let mut network = Network::new(router);
        let program = network.program(&[protocol, &format!("lease={LEASE}")]);
        let port = program.mapped(OUTER, name);
        network.stop_daemon();
        assert_eq!(network.rules(), 0, "{name}");
        assert!(!network.lets_in(port), "{name}");
        sleep(Duration::from_secs(2));
        network.start_daemon();
        until("the mapping is back", Duration::from_secs(LEASE), || network.rules() == 1);
        println!("{name}: back {:?} after the program's start", program.age());
        assert!(network.lets_in(port), "{name}");
        assert_eq!(program.terminate(), "closed");
        assert_eq!(network.rules(), 0, "{name}");
    });
}

#[test]
#[ignore = "needs root and miniupnpd: tests/run portmap"]
fn a_mapping_that_ended_is_said_and_comes_back() {
    let (protocol, name, router) = protocols()[0];
    let mut network = Network::new(router);
    let program = network.program(&[protocol, &format!("lease={LEASE}")]);
    program.mapped(OUTER, name);
    network.stop_daemon();
    let said = program.says("failed: ", Duration::from_secs(LEASE + 10));
    assert_eq!(said, "the gateway 10.77.0.1 does not answer to PCP");
    println!("said {:?} after the program's start", program.age());
    network.start_daemon();
    let line = program.says("mapped ", Duration::from_secs(40));
    assert!(line.starts_with("11.0.0.2:4242 by PCP"), "{line}");
}

#[test]
#[ignore = "needs root and miniupnpd: tests/run portmap"]
fn pcp_is_preferred_and_nothing_is_multicast_then() {
    let network = Network::new(Router::default());
    let program = network.program(&["pcp", "nat-pmp", "upnp"]);
    program.mapped(OUTER, "PCP");
    let sent = network.sent();
    assert_eq!((sent.multicast, sent.all), (0, sent.control), "{sent:?}");
    assert!((1..=3).contains(&sent.control), "{sent:?}");
    assert_eq!(program.terminate(), "closed");
    assert_eq!(network.rules(), 0);
}

#[test]
#[ignore = "needs root and miniupnpd: tests/run portmap"]
fn what_one_protocol_does_not_bring_another_does() {
    let network = Network::new(Router { control: false, ..Router::default() });
    let program = network.program(&["pcp", "nat-pmp", "upnp"]);
    program.mapped(OUTER, "UPnP");
    assert_eq!(program.terminate(), "closed");
    assert_eq!(network.rules(), 0);
}

#[test]
#[ignore = "needs root and miniupnpd: tests/run portmap"]
fn a_gateway_may_grant_another_port() {
    for_each(|protocol, name, router| {
        let network = Network::new(Router { control: true, ..router });
        network.take_port();
        let program = network.program(&[protocol]);
        let port = program.mapped(OUTER, name);
        println!("{name}: port {port} in place of {PORT}");
        assert_ne!(port, PORT);
        assert!(network.lets_in(port), "{name}");
        assert_eq!(network.leases()[0].0, port);
        assert_eq!(program.terminate(), "closed");
        assert_eq!((network.leases(), network.rules()), (vec![], 0), "{name}");
    });
}

#[test]
#[ignore = "needs root and miniupnpd: tests/run portmap"]
fn a_gateway_may_refuse_a_port_or_all() {
    let refusing = Router { ports: "20000-65535", ..Router::default() };
    // By UPnP others are tried.
    let network = Network::new(refusing);
    let program = network.program(&["upnp"]);
    let port = program.mapped(OUTER, "UPnP");
    assert!(port >= 20_000 && network.lets_in(port));
    drop(program);
    let network = Network::new(Router { ports: "1024-1025", ..refusing });
    let program = network.program(&["upnp"]);
    assert_eq!(
        program.says("failed: ", SOON),
        "the gateway 10.77.0.1 made no mapping: UPnP: refused: not authorized (606)"
    );
    assert_eq!(network.rules(), 0);
}

#[test]
#[ignore = "needs root and miniupnpd: tests/run portmap"]
fn a_gateway_behind_another_nat_is_no_way_in() {
    let network = Network::new(Router { outer: "192.168.50.2", ..Router::default() });
    // By UPnP miniupnpd names no address then, and by PCP and NAT-PMP it refuses.
    let program = network.program(&["pcp", "nat-pmp", "upnp"]);
    assert_eq!(
        program.says("failed: ", SOON),
        "your gateway is itself behind another NAT, or not connected: its outer address is 0.0.0.0"
    );
    assert_eq!(program.terminate(), "closed");
    let program = network.program(&["pcp", "nat-pmp"]);
    assert_eq!(
        program.says("failed: ", SOON),
        "the gateway 10.77.0.1 made no mapping: PCP: refused: it has no room for another mapping (8); \
         NAT-PMP: refused: its outer network does not work (3)"
    );
    assert_eq!(program.terminate(), "closed");
    assert_eq!(network.rules(), 0);
}

#[test]
#[ignore = "needs root and miniupnpd: tests/run portmap"]
fn a_gateway_that_does_not_answer_is_said_soon() {
    const SAID: &str = "the gateway 10.77.0.1 does not answer to PCP, NAT-PMP or UPnP";
    // Its ports are closed.
    let network = Network::without_daemon(Router::default());
    let program = network.program(&["pcp", "nat-pmp", "upnp"]);
    assert_eq!(program.says("failed: ", SOON), SAID);
    println!("ports closed: said after {:?}", program.age());
    assert_eq!(program.terminate(), "closed");
    // It swallows what it is asked.
    network.swallow_questions();
    let before = network.sent();
    let program = network.program(&["pcp", "nat-pmp", "upnp"]);
    assert_eq!(program.says("failed: ", SOON), SAID);
    println!("swallowed: said after {:?}", program.age());
    assert!(program.age() < Duration::from_secs(9));
    let after = network.sent();
    assert_eq!((after.control - before.control, after.multicast - before.multicast), (6, 2));
    assert_eq!(after.all - before.all, 8, "and nobody else");
    assert_eq!(program.terminate(), "closed");
}

#[test]
#[ignore = "needs root and miniupnpd: tests/run portmap"]
fn off_sends_nothing() {
    let network = Network::new(Router::default());
    let program = network.program(&["for=3"]);
    program.says("off", SOON);
    program.says("closed", SOON);
    assert_eq!(network.sent(), Sent { control: 0, multicast: 0, all: 0 });
    assert_eq!((network.leases(), network.rules()), (vec![], 0));
}

/// In parallel: most of it is waiting.
fn for_each(test: impl Fn(&'static str, &'static str, Router) + Sync) {
    std::thread::scope(|scope| {
        for (protocol, name, router) in protocols() {
            let test = &test;
            scope.spawn(move || test(protocol, name, router));
        }
    });
}
