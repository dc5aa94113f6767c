//! What may be removed by anybody who sees it.

use std::time::Duration;

use bytes::Bytes;
use wayside_bridge::{Class, Timestamp};

use crate::folder::Folder;
use crate::format;
use crate::name::{Entry, RecordName};

/// How much longer than it said a record stays: clocks differ, and days are counted differently around the globe.
pub(crate) const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether a record that was good until then may be removed now.
pub(crate) fn over(not_after: Timestamp, now: Timestamp) -> bool {
    not_after.saturating_add(GRACE) < now
}

/// Whether a file's name says that it expired. What is really in it does not matter: no name says so by accident.
pub(crate) fn expired_by_name(entry: &Entry, now: Timestamp) -> bool {
    match entry {
        Entry::Record(RecordName { fixed: Some((not_after, _)), .. })
        | Entry::Copy { not_after: Some(not_after) } => over(*not_after, now),
        _ => false,
    }
}

/// Whether a pointer, or a copy of one, holds a record that expired.
pub(crate) fn expired_inside(folder: &Folder, name: &str, now: Timestamp) -> bool {
    let contents = folder.read(name, format::max_file(Class::Pointer)).ok().flatten();
    let found = contents.and_then(|contents| format::decode(&Bytes::from(contents)));
    found.is_some_and(|found| over(found.record.not_after, now))
}

/// Removes a file that expired, where we may.
pub(crate) fn remove(folder: &Folder, name: &str) {
    if let Err(error) = folder.remove(name) {
        tracing::debug!(%error, name, "an expired file stays");
    }
}
