//! Tables for people.

use std::fmt::Write;

use super::{Results, Section};
use crate::machine::Setup;
use crate::scenarios::Figure;
use crate::subjects::SubjectName;

const LEGEND: &str = "\
Figures are medians over the rounds. ×: wayside's figure over this subject's, the median of the ratios within a round.
  ✓ the bar is reached    ✗ it is not    + no bar, wayside is not behind    - no bar, wayside is behind
CPU: seconds of both processes while it was measured. RSS: the most resident memory, server / client.
";

pub(super) fn of(results: &Results) -> String {
    let mut out = String::new();
    header(results, &mut out);
    for section in &results.sections {
        scenario(section, &mut out);
    }
    bars(results, &mut out);
    out
}

fn header(results: &Results, out: &mut String) {
    let setup = &results.setup;
    let versions: Vec<_> = setup.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let Setup { processor, cores, memory_mib, kernel, tcp_congestion, date, load, compiler, commit, .. } =
        setup;
    let _ = writeln!(
        out,
        "\n{processor}, {cores} cores, {memory_mib} MiB, Linux {kernel}, its TCP with {tcp_congestion}"
    );
    let _ = writeln!(out, "{date}, load {load}, {compiler}, wayside at {commit}");
    let _ = writeln!(out, "{}", versions.join(", "));
    if results.quick {
        let _ = writeln!(out, "QUICK: little of everything; the figures are rough.");
    }
    let _ = write!(out, "\n{LEGEND}");
}

fn scenario(section: &Section, out: &mut String) {
    let scenario = section.scenario.as_ref();
    let rounds = section.runs.values().map(Vec::len).max().unwrap_or(0);
    let _ = writeln!(
        out,
        "\n{}, {}: {}; {rounds} {}",
        scenario.name(),
        scenario.settings(),
        scenario.about(),
        if rounds == 1 { "round" } else { "rounds" }
    );
    if !section.runs.is_empty() {
        let mut rows = vec![heads(scenario.figures())];
        rows.extend(section.subjects().map(|subject| row(section, subject)));
        out.push_str(&aligned(&rows));
    }
    for subject in section.subjects() {
        let runs = section.of(subject);
        let reasons: Vec<_> = runs.iter().filter_map(|run| run.as_ref().err()).collect();
        if let Some(reason) = reasons.first() {
            let _ =
                writeln!(out, "  {subject} FAILED in {} of {} rounds: {reason}", reasons.len(), runs.len());
        }
    }
    for (subject, reason) in &section.skipped {
        let _ = writeln!(out, "  {subject} SKIPPED: {reason}");
    }
}

fn heads(figures: &[Figure]) -> Vec<String> {
    let mut cells = vec![String::new()];
    for figure in figures {
        cells.extend([figure.unit.to_owned(), "×".to_owned(), String::new()]);
    }
    cells.extend(["CPU s".to_owned(), "RSS MiB".to_owned()]);
    cells
}

fn row(section: &Section, subject: SubjectName) -> Vec<String> {
    let mut cells = vec![subject.to_string()];
    for figure in section.scenario.figures() {
        let ratio = section.ratio(subject, figure);
        cells.push(section.figure(subject, figure).map_or_else(|| "failed".to_owned(), number));
        cells.push(ratio.map_or_else(String::new, |ratio| format!("{:.2}", ratio.value)));
        cells.push(ratio.map_or_else(String::new, |ratio| ratio.mark().to_owned()));
    }
    let of = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let mib = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |kib| format!("{:.0}", kib / 1024.0));
    cells.push(of(section.median(subject, |run| Some(run.cpu.sum()))));
    let server = section.median(subject, |run| Some(run.peak.server));
    let client = section.median(subject, |run| Some(run.peak.client));
    cells.push(format!("{} / {}", mib(server), mib(client)));
    cells
}

/// Three digits that mean something.
pub(super) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// Names to the left, everything else to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let mut widths = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:width$}"),
            // A mark stands close to its ratio.
            _ if *width == 1 => format!(" {cell:width$}"),
            _ => format!("  {cell:>width$}"),
        });
        let line: String = cells.collect();
        let _ = writeln!(out, "  {}", line.trim_end());
    }
    out
}

/// Each bar in a line, so that nobody has to look for those that were missed.
fn bars(results: &Results, out: &mut String) {
    let mut lines = Vec::new();
    for section in &results.sections {
        let scenario = section.scenario.as_ref();
        for figure in scenario.figures() {
            for subject in section.subjects() {
                let Some(ratio) = section.ratio(subject, figure) else { continue };
                let Some(bar) = ratio.bar else { continue };
                lines.push(vec![
                    format!("{} {}, {}", ratio.mark(), scenario.name(), scenario.settings()),
                    format!("{} / {subject}", figure.unit),
                    format!("{:.3}", ratio.value),
                    format!("{} {bar}", figure.limit_sign()),
                ]);
            }
        }
    }
    if !lines.is_empty() {
        let _ = write!(out, "\nBars\n{}", aligned(&lines));
    }
}
