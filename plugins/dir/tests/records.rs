//! Publishing, finding, watching and taking back, with two bridges on one folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::print_stderr, reason = "measurements")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use common::*;
use futures::StreamExt;
use wayside_bridge::{
    BridgeExt, Class, Cursor, Delivery, ErrorKind, Fetch, Key, Keys, Place, Receipt, Record, Timestamp, Watch,
};

#[tokio::test]
async fn found_by_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let (ann, bob) = (open(dir.path()).await, open(dir.path()).await);
    let record = meeting(1, b"hello");
    ann.publish_one(&record).await.unwrap();
    assert_eq!(bob.fetch_keys([slot(1)]).await.unwrap(), [record]);
    assert_eq!(bob.fetch_keys([slot(2)]).await.unwrap(), []);
    assert_eq!(ann.info().locators, bob.info().locators);
    assert_eq!(ann.info().locators.len(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn the_same_folder_at_two_paths() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("a")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("a"), dir.path().join("b")).unwrap();
    let ann = open(&dir.path().join("a")).await;
    let bob = open(&dir.path().join("b")).await;
    assert_eq!(ann.info().locators, bob.info().locators);
    ann.publish_one(&meeting(1, b"hello")).await.unwrap();
    assert_eq!(bob.fetch_keys([slot(1)]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn records_stand_side_by_side_and_twice_is_once() {
    let dir = tempfile::tempdir().unwrap();
    let ann = open(dir.path()).await;
    let receipt = ann.publish(&meeting(1, b"one")).await.unwrap();
    assert_eq!(ann.publish(&meeting(1, b"one")).await.unwrap(), receipt);
    ann.publish_one(&meeting(1, b"two")).await.unwrap();
    assert_eq!(records(dir.path()).len(), 2);
    ann.retract(std::slice::from_ref(&receipt)).await.unwrap();
    ann.retract(&[receipt]).await.unwrap();
    let left = ann.fetch_keys([slot(1)]).await.unwrap();
    assert_eq!(left, [meeting(1, b"two")]);
}

#[tokio::test]
async fn pointers_replace_and_old_receipts_spare_the_new() {
    let dir = tempfile::tempdir().unwrap();
    let (ann, bob) = (open(dir.path()).await, open(dir.path()).await);
    let keys: Keys = [Key::name("ann").unwrap()].into_iter().collect();
    let old = ann.publish(&pointer("ann", b"old")).await.unwrap();
    let first = bob.fetch(Fetch::new(Place::Own, keys.clone())).await.unwrap();
    assert_eq!(first.records, [pointer("ann", b"old")]);
    // Of the same length, so that only the file's identity tells.
    let new = ann.publish(&pointer("ann", b"new")).await.unwrap();
    let second = bob.fetch(Fetch::new(Place::Own, keys.clone()).after(first.cursor)).await.unwrap();
    assert_eq!(second.records, [pointer("ann", b"new")]);
    ann.retract(&[old]).await.unwrap();
    assert_eq!(records(dir.path()), ["name-ann.rec"]);
    ann.retract(&[new]).await.unwrap();
    assert_eq!(records(dir.path()), [""; 0]);
}

#[tokio::test]
async fn receipts_outlive_the_process_and_others_do_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let receipt = open(dir.path()).await.publish(&meeting(1, b"one")).await.unwrap();
    let later = open(dir.path()).await;
    let stored = Receipt::new(receipt.as_bytes().to_vec()).unwrap();
    fs::write(dir.path().join("precious"), "data").unwrap();
    for text in ["", "junk", "00\n../precious", "\u{0}", "07070707070707070707070707070707\n../../precious"] {
        later.retract(&[Receipt::new(text.as_bytes().to_vec()).unwrap()]).await.unwrap();
    }
    assert_eq!(records(dir.path()).len(), 1);
    later.retract(&[stored]).await.unwrap();
    assert_eq!(records(dir.path()).len(), 0);
    assert!(dir.path().join("precious").exists());
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let ann = open(dir.path()).await;
    for class in Class::ALL {
        let max = ann.capability().class(class).unwrap().max_record;
        let of = |len| Record::new(slot(1), class, Timestamp::from_secs(4_000_000_000), vec![1; len]);
        ann.publish_one(&of(max)).await.unwrap();
        assert_eq!(ann.publish(&of(max + 1)).await.unwrap_err().kind(), ErrorKind::Refused);
    }
    let named = Record { key: Key::name("ann").unwrap(), ..meeting(1, b"x") };
    assert_eq!(ann.publish(&named).await.unwrap_err().kind(), ErrorKind::Refused);
    let escaping = Record { key: Key::Name("../../x".into()), ..pointer("x", b"x") };
    assert_eq!(ann.publish(&escaping).await.unwrap_err().kind(), ErrorKind::Refused);
}

/// A synchroniser brings files with the times that they had elsewhere.
#[tokio::test]
async fn news_with_an_old_date_is_news() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let bob = open(dir.path()).await;
    bob.publish_one(&meeting(1, b"first")).await.unwrap();
    let batch = bob.fetch(Fetch::new(Place::Own, Keys::All)).await.unwrap();
    assert_eq!((batch.records.len(), batch.more), (1, false));

    open(elsewhere.path()).await.publish_one(&meeting(2, b"older")).await.unwrap();
    let name = records(elsewhere.path()).remove(0);
    let target = dir.path().join(".wayside").join(&name);
    fs::copy(elsewhere.path().join(".wayside").join(&name), &target).unwrap();
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(1_000_000);
    fs::File::options().write(true).open(&target).unwrap().set_modified(long_ago).unwrap();

    let batch = bob.fetch(Fetch::new(Place::Own, Keys::All).after(batch.cursor)).await.unwrap();
    assert_eq!(batch.records, [meeting(2, b"older")]);
    let batch = bob.fetch(Fetch::new(Place::Own, Keys::All).after(batch.cursor)).await.unwrap();
    assert_eq!(batch.records, []);
}

/// Whatever is published between two pages is in a later one.
#[tokio::test]
async fn pages_miss_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (ann, bob) = (open(dir.path()).await, open(dir.path()).await);
    for n in 0..40 {
        ann.publish_one(&meeting(n, b"before")).await.unwrap();
    }
    let mut request = Fetch::new(Place::Own, Keys::All);
    request.limit = 7;
    let (mut found, mut published) = (BTreeSet::new(), 40);
    loop {
        let batch = bob.fetch(request.clone()).await.unwrap();
        assert!(batch.records.len() <= 7);
        found.extend(batch.records.iter().map(|record| (record.key.clone(), record.bytes.clone())));
        request.cursor = batch.cursor;
        if !batch.more {
            break;
        }
        if published < 45 {
            ann.publish_one(&meeting(published, b"meanwhile")).await.unwrap();
            published += 1;
        }
    }
    assert_eq!(found.len(), 45);
}

