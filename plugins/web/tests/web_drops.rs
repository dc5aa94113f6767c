//! Drops at real servers: wayside.php at PHP, wayside.cgi at Apache.
//!
//! `tests/run web` starts the servers; without them every test is skipped and says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod common;

use common::server::{NONE, Server, Space};
use common::*;
use futures::future::join_all;
use wayside_bridge::{BridgeExt, Clock, ErrorKind, Record, Timestamp};

/// The drop keeps to its bounds, for each user, and makes room by what has expired.
#[tokio::test]
async fn a_drop_is_bounded_and_expires() {
    for server in [Server::Php, Server::Cgi] {
        let Some(space) = Space::new(server, true) else { return skip(NONE) };
        is_bounded_and_expires(&space).await;
    }
}

async fn is_bounded_and_expires(space: &Space) {
    let clock = TestClock::new();
    let (ada, ben) = (space.open(0, FAST, &clock).await.unwrap(), space.open(1, FAST, &clock).await.unwrap());
    let mut old = meeting(250, b"old");
    old.not_after = Timestamp::from_secs(clock.now().as_secs() - 3 * 86_400);
    ada.publish_one(&old).await.unwrap();
    let large: Vec<Record> = (0..=255).map(|number| meeting(number, &[number; 16_384])).collect();
    let mut receipts = Vec::new();
    let mut refused = None;
    // As many at once as go out together.
    for together in large.chunks(64) {
        for done in join_all(together.iter().map(|record| ada.publish(record))).await {
            match done {
                Ok(receipt) => receipts.push(receipt),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
    }
    let error = refused.expect("it takes no more than it is set to");
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    let files = space.files(0);
    assert!(
        files.iter().all(|path| !path.to_string_lossy().contains(&format!("/{}-", old.not_after.as_secs()))),
        "the old one is gone"
    );
    let bytes: u64 = files.iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!(bytes < 4 * 1024 * 1024 + 32 * 1024, "{bytes}");
    ben.publish_one(&meeting(7, b"others have room")).await.unwrap();
    ada.retract(&receipts).await.unwrap();
    assert_eq!(ada.fetch(all()).await.unwrap().records, [meeting(7, b"others have room")]);
    // Nobody takes back what is another's.
    let receipt = ben.publish(&meeting(8, b"ben's")).await.unwrap();
    ada.retract(&[receipt]).await.unwrap();
    assert!(ada.fetch(all()).await.unwrap().records.contains(&meeting(8, b"ben's")));
}

#[tokio::test]
async fn a_drop_costs_nothing_while_nothing_happens_and_tells_our_address() {
    for server in [Server::Php, Server::Cgi] {
        let Some(space) = Space::new(server, true) else { return skip(NONE) };
        costs_nothing_and_tells_our_address(&space).await;
    }
}

async fn costs_nothing_and_tells_our_address(space: &Space) {
    let clock = TestClock::new();
    let ada = space.open(0, FAST, &clock).await.unwrap();
    ada.publish_one(&meeting(1, b"x")).await.unwrap();
    let url = space.url(0);
    let http = reqwest::Client::new();
    let first = http.get(&url).send().await.unwrap();
    assert_eq!(first.headers()["wayside-address"], "127.0.0.1");
    let tag = first.headers()["etag"].clone();
    let again = http.get(&url).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    assert!(again.bytes().await.unwrap().is_empty());
    for nonsense in [&b"nonsense"[..], b"wayside\n\x01", &[0; 500]] {
        let posted =
            http.post(&url).basic_auth("u1", Some("pw1")).body(nonsense.to_vec()).send().await.unwrap();
        assert_eq!(posted.status(), 422);
    }
    for strange in ["?remove=../../etc/passwd", "?remove[]=x", "?remove=*"] {
        let posted = http.post(format!("{url}{strange}")).basic_auth("u1", Some("pw1")).send().await.unwrap();
        assert!(posted.status().as_u16() < 600);
    }
    assert_eq!(ada.fetch(all()).await.unwrap().records, [meeting(1, b"x")]);
}
