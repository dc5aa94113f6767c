//! Records one after another in one file, and the list of such files.
//!
//! ```text
//! parcel = *(record's file) *(zero byte)
//! roll   = "wayside-roll 1" LF *(16 hexadecimal digits LF)
//! ```
//!
//! A parcel holds all that one writer has in a space, so that no two writers write one file and a reader needs one request for everything of somebody's.
//! The zeros make its size differ from that of the versions before: servers tell versions by size and second.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use wayside_bridge::Entropy;
use wayside_bridge::file::{self, Found};

/// The largest parcel, in bytes.
pub(crate) const MOST: usize = 1024 * 1024;
/// The most writers of a space.
pub(crate) const MOST_WRITERS: usize = 64;
/// The largest roll, in bytes.
pub(crate) const MOST_OF_ROLL: usize = 64 * 1024;
/// The roll's file.
pub(crate) const ROLL: &str = "wayside/roll";
/// So many sizes are not used again.
const SIZES: usize = 16;
/// The first line of a roll.
const TITLE: &str = "wayside-roll 1";

/// A writer of a space: a node of somebody's, under a name that says nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WriterId(pub(crate) [u8; 8]);

impl WriterId {
    pub(crate) fn random(entropy: &dyn Entropy) -> Self {
        let mut id = [0; 8];
        entropy.fill(&mut id);
        Self(id)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        file::hex(text).map(Self)
    }

    /// Its parcel's file.
    pub(crate) fn parcel(self) -> String {
        format!("wayside/{self}.box")
    }
}

impl fmt::Display for WriterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for WriterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WriterId({self})")
    }
}

/// What is in a parcel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) records: Vec<Found>,
    /// Pieces that hold no record.
    pub(crate) junk: u64,
}

impl Parcel {
    /// The records in these bytes, and how much is there besides.
    pub(crate) fn read(bytes: &Bytes) -> Self {
        let mut parcel = Self::default();
        let mut rest = bytes.clone();
        loop {
            let zeros = rest.iter().take_while(|byte| **byte == 0).count();
            rest = rest.slice(zeros..);
            if rest.is_empty() {
                return parcel;
            }
            let length = file::length(&rest).filter(|length| *length <= rest.len());
            match length.and_then(|length| Some((length, file::decode(&rest.slice(..length))?))) {
                Some((length, found)) => {
                    parcel.records.push(found);
                    rest = rest.slice(length..);
                }
                None => {
                    parcel.junk = parcel.junk.saturating_add(1);
                    // On to where the next one may begin.
                    let next = rest.windows(BEGINNING.len()).skip(1).position(|window| window == BEGINNING);
                    rest = next.map_or_else(Bytes::new, |next| rest.slice(next.saturating_add(1)..));
                }
            }
        }
    }

    /// Everything in one file, of a size that is none of these.
    pub(crate) fn write(&self, sizes: &mut Sizes) -> Bytes {
        let mut bytes: Vec<u8> = self
            .records
            .iter()
            .filter_map(|found| file::encode(&found.record))
            .flat_map(|(file, _)| file)
            .collect();
        // Nothing at all is what some uploaders leave out.
        bytes.push(0);
        while sizes.0.contains(&bytes.len()) {
            bytes.push(0);
        }
        sizes.used(bytes.len());
        bytes.into()
    }
}

/// How every record's file begins.
const BEGINNING: &[u8] = b"wayside\n";

/// The sizes that a file had lately.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sizes(VecDeque<usize>);

impl Sizes {
    pub(crate) fn used(&mut self, size: usize) {
        self.0.push_back(size);
        if self.0.len() > SIZES {
            self.0.pop_front();
        }
    }
}

/// Who writes in a space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roll(pub(crate) BTreeSet<WriterId>);

impl Roll {
    /// What it says, as far as it makes sense.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.lines();
        if lines.next() != Some(TITLE) {
            return Self::default();
        }
        Self(lines.filter_map(WriterId::parse).take(MOST_WRITERS).collect())
    }

    pub(crate) fn write(&self) -> Bytes {
        let ids = self.0.iter().map(|id| format!("{id}\n")).collect::<String>();
        format!("{TITLE}\n{ids}").into()
    }
}

#[cfg(test)]
#[path = "parcel_tests.rs"]
mod tests;
