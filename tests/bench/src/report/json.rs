//! Everything, for programs.

use serde_json::{Value, json};

use super::{Results, Section};
use crate::scenarios::Run;
use crate::subjects::SubjectName;

pub(super) fn of(results: &Results) -> Value {
    json!({
        "setup": results.setup,
        "quick": results.quick,
        "failed": results.failed(),
        "scenarios": results.sections.iter().map(scenario).collect::<Vec<_>>(),
    })
}

fn scenario(section: &Section) -> Value {
    let figures = section
        .scenario
        .figures()
        .iter()
        .map(|figure| json!({ "key": figure.key, "unit": figure.unit, "better": figure.direction() }));
    json!({
        "scenario": section.scenario.name(),
        "settings": section.scenario.settings(),
        "about": section.scenario.about(),
        "figures": figures.collect::<Vec<_>>(),
        "skipped": section.skipped,
        "subjects": section.subjects().map(|name| subject(section, name)).collect::<Vec<_>>(),
    })
}

fn subject(section: &Section, name: SubjectName) -> Value {
    let figures = section.scenario.figures().iter().map(|figure| {
        let ratio = section.ratio(name, figure);
        let value = json!({
            "median": section.figure(name, figure),
            "wayside_over_it": ratio.map(|ratio| ratio.value),
            "bar": ratio.and_then(|ratio| ratio.bar),
            "good": ratio.map(|ratio| ratio.good),
        });
        (figure.key.to_owned(), value)
    });
    json!({
        "subject": name,
        "figures": figures.collect::<serde_json::Map<_, _>>(),
        "runs": section.of(name).iter().map(run).collect::<Vec<_>>(),
    })
}

fn run(run: &Result<Run, String>) -> Value {
    match run {
        Ok(run) => json!({
            "figures": run.figures,
            "cpu_s": { "server": run.cpu.server, "client": run.cpu.client },
            "peak_rss_kib": { "server": run.peak.server, "client": run.peak.client },
        }),
        Err(reason) => json!({ "failed": reason }),
    }
}
