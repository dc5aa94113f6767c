//! Friends on one local network and nothing else: real processes in network namespaces, real multicast. Only `tests/run lan` has them made; nothing is ever
//! said on the machine's own network.
//!
//! `WAYSIDE_LAN_ROUNDS` is how often two friends are started (10).
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    dead_code,
    unreachable_pub,
    reason = "a test that meets what it did not expect has failed; each test program uses a part of what they share"
)]

#[path = "../../plugins/mdns/tests/common/hostile.rs"]
mod hostile;
#[path = "../../plugins/mdns/tests/common/lan.rs"]
mod network;
mod person;
#[path = "../e2e/support/process.rs"]
mod process;

use std::sync::mpsc::{TryRecvError, channel};
use std::time::{Duration, Instant};

use hostile::Hostile;
use network::Lan;
use person::{Person, befriend};
use wayside::bridge::{Class, Key, Record, Slot, Timestamp};

/// How long anything may take that is expected to happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// Two friends with nothing else configured are linked so soon after the second one starts: judged with MEASURE=1, on a machine that does nothing else.
const BAR: Duration = Duration::from_secs(1);

#[test]
fn friends_on_a_network_are_linked_within_a_second_of_the_second_ones_start() {
    let Some(lan) = lan(2) else { return };
    starts("IPv4 and IPv6", &lan, rounds());
}

