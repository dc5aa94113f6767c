//! The line protocol: every message both ways, and its bounds. Specified in `docs/EXEC-BRIDGE.md`.
//!
//! Both sides parse with the same code. A line is first read for its `type` and `id` alone and then as the message
//! of that type, so that unknown types and unknown fields cost nothing and nothing is kept as a generic tree.

use serde::{Deserialize, Serialize};
use wayside_bridge::{Batch, BridgeError, Keys, Place, Probe, Record, Timestamp};

pub use crate::hello::{Hello, MAX_HELLO, MAX_LIST, MAX_TEXT, VERSION};
use crate::wire;
pub use crate::wire::{MAX_BATCH, MAX_RECORD, Records, WireError};

/// The longest line, in bytes without its line feed. Fits the largest record six times over in base64.
pub const MAX_LINE: usize = 8 << 20;

/// The most receipts in one `retract`.
pub const MAX_RECEIPTS: usize = 256;

/// A message from the node to the child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToChild {
    /// The version spoken from here on.
    Start(Start),
    /// Leave a record.
    Publish(Publish),
    /// Tell what is there now.
    Fetch(FetchLine),
    /// Tell what is there and what comes.
    Watch(WatchLine),
    /// So many more `records` may be sent for a watch.
    Credit(Credit),
    /// Stop a watch.
    Unwatch(Id),
    /// Take back what was published.
    Retract(Retract),
    /// Make somebody's device notice.
    Ring(Ring),
    /// Ask the service whether it answers.
    Probe(Id),
}

/// A message from the child to the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromChild {
    /// Who the child is: its first line.
    Hello(Box<Hello>),
    /// A new title or new locators.
    Info(Info),
    /// A request succeeded.
    Answer(Box<Answer>),
    /// A watch found something.
    Records(Found),
    /// A request failed, or a watch ended for this reason.
    Error(Failed),
    /// A watch has ended.
    End(Id),
}

/// `start`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// One of the versions that the child offered.
    pub version: u32,
}

/// `unwatch`, `probe`, `end`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Id {
    /// The request or watch.
    pub id: u64,
}

/// `publish`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// The request.
    pub id: u64,
    /// What to leave.
    #[serde(with = "wire::record")]
    pub record: Record,
}

/// `fetch`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchLine {
    /// The request.
    pub id: u64,
    /// Whose place; the child's own where the field is missing.
    #[serde(with = "wire::place", default = "wire::own", skip_serializing_if = "wire::is_own")]
    pub place: Place,
    /// Which keys.
    #[serde(with = "wire::keys")]
    pub keys: Keys,
    /// After what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many records.
    pub limit: usize,
}

/// `watch`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchLine {
    /// The request, and the watch that it opens.
    pub id: u64,
    /// Whose place; the child's own where the field is missing.
    #[serde(with = "wire::place", default = "wire::own", skip_serializing_if = "wire::is_own")]
    pub place: Place,
    /// Which keys.
    #[serde(with = "wire::keys")]
    pub keys: Keys,
    /// After what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// So many `records` may be sent before more credit is given.
    pub credit: u32,
}

/// `credit`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// The watch.
    pub id: u64,
    /// How many more `records` may be sent.
    pub add: u32,
}

/// `retract`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retract {
    /// The request.
    pub id: u64,
    /// What to take back; at most [`MAX_RECEIPTS`].
    pub receipts: Vec<String>,
}

/// `ring`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    /// The request.
    pub id: u64,
    /// Whom, in the bridge's own notation.
    pub target: String,
}

/// `info`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// The new title, where it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The new locators, all of them, where they changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locators: Option<Vec<String>>,
}

/// `answer`: the fields that the request calls for; the others are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The request.
    pub id: u64,
    /// Of a `publish`: what takes the record back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// Of a `fetch`: what is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<Records>,
    /// Of a `fetch`: where to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Of a `fetch`: whether fetching on would find more right away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<bool>,
    /// Of a `fetch`: entries that were there and are no records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<u64>,
    /// Of a `fetch` or `probe`: the service's own clock, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_time: Option<u64>,
    /// Of a `probe`: how long the service took; the node measures where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// Of a `probe`: something that a person should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Of a `probe`: the public IP address that the service sees the child come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_address: Option<String>,
}

/// `records`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The watch.
    pub id: u64,
    /// What it found.
    pub records: Records,
    /// Where to go on after these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Entries that were there and are no records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<u64>,
    /// The service's own clock, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_time: Option<u64>,
}

/// `error`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The request or watch.
    pub id: u64,
    /// What went wrong.
    #[serde(flatten)]
    pub error: WireError,
}

impl Answer {
    /// An answer that says no more than that it went well.
    pub fn done(id: u64) -> Self {
        Self { id, ..Self::default() }
    }

    /// The answer to a `publish`.
    pub fn published(id: u64, receipt: String) -> Self {
        Self { id, receipt: Some(receipt), ..Self::default() }
    }

    /// The answer to a `fetch`.
    pub fn fetched(id: u64, batch: Batch) -> Self {
        Self {
            id,
            cursor: batch
                .cursor
                .as_ref()
                .and_then(|cursor| wire::to_text(cursor.as_bytes(), wire::MAX_CURSOR)),
            more: Some(batch.more),
            skipped: Some(batch.skipped).filter(|skipped| *skipped > 0),
            service_time: batch.service_time.map(Timestamp::as_secs),
            records: Some(Records::new(batch.records)),
            ..Self::default()
        }
    }

