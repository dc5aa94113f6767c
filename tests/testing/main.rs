//! Two friends in simulated time: what an application's own tests lean on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
// Each example has its friends.
#![allow(clippy::duplicate_mod)]

mod examples;
mod friend;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};
use wayside::NodeBuilder;
use wayside::api::types::{MessageState, NodeEvent, Send};
use wayside::testing::{Pair, pair};

const HOUR: Duration = Duration::from_secs(3600);

fn echoes(builder: NodeBuilder) -> NodeBuilder {
    builder.serve("echo/1", |_, mut stream| async move {
        tokio::io::copy(&mut stream.recv, &mut stream.send).await.map(drop)
    })
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_nothing_passes_at_once_and_the_link_stays() {
    let pair = pair().bob(echoes).await;
    let bob = pair.ann.connect("bob").await.unwrap();
    let (began, virtually) = (std::time::Instant::now(), Instant::now());
    let mut events = pair.ann.events();
    sleep(HOUR).await;
    assert!(virtually.elapsed() >= HOUR);
    let took = began.elapsed();
    // Less than one in practice; the machine may have other things to do.
    assert!(took < Duration::from_secs(10), "an hour took {took:?}");
    assert!(timeout(Duration::ZERO, events.next()).await.is_err(), "nothing happened");
    assert!(timeout(Duration::ZERO, bob.link.closed()).await.is_err(), "the link lives");
    let mut stream = bob.link.open("echo/1").await.unwrap();
    stream.send.write_all(b"still there?").await.unwrap();
    stream.send.finish();
    let mut echo = String::new();
    stream.recv.read_to_string(&mut echo).await.unwrap();
    assert_eq!(echo, "still there?");
}

#[tokio::test(start_paused = true)]
async fn latency_is_what_was_asked_for() {
    let pair = pair().latency(Duration::from_millis(150)).bob(echoes).await;
    let bob = pair.ann.connect("bob").await.unwrap();
    let mut stream = bob.link.open("echo/1").await.unwrap();
    for _ in 0..5 {
        let asked = Instant::now();
        stream.send.write_all(b"ping").await.unwrap();
        let mut echo = [0; 4];
        stream.recv.read_exact(&mut echo).await.unwrap();
        let took = asked.elapsed();
        // The first one may find the link's beginning still under way.
        assert!((300..350).contains(&took.as_millis()), "{took:?}");
    }
    assert!((300..340).contains(&bob.link.rtt().as_millis()), "{:?}", bob.link.rtt());
}

/// What both see, in order, while they live through an outage and a message.
async fn a_story() -> (Vec<String>, Duration) {
    let Pair { ann, bob, network, .. } = &pair().await;
    let (mut of_ann, mut of_bob) = (ann.events(), bob.events());
    let began = Instant::now();
    let _wanted = ann.want("bob").await.unwrap();
    let peer = ann.connect("bob").await.unwrap();
    network.cut(true);
    peer.link.closed().await;
    sleep(Duration::from_secs(60)).await;
    network.cut(false);
    ann.connect("bob").await.unwrap();
    let hello = Send { wait_ms: Some(60_000), ..Send::new("bob".into(), "hello".into()) };
    assert_eq!(ann.send(hello).await.unwrap().state, MessageState::Delivered);
    sleep(Duration::from_secs(60)).await;
    let mut seen = Vec::new();
    for (name, events) in [("ann", &mut of_ann), ("bob", &mut of_bob)] {
        while let Ok(Some(event)) = timeout(Duration::ZERO, events.next()).await {
            seen.push(match event {
                NodeEvent::LinkUp { friend, .. } => format!("{name}: link up with {friend}"),
                NodeEvent::LinkDown { friend, .. } => format!("{name}: link down with {friend}"),
                NodeEvent::MessageReceived { from, .. } => format!("{name}: message from {from}"),
                NodeEvent::MessageDelivered { to, .. } => format!("{name}: delivered to {to}"),
                // Why is open: the dial and the engine give up at the same moment.
                NodeEvent::MeetingFailed { friend, .. } => format!("{name}: could not meet {friend}"),
                other => format!("{name}: {other:?}"),
            });
        }
    }
    (seen, began.elapsed())
}

#[test]
fn an_outage_is_lived_through_and_the_same_test_twice_sees_the_same() {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(a_story())
    };
    let (first, took) = run();
    for expected in [
        "ann: link down with bob",
        "ann: link up with bob",
        "ann: delivered to bob",
        "bob: link down with ann",
        "bob: link up with ann",
        "bob: message from ann",
    ] {
        assert_eq!(first.iter().filter(|seen| *seen == expected).count(), 1, "{expected}: {first:#?}");
    }
    for _ in 0..10 {
        assert_eq!(run(), (first.clone(), took));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_is_sent_again() {
    let pair = pair().bob(echoes).await;
    pair.network.lose(200, 7);
    let bob = pair.ann.connect("bob").await.unwrap();
    let mut stream = bob.link.open("echo/1").await.unwrap();
    let sent = vec![7; 100_000];
    let (mut send, recv) = (stream.send, &mut stream.recv);
    let writing = tokio::spawn({
        let sent = sent.clone();
        async move {
            send.write_all(&sent).await.unwrap();
            send.finish();
        }
    });
    let mut echo = Vec::new();
    recv.read_to_end(&mut echo).await.unwrap();
    writing.await.unwrap();
    assert!(echo == sent);
    assert!(bob.link.stats().lost_packets > 0);
}

/// Its socket is the system's, so that the clock may run on to whatever is due next while a request is on its way.
#[cfg(feature = "api")]
#[tokio::test(start_paused = true)]
async fn the_local_api_may_be_asked_and_nothing_times_out() {
    use wayside::api::types::{Sent, StatusView};
    let pair = pair().ann(NodeBuilder::serve_api).await;
    let peer = pair.ann.connect("bob").await.unwrap();
    let began = Instant::now();
    for number in 0..50 {
        let message = Send { wait_ms: Some(60_000), ..Send::new("bob".into(), number.to_string()) };
        let sent: Sent = pair.ann.client().post("/v1/messages", &message).await.unwrap();
        assert_eq!(sent.state, MessageState::Delivered);
        let status: StatusView = pair.ann.client().get("/v1/status").await.unwrap();
        assert_eq!(status.links.len(), 1);
    }
    assert!(timeout(Duration::ZERO, peer.link.closed()).await.is_err(), "the link lives");
    assert!(began.elapsed() < HOUR, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn homes_are_removed_with_the_pair() {
    let pair = pair().await;
    let path = pair.ann.home().to_owned();
    assert!(path.exists());
    drop(pair);
    assert!(!path.exists());
}
