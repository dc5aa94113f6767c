//! Many at once, and one after another: writers, tasks of one process, and what a meeting costs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::print_stderr, reason = "measurements")]
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::servers::{NONE, Server, fresh_name};
use common::*;
use wayside_bridge::{BridgeExt, Fetch, Keys, Place, SharedBridge};

fn all() -> Fetch {
    Fetch::new(Place::Own, Keys::All)
}

/// Twenty bridges with twenty caches publish at the same moment.
async fn twenty_writers(url: &str, repository: &Repository) {
    let mut bridges: Vec<SharedBridge> = Vec::new();
    for _ in 0..20 {
        bridges.push(open(url).await);
    }
    let began = Instant::now();
    let writing = bridges.iter().zip(0..).map(|(bridge, n)| async move {
        bridge.publish(&meeting(n, b"x")).await.unwrap();
        began.elapsed()
    });
    let mut took = futures::future::join_all(writing).await;
    took.sort();
    eprintln!("20 writers on {url}: half in {:?}, all in {:?}", took[9], took[19]);
    assert_eq!(repository.records().len(), 20);
    assert_eq!(repository.commits(), 1);
    assert!(took[19] < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_writers_at_once() {
    let repository = Repository::new();
    twenty_writers(&repository.url(), &repository).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_writers_at_once_by_http() {
    let Some(server) = Server::find("HTTP") else { return skip(NONE) };
    let name = fresh_name();
    let repository = server.make(&name);
    twenty_writers(&server.url(&name), &repository).await;
}

/// Runs this very test again with a `git` first on the path that notes each command; tells the commands.
fn commands_of(test: &str, url: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let real = Command::new("sh").args(["-c", "command -v git"]).output().unwrap().stdout;
    let real = String::from_utf8(real).unwrap();
    let (wrapper, log) = (folder.path().join("git"), folder.path().join("log"));
    let script = format!(
        "#!/bin/sh\nfor word; do case $word in ls-remote|fetch|push) echo $word >>{};; esac; done\nexec {} \"$@\"\n",
        log.display(),
        real.trim(),
    );
    fs::write(&wrapper, script).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", test, "--nocapture"]).env("PATH", path).env(COUNTED, url);
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect()
}

const COUNTED: &str = "WAYSIDE_TEST_COUNTED";

fn count(commands: &[String], name: &str) -> usize {
    commands.iter().filter(|command| *command == name).count()
}

/// One side's part of a meeting: it offers, looks until the answer is there, and takes back.
async fn one_side(url: &str) {
    let ann = open(url).await;
    let offer = ann.publish(&meeting(1, b"offer")).await.unwrap();
    let seen = ann.fetch(all()).await.unwrap();
    assert_eq!(seen.records.len(), 1);
    let repository = Repository::existing(Path::new(url.trim_start_matches("file://")));
    let (name, contents) = file_of(&meeting(2, b"answer"));
    repository.change(&[(name, contents)], &[]);
    let seen = ann.fetch(all().after(seen.cursor)).await.unwrap();
    assert_eq!(seen.records, [meeting(2, b"answer")]);
    for _ in 0..3 {
        assert_eq!(ann.fetch(all().after(seen.cursor.clone())).await.unwrap().records, []);
    }
    ann.retract(&[offer]).await.unwrap();
}

#[tokio::test]
async fn a_meeting_is_a_push_a_fetch_and_a_retraction() {
    if let Ok(url) = std::env::var(COUNTED) {
        return one_side(&url).await;
    }
    let repository = Repository::new();
    let commands = commands_of("a_meeting_is_a_push_a_fetch_and_a_retraction", &repository.url());
    assert_eq!(count(&commands, "push"), 2, "the offer, and the retraction: {commands:?}");
    assert_eq!(count(&commands, "fetch"), 1, "the answer: {commands:?}");
}

#[tokio::test]
async fn tasks_that_wait_share_a_push() {
    if let Ok(url) = std::env::var(COUNTED) {
        let ann = open(&url).await;
        let gone = ann.publish(&meeting(0, b"gone")).await.unwrap();
        let gone = [gone];
        let ann = &ann;
        let publish = |n| async move { ann.publish(&meeting(n, b"x")).await };
        let publishing = futures::future::join_all((1..20).map(publish));
        let (published, retracted) = futures::join!(publishing, ann.retract(&gone));
        assert!(published.into_iter().all(|receipt| receipt.is_ok()) && retracted.is_ok());
        assert_eq!(ann.fetch(all()).await.unwrap().records.len(), 19);
        return;
    }
    let repository = Repository::new();
    let commands = commands_of("tasks_that_wait_share_a_push", &repository.url());
    assert_eq!(count(&commands, "push"), 3, "one, the first of the many, the rest: {commands:?}");
}

/// In seconds. A meeting each day, so that what is never taken back expires in the course of them.
const DAY: u64 = 86_400;

/// The bytes that a folder takes on disk.
fn weigh(folder: &Path) -> u64 {
    let output = Command::new("du").arg("-sk").arg(folder).output().unwrap().stdout;
    let kib: u64 = String::from_utf8(output).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    kib * 1024
}

/// What the branch and the caches weigh after a thousand meetings. Takes minutes: `cargo test … -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn a_thousand_meetings() {
    let (repository, root) = (Repository::new(), tempfile::tempdir().unwrap());
    let clock = TestClock::new();
    let mut bridges = Vec::new();
    for side in ["ann", "bob"] {
        let state = root.path().join(side);
        fs::create_dir(&state).unwrap();
        bridges.push(open_with(&repository.url(), [], context(&clock, Some(state))).await.unwrap());
    }
    let (mut largest, began) = (0, Instant::now());
    for n in 0..1000_u32 {
        let mut receipts = Vec::new();
        for (bridge, side) in bridges.iter().zip(0..) {
            let mut noise = vec![0; 376];
            getrandom::fill(&mut noise).unwrap();
            let not_after = wayside_bridge::Clock::now(&clock).saturating_add(Duration::from_secs(7 * DAY));
            let record = wayside_bridge::Record { not_after, ..meeting(side, &noise) };
            receipts.push(bridge.publish(&record).await.unwrap());
            assert!(!bridges[usize::from(1 - side)].fetch_keys([slot(side)]).await.unwrap().is_empty());
        }
        // One in ten is never taken back, as when a machine is switched off.
        if n % 10 != 0 {
            for (bridge, receipt) in bridges.iter().zip(&receipts) {
                bridge.retract(std::slice::from_ref(receipt)).await.unwrap();
            }
        }
        clock.advance(Duration::from_secs(DAY));
        largest = largest.max(weigh(&root.path().join("ann"))).max(weigh(&root.path().join("bob")));
    }
    let objects = repository.git(&["rev-list", "--objects", "--disk-usage", "wayside"]);
    eprintln!(
        "1,000 meetings in {:?}: {objects} bytes reachable in {} commits, {} records; a cache had {largest} bytes at most",
        began.elapsed(),
        repository.commits(),
        repository.records().len(),
    );
    assert!(objects.parse::<u64>().unwrap() < 100_000 && largest < 5_000_000);
}

/// The bridge's way from offer to answer beside the bare commands of git, in turns. `tests/run git` starts what it needs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn what_a_meeting_costs() {
    let Some(server) = Server::find("HTTP") else { return skip(NONE) };
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..15 {
        let name = fresh_name();
        let _repository = server.make(&name);
        let (ann, bob) = (open(&server.url(&name)).await, open(&server.url(&name)).await);
        let began = Instant::now();
        ann.publish_one(&meeting(1, &[1; 376])).await.unwrap();
        let seen = bob.fetch(all()).await.unwrap();
        assert_eq!(seen.records.len(), 1);
        bob.publish_one(&meeting(2, &[2; 376])).await.unwrap();
        assert_eq!(ann.fetch(all()).await.unwrap().records.len(), 2);
        ours.push(began.elapsed());

        let name = fresh_name();
        let _repository = server.make(&name);
        let root = tempfile::tempdir().unwrap();
        let began = Instant::now();
        let mut shell = Command::new("sh");
        shell.args(["-ec", BARE]).arg(server.url(&name)).current_dir(root.path());
        assert!(shell.status().unwrap().success());
        bare.push(began.elapsed());
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let (ours, bare) = (median(&mut ours), median(&mut bare));
    let ratio = ours.as_secs_f64() / bare.as_secs_f64();
    eprintln!("offer to answer by smart HTTP: {ours:?}, the bare commands {bare:?}: {ratio:.2} times");
    assert!(ratio <= 2.0, "{ratio}");
}

/// What a person would type to hand a file over and get one back, with nothing to spare.
const BARE: &str = r#"
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@a
url=$0
for side in ann bob; do git init -q --bare $side; done
put() { # side, file, what was there
    blob=$(head -c 376 /dev/urandom | git -C $1 hash-object -w --stdin)
    tree=$({ [ -z "$3" ] || git -C $1 ls-tree $3; printf '100644 blob %s\t%s\n' $blob $2; } | git -C $1 mktree)
    commit=$(git -C $1 commit-tree -m x $tree)
    git -C $1 ls-remote $url refs/heads/wayside >/dev/null
    git -C $1 push -q --force-with-lease=refs/heads/wayside:$3 $url $commit:refs/heads/wayside
}
get() { # side
    git -C $1 ls-remote $url refs/heads/wayside >/dev/null
    git -C $1 fetch -q --depth=1 $url +refs/heads/wayside:refs/tip
    git -C $1 ls-tree refs/tip | while read -r _ _ oid _; do git -C $1 cat-file blob $oid >/dev/null; done
    git -C $1 rev-parse refs/tip
}
put ann offer ''
tip=$(get bob)
put bob answer $tip
get ann >/dev/null
"#;
