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
use wayside_bridge::file::{self, Check, hex, seconds};
use wayside_bridge::{Entropy, Timestamp};

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

/// What a file is, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Marks the folder with an id.
    Marker(PlaceId),
    /// Holds a record, or says so.
    Record(file::Name),
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
        } else if let Some(record) = file::Name::parse(name) {
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

#[cfg(test)]
#[path = "name_tests.rs"]
mod tests;
