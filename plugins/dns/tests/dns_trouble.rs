//! Resolvers that lie, inject, hang and fail, and servers that sign nothing: on fakes of ours, since no real one can be made to.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::fake::{Answers, Fake, Seen, alias, fitting, one, soa, txt};
use common::*;
use hickory_proto::op::{OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use wayside_bridge::{BridgeError, BridgeExt, ErrorKind, Fetch, Place, SharedBridge};
use wayside_bridge_dns::Pace;

const ZONE: &str = "ada.example";
const PATIENCE: Duration = Duration::from_millis(600);

async fn reader(fake: &Fake) -> SharedBridge {
    reader_of(&fake.at).await
}

async fn reader_of(resolvers: &str) -> SharedBridge {
    let options =
        [("zone", ZONE.to_owned()), ("resolver", resolvers.to_owned()), ("shared", "yes".to_owned())];
    open(&options, Pace { patience: PATIENCE, ..FAST }, &TestClock::new()).await.unwrap()
}

fn genuine() -> String {
    text_of(&meeting(1, b"genuine"))
}

async fn found(fake: &Fake) -> Result<Vec<wayside_bridge::Record>, BridgeError> {
    reader(fake).await.fetch_keys([slot(1)]).await
}

/// The answer that belongs to the question comes after one that does not.
async fn found_after(forged: impl Fn(&Seen) -> Answers + Send + Sync + 'static) {
    let fake = Fake::start(move |seen| {
        let mut answers = if seen.by_tcp { Answers::new() } else { forged(seen) };
        answers.extend(one(&seen.texts(&[&genuine()])));
        answers
    })
    .await;
    assert_eq!(found(&fake).await.unwrap(), [meeting(1, b"genuine")]);
}

#[tokio::test]
async fn an_answer_to_something_else_is_none() {
    let forged = text_of(&meeting(1, b"forged"));
    let (a, b, c) = (forged.clone(), forged.clone(), forged);
    // Another number: from who does not see what is asked.
    found_after(move |seen| {
        let mut other = seen.texts(&[&a]);
        other.metadata.id = other.metadata.id.wrapping_add(1);
        one(&other)
    })
    .await;
    // Another question.
    found_after(move |seen| {
        let mut other = seen.texts(&[&b]);
        other.queries = vec![Query::query(Name::from_ascii("other.example.").unwrap(), RecordType::TXT)];
        one(&other)
    })
    .await;
    // Another spelling: then the question goes by TCP, where nobody injects from aside.
    found_after(move |seen| {
        let mut other = seen.texts(&[&c]);
        let flipped: String = seen
            .name()
            .to_ascii()
            .chars()
            .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect();
        other.queries = vec![Query::query(Name::from_ascii(flipped).unwrap(), RecordType::TXT)];
        one(&other)
    })
    .await;
    // Too short to be a message.
    found_after(|_| vec![vec![], vec![0]]).await;
}

#[tokio::test]
async fn only_what_stands_under_the_name_counts() {
    let forged = text_of(&meeting(1, b"forged"));
    let fake = Fake::start(move |seen| {
        let mut answer = seen.code(ResponseCode::NoError);
        answer.add_answer(txt(&Name::from_ascii("other.example.").unwrap(), &forged));
        answer.add_answer(txt(&seen.name(), &genuine()));
        answer.add_additional(txt(&seen.name(), &forged));
        answer.add_authority(txt(&seen.name(), &forged));
        one(&answer)
    })
    .await;
    assert_eq!(found(&fake).await.unwrap(), [meeting(1, b"genuine")]);
}

#[tokio::test]
async fn aliases_are_followed_a_little() {
    let fake = Fake::start(|seen| {
        let mut answer = seen.code(ResponseCode::NoError);
        answer.add_answer(alias(&seen.name(), "there.example."));
        answer.add_answer(txt(&Name::from_ascii("there.example.").unwrap(), &genuine()));
        one(&answer)
    })
    .await;
    assert_eq!(found(&fake).await.unwrap(), [meeting(1, b"genuine")]);
    let fake = Fake::start(|seen| {
        let mut answer = seen.code(ResponseCode::NoError);
        answer.add_answer(alias(&seen.name(), "a.example."));
        answer.add_answer(alias(&Name::from_ascii("a.example.").unwrap(), "b.example."));
        answer.add_answer(alias(&Name::from_ascii("b.example.").unwrap(), "a.example."));
        one(&answer)
    })
    .await;
    assert_eq!(found(&fake).await.unwrap(), []);
}

/// Everything that is not a record is skipped and counted, however much of it there is.
#[tokio::test]
async fn junk_is_counted() {
    let fake = Fake::start(|seen| {
        let junk: Vec<String> = (0..300).map(|number| format!("wm junk {number}")).collect();
        let mut texts: Vec<&str> = junk.iter().map(String::as_str).collect();
        let genuine = genuine();
        texts.push(&genuine);
        texts.push("wayside");
        fitting(seen, &seen.texts(&texts))
    })
    .await;
    let batch = reader(&fake).await.fetch(just(&slot(1))).await.unwrap();
    assert_eq!((batch.records, batch.skipped), (vec![meeting(1, b"genuine")], 300));
}

async fn error(answer: impl Fn(&Seen) -> Answers + Send + Sync + 'static) -> BridgeError {
    let fake = Fake::start(answer).await;
    let began = Instant::now();
    let error = found(&fake).await.unwrap_err();
    assert!(began.elapsed() < 4 * PATIENCE, "{error} took {:?}", began.elapsed());
    error
}

#[tokio::test]
async fn what_goes_wrong_is_said() {
    for (code, kind, said) in [
        (ResponseCode::ServFail, ErrorKind::Unreachable, "SERVFAIL"),
        (ResponseCode::Refused, ErrorKind::Denied, "REFUSED"),
        (ResponseCode::FormErr, ErrorKind::Garbled, "makes no sense"),
    ] {
        let error = error(move |seen| one(&seen.code(code))).await;
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(said), "{error}");
    }
    let silent = error(|_| Answers::new()).await;
    assert_eq!(silent.kind(), ErrorKind::Unreachable);
    assert!(silent.message().contains("does not answer"), "{silent}");
    // Cut by UDP, and nothing by TCP.
    let cut = error(|seen| {
        let mut cut = seen.texts(&[&genuine()]);
        cut.metadata.truncation = true;
        if seen.by_tcp { Answers::new() } else { one(&cut) }
    })
    .await;
    assert_eq!(cut.kind(), ErrorKind::Unreachable, "{cut}");
    // Cut by TCP too.
    let cut = error(|seen| {
        let mut cut = seen.texts(&[&genuine()]);
        cut.metadata.truncation = true;
        one(&cut)
    })
    .await;
    assert_eq!(cut.kind(), ErrorKind::Garbled, "{cut}");
    // The right number, and no message behind it.
    let garbage = error(|seen| vec![[&seen.raw[..2], &[0x80, 0, 0xff, 0xff, 0xff]].concat()]).await;
    assert_eq!(garbage.kind(), ErrorKind::Garbled, "{garbage}");
    let nobody = reader_of("127.0.0.1:1").await.fetch(just(&slot(1))).await.unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::Unreachable, "{nobody}");
}

