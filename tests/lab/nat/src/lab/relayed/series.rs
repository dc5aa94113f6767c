//! Which runs are made with a relay.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::counts;
use super::endured::Endured;
use super::hardships::{self, Hardship};
use super::meeting::Start;
use super::runs::RelayedRuns;
use crate::lab::Failure;
use crate::lab::arguments::Arguments;
use crate::lab::pair::{Meeting, Options};
use crate::lab::report::Report;
use crate::lab::series::{Work, discard};
use crate::lab::trio::Helpers;
use crate::lab::{lanes, say};

/// All runs with friends who relay that were asked for.
pub(crate) fn run(
    arguments: &Arguments,
    options: Options,
    work: &[Work],
    folder: &Path,
) -> Result<Report, Failure> {
    if !options.abilities.relay {
        return Err("this program does not know `relay`".into());
    }
    let began = Instant::now();
    let wrong = counts::check(arguments.seed, &folder.join("counts"))?;
    if !wrong.is_empty() {
        return Err(wrong.join("; ").into());
    }
    let start = if arguments.cold { Start::Cold } else { Start::Linked };
    let mut report = Report { relayed: pairs(arguments, work, start, options, folder), ..Report::default() };
    if arguments.hardships {
        report.endured = endure(arguments, options, folder);
    }
    say::remark(&format!("{:.0} s", began.elapsed().as_secs_f64()));
    Ok(report)
}

/// Each piece of work, with one friend who relays.
fn pairs(
    arguments: &Arguments,
    work: &[Work],
    start: Start,
    options: Options,
    folder: &Path,
) -> Vec<RelayedRuns> {
    lanes::run(arguments.lanes, work.to_vec(), |number, work| {
        let seed = options.seed.wrapping_add(number as u64 * 1000);
        let folder = folder.join(format!("relayed{number}-{start:?}"));
        let options = Options { seed, helpers: Some(Helpers::Relay(1)), ..options };
        let result = pair(work, start, options, &folder);
        say::remark(&result.line());
        if arguments.json
            && let Ok(line) = serde_json::to_string(&result)
        {
            say::result(&line);
        }
        result
    })
}

fn pair(work: Work, start: Start, options: Options, folder: &Path) -> RelayedRuns {
    let ((dials, waits), expected) = (work.names(), work.way());
    let (dials, waits) = (dials.to_owned(), waits.to_owned());
    let mut result =
        RelayedRuns { relayed: start, dials, waits, expected, runs: Vec::new(), failures: Vec::new() };
    let mut meeting = None;
    for number in 0..work.runs {
        let run = match meeting.take().map_or_else(|| Meeting::new(work.layout, options, folder), Ok) {
            Ok(mut made) => {
                made.run_relayed(number as u64, expected, start).inspect(|_| meeting = Some(made))
            }
            Err(failure) => Err(failure),
        };
        match run {
            Ok(run) => {
                // What a meeting that failed leaves in the stores would be tried on first in the next run.
                if !result.is_good(&run) && !options.log {
                    meeting = None;
                    discard(options, folder);
                }
                result.runs.push(run);
            }
            Err(failure) => {
                result.failures.push(failure.to_string());
                discard(options, folder);
            }
        }
    }
    drop(meeting);
    discard(options, folder);
    result
}

/// Everything that befalls who relays.
fn endure(arguments: &Arguments, options: Options, folder: &Path) -> Vec<Result<Endured, String>> {
    let work: Vec<_> = Hardship::ALL
        .into_iter()
        .flat_map(|hardship| hardships::PAIRS.map(|kinds| (hardship, kinds)))
        .filter(|(hardship, _)| arguments.only.is_none_or(|only| only == *hardship))
        .collect();
    let place = |number: usize| -> PathBuf { folder.join(format!("endured{number}")) };
    lanes::run(arguments.lanes, work, |number, (hardship, kinds)| {
        let endured = hardships::befall(hardship, kinds, options, &place(number));
        discard(options, &place(number));
        let names = kinds.map(|kind| kind.name());
        match &endured {
            Ok(endured) => {
                say::remark(&endured.line());
                if arguments.json
                    && let Ok(line) = serde_json::to_string(endured)
                {
                    say::result(&line);
                }
            }
            Err(failure) => say::remark(&format!("FAILED {} {names:?}: {failure}", hardship.sentence())),
        }
        endured.map_err(|failure| format!("{names:?}: {}: {failure}", hardship.sentence()))
    })
}
