//! Where a pointer is to be fetched from, as somebody typed it or was sent it: attack input.

use std::time::Duration;

use bytes::Bytes;
use tokio_util::task::TaskTracker;
use wayside_bridge::layers::Check;
use wayside_bridge::{BridgeError, BridgeOptions, Registry, SharedBridge};
use wayside_proto::pointer::{Pointer, PointerName};

use super::place::{records_of, within};
use crate::bridges::caught;
use crate::clock::{self, NodeClock};

/// How long a service may take, from opening it to the last record.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });
/// The longest source that is looked at, in bytes: longer than any address that people hand on.
const LONGEST: usize = 1024;

/// Where a pointer is to be fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nowhere: the text of a card is at hand.
    Card(String),
    /// A bridge of ours.
    Bridge { bridge: String, name: PointerName },
    /// A service that is none of our bridges, opened for a moment.
    Service { kind: String, options: BridgeOptions, at: String, name: PointerName },
}

/// Why a text is no source that can be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SourceError {
    /// It is not of the form of one.
    #[error(
        "that is neither an invite (`wayside:…`) nor a card (`wayside-card:…`), nor where one lies (`https://HOST`, `dns:NAME`, `BRIDGE#NAME`, `git+https://host/path#NAME`)"
    )]
    NoSource,
    /// The name is none.
    #[error(
        "behind the last `#` stands the name of a card: 1 to 64 of a-z, 0-9, - _ . and not . or - at its beginning"
    )]
    Name,
    /// No kind of bridge takes it.
    #[error(
        "`{0}` is no bridge of yours, and no kind of bridge here knows how to read there: `wayside bridge list` lists yours"
    )]
    Unknown(String),
    /// The kind that takes it does not follow it.
    #[error("{0}")]
    Refused(String),
}

impl Source {
    /// What a text names, among bridges of these names. Contacts nothing.
    pub(crate) fn parse(text: &str, bridges: &[String], registry: &Registry) -> Result<Self, SourceError> {
        let text = text.trim();
        // A card may stand among lines for people.
        let is_card = |line: &str| {
            let begins = line.trim_start().get(..Pointer::SCHEME.len());
            begins.is_some_and(|begins| begins.eq_ignore_ascii_case(Pointer::SCHEME))
        };
        if text.lines().any(is_card) {
            return Ok(Self::Card(text.to_owned()));
        }
        // A site or a domain is somebody's: without a name its owner's card is meant.
        let (at, name) = text.rsplit_once('#').unwrap_or((text, PointerName::OWNER));
        let is_named = at.len() < text.len();
        if text.len() > LONGEST || at.is_empty() || at.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            return Err(SourceError::NoSource);
        }
        let name = PointerName::new(name).ok_or(SourceError::Name)?;
        if is_named && bridges.iter().any(|bridge| bridge == at) {
            return Ok(Self::Bridge { bridge: at.to_owned(), name });
        }
        let taken = registry.kinds().find_map(|kind| Some((kind.kind(), kind.source(at)?)));
        match taken {
            None if !is_named => Err(SourceError::NoSource),
            None => Err(SourceError::Unknown(at.to_owned())),
            Some((_, Err(error))) => Err(SourceError::Refused(error.message().to_owned())),
            Some((kind, Ok(options))) => {
                Ok(Self::Service { kind: kind.to_owned(), options, at: at.to_owned(), name })
            }
        }
    }
}

/// What lies under a name at a service that is none of our bridges: opened for reading, with nothing kept of it, and given up after a minute.
pub(crate) async fn fetch_from(
    registry: &Registry,
    clock: NodeClock,
    kind: &str,
    options: &BridgeOptions,
    name: &PointerName,
) -> Result<Vec<Bytes>, BridgeError> {
    let context = clock::context(clock, TaskTracker::new(), None);
    let fetched = async {
        let bridge = registry.open(kind, options, context).await?.bridge;
        let bridge: SharedBridge = std::sync::Arc::new(Check::new(bridge));
        records_of(&bridge, name).await
    };
    within(PATIENCE, caught(fetched)).await
}
