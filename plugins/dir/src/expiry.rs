//! What may be removed by anybody who sees it.

use bytes::Bytes;
use wayside_bridge::{Class, Timestamp, file};

use crate::folder::Folder;
use crate::name::Entry;

/// Whether a file's name says that it expired. What is really in it does not matter: no name says so by accident.
pub(crate) fn expired_by_name(entry: &Entry, now: Timestamp) -> bool {
    match entry {
        Entry::Record(file::Name { fixed: Some((not_after, _)), .. })
        | Entry::Copy { not_after: Some(not_after) } => file::over(*not_after, now),
        _ => false,
    }
}

/// Whether a pointer, or a copy of one, holds a record that expired.
pub(crate) fn expired_inside(folder: &Folder, name: &str, now: Timestamp) -> bool {
    let contents = folder.read(name, file::max_file(Class::Pointer)).ok().flatten();
    let found = contents.and_then(|contents| file::decode(&Bytes::from(contents)));
    found.is_some_and(|found| file::over(found.record.not_after, now))
}

/// Removes a file that expired, where we may.
pub(crate) fn remove(folder: &Folder, name: &str) {
    if let Err(error) = folder.remove(name) {
        tracing::debug!(%error, name, "an expired file stays");
    }
}
