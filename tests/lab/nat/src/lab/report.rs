//! What came of the runs, and whether it is as theory has it.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Failure;
use super::hardships::{Idle, Outcome};
use super::oracle::Way;
use super::pair::Run;
use super::relayed::board::BoardRuns;
use super::relayed::endured::Endured;
use super::relayed::runs::RelayedRuns;
use super::say;

/// Why runs were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Series {
    /// For the table of all pairs.
    Pairs,
    /// To know how often guessing at random finds a port.
    Birthday,
    /// To know how often prediction does.
    Prediction,
    /// On a wire with a delay and losses.
    Wire,
    /// Who waits has invited who dials, and has the only friend in public.
    Newcomer,
    /// iroh in the place of wayside. It is shown and judged by nobody.
    Iroh,
}

/// All runs of one pair.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct PairRuns {
    pub(crate) series: Series,
    pub(crate) dials: String,
    pub(crate) waits: String,
    pub(crate) expected: Way,
    pub(crate) runs: Vec<Run>,
    /// What kept runs from being made.
    pub(crate) failures: Vec<String>,
    /// The one run that was to be made failed, and another one was made.
    #[serde(default)]
    pub(crate) is_second_try: bool,
}

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) pairs: Vec<PairRuns>,
    pub(crate) hardships: Vec<Result<Outcome, String>>,
    pub(crate) idle: Vec<Result<Idle, String>>,
    pub(crate) relayed: Vec<RelayedRuns>,
    pub(crate) endured: Vec<Result<Endured, String>>,
    pub(crate) boards: Vec<BoardRuns>,
}

/// How a pair came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// As theory has it.
    Good,
    /// Better: shown, and no failure.
    More,
    /// As theory has it, and later than it is to be: no failure, since machines are slow too.
    Slow,
    /// Somebody was asked who has nothing to do with it.
    Stray,
    Failed,
}

/// How many of a hundred runs have to hit where ports are guessed at random.
const HITS: usize = 95;

impl PairRuns {
    pub(crate) fn reached(&self) -> usize {
        self.runs.iter().filter(|run| run.direct).count()
    }

    pub(crate) fn tried(&self) -> usize {
        self.runs.len() + self.failures.len()
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let (reached, tried) = (self.reached(), self.tried());
        if !self.failures.is_empty() && !self.is_second_try {
            return Verdict::Failed;
        }
        if self.series == Series::Iroh {
            return Verdict::Good;
        }
        if self.runs.iter().any(|run| !run.stray.is_empty()) {
            return Verdict::Stray;
        }
        let enough = match self.expected {
            Way::Never => return if reached > 0 { Verdict::More } else { Verdict::Good },
            _ if self.is_second_try => 1,
            Way::Birthday => (tried * HITS).div_ceil(100),
            Way::Asking | Way::Prediction | Way::Tcp => tried,
        };
        if reached >= enough { Verdict::Good } else { Verdict::Failed }
    }

    /// It in a line, with the last run's figures, and what failed below.
    pub(crate) fn line(&self) -> String {
        let mut line = format!(
            "{:<6} {:>20} -> {:<20} {:<10} {}/{}",
            self.verdict().word(),
            self.dials,
            self.waits,
            self.expected.word(),
            self.reached(),
            self.tried(),
        );
        if let Some(run) = self.runs.last() {
            let ([ada, ben], [of_ada, of_ben]) = (run.probes, run.targets);
            let _ = write!(
                line,
                "  link {}, meeting {}, probes {ada}+{ben} to {of_ada}+{of_ben}, {}",
                shown(run.punch_ms),
                shown(run.meeting_ms),
                run.transport.as_deref().unwrap_or("no link"),
            );
        }
        for run in &self.runs {
            if !run.stray.is_empty() {
                let _ = write!(line, "\n        asked somebody else: {:?}", run.stray);
            }
            if !run.direct && self.expected != Way::Never && self.series != Series::Iroh {
                let _ = write!(line, "\n        friend in public {:?}; {}", run.knows_friend, run.because);
            }
        }
        for failure in &self.failures {
            let _ = write!(line, "\n        {failure}");
        }
        line
    }
}

pub(super) fn shown(ms: Option<u64>) -> String {
    ms.map_or("-".to_owned(), |ms| format!("{ms} ms"))
}

impl Verdict {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::More => "more",
            Self::Slow => "slow",
            Self::Stray => "STRAY",
            Self::Failed => "FAILED",
        }
    }

    pub(crate) const fn is_good(self) -> bool {
        matches!(self, Self::Good | Self::More | Self::Slow)
    }
}

impl Outcome {
    pub(crate) fn is_good(&self) -> bool {
        self.answered_ms.is_some()
    }

    pub(crate) fn line(&self) -> String {
        let word = if self.is_good() { "ok" } else { "FAILED" };
        let link = if self.same_link { "the same link" } else { "another link" };
        format!(
            "{word:<6} {:>20} -> {:<20} {}: answered after {}, {link}",
            self.dials,
            self.waits,
            self.hardship.sentence(),
            shown(self.answered_ms)
        )
    }
}

impl Report {
    /// Adds what was printed with `--json` before, and what else stands between.
    pub(crate) fn add(&mut self, printed: &str) -> Result<(), Failure> {
        for line in printed.lines().filter(|line| line.starts_with('{')) {
            let what: Value = serde_json::from_str(line)?;
            if what["relayed"].is_string() {
                self.relayed.push(serde_json::from_value(what)?);
            } else if what["board"].is_boolean() {
                self.boards.push(serde_json::from_value(what)?);
            } else if what["endured"].is_string() {
                self.endured.push(Ok(serde_json::from_value(what)?));
            } else {
                self.pairs.push(serde_json::from_value(what)?);
            }
        }
        Ok(())
    }

    /// Says what failed, and how many came out how; whether all is good.
    pub(crate) fn print(&self) -> bool {
        let verdicts = self.pairs.iter().map(|pair| (pair.verdict(), pair.line()));
        let verdicts = verdicts.chain(self.relayed.iter().map(|pair| (pair.verdict(), pair.line())));
        let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
        for (verdict, line) in verdicts {
            *counts.entry(verdict).or_default() += 1;
            if !verdict.is_good() || verdict == Verdict::Slow {
                say::result(&line);
            }
        }
        let counted: Vec<String> =
            counts.iter().map(|(verdict, count)| format!("{count} {}", verdict.word())).collect();
        say::result(&format!("{} pairs: {}", self.pairs.len() + self.relayed.len(), counted.join(", ")));
        let mut good = counts.keys().all(|verdict| verdict.is_good());
        for hardship in &self.hardships {
            match hardship {
                Ok(outcome) if outcome.is_good() => {}
                Ok(outcome) => {
                    good = false;
                    say::result(&outcome.line());
                }
                Err(failure) => {
                    good = false;
                    say::result(failure);
                }
            }
        }
        for endured in &self.endured {
            match endured {
                Ok(endured) if endured.is_good() && endured.is_soon() => {}
                Ok(endured) => {
                    good &= endured.is_good();
                    say::result(&endured.line());
                }
                Err(failure) => {
                    good = false;
                    say::result(failure);
                }
            }
        }
        for board in &self.boards {
            good &= board.is_good();
            if !board.is_good() || !board.is_soon() {
                say::result(&board.line());
            }
        }
        for failure in self.idle.iter().filter_map(|idle| idle.as_ref().err()) {
            good = false;
            say::result(failure);
        }
        good
    }
}
