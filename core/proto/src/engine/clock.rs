//! What time it is.

use std::collections::BTreeMap;
use std::time::Duration;

use super::io::{BridgeName, Event};
use crate::time::{Now, UnixMillis};

/// From here on a wrong clock is worth telling a person: half of what the epochs before and after forgive.
const WRONG: Duration = Duration::from_secs(12 * 3600);

/// The time, estimated from what the services in use say theirs is; from the local clock where none does.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Service minus local, in milliseconds.
    offsets: BTreeMap<BridgeName, i64>,
    told: bool,
}

impl Clock {
    /// The most services that are remembered; there are never more bridges than this in earnest.
    const MOST: usize = 64;

    pub(super) fn time(&self, now: Now) -> UnixMillis {
        UnixMillis(now.wall.0.saturating_add_signed(self.offset()))
    }

    /// A service told its clock. An event where ours is wrong and that was not said yet.
    pub(super) fn service(&mut self, now: Now, bridge: BridgeName, time: UnixMillis) -> Option<Event> {
        if self.offsets.len() < Self::MOST || self.offsets.contains_key(&bridge) {
            let offset = i128::from(time.0) - i128::from(now.wall.0);
            self.offsets.insert(bridge, i64::try_from(offset).unwrap_or_default());
        }
        let (by, ahead) = (Duration::from_millis(self.offset().unsigned_abs()), self.offset() < 0);
        let wrong = by > WRONG;
        let tell = wrong && !self.told;
        self.told = wrong;
        tell.then_some(Event::ClockWrong { by, ahead })
    }

    /// The median of the services' offsets; of two in the middle the one nearer to our own clock.
    fn offset(&self) -> i64 {
        let mut offsets: Vec<i64> = self.offsets.values().copied().collect();
        offsets.sort_unstable();
        let middle = offsets.len() / 2;
        let upper = offsets.get(middle).copied().unwrap_or_default();
        match middle.checked_sub(1).and_then(|below| offsets.get(below)) {
            Some(lower) if offsets.len().is_multiple_of(2) && lower.unsigned_abs() < upper.unsigned_abs() => {
                *lower
            }
            _ => upper,
        }
    }
}
