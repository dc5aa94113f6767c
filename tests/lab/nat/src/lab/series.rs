//! Which runs are made.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::arguments::{Arguments, Pairs};
use super::dice::Dice;
use super::ground::Layout;
use super::hardships::{self, Hardship};
use super::kind::Kind;
use super::oracle::{Way, way};
use super::pair::{Meeting, Options};
use super::report::{PairRuns, Report, Series};
use super::trio::Abilities;
use super::wire::Wire;
use super::{Failure, iroh, lanes, newcomer, relayed, say};

/// A pair, and how often.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    series: Series,
    pub(super) layout: Layout,
    pub(super) runs: usize,
}

/// Makes all runs that were asked for.
pub(crate) fn run(arguments: &Arguments, folder: &Path) -> Result<Report, Failure> {
    let began = Instant::now();
    let options = Options {
        abilities: Abilities::find(folder)?,
        patience: arguments.patience,
        settle: Duration::from_millis(600),
        log: arguments.keep,
        seed: arguments.seed,
        wire: arguments.wire.map(|(delay, lost_per_million)| wire(delay, lost_per_million, arguments.seed)),
        helpers: None,
    };
    say::remark(&format!("seed {}, {:?}", arguments.seed, options.abilities));
    if arguments.through_friend {
        return relayed::board::run(arguments, options, folder);
    }
    let mut work = pairs(arguments);
    if arguments.relayed {
        work.retain(|work| work.runs > 0);
        return relayed::series::run(arguments, options, &work, folder);
    }
    if arguments.special {
        work.extend(special());
    }
    if arguments.newcomers {
        work.extend(newcomers());
    }
    if arguments.iroh.is_some() {
        let same = work.iter().filter(|work| work.series == Series::Pairs);
        // What it can reach it reaches each time, and the rest takes long.
        let once = same.map(|work| Work { series: Series::Iroh, runs: work.runs.min(1), ..*work });
        work.extend(once.collect::<Vec<_>>());
    }
    work.retain(|work| work.runs > 0);
    let pairs = lanes::run(arguments.lanes, work, |number, work| {
        let seed = options.seed.wrapping_add(number as u64 * 1000);
        let wire = match work.series {
            Series::Wire => Some(wire(Duration::from_millis(50), 10_000, seed)),
            _ => options.wire,
        };
        let folder = folder.join(format!("pair{number}"));
        let result = match &arguments.iroh {
            Some(program) if work.series == Series::Iroh => pair_of_iroh(work, program, seed, &folder),
            _ if work.series == Series::Newcomer => {
                newcomer(work, Options { seed, wire, ..options }, &folder)
            }
            _ => pair(work, Options { seed, wire, ..options }, &folder),
        };
        let result = again(arguments, work, result, |result| {
            let more = pair(work, Options { seed: seed.wrapping_add(1), wire, ..options }, &folder);
            result.runs.extend(more.runs);
            result.failures.extend(more.failures);
        });
        say::remark(&result.line());
        if arguments.json
            && let Ok(line) = serde_json::to_string(&result)
        {
            say::result(&line);
        }
        result
    });
    let mut report = Report { pairs, ..Report::default() };
    if arguments.special || arguments.hardships {
        endure(arguments, options, folder, &mut report);
    }
    say::remark(&format!("{:.0} s", began.elapsed().as_secs_f64()));
    Ok(report)
}

fn wire(delay: Duration, lost_per_million: u32, seed: u64) -> Wire {
    Wire { delay, jitter: delay / 10, lost_per_million, is_each: false, seed }
}

