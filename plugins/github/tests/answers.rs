//! What GitHub answers that the real server of our tests does not: on a small server of ours.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::fake::{Answer, Fake};
use common::place::*;
use common::*;
use data_encoding::BASE64;
use serde_json::json;
use wayside_bridge::{BridgeError, ErrorKind, Retry};
use wayside_bridge_github::Pace;

#[tokio::test]
async fn an_idle_poll_is_one_304() {
    let fake = Fake::start(holds(vec![in_file(&meeting(1, b"x"))], true)).await;
    let bridge = bridge(&fake, Some("ghp_secret"), &[]).await;
    let batch = bridge.fetch(all()).await.unwrap();
    assert_eq!(batch.records, [meeting(1, b"x")]);
    assert_eq!(fake.seen().len(), 4, "where the branch is, its commit, its tree, the record");
    let mut request = all();
    request.cursor = batch.cursor;
    for _ in 0..10 {
        let batch = bridge.fetch(request.clone()).await.unwrap();
        assert!(batch.records.is_empty() && !batch.more);
        request.cursor = batch.cursor;
    }
    let seen = fake.seen();
    assert_eq!(seen.len(), 10, "one request a poll");
    for request in seen {
        assert_eq!((request.path.as_str(), request.header("if-none-match")), (REF, Some("\"one\"")));
        assert_eq!(request.header("authorization"), Some("Bearer ghp_secret"));
    }
    // From the beginning it is one as well: what is known is known.
    assert_eq!(bridge.fetch(all()).await.unwrap().records, [meeting(1, b"x")]);
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn an_idle_poll_of_an_issue_is_one_304() {
    let (_, contents) = in_file(&meeting(1, b"x"));
    let comment = format!("A note\r\n\r\n```wayside\r\n{}\r\n```\r\n", BASE64.encode(&contents));
    let fake = Fake::start(move |request| {
        assert!(request.path.starts_with("/repos/ada/box/issues/7/comments?per_page=100&page=1&since=20"), "{}", request.path);
        let comments = json!([{ "id": 5, "body": comment, "user": { "id": 3 }, "updated_at": "2026-11-26T07:00:00Z" }, { "id": 6, "body": null, "user": null }]);
        Answer::ok(&comments).tagged(request, "\"one\"")
    })
    .await;
    let bridge = bridge(&fake, None, &[("issue", "7")]).await;
    let batch = bridge.fetch(all()).await.unwrap();
    assert_eq!((batch.records, batch.skipped), (vec![meeting(1, b"x")], 1));
    fake.seen();
    let mut request = all();
    request.cursor = batch.cursor;
    assert!(bridge.fetch(request).await.unwrap().records.is_empty());
    assert_eq!(bridge.fetch(all()).await.unwrap().records, [meeting(1, b"x")]);
    let seen = fake.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|request| request.header("if-none-match") == Some("\"one\"")));
    assert!(seen.iter().all(|request| request.header("authorization").is_none()), "there is no token");
}

