//! Runs cases: one, or all of a weight one after another.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use wayside_bridge::SeededEntropy;

use crate::case::Failure;
use crate::scene::{Scene, Stop, said, supplied};
use crate::spec;
use crate::tally::Tally;
use crate::{Case, Harness, Namespace, Outcome, Weight, cases};

/// What a run may be told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Decides keys and contents. A place that keeps what was published needs another one each time.
    pub seed: u64,
    /// How many hostile records [`hostile_records`](crate::cases()) plants.
    pub hostile: usize,
    /// What the service may take beyond what it declares, for a machine that is busy.
    pub slack: Duration,
    /// How long a case may take.
    pub time_limit: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 1, hostile: 10_000, slack: Duration::from_secs(3), time_limit: Duration::from_secs(180) }
    }
}

/// Runs one case with the usual settings.
pub async fn run(case: &Case, harness: &dyn Harness) -> Outcome {
    run_with(case, harness, &Settings::default()).await
}

/// Runs one case.
pub async fn run_with(case: &Case, harness: &dyn Harness, settings: &Settings) -> Outcome {
    let limit = settings.time_limit;
    let guarded = AssertUnwindSafe(attempt(case, harness, settings)).catch_unwind();
    let result = match tokio::time::timeout(limit, guarded).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => {
            let seen = format!("it panicked: {}", panic_message(&*panic));
            Err(Stop::broken(&spec::X3, "the bridge answers, if only with an error".to_owned(), seen))
        }
        Err(_) => {
            let expected = format!("the case is over within {limit:?}");
            Err(Stop::broken(&spec::X4, expected, "a call of the bridge did not come to an end".to_owned()))
        }
    };
    let deviation = harness.deviations().iter().find(|deviation| deviation.case == case.name);
    match (result, deviation) {
        (Ok(()), None) => Outcome::Passed,
        (Ok(()), Some(deviation)) => Outcome::Failed(Failure::elsewhere(
            format!("it deviates, as the harness declares ({})", deviation.reason),
            "it passes: take the declaration out".to_owned(),
        )),
        (Err(Stop::Skip(reason)), _) => Outcome::Skipped(reason),
        (Err(Stop::Fail(_)), Some(deviation)) => Outcome::Deviates(deviation.reason.to_owned()),
        (Err(Stop::Fail(failure)), None) => Outcome::Failed(failure),
    }
}

/// Runs cases one after another, for whoever shows each outcome as it comes.
#[derive(Debug)]
pub struct Runner<H> {
    harness: H,
    settings: Settings,
    left: std::vec::IntoIter<&'static Case>,
}

impl<H: Harness> Runner<H> {
    /// The light cases: at most twenty records, all of which are taken back.
    pub fn light(harness: H) -> Self {
        Self::of(harness, cases().iter().filter(|case| case.weight != Weight::Full).collect())
    }

    /// All cases, in a namespace that may be thrown away.
    pub fn full(harness: H) -> Self {
        Self::of(harness, cases().iter().collect())
    }

    /// With these settings.
    #[must_use]
    pub fn with(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Runs the next case; `None` when all have run.
    pub async fn next(&mut self) -> Option<(&'static Case, Outcome)> {
        let case = self.left.next()?;
        Some((case, run_with(case, &self.harness, &self.settings).await))
    }

    /// How many cases are still to run.
    pub fn left(&self) -> usize {
        self.left.len()
    }

    fn of(harness: H, cases: Vec<&'static Case>) -> Self {
        Self { harness, settings: Settings::default(), left: cases.into_iter() }
    }
}

async fn attempt(case: &Case, harness: &dyn Harness, settings: &Settings) -> Result<(), Stop> {
    let namespace = supplied(harness.open().await)?;
    let tally = Tally::default();
    let scene = Scene {
        harness,
        namespace: &*namespace,
        settings,
        tally: &tally,
        entropy: SeededEntropy::new(settings.seed ^ fingerprint(case.name)),
    };
    let result = (case.body)(&scene).await;
    let tidied = tidy(&*namespace, &tally).await;
    match (result, case.weight) {
        (Ok(()), Weight::Light { publishes }) if tally.published() > publishes => {
            let expected = format!("the case publishes at most {publishes} records");
            Err(Stop::Fail(Failure::elsewhere(expected, format!("it published {}", tally.published()))))
        }
        (Ok(()), Weight::Light { .. }) => tidied,
        (result, _) => result,
    }
}

/// Takes back whatever a case has left, where the bridge can.
async fn tidy(namespace: &dyn Namespace, tally: &Tally) -> Result<(), Stop> {
    let outstanding = tally.take_outstanding();
    let mut members: Vec<usize> = outstanding.iter().map(|(who, _)| *who).collect();
    members.dedup();
    for member in members {
        let failed = said(&spec::C3, "taking back what the case published");
        let bridge = namespace.handle(member).await.map_err(&failed)?;
        if bridge.capability().permit_retract().is_err() {
            continue;
        }
        let receipts: Vec<_> = outstanding
            .iter()
            .filter(|(who, _)| *who == member)
            .map(|(_, receipt)| receipt.clone())
            .collect();
        bridge.retract(&receipts).await.map_err(&failed)?;
    }
    Ok(())
}

/// FNV-1a, so that each case has its own keys under one seed.
fn fingerprint(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