fn pairs(arguments: &Arguments) -> Vec<Work> {
    let plain = |layout, runs| Work { series: Series::Pairs, layout, runs };
    let Pairs::All = &arguments.pairs else {
        let Pairs::These(pairs) = &arguments.pairs else { return Vec::new() };
        return pairs.iter().map(|(one, other)| plain(Layout::Homes(*one, *other), arguments.runs)).collect();
    };
    let mut work = Vec::new();
    let mut dice = Dice(arguments.seed);
    for (number, one) in Kind::ALL.into_iter().enumerate() {
        for other in Kind::ALL.into_iter().skip(number) {
            // Half of several runs each way, else by lot.
            let (there, back) = match arguments.runs {
                1 if dice.below(2) == 0 => (1, 0),
                1 => (0, 1),
                runs => (runs.div_ceil(2), runs / 2),
            };
            if one == other {
                work.push(plain(Layout::Homes(one, one), there + back));
            } else {
                work.push(plain(Layout::Homes(one, other), there));
                work.push(plain(Layout::Homes(other, one), back));
            }
        }
    }
    work.push(plain(Layout::SameLan(Kind::PortRestricted), arguments.runs));
    work.push(plain(Layout::SameLan(Kind::SymmetricRandom), arguments.runs));
    work.push(plain(Layout::Hairpin(Kind::PortRestricted), arguments.runs));
    work
}

/// Who knows nobody but who invites it, both behind NATs.
fn newcomers() -> Vec<Work> {
    use Kind::{Cgnat, FullCone, PortRestricted, SymmetricRandom, SymmetricSequential};
    let pairs = [
        (PortRestricted, PortRestricted),
        (Cgnat, PortRestricted),
        (FullCone, Cgnat),
        (SymmetricRandom, PortRestricted),
        (PortRestricted, SymmetricRandom),
        (SymmetricSequential, PortRestricted),
        (PortRestricted, SymmetricSequential),
    ];
    let work = |(one, other)| Work { series: Series::Newcomer, layout: Layout::Homes(one, other), runs: 5 };
    pairs.map(work).into()
}

/// What takes many runs to be known: in pieces, so that several go side by side.
fn special() -> Vec<Work> {
    use Kind::{Cgnat, FullCone, PortRestricted, SymmetricRandom, SymmetricSequential};
    let mut work = Vec::new();
    let mut both = |series, one, other, pieces, runs| {
        for _ in 0..pieces {
            work.push(Work { series, layout: Layout::Homes(one, other), runs });
            work.push(Work { series, layout: Layout::Homes(other, one), runs });
        }
    };
    both(Series::Birthday, SymmetricRandom, PortRestricted, 2, 25);
    both(Series::Prediction, SymmetricSequential, PortRestricted, 3, 50);
    for (one, other) in [
        (PortRestricted, FullCone),
        (PortRestricted, Cgnat),
        (SymmetricRandom, FullCone),
        (SymmetricRandom, PortRestricted),
        (SymmetricSequential, PortRestricted),
    ] {
        both(Series::Wire, one, other, 1, 5);
    }
    work
}

impl Work {
    /// Who dials, who waits, and the best way there is for them without a relay.
    pub(super) const fn names(&self) -> (&'static str, &'static str) {
        match self.layout {
            Layout::Homes(one, other) => (one.name(), other.name()),
            Layout::SameLan(kind) => (kind.name(), "same network"),
            Layout::Hairpin(kind) => (kind.name(), "hairpin"),
        }
    }

    /// The best way there is without a relay.
    pub(super) fn way(&self) -> Way {
        match self.layout {
            Layout::Homes(one, other) => way(one, other),
            Layout::SameLan(_) | Layout::Hairpin(_) => Way::Asking,
        }
    }

    /// No runs yet.
    fn result(&self) -> PairRuns {
        let (dials, waits) = self.names();
        PairRuns {
            series: self.series,
            dials: dials.to_owned(),
            waits: waits.to_owned(),
            expected: self.way(),
            runs: Vec::new(),
            failures: Vec::new(),
            is_second_try: false,
        }
    }
}

