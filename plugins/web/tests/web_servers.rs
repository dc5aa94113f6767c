//! What only real servers show: how many requests a meeting takes, what is written twice within a second, passwords, certificates, full disks.
//!
//! `tests/run web` starts the servers; without them every test is skipped and says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::server::{NONE, Server, Space};
use common::*;
use futures::future::{join_all, try_join_all};
use wayside_bridge::{BridgeExt, Clock, ErrorKind, Record, SharedBridge};

/// The lines of a server's log about a space: method, path, status, bytes of the body.
struct Log {
    path: PathBuf,
    space: String,
    from: usize,
}

impl Log {
    fn of(space: &Space) -> Self {
        let (variable, file) = match space.server {
            Server::Apache => ("WAYSIDE_APACHE_DIR", "access.log"),
            _ => ("WAYSIDE_WEB_DIR", "nginx/access.log"),
        };
        let name = space.path.file_name().unwrap().to_string_lossy().into_owned();
        let mut log =
            Self { path: Path::new(&std::env::var(variable).unwrap()).join(file), space: name, from: 0 };
        log.rest();
        log
    }

    /// What came since the last time that this was asked.
    fn rest(&mut self) -> Vec<Vec<String>> {
        // A server writes its line once the answer is out.
        std::thread::sleep(Duration::from_millis(200));
        let text = std::fs::read_to_string(&self.path).unwrap();
        let new = text[self.from..].to_owned();
        self.from = text.len();
        new.lines()
            .filter(|line| line.contains(&self.space))
            .map(|line| line.split(' ').map(str::to_owned).collect())
            .collect()
    }
}

fn count(lines: &[Vec<String>], method: &str) -> usize {
    lines.iter().filter(|line| line[0] == method).count()
}

async fn found(bridge: &SharedBridge) -> Vec<Record> {
    bridge.fetch(all()).await.unwrap().records
}

/// Before the link one PUT a side; after it one batch of deletes a side; nothing new costs no byte of a body.
#[tokio::test]
async fn a_meeting_is_few_requests() {
    for server in [Server::Nginx, Server::Apache] {
        let Some(space) = Space::new(server, true) else { return skip(NONE) };
        let clock = TestClock::new();
        let (ada, ben) =
            (space.open(0, FAST, &clock).await.unwrap(), space.open(1, FAST, &clock).await.unwrap());
        // Who met there before is on the roll.
        for bridge in [&ada, &ben] {
            let receipt = bridge.publish(&meeting(9, b"before")).await.unwrap();
            bridge.retract(&[receipt]).await.unwrap();
        }
        found(&ada).await;
        found(&ben).await;
        let mut log = Log::of(&space);

        let started = Instant::now();
        let offer = ada.publish(&meeting(1, &[1; 376])).await.unwrap();
        assert_eq!(count(&log.rest(), "PUT"), 1, "the offer's side");
        assert!(found(&ben).await.contains(&meeting(1, &[1; 376])));
        log.rest();
        let answer = ben.publish(&meeting(2, &[2; 376])).await.unwrap();
        assert_eq!(count(&log.rest(), "PUT"), 1, "the answer's side");
        assert!(found(&ada).await.contains(&meeting(2, &[2; 376])));
        eprintln!("{server:?}: offer to answer in {:?}", started.elapsed());

        log.rest();
        ada.retract(&[offer]).await.unwrap();
        ben.retract(&[answer]).await.unwrap();
        let lines = log.rest();
        assert_eq!((count(&lines, "PUT"), count(&lines, "DELETE")), (2, 0), "{lines:?}");
        assert!(found(&ada).await.is_empty());

        // Once what was written is no news any more.
        tokio::time::sleep(Duration::from_millis(3100)).await;
        found(&ada).await;
        log.rest();
        for _ in 0..5 {
            found(&ada).await;
        }
        let lines = log.rest();
        assert_eq!(lines.len(), 5 * 3, "the roll, and a parcel of each: {lines:?}");
        assert!(lines.iter().all(|line| line[2] == "304" && line[3] == "0"), "{lines:?}");
    }
}

