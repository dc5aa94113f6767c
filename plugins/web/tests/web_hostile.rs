//! Servers that mean no good, or do what no server should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::fake::{Answer, Fake, Request};
use common::*;
use wayside_bridge::{ErrorKind, Fetch, Keys, Locator, Place, Record, Retry, SharedBridge, file};
use wayside_bridge_web::Pace;

async fn reader(fake: &Fake) -> SharedBridge {
    open(&[("read", format!("{}/", fake.url))], FAST, &TestClock::new(), None).await.unwrap()
}

/// A bridge that writes there with a password, at a pace.
async fn writer(fake: &Fake, scheme: &str, path: &str, pace: Pace) -> (tempfile::TempDir, SharedBridge) {
    let dir = tempfile::tempdir().unwrap();
    let options = [
        ("write", format!("{scheme}+{}/{path}", fake.url)),
        ("user", "ada".to_owned()),
        ("password-file", password_file(dir.path(), "verysecret")),
    ];
    let bridge = open(&options, pace, &TestClock::new(), None).await.unwrap();
    (dir, bridge)
}

fn parcel(records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(|record| file::encode(record).unwrap().0).collect()
}

/// A space of one writer with these in it.
fn holds(contents: Vec<u8>) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    move |request| match request.path.as_str() {
        "/wayside/roll" => Answer::new(200, b"wayside-roll 1\n0101010101010101\n"),
        "/wayside/0101010101010101.box" => Answer::new(200, &contents),
        _ => Answer::new(404, b"<html>nothing</html>"),
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    let fake = Fake::start(|request| {
        let mut answer = Answer::new(200, &[b'x'; 65_536]);
        answer.endless = request.path.ends_with("roll");
        answer
    })
    .await;
    let started = Instant::now();
    let batch = reader(&fake).await.fetch(all()).await.unwrap();
    assert!(batch.records.is_empty() && batch.skipped > 0, "a roll of gigabytes is none: {batch:?}");
    let drop = open(&[("read", format!("{}/roll", fake.url))], FAST, &TestClock::new(), None).await.unwrap();
    let error = drop.fetch(all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Garbled, "{error}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

/// Some kilobytes that would become a gigabyte, were they unpacked: nobody does.
#[tokio::test]
async fn what_is_packed_is_not_unpacked() {
    let bomb = [&[0x1f_u8, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0xed; 2000]].concat();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sent);
    let fake = Fake::start(move |request| {
        seen.lock().unwrap().extend(request.headers.get("accept-encoding").cloned());
        holds(bomb.clone())(request).with("content-encoding", "gzip")
    })
    .await;
    let batch = reader(&fake).await.fetch(all()).await.unwrap();
    assert!(batch.records.is_empty(), "{batch:?}");
    assert!(sent.lock().unwrap().is_empty(), "nothing packed is asked for");
}

#[tokio::test]
async fn an_answer_that_drips_is_given_up() {
    let fake =
        Fake::start(|_| Answer { drip: Some(Duration::from_millis(50)), ..Answer::new(200, &[b'x'; 5000]) })
            .await;
    let pace = Pace { patience: Duration::from_millis(700), ..FAST };
    let bridge = open(&[("read", format!("{}/", fake.url))], pace, &TestClock::new(), None).await.unwrap();
    let started = Instant::now();
    let error = bridge.fetch(all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn circles_are_left_and_passwords_go_nowhere_else() {
    let elsewhere = Fake::start(|_| Answer::new(200, b"")).await;
    let target = elsewhere.url.clone();
    let fake = Fake::start(move |request| match request.path.as_str() {
        "/round/wayside/roll" => Answer::new(302, b"").with("location", "/round/wayside/roll"),
        "/file/wayside/roll" => Answer::new(302, b"").with("location", "file:///etc/passwd"),
        _ => Answer::new(307, b"").with("location", &format!("{target}/")),
    })
    .await;
    let read = async |path: &str| {
        let bridge =
            open(&[("read", format!("{}/{path}/", fake.url))], FAST, &TestClock::new(), None).await.unwrap();
        bridge.fetch(all()).await
    };
    assert!(read("round").await.unwrap_err().message().contains("circles"));
    assert_eq!(fake.seen().len(), 4);
    assert!(read("file").await.unwrap_err().message().contains("do not go"));
    assert!(read("moved").await.is_ok(), "without a password there is nothing to lose");
    assert_eq!(elsewhere.seen().len(), 1);
    for (scheme, path) in [("dav", "moved/"), ("php", "moved.php")] {
        let (_dir, bridge) = writer(&fake, scheme, path, FAST).await;
        let errors = [
            bridge.publish(&meeting(1, b"x")).await.unwrap_err(),
            bridge.fetch(all()).await.unwrap_err(),
            bridge.probe().await.unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.message().contains("do not go")), "{errors:?}");
    }
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn every_refusal_is_told_of() {
    let expected = [
        (400, ErrorKind::Garbled, "makes no sense"),
        (401, ErrorKind::Denied, "--password-file"),
        (403, ErrorKind::Denied, "does not let us"),
        (404, ErrorKind::Denied, "nothing at"),
        (405, ErrorKind::Denied, "WebDAV"),
        (413, ErrorKind::Refused, "uploads"),
        (423, ErrorKind::RateLimited, "somebody else"),
        (429, ErrorKind::RateLimited, "slow down"),
        (500, ErrorKind::Unreachable, "disk may be full"),
        (501, ErrorKind::Denied, "WebDAV"),
        (503, ErrorKind::Unreachable, "tried again"),
        (507, ErrorKind::Full, "room"),
    ];
    for (status, kind, words) in expected {
        let fake = Fake::start(move |request| match request.method.as_str() {
            "GET" => Answer::new(404, b""),
            _ => Answer::new(status, b"a page for browsers"),
        })
        .await;
        for (scheme, path) in [("dav", "space/"), ("php", "drop.php")] {
            let (_dir, bridge) = writer(&fake, scheme, path, FAST).await;
            let error = bridge.publish(&meeting(1, b"x")).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{scheme} {status}: {error}");
            assert!(error.message().contains(words), "{scheme} {status}: {error}");
        }
    }
    let fake = Fake::start(|request| Answer::new(if request.method == "GET" { 404 } else { 409 }, b"")).await;
    let (_dir, bridge) = writer(&fake, "dav", "space/", FAST).await;
    assert!(bridge.publish(&meeting(1, b"x")).await.unwrap_err().message().contains("folder"));
}

/// Until then nothing is sent.
#[tokio::test]
async fn a_server_that_asks_for_time_gets_it() {
    let fake = Fake::start(|_| Answer::new(429, b"").with("retry-after", "120")).await;
    let clock = TestClock::new();
    let bridge = open(&[("read", format!("{}/", fake.url))], FAST, &clock, None).await.unwrap();
    for _ in 0..3 {
        let error = bridge.fetch(all()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert!(matches!(error.retry(), Retry::After(wait) if wait > Duration::from_secs(100)), "{error:?}");
    }
    assert_eq!(fake.seen().len(), 1);
    clock.advance(Duration::from_secs(121));
    fake.now(holds(parcel(&[meeting(1, b"x")])));
    assert_eq!(bridge.fetch(all()).await.unwrap().records, [meeting(1, b"x")]);
}

/// "Not modified" is believed of a file that was old when it was read, and not for ever.
#[tokio::test]
async fn a_server_that_always_says_not_modified_is_found_out() {
    let held = Arc::new(Mutex::new(parcel(&[meeting(1, b"x")])));
    let contents = Arc::clone(&held);
    let fake = Fake::start(move |request| {
        if request.headers.contains_key("if-none-match") {
            return Answer::new(304, b"");
        }
        let answer = holds(contents.lock().unwrap().clone())(request);
        answer.with("etag", "\"always\"").with("last-modified", "Thu, 26 Nov 2026 06:00:00 GMT")
    })
    .await;
    let clock = TestClock::new();
    let bridge = open(&[("read", format!("{}/", fake.url))], FAST, &clock, None).await.unwrap();
    assert_eq!(bridge.fetch(all()).await.unwrap().records.len(), 1);
    *held.lock().unwrap() = parcel(&[meeting(1, b"x"), meeting(2, b"y")]);
    assert_eq!(bridge.fetch(all()).await.unwrap().records.len(), 1);
    clock.advance(Duration::from_secs(3601));
    assert_eq!(bridge.fetch(all()).await.unwrap().records.len(), 2);
    // To a question without a condition it is no answer.
    let fake = Fake::start(|_| Answer::new(304, b"")).await;
    assert_eq!(reader(&fake).await.fetch(all()).await.unwrap_err().kind(), ErrorKind::Garbled);
}

#[tokio::test]
async fn stale_copies_are_told_of() {
    let fake = Fake::start(|request| holds(Vec::new())(request).with("age", "600")).await;
    let bridge = reader(&fake).await;
    let probe = bridge.probe().await.unwrap();
    assert!(probe.note.unwrap().contains("cache"), "a copy of ten minutes ago");
    assert_eq!(bridge.fetch(all()).await.unwrap().service_time, None, "nor does it tell the time");
    assert!(fake.seen().iter().all(|request| request.headers["cache-control"] == "no-cache"));
}

/// Pages for browsers, rolls of thousands, parcels of junk: bounded, and nobody else's records suffer.
#[tokio::test]
async fn a_space_of_junk_costs_little() {
    let fake = Fake::start(|_| Answer::new(200, b"<html>Welcome!</html>")).await;
    let bridge = reader(&fake).await;
    assert!(bridge.fetch(all()).await.unwrap().records.is_empty());
    assert!(bridge.fetch(named("ann")).await.unwrap().records.is_empty());

    let many: String = (1..5000_u64).map(|number| format!("{number:016x}\n")).collect();
    let roll = format!("wayside-roll 1\n0000000000000000\n{many}");
    let good = parcel(&[meeting(1, b"x")]);
    let fake = Fake::start(move |request| match request.path.as_str() {
        "/wayside/roll" => Answer::new(200, &roll.as_bytes()[..60_000]),
        "/wayside/0000000000000000.box" => Answer::new(200, &good),
        _ => Answer::new(200, &vec![b'w'; 2 * 1024 * 1024]),
    })
    .await;
    let started = Instant::now();
    let batch = reader(&fake).await.fetch(all()).await.unwrap();
    assert_eq!(batch.records, [meeting(1, b"x")]);
    assert_eq!(fake.seen().len(), 65);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

/// A friend's card cannot have us ask machines of our own network.
#[tokio::test]
async fn others_spaces_are_on_the_internet() {
    let clock = TestClock::new();
    let bridge = open(&[("read", "https://ada.example/".to_owned())], FAST, &clock, None).await.unwrap();
    for private in ["127.0.0.1:80/", "localhost/", "192.168.1.1/", "[::1]:80/", "printer/"] {
        let place = Place::Of(Locator::new("web", private).unwrap());
        let error = bridge.fetch(Fetch::new(place, Keys::All)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{private}: {error}");
    }
    // A name that leads to this machine is found out when it is looked up.
    let place = Place::Of(Locator::new("web", "localhost.localdomain/").unwrap());
    assert!(bridge.fetch(Fetch::new(place, Keys::All)).await.is_err());
}
