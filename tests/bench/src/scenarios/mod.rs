//! What is measured.

mod bulk;
mod idle;
mod latency;
mod lossy;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use clap::ValueEnum;

use crate::Failure;
use crate::assignment::Settings;
use crate::processes::Moment;
use crate::subjects::SubjectName;

/// The kinds of scenarios, as they are named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScenarioName {
    Bulk,
    Connect,
    Rr,
    Idle,
    Lossy,
    Veth,
}

impl ScenarioName {
    pub(crate) const ALL: [Self; 6] =
        [Self::Bulk, Self::Connect, Self::Rr, Self::Idle, Self::Lossy, Self::Veth];

    /// What is run under this name.
    pub(crate) fn scenarios(self, scale: Scale) -> Vec<Box<dyn Scenario>> {
        let both = [Settings::Same, Settings::Defaults];
        match self {
            Self::Bulk => both.map(|settings| bulk::loopback(settings, scale)).into(),
            Self::Connect => both.map(|settings| latency::connect(settings, scale)).into(),
            Self::Rr => vec![latency::requests(scale)],
            Self::Idle => vec![idle::scenario(scale)],
            Self::Lossy => vec![lossy::scenario(scale)],
            Self::Veth => vec![bulk::veth(scale)],
        }
    }
}

/// How much of everything is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Full,
    Quick,
}

impl Scale {
    fn pick<T>(self, full: T, quick: T) -> T {
        if self == Self::Full { full } else { quick }
    }
}

/// One measurement that all subjects go through.
#[async_trait]
pub(crate) trait Scenario: Send + Sync {
    /// A word for bars, JSON and file names.
    fn name(&self) -> &'static str;

    fn settings(&self) -> Settings;

    /// What happens in it, in a line.
    fn about(&self) -> String;

    /// What each run gives, the foremost first.
    fn figures(&self) -> &'static [Figure];

    /// How often every subject goes through it, unless somebody says otherwise.
    fn rounds(&self) -> u32;

    /// Why it cannot be run here with this subject, if so.
    fn missing(&self, subject: SubjectName) -> Option<String>;

    /// Runs one subject once.
    async fn run(&self, subject: SubjectName, round: u32) -> Result<Run, Failure>;
}

/// A quantity that is compared.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) key: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// What one run of one subject gave.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// By the key of the figure.
    pub(crate) figures: BTreeMap<&'static str, f64>,
    /// Seconds of CPU while it was measured, of both ends.
    pub(crate) cpu: Ends,
    /// The most resident memory in KiB since the start of either process.
    pub(crate) peak: Ends,
}

/// A number for either end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) server: f64,
    pub(crate) client: f64,
}

impl Ends {
    pub(crate) fn sum(self) -> f64 {
        self.server + self.client
    }
}

/// The CPU seconds between two moments.
fn cpu(before: Moment, after: Moment) -> Ends {
    Ends { server: after.server.cpu - before.server.cpu, client: after.client.cpu - before.client.cpu }
}

impl Run {
    fn new(figures: impl IntoIterator<Item = (&'static str, f64)>, before: Moment, after: Moment) -> Self {
        let peak = Ends { server: after.server.peak, client: after.client.peak };
        Self { figures: figures.into_iter().collect(), cpu: cpu(before, after), peak }
    }
}

/// What nothing in a run may exceed; a subject that hangs must not stop the others.
const PATIENCE: Duration = Duration::from_secs(300);