/// What a node leaves at the same moment goes out together: in a space of its own an offer and the index that names it.
#[tokio::test]
async fn what_waits_together_goes_together() {
    let Some(space) = Space::new(Server::Nginx, false) else { return skip(NONE) };
    let clock = TestClock::new();
    let (ada, ben) = (space.open(0, FAST, &clock).await.unwrap(), space.open(1, FAST, &clock).await.unwrap());
    ada.publish_one(&meeting(9, b"before")).await.unwrap();
    let mut log = Log::of(&space);
    let records: Vec<Record> = (1..9).map(|number| meeting(number, &[number; 376])).collect();
    let receipts = try_join_all(records.iter().map(|record| ada.publish(record))).await.unwrap();
    assert_eq!(count(&log.rest(), "PUT"), 1);
    ada.retract(&receipts).await.unwrap();
    assert_eq!(count(&log.rest(), "PUT"), 1);
    ada.retract(&receipts).await.unwrap();
    assert_eq!(count(&log.rest(), "PUT"), 0, "nothing to do is nothing done");
    let place = wayside_bridge::Place::Of(ada.info().locators[0].clone());
    let theirs = wayside_bridge::Fetch::new(place, wayside_bridge::Keys::All);
    assert_eq!(ben.fetch(theirs).await.unwrap().records, [meeting(9, b"before")]);
}

/// Whoever writes leaves out what has expired.
#[tokio::test]
async fn what_has_expired_goes() {
    let Some(space) = Space::new(Server::Nginx, true) else { return skip(NONE) };
    let clock = TestClock::new();
    let ada = space.open(0, FAST, &clock).await.unwrap();
    let mut record = meeting(1, b"short-lived");
    record.not_after = clock.now().saturating_add(DAY);
    ada.publish_one(&record).await.unwrap();
    ada.publish_one(&meeting(2, b"stays")).await.unwrap();
    let contents =
        || -> Vec<u8> { space.files(0).iter().flat_map(|path| std::fs::read(path).unwrap()).collect() };
    let has = |words: &[u8]| contents().windows(words.len()).any(|window| window == words);
    assert!(has(b"short-lived"));
    clock.advance(DAY * 3);
    assert_eq!(found(&ada).await, [meeting(2, b"stays")]);
    ada.publish_one(&meeting(3, b"later")).await.unwrap();
    assert!(!has(b"short-lived") && has(b"stays"));
}

/// nginx' ETag is seconds and size: a reader that believed it would miss what is written twice within one.
#[tokio::test]
async fn what_is_written_twice_within_a_second_is_seen() {
    let Some(space) = Space::new(Server::Nginx, true) else { return skip(NONE) };
    let clock = TestClock::new();
    let (ada, ben) = (space.open(0, FAST, &clock).await.unwrap(), space.open(1, FAST, &clock).await.unwrap());
    ada.publish_one(&meeting(0, &[0; 100])).await.unwrap();
    let parcel =
        space.files(0).into_iter().find(|path| path.extension().is_some_and(|e| e == "box")).unwrap();
    let http = reqwest::Client::new();
    let url = format!("{}wayside/{}", space.url(0), parcel.file_name().unwrap().to_str().unwrap());
    let mut tags = std::collections::BTreeMap::<String, usize>::new();
    for number in 1..200_u8 {
        // By something else than a bridge, which would give it another size.
        let (contents, _) = wayside_bridge::file::encode(&meeting(number, &[number; 100])).unwrap();
        let put = http.put(&url).basic_auth("u1", Some("pw1")).body(contents).send().await.unwrap();
        assert!(put.status().is_success());
        assert_eq!(found(&ben).await, [meeting(number, &[number; 100])]);
        let head = http.head(&url).basic_auth("u1", Some("pw1")).send().await.unwrap();
        *tags.entry(head.headers()["etag"].to_str().unwrap().to_owned()).or_default() += 1;
    }
    let most = tags.values().max().copied().unwrap_or_default();
    assert!(most > 10, "the server was to give one tag to many versions, and gave {tags:?}");
}

