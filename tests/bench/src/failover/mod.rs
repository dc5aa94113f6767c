//! For how long data stands still when the network in use dies, or an address changes.
//!
//! Two processes in two namespaces hold a link, and one sends a numbered record every two milliseconds ([`records`]). What happens to them is in
//! [`cut`] and [`roam`], on the ground that [`ground`] lays.

mod cut;
mod end;
mod figures;
mod ground;
mod links;
pub(crate) mod records;
mod roam;
mod session;

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};

use self::cut::Networks;
pub(crate) use self::end::run as end;
use self::figures::Results;
use self::session::Gap;
use crate::machine::Setup;
use crate::subjects::SubjectName;
use crate::wire::Dice;
use crate::{Failure, netns, report};

#[derive(Args)]
pub(crate) struct Options {
    /// Few rounds of everything, to see that it works.
    #[arg(long)]
    quick: bool,
    /// Print everything as JSON: machine, versions, every round.
    #[arg(long)]
    json: bool,
    /// Only these scenarios.
    #[arg(long, value_delimiter = ',', value_name = "SCENARIO,…")]
    only: Vec<Name>,
    /// How many rounds each scenario has; iroh has a fifth of them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Leave iroh out.
    #[arg(long)]
    alone: bool,
    /// Draws the same moments again.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// The network in use dies while records flow.
    Cut,
    /// The same, 25 ms away.
    Far,
    /// It dies while nothing flows, and then one record is written.
    Idle,
    /// An address is replaced while records flow.
    Roam,
}

/// One way, of each network in `far`.
const FAR: Duration = Duration::from_millis(25);

impl Name {
    const ALL: [Self; 4] = [Self::Cut, Self::Far, Self::Idle, Self::Roam];

    fn word(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Far => "far",
            Self::Idle => "idle",
            Self::Roam => "roam",
        }
    }

    fn rounds(self, quick: bool) -> u32 {
        match (self, quick) {
            (Self::Cut | Self::Far | Self::Roam, false) => 50,
            (Self::Idle, false) => 20,
            (Self::Cut | Self::Far, true) => 5,
            (Self::Roam, true) => 6,
            (Self::Idle, true) => 4,
        }
    }

    fn missing(self) -> Option<String> {
        if self == Self::Far { netns::missing_for_wire() } else { netns::missing() }
    }
}

pub(crate) async fn run(options: Options) -> Result<ExitCode, Failure> {
    if cfg!(debug_assertions) {
        report::note("built without optimisation (cargo run --release): the figures mean nothing");
    }
    let seed = options
        .seed
        .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs()));
    let mut chance = Chance(Dice(seed));
    let subjects: &[_] =
        if options.alone { &[SubjectName::Wayside] } else { &[SubjectName::Wayside, SubjectName::Iroh] };
    let mut results =
        Results { setup: Setup::here(), quick: options.quick, seed, series: Vec::new(), skipped: Vec::new() };
    for name in if options.only.is_empty() { &Name::ALL[..] } else { &options.only } {
        if let Some(reason) = name.missing() {
            report::note(&format!("{} skipped: {reason}", name.word()));
            results.skipped.push((name.word(), reason));
            continue;
        }
        let rounds = options.rounds.unwrap_or_else(|| name.rounds(options.quick));
        results.series.extend(match name {
            Name::Cut => cut::flowing(name.word(), Networks::Bridges, rounds, &mut chance).await?,
            Name::Far => cut::flowing(name.word(), Networks::Wires(FAR), rounds, &mut chance).await?,
            Name::Idle => cut::idle(rounds).await?,
            Name::Roam => roam::run(subjects, rounds, &mut chance).await?,
        });
    }
    print(&results, options.json)?;
    let lost =
        results.series.iter().any(|series| series.subject == SubjectName::Wayside && series.lost() > 0);
    Ok(if lost { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

#[expect(clippy::print_stdout, reason = "a measurement says what it measured")]
fn print(results: &Results, as_json: bool) -> Result<(), Failure> {
    if as_json {
        println!("{}", serde_json::to_string_pretty(&figures::json(results))?);
    } else {
        print!("{}", figures::table(results));
    }
    Ok(())
}

fn note_round(name: &str, number: u32, rounds: u32, who: &str, done: &Result<Gap, String>) {
    let what = match done {
        Ok(gap) => format!("{:.0} ms, longest gap {:.0} ms", gap.until_next, gap.longest),
        Err(reason) => format!("LOST: {reason}"),
    };
    report::note(&format!("{name}, {} of {rounds}, {who}: {what}", number + 1));
}

/// Draws moments that nothing in the link can be in step with.
struct Chance(Dice);

impl Chance {
    fn between(&mut self, (least, most): (Duration, Duration)) -> Duration {
        least + (most - least) * self.0.roll() / 1_000_000
    }
}
