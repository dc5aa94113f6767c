//! The tables of `docs/NAT.md` about relays.

use std::fmt::Write;

use super::board;
use super::endured::Endured;
use super::hardships::Hardship;
use super::meeting::{Run, Start};
use super::runs::{DATA_MS, RelayedRuns};
use crate::lab::kind::Kind;
use crate::lab::oracle::Way;
use crate::lab::report::Report;
use crate::lab::table::{percentile, share, sorted};

/// All of them; empty where nothing was tried.
pub(crate) fn all(report: &Report) -> String {
    let mut tables = vec![
        every_pair(&report.relayed, Start::Linked, LINKED),
        every_pair(&report.relayed, Start::Cold, COLD),
        hardships(&report.endured),
        board::table(&report.boards),
    ];
    tables.retain(|table| !table.is_empty());
    tables.join("\n")
}

const LINKED: &str = "### Every pair, with a friend who relays

Both are linked with the relay when they begin. Good runs of all runs, both directions together; the median from the answer to the first data; then the median from the link until it
has left the relay, or who relays for good. Good is: linked, and in the end direct with no datagram of theirs at the relay's machine, or relayed where there is no other way.";

const COLD: &str = "### The same, with nobody linked with the relay

Both know what it offered them when they were linked last: its addresses, and a token. They reach it as guests when they need it.";

/// A row and a column a kind.
fn every_pair(pairs: &[RelayedRuns], start: Start, title: &str) -> String {
    let pairs: Vec<&RelayedRuns> = pairs.iter().filter(|pair| pair.relayed == start).collect();
    if pairs.is_empty() {
        return String::new();
    }
    let mut text = format!("{title}\n\n| |");
    for kind in Kind::ALL {
        let _ = write!(text, " {} |", kind.name());
    }
    text += "\n|---|";
    text += &"---|".repeat(Kind::ALL.len());
    for (number, one) in Kind::ALL.into_iter().enumerate() {
        let _ = write!(text, "\n| {} |", one.name());
        for (column, other) in Kind::ALL.into_iter().enumerate() {
            let of_pair = |pair: &&&RelayedRuns| {
                let names = (pair.dials.as_str(), pair.waits.as_str());
                names == (one.name(), other.name()) || names == (other.name(), one.name())
            };
            let of_pair: Vec<&RelayedRuns> = pairs.iter().filter(of_pair).copied().collect();
            let _ = write!(text, " {} |", if column < number { String::new() } else { cell(&of_pair) });
        }
    }
    text += "\n\n";
    for pair in pairs.iter().filter(|pair| Kind::parse(&pair.waits).is_none()) {
        let cell = cell(&[pair]);
        let _ = writeln!(text, "- Two hosts behind one {} router, {}: {cell}", pair.dials, pair.waits);
    }
    text += &summary(&pairs);
    text
}

/// How many kept to the bars, and the worst of each.
fn summary(pairs: &[&RelayedRuns]) -> String {
    let all: Vec<&Run> = pairs.iter().flat_map(|pair| &pair.runs).collect();
    let data = sorted(all.iter().filter_map(|run| run.data_ms));
    let mut text = format!(
        "\nTo the first data within {DATA_MS} ms: {}; median {} ms, 95th of 100 {} ms, longest {} ms.\n",
        share(data.iter().filter(|ms| **ms < DATA_MS).count(), all.len()),
        percentile(&data, 50),
        percentile(&data, 95),
        percentile(&data, 100),
    );
    for (what, is_guessed) in [("Where nothing is guessed at", false), ("Where ports are guessed at", true)] {
        let of_group = pairs
            .iter()
            .filter(|pair| pair.expected != Way::Never && (pair.expected == Way::Birthday) == is_guessed);
        let runs: Vec<&Run> = of_group.flat_map(|pair| &pair.runs).collect();
        if runs.is_empty() {
            continue;
        }
        let off = sorted(runs.iter().filter_map(|run| run.off_ms));
        let at_once = runs.iter().filter(|run| run.first.as_deref() == Some("direct")).count();
        let _ = write!(
            text,
            "\n{what}, off the relay in {} runs; median {} ms, 95th of 100 {} ms, longest {} ms; {at_once} were direct from the first.\n",
            share(off.len(), runs.len()),
            percentile(&off, 50),
            percentile(&off, 95),
            percentile(&off, 100),
        );
    }
    text
}

fn cell(pairs: &[&RelayedRuns]) -> String {
    let tried: usize = pairs.iter().map(|pair| pair.tried()).sum();
    if tried == 0 {
        return "not tried".to_owned();
    }
    let good: usize = pairs.iter().map(|pair| pair.good()).sum();
    let runs: Vec<&Run> = pairs.iter().flat_map(|pair| &pair.runs).filter(|run| run.linked).collect();
    let mut text = share(good, tried);
    let data = sorted(runs.iter().filter_map(|run| run.data_ms));
    let off = sorted(runs.iter().filter_map(|run| run.off_ms));
    let _ = write!(text, ", {} ms", percentile(&data, 50));
    if let Some(by) = runs.iter().find_map(|run| run.by.as_ref()).filter(|_| off.is_empty()) {
        let _ = write!(text, ", {by}");
    } else {
        let _ = write!(text, ", off {} ms", percentile(&off, 50));
    }
    text
}

fn hardships(endured: &[Result<Endured, String>]) -> String {
    if endured.is_empty() {
        return String::new();
    }
    let mut text = "### What befalls who relays

While numbered messages of 20 kB flow, one behind the other: the longest time without one from then on. Where they meet only then, from the answer to the first data.

| | dials | waits | again after | lost | twice | of | by, then by |
|---|---|---|---|---|---|---|---|"
        .to_owned();
    for hardship in Hardship::ALL {
        for outcome in endured.iter().flatten().filter(|outcome| outcome.endured == hardship) {
            let again = match outcome.again_ms {
                None => "**never**".to_owned(),
                Some(ms) if outcome.is_soon() => format!("{ms} ms"),
                Some(ms) => format!("**{ms} ms**"),
            };
            let bold = |count: usize| if count == 0 { "0".to_owned() } else { format!("**{count}**") };
            let who = |relay: &Option<String>| relay.clone().unwrap_or_else(|| "–".to_owned());
            let _ = write!(
                text,
                "\n| {} | {} | {} | {again} | {} | {} | {} | {}, {} |",
                hardship.sentence(),
                outcome.dials,
                outcome.waits,
                bold(outcome.lost),
                bold(outcome.twice),
                outcome.sent,
                who(&outcome.before),
                who(&outcome.after),
            );
        }
    }
    for failure in endured.iter().filter_map(|outcome| outcome.as_ref().err()) {
        let _ = write!(text, "\n\n**Not tried:** {}", failure.lines().next().unwrap_or_default());
    }
    text + "\n"
}
