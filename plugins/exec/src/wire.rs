//! How the contract's types are written in a line: base64 for bytes, `slot:` and hex or `name:` and a name for
//! keys, strings for receipts and cursors.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use wayside_bridge::{
    BridgeError, Class, Cursor, ErrorKind, Fault, Key, Keys, Locator, Place, Receipt, Record, Retry, Slot,
    Timestamp,
};

use crate::protocol::MAX_TEXT;

/// The largest record that the protocol carries, in bytes before base64; a larger `max_record` means this.
pub const MAX_RECORD: usize = 1 << 20;

/// The most records in one line; a line with more makes no sense.
pub const MAX_BATCH: usize = 4096;

pub(crate) const MAX_CURSOR: usize = Cursor::MAX;

/// Records as a line carries them: one that makes no sense is counted, and no error for the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The records.
    pub records: Vec<Record>,
    /// How many made no sense.
    pub skipped: u64,
}

impl Records {
    /// These, all of which make sense.
    pub fn new(records: Vec<Record>) -> Self {
        Self { records, skipped: 0 }
    }
}

impl Serialize for Records {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.records.iter().map(WireRecord::from))
    }
}

impl<'de> Deserialize<'de> for Records {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RecordsVisitor)
    }
}

struct RecordsVisitor;

impl<'de> Visitor<'de> for RecordsVisitor {
    type Value = Records;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MAX_BATCH} records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Records, A::Error> {
        let mut found = Records::default();
        for _ in 0..=MAX_BATCH {
            // each element is first delimited and then read, so that a bad one spoils nothing but itself
            let Some(raw) = sequence.next_element::<&RawValue>()? else { return Ok(found) };
            match serde_json::from_str::<WireRecord>(raw.get()).ok().and_then(WireRecord::into_record) {
                Some(record) => found.records.push(record),
                None => found.skipped += 1,
            }
        }
        Err(A::Error::custom("too many records in a line"))
    }
}

#[derive(Serialize, Deserialize)]
struct WireRecord {
    key: String,
    class: Class,
    not_after: Timestamp,
    bytes: String,
}

impl From<&Record> for WireRecord {
    fn from(record: &Record) -> Self {
        Self {
            key: key_text(&record.key),
            class: record.class,
            not_after: record.not_after,
            bytes: BASE64.encode(&record.bytes),
        }
    }
}

impl WireRecord {
    fn into_record(self) -> Option<Record> {
        let key = parse_key(&self.key)?;
        let bytes = BASE64.decode(self.bytes.as_bytes()).ok().filter(|bytes| bytes.len() <= MAX_RECORD)?;
        Some(Record::new(key, self.class, self.not_after, bytes))
    }
}

/// `slot:` and 32 hexadecimal digits, or `name:` and the name. No slot can be taken for a name, or the reverse.
fn key_text(key: &Key) -> String {
    match key {
        Key::Slot(slot) => format!("slot:{slot}"),
        Key::Name(name) => format!("name:{name}"),
    }
}

fn parse_key(text: &str) -> Option<Key> {
    match text.split_once(':')? {
        ("slot", hex) => Slot::from_hex(hex).map(Key::Slot),
        ("name", name) => Key::name(name),
        _ => None,
    }
}

pub(crate) mod record {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(record: &Record, serializer: S) -> Result<S::Ok, S::Error> {
        WireRecord::from(record).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Record, D::Error> {
        let record = WireRecord::deserialize(deserializer)?;
        record.into_record().ok_or_else(|| D::Error::custom("this is not a record"))
    }
}

pub(crate) mod keys {
    use super::*;

    /// `"all"`, or an array of keys.
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum WireKeys {
        Word(String),
        These(Vec<String>),
    }

    pub(crate) fn serialize<S: Serializer>(keys: &Keys, serializer: S) -> Result<S::Ok, S::Error> {
        match keys {
            Keys::All => WireKeys::Word("all".to_owned()),
            Keys::These(keys) => WireKeys::These(keys.iter().map(key_text).collect()),
        }
        .serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Keys, D::Error> {
        match WireKeys::deserialize(deserializer)? {
            WireKeys::Word(word) if word == "all" => Ok(Keys::All),
            WireKeys::Word(_) => Err(D::Error::custom("keys are `all` or an array")),
            WireKeys::These(keys) => keys
                .iter()
                .map(|key| parse_key(key).ok_or_else(|| D::Error::custom("this is not a key")))
                .collect::<Result<_, _>>()
                .map(Keys::These),
        }
    }
}

pub(crate) mod place {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(place: &Place, serializer: S) -> Result<S::Ok, S::Error> {
        match place {
            Place::Own => serializer.serialize_none(),
            Place::Of(locator) => serializer.collect_str(locator),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Place, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(Place::Own) };
        Locator::parse(&text).map(Place::Of).ok_or_else(|| D::Error::custom("this is not a locator"))
    }
}

pub(crate) fn own() -> Place {
    Place::Own
}

pub(crate) fn is_own(place: &Place) -> bool {
    *place == Place::Own
}

/// An id where it is one, so that a message whose `id` is no number is malformed and not garbage.
pub(crate) fn lenient_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(raw.get().parse().ok())
}

/// A bridge's own bytes as the string that the protocol wants: `=` and the text where they are printable text,
/// else `~` and base64. Nothing where that is longer than `max`.
///
/// Used by [`serve`](crate::serve); a child in another language uses whatever strings it likes.
pub(crate) fn to_text(bytes: &[u8], max: usize) -> Option<String> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(char::is_control) => format!("={text}"),
        _ => format!("~{}", BASE64URL_NOPAD.encode(bytes)),
    };
    (text.len() <= max).then_some(text)
}

