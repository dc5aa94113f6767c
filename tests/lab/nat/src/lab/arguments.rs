//! What the command line says.

use std::path::PathBuf;
use std::time::Duration;

use super::Failure;
use super::kind::Kind;
use super::relayed::hardships::Hardship as Befalls;

/// How it is called.
pub(crate) const USAGE: &str = "wayside-nat-lab [--check] [--quick] [--full] [--pair A,B] [options]

  --check           only whether each NAT is what it claims
  --quick           each pair once, who dials drawn by lot
  --full            each pair ten times in both directions together, and the special series
  --newcomers       who knows nobody accepts an invite behind a NAT
  --hardships       what befalls links that are up, and what idle ones cost (7 minutes)
  --relayed         with a friend in public who relays: each pair once, or those that are named; with --hardships what
                    befalls who relays instead of what befalls links
  --cold            the same, with nobody linked with the relay beforehand
  --through-friend  a friend is the only place where they meet, 20 ms away from both
  --befalls NAME    only this of what befalls who relays (killed, vanishes, …)
  --pair A,B        only this pair, A dials; may be given again
  --iroh PROGRAM    the same pairs with iroh, by the program that tests/bench builds
  --runs N          so many runs a pair
  --lanes N         so many grounds side by side (3)
  --wire MS,LOSS    a wire in between: milliseconds each way, losses in per cent
  --patience S      how long a meeting may take (20)
  --seed N          draws the same lots again
  --json            a line of JSON a run
  --from FILE       adds what an earlier call printed with --json to what is written
  --write FILE      writes the table between the marks in this file
  --keep            keeps homes and logs, and says where
  --no-check        believes that each NAT is what it claims
  --hold A,B        makes the ground of this pair, says its names, and waits for the end of its input
  --list            the kinds

The program under test is WAYSIDE_BIN, or `wayside` beside this one.";

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) check: bool,
    pub(crate) pairs: Pairs,
    pub(crate) runs: usize,
    pub(crate) special: bool,
    pub(crate) hardships: bool,
    pub(crate) newcomers: bool,
    pub(crate) relayed: bool,
    /// Nobody is linked with the relay.
    pub(crate) cold: bool,
    pub(crate) through_friend: bool,
    /// Only this of what befalls who relays.
    pub(crate) only: Option<Befalls>,
    pub(crate) lanes: usize,
    /// Delay, and losses of a million.
    pub(crate) wire: Option<(Duration, u32)>,
    pub(crate) patience: Duration,
    pub(crate) seed: u64,
    pub(crate) json: bool,
    pub(crate) write: Option<String>,
    /// Whose results are added.
    pub(crate) from: Vec<PathBuf>,
    pub(crate) keep: bool,
    pub(crate) iroh: Option<PathBuf>,
    pub(crate) hold: Option<(Kind, Kind)>,
}

/// Which pairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pairs {
    None,
    All,
    These(Vec<(Kind, Kind)>),
}

impl Arguments {
    /// None where there is nothing to do but to say how it is called.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, Failure> {
        let mut made = Self {
            check: true,
            pairs: Pairs::None,
            runs: 1,
            special: false,
            hardships: false,
            newcomers: false,
            relayed: false,
            cold: false,
            through_friend: false,
            only: None,
            lanes: 3,
            wire: None,
            patience: Duration::from_secs(20),
            seed: std::process::id().into(),
            json: false,
            write: None,
            from: Vec::new(),
            keep: false,
            iroh: None,
            hold: None,
        };
        let mut runs = None;
        let mut is_given = false;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--check" => is_given = true,
                "--quick" => (is_given, made.pairs) = (true, Pairs::All),
                "--full" => {
                    (is_given, made.pairs, made.runs, made.special) = (true, Pairs::All, 10, true);
                    made.newcomers = true;
                }
                "--newcomers" => (is_given, made.newcomers) = (true, true),
                "--hardships" => (is_given, made.hardships) = (true, true),
                "--relayed" => (is_given, made.relayed) = (true, true),
                "--cold" => (is_given, made.relayed, made.cold) = (true, true, true),
                "--through-friend" => (is_given, made.through_friend) = (true, true),
                "--befalls" => {
                    (is_given, made.relayed, made.hardships) = (true, true, true);
                    made.only = Some(serde_json::from_value(value()?.into())?);
                }
                "--pair" => {
                    is_given = true;
                    let pair = pair(&value()?)?;
                    match &mut made.pairs {
                        Pairs::These(pairs) => pairs.push(pair),
                        pairs => *pairs = Pairs::These(vec![pair]),
                    }
                }
                "--runs" => runs = Some(value()?.parse()?),
                "--lanes" => made.lanes = value()?.parse()?,
                "--wire" => made.wire = Some(wire(&value()?)?),
                "--patience" => made.patience = Duration::from_secs(value()?.parse()?),
                "--seed" => made.seed = value()?.parse()?,
                "--json" => made.json = true,
                "--from" => {
                    is_given = true;
                    made.from.push(value()?.into());
                }
                "--write" => made.write = Some(value()?),
                "--hold" => (is_given, made.check, made.hold) = (true, false, Some(pair(&value()?)?)),
                "--iroh" => made.iroh = Some(value()?.into()),
                "--keep" => made.keep = true,
                "--no-check" => made.check = false,
                _ => return Ok(None),
            }
        }
        made.runs = runs.unwrap_or(made.runs);
        if made.relayed && !made.hardships && made.pairs == Pairs::None {
            made.pairs = Pairs::All;
        }
        Ok(is_given.then_some(made))
    }
}

fn pair(text: &str) -> Result<(Kind, Kind), Failure> {
    let (one, other) = text.split_once(',').ok_or("a pair is A,B")?;
    let kind = |name: &str| Kind::parse(name).ok_or_else(|| format!("there is no kind {name}: see --list"));
    Ok((kind(one)?, kind(other)?))
}

fn wire(text: &str) -> Result<(Duration, u32), Failure> {
    let (delay, losses) = text.split_once(',').ok_or("a wire is MS,LOSS")?;
    let losses: f64 = losses.trim_end_matches('%').parse()?;
    if !(0.0..=100.0).contains(&losses) {
        return Err("losses are a percentage".into());
    }
    Ok((Duration::from_millis(delay.parse()?), (losses * 10_000.0).round() as u32))
}