/// After an answer that could not be used, the next look asks for everything again.
#[tokio::test]
async fn a_tag_is_kept_only_with_what_it_was_given_for() {
    let good = holds(vec![in_file(&meeting(1, b"x"))], true);
    let broken = Arc::new(AtomicBool::new(true));
    let breaks = Arc::clone(&broken);
    let fake = Fake::start(move |request| {
        match request.path.contains("/git/trees/") && breaks.load(Ordering::SeqCst) {
            true => Answer::says(502, "Server Error"),
            false => good(request),
        }
    })
    .await;
    let bridge = bridge(&fake, None, &[]).await;
    let error = bridge.fetch(all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    broken.store(false, Ordering::SeqCst);
    assert_eq!(bridge.fetch(all()).await.unwrap().records, [meeting(1, b"x")]);
    // "Not modified" to what had no condition says nothing.
    fake.now(|_| Answer { status: 304, ..Answer::ok(&json!({})) });
    assert_eq!(bridge.fetch(all()).await.unwrap().records, [meeting(1, b"x")], "that one had a condition");
    assert_eq!(bridge.probe().await.unwrap_err().kind(), ErrorKind::Garbled);
}

/// An answer, to a bridge with these options; what it is taken for, and words of what a person is told.
type Refusal<'a> = (Answer, &'a [(&'a str, &'a str)], ErrorKind, &'a str);

async fn failure(answer: Answer, more: &[(&str, &str)]) -> [BridgeError; 3] {
    let fake = Fake::start(move |_| answer.clone()).await;
    let bridge = bridge(&fake, Some("ghp_secret"), more).await;
    let fetched = bridge.fetch(all()).await.unwrap_err();
    let published = bridge.publish(&meeting(1, b"x")).await.unwrap_err();
    [fetched, published, bridge.probe().await.unwrap_err()]
}

/// Each says what kind of trouble it is and what a person does about it.
#[tokio::test]
async fn refusals_are_told_apart() {
    let issue: &[(&str, &str)] = &[("issue", "7")];
    let cases: [Refusal; 12] = [
        (Answer::says(401, "Bad credentials"), &[], ErrorKind::Denied, "expired"),
        (Answer::not_found(), &[], ErrorKind::Denied, "we may not see it"),
        (Answer::not_found(), issue, ErrorKind::Denied, "Issues: read and write"),
        (
            Answer::says(403, "Resource not accessible by personal access token"),
            &[],
            ErrorKind::Denied,
            "Contents: read and write",
        ),
        (
            Answer::says(403, "Resource not accessible by personal access token"),
            issue,
            ErrorKind::Denied,
            "Issues: read and write",
        ),
        (Answer::says(403, "Repository was archived so is read-only."), &[], ErrorKind::Denied, "archived"),
        (
            Answer::says(403, "Unable to create comment because issue is locked."),
            issue,
            ErrorKind::Denied,
            "locked",
        ),
        (Answer::says(410, "Issues are disabled for this repo"), issue, ErrorKind::Gone, "switched off"),
        (Answer::says(503, "Service unavailable"), &[], ErrorKind::Unreachable, "503"),
        (
            Answer::says(301, "Moved Permanently").with("location", "http://127.0.0.1:1/elsewhere"),
            &[],
            ErrorKind::Gone,
            "renamed",
        ),
        (Answer::says(422, "Validation\u{1b}[2J Failed"), issue, ErrorKind::Refused, "Validation[2J Failed"),
        (Answer { body: "<html>".into(), ..Answer::ok(&json!({})) }, &[], ErrorKind::Garbled, "--api"),
    ];
    for (answer, more, kind, says) in cases {
        let status = answer.status;
        for error in failure(answer, more).await {
            assert_eq!(error.kind(), kind, "{status}: {error}");
            assert!(error.message().contains(says), "{status}: {error}");
            assert!(!error.message().contains("ghp_secret"));
        }
    }
}

#[tokio::test]
async fn a_missing_branch_is_an_empty_place() {
    let fake = Fake::start(|request| match request.path.as_str() {
        REPO => Answer::ok(&json!({ "default_branch": "main" })),
        _ => Answer::not_found(),
    })
    .await;
    let bridge = bridge(&fake, None, &[]).await;
    for _ in 0..3 {
        assert!(bridge.fetch(all()).await.unwrap().records.is_empty());
    }
    assert_eq!(
        paths(&fake),
        [REF, REPO, REF, REF].map(|path| format!("GET {path}")),
        "the repository is looked for once"
    );
    // So is a repository without any commit.
    fake.now(|_| Answer::says(409, "Git Repository is empty."));
    assert!(bridge.fetch(all()).await.unwrap().records.is_empty());
}

#[tokio::test]
async fn limits_are_kept_to() {
    let secondary =
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    let reset = ("x-ratelimit-reset", "1795676430");
    let cases = [
        (Answer::says(429, "Too many requests").with("retry-after", "17"), 17),
        (Answer::says(403, secondary).with("retry-after", "17"), 17),
        (Answer::says(403, secondary), 60),
        (
            Answer::says(403, "API rate limit exceeded for user ID 1.")
                .with("x-ratelimit-remaining", "0")
                .with(reset.0, reset.1),
            31,
        ),
    ];
    for (answer, seconds) in cases {
        let clock = TestClock::new();
        let fake = Fake::start(move |_| answer.clone()).await;
        let bridge = bridge_at(&fake, Some("ghp_secret"), &[], FAST, &clock).await;
        let error = bridge.fetch(all()).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::RateLimited, Retry::After(Duration::from_secs(seconds)))
        );
        assert_eq!(fake.seen().len(), 1);
        fake.now(holds(Vec::new(), true));
        for _ in 0..3 {
            assert_eq!(bridge.fetch(all()).await.unwrap_err().kind(), ErrorKind::RateLimited);
            assert_eq!(bridge.publish(&meeting(1, b"x")).await.unwrap_err().kind(), ErrorKind::RateLimited);
            assert_eq!(bridge.probe().await.unwrap_err().kind(), ErrorKind::RateLimited);
        }
        assert_eq!(fake.seen().len(), 0, "until then nothing is sent");
        clock.advance(Duration::from_secs(seconds + 1));
        assert!(bridge.fetch(all()).await.is_ok());
    }
}

/// The last request of the hour is answered, and the next is not sent.
#[tokio::test]
async fn what_is_used_up_is_not_asked_for() {
    let good = holds(Vec::new(), true);
    let fake = Fake::start(move |request| {
        good(request)
            .with("x-ratelimit-remaining", if request.path.contains("trees") { "0" } else { "9" })
            .with("x-ratelimit-reset", "1795676430")
    })
    .await;
    let bridge = bridge(&fake, None, &[]).await;
    assert!(bridge.fetch(all()).await.is_ok());
    assert_eq!(bridge.fetch(all()).await.unwrap_err().kind(), ErrorKind::RateLimited);
    assert_eq!(fake.seen().len(), 3);
}