/// A resolver that says that nothing exists, for a day: nothing is found, and a probe says why.
#[tokio::test]
async fn a_zone_that_is_denied_is_said() {
    let nothing = |zone: &'static str| {
        move |seen: &Seen| {
            let mut answer = seen.code(ResponseCode::NXDomain);
            answer.add_authority(soa(zone, 86_400));
            one(&answer)
        }
    };
    for zone in [".", "example."] {
        let fake = Fake::start(nothing(zone)).await;
        assert_eq!(found(&fake).await.unwrap(), []);
        let error = reader(&fake).await.probe().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Gone, "{error}");
        assert!(error.message().contains("no zone ada.example"), "{error}");
    }
    let fake = Fake::start(|seen| match seen.message.queries[0].query_type() {
        RecordType::SOA => {
            let mut answer = seen.code(ResponseCode::NoError);
            answer.add_answer(soa("ada.example.", 86_400));
            answer.metadata.authentic_data = true;
            one(&answer)
        }
        _ => one(&seen.code(ResponseCode::NXDomain)),
    })
    .await;
    let note = reader(&fake).await.probe().await.unwrap().note.unwrap();
    assert!(note.contains("86400 s") && note.contains("checked the zone's signatures"), "{note}");
}

/// The first is asked first; the second when it does not answer.
#[tokio::test]
async fn another_resolver_steps_in() {
    let silent = Fake::start(|_| Answers::new()).await;
    let works = Fake::start(|seen| one(&seen.texts(&[&genuine()]))).await;
    let bridge = reader_of(&format!("{},{}", works.at, silent.at)).await;
    assert_eq!(bridge.fetch_keys([slot(1)]).await.unwrap().len(), 1);
    assert!(silent.seen().is_empty(), "nobody is asked who need not be");
    let fails = Fake::start(|seen| one(&seen.code(ResponseCode::ServFail))).await;
    let bridge = reader_of(&format!("{},{},{}", silent.at, fails.at, works.at)).await;
    assert_eq!(bridge.fetch_keys([slot(1)]).await.unwrap().len(), 1);
    let asked = silent.seen().len();
    assert!(asked > 0 && !fails.seen().is_empty());
    // Who answered last is asked first.
    assert_eq!(bridge.fetch_keys([slot(1)]).await.unwrap().len(), 1);
    assert_eq!(silent.seen().len(), asked);
}

