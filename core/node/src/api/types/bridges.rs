//! Bridges: services that people share.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{RoomBot, Time};

/// `POST /v1/bridges`
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddBridge {
    /// The kind (`dir`, `exec`).
    pub kind: String,
    /// What to call it; the kind, numbered where that is taken, if not given.
    pub name: Option<String>,
    /// The kind's options by name.
    pub options: BTreeMap<String, String>,
    /// Whether mail for friends may lie there.
    #[serde(default)]
    pub mail: bool,
    /// The bot of its room, which introduces members to one another.
    #[serde(default)]
    pub community: Option<RoomBot>,
}

impl fmt::Debug for AddBridge {
    /// Options may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddBridge")
            .field("kind", &self.kind)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A configured bridge: an element of `GET /v1/bridges`, the answer of `POST /v1/bridges`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeView {
    /// What the user calls it.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// What the place is called.
    pub title: String,
    /// The places that it reaches.
    pub locators: Vec<String>,
    /// Whether it works right now.
    pub healthy: bool,
    /// The last error, one sentence, where it does not work.
    pub error: Option<String>,
    /// When it is tried again.
    pub retry_at: Option<Time>,
    /// What its probe had to say.
    pub note: Option<String>,
    /// What the service's operator sees.
    pub service_sees: Vec<String>,
    /// What others who can read the place see.
    pub readers_see: Vec<String>,
    /// Records of ours that lie there now.
    pub published: u64,
    /// Whether mail for friends may lie there.
    #[serde(default)]
    pub mail: bool,
}

/// A kind of bridge that is built in: an element of `GET /v1/kinds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindView {
    /// Its name ([`AddBridge::kind`]).
    pub kind: String,
    /// What it is, in a line.
    pub about: String,
    /// What it is told ([`AddBridge::options`]).
    pub options: Vec<KindOption>,
}

/// An option of a kind of bridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindOption {
    /// Its name.
    pub name: String,
    /// What its value is called in help: `DIR`.
    pub value: String,
    /// What it is, in a line.
    pub about: String,
    /// Whether it must be given.
    pub required: bool,
    /// Whether it is a path, which has to be absolute.
    pub path: bool,
}

/// A line of `bridge test`, which needs no node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseView {
    /// The case's name.
    pub case: String,
    /// `passed`, `failed`, `skipped` or `deviates`.
    pub outcome: String,
    /// Why it failed, was skipped or may deviate.
    pub reason: Option<String>,
    /// The sentence of the specification that the bridge broke, where it failed.
    #[serde(default)]
    pub broken: Option<SentenceView>,
    /// What was expected, where it failed.
    #[serde(default)]
    pub expected: Option<String>,
    /// What was seen instead.
    #[serde(default)]
    pub seen: Option<String>,
}

/// A sentence of the specification of bridges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentenceView {
    /// Its number there, for good (`F1`).
    pub id: String,
    /// The sentence.
    pub text: String,
}
