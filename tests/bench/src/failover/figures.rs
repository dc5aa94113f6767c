//! What came of it, for people and for programs.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json};

use super::session::Gap;
use crate::machine::Setup;
use crate::subjects::SubjectName;

/// What is wanted, in milliseconds, of either figure.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Bars {
    /// The median is below.
    median: f64,
    /// None is above.
    most: Option<f64>,
}

impl Bars {
    pub(super) const CUT: Self = Self { median: 400.0, most: Some(1_000.0) };
    pub(super) const ROAM: Self = Self { median: 400.0, most: None };
}

/// Rounds that are alike.
pub(super) struct Series {
    pub(super) scenario: &'static str,
    pub(super) subject: SubjectName,
    pub(super) about: String,
    pub(super) bars: Option<Bars>,
    /// In order; a link that was lost for good has its reason.
    pub(super) rounds: Vec<Result<Gap, String>>,
}

/// Everything that was measured.
pub(super) struct Results {
    pub(super) setup: Setup,
    pub(super) quick: bool,
    pub(super) seed: u64,
    pub(super) series: Vec<Series>,
    /// Why something was not measured.
    pub(super) skipped: Vec<(&'static str, String)>,
}

/// Over this, somebody notices.
const SECOND: f64 = 1_000.0;

#[derive(Clone, Copy, Debug, Serialize)]
struct Spread {
    min: f64,
    median: f64,
    p90: f64,
    max: f64,
    over_a_second: usize,
}

impl Series {
    fn spread(&self, of: impl Fn(&Gap) -> f64) -> Option<Spread> {
        let mut values: Vec<_> = self.rounds.iter().flatten().map(of).collect();
        values.sort_by(f64::total_cmp);
        Some(Spread {
            min: *values.first()?,
            median: quantile(&values, 50)?,
            p90: quantile(&values, 90)?,
            max: *values.last()?,
            over_a_second: values.iter().filter(|value| **value > SECOND).count(),
        })
    }

    pub(super) fn lost(&self) -> usize {
        self.rounds.iter().filter(|round| round.is_err()).count()
    }

    /// By name, what is told of it; the longest time without a record means nothing where there is only one.
    fn spreads(&self) -> Vec<(&'static str, Spread)> {
        let all = [
            ("until the next record", self.spread(|gap| gap.until_next)),
            ("longest gap", self.spread(|gap| gap.longest)),
        ];
        all.into_iter().filter_map(|(name, spread)| Some((name, spread.filter(|it| it.max > 0.0)?))).collect()
    }

    /// Whether all bars are reached, if there are any.
    fn is_good(&self) -> Option<bool> {
        let bars = self.bars?;
        let spreads = self.spreads();
        let reached = spreads.iter().all(|(_, spread)| {
            spread.median < bars.median && bars.most.is_none_or(|most| spread.max <= most)
        });
        Some(reached && !spreads.is_empty() && self.lost() == 0)
    }
}

/// The least value that so many of a hundred do not exceed.
fn quantile(sorted: &[f64], percent: usize) -> Option<f64> {
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied()
}

pub(super) fn table(results: &Results) -> String {
    let mut out = String::new();
    let Setup { processor, cores, kernel, date, load, compiler, commit, .. } = &results.setup;
    let _ = writeln!(out, "\n{processor}, {cores} cores, Linux {kernel}\n{date}, load {load}, {compiler}");
    let _ = writeln!(out, "wayside at {commit}, seed {}\n", results.seed);
    if results.quick {
        let _ = writeln!(out, "QUICK: little of everything; the figures are rough.\n");
    }
    let _ = writeln!(out, "{:47}    n     min  median     p90     max  > 1 s  lost", "milliseconds");
    for series in &results.series {
        let (n, lost) = (series.rounds.len(), series.lost());
        let name = format!("{}, {}, {}", series.scenario, series.subject, series.about);
        for (figure, it) in series.spreads() {
            let Spread { min, median, p90, max, over_a_second } = it;
            let _ = writeln!(
                out,
                "{:47} {n:4} {min:7.1} {median:7.1} {p90:7.1} {max:7.1} {over_a_second:6} {lost:5}",
                format!("{name}: {figure}")
            );
        }
        for reason in series.rounds.iter().filter_map(|round| round.as_ref().err()) {
            let _ = writeln!(out, "  {name} LOST: {reason}");
        }
        if let (Some(bars), Some(good)) = (series.bars, series.is_good()) {
            let most = bars.most.map_or_else(String::new, |most| format!(", none over {most} ms"));
            let mark = if good { '✓' } else { '✗' };
            let _ = writeln!(out, "  {mark} median below {} ms{most}, nothing lost", bars.median);
        }
    }
    for (what, reason) in &results.skipped {
        let _ = writeln!(out, "{what} SKIPPED: {reason}");
    }
    out
}

pub(super) fn json(results: &Results) -> Value {
    let series = results.series.iter().map(|series| {
        let figures: serde_json::Map<_, _> =
            series.spreads().into_iter().map(|(name, spread)| (name.to_owned(), json!(spread))).collect();
        let rounds = series.rounds.iter().map(|round| match round {
            Ok(gap) => json!(gap),
            Err(reason) => json!({ "lost": reason }),
        });
        json!({
            "scenario": series.scenario,
            "subject": series.subject,
            "about": series.about,
            "unit": "ms",
            "bars": series.bars,
            "good": series.is_good(),
            "lost": series.lost(),
            "figures": figures,
            "rounds": rounds.collect::<Vec<_>>(),
        })
    });
    json!({
        "setup": results.setup,
        "quick": results.quick,
        "seed": results.seed,
        "series": series.collect::<Vec<_>>(),
        "skipped": results.skipped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Series {
        let gap = |value: &f64| Ok(Gap { until_next: *value, longest: *value });
        Series {
            scenario: "cut",
            subject: SubjectName::Wayside,
            about: String::new(),
            bars: Some(Bars::CUT),
            rounds: values.iter().map(gap).collect(),
        }
    }

    #[test]
    fn quantiles_are_values_that_were_seen() {
        let values: Vec<f64> = (1..=50).map(f64::from).collect();
        assert_eq!((quantile(&values, 50), quantile(&values, 90)), (Some(25.0), Some(45.0)));
        assert_eq!((quantile(&[7.0], 50), quantile(&[], 90)), (Some(7.0), None));
    }

    #[test]
    fn one_that_is_late_or_lost_misses_the_bar() {
        assert_eq!(series(&[100.0, 200.0, 1_000.0]).is_good(), Some(true));
        assert_eq!(series(&[100.0, 200.0, 1_001.0]).is_good(), Some(false));
        assert_eq!(series(&[100.0, 400.0, 500.0]).is_good(), Some(false));
        let mut lost = series(&[100.0; 9]);
        lost.rounds.push(Err("gone".to_owned()));
        assert_eq!(lost.is_good(), Some(false));
        assert_eq!(series(&[]).is_good(), Some(false));
    }
}
