//! Branches with several writers, on a real server.
//!
//! `tests/run github` starts it; without one each test says that it was skipped.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::print_stderr, reason = "measurements")]

mod common;

use std::time::{Duration, Instant};

use common::server::{NONE, Repo, Server, text};
use common::*;
use futures::future::{join_all, try_join_all};
use wayside_bridge::{BridgeExt, Clock, Fetch, Key, Keys, Place, Record, Slot, file};

fn numbered(number: u8, bytes: usize) -> Record {
    meeting(number, &vec![number; bytes])
}

fn all() -> Fetch {
    Fetch::new(Place::Own, Keys::All)
}

/// How many commits there are from the end of the branch back to its beginning.
async fn history(repo: &Repo) -> usize {
    let (_, commit) = repo.files().await.unwrap();
    let (mut next, mut count) = (commit, 0);
    while let Some(commit) = next {
        count += 1;
        let found = repo.get(&repo.path(&format!("/git/commits/{commit}"))).await.unwrap();
        next = found["parents"].get(0).map(|parent| text(&parent["sha"]));
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_writers_at_once_all_succeed() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let repo = Repo::new(&server).await;
    let clock = TestClock::new();
    // Past the guard, which takes most of the time of a request.
    let options: Vec<_> = (0..20).map(|who| repo.options(who % 2, false)).collect();
    let writers = try_join_all(options.iter().map(|options| open(options, FAST, &clock))).await.unwrap();
    let records: Vec<Record> = (0..20).map(|number| numbered(number, 376)).collect();
    let started = Instant::now();
    let done = join_all(writers.iter().zip(&records).map(|(writer, record)| writer.publish(record))).await;
    let took = started.elapsed();
    let failed: Vec<_> = done.iter().filter_map(|done| done.as_ref().err()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    eprintln!("20 writers at once: {took:?}, a history of {}", history(&repo).await);
    let found = writers[0].fetch(all()).await.unwrap().records;
    let missing = records.iter().filter(|record| !found.contains(record)).count();
    assert_eq!(missing, 0, "of 20");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// What waits at the same moment is one commit, and so is taking it all back.
#[tokio::test]
async fn what_waits_together_goes_together() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let repo = Repo::new(&server).await;
    let bridge = repo.open(0, FAST, &TestClock::new()).await.unwrap();
    let receipt = bridge.publish(&numbered(0, 10)).await.unwrap();
    assert_eq!(history(&repo).await, 1);
    let records: Vec<Record> = (1..9).map(|number| numbered(number, 376)).collect();
    let mut receipts = try_join_all(records.iter().map(|record| bridge.publish(record))).await.unwrap();
    assert_eq!(history(&repo).await, 2);
    receipts.push(receipt);
    bridge.retract(&receipts).await.unwrap();
    assert_eq!(history(&repo).await, 3);
    bridge.retract(&receipts).await.unwrap();
    assert_eq!(history(&repo).await, 3, "nothing to do is nothing done");
    let (files, _) = repo.files().await.unwrap();
    assert_eq!(files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["README.md"]);
}

#[tokio::test]
async fn history_does_not_grow() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let repo = Repo::new(&server).await;
    let clock = TestClock::new();
    let (ada, ben) = (repo.open(0, FAST, &clock).await.unwrap(), repo.open(1, FAST, &clock).await.unwrap());
    let mut longest = 0;
    ada.publish_one(&numbered(200, 376)).await.unwrap();
    for number in 0..20 {
        let receipt = ada.publish(&numbered(number, 376)).await.unwrap();
        longest = longest.max(history(&repo).await);
        let answer = ben.publish(&numbered(number + 100, 376)).await.unwrap();
        ada.retract(&[receipt]).await.unwrap();
        ben.retract(&[answer]).await.unwrap();
        longest = longest.max(history(&repo).await);
    }
    assert!(longest <= 16, "{longest}");
    assert_eq!(
        ben.fetch(all()).await.unwrap().records,
        [numbered(200, 376)],
        "what stays is there throughout"
    );
}

/// Several write while the branch begins anew, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_the_branch_begins_anew() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let repo = Repo::new(&server).await;
    let clock = TestClock::new();
    let writers = try_join_all((0..4).map(|who| repo.open(who % 2, FAST, &clock))).await.unwrap();
    let work = writers.iter().zip(0..).map(|(writer, who)| async move {
        for number in 0..14 {
            writer.publish(&numbered(who * 50 + number, 100)).await?;
        }
        Ok::<_, wayside_bridge::BridgeError>(())
    });
    try_join_all(work).await.unwrap();
    let found = writers[0].fetch(all()).await.unwrap().records;
    let missing: Vec<u8> = (0..4).flat_map(|who| (0..14).map(move |number| who * 50 + number)).collect();
    let missing: Vec<u8> =
        missing.into_iter().filter(|number| !found.contains(&numbered(*number, 100))).collect();
    assert!(missing.is_empty(), "{missing:?} of 56");
    assert!(history(&repo).await <= 16);
}

