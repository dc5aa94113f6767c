//! What whoever is outside can cause at any rate: lines in the log, and work.

use std::time::Duration;

use tokio::time::Instant;

/// Between two lines about the same thing.
const PAUSE: Duration = Duration::from_secs(60);

/// A line in the log that an attacker could have written a million times: it is said at once, and then once a minute with a count.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    said: Option<Instant>,
    times: u64,
}

impl Seldom {
    /// It has happened. Says how often since it was last said, if it is to be said now.
    pub(crate) fn happened(&mut self) -> Option<u64> {
        self.times += 1;
        if self.said.is_some_and(|at| at.elapsed() < PAUSE) {
            return None;
        }
        self.said = Some(Instant::now());
        Some(std::mem::take(&mut self.times))
    }
}

/// Work that may be done so often in each span of time.
#[derive(Debug)]
pub(crate) struct Budget {
    most: u32,
    span: Duration,
    spent: u32,
    since: Option<Instant>,
}

impl Budget {
    pub(crate) fn new(most: u32, span: Duration) -> Self {
        Self { most, span, spent: 0, since: None }
    }

    /// Whether any is left.
    pub(crate) fn is_left(&mut self) -> bool {
        if self.since.is_none_or(|since| since.elapsed() >= self.span) {
            (self.since, self.spent) = (Some(Instant::now()), 0);
        }
        self.spent < self.most
    }

    pub(crate) fn spend(&mut self) {
        self.spent = self.spent.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_is_said_at_once_and_then_once_a_minute() {
        let mut line = Seldom::default();
        assert_eq!(line.happened(), Some(1));
        assert!((0..1000).all(|_| line.happened().is_none()));
        advance(PAUSE).await;
        assert_eq!(line.happened(), Some(1001));
        assert_eq!(line.happened(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_is_renewed() {
        let mut budget = Budget::new(2, Duration::from_secs(1));
        for _ in 0..2 {
            assert!(budget.is_left());
            budget.spend();
        }
        assert!(!budget.is_left());
        advance(Duration::from_secs(1)).await;
        assert!(budget.is_left());
    }
}
