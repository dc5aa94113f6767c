//! The runs of a pair that has a relay, and whether they came out as they should.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::meeting::{Carried, Run, Start};
use crate::lab::oracle::Way;
use crate::lab::report::{Verdict, shown};

/// All runs of one pair.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RelayedRuns {
    /// It tells these from others where they are printed.
    pub(crate) relayed: Start,
    pub(crate) dials: String,
    pub(crate) waits: String,
    /// The best way without a relay.
    pub(crate) expected: Way,
    pub(crate) runs: Vec<Run>,
    /// What kept runs from being made.
    pub(crate) failures: Vec<String>,
}

/// From the answer to the first data at most, for every pair: the relay is a round trip away, and both wait for one another there.
pub(crate) const DATA_MS: u64 = 1000;
/// From the link to the direct way at most, where nothing is guessed at.
pub(crate) const OFF_MS: u64 = 3000;
/// The same, where ports are.
pub(crate) const BIRTHDAY_MS: u64 = 20_000;
/// What links with the relay itself may say while 60 kB pass elsewhere, in bytes.
pub(crate) const BESIDES: u64 = 20_000;

impl RelayedRuns {
    pub(crate) fn tried(&self) -> usize {
        self.runs.len() + self.failures.len()
    }

    pub(crate) fn good(&self) -> usize {
        self.runs.iter().filter(|run| self.is_good(run)).count()
    }

    /// Linked, and in the end direct with nothing at the relay, or relayed where there is no other way.
    pub(crate) fn is_good(&self, run: &Run) -> bool {
        let ended = match run.carried {
            Carried::Nothing => false,
            Carried::Direct => {
                run.off_ms.is_some() && run.frames == 0 && run.circuits == 0 && run.bytes < BESIDES
            }
            Carried::Relayed => self.expected == Way::Never && run.by.as_deref().is_some_and(|by| by != "?"),
        };
        run.linked && ended
    }

    /// Whether it was as soon as it is to be.
    pub(crate) fn is_soon(&self, run: &Run) -> bool {
        run.data_ms.is_some_and(|ms| ms < DATA_MS) && run.off_ms.is_none_or(|ms| ms <= self.off_bar())
    }

    /// When the relay is to be left at the latest.
    pub(crate) const fn off_bar(&self) -> u64 {
        match self.expected {
            Way::Birthday => BIRTHDAY_MS,
            Way::Asking | Way::Prediction | Way::Tcp | Way::Never => OFF_MS,
        }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        if self.runs.iter().any(|run| !run.stray.is_empty()) {
            Verdict::Stray
        } else if self.good() < self.tried() {
            Verdict::Failed
        } else if !self.runs.iter().all(|run| self.is_soon(run)) {
            Verdict::Slow
        } else if self.expected == Way::Never && self.runs.iter().any(|run| run.carried == Carried::Direct) {
            Verdict::More
        } else {
            Verdict::Good
        }
    }

    /// It in a line a run, and what failed below.
    pub(crate) fn line(&self) -> String {
        let start = match self.relayed {
            Start::Linked => "",
            Start::Cold => " cold",
        };
        let mut line = format!(
            "{:<6} {:>20} -> {:<20} {:<10} {}/{} relayed{start}",
            self.verdict().word(),
            self.dials,
            self.waits,
            self.expected.word(),
            self.good(),
            self.tried(),
        );
        for run in &self.runs {
            let first = run.first.as_deref().unwrap_or("no link");
            let _ = write!(line, "; data {}, first {first}", shown(run.data_ms));
            match (run.off_ms, &run.by) {
                (Some(off), _) => {
                    let _ = write!(
                        line,
                        ", off after {off} ms, then {} frames, {} B, {} circuits",
                        run.frames, run.bytes, run.circuits
                    );
                }
                (None, Some(by)) => {
                    let _ = write!(line, ", stays with {by}");
                }
                (None, None) => {}
            }
        }
        for run in &self.runs {
            if !run.stray.is_empty() {
                let _ = write!(line, "\n        asked somebody else: {:?}", run.stray);
            }
            if !self.is_good(run) {
                let _ = write!(
                    line,
                    "\n        relay known {:?}; carried {:?}, by {:?}; {}",
                    run.knows_relay, run.carried, run.by, run.because
                );
            }
        }
        for failure in &self.failures {
            let _ = write!(line, "\n        {failure}");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Run {
        Run { linked: true, data_ms: Some(90), off_ms: Some(400), carried: Carried::Direct, ..Run::default() }
    }

    fn runs(expected: Way, run: Run) -> RelayedRuns {
        let (dials, waits) = (String::new(), String::new());
        RelayedRuns { relayed: Start::Linked, dials, waits, expected, runs: vec![run], failures: Vec::new() }
    }

    fn stays() -> Run {
        Run { off_ms: None, carried: Carried::Relayed, by: Some("Rita".to_owned()), ..run() }
    }

    #[test]
    fn what_can_be_direct_has_to_be_and_to_leave_nothing_at_the_relay() {
        assert_eq!(runs(Way::Asking, run()).verdict(), Verdict::Good);
        assert_eq!(runs(Way::Asking, stays()).verdict(), Verdict::Failed);
        assert_eq!(runs(Way::Asking, Run { frames: 1, ..run() }).verdict(), Verdict::Failed);
        assert_eq!(runs(Way::Asking, Run { circuits: 1, ..run() }).verdict(), Verdict::Failed);
        assert_eq!(runs(Way::Asking, Run { bytes: BESIDES, ..run() }).verdict(), Verdict::Failed);
        assert_eq!(runs(Way::Asking, Run { carried: Carried::Nothing, ..run() }).verdict(), Verdict::Failed);
    }

    #[test]
    fn what_cannot_stays_and_says_with_whom() {
        assert_eq!(runs(Way::Never, stays()).verdict(), Verdict::Good);
        assert_eq!(runs(Way::Never, Run { by: Some("?".to_owned()), ..stays() }).verdict(), Verdict::Failed);
        assert_eq!(runs(Way::Never, run()).verdict(), Verdict::More);
        assert_eq!(runs(Way::Never, Run { linked: false, ..stays() }).verdict(), Verdict::Failed);
    }

    #[test]
    fn what_is_late_is_told_from_what_is_not_there() {
        assert_eq!(runs(Way::Asking, Run { data_ms: Some(DATA_MS), ..run() }).verdict(), Verdict::Slow);
        assert_eq!(runs(Way::Asking, Run { off_ms: Some(OFF_MS + 1), ..run() }).verdict(), Verdict::Slow);
        assert_eq!(runs(Way::Birthday, Run { off_ms: Some(OFF_MS + 1), ..run() }).verdict(), Verdict::Good);
    }
}
