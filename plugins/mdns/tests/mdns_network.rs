//! What the suite does not ask: restarts, networks that come and go, hosts that mean harm; between hosts in network namespaces, over real multicast.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, clippy::panic)]

mod common;

use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio::runtime::Runtime;
use wayside_bridge::{
    BridgeError, BridgeOptions, Class, Fetch, Key, Keys, Place, Record, RecordStream, SharedBridge, Slot,
    Timestamp, Watch,
};

use common::hostile::Hostile;
use common::lan::Lan;

/// A network with a runtime for each host, or a skip.
fn network(hosts: usize) -> Option<(Lan, Vec<Runtime>)> {
    let Some(lan) = Lan::new(hosts) else {
        common::skip(common::REASON);
        return None;
    };
    let runtimes = (0..hosts).map(|host| lan.runtime(host)).collect();
    Some((lan, runtimes))
}

async fn open(runtimes: &[Runtime], host: usize) -> SharedBridge {
    common::open(runtimes[host].handle(), BridgeOptions::default(), None).await.unwrap()
}

fn record(number: u32, length: usize) -> Record {
    let mut slot = [0xaa; 16];
    slot[..4].copy_from_slice(&number.to_be_bytes());
    Record::new(Key::Slot(Slot(slot)), Class::Meeting, Timestamp::from_secs(4_000_000_000), vec![7; length])
}

async fn watch(bridge: &SharedBridge) -> RecordStream {
    bridge.watch(Watch::new(Place::Own, Keys::All)).await.unwrap()
}

/// How long it takes until a record comes.
async fn comes(stream: &mut RecordStream, wanted: &Record, within: Duration) -> Duration {
    let began = Instant::now();
    loop {
        let batch = tokio::time::timeout(within, stream.next()).await;
        let batch = batch.unwrap_or_else(|_| panic!("not within {within:?}")).unwrap().unwrap();
        if batch.records.contains(wanted) {
            return began.elapsed();
        }
    }
}