#[tokio::test]
async fn the_service_says_how_often_it_is_looked_at() {
    let good = holds(vec![in_file(&meeting(1, b"x"))], true);
    let fake = Fake::start(move |request| good(request).with("x-poll-interval", "300")).await;
    let clock = TestClock::new();
    let bridge = bridge_at(&fake, None, &[], Pace { poll: Duration::from_secs(30), ..FAST }, &clock).await;
    bridge.fetch(all()).await.unwrap();
    fake.seen();
    assert_eq!(bridge.fetch(all()).await.unwrap().records, [meeting(1, b"x")]);
    assert_eq!(fake.seen().len(), 0);
    clock.advance(Duration::from_secs(31));
    bridge.fetch(all()).await.unwrap();
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn what_hangs_is_given_up() {
    let pace = Pace { patience: Duration::from_millis(200), ..FAST };
    let fake = Fake::start(|_| Answer::ok(&json!({})).after(Duration::from_secs(600))).await;
    let bridge = bridge_at(&fake, Some("ghp_secret"), &[], pace, &TestClock::new()).await;
    let started = std::time::Instant::now();
    assert_eq!(bridge.fetch(all()).await.unwrap_err().kind(), ErrorKind::Unreachable);
    assert_eq!(bridge.publish(&meeting(1, b"x")).await.unwrap_err().kind(), ErrorKind::Unreachable);
    assert!(started.elapsed() < Duration::from_secs(5));
    drop(fake);
    // And so is what is not there.
    let error = bridge.fetch(all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}

/// Where a redirect leads, the token does not go.
#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Fake::start(|_| Answer::ok(&json!({}))).await;
    let target = elsewhere.api.clone();
    for status in [301, 302, 307, 308] {
        let location = format!("{target}/repositories/1");
        let fake = Fake::start(move |_| Answer::says(status, "Moved").with("location", &location)).await;
        let bridge = bridge(&fake, Some("ghp_secret"), &[]).await;
        assert_eq!(bridge.fetch(all()).await.unwrap_err().kind(), ErrorKind::Gone);
        assert_eq!(bridge.publish(&meeting(1, b"x")).await.unwrap_err().kind(), ErrorKind::Gone);
    }
    assert_eq!(elsewhere.seen().len(), 0);
}

#[tokio::test]
async fn without_a_token_it_reads() {
    let fake = Fake::start(holds(vec![in_file(&meeting(1, b"x"))], true)).await;
    let bridge = bridge(&fake, None, &[]).await;
    assert_eq!(bridge.fetch(all()).await.unwrap().records, [meeting(1, b"x")]);
    fake.seen();
    let error = bridge.publish(&meeting(2, b"y")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("--token-file"), "{error}");
    assert_eq!(fake.seen().len(), 0);
    let probe = bridge.probe().await.unwrap();
    assert!(probe.note.unwrap().contains("only reads"));
    assert_eq!(probe.service_time.unwrap().as_secs(), 1_795_676_400);
    assert_eq!(paths(&fake), [format!("GET {REPO}")]);
}

/// The project's own branch is never written to: it would be given a new history.
#[tokio::test]
async fn the_default_branch_is_the_projects() {
    let fake = Fake::start(|request| match request.path.as_str() {
        REPO => Answer::ok(&json!({ "default_branch": "trunk", "permissions": { "push": true } })),
        _ => Answer::not_found(),
    })
    .await;
    let bridge = bridge(&fake, Some("ghp_secret"), &[("branch", "trunk")]).await;
    let error = bridge.publish(&meeting(1, b"x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(paths(&fake).iter().all(|request| request.starts_with("GET")));
}

#[tokio::test]
async fn writes_keep_their_distance() {
    let fake = Fake::start(|request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", path) if path.ends_with("/comments") => {
            Answer::new(201, &json!({ "id": 1, "body": "x", "user": { "id": 3 } }))
        }
        _ => Answer::ok(&json!([])),
    })
    .await;
    let pace = Pace { writes: Duration::from_millis(200), ..FAST };
    let bridge = bridge_at(&fake, Some("ghp_secret"), &[("issue", "7")], pace, &TestClock::new()).await;
    let started = std::time::Instant::now();
    let (one, two, three) = (meeting(1, b"x"), meeting(2, b"x"), meeting(3, b"x"));
    let done = tokio::join!(bridge.publish(&one), bridge.publish(&two), bridge.publish(&three));
    assert!(done.0.is_ok() && done.1.is_ok() && done.2.is_ok());
    assert!(started.elapsed() >= Duration::from_millis(400), "{:?}", started.elapsed());
}
