//! Friends who mean harm to a board, and a board that means harm to a friend: each costs a bounded amount and ends, and others go on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;
use tokio::time::timeout;
use wayside_bridge::{
    Bridge, BridgeError, BridgeKind, BridgeOptions, Class, ErrorKind, Fetch, Key, Keys, Place, Record, Slot,
    Timestamp, Watch,
};
use wayside_bridge_friend::wire::{
    Answer, Ask, FrameReader, Id, MAX_KEYS, MOST_ANSWERED, Note, Position, Reply, Request, WINDOW,
    write_frame,
};
use wayside_bridge_friend::{Carrier, Carriers, Channel, FriendKind, Gate, Limits, Owner, Reason, Served};
use wayside_conformance::support::{TestClock, context};

use crate::common::{PIPE, Rita};

struct Open;

#[async_trait]
impl Gate for Open {
    async fn allowed(&self) -> bool {
        true
    }

    async fn revoked(&self) {
        std::future::pending().await
    }
}

/// A stream of this friend's to her, raw, and how serving it ended.
fn raw(rita: &Rita, who: u8) -> (DuplexStream, tokio::task::JoinHandle<Result<(), Served>>) {
    let (ours, hers) = tokio::io::duplex(PIPE);
    let host = rita.host.clone();
    let serving = tokio::spawn(async move {
        let (recv, send) = tokio::io::split(hers);
        host.serve(Owner([who; 32]), recv, send, &Open).await
    });
    (ours, serving)
}

fn record(slot: u8, bytes: &[u8]) -> Record {
    let not_after = Timestamp::from_secs(4_000_000_000);
    Record::new(Key::Slot(Slot([slot; 16])), Class::Meeting, not_after, bytes.to_vec())
}

fn keys(slots: &[u8]) -> Keys {
    slots.iter().map(|slot| Slot([*slot; 16])).collect()
}

fn leave(number: u64, bytes: &[u8]) -> Ask {
    let note = Note { slot: Id([7; 16]), not_after: u64::MAX, bytes: Bytes::copy_from_slice(bytes) };
    Ask { number, what: Request::Leave(note) }
}

async fn still_serves(rita: &Rita) {
    let bridge = rita.bridge(100).await;
    bridge.publish(&record(9, b"x")).await.unwrap();
    let found = bridge.fetch(Fetch::new(Place::Own, keys(&[9]))).await.unwrap();
    assert_eq!(found.records, [record(9, b"x")]);
}

#[tokio::test]
async fn frames_that_are_too_long_or_junk_end_their_stream_alone() {
    let rita = Rita::new(Limits::default());
    let claims_much = [0xff; 64].to_vec();
    let junk = [&[0, 0, 0, 4][..], &[0x9b, 0xff, 0xff, 0xff]].concat();
    let unknown = [&[0, 0, 0, 5][..], &[0x82, 0x07, 0x81, 0x18, 0x63]].concat();
    let mut too_many_keys = Vec::new();
    let keys = vec![Id([1; 16]); 1000];
    write_frame(&mut too_many_keys, &Ask { number: 1, what: Request::Watch { keys, after: None } })
        .await
        .unwrap();
    for bytes in [claims_much, junk, unknown, too_many_keys] {
        let (mut stream, serving) = raw(&rita, 1);
        // It may end before all of it was written.
        let _ = stream.write_all(&bytes).await;
        assert!(matches!(serving.await.unwrap(), Err(Served::Wire(_))), "{bytes:?}");
        let mut rest = Vec::new();
        assert_eq!(stream.read_to_end(&mut rest).await.unwrap(), 0);
    }
    still_serves(&rita).await;
}

