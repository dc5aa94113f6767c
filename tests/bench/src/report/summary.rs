//! Medians of runs.

use super::Section;
use super::bars;
use crate::scenarios::{Better, Figure, Run};
use crate::subjects::SubjectName;

/// Wayside's figure over a peer's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ratio {
    /// The median over rounds of the ratio within a round.
    pub(super) value: f64,
    /// What is wanted, if something is.
    pub(super) bar: Option<f64>,
    /// Whether the bar is reached; without one, whether wayside is not behind.
    pub(super) good: bool,
}

impl Ratio {
    /// One character: ✓ or ✗ for a bar, + or - where there is none.
    pub(super) fn mark(self) -> &'static str {
        match (self.bar, self.good) {
            (Some(_), true) => "✓",
            (Some(_), false) => "✗",
            (None, true) => "+",
            (None, false) => "-",
        }
    }
}

impl Section {
    /// The median of something over a subject's runs that worked; `None` if none did.
    pub(super) fn median(&self, subject: SubjectName, of: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
        median(self.of(subject).iter().filter_map(|run| of(run.as_ref().ok()?)).collect())
    }

    pub(super) fn figure(&self, subject: SubjectName, figure: &Figure) -> Option<f64> {
        self.median(subject, |run| run.figures.get(figure.key).copied())
    }

    /// `None` for wayside itself, and where there is nothing to divide by.
    pub(super) fn ratio(&self, subject: SubjectName, figure: &Figure) -> Option<Ratio> {
        if subject == SubjectName::Wayside {
            return None;
        }
        let rounds = self.of(SubjectName::Wayside).iter().zip(self.of(subject));
        let ratios = rounds.filter_map(|(ours, theirs)| {
            let of = |run: &Result<Run, String>| run.as_ref().ok()?.figures.get(figure.key).copied();
            Some(of(ours)? / of(theirs)?).filter(|ratio| ratio.is_finite())
        });
        let value = median(ratios.collect())?;
        let bar = bars::limit(self.scenario.name(), figure.key, subject);
        Some(Ratio { value, bar, good: bars::reaches(value, figure.better, bar.unwrap_or(1.0)) })
    }

    pub(super) fn of(&self, subject: SubjectName) -> &[Result<Run, String>] {
        self.runs.get(&subject).map_or(&[], Vec::as_slice)
    }

    pub(super) fn subjects(&self) -> impl Iterator<Item = SubjectName> {
        self.runs.keys().copied()
    }
}

impl Figure {
    pub(super) fn direction(&self) -> &'static str {
        match self.better {
            Better::Higher => "higher is better",
            Better::Lower => "lower is better",
        }
    }

    /// How a ratio has to relate to its bar.
    pub(super) fn limit_sign(&self) -> char {
        match self.better {
            Better::Higher => '≥',
            Better::Lower => '≤',
        }
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let upper = values.get(half).copied()?;
    Some(if values.len() % 2 == 1 { upper } else { (values.get(half.checked_sub(1)?)? + upper) / 2.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![3.0, 1.0]), Some(2.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
    }
}
