//! One stream, as fast as it goes, from the client to the server: over loopback, or over a veth pair.

use std::time::Duration;

use async_trait::async_trait;

use super::{Better, Figure, PATIENCE, Run, Scale, Scenario, cpu};
use crate::Failure;
use crate::assignment::{Settings, Task};
use crate::netns::{self, Namespaces};
use crate::place::Place;
use crate::processes::Pair;
use crate::subjects::SubjectName;

pub(super) const FIGURES: &[Figure] = &[
    Figure { key: "mib_per_s", unit: "MiB/s", better: Better::Higher },
    Figure { key: "cpu_s_per_gib", unit: "CPU s/GiB", better: Better::Lower },
];
const MIB: f64 = (1 << 20) as f64;
const GIB: f64 = (1 << 30) as f64;

pub(super) fn loopback(settings: Settings, scale: Scale) -> Box<dyn Scenario> {
    Box::new(Bulk::new("bulk", settings, scale, false))
}

/// Over a veth pair of MTU 1500 between two network namespaces.
pub(super) fn veth(scale: Scale) -> Box<dyn Scenario> {
    Box::new(Bulk::new("veth", Settings::Defaults, scale, true))
}

struct Bulk {
    name: &'static str,
    settings: Settings,
    bytes: u64,
    rounds: u32,
    over_veth: bool,
}

impl Bulk {
    fn new(name: &'static str, settings: Settings, scale: Scale, over_veth: bool) -> Self {
        Self { name, settings, bytes: scale.pick(1 << 30, 64 << 20), rounds: scale.pick(5, 3), over_veth }
    }
}

#[async_trait]
impl Scenario for Bulk {
    fn name(&self) -> &'static str {
        self.name
    }

    fn settings(&self) -> Settings {
        self.settings
    }

    fn about(&self) -> String {
        let over = if self.over_veth { "a veth pair of MTU 1500 between two namespaces" } else { "loopback" };
        format!("{} MiB over one stream, {over}", self.bytes >> 20)
    }

    fn figures(&self) -> &'static [Figure] {
        FIGURES
    }

    fn rounds(&self) -> u32 {
        self.rounds
    }

    fn missing(&self, _: SubjectName) -> Option<String> {
        if self.over_veth { netns::missing() } else { None }
    }

    async fn run(&self, subject: SubjectName, _: u32) -> Result<Run, Failure> {
        let namespaces = if self.over_veth { Some(Namespaces::with_veth()?) } else { None };
        let place = namespaces.as_ref().map_or_else(Place::loopback, Namespaces::place);
        transfer(&place, subject, self.settings, self.bytes, PATIENCE).await
    }
}

/// Sends so many bytes between two ends, wherever these are.
pub(super) async fn transfer(
    place: &Place,
    subject: SubjectName,
    settings: Settings,
    bytes: u64,
    patience: Duration,
) -> Result<Run, Failure> {
    let mut pair = Pair::start(place, subject, settings, Task::Bulk { bytes }).await?;
    let before = pair.moment().await?;
    let measured = pair.go(patience).await?;
    let after = pair.moment().await?;
    let figures = [
        ("mib_per_s", bytes as f64 / MIB / measured.seconds),
        ("cpu_s_per_gib", cpu(before, after).sum() * GIB / bytes as f64),
    ];
    Ok(Run::new(figures, before, after))
}