/// Whoever was about to replace its commit died: others wait a minute, and go on.
#[tokio::test]
async fn a_closing_commit_that_nobody_replaces_is_gone_on_from() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let repo = Repo::new(&server).await;
    let clock = TestClock::new();
    let bridge = repo.open(0, FAST, &clock).await.unwrap();
    bridge.publish_one(&numbered(1, 10)).await.unwrap();
    let (_, commit) = repo.files().await.unwrap();
    let tip = repo.get(&repo.path(&format!("/git/commits/{}", commit.clone().unwrap()))).await.unwrap();
    let message = "x\n\nwayside-depth: 16\nwayside-closing: yes\n";
    let closing = serde_json::json!({ "message": message, "tree": tip["tree"]["sha"], "parents": [commit] });
    let closing = repo.post(&repo.path("/git/commits"), &closing).await.unwrap();
    let moved = serde_json::json!({ "sha": closing["sha"] });
    repo.patch(&repo.path("/git/refs/heads/wayside"), &moved).await.unwrap();

    let publishing = tokio::spawn(async move { bridge.publish(&numbered(2, 10)).await.map(|_| bridge) });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!publishing.is_finished(), "it waits");
    clock.advance(Duration::from_secs(61));
    let bridge = publishing.await.unwrap().unwrap();
    assert_eq!(bridge.fetch(all()).await.unwrap().records.len(), 2);
    assert_eq!(history(&repo).await, 1, "and it has begun anew itself");
}

/// Somebody's files are neither read as records nor touched, and a history that is not ours is not cut.
#[tokio::test]
async fn what_is_somebody_elses_stays() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let repo = Repo::new(&server).await;
    let bridge = repo.open(0, FAST, &TestClock::new()).await.unwrap();
    bridge.publish_one(&numbered(1, 10)).await.unwrap();
    repo.change(&[("notes.txt".to_owned(), Some(b"precious".to_vec()))]).await.unwrap();
    for number in 2..25 {
        let receipt = bridge.publish(&numbered(number, 10)).await.unwrap();
        bridge.retract(&[receipt]).await.unwrap();
    }
    let (files, _) = repo.files().await.unwrap();
    assert!(files.iter().any(|(name, _)| name == "notes.txt"), "{files:?}");
    assert_eq!(history(&repo).await, 2 + 2 * 23);
    let batch = bridge.fetch(all()).await.unwrap();
    assert_eq!((batch.records.len(), batch.skipped), (1, 1));
}

/// Whoever writes removes what has expired, pointers too.
#[tokio::test]
async fn what_has_expired_goes() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let repo = Repo::new(&server).await;
    let clock = TestClock::new();
    let bridge = repo.open(0, FAST, &clock).await.unwrap();
    for mut record in [numbered(1, 10), pointer("ann", b"card")] {
        record.not_after = clock.now().saturating_add(DAY);
        bridge.publish_one(&record).await.unwrap();
    }
    bridge.publish_one(&numbered(2, 10)).await.unwrap();
    assert_eq!(repo.files().await.unwrap().0.len(), 4);
    clock.advance(DAY * 3);
    bridge.publish_one(&numbered(3, 10)).await.unwrap();
    let (files, _) = repo.files().await.unwrap();
    assert_eq!(files.len(), 3, "{files:?}");
}

