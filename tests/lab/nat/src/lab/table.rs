//! The tables of `docs/NAT.md`, but for those about relays.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::Failure;
use super::hardships::Hardship;
use super::kind::Kind;
use super::oracle::{Way, way};
use super::pair::Run;
use super::relayed;
use super::report::{PairRuns, Report, Series};

const BEGIN: &str = "<!-- written by wayside-nat-lab -->";
/// Where what was tried with a relay stands.
const BEGIN_RELAYED: &str = "<!-- written by wayside-nat-lab with --relayed -->";
const END: &str = "<!-- end of what it wrote -->";

/// Writes all tables between the marks in a file. Of what was not tried, those that are there stay.
pub(crate) fn write(report: &Report, file: &Path) -> Result<(), Failure> {
    let mut text = fs::read_to_string(file)?;
    if !report.pairs.is_empty() || !report.hardships.is_empty() {
        text = between(&text, BEGIN, &direct(report))?;
    }
    let of_relays = relayed::table::all(report);
    if !of_relays.is_empty() {
        text = between(&text, BEGIN_RELAYED, &of_relays)?;
    }
    fs::write(file, text)?;
    Ok(())
}

/// A text with other tables behind a mark.
fn between(text: &str, begin: &str, tables: &str) -> Result<String, Failure> {
    let (before, rest) =
        text.split_once(begin).ok_or_else(|| format!("the file has no mark {begin} where tables begin"))?;
    let (_, after) = rest.split_once(END).ok_or("the file has no mark where the tables end")?;
    Ok(format!("{before}{begin}\n\n{tables}\n{END}{after}"))
}

fn direct(report: &Report) -> String {
    let mut tables = vec![every_pair(&report.pairs, Series::Pairs, WAYSIDE), others(&report.pairs)];
    if report.pairs.iter().any(|pair| pair.series == Series::Iroh) {
        tables.push(every_pair(&report.pairs, Series::Iroh, IROH));
    }
    tables.push(iroh_tests(&report.pairs, Series::Pairs, IROH_TESTS));
    if report.pairs.iter().any(|pair| pair.series == Series::Iroh) {
        tables.push(iroh_tests(&report.pairs, Series::Iroh, "iroh 1.4.1 in these, its relay removed:"));
    }
    tables.extend([series(&report.pairs), hardships(report), idle(report)]);
    tables.retain(|table| !table.is_empty());
    tables.join("\n")
}

const WAYSIDE: &str = "### Every pair

Runs with a direct link of all runs, both directions together; the median from the answer to the first data.";

const IROH: &str = "### iroh 1.4.1 in the same places

Without its relays, which are how it learns its address outside and how it says when to punch: two ends that are told each other's own addresses by
hand, both of which dial. The same theory, which counts on a friend in public, and which iroh has no way to follow without a server.";

const IROH_TESTS: &str = "### The pairs of iroh's tests

A row a kind of who dials, a column a kind of who waits. Two symmetric NATs need a relay.";

/// A row and a column a kind.
fn every_pair(pairs: &[PairRuns], series: Series, title: &str) -> String {
    let mut text = format!("{title}\n\n| |");
    for kind in Kind::ALL {
        let _ = write!(text, " {} |", kind.name());
    }
    text += "\n|---|";
    text += &"---|".repeat(Kind::ALL.len());
    for (number, one) in Kind::ALL.into_iter().enumerate() {
        let _ = write!(text, "\n| {} |", one.name());
        for (column, other) in Kind::ALL.into_iter().enumerate() {
            let of_pair = |pair: &PairRuns| {
                let names = (pair.dials.as_str(), pair.waits.as_str());
                pair.series == series
                    && (names == (one.name(), other.name()) || names == (other.name(), one.name()))
            };
            let cell = if column < number { String::new() } else { cell(pairs, of_pair, way(one, other)) };
            let _ = write!(text, " {cell} |");
        }
    }
    text + "\n"
}

/// Homes with two hosts.
fn others(pairs: &[PairRuns]) -> String {
    let mut text = String::new();
    for pair in pairs.iter().filter(|pair| pair.series == Series::Pairs && Kind::parse(&pair.waits).is_none())
    {
        let cell = cell(std::slice::from_ref(pair), |_| true, pair.expected);
        let _ = writeln!(text, "- Two hosts behind one {} router, {}: {cell}", pair.dials, pair.waits);
    }
    text
}

/// The sixteen pairs of the tests that iroh has of its hole punching, by its names.
fn iroh_tests(pairs: &[PairRuns], series: Series, title: &str) -> String {
    const KINDS: [(&str, Kind); 4] = [
        ("None", Kind::Public),
        ("Open", Kind::FullCone),
        ("Moderate", Kind::PortRestricted),
        ("Strict", Kind::SymmetricRandom),
    ];
    let mut text = format!("{title}\n\n| |");
    for (name, _) in KINDS {
        let _ = write!(text, " {name} |");
    }
    text += "\n|---|---|---|---|---|";
    for (name, one) in KINDS {
        let _ = write!(text, "\n| {name} |");
        for (_, other) in KINDS {
            let of_pair = |pair: &PairRuns| {
                pair.series == series
                    && (pair.dials.as_str(), pair.waits.as_str()) == (one.name(), other.name())
            };
            let _ = write!(text, " {} |", cell(pairs, of_pair, way(one, other)));
        }
    }
    text + "\n"
}

