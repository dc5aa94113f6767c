//! The first line: who the child is, which versions it speaks, what its service can do.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use wayside_bridge::{BridgeInfo, Capability, Class, Locator};

use crate::wire::{MAX_RECORD, clip};

/// The version of the protocol that this crate speaks.
pub const VERSION: u32 = 1;

/// The longest `hello`, in bytes without its line feed.
pub const MAX_HELLO: usize = 64 << 10;

/// The longest text for a person (title, note, message, one line of what is visible), in bytes; a longer one is cut.
pub const MAX_TEXT: usize = 500;

/// The most locators, versions, and lines of what is visible to each party; more are ignored.
pub const MAX_LIST: usize = 32;

/// `hello`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version that the child prefers.
    pub version: u32,
    /// All versions that it speaks, where they are more than that one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<u32>,
    /// What a person calls the place.
    #[serde(default)]
    pub title: String,
    /// The places that it reaches, as `kind:address`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locators: Vec<String>,
    /// What the service can do.
    #[serde(deserialize_with = "capability")]
    pub capability: Capability,
}

/// The part of a `hello` that every version of the protocol keeps.
#[derive(Deserialize)]
struct Versions {
    #[serde(rename = "type")]
    kind: String,
    version: u32,
    #[serde(default)]
    versions: Vec<u32>,
}

/// The versions that a `hello` offers, whatever else is in it; nothing where it tells none.
pub(crate) fn offered(line: &[u8]) -> Option<Vec<u32>> {
    let Versions { kind, version, mut versions } = serde_json::from_slice(line).ok()?;
    if kind != "hello" {
        return None;
    }
    versions.truncate(MAX_LIST);
    versions.push(version);
    versions.sort_unstable();
    versions.dedup();
    Some(versions)
}

impl Hello {
    /// The hello of a bridge.
    pub fn new(info: &BridgeInfo, capability: &Capability) -> Self {
        let mut hello = Self {
            version: VERSION,
            versions: Vec::new(),
            title: info.title.clone(),
            locators: info.locators.iter().map(ToString::to_string).collect(),
            capability: capability.clone(),
        };
        hello.bound();
        hello
    }

    /// Cuts every list, text and limit to its bound.
    pub(crate) fn bound(&mut self) {
        self.title = clip(&self.title, MAX_TEXT);
        self.locators.truncate(MAX_LIST);
        for class in self.capability.classes.values_mut() {
            class.max_record = class.max_record.min(MAX_RECORD);
        }
        for list in [&mut self.capability.visible.service, &mut self.capability.visible.readers] {
            list.truncate(MAX_LIST);
            list.iter_mut().for_each(|line| *line = clip(line, MAX_TEXT));
        }
    }
}

/// Locators that make sense, of at most [`MAX_LIST`].
pub(crate) fn locators(texts: &[String]) -> Vec<Locator> {
    texts.iter().take(MAX_LIST).filter_map(|text| Locator::parse(text)).collect()
}

/// What a later hello of the same child takes away from the first, in a few words; nothing where it keeps every promise.
pub(crate) fn taken_back(first: &Capability, later: &Capability) -> Option<&'static str> {
    let kept = first.classes.iter().all(|(class, first)| {
        later.class(*class).is_some_and(|later| {
            later.max_record >= first.max_record
                && later.retention >= first.retention
                && later.collision == first.collision
                && later.retract >= first.retract
        })
    });
    if !kept {
        Some("the classes of record")
    } else if later.visible != first.visible {
        Some("who sees what")
    } else if later.lookup != first.lookup {
        Some("how records are found")
    } else if later.delivery != first.delivery {
        Some("how news arrives")
    } else if later.writers != first.writers {
        Some("who writes")
    } else if later.max_keys.unwrap_or(usize::MAX) < first.max_keys.unwrap_or(usize::MAX) {
        Some("the number of keys")
    } else if later.wake != first.wake {
        Some("whether it rings")
    } else if later.kept != first.kept {
        Some("by whom records are kept")
    } else {
        None
    }
}

/// A capability without the classes that this version does not know. A tree is affordable: a hello is short.
fn capability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Capability, D::Error> {
    let mut value = Value::deserialize(deserializer)?;
    if let Some(classes) = value.get_mut("classes").and_then(Value::as_object_mut) {
        classes.retain(|name, _| Class::ALL.iter().any(|class| class.to_string() == *name));
    }
    serde_json::from_value(value).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wayside_bridge::{Kept, MemoryService, Wake};

    use super::*;

    #[test]
    fn more_is_no_less() {
        let first = MemoryService::builder().without(Class::Pointer).max_keys(8).build().capability().clone();
        assert_eq!(taken_back(&first, &first), None);
        let mut more = MemoryService::builder().max_keys(9).build().capability().clone();
        for class in more.classes.values_mut() {
            class.max_record += 1;
            class.retention += Duration::from_secs(1);
        }
        assert_eq!(taken_back(&first, &more), None);
        assert_eq!(taken_back(&more, &first), Some("the classes of record"));
    }

    #[test]
    fn everything_that_is_less_has_a_name() {
        let first = MemoryService::builder().wake(Wake::Rings).build().capability().clone();
        type Change = fn(&mut Capability);
        let changes: [(&str, Change); 5] = [
            ("who sees what", |later| later.visible.service.push("your shoe size".to_owned())),
            ("the number of keys", |later| later.max_keys = Some(1)),
            ("whether it rings", |later| later.wake = Wake::Never),
            ("by whom records are kept", |later| later.kept = Kept::Writer),
            ("the classes of record", |later| {
                later.classes.values_mut().for_each(|class| class.retract = false)
            }),
        ];
        for (name, change) in changes {
            let mut later = first.clone();
            change(&mut later);
            assert_eq!(taken_back(&first, &later), Some(name));
        }
    }
}