/// One name that is not answered does not hide what is found under others.
#[tokio::test]
async fn one_name_that_fails_hides_nothing() {
    let bad = name_of(ZONE, &slot(2));
    let fake = Fake::start(move |seen| {
        let name = seen.name().to_lowercase().to_ascii();
        match name.trim_end_matches('.') == bad {
            true => one(&seen.code(ResponseCode::ServFail)),
            false => one(&seen.texts(&[&genuine()])),
        }
    })
    .await;
    let bridge = reader(&fake).await;
    let both = Fetch::new(Place::Own, [slot(1), slot(2)].into_iter().collect());
    assert_eq!(bridge.fetch(both).await.unwrap().records, [meeting(1, b"genuine")]);
    assert_eq!(bridge.fetch(just(&slot(2))).await.unwrap_err().kind(), ErrorKind::Unreachable);
}

/// A look at the twelve trays of three days, in which all friends' offers are, is twelve questions; where many offers lie in one, it comes by TCP.
#[tokio::test]
async fn a_look_is_one_question_a_name() {
    for offers in [0_u8, 1, 100] {
        let texts: Vec<String> = (0..offers).map(|from| text_of(&meeting(0, &[from; 376]))).collect();
        let tray = name_of(ZONE, &slot(0));
        let fake = Fake::start(move |seen| {
            let is_tray = seen.name().to_lowercase().to_ascii().trim_end_matches('.') == tray;
            let texts: Vec<&str> = texts.iter().filter(|_| is_tray).map(String::as_str).collect();
            fitting(seen, &seen.texts(&texts))
        })
        .await;
        let bridge = reader(&fake).await;
        let batch = bridge.fetch(Fetch::new(Place::Own, (0..12).map(slot).collect())).await.unwrap();
        assert_eq!(batch.records.len(), usize::from(offers));
        assert_eq!(fake.seen().len(), 12 + usize::from(offers > 2));
        assert!(fake.seen().iter().all(|seen| seen.message.queries[0].query_type() == RecordType::TXT));
    }
}

async fn writer(fake: &Fake) -> (tempfile::TempDir, SharedBridge) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, KEY).unwrap();
    let options = [
        ("zone", ZONE.to_owned()),
        ("server", fake.at.clone()),
        ("tsig-file", file.to_str().unwrap().to_owned()),
        ("shared", "yes".to_owned()),
    ];
    let bridge = open(&options, Pace { patience: PATIENCE, ..FAST }, &TestClock::new()).await.unwrap();
    (dir, bridge)
}

const KEY: &str =
    "key \"ada\" { algorithm hmac-sha256; secret \"dmVyeXNlY3JldHZlcnlzZWNyZXR2ZXJ5c2VjcmV0\"; };";

/// Nothing counts as written unless the key signed that it is.
#[tokio::test]
async fn a_server_that_does_not_sign_is_not_believed() {
    let fake = Fake::start(|seen| one(&seen.code(ResponseCode::NoError))).await;
    let (_dir, bridge) = writer(&fake).await;
    for error in [bridge.publish(&meeting(1, b"x")).await.unwrap_err(), bridge.probe().await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Garbled, "{error}");
        assert!(error.message().contains("did not sign"), "{error}");
    }
    // What we signed ourselves, sent back.
    let fake = Fake::start(|seen| {
        let mut raw = seen.raw.clone();
        raw[2] |= 0x80;
        vec![raw]
    })
    .await;
    let (_dir, bridge) = writer(&fake).await;
    let error = bridge.publish(&meeting(1, b"x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Garbled, "{error}");
}

#[tokio::test]
async fn a_server_that_refuses_need_not_sign() {
    for (code, said) in [
        (ResponseCode::Refused, "REFUSED"),
        (ResponseCode::NotAuth, "NOTAUTH"),
        (ResponseCode::ServFail, "SERVFAIL"),
    ] {
        let fake = Fake::start(move |seen| one(&seen.code(code))).await;
        let (_dir, bridge) = writer(&fake).await;
        let error = bridge.publish(&meeting(1, b"x")).await.unwrap_err();
        assert!(error.message().contains(said), "{code}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_talks_nonsense_is_left() {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let nonsense = |seen: &Seen| match TURN.fetch_add(1, Ordering::SeqCst) {
        0 => Answers::new(),
        1 => vec![vec![0xff; 400]],
        2 => vec![vec![]],
        3 => vec![seen.raw.clone()],
        _ => {
            let mut other = seen.code(ResponseCode::NoError);
            other.metadata.op_code = OpCode::Notify;
            one(&other)
        }
    };
    let fake = Fake::start(nonsense).await;
    let (_dir, bridge) = writer(&fake).await;
    for _ in 0..5 {
        let began = Instant::now();
        let error = bridge.publish(&meeting(1, b"x")).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Garbled | ErrorKind::Unreachable), "{error}");
        assert!(began.elapsed() < 3 * PATIENCE);
    }
}
