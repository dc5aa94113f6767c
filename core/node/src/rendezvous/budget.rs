//! How many bytes go to and from strangers: a budget for each of them and one for all, in a table that does not grow with their number.

use std::collections::BTreeMap;
use std::time::Duration;

use super::source::Source;

/// So many seconds' worth may come at once after a silence.
const BURST_SECS: u64 = 10;
/// The sources whose budgets are remembered. Beyond that, while all of them spend, the budget for all is what bounds the others.
const MOST_SOURCES: usize = 4096;

/// How often a full table is looked through for those who need not be in it.
const SWEEP: Duration = Duration::from_secs(1);

/// Bytes that may be moved; below nothing where the last answer was larger than what was left.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: i64,
    at: Duration,
}

impl Bucket {
    fn full(rate: u64, now: Duration) -> Self {
        Self { level: signed(rate.saturating_mul(BURST_SECS)), at: now }
    }

    fn at(self, rate: u64, now: Duration) -> Self {
        let millis = u64::try_from(now.saturating_sub(self.at).as_millis()).unwrap_or(u64::MAX);
        let more = millis.saturating_mul(rate) / 1000;
        let level = self.level.saturating_add(signed(more)).min(Self::full(rate, now).level);
        // What would be lost to rounding waits for the next look.
        Self { level, at: if more > 0 { now } else { self.at } }
    }

    /// How long until there is something, where there is nothing.
    fn wait(self, rate: u64) -> Option<Duration> {
        let missing = u64::try_from(1_i64.saturating_sub(self.level)).unwrap_or(0);
        (missing > 0).then(|| Duration::from_millis(missing.saturating_mul(1000) / rate.max(1)))
    }
}

/// Budgets, in bytes.
#[derive(Debug)]
pub(crate) struct Budgets {
    /// Bytes a second of one source.
    each: u64,
    /// Bytes a second of all.
    all: u64,
    total: Bucket,
    sources: BTreeMap<Source, Bucket>,
    swept: Duration,
}

impl Budgets {
    pub(crate) fn new(each: u64, all: u64) -> Self {
        Self {
            each,
            all,
            total: Bucket::full(all, Duration::ZERO),
            sources: BTreeMap::new(),
            swept: Duration::ZERO,
        }
    }

    /// Whether a source may ask now; else how long it is to wait. `now` only ever grows.
    pub(crate) fn may(&self, now: Duration, source: Source) -> Result<(), Duration> {
        let own =
            self.sources.get(&source).map_or(Bucket::full(self.each, now), |own| own.at(self.each, now));
        let waits = [own.wait(self.each), self.total.at(self.all, now).wait(self.all)];
        waits.into_iter().flatten().max().map_or(Ok(()), Err)
    }

    /// Counts what was moved for a source.
    pub(crate) fn spend(&mut self, now: Duration, source: Source, bytes: u64) {
        let (each, bytes) = (self.each, signed(bytes));
        self.total = self.total.at(self.all, now);
        self.total.level = self.total.level.saturating_sub(bytes);
        if !self.sources.contains_key(&source) && self.sources.len() >= MOST_SOURCES {
            if now.saturating_sub(self.swept) < SWEEP {
                return;
            }
            self.swept = now;
            // Who has a full budget is as good as never seen.
            self.sources.retain(|_, bucket| bucket.at(each, now).level < Bucket::full(each, now).level);
            if self.sources.len() >= MOST_SOURCES {
                return;
            }
        }
        let own = self.sources.entry(source).or_insert(Bucket::full(each, now));
        *own = own.at(each, now);
        own.level = own.level.saturating_sub(bytes);
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_source_has_its_burst_then_its_rate_and_is_told_how_long_to_wait() {
        let mut budgets = Budgets::new(1000, 1_000_000);
        let (ann, ben) = (Source::V4(1), Source::V4(2));
        budgets.spend(SECOND, ann, 10_000);
        let wait = budgets.may(SECOND, ann).unwrap_err();
        assert!(wait <= Duration::from_millis(2), "{wait:?}");
        budgets.spend(SECOND, ann, 3_000);
        assert_eq!(budgets.may(SECOND, ann), Err(Duration::from_millis(3001)));
        assert_eq!(budgets.may(SECOND, ben), Ok(()));
        assert_eq!(budgets.may(SECOND * 5, ann), Ok(()));
    }

    #[test]
    fn looks_that_follow_fast_lose_nothing_to_rounding() {
        let mut budgets = Budgets::new(100, 1_000_000);
        let ann = Source::V4(1);
        budgets.spend(Duration::ZERO, ann, 1_100);
        for millis in 0..2_000 {
            budgets.spend(Duration::from_millis(millis), ann, 0);
        }
        assert_eq!(budgets.may(Duration::from_millis(2_000), ann), Ok(()));
    }

    #[test]
    fn all_together_have_theirs_and_the_table_stays_small() {
        let mut budgets = Budgets::new(1000, 100_000);
        for number in 0..100_000 {
            budgets.spend(SECOND, Source::V6(number), 1);
        }
        assert!(budgets.sources.len() <= MOST_SOURCES);
        assert_eq!(budgets.may(SECOND, Source::V4(7)), Ok(()));
        budgets.spend(SECOND, Source::V6(0), 1_000_000);
        assert!(budgets.may(SECOND, Source::V4(7)).is_err());
        assert_eq!(budgets.may(SECOND * 20, Source::V4(7)), Ok(()));
    }
}
