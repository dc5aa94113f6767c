//! One stream over a long way that loses packets.

use std::time::Duration;

use async_trait::async_trait;

use super::bulk::{self, transfer};
use super::{Figure, Run, Scale, Scenario};
use crate::Failure;
use crate::assignment::Settings;
use crate::netns::{self, Namespaces};
use crate::place::Place;
use crate::subjects::SubjectName;
use crate::wire::Wire;

/// Either way; the round trip is twice that.
const DELAY: Duration = Duration::from_millis(25);
const LOST_PER_MILLION: u32 = 10_000;
/// At the 100 KiB/s of a congestion control that takes every loss for congestion, the full amount takes five minutes.
const PATIENCE: Duration = Duration::from_secs(900);

pub(super) fn scenario(scale: Scale) -> Box<dyn Scenario> {
    Box::new(Lossy {
        bytes: scale.pick(32 << 20, 4 << 20),
        rounds: scale.pick(3, 1),
        no_taps: netns::missing_for_wire(),
    })
}

struct Lossy {
    bytes: u64,
    rounds: u32,
    /// Why packets go through a UDP forwarder instead.
    no_taps: Option<String>,
}

#[async_trait]
impl Scenario for Lossy {
    fn name(&self) -> &'static str {
        "lossy"
    }

    fn settings(&self) -> Settings {
        Settings::Defaults
    }

    fn about(&self) -> String {
        let wire = match &self.no_taps {
            None => "a wire of our own between two namespaces".to_owned(),
            Some(reason) => format!("a UDP forwarder on loopback (the better wire {reason})"),
        };
        format!(
            "{} MiB over one stream, {} ms there and back, {} % lost each way, {wire}",
            self.bytes >> 20,
            2 * DELAY.as_millis(),
            f64::from(LOST_PER_MILLION) / 1e4
        )
    }

    fn figures(&self) -> &'static [Figure] {
        bulk::FIGURES
    }

    fn rounds(&self) -> u32 {
        self.rounds
    }

    fn missing(&self, subject: SubjectName) -> Option<String> {
        let reason = self.no_taps.as_ref()?;
        subject.is_over_tcp().then(|| format!("TCP does not pass the UDP forwarder; the other wire {reason}"))
    }

    async fn run(&self, subject: SubjectName, round: u32) -> Result<Run, Failure> {
        // The losses of a round are the same for everybody.
        let wire = Wire { delay: DELAY, lost_per_million: LOST_PER_MILLION, seed: round.into() };
        if self.no_taps.is_some() {
            let place = Place::loopback_by(wire);
            return transfer(&place, subject, self.settings(), self.bytes, PATIENCE).await;
        }
        let namespaces = Namespaces::with_wire(wire).await?;
        transfer(&namespaces.place(), subject, self.settings(), self.bytes, PATIENCE).await
    }
}
