//! What is said about the runs.

mod bars;
mod json;
mod summary;
mod svg;
mod table;

use std::collections::BTreeMap;
use std::path::Path;

use crate::Failure;
use crate::machine::Setup;
use crate::scenarios::{Run, Scenario};
use crate::subjects::SubjectName;

/// Everything that was measured.
pub(crate) struct Results {
    pub(crate) setup: Setup,
    pub(crate) quick: bool,
    pub(crate) sections: Vec<Section>,
}

impl Results {
    /// Whether anything that was tried failed.
    pub(crate) fn failed(&self) -> bool {
        self.sections.iter().flat_map(|section| section.runs.values().flatten()).any(Result::is_err)
    }
}

/// One scenario with all its runs.
pub(crate) struct Section {
    pub(crate) scenario: Box<dyn Scenario>,
    /// Of each subject, in the order of rounds; a run that failed has its reason.
    pub(crate) runs: BTreeMap<SubjectName, Vec<Result<Run, String>>>,
    /// Who could not be measured here, and why.
    pub(crate) skipped: BTreeMap<SubjectName, String>,
}

/// Prints the results for people or for programs.
#[expect(clippy::print_stdout, reason = "a measurement says what it measured")]
pub(crate) fn print(results: &Results, as_json: bool) -> Result<(), Failure> {
    if as_json {
        println!("{}", serde_json::to_string_pretty(&json::of(results))?);
    } else {
        print!("{}", table::of(results));
    }
    Ok(())
}

/// Writes the results as a chart.
pub(crate) fn draw(results: &Results, file: &Path) -> Result<(), Failure> {
    std::fs::write(file, svg::of(results))
        .map_err(|error| format!("cannot write {}: {error}", file.display()).into())
}

/// Tells whoever waits what goes on, beside the results.
#[expect(clippy::print_stderr, reason = "progress and errors of a command")]
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
