//! What 10,000 records of strangers cost.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::stranger::{ask, record, records, serve};
use crate::support::{Person, World};

/// As many as there may be.
const RECORDS: u64 = 10_000;
/// Records of one stranger.
const OF_ONE: u64 = 100;
/// What an offer weighs on the web, roughly, in bytes.
const BYTES: usize = 1_600;
/// Pings and messages that are counted at a time.
const SAMPLES: usize = 20;

/// Run with `cargo test --features full --test rendezvous -- --ignored --nocapture`.
#[test]
#[ignore = "it measures, for half a minute, on a machine that does nothing else"]
fn ten_thousand_records_of_strangers() {
    let world = World::new();
    let (mut ada, ben) = world.friends();
    ada.down();
    // As fast as it comes.
    let address = serve(&mut ada, "rate = \"100 MB/s\"");
    ada.run(&["ping", "Benn", "--wait", "60s"]).ok();
    let (pings, messages) = (pings(&ada), messages(&ada));
    let before = resident(&ada);

    let done = AtomicBool::new(false);
    let (filled, busy_pings, busy_messages) = std::thread::scope(|scope| {
        let filling = scope.spawn(|| {
            let filled = fill(address);
            // What is full goes on being tried, and looked at.
            while !done.load(Ordering::SeqCst) {
                let from = Ipv4Addr::new(127, 99, 0, 1);
                let refused = ask(from, address, "POST /more", &[], &record(1 << 40, BYTES).0).status;
                assert!([507, 429].contains(&refused), "{refused}");
                ask(from, address, "GET /space-1", &[], b"");
            }
            filled
        });
        let busy = (self::pings(&ada), self::messages(&ada));
        done.store(true, Ordering::SeqCst);
        (filling.join().expect("it is filled"), busy.0, busy.1)
    });
    let there = records(&ada);
    std::thread::sleep(Duration::from_secs(3));
    let after = resident(&ada);
    let disk = std::fs::metadata(ada.home.join("rendezvous.redb")).expect("it is kept").len();
    println!("{there} records of {BYTES} bytes by {} strangers in {filled:?}", RECORDS / OF_ONE);
    println!(
        "resident: {before} kB before, {after} kB after: {} kB more; on disk {} kB",
        after - before,
        disk / 1000
    );
    println!("ping: {pings:?} before, {busy_pings:?} meanwhile: {:.2}", ratio(busy_pings, pings));
    println!(
        "message: {messages:?} before, {busy_messages:?} meanwhile: {:.2}",
        ratio(busy_messages, messages)
    );
    assert_eq!(there, RECORDS);
    assert!(after - before < 50_000, "the bar is 50 MB");
    drop(ben);
}

/// From a network of its own each, so that none is another's neighbour.
fn fill(address: SocketAddr) -> Duration {
    let began = Instant::now();
    for stranger in 0..RECORDS / OF_ONE {
        let from = Ipv4Addr::new(127, 1, u8::try_from(stranger).expect("few"), 1);
        for part in 0..OF_ONE / 10 {
            let first = stranger * OF_ONE + part * 10;
            let body: Vec<u8> = (first..first + 10).flat_map(|number| record(number, BYTES).0).collect();
            let put = ask(from, address, &format!("POST /space-{stranger}"), &[], &body);
            assert_eq!(put.status, 204, "{put:?}");
        }
    }
    began.elapsed()
}

/// The median of pings over the link.
fn pings(person: &Person) -> Duration {
    let mut all: Vec<f64> = (0..SAMPLES)
        .map(|_| person.run(&["ping", "Benn"]).object()["rtt_ms"].as_f64().expect("a number"))
        .collect();
    all.sort_by(f64::total_cmp);
    Duration::from_secs_f64(all[all.len() / 2] / 1000.0)
}

/// The median of messages that are sent and delivered, with the command that does so.
fn messages(person: &Person) -> Duration {
    let mut all: Vec<Duration> = (0..SAMPLES)
        .map(|_| {
            let sent = person.run(&["send", "Benn", "how long does it take?", "--wait", "30s"]);
            assert_eq!(sent.object()["state"], "delivered");
            sent.took
        })
        .collect();
    all.sort();
    all[all.len() / 2]
}

/// What a node has in memory, in kB (proc_pid_status(5)).
fn resident(person: &Person) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", person.node().id())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("how much it is");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("a number")
}

fn ratio(of: Duration, to: Duration) -> f64 {
    of.as_secs_f64() / to.as_secs_f64()
}