/// The branch is deleted, or given other contents by force, while we are at work.
#[tokio::test]
async fn a_branch_that_others_move_or_delete_costs_nothing_but_a_try() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let repo = Repo::new(&server).await;
    let clock = TestClock::new();
    let (ada, ben) = (repo.open(0, FAST, &clock).await.unwrap(), repo.open(1, FAST, &clock).await.unwrap());
    ada.publish_one(&numbered(1, 10)).await.unwrap();
    let (_, first) = repo.files().await.unwrap();
    ada.publish_one(&numbered(2, 10)).await.unwrap();
    let body = serde_json::json!({ "sha": first.unwrap(), "force": true });
    repo.patch(&repo.path("/git/refs/heads/wayside"), &body).await.unwrap();
    ben.publish_one(&numbered(3, 10)).await.unwrap();
    ada.publish_one(&numbered(4, 10)).await.unwrap();
    let found = ada.fetch(all()).await.unwrap().records;
    assert_eq!(found.len(), 3, "{found:?}");
    repo.delete(&repo.path("/git/refs/heads/wayside")).await.unwrap();
    assert!(ada.fetch(all()).await.unwrap().records.is_empty());
    ben.publish_one(&numbered(5, 10)).await.unwrap();
    assert_eq!(ada.fetch(all()).await.unwrap().records, [numbered(5, 10)]);
}

/// A git bridge's commit has no parent and moves the branch by force; we go on from there.
#[tokio::test]
async fn a_root_of_a_git_bridge_is_gone_on_from() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let repo = Repo::new(&server).await;
    let bridge = repo.open(0, FAST, &TestClock::new()).await.unwrap();
    bridge.publish_one(&numbered(1, 10)).await.unwrap();
    let theirs = numbered(2, 10);
    let (contents, check) = file::encode(&theirs).unwrap();
    let name = file::Name::of(&theirs, check).unwrap().file_name();
    let blob =
        serde_json::json!({ "content": data_encoding::BASE64.encode(&contents), "encoding": "base64" });
    let blob = repo.post(&repo.path("/git/blobs"), &blob).await.unwrap();
    let tree = serde_json::json!({ "tree": [{ "path": name, "mode": "100644", "type": "blob", "sha": blob["sha"] }] });
    let tree = repo.post(&repo.path("/git/trees"), &tree).await.unwrap();
    let root = serde_json::json!({ "message": "x", "tree": tree["sha"], "parents": [] });
    let root = repo.post(&repo.path("/git/commits"), &root).await.unwrap();
    let moved = serde_json::json!({ "sha": root["sha"], "force": true });
    repo.patch(&repo.path("/git/refs/heads/wayside"), &moved).await.unwrap();
    assert_eq!(bridge.fetch(all()).await.unwrap().records, std::slice::from_ref(&theirs));
    bridge.publish_one(&numbered(3, 10)).await.unwrap();
    assert_eq!(history(&repo).await, 2);
    let keys: Keys = [theirs.key.clone(), Key::Slot(Slot([3; 16]))].into_iter().collect();
    assert_eq!(bridge.fetch(Fetch::new(Place::Own, keys)).await.unwrap().records.len(), 2);
    let (files, _) = repo.files().await.unwrap();
    assert!(files.iter().any(|(name, _)| name == "README.md"), "it is put there again");
}

/// How many requests a meeting takes, and how long: an offer, an answer, and each takes its own back.
#[tokio::test]
async fn a_meeting_is_few_requests() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let repo = Repo::new(&server).await;
    let clock = TestClock::new();
    let (ada, ben) = (repo.open(0, FAST, &clock).await.unwrap(), repo.open(1, FAST, &clock).await.unwrap());
    ada.publish_one(&numbered(9, 10)).await.unwrap();
    ben.fetch(all()).await.unwrap();
    let started = Instant::now();
    let offer = ada.publish(&numbered(1, 376)).await.unwrap();
    assert!(ben.fetch(all()).await.unwrap().records.contains(&numbered(1, 376)));
    let answer = ben.publish(&numbered(2, 376)).await.unwrap();
    assert!(ada.fetch(all()).await.unwrap().records.contains(&numbered(2, 376)));
    eprintln!("offer to answer, without the second between writes: {:?}", started.elapsed());
    ada.retract(&[offer]).await.unwrap();
    ben.retract(&[answer]).await.unwrap();
    assert_eq!(ada.fetch(all()).await.unwrap().records, [numbered(9, 10)]);
}
