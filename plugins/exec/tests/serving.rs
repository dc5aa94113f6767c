//! A bridge behind a pipe is the bridge itself.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests may")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use support::{context, record, served};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use wayside_bridge::{
    Bridge, BridgeExt, Class, Collision, ErrorKind, Fetch, Keys, MemoryService, Place, Retry, RingTarget,
    Wake, Watch,
};
use wayside_bridge_exec::{ServeError, serve_on};

#[tokio::test]
async fn it_is_the_bridge_itself() {
    let service = MemoryService::builder().wake(Wake::Rings).build();
    let inner = Arc::new(service.bridge("ann"));
    let outer = served(inner.clone(), context(None)).await.expect("it opens");
    assert_eq!(outer.capability(), inner.capability());
    let (seen, known) = (outer.info(), inner.info());
    assert_eq!((seen.kind.as_str(), seen.title, seen.locators), ("exec", known.title, known.locators));

    let receipt = outer.publish(&record(1, b"sealed")).await.expect("it is published");
    let batch = inner.fetch(Fetch::new(Place::Own, Keys::All)).await.expect("it can be fetched");
    assert_eq!(
        outer.fetch(Fetch::new(Place::Own, Keys::All)).await.expect("it can be fetched").records,
        batch.records
    );
    outer.retract(&[receipt]).await.expect("it is taken back");
    assert_eq!(service.stored(), 0);

    outer.ring(&RingTarget("bob".to_owned())).await.expect("it rings");
    assert_eq!(service.rung(), vec![RingTarget("bob".to_owned())]);
    outer.probe().await.expect("it answers");
}

#[tokio::test]
async fn errors_come_through() {
    let service = MemoryService::new();
    let inner = Arc::new(service.bridge("ann"));
    let outer = served(inner.clone(), context(None)).await.expect("it opens");
    for kind in
        [ErrorKind::RateLimited, ErrorKind::Denied, ErrorKind::Full, ErrorKind::Gone, ErrorKind::Unreachable]
    {
        service.fail_with(Some(kind));
        let (seen, known) =
            (outer.probe().await.expect_err("it fails"), inner.probe().await.expect_err("it fails"));
        assert_eq!(
            (seen.kind(), seen.fault(), seen.retry(), seen.message()),
            (known.kind(), known.fault(), known.retry(), known.message())
        );
    }
}

#[tokio::test]
async fn a_large_batch_comes_in_parts() {
    // a watch begins with what is there: far more than fits in a line
    let builder = MemoryService::builder().max_record(Class::Meeting, 1 << 20).collision(Collision::Append);
    let inner = Arc::new(builder.build().bridge("ann"));
    let outer = served(inner.clone(), context(None)).await.expect("it opens");
    for n in 0..12 {
        inner.publish_one(&record(n, &vec![n; 1 << 20])).await.expect("it is published");
    }
    let mut stream = outer.watch(Watch::new(Place::Own, Keys::All)).await.expect("it watches");
    let mut found = Vec::new();
    let mut cursor = None;
    while found.len() < 12 {
        let batch = stream.next().await.expect("there is more").expect("and no error");
        found.extend(batch.records);
        cursor = batch.cursor.or(cursor);
    }
    assert_eq!(found.len(), 12);
    drop(stream);
    assert_eq!(
        outer.fetch_keys(found.iter().map(|record| record.key.clone())).await.expect("it can be").len(),
        12
    );

    let mut stream = outer.watch(Watch::new(Place::Own, Keys::All).after(cursor)).await.expect("it watches");
    inner.publish_one(&record(99, b"news")).await.expect("it is published");
    let news = outer.next_records(&mut stream, tokio::time::sleep(Duration::from_secs(10))).await;
    let news = news.expect("no error").expect("in time");
    assert_eq!(news.records, vec![record(99, b"news")]);
}

#[tokio::test]
async fn many_at_once() {
    let inner = Arc::new(MemoryService::new().bridge("ann"));
    let outer = served(inner, context(None)).await.expect("it opens");
    let all = (0..=255).map(|n| {
        let outer = &outer;
        async move { outer.publish(&record(n, &[n])).await }
    });
    for outcome in futures::future::join_all(all).await {
        outcome.expect("it is published");
    }
    let mut watches = Vec::new();
    for _ in 0..32 {
        watches.push(outer.watch(Watch::new(Place::Own, Keys::All)).await.expect("there is room"));
    }
    let error = outer.watch(Watch::new(Place::Own, Keys::All)).await.map(drop).expect_err("there is no more");
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Refused, Retry::Never));
    outer.probe().await.expect("watches take nothing from requests");
    watches.clear();
    tokio::time::sleep(Duration::from_millis(200)).await;
    outer.watch(Watch::new(Place::Own, Keys::All)).await.map(drop).expect("there is room again");
}

