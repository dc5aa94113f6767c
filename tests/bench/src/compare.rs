//! The command: all scenarios, all rounds, all subjects, in alternating order.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::Failure;
use crate::machine::Setup;
use crate::report::{self, Results, Section};
use crate::scenarios::{Scale, Scenario, ScenarioName};
use crate::subjects::SubjectName;

#[derive(Args)]
pub(crate) struct Options {
    /// Little of everything, to see that it works; the figures are rough.
    #[arg(long)]
    quick: bool,
    /// Print everything as JSON instead of tables: machine, versions, every run.
    #[arg(long)]
    json: bool,
    /// Draw a chart into this file as well.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Only these scenarios.
    #[arg(long, value_delimiter = ',', value_name = "SCENARIO,…")]
    only: Vec<ScenarioName>,
    /// Only these subjects; wayside is always among them.
    #[arg(long, value_delimiter = ',', value_name = "SUBJECT,…")]
    subjects: Vec<SubjectName>,
    /// How often each subject goes through each scenario.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
}

pub(crate) async fn run(options: Options) -> Result<ExitCode, Failure> {
    if cfg!(debug_assertions) {
        report::note("built without optimisation (cargo run --release): the figures mean nothing");
    }
    let scale = if options.quick { Scale::Quick } else { Scale::Full };
    let names = if options.only.is_empty() { &ScenarioName::ALL[..] } else { &options.only };
    let subjects: Vec<_> = SubjectName::ALL
        .into_iter()
        .filter(|name| {
            options.subjects.is_empty() || *name == SubjectName::Wayside || options.subjects.contains(name)
        })
        .collect();
    let mut results = Results { setup: Setup::here(), quick: options.quick, sections: Vec::new() };
    for scenario in names.iter().flat_map(|name| name.scenarios(scale)) {
        let rounds = options.rounds.unwrap_or_else(|| scenario.rounds());
        results.sections.push(section(scenario, &subjects, rounds).await);
    }
    report::print(&results, options.json)?;
    if let Some(file) = &options.svg {
        report::draw(&results, file)?;
    }
    Ok(if results.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn section(scenario: Box<dyn Scenario>, subjects: &[SubjectName], rounds: u32) -> Section {
    let (mut runs, mut skipped): (BTreeMap<_, Vec<_>>, _) = (BTreeMap::new(), BTreeMap::new());
    let mut present = subjects.to_vec();
    present.retain(|subject| match scenario.missing(*subject) {
        None => true,
        Some(reason) => {
            skipped.insert(*subject, reason);
            false
        }
    });
    for round in 0..rounds {
        for subject in order(&present, round) {
            let name = scenario.name();
            report::note(&format!(
                "{name}, {}, round {} of {rounds}: {subject}",
                scenario.settings(),
                round + 1
            ));
            let run = scenario.run(subject, round).await.map_err(|failure| failure.to_string());
            if let Err(reason) = &run {
                report::note(&format!("  failed: {reason}"));
            }
            runs.entry(subject).or_default().push(run);
        }
    }
    Section { scenario, runs, skipped }
}

/// Whatever warms up, cools down or fills up in the course of a round meets everybody in turn: each second round goes backwards, and each
/// pair of rounds begins with somebody else.
fn order(subjects: &[SubjectName], round: u32) -> Vec<SubjectName> {
    let mut order = subjects.to_vec();
    order.rotate_left((round / 2) as usize % subjects.len().max(1));
    if round % 2 == 1 {
        order.reverse();
    }
    order
}
