//! Places that somebody filled who means no good, or that hold more than is expected.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::Duration;

use common::fake::{Answer, Fake};
use common::place::*;
use common::*;
use data_encoding::BASE64;
use serde_json::{Value, json};
use wayside_bridge::{ErrorKind, Fetch, Place};

#[tokio::test]
async fn cards_of_the_project_are_found_by_name() {
    let good = holds(vec![in_file(&pointer("ann", b"from the branch"))], true);
    let fake = Fake::start(move |request| {
        let Some(name) = request.path.strip_prefix("/repos/ada/box/contents/peers/") else { return good(request) };
        let file = |contents: &[u8], size: usize| {
            json!({ "type": "file", "size": size, "sha": sha('a'), "content": BASE64.encode(contents), "encoding": "base64" })
        };
        match name {
            "ann.card" => Answer::ok(&file(b"wayside-card:one", 16)).tagged(request, "\"card\""),
            "big.card" => Answer::ok(&file(&[b'x'; 8193], 8193)),
            "lies.card" => Answer::ok(&file(&[b'x'; 9000], 10)),
            "huge.card" => Answer::ok(&file(&[b'x'; 200_000], 200_000)),
            "dir.card" => Answer::ok(&json!([{ "type": "file", "name": "x" }])),
            "link.card" => Answer::ok(&json!({ "type": "symlink", "size": 4, "sha": sha('a'), "target": "/etc/passwd" })),
            _ => Answer::not_found(),
        }
    })
    .await;
    let clock = TestClock::new();
    let bridge = bridge_at(&fake, None, &[], FAST, &clock).await;
    let named = |names: &[&str]| {
        Fetch::new(Place::Own, names.iter().map(|name| wayside_bridge::Key::name(name).unwrap()).collect())
    };
    let mut found = bridge.fetch(named(&["ann"])).await.unwrap().records;
    found.sort_by_key(|record| record.bytes.len());
    assert_eq!(
        found.iter().map(|record| &record.bytes[..]).collect::<Vec<_>>(),
        [&b"from the branch"[..], b"wayside-card:one"]
    );
    fake.seen();
    // Days later it is there still, and asking costs two answers of "not modified".
    clock.advance(DAY * 5);
    assert_eq!(bridge.fetch(named(&["ann"])).await.unwrap().records.len(), 2);
    assert!(fake.seen().iter().all(|request| request.header("if-none-match").is_some()));
    let hostile = named(&["big", "lies", "huge", "dir", "link", "none"]);
    assert_eq!(bridge.fetch(hostile).await.unwrap().records, []);
    let many: Vec<String> = (0..65).map(|number| format!("n{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(bridge.fetch(named(&many)).await.unwrap_err().kind(), ErrorKind::Refused);
}

/// What is named as records are and holds none is read once; what is too large is not read at all.
#[tokio::test]
async fn junk_costs_little() {
    let mut records: Vec<(String, Vec<u8>)> = (0..10_000_u32)
        .map(|number| {
            (
                format!("meeting-{}-4000000000-{number:032x}.rec", "01".repeat(16)),
                vec![0; if number < 100 { 64 } else { 200_000 }],
            )
        })
        .collect();
    records.push(in_file(&meeting(1, b"true")));
    let fake = Fake::start(holds(records, true)).await;
    let bridge = bridge(&fake, None, &[]).await;
    let started = std::time::Instant::now();
    let batch = bridge.fetch(Fetch::new(Place::Own, [slot(1)].into_iter().collect())).await.unwrap();
    assert_eq!((batch.records, batch.skipped, batch.more), (vec![meeting(1, b"true")], 10_000, false));
    assert_eq!(fake.seen().len(), 3 + 101);
    bridge.fetch(all()).await.unwrap();
    assert_eq!(fake.seen().len(), 1);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let huge = json!({ "tree": "x".repeat(17 * 1024 * 1024) });
    let good = holds(Vec::new(), true);
    let fake = Fake::start(
        move |request| if request.path.contains("trees") { Answer::ok(&huge) } else { good(request) },
    )
    .await;
    let bridge = bridge(&fake, None, &[]).await;
    let error = bridge.fetch(all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
}

#[tokio::test]
async fn a_tree_cut_short_is_read_as_far_as_it_goes() {
    let good = holds(vec![in_file(&meeting(1, b"x"))], true);
    let fake = Fake::start(move |request| {
        let mut answer = good(request);
        if request.path.contains("trees") {
            answer.body = String::from_utf8_lossy(&answer.body)
                .replace("\"truncated\":false", "\"truncated\":true")
                .into();
        }
        answer
    })
    .await;
    let bridge = bridge(&fake, None, &[]).await;
    let batch = bridge.fetch(all()).await.unwrap();
    assert_eq!((batch.records.len(), batch.skipped), (1, 1));
}

#[tokio::test]
async fn ten_thousand_comments_cost_a_bounded_number_of_requests() {
    let (_, contents) = in_file(&meeting(1, b"true"));
    let ours = format!("```wayside\n{}\n```", BASE64.encode(&contents));
    let fake = Fake::start(move |request| {
        let page: u64 = request
            .path
            .split("&page=")
            .nth(1)
            .and_then(|rest| rest.split('&').next()?.parse().ok())
            .unwrap();
        let comments: Vec<Value> = (0..100)
            .map(|number| {
                let body = if (page, number) == (3, 5) {
                    ours.clone()
                } else {
                    format!("```wayside\n{}\n```", BASE64.encode(&[7; 500]))
                };
                json!({ "id": page * 100 + number, "body": body, "user": { "id": number } })
            })
            .collect();
        Answer::ok(&json!(comments)).tagged(request, "\"page\"")
    })
    .await;
    let bridge = bridge(&fake, None, &[("issue", "7")]).await;
    for _ in 0..2 {
        let batch = bridge.fetch(all()).await.unwrap();
        assert_eq!((batch.records, batch.skipped), (vec![meeting(1, b"true")], 11_999));
        assert_eq!(fake.seen().len(), 120, "there is no end to the pages, and so many are read");
    }
}

/// Nobody else's comment is ever removed, whatever a receipt says.
#[tokio::test]
async fn only_our_own_comments_are_removed() {
    let fake = Fake::start(|request| {
        let comment = |user: u64, issue: u64| {
            Answer::ok(&json!({ "id": 1, "body": "x", "user": { "id": user }, "issue_url": format!("https://x/repos/Ada/Box/issues/{issue}") }))
        };
        match (request.method.as_str(), request.path.as_str()) {
            ("DELETE", _) => Answer { status: 204, body: "".into(), ..Answer::ok(&json!({})) },
            (_, "/user") => Answer::ok(&json!({ "id": 3, "login": "ada" })),
            (_, "/repos/ada/box/issues/comments/1") => comment(3, 7),
            (_, "/repos/ada/box/issues/comments/2") => comment(4, 7),
            (_, "/repos/ada/box/issues/comments/3") => comment(3, 8),
            _ => Answer::not_found(),
        }
    })
    .await;
    let bridge = bridge(&fake, Some("ghp_secret"), &[("issue", "7")]).await;
    let receipts =
        [1, 2, 3, 4].map(|id| wayside_bridge::Receipt::new(format!("{id} {}", "00".repeat(16))).unwrap());
    bridge.retract(&receipts).await.unwrap();
    let removed: Vec<String> =
        paths(&fake).into_iter().filter(|request| request.starts_with("DELETE")).collect();
    assert_eq!(removed, ["DELETE /repos/ada/box/issues/comments/1"]);
}