/// What a child says to these lines before it ends, and how it ends.
async fn says(lines: &str) -> (Vec<serde_json::Value>, Result<(), ServeError>) {
    let bridge = MemoryService::new().bridge("ann");
    let (mut ours, theirs) = tokio::io::duplex(1 << 20);
    let (input, output) = tokio::io::split(theirs);
    let talk = async {
        ours.write_all(lines.as_bytes()).await.expect("it reads");
        tokio::time::sleep(Duration::from_millis(100)).await;
        ours.shutdown().await.expect("the pipe holds");
        let mut said = String::new();
        ours.read_to_string(&mut said).await.expect("it is text");
        said.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
    };
    // both ends of the pipe must be gone before the reader sees its end
    let serving = async move { serve_on(&bridge, input, output).await };
    tokio::join!(talk, serving)
}

#[tokio::test]
async fn unknown_messages_are_ignored() {
    let (said, end) = says(concat!(
        r#"{"type":"start","version":1,"mood":"good"}"#,
        "\n\n",
        r#"{"type":"sing","id":1}"#,
        "\r\n",
        r#"{"type":"probe","id":2,"politely":true}"#,
        "\n",
    ))
    .await;
    end.expect("it ends well");
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(
        (&said[0]["type"], &said[1]["type"], &said[1]["id"]),
        (&"hello".into(), &"answer".into(), &2.into())
    );
}

#[tokio::test]
async fn requests_that_make_no_sense_fail_alone() {
    let (said, end) = says(concat!(
        r#"{"type":"publish","id":1,"record":{"key":"slot:12","class":"meeting","not_after":1,"bytes":""}}"#,
        "\n",
        r#"{"type":"fetch","id":2,"keys":"some","limit":1}"#,
        "\n",
        r#"{"type":"unwatch","id":77}"#,
        "\n",
        r#"{"type":"retract","id":3,"receipts":["somebody else's",""]}"#,
        "\n",
    ))
    .await;
    end.expect("it ends well");
    let mut types: Vec<_> =
        said[1..].iter().map(|line| (line["id"].as_u64(), line["type"].as_str())).collect();
    types.sort_unstable();
    assert_eq!(types, [(Some(1), Some("error")), (Some(2), Some("error")), (Some(3), Some("answer"))]);
}

#[tokio::test]
async fn somebody_at_a_terminal_is_told() {
    let (_, end) = says("help\n").await;
    assert_eq!(
        end.expect_err("this is no node").to_string(),
        "this program is a wayside bridge: a node starts it and speaks the exec protocol to it"
    );
}

#[tokio::test]
async fn another_version_is_an_error() {
    let (_, end) = says("{\"type\":\"start\",\"version\":2}\n").await;
    assert!(matches!(end, Err(ServeError::Version(2))));
}

#[tokio::test]
async fn no_records_without_credit() {
    let service = MemoryService::new();
    let bridge = service.bridge("ann");
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (input, output) = tokio::io::split(theirs);
    let serving = serve_on(&bridge, input, output);
    let talk = async {
        let (read, mut write) = tokio::io::split(ours);
        let mut lines = BufReader::new(read).lines();
        let mut next = async || {
            let line = tokio::time::timeout(Duration::from_millis(200), lines.next_line()).await.ok()?;
            let line = line.expect("the pipe holds").expect("there is a line");
            Some(serde_json::from_str::<serde_json::Value>(&line).expect("it is JSON"))
        };
        next().await.expect("a hello");
        write
            .write_all(b"{\"type\":\"watch\",\"id\":1,\"keys\":\"all\",\"credit\":0}\n")
            .await
            .expect("it reads");
        assert_eq!(next().await.expect("an answer")["type"], "answer");
        service.bridge("bob").publish_one(&record(1, b"a")).await.expect("it is published");
        assert_eq!(next().await, None, "it has no credit");
        write.write_all(b"{\"type\":\"credit\",\"id\":1,\"add\":1}\n").await.expect("it reads");
        assert_eq!(next().await.expect("records")["type"], "records");
        service.bridge("bob").publish_one(&record(2, b"b")).await.expect("it is published");
        assert_eq!(next().await, None, "its credit is used up");
        write.write_all(b"{\"type\":\"unwatch\",\"id\":1}\n").await.expect("it reads");
        assert_eq!(next().await.expect("an end")["type"], "end");
    };
    tokio::select! {
        end = serving => panic!("it ends: {end:?}"),
        () = talk => {}
    }
}
