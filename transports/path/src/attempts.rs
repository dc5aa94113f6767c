//! When an address that may lead to the peer, and has no open path, is tried again.

use std::time::Duration;

/// The first pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause while a better path is wanted: a network that gets better is noticed within a minute, as Tailscale and iroh do.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The longest pause where all that is wanted is a path to spare: most of what does not answer then never will, and each try is a handful of packets.
const LONGEST_SPARE_PAUSE: Duration = Duration::from_secs(2_048);
/// The pause while no path of the link answers.
const URGENT_PAUSE: Duration = Duration::from_millis(200);

/// How much a path to a candidate is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// No path of the link answers.
    Urgent,
    /// It would be better than those that are open.
    Better,
    /// There would be one more.
    Spare,
}

/// What became of trying one address.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempts {
    failures: u32,
    last: Option<Duration>,
    under_way: bool,
    /// It has an open path.
    open: bool,
    /// What makes it worth a try came after the one under way had begun.
    again: bool,
}

impl Attempts {
    /// Whether it is due to be tried.
    pub fn is_due(&self, now: Duration, want: Want) -> bool {
        !self.under_way && self.due_at(want) <= now
    }

    /// When it is due next; never while it is being tried.
    pub fn next(&self, want: Want) -> Option<Duration> {
        (!self.under_way).then(|| self.due_at(want))
    }

    /// It is being tried.
    pub fn begun(&mut self, now: Duration) {
        (self.under_way, self.again) = (true, false);
        self.last = Some(now);
    }

    /// It has an open path.
    pub fn succeeded(&mut self) {
        *self = Self { under_way: true, open: true, ..Self::default() };
    }

    /// It came to nothing, or its path was closed.
    pub fn failed(&mut self, now: Duration) {
        if self.again {
            *self = Self::default();
            return;
        }
        (self.under_way, self.open) = (false, false);
        self.failures = self.failures.saturating_add(1);
        self.last = Some(now);
    }

    /// The network has changed, or it is said to answer: what failed before says nothing, nor does what is under way if it fails.
    pub fn forgive(&mut self) {
        if !self.under_way {
            *self = Self::default();
        } else if !self.open {
            self.again = true;
        }
    }

    fn due_at(&self, want: Want) -> Duration {
        let Some(last) = self.last else { return Duration::ZERO };
        let longest = match want {
            Want::Urgent => return last.saturating_add(URGENT_PAUSE),
            Want::Better => LONGEST_PAUSE,
            Want::Spare => LONGEST_SPARE_PAUSE,
        };
        let doublings = self.failures.saturating_sub(1).min(11);
        last.saturating_add(FIRST_PAUSE.saturating_mul(1 << doublings).min(longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_are_short_in_need() {
        let mut attempts = Attempts::default();
        assert!(attempts.is_due(Duration::ZERO, Want::Better));
        let mut now = Duration::from_secs(10);
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            attempts.begun(now);
            assert!(!attempts.is_due(now + LONGEST_PAUSE, Want::Urgent), "one at a time");
            attempts.failed(now);
            assert_eq!(attempts.next(Want::Better), Some(now + Duration::from_secs(pause)));
            assert_eq!(attempts.next(Want::Urgent), Some(now + URGENT_PAUSE));
            now += Duration::from_secs(pause);
        }
        assert_eq!(
            attempts.next(Want::Spare),
            Some(now - Duration::from_secs(60) + Duration::from_secs(128))
        );
        attempts.forgive();
        assert!(attempts.is_due(Duration::ZERO, Want::Better));
    }

    #[test]
    fn what_is_forgiven_while_it_is_tried_is_tried_again_at_once() {
        let mut attempts = Attempts::default();
        let now = Duration::from_secs(10);
        attempts.begun(now);
        attempts.forgive();
        assert_eq!(attempts.next(Want::Better), None, "one at a time");
        attempts.failed(now);
        assert!(attempts.is_due(now, Want::Better));
        attempts.begun(now);
        attempts.failed(now);
        assert!(!attempts.is_due(now, Want::Better), "once");
        attempts.succeeded();
        attempts.forgive();
        attempts.failed(now);
        assert!(!attempts.is_due(now, Want::Better), "a path that was open has had its try");
    }
}