/// The bytes of [`to_text`]'s string; nothing for anybody else's.
pub(crate) fn from_text(text: &str) -> Option<Bytes> {
    match text.split_at_checked(1)? {
        ("=", text) => Some(Bytes::copy_from_slice(text.as_bytes())),
        ("~", encoded) => BASE64URL_NOPAD.decode(encoded.as_bytes()).ok().map(Bytes::from),
        _ => None,
    }
}

pub(crate) fn cursor(text: String) -> Option<Cursor> {
    Cursor::new(text)
}

pub(crate) fn receipt(text: String) -> Option<Receipt> {
    Receipt::new(text)
}

/// Text of a child for a person: without control characters, at most `max` bytes.
pub(crate) fn clip(text: &str, max: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let end = (0..=max.min(clean.len())).rev().find(|end| clean.is_char_boundary(*end)).unwrap_or(0);
    clean.get(..end).unwrap_or_default().trim().to_owned()
}

/// An error as a line carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireError {
    /// What kind (`unreachable`, `rate_limited`); one that is not known means `internal`.
    pub kind: String,
    /// One sentence for a person.
    pub message: String,
    /// When to try again, where the service said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// When to try again otherwise: `now`, `back_off` or `never`; where it is missing, what the kind usually means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// Whose fault it is: `service`, `user`, `caller` or `bridge`; where it is missing, what the kind usually means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

const KINDS: [(&str, ErrorKind); 11] = [
    ("unreachable", ErrorKind::Unreachable),
    ("denied", ErrorKind::Denied),
    ("rate_limited", ErrorKind::RateLimited),
    ("full", ErrorKind::Full),
    ("refused", ErrorKind::Refused),
    ("unsupported", ErrorKind::Unsupported),
    ("gone", ErrorKind::Gone),
    ("lagged", ErrorKind::Lagged),
    ("garbled", ErrorKind::Garbled),
    ("configuration", ErrorKind::Configuration),
    ("internal", ErrorKind::Internal),
];

const FAULTS: [(&str, Fault); 4] = [
    ("service", Fault::Service),
    ("user", Fault::User),
    ("caller", Fault::Caller),
    ("bridge", Fault::Bridge),
];

const RETRIES: [(&str, Retry); 3] =
    [("now", Retry::Now), ("back_off", Retry::BackOff), ("never", Retry::Never)];

impl From<&BridgeError> for WireError {
    fn from(error: &BridgeError) -> Self {
        let kind = KINDS.iter().find(|(_, kind)| *kind == error.kind());
        let usual = BridgeError::new(error.kind(), "");
        let fault = FAULTS.iter().find(|(_, fault)| *fault == error.fault());
        let retry = RETRIES.iter().find(|(_, retry)| *retry == error.retry());
        let after = match error.retry() {
            Retry::After(after) => Some(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            _ => None,
        };
        Self {
            kind: kind.map_or("internal", |(name, _)| name).to_owned(),
            message: clip(error.message(), MAX_TEXT),
            retry_after_ms: after,
            retry: retry.filter(|_| error.retry() != usual.retry()).map(|(name, _)| (*name).to_owned()),
            fault: fault.filter(|_| error.fault() != usual.fault()).map(|(name, _)| (*name).to_owned()),
        }
    }
}

impl From<WireError> for BridgeError {
    fn from(wire: WireError) -> Self {
        let find = |name: &str| KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        let kind = find(&wire.kind).unwrap_or(ErrorKind::Internal);
        let mut error = Self::new(kind, clip(&wire.message, MAX_TEXT));
        if let Some((_, fault)) = FAULTS.iter().find(|(name, _)| Some(*name) == wire.fault.as_deref()) {
            error = error.with_fault(*fault);
        }
        if let Some((_, retry)) = RETRIES.iter().find(|(name, _)| Some(*name) == wire.retry.as_deref()) {
            error = error.with_retry(*retry);
        }
        match wire.retry_after_ms {
            Some(after) => error.with_retry(Retry::After(Duration::from_millis(after))),
            None => error,
        }
    }
}