    /// The answer to a `probe`.
    pub fn probed(id: u64, probe: &Probe) -> Self {
        Self {
            id,
            latency_ms: Some(u64::try_from(probe.latency.as_millis()).unwrap_or(u64::MAX)),
            service_time: probe.service_time.map(Timestamp::as_secs),
            note: probe.note.clone(),
            public_address: probe.public_address.map(|ip| ip.to_string()),
            ..Self::default()
        }
    }

    /// The batch of an answer to a `fetch`; nothing where it has no `records`.
    pub fn into_batch(self) -> Option<Batch> {
        let records = self.records?;
        let skipped = self.skipped.unwrap_or(0).saturating_add(records.skipped);
        let batch = Batch::new(records.records, self.cursor.and_then(wire::cursor))
            .with_more(self.more.unwrap_or(false))
            .with_service_time(self.service_time.map(Timestamp::from_secs))
            .with_skipped(skipped);
        Some(batch)
    }
}

impl Found {
    /// What a watch found.
    pub fn new(id: u64, batch: Batch) -> Self {
        let Answer { records, cursor, skipped, service_time, .. } = Answer::fetched(id, batch);
        Self { id, records: records.unwrap_or_default(), cursor, skipped, service_time }
    }

    /// As a batch.
    pub fn into_batch(self) -> Batch {
        let skipped = self.skipped.unwrap_or(0).saturating_add(self.records.skipped);
        Batch::new(self.records.records, self.cursor.and_then(wire::cursor))
            .with_service_time(self.service_time.map(Timestamp::from_secs))
            .with_skipped(skipped)
    }
}

/// What a line turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed<M> {
    /// A message.
    Message(M),
    /// A message of a type that this version does not know, or an empty line: to be ignored.
    Unknown,
    /// A message of a known type whose fields make no sense; the request that it belongs to fails.
    Malformed {
        /// The request or watch, where it was told.
        id: Option<u64>,
        /// What is wrong with it, in a few words.
        why: String,
    },
    /// Not of this protocol at all.
    Garbage,
}

impl ToChild {
    /// Reads a line, without its line feed.
    pub fn parse(line: &[u8]) -> Parsed<Self> {
        parse(line, |kind, text| {
            Some(match kind {
                "start" => read(text).map(Self::Start),
                "publish" => read(text).map(Self::Publish),
                "fetch" => read(text).map(Self::Fetch),
                "watch" => read(text).map(Self::Watch),
                "credit" => read(text).map(Self::Credit),
                "unwatch" => read(text).map(Self::Unwatch),
                "retract" => read(text).map(Self::Retract),
                "ring" => read(text).map(Self::Ring),
                "probe" => read(text).map(Self::Probe),
                _ => return None,
            })
        })
    }

    /// The line, with its line feed; nothing where it would be longer than [`MAX_LINE`].
    pub fn to_line(&self) -> Option<String> {
        print(self)
    }
}

impl FromChild {
    /// Reads a line, without its line feed.
    pub fn parse(line: &[u8]) -> Parsed<Self> {
        parse(line, |kind, text| {
            Some(match kind {
                "hello" => read(text).map(Self::Hello),
                "info" => read(text).map(Self::Info),
                "answer" => read(text).map(Self::Answer),
                "records" => read(text).map(Self::Records),
                "error" => read(text).map(Self::Error),
                "end" => read(text).map(Self::End),
                _ => return None,
            })
        })
    }

    /// The line, with its line feed; nothing where it would be longer than [`MAX_LINE`].
    pub fn to_line(&self) -> Option<String> {
        print(self)
    }

    /// The `error` that answers a request or ends a watch.
    pub fn error(id: u64, error: &BridgeError) -> Self {
        Self::Error(Failed { id, error: WireError::from(error) })
    }
}

fn parse<M>(
    line: &[u8],
    message: impl FnOnce(&str, &str) -> Option<Result<M, serde_json::Error>>,
) -> Parsed<M> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default, deserialize_with = "wire::lenient_id")]
        id: Option<u64>,
    }
    let Ok(text) = std::str::from_utf8(line) else { return Parsed::Garbage };
    if text.trim_ascii().is_empty() {
        return Parsed::Unknown;
    }
    // serde would take an array for a struct; a line is an object
    if !text.trim_ascii_start().starts_with('{') {
        return Parsed::Garbage;
    }
    let Ok(Head { kind, id }) = read::<Head>(text) else { return Parsed::Garbage };
    match message(&kind, text) {
        None => Parsed::Unknown,
        Some(Ok(message)) => Parsed::Message(message),
        Some(Err(error)) => Parsed::Malformed { id, why: wire::clip(&format!("{kind}: {error}"), MAX_TEXT) },
    }
}

fn read<'de, M: Deserialize<'de>>(text: &'de str) -> Result<M, serde_json::Error> {
    serde_json::from_str(text)
}

fn print<M: Serialize>(message: &M) -> Option<String> {
    let mut line = serde_json::to_string(message).ok().filter(|line| line.len() <= MAX_LINE)?;
    line.push('\n');
    Some(line)
}
