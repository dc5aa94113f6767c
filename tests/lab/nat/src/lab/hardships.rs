//! What happens to links that are up: routers start anew, mappings end early, networks are cut, addresses change, nothing is said for minutes.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Failure;
use super::ground::Layout;
use super::kind::Kind;
use super::oracle::way;
use super::pair::{Meeting, Options};
use super::watch::Seen;

/// What befalls two who are linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Hardship {
    /// The dialling side's router forgets everything.
    RouterRestarts,
    /// Both routers do.
    BothRestart,
    /// Mappings live ten seconds, and nothing is said for a minute.
    ShortLives,
    /// Five seconds without a network.
    ShortCut,
    /// A minute without.
    LongCut,
    /// The dialling side's provider gives it another address.
    NewAddress,
    /// The dialling side moves to another address in its network.
    Moves,
}

impl Hardship {
    pub(crate) const ALL: [Self; 7] = [
        Self::RouterRestarts,
        Self::BothRestart,
        Self::ShortLives,
        Self::ShortCut,
        Self::LongCut,
        Self::NewAddress,
        Self::Moves,
    ];

    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::RouterRestarts => "one router starts anew and has forgotten every mapping",
            Self::BothRestart => "both routers start anew",
            Self::ShortLives => "mappings live 10 s, and nothing is said for a minute",
            Self::ShortCut => "no network for 5 s",
            Self::LongCut => "no network for 60 s",
            Self::NewAddress => "one provider gives its customer another address",
            Self::Moves => "one host takes another address in its network",
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) hardship: Hardship,
    pub(crate) dials: &'static str,
    pub(crate) waits: &'static str,
    /// From the end of the hardship to the answer of a ping; none where there was none for long.
    pub(crate) answered_ms: Option<u64>,
    /// Whether it was the same link throughout.
    pub(crate) same_link: bool,
}

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(90);

/// Has two meet, and then this befall them.
pub(crate) fn befall(
    hardship: Hardship,
    kinds: [Kind; 2],
    options: Options,
    folder: &Path,
) -> Result<Outcome, Failure> {
    let [one, other] = kinds;
    let mut meeting = Meeting::new(Layout::Homes(one, other), options, folder)?;
    if hardship == Hardship::ShortLives {
        meeting.ground.homes.iter_mut().try_for_each(|home| home.set_lifetime(Duration::from_secs(10)))?;
    }
    let run = meeting.run(0, way(one, other))?;
    if !run.direct {
        return Err(format!("they did not meet: {}", run.because).into());
    }
    meeting.trio.pair.iter().for_each(|person| drop(person.news()));
    let Meeting { ground, .. } = &mut meeting;
    let [ada, ..] = &mut ground.hosts;
    match hardship {
        Hardship::RouterRestarts => ground.homes.iter().take(1).try_for_each(|home| home.load())?,
        Hardship::BothRestart => ground.homes.iter().try_for_each(|home| home.load())?,
        Hardship::ShortLives => thread::sleep(Duration::from_secs(60)),
        Hardship::ShortCut => cut(&meeting, Duration::from_secs(5))?,
        Hardship::LongCut => cut(&meeting, Duration::from_secs(60))?,
        Hardship::NewAddress => ground.homes.iter_mut().take(1).try_for_each(|home| home.renumber())?,
        Hardship::Moves => ground.homes.iter().take(1).try_for_each(|home| home.move_host(ada))?,
    }
    let answered_ms = answered(&meeting)?;
    let gone = meeting.trio.pair.iter().flat_map(|person| person.news()).any(|event| {
        // Of their common friend nothing is asked.
        event["event"] == "link-down" && event["friend"] != "Fay"
    });
    Ok(Outcome { hardship, dials: one.name(), waits: other.name(), answered_ms, same_link: !gone })
}

fn cut(meeting: &Meeting, time: Duration) -> Result<(), Failure> {
    meeting.ground.cut(true)?;
    thread::sleep(time);
    meeting.ground.cut(false)
}

/// Pings until there is an answer.
fn answered(meeting: &Meeting) -> Result<Option<u64>, Failure> {
    let began = Instant::now();
    let [ada, _] = &meeting.trio.pair;
    let [at, _] = &meeting.ground.hosts;
    while began.elapsed() < PATIENCE {
        let said = ada.run(&at.space, &["ping", "Ben", "--wait", "30s"], Duration::from_secs(60))?;
        if said.code == Some(0) {
            return Ok(Some(u64::try_from(began.elapsed().as_millis())?));
        }
    }
    Ok(None)
}

/// What a link costs that nobody uses.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Idle {
    pub(crate) dials: &'static str,
    pub(crate) waits: &'static str,
    /// Packets to Ben and from him, at Ada's, in each twenty seconds.
    pub(crate) packets: Vec<[u64; 2]>,
}

/// How long a link is watched.
const WATCHED: u32 = 15;
const EACH: Duration = Duration::from_secs(20);

/// Has two meet, and then say nothing for five minutes.
pub(crate) fn idle(kinds: [Kind; 2], options: Options, folder: &Path) -> Result<Idle, Failure> {
    let [one, other] = kinds;
    let mut meeting = Meeting::new(Layout::Homes(one, other), options, folder)?;
    let run = meeting.run(0, way(one, other))?;
    if !run.direct {
        return Err(format!("they did not meet: {}", run.because).into());
    }
    // What follows a meeting at once is no idleness.
    thread::sleep(EACH);
    let peers = meeting.ground.sources(1);
    let mut packets = Vec::new();
    for _ in 0..WATCHED {
        meeting.ground.count_anew()?;
        thread::sleep(EACH);
        let [at, _] = &meeting.ground.hosts;
        let [came, went] = Seen::at(&at.space)?.packets_with(&peers);
        packets.push([went, came]);
    }
    Ok(Idle { dials: one.name(), waits: other.name(), packets })
}