#[tokio::test]
async fn a_cursor_that_is_not_ours_means_the_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let (ann, bob) = (open(dir.path()).await, open(dir.path()).await);
    ann.publish_one(&meeting(1, b"one")).await.unwrap();
    let anns = ann.fetch(Fetch::new(Place::Own, Keys::All)).await.unwrap().cursor;
    let of_one_key = bob.fetch(Fetch::new(Place::Own, [slot(2)].into_iter().collect())).await.unwrap().cursor;
    for cursor in [anns, of_one_key, Cursor::new(&b"junk"[..]), Cursor::new(vec![0xff; 24])] {
        let batch = bob.fetch(Fetch::new(Place::Own, Keys::All).after(cursor)).await.unwrap();
        assert_eq!(batch.records.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_begins_with_what_is_there_and_wakes() {
    let dir = tempfile::tempdir().unwrap();
    let (ann, bob) = (open(dir.path()).await, open(dir.path()).await);
    ann.publish_one(&meeting(1, b"before")).await.unwrap();
    let keys: Keys = [slot(1), slot(2)].into_iter().collect();
    let mut watch = bob.watch(Watch::new(Place::Own, keys)).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().records, [meeting(1, b"before")]);

    let mut latencies = Vec::new();
    for n in 0..20_u8 {
        // What is asked for by nobody wakes nobody.
        ann.publish_one(&meeting(3, &[n])).await.unwrap();
        let watching = tokio::spawn(async move { (watch.next().await, Instant::now(), watch) });
        tokio::time::sleep(Duration::from_millis(20)).await;
        let begun = Instant::now();
        ann.publish_one(&meeting(2, &[n])).await.unwrap();
        let published = Instant::now();
        let (batch, woke, back) = watching.await.unwrap();
        watch = back;
        assert_eq!(batch.unwrap().unwrap().records, [meeting(2, &[n])]);
        latencies.push((woke - begun, published - begun));
    }
    latencies.sort();
    let ((median, of_it), (worst, _)) = (latencies[10], latencies[19]);
    eprintln!("from publish to the watcher: median {median:?} (publish itself {of_it:?}), worst {worst:?}");
    assert!(median < Duration::from_millis(500), "inotify does not wake: {latencies:?}");
}

/// A hard link comes without a notice, as does whatever another machine does.
#[tokio::test]
async fn a_watch_looks_by_itself() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    open(elsewhere.path()).await.publish_one(&meeting(1, b"silent")).await.unwrap();
    let name = records(elsewhere.path()).remove(0);

    let bob = open(dir.path()).await;
    let Delivery::Push { latency } = bob.capability().delivery else { unreachable!("folders push") };
    let mut watch = bob.watch(Watch::new(Place::Own, Keys::All)).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(100), watch.next()).await.is_err());
    let put = Instant::now();
    fs::hard_link(elsewhere.path().join(".wayside").join(&name), dir.path().join(".wayside").join(&name))
        .unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().records, [meeting(1, b"silent")]);
    eprintln!("without notice: {:?} of {latency:?}", put.elapsed());
    assert!(put.elapsed() < latency);
}

