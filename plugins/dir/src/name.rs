//! What the files in `.wayside/` are called.
//!
//! A name says everything that is needed to pass a file over without opening it: its class, its key and, where the
//! class appends, when it expires and what it holds. Names are lower case and free of `:` and the like, so that
//! FAT, NTFS and every synchroniser carry them; the longest is some 110 characters.
//!
//! | Name                                      | What                                                   |
//! |-------------------------------------------|--------------------------------------------------------|
//! | `place-⟨id⟩`                              | marker: the folder has this id                         |
//! | `meeting-⟨slot⟩-⟨not after⟩-⟨check⟩.rec`  | record that others of its key stand beside             |
//! | `custody-⟨slot⟩-⟨not after⟩-⟨check⟩.rec`  | the same                                               |
//! | `pointer-⟨slot⟩.rec`, `name-⟨name⟩.rec`   | record that a later one of its key replaces            |
//! | `~syncthing~wayside-⟨random⟩.tmp`         | half a record; renamed when it is whole                |
//! | `README.txt`                              | for people                                             |
//! | `rings/`                                  | the folder of rings: an empty file for whoever is rung |

use data_encoding::HEXLOWER;
use wayside_bridge::{Class, Entropy, Key, Record, Slot, Timestamp};

use crate::format::{self, Check};

/// The file that tells people what the folder is.
pub(crate) const README: &str = "README.txt";

/// What names of temporary files begin with.
///
/// Syncthing passes over `~syncthing~*` on every platform (`lib/fs/tempname.go`), and other synchronisers over names
/// that begin with `~` or end in `.tmp`: half a record is sent to nobody, and were it sent, it would be none.
pub(crate) const TEMPORARY_PREFIX: &str = "~syncthing~wayside-";

/// The folder of rings.
pub(crate) const RINGS: &str = "rings";

const TEMPORARY_SUFFIX: &str = ".tmp";
const PLACE_PREFIX: &str = "place-";
const RECORD_SUFFIX: &str = ".rec";

/// What a file is, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Marks the folder with an id.
    Marker(PlaceId),
    /// Holds a record, or says so.
    Record(RecordName),
    /// What a synchroniser made of a record that two wrote at once (`….sync-conflict-…`), or a copy that somebody made.
    Copy {
        /// When the original expires, where its name says so.
        not_after: Option<Timestamp>,
    },
    /// A record that is being written, or whose writer died.
    Temporary,
    /// For people.
    Readme,
    /// The folder of rings.
    Rings,
    /// None of ours.
    Unknown,
}

impl Entry {
    /// What the file of this name is.
    pub(crate) fn of(name: &str) -> Self {
        if name == README {
            Self::Readme
        } else if name == RINGS {
            Self::Rings
        } else if name.starts_with(TEMPORARY_PREFIX) && name.ends_with(TEMPORARY_SUFFIX) {
            Self::Temporary
        } else if let Some(id) = name.strip_prefix(PLACE_PREFIX) {
            PlaceId::parse(id).map_or(Self::Unknown, Self::Marker)
        } else if let Some(record) = RecordName::parse(name) {
            Self::Record(record)
        } else {
            copy(name).unwrap_or(Self::Unknown)
        }
    }
}

/// The random name of a folder: the address in its locator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PlaceId([u8; 8]);

impl PlaceId {
    /// A new one. Sixty-four bits: nobody shares so many folders that two would meet.
    pub(crate) fn random(entropy: &dyn Entropy) -> Self {
        let mut id = [0; 8];
        entropy.fill(&mut id);
        Self(id)
    }

    /// The id of its sixteen lower-case hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(Self(hex(text)?))
    }

    /// Its sixteen digits.
    pub(crate) fn text(self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// The name of the file that marks a folder with it.
    pub(crate) fn file_name(self) -> String {
        format!("{PLACE_PREFIX}{}", self.text())
    }
}

/// What the name of a record's file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordName {
    pub(crate) class: Class,
    pub(crate) key: Key,
    /// When it expires and what it holds; `None` where a later record of the key replaces it.
    pub(crate) fixed: Option<(Timestamp, Check)>,
}

impl RecordName {
    /// The name for a record with this check, or `None` where no file could be named so: public names are for
    /// pointers alone, and have a shape.
    pub(crate) fn of(record: &Record, check: Check) -> Option<Self> {
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

    /// What this name says; `None` where it is not *exactly* as [`RecordName::file_name`] writes it.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(RECORD_SUFFIX)?;
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
    pub(crate) fn file_name(&self) -> String {
        match (&self.key, self.fixed) {
            (Key::Slot(slot), Some((not_after, check))) => {
                let (class, secs, check) = (self.class, not_after.as_secs(), HEXLOWER.encode(&check));
                format!("{class}-{slot}-{secs}-{check}{RECORD_SUFFIX}")
            }
            (Key::Slot(slot), None) => format!("{}-{slot}{RECORD_SUFFIX}", self.class),
            (Key::Name(name), _) => format!("name-{name}{RECORD_SUFFIX}"),
        }
    }

    /// Whether the file of this name may hold this record.
    pub(crate) fn fits(&self, found: &format::Found) -> bool {
        Self::of(&found.record, found.check).as_ref() == Some(self)
    }
}

/// A new name for a file that is still being written.
pub(crate) fn temporary(entropy: &dyn Entropy) -> String {
    let mut random = [0; 8];
    entropy.fill(&mut random);
    format!("{TEMPORARY_PREFIX}{}{TEMPORARY_SUFFIX}", HEXLOWER.encode(&random))
}

/// A name that begins like a record's and goes on differently.
fn copy(name: &str) -> Option<Entry> {
    let (kind, rest) = name.split_once('-')?;
    match kind {
        // Whatever follows the sixteen bytes of the check was added by somebody else.
        "meeting" | "custody" => {
            let mut parts = rest.splitn(3, '-');
            let (slot, not_after, check) = (parts.next()?, parts.next()?, parts.next()?);
            let _: [u8; 16] = hex(slot)?;
            let _: Check = hex(check.get(..2 * size_of::<Check>())?)?;
            Some(Entry::Copy { not_after: Some(seconds(not_after)?) })
        }
        "pointer" | "name" => rest.contains("conflict").then_some(Entry::Copy { not_after: None }),
        _ => None,
    }
}

/// Seconds as they are printed: no sign, no leading zero.
fn seconds(text: &str) -> Option<Timestamp> {
    let secs: u64 = text.parse().ok()?;
    (secs.to_string() == text).then_some(Timestamp::from_secs(secs))
}

/// Exactly `N` bytes in lower-case hexadecimal digits.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
#[path = "name_tests.rs"]
mod tests;
