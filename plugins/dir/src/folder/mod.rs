//! A folder whose contents others write: opened step by step, never through a link.
//!
//! On Unix every step is relative to the folder opened before it (`openat` and friends), so that nobody who may
//! write in the shared folder can lead us out of it by swapping a folder for a link. Elsewhere the same operations
//! go by path and look before they step.

use std::time::Duration;

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(crate) use other::Folder;
#[cfg(unix)]
pub(crate) use unix::Folder;

/// What tells whether a file is still the one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// A file proper: no folder, link, pipe or device.
    pub(crate) regular: bool,
    pub(crate) len: u64,
    /// When it was last written, by the clock of whoever keeps the disk, since 1970.
    pub(crate) written: Duration,
    /// Which file it is and when anything about it last changed, where the system tells.
    pub(crate) identity: (u64, i64, i64),
}