#[tokio::test]
async fn many_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let bridges = [open(dir.path()).await, open(dir.path()).await, open(dir.path()).await];
    let mut tasks = tokio::task::JoinSet::new();
    for (n, bridge) in bridges.iter().cycle().take(12).cloned().enumerate() {
        tasks.spawn(async move {
            for m in 0..20_u8 {
                // Half of them the same from all.
                let n = if m % 2 == 0 { 0 } else { n };
                bridge.publish_one(&meeting(u8::try_from(n).unwrap(), &[m])).await.unwrap();
                bridge.publish_one(&pointer("all", &[m])).await.unwrap();
                bridge.fetch(Fetch::new(Place::Own, Keys::All)).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let batch = bridges[0].fetch(Fetch::new(Place::Own, Keys::All)).await.unwrap();
    let all = bridges[0].fetch_keys((0..12).map(slot)).await.unwrap();
    assert_eq!(all.len(), 10 + 12 * 10);
    assert_eq!(batch.skipped, 0);
    assert!(names(dir.path()).iter().all(|name| !name.ends_with(".tmp")), "{:?}", names(dir.path()));
}

#[tokio::test]
async fn what_expired_is_removed_by_whoever_sees_it() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let bob = open_with(dir.path(), context(&clock, None)).await.unwrap();
    let ann = open(dir.path()).await;
    for record in [meeting(1, b"one"), pointer("ann", b"card")] {
        ann.publish_one(&Record { not_after: in_days(1), ..record }).await.unwrap();
    }
    ann.publish_one(&Record { not_after: in_days(30), ..meeting(2, b"two") }).await.unwrap();
    let conflict = dir.path().join(".wayside/name-ann.sync-conflict-20261123-120000-ABCDEFG.rec");
    fs::copy(dir.path().join(".wayside/name-ann.rec"), &conflict).unwrap();

    clock.advance(DAY);
    bob.fetch(Fetch::new(Place::Own, Keys::All)).await.unwrap();
    assert_eq!(records(dir.path()).len(), 4, "a day's grace");

    clock.advance(2 * DAY);
    let left = bob.fetch(Fetch::new(Place::Own, Keys::All)).await.unwrap();
    assert_eq!(left.records.len(), 1);
    // The copy goes when somebody writes.
    bob.publish_one(&meeting(3, b"three")).await.unwrap();
    assert!(!conflict.exists());
    assert_eq!(records(dir.path()).len(), 2, "{:?}", records(dir.path()));
}