async fn all(bridge: &SharedBridge) -> Vec<Record> {
    let mut request = Fetch::new(Place::Own, Keys::All);
    let mut found = Vec::new();
    loop {
        let batch = bridge.fetch(request.clone()).await.unwrap();
        found.extend(batch.records);
        if !batch.more {
            return found;
        }
        request.cursor = batch.cursor;
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn end(runtimes: Vec<Runtime>) {
    for runtime in runtimes {
        runtime.shutdown_background();
    }
}

#[test]
fn whoever_comes_hears_of_what_is_there_and_whoever_leaves_takes_it_along() {
    let Some((_lan, runtimes)) = network(2) else { return };
    block_on(async {
        let ann = open(&runtimes, 0).await;
        ann.publish(&record(1, 376)).await.unwrap();
        // Long past its announcements.
        tokio::time::sleep(Duration::from_secs(4)).await;
        let bob = open(&runtimes, 1).await;
        let took = comes(&mut watch(&bob).await, &record(1, 376), Duration::from_secs(2)).await;
        println!("found {took:?} after the start");
        assert!(took < Duration::from_millis(500), "{took:?}");
        drop(ann);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(all(&bob).await.is_empty());
    });
    end(runtimes);
}

#[test]
fn what_was_published_is_there_again_after_a_restart_until_it_is_taken_back() {
    let Some((_lan, runtimes)) = network(2) else { return };
    let state = tempfile::tempdir().unwrap();
    let reopened = || {
        let state = state.path().to_owned();
        common::open(runtimes[0].handle(), BridgeOptions::default(), Some(state))
    };
    block_on(async {
        let bob = open(&runtimes, 1).await;
        let mut stream = watch(&bob).await;
        let ann = reopened().await.unwrap();
        let receipt = ann.publish(&record(1, 960)).await.unwrap();
        comes(&mut stream, &record(1, 960), Duration::from_secs(1)).await;
        drop(ann);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(all(&bob).await.is_empty());
        let ann = reopened().await.unwrap();
        comes(&mut stream, &record(1, 960), Duration::from_secs(1)).await;
        ann.retract(&[receipt]).await.unwrap();
        drop(ann);
        let ann = reopened().await.unwrap();
        assert!(all(&ann).await.is_empty() && all(&bob).await.is_empty());
        // What somebody put into the folder is no record of ours.
        std::fs::write(state.path().join("published/junk"), "junk").unwrap();
        drop(ann);
        assert!(all(&reopened().await.unwrap()).await.is_empty());
        assert_eq!(std::fs::read_dir(state.path().join("published")).unwrap().count(), 0);
    });
    end(runtimes);
}

#[test]
fn a_network_that_comes_later_is_spoken_on_and_one_interface_is_kept_to() {
    let Some((lan, runtimes)) = network(2) else { return };
    lan.configure(0, "ip -n $1 link set eth0 down; ip -n $1 addr flush dev eth0");
    block_on(async {
        let ann = open(&runtimes, 0).await;
        assert!(ann.probe().await.unwrap().note.is_some());
        ann.publish(&record(1, 376)).await.unwrap();
        let bob = open(&runtimes, 1).await;
        let mut stream = watch(&bob).await;
        lan.configure(0, "ip -n $1 addr add 10.77.0.1/24 dev eth0; ip -n $1 link set eth0 up");
        comes(&mut stream, &record(1, 376), Duration::from_secs(10)).await;
        assert_eq!(ann.probe().await.unwrap().note, None);

        let elsewhere = BridgeOptions::from_iter([("interface", "eth7")]);
        let eve = common::open(runtimes[0].handle(), elsewhere, None).await.unwrap();
        eve.publish(&record(2, 376)).await.unwrap();
        let here = BridgeOptions::from_iter([("interface", "eth0")]);
        let eva = common::open(runtimes[0].handle(), here, None).await.unwrap();
        eva.publish(&record(3, 376)).await.unwrap();
        comes(&mut stream, &record(3, 376), Duration::from_secs(2)).await;
        assert!(!all(&bob).await.contains(&record(2, 376)));
        let wrong = BridgeOptions::from_iter([("interface", "../eth0")]);
        let error: BridgeError = common::open(runtimes[0].handle(), wrong, None).await.unwrap_err();
        assert!(error.message().contains("--interface"), "{error}");
    });
    end(runtimes);
}

/// Two thousand instances, again and again, and garbage of every length between them: what matters is heard at once, and memory is bounded.
#[test]
fn a_host_with_two_thousand_instances_is_survived() {
    let Some((lan, runtimes)) = network(3) else { return };
    block_on(async {
        let (ann, bob) = (open(&runtimes, 0).await, open(&runtimes, 1).await);
        let before = resident();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let flood = lan.start(2, move || {
            let (v4, v6) = (Hostile::v4(), Hostile::v6());
            let mut sent = 0_u64;
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                for number in 0..2_000_u32 {
                    let hostile = if number % 2 == 0 { &v4 } else { &v6 };
                    hostile.announce(&record(1_000_000 + number, 200 + (number as usize * 7) % 760));
                    let garbage: Vec<u8> = (0..number % 1400).map(|it| (it * number) as u8).collect();
                    hostile.say(
                        &[b"\x00\x00\x84\x00\x00\x00\xff\xff\x08_wayside".as_slice(), &garbage].concat(),
                    );
                    sent += 2;
                }
            }
            sent
        });
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut stream = watch(&bob).await;
        let mut slowest = Duration::ZERO;
        for number in 0..20 {
            ann.publish(&record(number, 376)).await.unwrap();
            slowest = slowest.max(comes(&mut stream, &record(number, 376), Duration::from_secs(4)).await);
        }
        let found = all(&bob).await.len();
        stop.send(()).unwrap();
        let sent = flood.join().unwrap();
        let grown = resident().saturating_sub(before);
        println!(
            "{sent} packets; {found} records kept; 20 of a friend's heard, the slowest after {slowest:?}; {grown} KiB more memory"
        );
        assert!(found <= 20 + 2 * 512, "{found}");
        assert!(grown < 24 * 1024, "{grown} KiB");
        assert!(sent > 4_000, "{sent}");
    });
    end(runtimes);
}

/// Memory of this process, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn nobody_takes_a_friends_record_off_the_network() {
    let Some((lan, runtimes)) = network(3) else { return };
    block_on(async {
        let (ann, bob) = (open(&runtimes, 0).await, open(&runtimes, 1).await);
        ann.publish(&record(1, 376)).await.unwrap();
        comes(&mut watch(&bob).await, &record(1, 376), Duration::from_secs(1)).await;
        lan.within(2, || Hostile::v4().say_gone(&record(1, 376)));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(all(&bob).await.contains(&record(1, 376)));
    });
    end(runtimes);
}
