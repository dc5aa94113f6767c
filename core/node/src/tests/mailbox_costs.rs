//! What a host costs: measured by hand, in release, on a disk that really syncs.
//!
//! `cargo test --release -p wayside-node --lib mailbox_costs -- --ignored --nocapture --test-threads 1`; where homes are made says `TMPDIR`.

#![allow(clippy::print_stdout)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use wayside_proto::crypto::Secret;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::Age;
use wayside_proto::mailbox::custody::{self, Ledger, Limits};
use wayside_proto::mailbox::wire::{Answer, Ask, Put, Queue, QueueId, Told};

use super::mail::{kept, three};
use super::mailbox::{account, allow, asked, deaf, door, guest, put, register};
use super::{Person, befriend, link, service};
use crate::links::{read_frame, write_frame};
use crate::mailbox::{deposit, fetch};
use crate::store::{CustodyStore, Store};

const LIMITS: Limits = Limits {
    total: 20_000_000_000,
    friend: 20_000_000_000,
    queue: 20_000_000_000,
    queue_items: 10_000_000,
    lifetime: 30 * 86_400,
    friends: 1,
};
const CONFIG: &str =
    "\n[mailbox]\ntotal = \"20 GB\"\nfriend = \"20 GB\"\nqueue = \"20 GB\"\nqueue_items = 10000000\n";

/// A kilobyte that is nothing else's.
fn kilobyte(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(1000);
    while bytes.len() < 1000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_be_bytes());
    }
    bytes
}

fn queue() -> Queue {
    Queue { id: QueueId([1; 16]), key: Secret::new([1; 32]) }
}

