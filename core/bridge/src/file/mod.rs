//! A record as a file: for bridges whose service keeps files (a folder, a repository, a web space).
//!
//! The name says all that is needed to pass a file over without opening it, and the contents are whole or recognised as not.

mod contents;
mod name;

use std::time::Duration;

pub use contents::{Check, Found, decode, encode, length, max_file, max_record};
pub use name::{Name, hex, seconds};

use crate::Timestamp;

/// How much longer than it said a record stays before anybody who sees it may remove it: clocks differ, and days are counted
/// differently around the globe.
pub const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether a record that was good until then may be removed now.
pub fn over(not_after: Timestamp, now: Timestamp) -> bool {
    not_after.saturating_add(GRACE) < now
}
