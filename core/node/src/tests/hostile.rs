//! Friends who do not keep to the protocol.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wayside_noise::Stream;
use wayside_proto::UnixMillis;
use wayside_proto::mailbox::item::{Content, Kind, Ordered};

use super::{Person, befriend, friends, link, service, until};
use crate::api::types::MessageState;
use crate::links::{Peer, Protocol, read_frame, write_frame};
use crate::mail::link::{Ack, Frame, NAME, Outcome};

/// An item of `from`'s for `to`, sealed as it should be.
async fn item(from: &Person, to: &Peer, seq: u64, text: &str) -> Frame {
    let content = Content::Message([9; 16], text.to_owned(), Vec::new());
    let item = Ordered { seq, previous: 0, floor: 0, sent: UnixMillis(0), content };
    let driver = from.node().driver();
    // Which comes over the link, soon after it is up.
    let sealed =
        async || driver.mail().sealed(driver.store(), &to.account, Kind::Ordered(item.clone())).await;
    until("it is known what to seal to", async || sealed().await.is_some()).await;
    Frame { seq, blob: sealed().await.unwrap() }
}

async fn said(stream: &mut Stream, frame: &Frame) -> Ack {
    write_frame(&mut stream.send, frame).await.unwrap();
    read_frame::<Ack>(&mut stream.recv, 64).await.unwrap().unwrap()
}

/// Whether the other end gave the stream up.
async fn ended(stream: &mut Stream) -> bool {
    let mut rest = Vec::new();
    let end = stream.recv.read_to_end(&mut rest);
    tokio::time::timeout(Duration::from_secs(5), end).await.is_ok() && rest.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_ends_its_stream_and_nothing_else() {
    let service = service();
    let (ann, bob) = friends(&service).await;
    let peer = link(&bob, "ann").await;
    let huge = u32::MAX.to_be_bytes();
    for nonsense in [&huge[..], &[0, 0, 0, 3, 1, 2, 3], &[0, 0, 0, 0], &[0xff; 70_000]] {
        for protocol in [NAME, crate::links::card::NAME] {
            let mut stream = peer.link.open(protocol).await.unwrap();
            let _ = stream.send.write_all(nonsense).await;
            assert!(ended(&mut stream).await, "{protocol}");
        }
    }
    let mut stream = peer.link.open(NAME).await.unwrap();
    let last = item(&bob, &peer, u64::MAX, "the last number").await;
    assert_eq!(said(&mut stream, &last).await.what, Outcome::Useless, "a number near the end is refused");
    let sealed = item(&bob, &peer, 7, "once").await;
    let mut forged = sealed.clone();
    *forged.blob.last_mut().unwrap() ^= 1;
    for useless in [forged, Frame { seq: 7, blob: vec![1; 500] }, Frame { seq: 7, blob: Vec::new() }] {
        assert_eq!(said(&mut stream, &useless).await, Ack { seq: 7, what: Outcome::Useless });
    }
    for frame in [&sealed, &sealed, &item(&bob, &peer, 7, "the same number again").await] {
        assert_eq!(said(&mut stream, frame).await, Ack { seq: 7, what: Outcome::Taken });
    }
    let sent = bob.send("ann", "in earnest", Some(10_000)).await.unwrap();
    assert_eq!(sent.state, MessageState::Delivered);
    assert_eq!(ann.inbox().await, ["once", "in earnest"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_streams_cost_a_bounded_number_and_then_the_link_serves_on() {
    let service = service();
    let (ann, bob) = friends(&service).await;
    let peer = link(&bob, "ann").await;
    for number in 0..300 {
        let mut stream = peer.link.open(&format!("nobody/speaks/{number}")).await.unwrap();
        let _ = stream.send.write_all(b"hello?").await;
    }
    let mut silent = Vec::new();
    for _ in 0..200 {
        let open = peer.link.open(NAME);
        match tokio::time::timeout(Duration::from_millis(200), open).await {
            Ok(stream) => silent.push(stream.unwrap()),
            Err(_) => break,
        }
    }
    // Others are not held up by it.
    assert_eq!(ann.send("bob", "hello", Some(10_000)).await.unwrap().state, MessageState::Delivered);
    drop(silent);
    assert_eq!(bob.send("ann", "sorry", Some(20_000)).await.unwrap().state, MessageState::Delivered);
    assert_eq!(ann.inbox().await, ["sorry"]);
}

/// A recipient who keeps nothing, and says what it likes.
#[derive(Debug)]
struct Liar(Option<u64>);

#[async_trait]
impl Protocol for Liar {
    async fn accept(&self, _: Peer, mut stream: Stream) {
        while let Ok(Some(frame)) = read_frame::<Frame>(&mut stream.recv, 100_000).await {
            let Some(add) = self.0 else { continue };
            let ack = Ack { seq: frame.seq.wrapping_add(add), what: Outcome::Taken };
            let _ = write_frame(&mut stream.send, &ack).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_who_acknowledges_nothing_or_what_was_not_sent_is_not_believed() {
    for lie in [None, Some(1), Some(1 << 40)] {
        let service = service();
        let ann = Person::new("ann", &service).await;
        let liar = |node: crate::NodeBuilder| node.protocol(NAME, Arc::new(Liar(lie)));
        let mut bob = Person::new_with("bob", &service, liar).await;
        befriend(&ann, &bob).await;
        for text in ["one", "two"] {
            let sent = ann.send("bob", text, Some(1_500)).await.unwrap();
            assert_eq!(sent.state, MessageState::Queued, "{lie:?}");
        }
        bob.stop().await;
        bob.start().await;
        let mut texts = Vec::new();
        for _ in 0..2000 {
            texts.extend(bob.inbox().await);
            if texts.len() >= 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(texts, ["one", "two"], "{lie:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_room_gets_the_rest_in_order_once_some_was_read() {
    let service = service();
    let (mut ann, bob) = friends(&service).await;
    ann.stop().await;
    let config = ann.home().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("inbox = 10000", "inbox = 5");
    std::fs::write(&config, text).unwrap();
    for number in 0..12 {
        bob.send("ann", &number.to_string(), None).await.unwrap();
    }
    ann.start().await;
    let mut texts = Vec::new();
    for _ in 0..2000 {
        let batch = ann.inbox().await;
        assert!(batch.len() <= 5);
        texts.extend(batch);
        if texts.len() == 12 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let expected: Vec<String> = (0..12).map(|number| number.to_string()).collect();
    assert_eq!(texts, expected);
}
