//! What an event of a room means here. Somebody sent it: parsed once, bounded, and whatever makes no sense is passed over.

use bytes::Bytes;
use matrix_sdk::deserialized_responses::TimelineEvent;
use serde_json::{Value, json};
use wayside_bridge::file::{self, Check};
use wayside_bridge::{Incoming, Record};

/// The field beside the body that holds a record.
pub(crate) const FIELD: &str = "dev.wayside.record";
/// The field that marks a message which is to be heard by a person alone.
pub(crate) const RING: &str = "dev.wayside.ring";
/// What people read in place of a record, whose client does not know the field.
const BODY: &str = "A sealed note between two people who use wayside. There is nothing to read in it.";
/// Events are at most 64 KiB; what is larger no homeserver should have handed on.
const LARGEST: usize = 128 * 1024;
/// Names of rooms, users and events have at most 255 bytes.
const LONGEST_ID: usize = 255;

/// An event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Its id.
    pub(crate) id: String,
    /// Who sent it.
    pub(crate) sender: String,
    /// When, by the sender's homeserver, in milliseconds since 1970.
    pub(crate) at: u64,
    /// What it is.
    pub(crate) what: What,
}

/// What an event is.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A record.
    Record(Record, Check),
    /// What has our field and is no record.
    Junk,
    /// Another event was taken back.
    Redaction(String),
    /// Somebody said something.
    Said {
        /// What, cut to [`Incoming::MAX_TEXT`].
        text: String,
        /// Whether it says that a program wrote it.
        automatic: bool,
    },
    /// Somebody left, or was removed or banned.
    Left {
        /// Who.
        who: String,
        /// Whether they are banned.
        banned: bool,
    },
    /// The room goes on elsewhere.
    Tombstone(String),
    /// What is encrypted.
    Sealed,
    /// Anything else.
    Other,
}

impl Event {
    /// What an event is; `None` where it is not even an event.
    pub(crate) fn of(event: &TimelineEvent) -> Option<Self> {
        Self::parse(event.raw().json().get())
    }

    /// What an event of this JSON is.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > LARGEST {
            return None;
        }
        let event: Value = serde_json::from_str(text).ok()?;
        let id = id(event.get("event_id"))?;
        let sender = id_of(&event, "sender")?;
        let at = event.get("origin_server_ts").and_then(Value::as_u64).unwrap_or_default();
        let what =
            if event.pointer("/unsigned/redacted_because").is_some() { What::Other } else { what(&event) };
        Some(Self { id, sender, at, what })
    }
}

fn what(event: &Value) -> What {
    let content = event.get("content").unwrap_or(&Value::Null);
    match event.get("type").and_then(Value::as_str) {
        Some("m.room.message") => message(content),
        Some("m.room.encrypted") if content.get("ciphertext").is_some() => What::Sealed,
        Some("m.room.redaction") => {
            // Before room version 11 it stands beside the content.
            let target = id(event.get("redacts")).or_else(|| id_of(content, "redacts"));
            target.map_or(What::Other, What::Redaction)
        }
        Some("m.room.member") => {
            let Some(who) = id_of(event, "state_key") else { return What::Other };
            match content.get("membership").and_then(Value::as_str) {
                Some("leave") => What::Left { who, banned: false },
                Some("ban") => What::Left { who, banned: true },
                _ => What::Other,
            }
        }
        Some("m.room.tombstone") if event.get("state_key").and_then(Value::as_str) == Some("") => {
            id_of(content, "replacement_room").map_or(What::Other, What::Tombstone)
        }
        _ => What::Other,
    }
}

fn message(content: &Value) -> What {
    if let Some(field) = content.get(FIELD) {
        return match field.as_str().and_then(record) {
            Some((record, check)) => What::Record(record, check),
            None => What::Junk,
        };
    }
    let relation = content.pointer("/m.relates_to/rel_type").and_then(Value::as_str);
    let (Some(body), Some(kind)) =
        (content.get("body").and_then(Value::as_str), content.get("msgtype").and_then(Value::as_str))
    else {
        return What::Other;
    };
    if relation == Some("m.replace") || content.get(RING).is_some() {
        return What::Other;
    }
    let automatic = kind == "m.notice";
    if automatic || kind == "m.text" {
        What::Said { text: cut(body).to_owned(), automatic }
    } else {
        What::Other
    }
}

fn record(text: &str) -> Option<(Record, Check)> {
    let bytes = data_encoding::BASE64.decode(text.as_bytes()).ok()?;
    let found = file::decode(&Bytes::from(bytes))?;
    Some((found.record, found.check))
}

/// The beginning of a text that is handed on.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(Incoming::MAX_TEXT);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

fn id_of(value: &Value, field: &str) -> Option<String> {
    id(value.get(field))
}

fn id(value: Option<&Value>) -> Option<String> {
    let id = value?.as_str()?;
    (!id.is_empty() && id.len() <= LONGEST_ID).then(|| id.to_owned())
}

/// The content of a record's event: `None` where the record is larger than its class allows.
pub(crate) fn content_of(record: &Record) -> Option<(Value, Check)> {
    let (contents, check) = file::encode(record)?;
    // An empty `m.mentions` says that nobody is meant, whatever stands in the body.
    let content = json!({
        "msgtype": "m.notice",
        "body": BODY,
        "m.mentions": {},
        FIELD: data_encoding::BASE64.encode(&contents),
    });
    Some((content, check))
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