#[tokio::test]
async fn a_flood_is_refused_and_others_are_served() {
    let limits = Limits { burst: 20, every: Duration::from_secs(3600), ..Limits::default() };
    let rita = Rita::new(limits);
    let (stream, serving) = raw(&rita, 1);
    let (recv, mut send) = tokio::io::split(stream);
    let flood = tokio::spawn(async move {
        for number in 1..=500_u64 {
            write_frame(&mut send, &leave(number, &number.to_be_bytes())).await.unwrap();
        }
        send
    });
    let mut answers = FrameReader::new(recv, MOST_ANSWERED);
    for number in 1..=500 {
        let answer = answers.next::<Answer>().await.unwrap().unwrap();
        assert_eq!(answer.number, number);
        match answer.what {
            Reply::Left(_) => assert!(number <= 20),
            Reply::Refused { reason, retry } => {
                assert_eq!(Reason::of(reason), Reason::TooFast);
                assert!(number > 20 && retry.is_some());
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(rita.host.board().len(), 20);
    still_serves(&rita).await;
    drop((flood.await.unwrap(), answers));
    serving.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_not_heard_and_is_let_go_of() {
    let rita = Rita::new(Limits::default());
    let (mut stream, serving) = raw(&rita, 1);
    let bridge = rita.bridge(2).await;
    for number in 0..200_u8 {
        bridge.publish(&record(7, &[number; 960])).await.unwrap();
    }
    let what = Request::Watch { keys: vec![Id([7; 16])], after: None };
    write_frame(&mut stream, &Ask { number: 1, what }).await.unwrap();
    // More than the pipe takes is written to nobody; nothing is kept for it meanwhile.
    let ended = timeout(Duration::from_secs(60), serving).await.unwrap().unwrap();
    assert!(matches!(ended, Err(Served::Slow)), "{ended:?}");
    still_serves(&rita).await;
}

#[tokio::test]
async fn who_takes_no_batches_is_sent_no_more() {
    let rita = Rita::new(Limits::default());
    let (stream, _serving) = raw(&rita, 1);
    let (recv, mut send) = tokio::io::split(stream);
    let mut answers = FrameReader::new(recv, MOST_ANSWERED);
    let what = Request::Watch { keys: vec![Id([7; 16])], after: None };
    write_frame(&mut send, &Ask { number: 1, what }).await.unwrap();
    let bridge = rita.bridge(2).await;
    for number in 0..20_u8 {
        bridge.publish(&record(7, &[number])).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut seen = 0;
    for _ in 0..WINDOW {
        let Reply::Batch { records, .. } = answers.next::<Answer>().await.unwrap().unwrap().what else {
            panic!()
        };
        seen += records.len();
    }
    assert!(seen < 20);
    assert!(timeout(Duration::from_millis(50), answers.next::<Answer>()).await.is_err());
    write_frame(&mut send, &Ask { number: 0, what: Request::Taken(1) }).await.unwrap();
    let Reply::Batch { records, .. } = answers.next::<Answer>().await.unwrap().unwrap().what else {
        panic!()
    };
    assert_eq!(seen + records.len(), 20, "all that waited, at once");
}

#[tokio::test]
async fn streams_of_one_friend_are_few() {
    let rita = Rita::new(Limits { streams: 2, ..Limits::default() });
    let (first, serving) = raw(&rita, 1);
    // It has begun before the others come.
    tokio::task::yield_now().await;
    let others = [raw(&rita, 1), raw(&rita, 1)];
    assert!(matches!(serving.await.unwrap(), Err(Served::Superseded)));
    drop((first, others));
    still_serves(&rita).await;
}

#[tokio::test]
async fn who_is_let_no_longer_is_heard_no_longer() {
    let rita = Rita::new(Limits::default());
    let (allow, allowed) = watch::channel(true);
    let bob = rita.bridge_of(1, allowed).await.unwrap();
    let mut stream = bob.watch(Watch::new(Place::Own, keys(&[7]))).await.unwrap();
    bob.publish(&record(7, b"before")).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().records, [record(7, b"before")]);
    allow.send_replace(false);
    assert_eq!(stream.next().await.unwrap().unwrap_err().kind(), ErrorKind::Unreachable);
    rita.bridge(2).await.publish(&record(7, b"after")).await.unwrap();
    let error = bob.publish(&record(7, b"mine")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("friend allow"), "{error}");
    allow.send_replace(true);
    bob.publish(&record(7, b"mine")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_lost_is_opened_again_and_misses_nothing() {
    let rita = Rita::new(Limits::default());
    let (ann, bob) = (rita.bridge(1).await, rita.bridge(2).await);
    let mut stream = bob.watch(Watch::new(Place::Own, keys(&[7]))).await.unwrap();
    ann.publish(&record(7, b"one")).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().records, [record(7, b"one")]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    rita.links.send_modify(|link| *link += 1);
    ann.publish(&record(7, b"two")).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().records, [record(7, b"two")], "and not the first again");
    assert_eq!(rita.opened.load(Ordering::SeqCst), 4);

    // Lost at once again it is an error, and so is what cannot be had.
    rita.links.send_modify(|link| *link += 1);
    assert_eq!(stream.next().await.unwrap().unwrap_err().kind(), ErrorKind::Unreachable);
    assert!(stream.next().await.is_none());
    rita.there.store(false, Ordering::SeqCst);
    assert_eq!(ann.publish(&record(7, b"x")).await.unwrap_err().kind(), ErrorKind::Unreachable);
    rita.there.store(true, Ordering::SeqCst);
    ann.publish(&record(7, b"x")).await.unwrap();
}

/// However many ask at once while there is no way to her, one of them waits and the others with it.
#[tokio::test(start_paused = true)]
async fn many_who_ask_in_vain_wait_once() {
    #[derive(Debug)]
    struct Away;

    #[async_trait]
    impl Carriers for Away {
        async fn carrier(&self, _: &str) -> Result<Arc<dyn Carrier>, BridgeError> {
            Ok(Arc::new(Self))
        }
    }

    #[async_trait]
    impl Carrier for Away {
        fn account(&self) -> String {
            "a".to_owned()
        }

        fn name(&self) -> String {
            "rita".to_owned()
        }

        async fn open(&self) -> Result<Channel, BridgeError> {
            tokio::time::sleep(Duration::from_secs(3)).await;
            Err(BridgeError::new(ErrorKind::Unreachable, "no link with rita"))
        }
    }

    let options = BridgeOptions::from_iter([("friend", "rita")]);
    let context = context(&TestClock::new(), 1, None);
    let bridge = FriendKind::over(Arc::new(Away)).open(&options, context).await.unwrap().bridge;
    let began = tokio::time::Instant::now();
    for error in futures::future::join_all((0..20).map(|_| bridge.probe())).await {
        assert_eq!(error.unwrap_err().message(), "no link with rita");
    }
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

/// A Rita who says whatever she likes.
#[derive(Debug)]
struct Lying(fn(Ask) -> Vec<Answer>);

#[async_trait]
impl Carriers for Lying {
    async fn carrier(&self, _: &str) -> Result<Arc<dyn Carrier>, BridgeError> {
        Ok(Arc::new(Self(self.0)))
    }
}

#[async_trait]
impl Carrier for Lying {
    fn account(&self) -> String {
        "a".to_owned()
    }

    fn name(&self) -> String {
        "rita".to_owned()
    }

    async fn open(&self) -> Result<Channel, BridgeError> {
        let (ours, hers) = tokio::io::duplex(1 << 20);
        let says = self.0;
        tokio::spawn(async move {
            let (recv, mut send) = tokio::io::split(hers);
            let mut asks = FrameReader::new(recv, MOST_ANSWERED);
            while let Ok(Some(ask)) = asks.next::<Ask>().await {
                for answer in says(ask) {
                    if write_frame(&mut send, &answer).await.is_err() {
                        return;
                    }
                }
            }
        });
        let (recv, send) = tokio::io::split(ours);
        Ok(Channel { recv: Box::new(recv), send: Box::new(send), rtt: None, guard: None })
    }
}

async fn lied_to_by(says: fn(Ask) -> Vec<Answer>) -> Arc<dyn Bridge> {
    let options = BridgeOptions::from_iter([("friend", "rita")]);
    FriendKind::over(Arc::new(Lying(says)))
        .open(&options, context(&TestClock::new(), 1, None))
        .await
        .unwrap()
        .bridge
}

fn batch(number: u64, slot: u8, records: usize, len: usize) -> Answer {
    let note = Note { slot: Id([slot; 16]), not_after: 1, bytes: vec![0; len].into() };
    let what = Reply::Batch {
        records: vec![note; records],
        position: Position([1; 16]),
        more: true,
        time: u64::MAX,
    };
    Answer { number, what }
}

#[tokio::test(start_paused = true)]
async fn a_friend_who_answers_nonsense_is_told_from_one_who_answers_not() {
    let fetch = Fetch::new(Place::Own, keys(&[7]));
    let wrong = lied_to_by(|ask| vec![Answer { number: ask.number, what: Reply::Done }]).await;
    assert_eq!(wrong.probe().await.unwrap_err().kind(), ErrorKind::Garbled);
    assert_eq!(wrong.publish(&record(7, b"x")).await.unwrap_err().kind(), ErrorKind::Garbled);
    assert_eq!(wrong.fetch(fetch.clone()).await.unwrap_err().kind(), ErrorKind::Garbled);

    let silent = lied_to_by(|_| Vec::new()).await;
    let error = silent.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.message().contains("did not answer"), "{error}");

    let other = lied_to_by(|ask| vec![Answer { number: ask.number + 1, what: Reply::Done }]).await;
    assert_eq!(other.probe().await.unwrap_err().kind(), ErrorKind::Unreachable);

    // What nobody asked for, and what no record may be, is left out and counted.
    let strays = lied_to_by(|ask| vec![batch(ask.number, 8, 3, 5)]).await;
    let found = strays.fetch(fetch.clone()).await.unwrap();
    assert_eq!((found.records.len(), found.skipped), (0, 3));
    let long = lied_to_by(|ask| vec![batch(ask.number, 7, 3, 961)]).await;
    assert_eq!(long.fetch(fetch.clone()).await.unwrap().skipped, 3);
    let many = lied_to_by(|ask| vec![batch(ask.number, 7, 65, 5)]).await;
    assert_eq!(many.fetch(fetch).await.unwrap_err().kind(), ErrorKind::Garbled);
}

/// More batches than were taken are nonsense, and so is one that is longer than any.
#[tokio::test(start_paused = true)]
async fn a_friend_who_sends_without_end_is_given_up() {
    let watch = Watch::new(Place::Own, keys(&[7]));
    for says in
        [(|ask| (0..100).map(|_| batch(ask.number, 7, 1, 5)).collect()) as fn(Ask) -> Vec<Answer>, |ask| {
            vec![batch(ask.number, 7, 100, 960)]
        }]
    {
        let bridge = lied_to_by(says).await;
        let mut stream = bridge.watch(watch.clone()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut batches = 0;
        let error = loop {
            match stream.next().await.unwrap() {
                Ok(_) => batches += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Garbled);
        assert!(batches <= WINDOW, "{batches}");
    }
}

#[tokio::test]
async fn as_many_keys_as_are_declared_and_no_more() {
    let rita = Rita::new(Limits::default());
    let bridge = rita.bridge(1).await;
    let many = |count: usize| -> Keys {
        let slot = |n: usize| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            Slot(bytes)
        };
        (0..count).map(slot).collect()
    };
    bridge.fetch(Fetch::new(Place::Own, many(MAX_KEYS))).await.unwrap();
    let error = bridge.fetch(Fetch::new(Place::Own, many(MAX_KEYS + 1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}
