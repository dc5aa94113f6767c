//! Two whose only common place is a friend: how long it takes from the wish to the link, where every leg takes its time.

use std::fmt::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::lab::Failure;
use crate::lab::arguments::Arguments;
use crate::lab::ground::Layout;
use crate::lab::kind::Kind;
use crate::lab::pair::{Meeting, Options};
use crate::lab::person::Person;
use crate::lab::report::{Report, shown};
use crate::lab::space::Space;
use crate::lab::table::{percentile, share, sorted};
use crate::lab::trio::Helpers;
use crate::lab::wire::Wire;
use crate::lab::{lanes, say};

/// Each way from a home to the friend; the homes are two of these apart.
const LEG: Duration = Duration::from_millis(20);
/// There and back through the friend, there and back directly, and 50 ms for everything else.
const BAR_MS: u64 = 4 * 20 + 4 * 20 + 50;
/// Which pairs: where probing needs no guess.
const PAIRS: [[Kind; 2]; 3] = [
    [Kind::PortRestricted, Kind::PortRestricted],
    [Kind::FullCone, Kind::Cgnat],
    [Kind::Public, Kind::SymmetricRandom],
];
const RUNS: usize = 5;
/// Until friends have told each other of a change, and nodes have measured what is in front of them.
const TOLD: Duration = Duration::from_secs(3);

/// All runs of a pair.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct BoardRuns {
    /// It tells these from others where they are printed.
    pub(crate) board: bool,
    pub(crate) dials: String,
    pub(crate) waits: String,
    pub(crate) tried: usize,
    /// From the wish to the link, in milliseconds, of those that were linked.
    pub(crate) linked_ms: Vec<u64>,
    pub(crate) failures: Vec<String>,
}

impl BoardRuns {
    pub(crate) fn is_good(&self) -> bool {
        self.failures.is_empty() && self.linked_ms.len() == self.tried
    }

    /// Half of the runs at least kept to it: the machine that this runs on has its moments too.
    pub(crate) fn is_soon(&self) -> bool {
        let soon = self.linked_ms.iter().filter(|ms| **ms <= BAR_MS).count();
        soon * 2 >= self.tried
    }

    pub(crate) fn line(&self) -> String {
        let word = match (self.is_good(), self.is_soon()) {
            (false, _) => "FAILED",
            (true, false) => "slow",
            (true, true) => "ok",
        };
        let times = sorted(self.linked_ms.iter().copied());
        let median = shown(times.get(times.len() / 2).copied());
        let mut line = format!(
            "{word:<6} {:>20} -> {:<20} through a friend: {}/{} linked, median {median}, of at most {BAR_MS} ms: {:?}",
            self.dials,
            self.waits,
            self.linked_ms.len(),
            self.tried,
            self.linked_ms,
        );
        for failure in &self.failures {
            let _ = write!(line, "\n        {failure}");
        }
        line
    }
}

pub(crate) fn run(arguments: &Arguments, options: Options, folder: &Path) -> Result<Report, Failure> {
    let boards = lanes::run(1, PAIRS.to_vec(), |number, kinds| {
        let seed = options.seed.wrapping_add(number as u64 * 1000);
        let wire = Wire { delay: LEG, jitter: Duration::ZERO, lost_per_million: 0, is_each: true, seed };
        let options = Options { seed, wire: Some(wire), helpers: Some(Helpers::Meet), ..options };
        let runs = pair(kinds, options, &folder.join(format!("board{number}")));
        say::remark(&runs.line());
        if arguments.json
            && let Ok(line) = serde_json::to_string(&runs)
        {
            say::result(&line);
        }
        runs
    });
    Ok(Report { boards, ..Report::default() })
}

