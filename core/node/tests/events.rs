//! Server-sent events: what happens, and messages, for browsers and whoever else reads `text/event-stream`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

#[path = "access/http.rs"]
#[allow(dead_code, reason = "the other test program uses the rest of it")]
mod http;
mod support;

use std::time::Duration;

use http::{At, Event, Following, follow};
use serde_json::json;
use support::{Person, service};
use wayside_node::Home;

const EVENTS: (&str, &str) = ("Accept", "text/event-stream");

fn at(person: &Person) -> At {
    At::Socket(Home::open(&person.home()).unwrap().socket())
}

async fn next(events: &mut Following) -> Event {
    tokio::time::timeout(Duration::from_secs(20), events.event()).await.unwrap().expect("an event")
}

#[tokio::test(flavor = "multi_thread")]
async fn events_have_a_name_an_id_and_data_and_are_resumed() {
    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    let mut events = follow(&at(&ann), "/v1/events", &[EVENTS]).await;
    let ready = next(&mut events).await;
    assert_eq!(
        (ready.name.as_str(), &ready.data["event"], ready.retry),
        ("ready", &json!("ready"), Some(1000))
    );
    let start = ready.id.expect("where to go on from");
    bob.accept(&ann.invite().await).await.unwrap();
    let mut heard = Vec::new();
    while heard.last().is_none_or(|event: &Event| event.name != "link-up") {
        heard.push(next(&mut events).await);
    }
    assert!(
        heard.iter().all(|event| event.data["event"] == event.name.as_str() && event.id.is_some()),
        "{heard:?}"
    );
    assert!(heard.iter().any(|event| event.name == "friend-added"));
    drop(events);

    // Whoever comes back hears what was told meanwhile, once, and then what comes.
    let first = heard[0].id.clone().unwrap();
    let mut again = follow(&at(&ann), "/v1/events", &[EVENTS, ("Last-Event-ID", &first)]).await;
    let ready = next(&mut again).await;
    assert_eq!((ready.name.as_str(), ready.id), ("ready", None));
    for expected in &heard[1..] {
        assert_eq!(&next(&mut again).await, expected);
    }
    bob.send("ann", "hello", None).await.unwrap();
    while next(&mut again).await.name != "message-received" {}
    let mut all = follow(&at(&ann), "/v1/events", &[EVENTS, ("Last-Event-ID", &start)]).await;
    assert_eq!(next(&mut all).await.name, "ready");
    assert_eq!(next(&mut all).await, heard[0]);

    // Without being asked for events, lines as ever.
    let mut lines = follow(&at(&ann), "/v1/events", &[("Last-Event-ID", &start)]).await;
    assert_eq!(lines.next().await.unwrap()["event"], "ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_it_is_said_that_some_may_be_missing() {
    let service = service();
    let mut ann = Person::new("ann", &service).await;
    let mut events = follow(&at(&ann), "/v1/events", &[EVENTS]).await;
    let place = next(&mut events).await.id.unwrap();
    ann.stop().await;
    assert!(tokio::time::timeout(Duration::from_secs(20), events.event()).await.unwrap().is_none());
    ann.start().await;
    for last in [place.as_str(), "nonsense"] {
        let mut again = follow(&at(&ann), "/v1/events", &[EVENTS, ("Last-Event-ID", last)]).await;
        assert_eq!(next(&mut again).await.name, "ready");
        let missed = next(&mut again).await;
        assert_eq!((missed.name.as_str(), &missed.data["count"]), ("missed", &json!(0)));
        assert!(missed.id.is_some_and(|id| id != place));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_followed_and_go_on_behind_the_last_one() {
    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    bob.accept(&ann.invite().await).await.unwrap();
    for text in ["one", "two"] {
        bob.send("ann", text, Some(20_000)).await.unwrap();
    }
    let mut inbox = follow(&at(&ann), "/v1/inbox?follow=true", &[EVENTS]).await;
    let (one, two) = (next(&mut inbox).await, next(&mut inbox).await);
    assert_eq!((&one.data["text"], &two.data["text"]), (&json!("one"), &json!("two")));
    bob.send("ann", "three", Some(20_000)).await.unwrap();
    assert_eq!(next(&mut inbox).await.data["text"], "three");
    drop(inbox);
    let last = one.id.unwrap();
    let mut inbox = follow(&at(&ann), "/v1/inbox?follow=true", &[EVENTS, ("Last-Event-ID", &last)]).await;
    assert_eq!(next(&mut inbox).await, Event { retry: Some(1000), ..two });
    assert_eq!(next(&mut inbox).await.data["text"], "three");
}
