//! What the local API says to whoever asks wrongly, impatiently or with odd names.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wayside_bridge::{BridgeContext, BridgeError, BridgeKind, BridgeOptions, Opened, OptionSpec, Registry};

use super::{Person, friends, service, until};
use crate::api::types::{ApiError, BridgeView, ChangeFriend, ErrorCode, FriendView, InboxView, StatusView};
use crate::{Home, Node};

async fn raw(person: &Person, request: &str, body: &str) -> ApiError {
    let mut stream = tokio::net::UnixStream::connect(person.home().join("run/api.sock")).await.unwrap();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: wayside\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // It may be refused before all of it was read.
    let _ = stream.write_all(body.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_an_object_with_a_sentence() {
    let ann = Person::new("ann", &service()).await;
    let cases = [
        ("POST /v1/messages", "{not json", ErrorCode::Usage),
        ("POST /v1/messages", "{\"to\": 7}", ErrorCode::Usage),
        ("GET /v1/nothing", "", ErrorCode::NotFound),
        ("GET /v1/friends/nobody", "", ErrorCode::NotFound),
        ("DELETE /v1/status", "", ErrorCode::Usage),
        ("GET /v1/inbox?follow=perhaps", "", ErrorCode::Usage),
        ("GET /v1/friends/%ff%fe", "", ErrorCode::Usage),
    ];
    for (request, body, code) in cases {
        let error = raw(&ann, request, body).await;
        assert_eq!(error.code, code, "{request}: {error}");
        assert!(error.message.len() > 10, "{request}: {error}");
    }
    let long = format!("{{\"to\": \"bob\", \"text\": \"{}\"}}", "x".repeat(2 << 20));
    assert_eq!(raw(&ann, "POST /v1/messages", &long).await.code, ErrorCode::Usage);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_free_to_be_odd_and_not_to_be_taken() {
    let service = service();
    let (ann, bob) = friends(&service).await;
    let cid = Person::new("cid", &service).await;
    cid.accept(&ann.invite().await).await.unwrap();
    let rename = |name: &str| ChangeFriend { rename: Some(name.into()), ..ChangeFriend::default() };
    let refused = ann.api().patch::<_, FriendView>("/v1/friends/cid", &rename("bob")).await.unwrap_err();
    assert!(refused.code == ErrorCode::Exists && refused.message.contains("already"), "{refused}");
    let refused = ann.api().patch::<_, FriendView>("/v1/friends/cid", &rename("")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Usage, "{refused}");
    let _: FriendView = ann.api().patch("/v1/friends/cid", &rename("Ada/../L ü%?")).await.unwrap();
    let view: FriendView = ann.api().get("/v1/friends/Ada%2F..%2FL%20%C3%BC%25%3F").await.unwrap();
    assert_eq!(view.name, "Ada/../L ü%?");
    let names: Vec<String> = ann
        .api()
        .get::<Vec<FriendView>>("/v1/friends")
        .await
        .unwrap()
        .into_iter()
        .map(|view| view.name)
        .collect();
    assert_eq!(names, ["Ada/../L ü%?", "bob"]);
    drop(bob);
}

#[derive(Debug)]
struct Slow;

#[async_trait]
impl BridgeKind for Slow {
    fn kind(&self) -> &'static str {
        "slow"
    }

    fn summary(&self) -> &'static str {
        "never opens"
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[]
    }

    fn source(&self, _source: &str) -> Option<Result<BridgeOptions, BridgeError>> {
        None
    }

    fn usage(&self, _address: &str) -> String {
        String::new()
    }

    fn talks(&self) -> bool {
        false
    }

    fn shared(&self, _: &BridgeOptions) -> BridgeOptions {
        BridgeOptions::default()
    }

    async fn open(&self, _: &BridgeOptions, _: BridgeContext) -> Result<Opened, BridgeError> {
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_bridge_does_not_hold_up_whoever_asks_how_things_are() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::init(&folder.path().join("home"), "ann").unwrap();
    std::fs::write(home.config_path(), "[bridges.slow]\nkind = \"slow\"\n").unwrap();
    let builder = Node::builder(home, Registry::new().with(Slow)).listen(vec!["udp://127.0.0.1:0".into()]);
    let node = builder.serve_api().start().await.unwrap();
    let began = Instant::now();
    let status: StatusView = node.client().get("/v1/status").await.unwrap();
    let bridges: Vec<BridgeView> = node.client().get("/v1/bridges").await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(8));
    for view in [&status.bridges[0], &bridges[0]] {
        assert!(!view.healthy && view.error.as_ref().unwrap().contains("not tried yet"));
    }
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_is_removed_leaves_nothing_behind() {
    let service = service();
    let (ann, mut bob) = friends(&service).await;
    // Whoever leaves too early leaves its join, which is not ann's to take back.
    until("what made them friends is taken back", || async { service.stored() == 0 }).await;
    bob.stop().await;
    ann.send("bob", "are you there?", None).await.unwrap();
    until("an offer lies there", || async { service.stored() > 0 }).await;
    let _: () = ann.api().delete("/v1/bridges/memory").await.unwrap();
    assert_eq!(service.stored(), 0);
    assert!(ann.api().get::<Vec<BridgeView>>("/v1/bridges").await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_the_inbox_misses_nothing() {
    let service = service();
    let (ann, bob) = friends(&service).await;
    bob.send("ann", "0", Some(10_000)).await.unwrap();
    let mut lines = ann.api().get_lines("/v1/inbox?follow=true&all=false").await.unwrap();
    for number in 1..50 {
        bob.send("ann", &number.to_string(), None).await.unwrap();
    }
    for number in 0..50 {
        let next = tokio::time::timeout(Duration::from_secs(10), lines.next::<InboxView>());
        assert_eq!(next.await.unwrap().unwrap().unwrap().text, number.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_told_where_a_service_knows_better() {
    let years = 10 * 365 * 86_400;
    let ann = Person::new_with("ann", &service(), |node| node.clock_off_by(years)).await;
    until("the status says so", || async {
        let status: StatusView = ann.api().get("/v1/status").await.unwrap();
        status.clock.is_some_and(|clock| clock.contains("years ahead"))
    })
    .await;
}
