//! The messages: those in the specification, any that we write ourselves, and any bytes at all.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests may")]

use std::time::Duration;

use proptest::prelude::*;
use wayside_bridge::{
    Batch, BridgeError, BridgeInfo, Class, Cursor, ErrorKind, Fault, Key, Keys, Locator, MemoryService,
    Place, Probe, Record, Retry, Slot, Timestamp,
};
use wayside_bridge_exec::protocol::{
    Answer, Credit, FetchLine, Found, FromChild, Hello, Id, Info, MAX_LINE, MAX_RECORD, MAX_TEXT, Parsed,
    Publish, Retract, Ring, Start, ToChild, WatchLine, WireError,
};

const SPECIFICATION: &str = include_str!("../../../docs/EXEC-BRIDGE.md");

#[test]
fn the_specification_shows_what_we_speak() {
    let mut types = std::collections::BTreeSet::new();
    let mut again = |line: &str, written: Option<String>| {
        let meant: serde_json::Value = serde_json::from_str(line).expect("the example is JSON");
        let written: serde_json::Value =
            serde_json::from_str(&written.expect("it is short")).expect("we write JSON");
        assert_eq!(meant, written);
        types.insert(meant["type"].as_str().expect("it has a type").to_owned());
    };
    for line in SPECIFICATION.lines() {
        if let Some(line) = line.strip_prefix("node: ") {
            let Parsed::Message(message) = ToChild::parse(line.as_bytes()) else {
                panic!("not understood: {line}")
            };
            again(line, message.to_line());
        } else if let Some(line) = line.strip_prefix("child: ") {
            let Parsed::Message(message) = FromChild::parse(line.as_bytes()) else {
                panic!("not understood: {line}")
            };
            again(line, message.to_line());
        }
    }
    let types: Vec<_> = types.iter().map(String::as_str).collect();
    assert_eq!(
        types.join(" "),
        "answer credit end error fetch hello info probe publish records retract ring start unwatch watch"
    );
}

#[test]
fn the_specification_names_our_limits() {
    let grouped = |number: usize| {
        let digits = number.to_string();
        let groups: Vec<_> =
            digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group)).collect();
        groups.join(",")
    };
    for limit in [MAX_LINE, MAX_RECORD, wayside_bridge_exec::protocol::MAX_HELLO] {
        assert!(
            SPECIFICATION.contains(&format!("**{} bytes**", grouped(limit)))
                || SPECIFICATION.contains(&format!("**{}**", grouped(limit)))
        );
    }
    assert!(SPECIFICATION.contains(&format!("longer than {MAX_TEXT} bytes is cut")));
}