/// Hanna, with room enough, and Rosa, whose mail she keeps.
async fn host_and_owner(service: &wayside_bridge::MemoryService) -> (Person, Person) {
    let mut hanna = Person::new("hanna", service).await;
    let rosa = deaf("rosa", service).await;
    befriend(&hanna, &rosa).await;
    allow(&hanna, "rosa", true).await;
    hanna.stop().await;
    let path = hanna.home().join("config.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let (before, after) = config.split_once("[mailbox]").unwrap();
    let rest = after.find("\n[").map_or("", |at| &after[at..]);
    std::fs::write(&path, format!("{before}{CONFIG}{rest}")).unwrap();
    hanna.start().await;
    door(&hanna, &rosa).await;
    (hanna, rosa)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn deposits_and_fetches_a_second() {
    const ROUNDS: u64 = 5;
    const EACH: u64 = 10_000;
    const STREAMS: u64 = 4;
    let service = service();
    let (hanna, rosa) = host_and_owner(&service).await;
    let sam = Person::new("sam", &service).await;
    register(&rosa, &hanna, vec![queue()]).await;
    let entry = door(&hanna, &rosa).await;
    let folder = tempfile::tempdir().unwrap();
    let bare = bare_store(folder.path());
    let mailboxes = hanna.node().driver().mailboxes();
    let (mut over_link, mut in_loop, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let puts: Vec<Put> = (0..EACH).map(|at| put(&queue(), kilobyte(round * EACH + at))).collect();
        // Anew for each round: a guest that asks for nothing for a while is sent away.
        let link_to = guest(&sam, &entry).await;
        let before = mailboxes.groups();
        let began = Instant::now();
        let parts = puts.chunks((EACH / STREAMS) as usize).map(async |part| {
            let stream = link_to.open(deposit::NAME).await.unwrap();
            let (answers, done) = deposit::leave(stream, part).await;
            done.unwrap();
            assert!(answers.iter().all(|it| *it == Answer::Stored));
        });
        futures::future::join_all(parts).await;
        over_link.push(EACH as f64 / began.elapsed().as_secs_f64());
        let groups = (mailboxes.groups() - before).max(1);
        let size = (EACH / groups).max(1);
        sizes.push(size as f64);
        let bare = Arc::clone(&bare);
        let began = Instant::now();
        bare.run(move |bare| {
            for group in puts.chunks(usize::try_from(size).unwrap()) {
                bare.change(|change| {
                    let mut ledger = Ledger::open(change)?;
                    for put in group {
                        assert_eq!(ledger.deposit(Age(0), &LIMITS, &owner_of_bare(), put)?, Answer::Stored);
                    }
                    ledger.close()
                })?;
            }
            Ok(())
        })
        .await
        .unwrap();
        in_loop.push(EACH as f64 / began.elapsed().as_secs_f64());
    }
    let ratios = over_link.iter().zip(&in_loop).map(|(one, other)| one / other).collect();
    println!("deposits a second over a link: {over_link:.0?}");
    println!("in a bare loop of groups of the same size: {in_loop:.0?}; sizes {sizes:?}");
    let ratio = median(ratios);
    println!("medians: {:.0}, {:.0}; ratio {ratio:.2}", median(over_link), median(in_loop));

    // And fetched: listed, got and acknowledged, each asked for before the last one's answer has come.
    let peer = link(&rosa, "hanna").await;
    let total = ROUNDS * EACH;
    let began = Instant::now();
    let (mut after, mut got) = (0, 0);
    let mut blobs = peer.link.open(fetch::NAME).await.unwrap();
    let mut done = peer.link.open(fetch::NAME).await.unwrap();
    let mut acknowledged = 0;
    while got < total {
        let Some(Told::Listed(listed, _)) = asked(&peer, &Ask::List(after, 1000)).await else { panic!() };
        let arrivals: Vec<u64> = listed.iter().map(|it| it.arrival).collect();
        after = *arrivals.last().unwrap();
        write_frame(&mut blobs.send, &Ask::Get(arrivals.clone())).await.unwrap();
        for listed in &listed {
            match read_frame(&mut blobs.recv, 1 << 17).await.unwrap() {
                Some(Told::Blob(arrival, Some(blob))) if arrival == listed.arrival => {
                    assert_eq!(wayside_proto::mailbox::seal::hash(&blob), listed.hash);
                }
                other => panic!("{other:?}"),
            }
            got += 1;
        }
        write_frame(&mut done.send, &Ask::Acknowledge(arrivals)).await.unwrap();
        acknowledged += 1;
    }
    for _ in 0..acknowledged {
        assert_eq!(read_frame(&mut done.recv, 64).await.unwrap(), Some(Told::Done));
    }
    let fetched = total as f64 / began.elapsed().as_secs_f64();
    println!("fetched and acknowledged a second: {fetched:.0}");
    assert_eq!(mailboxes.usage().await.unwrap().1, 0);
    assert!(ratio >= 0.7, "the ratio is {ratio:.2}");
    assert!(fetched >= 5000.0, "{fetched:.0} are fetched a second");
}

/// From the link with the host to the last message's being on the recipient's disk, opened and in order. All nodes are in this process.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn ten_thousand_messages_are_fetched_when_their_recipient_comes() {
    const AT_ONCE: u64 = 64;
    const EACH: u64 = 156;
    let (mut ann, mut bob, hal) = three(&service()).await;
    bob.stop().await;
    let began = Instant::now();
    let text = "m".repeat(700);
    let sending = (0..AT_ONCE).map(|_| async {
        for _ in 0..EACH {
            ann.send("bob", &text, None).await.unwrap();
        }
    });
    futures::future::join_all(sending).await;
    let all = AT_ONCE * EACH;
    let rate = |count: u64, began: Instant| count as f64 / began.elapsed().as_secs_f64();
    println!("accepted a second: {:.0}", rate(all, began));
    while kept(&hal).await < all {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(began.elapsed() < Duration::from_secs(120), "they do not come to the host");
    }
    println!("accepted and kept a second: {:.0}", rate(all, began));
    ann.stop().await;
    bob.start().await;
    let store = bob.node().driver().store();
    let unread = async || store.run(|store| store.unread()).await.unwrap();
    let hals = account(&hal);
    while bob.node().driver().links().of(&hals).is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (linked, before) = (Instant::now(), unread().await);
    while unread().await < all {
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(linked.elapsed() < Duration::from_secs(60), "they do not come");
    }
    println!("fetched, opened and in order a second: {:.0}", rate(all - before, linked));
}

fn owner_of_bare() -> AccountId {
    AccountId([9; 32])
}

/// A store beside the host's, with the same queue.
fn bare_store(folder: &std::path::Path) -> Arc<CustodyStore> {
    let home = crate::Home::init(&folder.join("bare"), "bare").unwrap();
    let store = Store::open(&home.store_path(), home.lock().unwrap()).unwrap();
    let bare = CustodyStore::open(&home.mailbox_path(), store).unwrap();
    bare.change(|change| {
        custody::register(change, &owner_of_bare(), &[queue()], &[crate::DeviceId([1; 16])], 10)
    })
    .unwrap();
    Arc::new(bare)
}

const HOME: &str = "WAYSIDE_COSTS_HOME";
const MILLION: u64 = 1_000_000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn a_host_with_a_million_messages() {
    let service = service();
    let (mut hanna, rosa) = host_and_owner(&service).await;
    register(&rosa, &hanna, vec![queue()]).await;
    let owner = account(&rosa);
    hanna.stop().await;
    let home = crate::Home::open(&hanna.home()).unwrap();
    let began = Instant::now();
    {
        let store = Store::open(&home.store_path(), home.lock().unwrap()).unwrap();
        let age = store.age().unwrap();
        let custody = CustodyStore::open(&home.mailbox_path(), store).unwrap();
        for group in 0..MILLION / 1000 {
            custody
                .change(|change| {
                    let mut ledger = Ledger::open(change)?;
                    for at in 0..1000 {
                        let put = put(&queue(), kilobyte(group * 1000 + at));
                        assert_eq!(ledger.deposit(age, &LIMITS, &owner, &put)?, Answer::Stored);
                    }
                    ledger.close()
                })
                .unwrap();
        }
    }
    let size = std::fs::metadata(home.mailbox_path()).unwrap().len() >> 20;
    println!("filled in {:?}, {size} MiB", began.elapsed());
    for how in ["cleanly", "cleanly", "killed", "killed"] {
        // As it was left by the run before: the third is the first that is killed while it writes.
        let (mut child, ready, resident) = started(&hanna.home());
        println!("ready in {ready} ms, {resident} kB resident; then ended {how}");
        tokio::time::sleep(Duration::from_secs(3)).await;
        println!("  {} kB resident while it writes", resident_of(child.id()));
        if how == "killed" {
            child.kill().unwrap();
        } else {
            drop(child.stdin.take());
        }
        child.wait().unwrap();
        assert!(ready < 2000 && resident < 150_000);
    }
    let (mut child, ready, resident) = started(&hanna.home());
    println!("ready in {ready} ms, {resident} kB resident, after it was killed");
    assert!(ready < 2000 && resident < 150_000);
    child.kill().unwrap();
    child.wait().unwrap();
}

fn started(home: &std::path::Path) -> (Child, u64, u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["tests::mailbox_costs::the_host_that_is_measured", "--exact", "--ignored", "--nocapture"])
        .env(HOME, home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.map_while(Result::ok).find_map(|line| {
        let (_, ready) = line.split_once("ready after ")?;
        ready.trim().parse().ok()
    });
    let resident = resident_of(child.id());
    (child, ready.unwrap(), resident)
}

/// In kB.
fn resident_of(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Started by the other one, in a process of its own: says when it is ready, then writes until its standard input ends or it is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of a measurement"]
async fn the_host_that_is_measured() {
    let Ok(home) = std::env::var(HOME) else { return };
    let registry = wayside_bridge::Registry::new().with(service());
    let began = Instant::now();
    let home = crate::Home::open(std::path::Path::new(&home)).unwrap();
    let node = crate::Node::builder(home, registry)
        .listen(vec!["udp://127.0.0.1:0".into()])
        .serve_api()
        .start()
        .await
        .unwrap();
    node.ready().await;
    let kept = node.mailbox().await.unwrap();
    println!("ready after {}", began.elapsed().as_millis());
    assert!(kept.friends[0].items >= MILLION, "{kept:?}");
    let mailboxes = node.driver().mailboxes();
    let owner = *mailboxes.usage().await.unwrap().0.keys().next().unwrap();
    let writing = async {
        // As soon as it is known who may have a mailbox here.
        let mut seed = u64::from(std::process::id()) << 32;
        loop {
            let put = put(&queue(), kilobyte(seed));
            let answer = mailboxes.deposit(owner, put).await.await;
            assert!(matches!(answer, Answer::Stored | Answer::Denied));
            seed += 1;
        }
    };
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().lines().for_each(drop));
    tokio::select! {
        () = writing => {}
        _ = ended => {}
    }
    node.shutdown().await;
}
