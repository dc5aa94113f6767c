//! How long things have been here, counted so that a clock which jumps does no harm.
//!
//! The count goes on by what the wall clock says has passed since it was last looked at, but by at most [`MOST`] at a time: a clock that is ten
//! years fast for a moment ages nothing by more than that.

use std::time::Duration;

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use wayside_proto::UnixMillis;
use wayside_proto::mailbox::Age;

use super::{Store, StoreError};

pub(super) const AGE: TableDefinition<'_, &str, u64> = TableDefinition::new("age");
const LIVED: &str = "lived-secs";
const SEEN: &str = "seen-unix-secs";

/// The most that one look may add.
const MOST: Duration = Duration::from_secs(7 * 86_400);

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(AGE)?;
    Ok(())
}

/// The count when the wall clock reads this: what was counted, and what has passed since.
pub(super) fn at(table: &impl ReadableTable<&'static str, u64>, now: UnixMillis) -> Result<Age, StoreError> {
    let lived = table.get(LIVED)?.map_or(0, |value| value.value());
    let seen = table.get(SEEN)?.map_or(now.as_secs(), |value| value.value());
    Ok(Age(lived.saturating_add(passed(seen, now))))
}

fn passed(seen: u64, now: UnixMillis) -> u64 {
    now.as_secs().saturating_sub(seen).min(MOST.as_secs())
}

impl Store {
    /// The count, as of the last [`grow_older`](Self::grow_older).
    pub(crate) fn age(&self) -> Result<Age, StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(AGE)?;
            Ok(Age(table.get(LIVED)?.map_or(0, |value| value.value())))
        })
    }

    /// Counts on. To be called at the start and now and then.
    pub(crate) fn grow_older(&self, now: UnixMillis) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(AGE)?;
            let lived = table.get(LIVED)?.map_or(0, |value| value.value());
            let seen = table.get(SEEN)?.map_or(now.as_secs(), |value| value.value());
            table.insert(LIVED, lived.saturating_add(passed(seen, now)))?;
            table.insert(SEEN, now.as_secs())?;
            Ok(())
        })
    }
}