#[test]
fn what_is_ignored_and_what_is_not() {
    let unknown = ["", "  \r", r#"{"type":"dance"}"#, r#"{"id":1,"type":"dance","steps":[[[]]]}"#];
    for line in unknown {
        assert_eq!(FromChild::parse(line.as_bytes()), Parsed::Unknown, "{line}");
    }
    let garbage = [
        "hello",
        "{",
        "[]",
        r#"["answer",1]"#,
        "17",
        r#"{"id":1}"#,
        r#"{"type":7}"#,
        "{\"type\":\"\u{0}\"}",
        r#"{"type":"a","type":"b"}"#,
    ];
    for line in garbage {
        assert_eq!(FromChild::parse(line.as_bytes()), Parsed::Garbage, "{line}");
    }
    assert_eq!(FromChild::parse(b"{\"type\":\"end\xff\",\"id\":1}"), Parsed::Garbage);

    let malformed = [
        (r#"{"type":"end"}"#, None),
        (r#"{"type":"end","id":-1}"#, None),
        (r#"{"type":"end","id":"1"}"#, None),
        (r#"{"type":"answer","id":1,"records":7}"#, Some(1)),
        (r#"{"type":"answer","id":1,"more":"yes"}"#, Some(1)),
        (r#"{"type":"records","id":2}"#, Some(2)),
        (r#"{"type":"error","id":3,"kind":"gone"}"#, Some(3)),
    ];
    for (line, expected) in malformed {
        let Parsed::Malformed { id, .. } = FromChild::parse(line.as_bytes()) else { panic!("{line}") };
        assert_eq!(id, expected, "{line}");
    }
    // missing and null are the same
    let Parsed::Message(message) =
        FromChild::parse(br#"{"type":"answer","id":1,"records":null,"note":null}"#)
    else {
        panic!("not understood");
    };
    assert_eq!(message, FromChild::Answer(Box::new(Answer::done(1))));
}

#[test]
fn a_bad_record_spoils_no_other() {
    let good = r#"{"key":"name:ann","class":"pointer","not_after":1,"bytes":"YQ==","colour":"green"}"#;
    let bad = [
        "7",
        "null",
        "{}",
        r#"{"key":"slot:00","class":"meeting","not_after":1,"bytes":""}"#,
        r#"{"key":"ann","class":"pointer","not_after":1,"bytes":""}"#,
        r#"{"key":"name:ANN","class":"pointer","not_after":1,"bytes":""}"#,
        r#"{"key":"name:ann","class":"party","not_after":1,"bytes":""}"#,
        r#"{"key":"name:ann","class":"pointer","not_after":-1,"bytes":""}"#,
        r#"{"key":"name:ann","class":"pointer","not_after":1,"bytes":"YQ"}"#,
        r#"[[[[["deep"]]]]]"#,
    ];
    let line =
        format!(r#"{{"type":"answer","id":1,"records":[{good},{},{good}],"skipped":5}}"#, bad.join(","));
    let Parsed::Message(FromChild::Answer(answer)) = FromChild::parse(line.as_bytes()) else {
        panic!("{line}")
    };
    let batch = answer.into_batch().expect("it has records");
    assert_eq!((batch.records.len(), batch.skipped), (2, 5 + bad.len() as u64));
}

#[test]
fn a_line_of_nothing_but_brackets_is_cheap() {
    // as deep as a line is long, and as wide
    let deep = "[".repeat(MAX_LINE);
    assert_eq!(FromChild::parse(deep.as_bytes()), Parsed::Garbage);
    let deep = format!(r#"{{"type":"dance","steps":{}}}"#, "[".repeat(1 << 20));
    assert_eq!(FromChild::parse(deep.as_bytes()), Parsed::Garbage);
    let wide = format!(r#"{{"type":"answer","id":1,"records":[{}0]}}"#, "0,".repeat(1 << 20));
    assert!(matches!(FromChild::parse(wide.as_bytes()), Parsed::Malformed { id: Some(1), .. }));
}

#[test]
fn a_hello_is_cut_to_its_bounds() {
    let info = BridgeInfo::new("x", "a\u{1b}[31mb".repeat(1000), Vec::new());
    let service = MemoryService::builder().max_record(Class::Custody, usize::MAX).build();
    let hello = Hello::new(&info, service.capability());
    assert!(hello.title.len() <= MAX_TEXT && !hello.title.contains(char::is_control));
    assert_eq!(hello.capability.classes[&Class::Custody].max_record, MAX_RECORD);
}

#[test]
fn unknown_classes_and_kinds_are_no_errors() {
    let line = r#"{"type":"hello","version":1,"capability":{"classes":{"party":7},"lookup":"key","delivery":{"mode":"poll","interval":1},"writers":"one","wake":"never","visible":{"service":[],"readers":[]}}}"#;
    let Parsed::Message(FromChild::Hello(hello)) = FromChild::parse(line.as_bytes()) else {
        panic!("{line}")
    };
    assert!(hello.capability.classes.is_empty());

    let error = WireError { kind: "bored".to_owned(), message: "m\n".repeat(900), ..WireError::default() };
    let error = BridgeError::from(error);
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.message().len() <= MAX_TEXT && !error.message().contains('\n'));
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        any::<[u8; 16]>().prop_map(|slot| Key::Slot(Slot(slot))),
        "[a-z0-9][a-z0-9._-]{0,63}".prop_map(Key::Name),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let class = prop::sample::select(Class::ALL.to_vec());
    (key(), class, any::<u64>(), prop::collection::vec(any::<u8>(), 0..200))
        .prop_map(|(key, class, at, bytes)| Record::new(key, class, Timestamp::from_secs(at), bytes))
}

fn keys() -> impl Strategy<Value = Keys> {
    prop_oneof![Just(Keys::All), prop::collection::btree_set(key(), 0..5).prop_map(Keys::These)]
}

fn place() -> impl Strategy<Value = Place> {
    let locator = "[a-z][a-z0-9-]{0,9}:[a-z/.:]{1,20}";
    prop_oneof![
        Just(Place::Own),
        locator.prop_map(|text| Place::Of(Locator::parse(&text).expect("it is one"))),
    ]
}

fn to_child() -> impl Strategy<Value = ToChild> {
    let text = prop::option::of(".{0,20}");
    prop_oneof![
        any::<u32>().prop_map(|version| ToChild::Start(Start { version })),
        (any::<u64>(), record()).prop_map(|(id, record)| ToChild::Publish(Publish { id, record })),
        (any::<u64>(), place(), keys(), text.clone(), any::<usize>()).prop_map(
            |(id, place, keys, cursor, limit)| {
                ToChild::Fetch(FetchLine { id, place, keys, cursor, limit })
            }
        ),
        (any::<u64>(), place(), keys(), text, any::<u32>()).prop_map(|(id, place, keys, cursor, credit)| {
            ToChild::Watch(WatchLine { id, place, keys, cursor, credit })
        }),
        (any::<u64>(), any::<u32>()).prop_map(|(id, add)| ToChild::Credit(Credit { id, add })),
        any::<u64>().prop_map(|id| ToChild::Unwatch(Id { id })),
        (any::<u64>(), prop::collection::vec(".{0,9}", 0..4))
            .prop_map(|(id, receipts)| ToChild::Retract(Retract { id, receipts })),
        (any::<u64>(), ".{0,20}").prop_map(|(id, target)| ToChild::Ring(Ring { id, target })),
        any::<u64>().prop_map(|id| ToChild::Probe(Id { id })),
    ]
}

fn batch() -> impl Strategy<Value = Batch> {
    (prop::collection::vec(record(), 0..4), any::<bool>(), prop::option::of(any::<u64>()), any::<u64>())
        .prop_map(|(records, more, time, skipped)| {
            let batch = Batch::new(records, None).with_more(more).with_skipped(skipped);
            batch.with_service_time(time.map(Timestamp::from_secs))
        })
}

fn error() -> impl Strategy<Value = BridgeError> {
    use ErrorKind::*;
    let kinds = vec![
        Unreachable,
        Denied,
        RateLimited,
        Full,
        Refused,
        Unsupported,
        Gone,
        Lagged,
        Garbled,
        Configuration,
        Internal,
    ];
    let faults = vec![Fault::Service, Fault::User, Fault::Caller, Fault::Bridge];
    let retries = vec![Retry::Now, Retry::BackOff, Retry::Never, Retry::After(Duration::from_millis(1500))];
    (
        prop::sample::select(kinds),
        prop::sample::select(faults),
        prop::sample::select(retries),
        "[a-z ]{0,9}[a-z]",
    )
        .prop_map(|(kind, fault, retry, message)| {
            BridgeError::new(kind, message.trim().to_owned()).with_fault(fault).with_retry(retry)
        })
}

fn from_child() -> impl Strategy<Value = FromChild> {
    prop_oneof![
        ".{0,30}".prop_map(|title| {
            let info = BridgeInfo::new("x", title, Locator::parse("a:b").into_iter().collect());
            FromChild::Hello(Box::new(Hello::new(&info, MemoryService::new().capability())))
        }),
        (prop::option::of(".{0,9}"), prop::option::of(prop::collection::vec(".{0,9}", 0..3)))
            .prop_map(|(title, locators)| FromChild::Info(Info { title, locators })),
        (any::<u64>(), batch())
            .prop_map(|(id, batch)| FromChild::Answer(Box::new(Answer::fetched(id, batch)))),
        (any::<u64>(), ".{0,9}")
            .prop_map(|(id, text)| FromChild::Answer(Box::new(Answer::published(id, text)))),
        (any::<u64>(), any::<u32>(), any::<Option<std::net::IpAddr>>()).prop_map(|(id, latency, ip)| {
            let latency = Duration::from_millis(latency.into());
            let probe = Probe::new(latency).with_public_address(ip);
            FromChild::Answer(Box::new(Answer::probed(id, &probe)))
        }),
        (any::<u64>(), batch()).prop_map(|(id, batch)| FromChild::Records(Found::new(id, batch))),
        (any::<u64>(), error()).prop_map(|(id, error)| FromChild::error(id, &error)),
        any::<u64>().prop_map(|id| FromChild::End(Id { id })),
    ]
}

proptest! {
    #[test]
    fn requests_come_back(message in to_child()) {
        let line = message.to_line().expect("it is short");
        prop_assert!(!line.trim_end_matches('\n').contains('\n'));
        prop_assert_eq!(ToChild::parse(line.trim_end_matches('\n').as_bytes()), Parsed::Message(message));
    }

    #[test]
    fn answers_come_back(message in from_child()) {
        let line = message.to_line().expect("it is short");
        prop_assert_eq!(FromChild::parse(line.trim_end_matches('\n').as_bytes()), Parsed::Message(message));
    }

    #[test]
    fn batches_come_back(batch in batch()) {
        prop_assert_eq!(Answer::fetched(1, batch.clone()).into_batch(), Some(batch));
    }

    #[test]
    fn errors_come_back(error in error()) {
        let again = BridgeError::from(WireError::from(&error));
        prop_assert_eq!(
            (again.kind(), again.fault(), again.retry(), again.message()),
            (error.kind(), error.fault(), error.retry(), error.message())
        );
    }

    #[test]
    fn any_bytes_are_something(line in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = (ToChild::parse(&line), FromChild::parse(&line));
    }

    #[test]
    fn any_text_is_something(line in "\\{\"type\":\"(answer|records|hello|error|fetch|publish)\",\"id\":[0-9]{1,3},[\"a-z:\\[\\]{},0-9]{0,80}") {
        let _ = (ToChild::parse(line.as_bytes()), FromChild::parse(line.as_bytes()));
    }

    #[test]
    fn spoilt_messages_are_something(message in from_child(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut line = message.to_line().expect("it is short").into_bytes();
        let at = at.index(line.len());
        line[at] = byte;
        let _ = FromChild::parse(&line);
        line.truncate(at);
        let _ = FromChild::parse(&line);
    }

    #[test]
    fn cursors_of_any_bytes_survive(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let batch = Batch::new(Vec::new(), Cursor::new(bytes));
        let answer = Answer::fetched(1, batch);
        prop_assert!(answer.cursor.is_some());
    }
}
