//! What links cost that nobody uses.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use super::{Better, Figure, PATIENCE, Run, Scale, Scenario, cpu};
use crate::Failure;
use crate::assignment::{Settings, Task};
use crate::place::Place;
use crate::processes::Pair;
use crate::subjects::SubjectName;

const FIGURES: &[Figure] = &[
    Figure { key: "kib_per_link", unit: "KiB a link", better: Better::Lower },
    Figure { key: "server_cpu_ms_per_s", unit: "server ms/s", better: Better::Lower },
    Figure { key: "client_cpu_ms_per_s", unit: "client ms/s", better: Better::Lower },
];
/// What links have to say after they are made, they have said after so long.
const SETTLING: Duration = Duration::from_secs(3);

pub(super) fn scenario(scale: Scale) -> Box<dyn Scenario> {
    Box::new(Idle {
        links: scale.pick(1000, 100),
        window: Duration::from_secs(scale.pick(20, 5)),
        rounds: scale.pick(3, 1),
    })
}

struct Idle {
    links: u32,
    window: Duration,
    rounds: u32,
}

#[async_trait]
impl Scenario for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn settings(&self) -> Settings {
        Settings::Defaults
    }

    fn about(&self) -> String {
        let (links, seconds) = (self.links, self.window.as_secs());
        format!(
            "{links} links left alone for {seconds} s, keep-alives as each sends them; the server's memory a link, and CPU of either end"
        )
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
        let task = Task::Idle { links: self.links };
        let mut pair = Pair::start(&Place::loopback(), subject, self.settings(), task).await?;
        let without = pair.moment().await?;
        pair.go(PATIENCE).await?;
        sleep(SETTLING).await;
        let before = pair.moment().await?;
        sleep(self.window).await;
        let after = pair.moment().await?;
        pair.check().await?;
        let cpu = cpu(before, after);
        let seconds = self.window.as_secs_f64();
        let figures = [
            ("kib_per_link", (after.server.resident - without.server.resident) / f64::from(self.links)),
            ("server_cpu_ms_per_s", cpu.server * 1e3 / seconds),
            ("client_cpu_ms_per_s", cpu.client * 1e3 / seconds),
        ];
        Ok(Run::new(figures, before, after))
    }
}