fn pair(kinds: [Kind; 2], options: Options, folder: &Path) -> BoardRuns {
    let [one, other] = kinds;
    let (dials, waits) = (one.name().to_owned(), other.name().to_owned());
    let mut runs =
        BoardRuns { board: true, dials, waits, tried: RUNS, linked_ms: Vec::new(), failures: Vec::new() };
    match Meeting::new(Layout::Homes(one, other), options, folder) {
        Err(failure) => runs.failures.push(failure.to_string()),
        Ok(mut meeting) => match meeting.leave_folder() {
            Err(failure) => runs.failures.push(failure.to_string()),
            Ok(()) => {
                for number in 0..RUNS {
                    match meeting.link_through_friend(number as u64) {
                        Ok(ms) => runs.linked_ms.push(ms),
                        Err(failure) => runs.failures.push(failure.to_string()),
                    }
                }
            }
        },
    }
    runs
}

impl Meeting {
    /// Both learn where the friend is now, and tell each other that she is the only place where they can be met.
    fn leave_folder(&mut self) -> Result<(), Failure> {
        self.begin(0)?;
        let ([ada, ben], [at, there]) = (&self.trio.pair, &self.ground.hosts);
        if self.reach_public()? != [true; 2] {
            return Err("the friend is not reached".into());
        }
        ada.run(&at.space, &["ping", "Ben", "--wait", "20s"], Duration::from_secs(20))?.object()?;
        for (person, host) in [(ada, at), (ben, there)] {
            person.run(&host.space, &["bridge", "remove", "dir"], Duration::ZERO)?.object()?;
        }
        thread::sleep(TOLD);
        Ok(())
    }

    /// From the wish to the link, on routers that have forgotten everything and with nodes that have just started, both in touch with the friend.
    fn link_through_friend(&mut self, number: u64) -> Result<u64, Failure> {
        self.begin(number)?;
        let ([ada, ben], [at, there]) = (&self.trio.pair, &self.ground.hosts);
        in_touch(ada, &at.space)?;
        in_touch(ben, &there.space)?;
        thread::sleep(TOLD);
        let starting = starting(ada, &at.space)?;
        drop(ada.news());
        let began = Instant::now();
        let said = ada.run(&at.space, &["ping", "Ben", "--wait", "10s"], Duration::from_secs(10))?;
        if said.code != Some(0) {
            return Err(format!("{}; {}", said.complaint, self.explained()?).into());
        }
        let until = Instant::now() + Duration::from_secs(1);
        while let Some((when, event)) = ada.next_event(until) {
            if event["event"] == "link-up" && event["friend"] == "Ben" {
                let took = when.saturating_duration_since(began).saturating_sub(starting);
                return Ok(u64::try_from(took.as_millis())?);
            }
        }
        Err("no link was told of".into())
    }
}

/// Waits until the bridge over the friend works.
fn in_touch(person: &Person, at: &Space) -> Result<(), Failure> {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        let bridges = person.run(at, &["bridge", "list"], Duration::ZERO)?.objects;
        if bridges.iter().any(|bridge| bridge["kind"] == "friend" && bridge["healthy"] == true) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Err(format!("the bridge of {} over the friend does not work", person.name).into())
}

/// What a command takes to start and to be told the node's answer.
fn starting(person: &Person, at: &Space) -> Result<Duration, Failure> {
    let began = Instant::now();
    person.run(at, &["status"], Duration::ZERO)?.object()?;
    Ok(began.elapsed())
}

pub(super) fn table(boards: &[BoardRuns]) -> String {
    if boards.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "### Through a friend alone

The only place that both know is a friend, {} ms away from either, each way; they are twice that apart. From the wish to the link; there and back through the friend, and there and back
directly, are 160 ms.

| dials | waits | linked | median | longest |
|---|---|---|---|---|
",
        LEG.as_millis()
    );
    for runs in boards {
        let times = sorted(runs.linked_ms.iter().copied());
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} ms | {} ms |",
            runs.dials,
            runs.waits,
            share(times.len(), runs.tried),
            percentile(&times, 50),
            percentile(&times, 100),
        );
    }
    text
}