/// Where each pair is tried once, one that failed is tried once more, and counts as good if that succeeds: what both came to is shown.
fn again(
    arguments: &Arguments,
    work: Work,
    mut result: PairRuns,
    retry: impl FnOnce(&mut PairRuns),
) -> PairRuns {
    let once = matches!(arguments.pairs, Pairs::All) && work.runs == 1 && work.series == Series::Pairs;
    if once && !arguments.keep && !result.verdict().is_good() {
        say::remark(&format!("again: {}", result.line()));
        retry(&mut result);
        result.is_second_try = true;
    }
    result
}

fn pair_of_iroh(work: Work, program: &Path, seed: u64, folder: &Path) -> PairRuns {
    let mut result = work.result();
    for number in 0..work.runs {
        match iroh::run(program, work.layout, seed.wrapping_add(number as u64), folder) {
            Ok(run) => result.runs.push(run),
            Err(failure) => result.failures.push(failure.to_string()),
        }
    }
    result
}

/// Each run with people who have just met.
fn newcomer(work: Work, options: Options, folder: &Path) -> PairRuns {
    let mut result = work.result();
    for number in 0..work.runs {
        let seed = options.seed.wrapping_add(number as u64);
        match newcomer::run(work.layout, Options { seed, ..options }, folder, result.expected) {
            Ok(run) => result.runs.push(run),
            Err(failure) => result.failures.push(failure.to_string()),
        }
        discard(options, folder);
    }
    result
}

fn pair(work: Work, options: Options, folder: &Path) -> PairRuns {
    let (layout, mut result) = (work.layout, work.result());
    let expected = result.expected;
    let mut meeting = None;
    for number in 0..work.runs {
        let run = match meeting.take().map_or_else(|| Meeting::new(layout, options, folder), Ok) {
            Ok(mut made) => made.run(number as u64, expected).inspect(|_| meeting = Some(made)),
            Err(failure) => Err(failure),
        };
        match run {
            Ok(run) => {
                // What a meeting that failed leaves in the stores would be tried on first in the next run.
                if !run.direct && expected != Way::Never && !options.log {
                    meeting = None;
                    discard(options, folder);
                }
                result.runs.push(run);
            }
            Err(failure) => {
                result.failures.push(failure.to_string());
                // Homes are made anew, at a place that is empty.
                discard(options, folder);
            }
        }
    }
    drop(meeting);
    discard(options, folder);
    result
}

pub(super) fn discard(options: Options, folder: &Path) {
    if !options.log {
        // What is left is removed with the folder above.
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// Hardships, and idleness.
fn endure(arguments: &Arguments, options: Options, folder: &Path, report: &mut Report) {
    let homes = [
        [Kind::PortRestricted, Kind::PortRestricted],
        [Kind::PortRestricted, Kind::FullCone],
        [Kind::SymmetricRandom, Kind::FullCone],
    ];
    let work: Vec<_> =
        Hardship::ALL.into_iter().flat_map(|hardship| homes.map(|kinds| (hardship, kinds))).collect();
    let place = |what: &str, number: usize| -> PathBuf { folder.join(format!("{what}{number}")) };
    report.hardships = lanes::run(arguments.lanes, work, |number, (hardship, kinds)| {
        let outcome = hardships::befall(hardship, kinds, options, &place("hardship", number));
        let names = kinds.map(Kind::name);
        match &outcome {
            Ok(outcome) => say::remark(&outcome.line()),
            Err(failure) => say::remark(&format!("FAILED {} {names:?}: {failure}", hardship.sentence())),
        }
        outcome.map_err(|failure| format!("{names:?}: {}: {failure}", hardship.sentence()))
    });
    report.idle = lanes::run(homes.len(), homes.to_vec(), |number, kinds| {
        let idle = hardships::idle(kinds, options, &place("idle", number));
        if let Ok(idle) = &idle {
            say::remark(&format!("idle {} {}: {:?}", idle.dials, idle.waits, idle.packets));
        }
        idle.map_err(|failure| format!("{:?} idle: {failure}", kinds.map(Kind::name)))
    });
}
