//! How often something may happen: so many at once, and then one in a while.

use std::time::Duration;

/// Room for so many at once.
const BURST: u32 = 64;
/// And for one more after this: twenty an hour.
const EVERY: Duration = Duration::from_secs(180);

/// Counted as a debt that time pays off (GCRA, ITU-T I.371): one number, whatever happens.
#[derive(Debug, Default)]
pub(in crate::engine) struct Rate {
    /// The monotonic time at which nothing is owed any more.
    paid_at: Duration,
}

impl Rate {
    /// Whether it may happen once more now; then it counts.
    pub(in crate::engine) fn take(&mut self, now: Duration) -> bool {
        let after = self.paid_at.max(now).saturating_add(EVERY);
        let may = after.saturating_sub(now) <= EVERY.saturating_mul(BURST);
        if may {
            self.paid_at = after;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_at_once_and_then_twenty_an_hour() {
        let hour = Duration::from_secs(3600);
        let mut rate = Rate::default();
        let mut taken = |at: Duration| (0..1000).filter(|_| rate.take(at)).count();
        assert_eq!(taken(hour), 64);
        assert_eq!(taken(hour * 2), 20);
        assert_eq!(taken(hour * 2 + EVERY / 2), 0);
        assert_eq!(taken(hour * 100), 64);
    }
}