/// nginx compares nothing before a PUT: whoever comes first may be undone, and puts itself there again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_who_come_at_once_are_all_found() {
    for server in [Server::Nginx, Server::Apache, Server::Php, Server::Cgi] {
        let Some(space) = Space::new(server, true) else { return skip(NONE) };
        let clock = TestClock::new();
        let mut writers = Vec::new();
        for who in 0..8 {
            writers.push(space.open(who, FAST, &clock).await.unwrap());
        }
        let records: Vec<Record> = (0..8).map(|number| meeting(number, &[number; 376])).collect();
        let started = Instant::now();
        join_all(writers.iter().zip(&records).map(async |(writer, record)| {
            // Who has found others there too often is to come again, as a node does.
            while let Err(error) = writer.publish(record).await {
                assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
                assert!(started.elapsed() < Duration::from_secs(20), "{server:?}: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }))
        .await;
        let reader = space.open(9, FAST, &clock).await.unwrap();
        while !{
            let found = found(&reader).await;
            records.iter().all(|record| found.contains(record))
        } {
            assert!(started.elapsed() < Duration::from_secs(20), "{server:?}: not all are found");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        eprintln!("{server:?}: eight who come at once are all found after {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn wrong_passwords_are_told_of() {
    for (server, shared) in [
        (Server::Nginx, false),
        (Server::Nginx, true),
        (Server::Apache, false),
        (Server::Php, true),
        (Server::Cgi, true),
    ] {
        let Some(space) = Space::new(server, shared) else { return skip(NONE) };
        let clock = TestClock::new();
        drop(space.open(0, FAST, &clock).await.unwrap());
        let eve = space.stranger(&clock).await.unwrap();
        for error in [eve.probe().await.unwrap_err(), eve.publish(&meeting(1, b"x")).await.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Denied, "{server:?}: {error}");
            assert!(error.message().contains("--password-file"), "{error}");
        }
        space.open(0, FAST, &clock).await.unwrap().probe().await.unwrap();
    }
}

#[tokio::test]
async fn certificates_and_circles_are_told_of() {
    let (Ok(url), Ok(ca)) = (std::env::var("WAYSIDE_WEB_TLS_URL"), std::env::var("WAYSIDE_WEB_CA")) else {
        return skip(NONE);
    };
    let clock = TestClock::new();
    let read = ("read", format!("{url}/nothing/"));
    let trusted = open(&[read.clone(), ("ca", ca)], FAST, &clock, None).await.unwrap();
    assert!(found(&trusted).await.is_empty());
    let error = open(&[read], FAST, &clock, None).await.unwrap().fetch(all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(error.message().contains("--ca"), "{error}");
    let round = ("read", format!("{}/round/", std::env::var("WAYSIDE_WEB_URL").unwrap()));
    let error = open(&[round], FAST, &clock, None).await.unwrap().fetch(all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Garbled, "{error}");
    assert!(error.message().contains("circles"), "{error}");
}

/// A disk of 64 KiB. nginx says "internal error" of it; a folder is told by the system.
#[tokio::test]
async fn full_disks_are_told_of() {
    let (Ok(url), Ok(dir)) = (std::env::var("WAYSIDE_WEB_URL"), std::env::var("WAYSIDE_WEB_DIR")) else {
        return skip(NONE);
    };
    if !Path::new(&dir).join("env.full").exists() {
        return skip("this machine lets nobody mount a small disk");
    }
    let clock = TestClock::new();
    let full = Path::new(&dir).join("www/full");
    let fill = |bytes: usize| std::fs::write(full.join("filler"), vec![1; bytes]);
    for write in [format!("dav+{url}/full/"), format!("dir:{}/folder", full.display())] {
        let _ = fill(0);
        let state = tempfile::tempdir().unwrap();
        let options = [("write", write.clone()), ("read", format!("{url}/full/"))];
        let bridge = open(&options, FAST, &clock, Some(state.path())).await.unwrap();
        bridge.publish_one(&meeting(1, &[1; 376])).await.unwrap();
        let _ = fill(1 << 20);
        let error = bridge.publish(&meeting(2, &[2; 12_000])).await.unwrap_err();
        let folder = write.starts_with("dir:");
        assert_eq!(error.kind(), if folder { ErrorKind::Full } else { ErrorKind::Unreachable }, "{error}");
        assert!(error.message().contains("full") || error.message().contains("room"), "{error}");
        let _ = fill(0);
        bridge.publish_one(&meeting(3, &[3; 376])).await.unwrap();
    }
}

/// Where everybody finds a card, and whoever puts one there by hand.
#[tokio::test]
async fn cards_lie_where_everybody_looks() {
    for server in [Server::Nginx, Server::Apache, Server::Folder, Server::Php] {
        let Some(space) = Space::new(server, false) else { return skip(NONE) };
        let clock = TestClock::new();
        let ada = space.open(0, FAST, &clock).await.unwrap();
        let folder = space.folder(0).join(".well-known/wayside");
        if server == Server::Php {
            std::fs::create_dir_all(&folder).unwrap();
        }
        let receipt = ada.publish(&pointer("ada", b"card")).await.unwrap();
        let url = space.url(0).replace("wayside.php", "");
        if server != Server::Php {
            let reader = open(&[("read", url.clone())], FAST, &clock, None).await.unwrap();
            assert_eq!(
                reader.fetch(named("ada")).await.unwrap().records,
                [pointer("ada", b"card")],
                "{server:?}"
            );
            std::fs::write(folder.join("ben"), "wayside-card:BY-HAND\n").unwrap();
            let by_hand = reader.fetch(named("ben")).await.unwrap().records;
            assert_eq!(
                by_hand.iter().map(|record| &record.bytes[..]).collect::<Vec<_>>(),
                [b"wayside-card:BY-HAND\n"]
            );
            assert!(reader.publish(&pointer("eve", b"x")).await.is_err());
        }
        assert!(folder.join("ada").exists(), "{server:?}");
        ada.retract(&[receipt]).await.unwrap();
        assert!(!folder.join("ada").exists(), "{server:?}");
    }
}

/// A command puts files where nginx serves them.
#[tokio::test]
async fn a_command_uploads() {
    let Some(space) = Space::new(Server::Folder, false) else { return skip(NONE) };
    let (clock, state) = (TestClock::new(), tempfile::tempdir().unwrap());
    let folder = space.folder(0);
    for inner in ["wayside", ".well-known/wayside"] {
        std::fs::create_dir_all(folder.join(inner)).unwrap();
    }
    let options = |command: String| [("read", space.url(0)), ("write", format!("exec:{command}"))];
    let tee = options(format!("tee '{}/{{}}'", folder.display()));
    let ada = open(&tee, FAST, &clock, Some(state.path())).await.unwrap();
    let receipt = ada.publish(&meeting(1, b"one")).await.unwrap();
    let card = ada.publish(&pointer("ada", b"card")).await.unwrap();
    assert_eq!(found(&ada).await.len(), 2);
    drop(ada);
    let ada = open(&tee, FAST, &clock, Some(state.path())).await.unwrap();
    ada.publish_one(&meeting(2, b"two")).await.unwrap();
    ada.retract(&[receipt, card]).await.unwrap();
    assert_eq!(found(&ada).await, [meeting(2, b"two")]);
    assert!(ada.fetch(named("ada")).await.unwrap().records.is_empty());
    for (command, kind) in [("false", ErrorKind::Unreachable), ("/nowhere/program", ErrorKind::Configuration)]
    {
        let broken =
            open(&options(command.to_owned()), FAST, &clock, Some(tempfile::tempdir().unwrap().path()))
                .await
                .unwrap();
        let error = broken.publish(&meeting(3, b"x")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}
