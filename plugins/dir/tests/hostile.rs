//! Files that somebody put there who means no good, or a tool that knows no better.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::print_stderr, reason = "measurements")]
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::*;
use futures::StreamExt;
use wayside_bridge::{BridgeExt, ErrorKind, Fetch, Keys, Place, Watch};

const CHECK: &str = "07070707070707070707070707070707";

/// A path that is named like a record under the slot of this byte.
fn named(dir: &Path, slot: u8, check: u8) -> PathBuf {
    let slot = format!("{slot:02x}").repeat(16);
    dir.join(".wayside").join(format!("meeting-{slot}-4000000000-{}.rec", format!("{check:02x}").repeat(16)))
}

#[tokio::test]
async fn links_pipes_folders_and_giants_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let ann = open(dir.path()).await;
    ann.publish_one(&meeting(1, b"true")).await.unwrap();

    symlink("/etc/passwd", named(dir.path(), 1, 1)).unwrap();
    symlink(records(dir.path()).remove(0), named(dir.path(), 1, 2)).unwrap();
    symlink("/dev/zero", named(dir.path(), 1, 3)).unwrap();
    fs::create_dir(named(dir.path(), 1, 4)).unwrap();
    assert!(Command::new("mkfifo").arg(named(dir.path(), 1, 5)).status().unwrap().success());
    fs::File::create(named(dir.path(), 1, 6)).unwrap().set_len(1 << 30).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
    fs::rename(dir.path().join("s"), named(dir.path(), 1, 7)).unwrap();
    fs::File::create(named(dir.path(), 1, 8)).unwrap();
    fs::write(dir.path().join(".wayside").join("notes.txt"), "not ours").unwrap();
    let (header, _) = (b"wayside\n\x01\x01\x01\x10", CHECK);
    fs::write(named(dir.path(), 1, 9), header).unwrap();

    let started = Instant::now();
    for _ in 0..200 {
        let batch = ann.fetch(Fetch::new(Place::Own, Keys::All)).await.unwrap();
        assert_eq!(batch.records, [meeting(1, b"true")]);
        assert_eq!(batch.skipped, 10);
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(dir.path().join(".wayside/notes.txt").exists(), "what is not ours stays");
}

/// Another record's bytes under a name of theirs do not pass for it.
#[tokio::test]
async fn a_record_under_a_wrong_name_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let ann = open(dir.path()).await;
    ann.publish_one(&meeting(1, b"true")).await.unwrap();
    let file = dir.path().join(".wayside").join(records(dir.path()).remove(0));
    fs::copy(&file, named(dir.path(), 2, 1)).unwrap();
    fs::copy(&file, dir.path().join(".wayside/name-ann.rec")).unwrap();
    let batch = ann.fetch(Fetch::new(Place::Own, Keys::All)).await.unwrap();
    assert_eq!((batch.records.len(), batch.skipped), (1, 2));
}

#[tokio::test]
async fn what_is_in_the_way_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let ann = open(dir.path()).await;
    fs::create_dir(dir.path().join(".wayside/name-ann.rec")).unwrap();
    let error = ann.publish(&pointer("ann", b"card")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.message().contains("name-ann.rec"), "{error}");
    assert!(names(dir.path()).iter().all(|name| !name.ends_with(".tmp")));

    // A link is replaced, not written through.
    let target = dir.path().join("precious");
    fs::write(&target, "data").unwrap();
    symlink(&target, dir.path().join(".wayside/name-bob.rec")).unwrap();
    ann.publish_one(&pointer("bob", b"card")).await.unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"data");
    assert_eq!(records(dir.path()), ["name-ann.rec", "name-bob.rec"]);
}

