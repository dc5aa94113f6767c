//! One stream, as fast as it goes, from the client to the server.

use async_trait::async_trait;

use super::{Better, Figure, PATIENCE, Run, Scale, Scenario, cpu};
use crate::Failure;
use crate::assignment::{Settings, Task};
use crate::place::Place;
use crate::processes::Pair;
use crate::subjects::SubjectName;

const FIGURES: &[Figure] = &[
    Figure { key: "mib_per_s", unit: "MiB/s", better: Better::Higher },
    Figure { key: "cpu_s_per_gib", unit: "CPU s/GiB", better: Better::Lower },
];
const MIB: f64 = (1 << 20) as f64;
const GIB: f64 = (1 << 30) as f64;

pub(super) fn loopback(settings: Settings, scale: Scale) -> Box<dyn Scenario> {
    Box::new(Bulk { settings, bytes: scale.pick(1 << 30, 64 << 20), rounds: scale.pick(5, 3) })
}

struct Bulk {
    settings: Settings,
    bytes: u64,
    rounds: u32,
}

#[async_trait]
impl Scenario for Bulk {
    fn name(&self) -> &'static str {
        "bulk"
    }

    fn settings(&self) -> Settings {
        self.settings
    }

    fn about(&self) -> String {
        format!("{} MiB over one stream, loopback", self.bytes >> 20)
    }

    fn figures(&self) -> &'static [Figure] {
        FIGURES
    }

    fn rounds(&self) -> u32 {
        self.rounds
    }

    async fn run(&self, subject: SubjectName, _: u32) -> Result<Run, Failure> {
        transfer(&Place::loopback(), subject, self.settings, self.bytes).await
    }
}

/// Sends so many bytes between two ends, wherever these are.
pub(super) async fn transfer(
    place: &Place,
    subject: SubjectName,
    settings: Settings,
    bytes: u64,
) -> Result<Run, Failure> {
    let mut pair = Pair::start(place, subject, settings, Task::Bulk { bytes }).await?;
    let before = pair.moment().await?;
    let measured = pair.go(PATIENCE).await?;
    let after = pair.moment().await?;
    let figures = [
        ("mib_per_s", bytes as f64 / MIB / measured.seconds),
        ("cpu_s_per_gib", cpu(before, after).sum() * GIB / bytes as f64),
    ];
    Ok(Run::new(figures, before, after))
}
