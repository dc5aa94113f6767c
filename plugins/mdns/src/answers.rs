//! Answers that are due on one link: put together for a moment, so that those of several machines do not collide, and one a second at most, so that
//! nobody has us flood the network (RFC 6762, section 6).

use std::collections::BTreeSet;
use std::time::Duration;

use crate::instance::Instance;

/// Least and most that an answer waits: others may answer too (section 6).
const WAIT: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(120));
/// The least time between two answers.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Answers {
    wanted: BTreeSet<Instance>,
    due: Option<Duration>,
    last: Option<Duration>,
}

impl Answers {
    /// Somebody asked for these. `chance` spreads the answers of several machines.
    pub(crate) fn want(&mut self, instances: impl IntoIterator<Item = Instance>, now: Duration, chance: u8) {
        self.wanted.extend(instances);
        if self.wanted.is_empty() || self.due.is_some() {
            return;
        }
        let spread = WAIT.1.saturating_sub(WAIT.0) * u32::from(chance) / u32::from(u8::MAX);
        let at = now.saturating_add(WAIT.0).saturating_add(spread);
        let earliest = self.last.map(|last| last.saturating_add(PAUSE)).unwrap_or_default();
        self.due = Some(at.max(earliest));
    }

    /// When the next answer is due.
    pub(crate) const fn due(&self) -> Option<Duration> {
        self.due
    }

    /// What is to be answered by now.
    pub(crate) fn take(&mut self, now: Duration) -> BTreeSet<Instance> {
        if self.due.is_none_or(|due| due > now) {
            return BTreeSet::new();
        }
        self.due = None;
        self.last = Some(now);
        std::mem::take(&mut self.wanted)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn instance(digit: char) -> Instance {
        let text = |count: usize| digit.to_string().repeat(count);
        Instance::parse(format!("{}-{}", text(32), text(16)).as_bytes()).unwrap()
    }

    #[test]
    fn however_often_one_asks_there_is_one_answer_a_second() {
        let mut answers = Answers::default();
        let mut sent = Vec::new();
        for millis in 0..10_000 {
            let now = Duration::from_millis(millis);
            answers.want([instance('1'), instance('2')], now, (millis % 256) as u8);
            let taken = answers.take(now);
            if !taken.is_empty() {
                assert_eq!(taken.len(), 2);
                sent.push(now);
            }
        }
        assert_eq!(sent.len(), 10);
        assert!(sent.first().unwrap() >= &WAIT.0 && sent.first().unwrap() <= &WAIT.1);
    }

    #[test]
    fn nothing_wanted_is_nothing_due() {
        let mut answers = Answers::default();
        answers.want([], Duration::ZERO, 0);
        assert_eq!(answers.due(), None);
    }
}