#[tokio::test]
async fn a_link_for_a_folder_leads_nowhere() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(elsewhere.path(), dir.path().join(".wayside")).unwrap();
    let error = open_with(dir.path(), context(&TestClock::new(), None)).await.unwrap_err();
    assert!(error.message().contains("in the way"), "{error}");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);

    // Swapped later on.
    let dir = tempfile::tempdir().unwrap();
    let ann = open(dir.path()).await;
    fs::rename(dir.path().join(".wayside"), elsewhere.path().join("moved")).unwrap();
    symlink(elsewhere.path().join("moved"), dir.path().join(".wayside")).unwrap();
    assert!(ann.publish(&meeting(1, b"x")).await.is_err());
    assert!(ann.fetch(Fetch::new(Place::Own, Keys::All)).await.is_err());
}

/// A tool that writes in place shows half a record first.
#[tokio::test]
async fn a_file_that_is_written_slowly_is_found_in_the_end() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    open(elsewhere.path()).await.publish_one(&meeting(1, b"slow")).await.unwrap();
    let name = records(elsewhere.path()).remove(0);
    let whole = fs::read(elsewhere.path().join(".wayside").join(&name)).unwrap();

    let bob = open(dir.path()).await;
    let mut request = Fetch::new(Place::Own, Keys::All);
    for len in [0, 10, 30, whole.len() - 1] {
        fs::write(dir.path().join(".wayside").join(&name), &whole[..len]).unwrap();
        let batch = bob.fetch(request.clone()).await.unwrap();
        assert_eq!((batch.records.len(), batch.skipped), (0, 1));
        request.cursor = batch.cursor;
    }
    fs::write(dir.path().join(".wayside").join(&name), &whole).unwrap();
    assert_eq!(bob.fetch(request).await.unwrap().records, [meeting(1, b"slow")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_junk_files_cost_little() {
    let dir = tempfile::tempdir().unwrap();
    let (ann, bob) = (open(dir.path()).await, open(dir.path()).await);
    for n in 0..10_000_u32 {
        // A third has other people's keys, a third ours, a third no name at all.
        let check = format!("{n:032x}");
        let name = match n % 3 {
            0 => format!("meeting-{check}-4000000000-{check}.rec"),
            1 => format!("meeting-{}-4000000000-{check}.rec", "01".repeat(16)),
            _ => format!("junk {n}"),
        };
        fs::write(dir.path().join(".wayside").join(name), [0; 512]).unwrap();
    }
    ann.publish_one(&meeting(1, b"true")).await.unwrap();

    let started = Instant::now();
    let keys: Keys = [slot(1)].into_iter().collect();
    let mut request = Fetch::new(Place::Own, keys.clone());
    let batch = bob.fetch(request.clone()).await.unwrap();
    let first = started.elapsed();
    assert_eq!((batch.records.len(), batch.skipped, batch.more), (1, 3333 + 3333, false));
    request.cursor = batch.cursor;
    let started = Instant::now();
    for _ in 0..10 {
        let batch = bob.fetch(request.clone()).await.unwrap();
        assert_eq!(batch.records.len(), 0);
        request.cursor = batch.cursor;
    }
    eprintln!("10,000 junk files: first look {first:?}, then {:?} each", started.elapsed() / 10);
    assert!(first < Duration::from_secs(10));

    let mut watch = bob.watch(Watch::new(Place::Own, keys).after(request.cursor)).await.unwrap();
    let watching = tokio::spawn(async move { watch.next().await });
    ann.publish_one(&meeting(1, b"news")).await.unwrap();
    assert_eq!(watching.await.unwrap().unwrap().unwrap().records, [meeting(1, b"news")]);
}

/// Large records come in batches of some megabytes, whatever was asked for.
#[tokio::test]
async fn batches_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let ann = open(dir.path()).await;
    for n in 0..20 {
        let mut record = meeting(n, &vec![n; 1 << 20]);
        record.class = wayside_bridge::Class::Custody;
        ann.publish_one(&record).await.unwrap();
    }
    let mut request = Fetch::new(Place::Own, Keys::All);
    let mut sizes = Vec::new();
    loop {
        let batch = ann.fetch(request.clone()).await.unwrap();
        sizes.push(batch.records.len());
        request.cursor = batch.cursor;
        if !batch.more {
            break;
        }
    }
    assert_eq!(sizes, [8, 8, 4]);
}
