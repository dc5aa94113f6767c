//! How the story is told: a line a step, with how long it took.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Output;
use crate::cli::words::short_duration;

/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// Where the time stands in a line, in characters.
const WIDTH: usize = 72;

/// Tells the story step by step.
#[derive(Debug)]
pub(super) struct Telling {
    output: Output,
    began: Instant,
    steps: u32,
}

/// What a program is told of a step.
#[derive(Debug, Serialize)]
struct StepLine<'a> {
    step: &'a str,
    ok: bool,
    took_ms: u64,
    details: &'a [String],
}

impl Telling {
    pub(super) fn new(output: Output) -> Self {
        Self { output, began: Instant::now(), steps: 0 }
    }

    /// Text between steps.
    pub(super) fn aside(&self, text: &str) -> Result<(), Failure> {
        self.output.text(text)
    }

    /// Does a step and tells how it went; `work` returns what there is to see, a line each.
    pub(super) async fn step(
        &mut self,
        what: &str,
        work: impl Future<Output = Result<Vec<String>, Failure>>,
    ) -> Result<(), Failure> {
        let began = Instant::now();
        let done = tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| {
            Err(Failure::new(Exit::Failed, format!("it took longer than {}", short_duration(PATIENCE))))
        });
        self.steps = self.steps.saturating_add(1);
        let took = began.elapsed();
        let (ok, details) = match &done {
            Ok(details) => (true, details.clone()),
            Err(failure) => (false, failure.message.clone().into_iter().collect()),
        };
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let line = StepLine { step: what, ok, took_ms, details: &details };
        self.output.say(&line, || in_words(self.steps, what, took, ok, &details))?;
        done.map(|_| ()).map_err(|failure| {
            let why = failure.message.unwrap_or_default();
            Failure::new(Exit::Failed, format!("the demo failed where {}: {why}", in_a_sentence(what)))
        })
    }

    /// How long it all took.
    pub(super) fn end(&self) -> Result<(), Failure> {
        self.output.text(&format!("\n{} steps in {}.", self.steps, short_duration(self.began.elapsed())))
    }
}

fn in_words(number: u32, what: &str, took: Duration, ok: bool, details: &[String]) -> String {
    let took = if ok { short_duration(took) } else { "failed".to_owned() };
    let mut lines = vec![format!("{number:>3}  {what:<WIDTH$} {took:>7}")];
    lines.extend(details.iter().map(|detail| format!("       {detail}")));
    lines.join("\n")
}

fn in_a_sentence(what: &str) -> &str {
    what.trim_end_matches('.')
}
