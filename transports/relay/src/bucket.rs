//! A token bucket that may be overdrawn: what is sent may be more than is there, and is paid back before the next.

use std::time::Duration;

use crate::limits::burst;

/// A byte, in the bucket's unit: so that no fraction of one is lost, however often time is looked at.
const BYTE: i128 = 1_000_000_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// In bytes times nanoseconds.
    level: i128,
    at: Duration,
}

impl Bucket {
    pub(crate) fn full(rate: Option<u64>, now: Duration) -> Self {
        Self { level: most(rate), at: now }
    }

    /// Whether something may be sent; else when.
    pub(crate) fn ready(&mut self, rate: Option<u64>, now: Duration) -> Result<(), Duration> {
        let Some(rate) = rate else { return Ok(()) };
        self.refill(rate, now);
        if self.level > 0 {
            return Ok(());
        }
        // One byte more than nothing.
        let missing = (BYTE - self.level).unsigned_abs();
        let nanos = missing.div_ceil(u128::from(rate.max(1)));
        Err(now.saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))))
    }

    pub(crate) fn take(&mut self, rate: Option<u64>, bytes: usize) {
        if rate.is_some() {
            self.level -= BYTE * i128::try_from(bytes).unwrap_or(i128::MAX / BYTE);
        }
    }

    /// Whether it is as good as new.
    pub(crate) fn is_full(&mut self, rate: Option<u64>, now: Duration) -> bool {
        if let Some(rate) = rate {
            self.refill(rate, now);
        }
        self.level >= most(rate)
    }

    fn refill(&mut self, rate: u64, now: Duration) {
        let nanos = i128::try_from(now.saturating_sub(self.at).as_nanos()).unwrap_or(i128::MAX);
        let more = nanos.saturating_mul(i128::from(rate));
        self.level = self.level.saturating_add(more).min(most(Some(rate)));
        // A clock that went back refills nothing, and what follows counts from there.
        self.at = now;
    }
}

fn most(rate: Option<u64>) -> i128 {
    rate.map_or(0, |rate| BYTE * i128::from(burst(rate)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn over_time_it_lets_through_its_rate_whatever_comes_at_once() {
        for (rate, piece) in [(1_000, 1_200), (125_000, 1_250), (1_000_000, 65_535), (100_000_000, 65_535)] {
            let mut bucket = Bucket::full(Some(rate), Duration::ZERO);
            let (mut sent, mut now) = (0, Duration::ZERO);
            while now < Duration::from_secs(600) {
                match bucket.ready(Some(rate), now) {
                    Ok(()) => {
                        bucket.take(Some(rate), piece);
                        sent += piece as u64;
                    }
                    Err(at) => {
                        assert!(at > now);
                        now = at;
                    }
                }
            }
            let fair = rate * 600;
            assert!(sent >= fair && sent <= fair + burst(rate) + 2 * piece as u64, "{sent} at {rate}");
        }
    }

    #[test]
    fn looking_often_loses_nothing() {
        let mut bucket = Bucket::full(Some(3), Duration::ZERO);
        bucket.take(Some(3), 6_000 + 30);
        // 2 × 1,500 bytes were there, 3,030 are owed: 1,010 s and the time of a byte.
        let (mut now, step) = (Duration::ZERO, Duration::from_nanos(7_777_777));
        while bucket.ready(Some(3), now).is_err() {
            now += step;
        }
        assert!(now > Duration::from_secs(1_010) && now < Duration::from_secs(1_011), "{now:?}");
    }

    #[test]
    fn no_rate_is_no_limit_and_a_clock_that_goes_back_gives_nothing() {
        let mut bucket = Bucket::full(None, Duration::ZERO);
        bucket.take(None, usize::MAX);
        assert_eq!(bucket.ready(None, Duration::ZERO), Ok(()));

        let mut bucket = Bucket::full(Some(1_000), 100_000 * MS);
        bucket.take(Some(1_000), 4_000);
        assert!(bucket.ready(Some(1_000), Duration::ZERO).is_err());
        assert!(bucket.ready(Some(1_000), 999 * MS).is_err());
        assert!(bucket.ready(Some(1_000), 1_001 * MS).is_ok());
        assert!(Bucket::full(Some(0), MS).ready(Some(0), MS).is_ok(), "a burst, and then nothing for long");
    }
}
