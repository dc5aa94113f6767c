//! Pointers: cards under public names, by which anybody may knock.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wayside_proto::pointer::Pointer;

use super::Time;

/// `POST /v1/pointers`: makes a pointer, or one that takes the place of what there is under this name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishPointer {
    /// Under which name: 1 to 64 of `a-z 0-9 - _ .`, not beginning with `.` or `-`.
    pub name: String,
    /// The bridges at which knocks are looked for, at most three; up to three that work, if empty.
    #[serde(default)]
    pub bridges: Vec<String>,
    /// The bridge at which it is published; the first of those that carries public names, if not given.
    pub place: Option<String>,
    /// Whether its text goes into a file, of which the node keeps in mind when it ends. It is published at a place besides only where one is named.
    #[serde(default)]
    pub file: bool,
    /// For how long: a minute to [`PublishPointer::LONGEST`]. What lasts less than an hour is not renewed by itself.
    pub lifetime_secs: u64,
}

impl PublishPointer {
    /// The longest that a pointer lasts.
    pub const LONGEST: Duration = Pointer::LONGEST;
}

/// A pointer of ours: an element of `GET /v1/pointers`, the answer to [`PublishPointer`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointerView {
    /// Its name.
    pub name: String,
    /// Its text: one line, signed, no secret.
    pub card: String,
    /// The places where knocks are looked for.
    pub points: Vec<String>,
    /// When it ends. What lies at a place is renewed before.
    pub expires: Time,
    /// The bridge at which it is published.
    pub place: Option<String>,
    /// Whether it lies there, as far as is known: where not, it is published again by itself.
    pub published: bool,
    /// When the one ends that was last written to a file. Nobody renews it but you.
    pub file_expires: Option<Time>,
    /// How many knocks by it wait for an answer.
    pub knocks: u64,
}

/// The answer of `DELETE /v1/pointers/{name}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithdrawnPointer {
    /// Its name.
    pub withdrawn: String,
    /// The bridges where it lies still: it is taken back there once they work. Nobody is let in by it meanwhile.
    pub left_at: Vec<String>,
}

/// `POST /v1/pointers/fetch`: fetches somebody's pointer, and does nothing with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchPointer {
    /// Where: `BRIDGE#NAME` with a bridge of ours, a source of a kind of bridge's with `#NAME` behind it (`git+https://host/path#alice`), or a card itself.
    pub source: String,
    /// Whether a service may be contacted that is none of our bridges.
    #[serde(default)]
    pub contact: bool,
    /// Whose, where several accounts left one under the name.
    pub account: Option<String>,
}

/// Somebody's pointer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundPointer {
    /// The name that it is for.
    pub name: String,
    /// The account that signed it.
    pub account: String,
    /// Its text: what `POST /v1/accept` takes.
    pub card: String,
    /// Where its owner looks for knocks.
    pub points: Vec<PointView>,
    /// When it ends.
    pub expires: Time,
    /// Why it does not hold, one sentence.
    pub fault: Option<String>,
    /// What its account is called here, where it is a friend.
    pub friend: Option<String>,
    /// Whether it is our own.
    pub own: bool,
    /// How many records under the name did not hold.
    pub skipped: u64,
}

/// A place where a pointer's owner looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointView {
    /// Its locator.
    pub place: String,
    /// Those of our bridges that reach it.
    pub bridges: Vec<String>,
    /// The command that would add one, quoted for a shell, where none does and there is such a kind here.
    pub add: Option<String>,
}

/// What lies at a bridge under public names: `GET /v1/bridges/{name}/pointers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacePointers {
    /// By name, at most [`PlacePointers::MOST`].
    pub pointers: Vec<PlacedPointer>,
    /// Whether there are more.
    pub more: bool,
}

impl PlacePointers {
    /// The most that are told.
    pub const MOST: usize = 1000;
}

/// A pointer that lies at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedPointer {
    /// The name that it lies under.
    pub name: String,
    /// Whose it is, where that can be told.
    pub account: Option<String>,
    /// When it ends, where that can be told.
    pub expires: Option<Time>,
    /// Why it does not hold, one sentence.
    pub fault: Option<String>,
    /// Whether it is our own.
    pub own: bool,
}

/// Where a pointer is fetched from, as far as that can be told without contacting anybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceView {
    /// The name that is looked up.
    pub name: String,
    /// The bridge of ours where it is looked up.
    pub bridge: Option<String>,
    /// What would be contacted, where it is none of our bridges.
    pub contacts: Option<String>,
}

/// What two friends compare: `GET /v1/friends/{friend}/comparison`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// What the friend is called here.
    pub friend: String,
    /// The friend's account.
    pub account: String,
    /// What both read, and nobody who sits between them can have both read.
    pub comparison: String,
    /// Whether it was said that they read the same.
    pub verified: bool,
}