/// The runs that were made for their number.
fn series(pairs: &[PairRuns]) -> String {
    let mut keys: Vec<(Series, &str, &str)> = Vec::new();
    for pair in pairs.iter().filter(|pair| !matches!(pair.series, Series::Pairs | Series::Iroh)) {
        let key = (pair.series, pair.dials.as_str(), pair.waits.as_str());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    if keys.is_empty() {
        return String::new();
    }
    let mut text = "### Series\n\n| | dials | waits | direct | median | 95th of 100 | probes sent, median |\n|---|---|---|---|---|---|---|".to_owned();
    for key in keys {
        let of_key =
            pairs.iter().filter(|pair| (pair.series, pair.dials.as_str(), pair.waits.as_str()) == key);
        let of_key: Vec<&PairRuns> = of_key.collect();
        let tried: usize = of_key.iter().map(|pair| pair.tried()).sum();
        let runs: Vec<&Run> = of_key.iter().flat_map(|pair| &pair.runs).filter(|run| run.direct).collect();
        let times = sorted(runs.iter().filter_map(|run| run.punch_ms));
        let probes = sorted(runs.iter().map(|run| run.probes.iter().sum()));
        let what = match key.0 {
            Series::Wire => "50 ms each way, 1 % lost",
            Series::Birthday => "random ports",
            Series::Newcomer => "an invite is accepted",
            Series::Prediction | Series::Pairs | Series::Iroh => "ports in order",
        };
        let _ = write!(
            text,
            "\n| {what} | {} | {} | {} | {} ms | {} ms | {} |",
            key.1,
            key.2,
            share(runs.len(), tried),
            percentile(&times, 50),
            percentile(&times, 95),
            percentile(&probes, 50),
        );
    }
    text + "\n"
}

fn hardships(report: &Report) -> String {
    if report.hardships.is_empty() {
        return String::new();
    }
    let mut text = "### What befalls links\n\nFrom the end of it to the answer of a ping.\n\n| | dials | waits | answered after | |\n|---|---|---|---|---|".to_owned();
    for hardship in Hardship::ALL {
        for outcome in report.hardships.iter().flatten().filter(|outcome| outcome.hardship == hardship) {
            let answered = outcome.answered_ms.map_or("**never**".to_owned(), |ms| format!("{ms} ms"));
            let link = if outcome.same_link { "the same link" } else { "another link" };
            let (dials, waits) = (outcome.dials, outcome.waits);
            let _ = write!(text, "\n| {} | {dials} | {waits} | {answered} | {link} |", hardship.sentence());
        }
    }
    for failure in report.hardships.iter().filter_map(|outcome| outcome.as_ref().err()) {
        let _ = write!(text, "\n\n**Not tried:** {}", failure.lines().next().unwrap_or_default());
    }
    text + "\n"
}

fn idle(report: &Report) -> String {
    let mut text = String::new();
    for idle in report.idle.iter().flatten() {
        if text.is_empty() {
            text += "### What an idle link costs\n\nPackets from who dialled and to it, in each 20 s of five minutes.\n\n| dials | waits | out | in |\n|---|---|---|---|\n";
        }
        let list = |side: usize| {
            let counts = idle.packets.iter().filter_map(|packets| packets.get(side));
            counts.map(u64::to_string).collect::<Vec<_>>().join(" ")
        };
        let _ = writeln!(text, "| {} | {} | {} | {} |", idle.dials, idle.waits, list(0), list(1));
    }
    text
}

fn cell(pairs: &[PairRuns], wanted: impl Fn(&PairRuns) -> bool, expected: Way) -> String {
    let pairs: Vec<_> = pairs.iter().filter(|pair| wanted(pair)).collect();
    let tried: usize = pairs.iter().map(|pair| pair.tried()).sum();
    let runs: Vec<&Run> = pairs.iter().flat_map(|pair| &pair.runs).filter(|run| run.direct).collect();
    let times = sorted(runs.iter().filter_map(|run| run.punch_ms));
    match (expected, runs.len()) {
        _ if tried == 0 => "not tried".to_owned(),
        (Way::Never, 0) => "–".to_owned(),
        (_, 0) => share(0, tried),
        (_, reached) => format!("{}, {} ms", share(reached, tried), percentile(&times, 50)),
    }
}

/// What is less than all stands out.
pub(super) fn share(reached: usize, tried: usize) -> String {
    if reached == tried { format!("{reached}/{tried}") } else { format!("**{reached}/{tried}**") }
}

pub(super) fn sorted(values: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values
}

pub(super) fn percentile(sorted: &[u64], percent: usize) -> String {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).map_or("–".to_owned(), u64::to_string)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect has failed")]

    use super::*;

    #[test]
    fn what_was_not_tried_stays_as_it_is() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n{BEGIN_RELAYED}\nold too\n{END}\nc");
        let text = between(&text, BEGIN_RELAYED, "new").unwrap();
        assert_eq!(text, format!("a\n{BEGIN}\nold\n{END}\nb\n{BEGIN_RELAYED}\n\nnew\n{END}\nc"));
        assert!(between("a", BEGIN, "new").is_err());
    }
}
