#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

//! Events as members, other programs and those who mean harm send them.

use serde_json::{Value, json};
use wayside_bridge::{Class, Incoming, Key, Record, Slot, Timestamp};

use super::{Event, FIELD, RING, What, content_of};

fn record() -> Record {
    Record::new(Key::Slot(Slot([7; 16])), Class::Meeting, Timestamp::from_secs(4_000_000_000), vec![1, 2, 3])
}

fn event(kind: &str, content: Value) -> Value {
    json!({ "event_id": "$e", "sender": "@a:x", "origin_server_ts": 5, "type": kind, "content": content })
}

fn parse(event: &Value) -> Option<What> {
    Event::parse(&event.to_string()).map(|event| event.what)
}

#[test]
fn a_record_comes_back_as_it_was() {
    let (content, check) = content_of(&record()).unwrap();
    assert_eq!(content["msgtype"], "m.notice");
    assert_eq!(content["m.mentions"], json!({}));
    assert!(content.get("m.relates_to").is_none());
    let Some(What::Record(found, found_check)) = parse(&event("m.room.message", content)) else { panic!() };
    assert_eq!((found, found_check), (record(), check));
}

#[test]
fn what_has_our_field_and_is_no_record_is_junk() {
    for field in [json!(7), json!({}), json!(""), json!("?"), json!("AAAA"), json!(null), json!(["x"])] {
        let content = json!({ "msgtype": "m.notice", "body": "x", FIELD: field });
        assert!(matches!(parse(&event("m.room.message", content)), Some(What::Junk)));
    }
}

#[test]
fn messages_are_told_from_edits_rings_and_records() {
    let said = json!({ "msgtype": "m.text", "body": "hi" });
    assert!(matches!(parse(&event("m.room.message", said)), Some(What::Said { automatic: false, .. })));
    let notice = json!({ "msgtype": "m.notice", "body": "hi" });
    assert!(matches!(parse(&event("m.room.message", notice)), Some(What::Said { automatic: true, .. })));
    for other in [
        json!({ "msgtype": "m.text", "body": "* hi", "m.relates_to": { "rel_type": "m.replace", "event_id": "$x" } }),
        json!({ "msgtype": "m.text", "body": "hi", RING: true }),
        json!({ "msgtype": "m.image", "body": "hi" }),
        json!({ "msgtype": 1, "body": 2 }),
        json!([]),
    ] {
        assert!(matches!(parse(&event("m.room.message", other)), Some(What::Other)));
    }
    let long = json!({ "msgtype": "m.text", "body": "ä".repeat(Incoming::MAX_TEXT) });
    let Some(What::Said { text, .. }) = parse(&event("m.room.message", long)) else { panic!() };
    assert_eq!(text.len(), Incoming::MAX_TEXT);
}

#[test]
fn redactions_of_all_room_versions_are_understood() {
    let mut old = event("m.room.redaction", json!({}));
    old["redacts"] = json!("$gone");
    let new = event("m.room.redaction", json!({ "redacts": "$gone" }));
    for redaction in [old, new] {
        let Some(What::Redaction(target)) = parse(&redaction) else { panic!() };
        assert_eq!(target, "$gone");
    }
}

#[test]
fn what_is_no_event_is_passed_over() {
    for text in ["", "7", "[", "{}", "null", r#"{"event_id":7,"sender":"@a:x"}"#, &"[".repeat(5000)] {
        assert!(Event::parse(text).is_none(), "{text}");
    }
    let mut huge = event("m.room.message", json!({ "body": "x".repeat(200_000) }));
    assert!(parse(&huge).is_none());
    huge["content"] = json!({});
    huge["event_id"] = json!("$".repeat(300));
    assert!(parse(&huge).is_none());
}