#[test]
fn so_they_are_over_ipv4_alone() {
    let Some(lan) = lan(2) else { return };
    for host in 0..2 {
        lan.configure(host, "ip netns exec $1 sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
    }
    starts("IPv4", &lan, 3);
}

#[test]
fn so_they_are_over_ipv6_alone() {
    let Some(lan) = lan(2) else { return };
    for host in 0..2 {
        lan.configure(host, "ip -4 -n $1 addr flush dev eth0");
    }
    starts("IPv6", &lan, 3);
}

/// As machines are that nobody gave an address (RFC 3927).
#[test]
fn so_they_are_where_nobody_gives_addresses() {
    let Some(lan) = lan(2) else { return };
    for host in 0..2 {
        let number = host + 1;
        lan.configure(host, "ip -n $1 addr flush dev eth0");
        lan.configure(host, &format!("ip -n $1 addr add 169.254.77.{number}/16 dev eth0"));
    }
    starts("link-local IPv4", &lan, 3);
}

#[test]
fn so_they_are_beside_a_host_with_two_thousand_instances_and_garbage() {
    let Some(lan) = lan(3) else { return };
    let (stop, stopped) = channel::<()>();
    let flood = lan.start(2, move || {
        let (v4, v6) = (Hostile::v4(), Hostile::v6());
        let mut sent = 0_u64;
        while stopped.try_recv() == Err(TryRecvError::Empty) {
            for number in 0..2_000_u32 {
                let hostile = if number % 2 == 0 { &v4 } else { &v6 };
                hostile.announce(&record(number));
                let garbage: Vec<u8> = (0..number % 1400).map(|it| (it * number) as u8).collect();
                hostile.say(&[b"\x00\x00\x84\x00\x00\x00\xff\xff\x08_wayside".as_slice(), &garbage].concat());
                sent += 2;
                if number % 16 == 15 {
                    std::thread::sleep(Duration::from_millis(4));
                }
            }
        }
        sent
    });
    let quiet = starts_with_memory("beside a hostile host", &lan, 5);
    stop.send(()).unwrap();
    println!("the hostile host sent {} packets; the node had {quiet} KiB at most", flood.join().unwrap());
    assert!(quiet < 160 * 1024, "{quiet} KiB");
}

#[test]
fn two_who_are_visible_and_both_agree_become_friends_and_nobody_else_does() {
    let Some(lan) = lan(3) else { return };
    let folder = tempfile::tempdir().unwrap();
    let new = |host, name| Person::new(&lan, host, name, folder.path());
    let (mut ann, bob, eve) = (new(0, "Ann"), new(1, "Bob"), new(2, "Eve"));
    // One has a node that is up, the other's runs for as long as the command does; Eve is visible and agrees to nobody.
    ann.up();
    assert_eq!(ann.run(&["nearby"]).ok().stdout, "");
    let visible = eve.background(&["nearby", "--visible", "--for", "5m"]);
    let names = |person: &Person| -> Vec<String> {
        let people = person.run(&["nearby"]).ok().objects();
        people.iter().map(|person| person["name"].as_str().unwrap().to_owned()).collect()
    };
    until("Eve is listed", PATIENCE, || (names(&ann) == ["eve"]).then_some(()));
    let (to_bob, to_ann, to_eve) = std::thread::scope(|scope| {
        let to_bob = scope.spawn(|| ann.run_for(&["nearby", "bob", "--yes", "--for", "1m"], 2 * PATIENCE));
        let to_ann = scope.spawn(|| bob.run_for(&["nearby", "ann", "--yes", "--for", "1m"], 2 * PATIENCE));
        let (to_bob, to_ann) = (to_bob.join().unwrap(), to_ann.join().unwrap());
        (to_bob, to_ann, ann.run_for(&["nearby", "eve", "--yes", "--for", "1m"], 2 * PATIENCE))
    });
    let (at_ann, at_bob) = (to_bob.ok().objects(), to_ann.ok().objects());
    println!("friends after {:?} and {:?}", to_bob.took, to_ann.took);
    assert_eq!(at_ann[0]["comparison"], at_bob[0]["comparison"], "{at_ann:?} {at_bob:?}");
    assert_eq!(at_ann[0]["comparison"].as_str().unwrap().len(), 35);
    assert_eq!((&at_ann[1]["name"], &at_bob[1]["name"]), (&"Bob".into(), &"Ann".into()));
    assert_eq!(to_eve.code, Some(3), "{to_eve:?}");
    let friends = |person: &Person| person.run(&["friends"]).ok().objects().len();
    assert_eq!((friends(&ann), friends(&bob), friends(&eve)), (1, 1, 0));
    until("who is done is visible no more", Duration::from_secs(20), || {
        (names(&ann) == ["eve"]).then_some(())
    });
    // Asked once more, one is told so.
    let visible_bob = bob.background(&["nearby", "--visible", "--for", "1m"]);
    until("Bob is listed", PATIENCE, || names(&ann).contains(&"bob".to_owned()).then_some(()));
    assert_eq!(ann.run(&["nearby", "bob"]).object()["friend"], "Bob");
    visible_bob.terminate();
    visible.terminate();
    until("both are gone", PATIENCE, || names(&ann).is_empty().then_some(()));
    // What was killed is visible no longer than it said.
    let killed = ann.background(&["nearby", "--visible", "--for", "1m"]);
    until("Ann is listed", PATIENCE, || (names(&eve) == ["ann"]).then_some(()));
    killed.kill();
    // One look may miss it, since neighbours answer once a second at most.
    until("Ann, whose node is up, is listed still", Duration::from_secs(20), || {
        (names(&eve) == ["ann"]).then_some(())
    });
    until("Ann is gone", 2 * PATIENCE, || names(&eve).is_empty().then_some(()));
}

/// The medians of some rounds.
fn starts(what: &str, lan: &Lan, rounds: usize) {
    starts_with_memory(what, lan, rounds);
}

/// The same; tells the most memory that a node had, in KiB.
fn starts_with_memory(what: &str, lan: &Lan, rounds: usize) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let (mut ann, mut bob) =
        (Person::new(lan, 0, "Ann", folder.path()), Person::new(lan, 1, "Bob", folder.path()));
    ann.up();
    bob.up();
    befriend(&ann, &bob);
    ann.down();
    bob.down();
    let (mut took, mut memory) = (Vec::new(), 0);
    for round in 0..rounds {
        let (first, second) = if round % 2 == 0 { (&mut ann, &mut bob) } else { (&mut bob, &mut ann) };
        first.up();
        std::thread::sleep(Duration::from_millis(500));
        let began = Instant::now();
        second.start();
        second.node().event("link-up");
        took.push(began.elapsed());
        first.node().event("link-up");
        memory = memory.max(first.memory()).max(second.memory());
        second.down();
        first.down();
    }
    took.sort_unstable();
    let median = took[took.len() / 2];
    println!(
        "{what}: linked {median:?} (median of {rounds}, {:?} to {:?}) after the second one starts",
        took[0],
        took[took.len() - 1]
    );
    if std::env::var("MEASURE").is_ok_and(|measure| measure == "1") {
        assert!(median < BAR, "{what}: {took:?}");
    }
    memory
}

fn record(number: u32) -> Record {
    let mut slot = [0xaa; 16];
    slot[..4].copy_from_slice(&number.to_be_bytes());
    let bytes = vec![7; 200 + (number as usize * 7) % 760];
    Record::new(Key::Slot(Slot(slot)), Class::Meeting, Timestamp::from_secs(4_000_000_000), bytes)
}

fn rounds() -> usize {
    std::env::var("WAYSIDE_LAN_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10)
}

/// A network, or a skip.
fn lan(hosts: usize) -> Option<Lan> {
    let lan = Lan::new(hosts);
    if lan.is_none() {
        eprintln!("SKIPPED: no network namespaces are to be made here: `tests/run lan` says so");
        assert!(std::env::var_os("WAYSIDE_NO_SKIPS").is_none(), "a test was skipped");
    }
    lan
}

/// Tries again until there is an answer.
fn until<T>(what: &str, patience: Duration, mut attempt: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        assert!(began.elapsed() < patience, "it did not come to this within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
