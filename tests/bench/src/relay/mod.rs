//! What a relay costs, and what it adds: three processes, of which two have a link through the third.
//!
//! The ends link directly as well, and runs alternate between the two ways. Circuits are asked for by the parent, not over links: who may have one is not measured here.

mod end;
mod figures;
mod forwarder;
pub(crate) mod scene;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use self::figures::{Bulk, Echo, Idle, Paced, Results};
use self::scene::Scene;
use crate::machine::Setup;
use crate::{Failure, report};

pub(crate) use self::end::run as end;
pub(crate) use self::forwarder::run as forwarder;

#[derive(Args)]
pub(crate) struct Options {
    /// Little of everything, to see that it works.
    #[arg(long)]
    quick: bool,
    /// Print everything as JSON: machine, versions, every round.
    #[arg(long)]
    json: bool,
    /// Only these.
    #[arg(long, value_delimiter = ',', value_name = "SCENARIO,…")]
    only: Vec<Name>,
    /// How many rounds each has.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// As fast as it goes, then at half of that.
    Bulk,
    /// Small datagrams there and back.
    Echo,
    /// Circuits that nobody uses.
    Idle,
}

/// The way of a link between the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    Direct,
    Relayed,
}

/// How large the ends' packets may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Size {
    /// As large as loopback takes them: some 9,000 bytes.
    Jumbo,
    /// As on Ethernet.
    Ethernet,
}

impl Size {
    const BOTH: [Self; 2] = [Self::Jumbo, Self::Ethernet];

    /// The largest UDP payload of a link between the ends, in bytes; with a frame's header it fits Ethernet and IPv6.
    fn largest(self) -> Option<u16> {
        (self == Self::Ethernet).then_some(1_440)
    }
}

impl Way {
    const BOTH: [Self; 2] = [Self::Direct, Self::Relayed];
}

/// How long data is sent at half the rate.
const PACED: Duration = Duration::from_secs(10);
/// Circuits that are left alone, and over how many links from each end.
const CIRCUITS: u32 = 1_000;
const IDLE: [u32; 2] = [32, 1_000];

pub(crate) async fn run(options: Options) -> Result<ExitCode, Failure> {
    if cfg!(debug_assertions) {
        report::note("built without optimisation (cargo run --release): the figures mean nothing");
    }
    let wants = |name| options.only.is_empty() || options.only.contains(&name);
    let (quick, rounds) = (options.quick, if options.quick { 1 } else { options.rounds });
    let mut results = Results::new(Setup::here(), quick);
    if wants(Name::Bulk) {
        let bytes = if quick { 64 << 20 } else { 1 << 30 };
        for (round, size) in (0..rounds).flat_map(|round| Size::BOTH.map(|size| (round, size))) {
            let mut scene = Scene::linked(size).await?;
            // Windows and the path's MTU have found their size.
            for way in Way::BOTH {
                scene.bulk(way, bytes / 16).await?;
            }
            for way in alternating(round) {
                let bulk = scene.bulk(way, bytes).await?;
                report::note(&format!("bulk, {} of {rounds}: {bulk:?}", round + 1));
                results.bulk.push(bulk);
            }
        }
        let rate = Bulk::median_rate(&results.bulk, Size::Ethernet, Way::Relayed).unwrap_or_default() / 2.0;
        let time = if quick { PACED / 5 } else { PACED };
        for round in 0..rounds {
            let mut scene = Scene::linked(Size::Ethernet).await?;
            for way in alternating(round) {
                scene.bulk(way, bytes / 16).await?;
                let paced: Paced = scene.paced(way, rate, time).await?;
                report::note(&format!("paced, {} of {rounds}: {paced:?}", round + 1));
                results.paced.push(paced);
            }
        }
    }
    if wants(Name::Echo) {
        let count = if quick { 500 } else { 5_000 };
        for round in 0..rounds {
            let mut scene = Scene::linked(Size::Ethernet).await?;
            for way in alternating(round) {
                scene.echo(way, count / 10).await?;
                let echo: Echo = scene.echo(way, count).await?;
                report::note(&format!("echo, {} of {rounds}: {echo:?}", round + 1));
                results.echo.push(echo);
            }
        }
    }
    if wants(Name::Idle) {
        for links in IDLE {
            for round in 0..rounds.min(3) {
                let idle: Idle = Scene::idle(links, CIRCUITS).await?;
                report::note(&format!("idle, {}: {idle:?}", round + 1));
                results.idle.push(idle);
            }
        }
    }
    print(&results, options.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Each way goes first in turn.
fn alternating(round: u32) -> [Way; 2] {
    let [direct, relayed] = Way::BOTH;
    if round.is_multiple_of(2) { [direct, relayed] } else { [relayed, direct] }
}

#[expect(clippy::print_stdout, reason = "a measurement says what it measured")]
fn print(results: &Results, as_json: bool) -> Result<(), Failure> {
    if as_json {
        println!("{}", serde_json::to_string_pretty(results)?);
    } else {
        print!("{}", results.table());
    }
    Ok(())
}
