//! Budgets of what a child may do unasked, and the pauses between its lives.

use std::time::Duration;

use wayside_bridge::{Entropy, Monotonic};

/// So many at once, and so many a second in the long run.
#[derive(Debug)]
pub(crate) struct Budget {
    burst: f64,
    per_second: f64,
    left: f64,
    at: Monotonic,
}

impl Budget {
    pub(crate) fn new(burst: u32, per_second: u32, now: Monotonic) -> Self {
        Self { burst: f64::from(burst), per_second: f64::from(per_second), left: f64::from(burst), at: now }
    }

    /// Takes one, where one is left.
    pub(crate) fn take(&mut self, now: Monotonic) -> bool {
        self.left = (self.left + now.since(self.at).as_secs_f64() * self.per_second).min(self.burst);
        self.at = now;
        let any = self.left >= 1.0;
        if any {
            self.left -= 1.0;
        }
        any
    }
}

/// Pauses before a child is started again: doubling, jittered, short again after a good life.
#[derive(Debug, Default)]
pub(crate) struct BackOff {
    failures: u32,
}

impl BackOff {
    /// The pause after the first failure.
    pub(crate) const FIRST: Duration = Duration::from_secs(1);

    /// The longest pause.
    pub(crate) const LONGEST: Duration = Duration::from_secs(300);

    /// A child that was up for so long is taken to be sound: its next failure counts as the first.
    pub(crate) const GOOD_LIFE: Duration = Duration::from_secs(60);

    /// The pause after a life of this length: between half of and all of the doubled one, so that several
    /// children that fail together do not come back together.
    pub(crate) fn next(&mut self, life: Duration, entropy: &dyn Entropy) -> Duration {
        if life >= Self::GOOD_LIFE {
            self.failures = 0;
        }
        let full = Self::FIRST.saturating_mul(1 << self.failures.min(16)).min(Self::LONGEST);
        self.failures = self.failures.saturating_add(1);
        let mut byte = [0];
        entropy.fill(&mut byte);
        let [jitter] = byte;
        full / 2 + full / 2 * u32::from(jitter) / 255
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Constant(u8);

    impl Entropy for Constant {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn a_budget_refills_at_its_rate() {
        let at = |millis| Monotonic(Duration::from_millis(millis));
        let mut budget = Budget::new(3, 10, at(0));
        assert_eq!([0; 4].map(|_| budget.take(at(0))), [true, true, true, false]);
        assert!(!budget.take(at(90)));
        assert!(budget.take(at(110)) && !budget.take(at(110)));
        // however long the pause, no more than the burst
        assert_eq!([0; 4].map(|_| budget.take(at(100_000))), [true, true, true, false]);
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut back_off = BackOff::default();
        let pauses: Vec<_> =
            (0..12).map(|_| back_off.next(Duration::ZERO, &Constant(255)).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(back_off.next(BackOff::GOOD_LIFE, &Constant(0)), BackOff::FIRST / 2);
        assert_eq!(back_off.next(Duration::ZERO, &Constant(0)), BackOff::FIRST);
    }
}
