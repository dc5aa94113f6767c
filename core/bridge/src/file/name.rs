//! What a record's file is called.

use data_encoding::HEXLOWER;

use super::contents::{Check, Found};
use crate::{Class, Key, Record, Slot, Timestamp};

const SUFFIX: &str = ".rec";

/// What the name of a record's file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// What it is for.
    pub class: Class,
    /// Where it is found.
    pub key: Key,
    /// When it expires and what it holds; `None` where a later record of the key replaces it.
    pub fixed: Option<(Timestamp, Check)>,
}

impl Name {
    /// The name for a record with this check, or `None` where no file could be named so: public names are for
    /// pointers alone, and have a shape.
    pub fn of(record: &Record, check: Check) -> Option<Self> {
        let fixed = match (&record.key, record.class) {
            (Key::Slot(_), Class::Meeting | Class::Custody) => Some((record.not_after, check)),
            (Key::Slot(_), Class::Pointer) => None,
            (Key::Name(name), Class::Pointer) => Key::name(name).and(None),
            (Key::Name(_), Class::Meeting | Class::Custody) => return None,
        };
        let valid = match &record.key {
            Key::Slot(_) => true,
            Key::Name(name) => Key::name(name).is_some(),
        };
        valid.then(|| Self { class: record.class, key: record.key.clone(), fixed })
    }

    /// What this name says; `None` where it is not *exactly* as [`Name::file_name`] writes it.
    pub fn parse(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(SUFFIX)?;
        let (kind, rest) = stem.split_once('-')?;
        if kind == "name" {
            return Some(Self { class: Class::Pointer, key: Key::name(rest)?, fixed: None });
        }
        let class = Class::ALL.into_iter().find(|class| class.to_string() == kind)?;
        if class == Class::Pointer {
            return Some(Self { class, key: Key::Slot(Slot(hex(rest)?)), fixed: None });
        }
        let mut parts = rest.split('-');
        let (slot, not_after, check) = (parts.next()?, parts.next()?, parts.next()?);
        let key = Key::Slot(Slot(hex(slot)?));
        let fixed = Some((seconds(not_after)?, hex(check)?));
        parts.next().is_none().then_some(Self { class, key, fixed })
    }

    /// The name.
    pub fn file_name(&self) -> String {
        match (&self.key, self.fixed) {
            (Key::Slot(slot), Some((not_after, check))) => {
                let (class, secs, check) = (self.class, not_after.as_secs(), HEXLOWER.encode(&check));
                format!("{class}-{slot}-{secs}-{check}{SUFFIX}")
            }
            (Key::Slot(slot), None) => format!("{}-{slot}{SUFFIX}", self.class),
            (Key::Name(name), _) => format!("name-{name}{SUFFIX}"),
        }
    }

    /// Whether the file of this name may hold this record.
    pub fn fits(&self, found: &Found) -> bool {
        Self::of(&found.record, found.check).as_ref() == Some(self)
    }
}

/// Seconds as they are printed: no sign, no leading zero.
pub fn seconds(text: &str) -> Option<Timestamp> {
    let secs: u64 = text.parse().ok()?;
    (secs.to_string() == text).then_some(Timestamp::from_secs(secs))
}

/// Exactly `N` bytes in lower-case hexadecimal digits.
pub fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
#[path = "name_tests.rs"]
mod tests;
