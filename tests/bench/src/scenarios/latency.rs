//! How long small things take, one after another: a connection and its first byte back, or a request and its answer.

use async_trait::async_trait;

use super::{Better, Figure, PATIENCE, Run, Scale, Scenario, cpu};
use crate::Failure;
use crate::assignment::{REQUEST, Settings, Task};
use crate::place::Place;
use crate::processes::Pair;
use crate::subjects::SubjectName;

const FIGURES: &[Figure] = &[
    Figure { key: "median_us", unit: "µs", better: Better::Lower },
    Figure { key: "cpu_us_each", unit: "CPU µs each", better: Better::Lower },
];

/// New connections between endpoints that are bound and warm.
pub(super) fn connect(settings: Settings, scale: Scale) -> Box<dyn Scenario> {
    let count = scale.pick(300, 30);
    let about = format!("a new connection to the first byte back, median of {count}, loopback");
    Box::new(Latency {
        name: "connect",
        settings,
        about,
        task: Task::Connect { count },
        count,
        rounds: scale.pick(5, 3),
    })
}

/// Requests over a connection that exists.
pub(super) fn requests(scale: Scale) -> Box<dyn Scenario> {
    let count = scale.pick(5000, 500);
    let about = format!(
        "{REQUEST} bytes and as many back on a warm connection, a new stream each (clear TCP: always the same one), median of {count}, loopback"
    );
    Box::new(Latency {
        name: "rr",
        settings: Settings::Defaults,
        about,
        task: Task::Requests { count },
        count,
        rounds: scale.pick(5, 3),
    })
}

struct Latency {
    name: &'static str,
    settings: Settings,
    about: String,
    task: Task,
    count: u32,
    rounds: u32,
}

#[async_trait]
impl Scenario for Latency {
    fn name(&self) -> &'static str {
        self.name
    }

    fn settings(&self) -> Settings {
        self.settings
    }

    fn about(&self) -> String {
        self.about.clone()
    }

    fn figures(&self) -> &'static [Figure] {
        FIGURES
    }

    fn rounds(&self) -> u32 {
        self.rounds
    }

    fn missing(&self, _: SubjectName) -> Option<String> {
        None
    }

    async fn run(&self, subject: SubjectName, _: u32) -> Result<Run, Failure> {
        let mut pair = Pair::start(&Place::loopback(), subject, self.settings, self.task).await?;
        let before = pair.moment().await?;
        let measured = pair.go(PATIENCE).await?;
        let after = pair.moment().await?;
        let figures = [
            ("median_us", measured.median_us.ok_or("nothing was measured")?),
            ("cpu_us_each", cpu(before, after).sum() * 1e6 / f64::from(self.count)),
        ];
        Ok(Run::new(figures, before, after))
    }
}
