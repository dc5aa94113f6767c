//! How much is answered: a budget for each asker and one for all, in tables that do not grow with the number of askers.

use std::collections::BTreeMap;
use std::time::Duration;

/// A rate, and what may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Answers a second, over time.
    pub per_second: u32,
    /// Answers at once after a silence.
    pub burst: u32,
}

/// A token bucket, counted in thousandths.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: u64,
    at: Duration,
}

impl Bucket {
    fn full(rate: Rate, now: Duration) -> Self {
        Self { level: u64::from(rate.burst).saturating_mul(1000), at: now }
    }

    fn refill(&mut self, rate: Rate, now: Duration) {
        let millis = u64::try_from(now.saturating_sub(self.at).as_millis()).unwrap_or(u64::MAX);
        let more = millis.saturating_mul(u64::from(rate.per_second));
        self.level = self.level.saturating_add(more).min(Self::full(rate, now).level);
        // A clock that went back refills nothing, and what follows counts from there.
        self.at = now;
    }

    fn is_full(&self, rate: Rate, now: Duration) -> bool {
        let mut then = *self;
        then.refill(rate, now);
        then.level >= Self::full(rate, now).level
    }

    fn has_one(&self) -> bool {
        self.level >= 1000
    }

    fn take(&mut self) {
        self.level = self.level.saturating_sub(1000);
    }
}

/// A budget for each key and one for all of them.
#[derive(Debug)]
pub(crate) struct Budgets<K> {
    each: Rate,
    all: Rate,
    total: Bucket,
    keys: BTreeMap<K, Bucket>,
    most_keys: usize,
}

impl<K: Ord + Copy> Budgets<K> {
    /// `most_keys` should be more than spend at a time: `all.burst` and what `all` allows while a key refills.
    pub(crate) fn new(each: Rate, all: Rate, most_keys: usize) -> Self {
        Self { each, all, total: Bucket::full(all, Duration::ZERO), keys: BTreeMap::new(), most_keys }
    }

    /// Whether one more is allowed; then it is counted. What is refused costs nobody anything, and puts no key into the table.
    pub(crate) fn allows(&mut self, now: Duration, key: K) -> bool {
        self.total.refill(self.all, now);
        let mut own = self.keys.get(&key).copied().unwrap_or(Bucket::full(self.each, now));
        own.refill(self.each, now);
        if !own.has_one() || !self.total.has_one() {
            if let Some(known) = self.keys.get_mut(&key) {
                *known = own;
            }
            return false;
        }
        if !self.keys.contains_key(&key) && self.keys.len() >= self.most_keys {
            // Who has a full budget is as good as never seen. Where nobody is, as many spend as `all` allows, and newcomers wait.
            let each = self.each;
            self.keys.retain(|_, bucket| !bucket.is_full(each, now));
            if self.keys.len() >= self.most_keys {
                return false;
            }
        }
        own.take();
        self.total.take();
        self.keys.insert(key, own);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: Rate = Rate { per_second: 1, burst: 10 };
    const ALL: Rate = Rate { per_second: 100, burst: 200 };

    fn spend(budgets: &mut Budgets<u32>, now: Duration, key: impl Fn(u32) -> u32) -> usize {
        (0..1000).filter(|i| budgets.allows(now, key(*i))).count()
    }

    #[test]
    fn one_key_has_its_burst_and_then_its_rate() {
        let mut budgets = Budgets::new(EACH, ALL, 100);
        assert_eq!(spend(&mut budgets, Duration::ZERO, |_| 1), 10);
        assert_eq!(spend(&mut budgets, Duration::from_millis(2_500), |_| 1), 2);
        assert_eq!(spend(&mut budgets, Duration::from_millis(3_000), |_| 1), 1, "halves are kept");
        assert_eq!(spend(&mut budgets, Duration::from_secs(100_000), |_| 1), 10);
    }

    #[test]
    fn all_keys_together_have_theirs_and_the_table_stays_small() {
        let mut budgets = Budgets::new(EACH, ALL, 2048);
        let mut answered = 0;
        for second in 0..60_u32 {
            answered += spend(&mut budgets, Duration::from_secs(second.into()), |i| second * 1000 + i);
            assert!(budgets.keys.len() <= 2048);
        }
        assert_eq!(answered, 200 + 59 * 100);
    }

    #[test]
    fn a_full_table_forgets_who_has_rested_and_nobody_else() {
        let mut budgets = Budgets::new(EACH, ALL, 4);
        assert_eq!(spend(&mut budgets, Duration::ZERO, |i| i), 4);
        assert!(!budgets.allows(Duration::from_millis(900), 77));
        assert!(budgets.allows(Duration::from_secs(1), 77));
        assert_eq!(budgets.keys.len(), 1);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let mut budgets = Budgets::new(EACH, ALL, 4);
        assert_eq!(spend(&mut budgets, Duration::from_secs(50), |_| 1), 10);
        assert_eq!(spend(&mut budgets, Duration::ZERO, |_| 1), 0);
        assert_eq!(spend(&mut budgets, Duration::from_secs(3), |_| 1), 3);
    }
}
