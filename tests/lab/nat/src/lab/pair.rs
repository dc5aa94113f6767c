//! One run of a pair: both come up, learn from their friend in public how they are seen, and the one reaches the other.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Failure;
use super::ground::{Ground, Layout};
use super::home::Host;
use super::oracle::Way;
use super::trio::{Abilities, Acquaintance, Helpers, Trio};
use super::watch::Seen;
use super::wire::Wire;

/// How runs are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) abilities: Abilities,
    /// How long a meeting may take.
    pub(crate) patience: Duration,
    /// How long nodes have to learn what they are behind, once they are linked with their friend.
    pub(crate) settle: Duration,
    pub(crate) log: bool,
    pub(crate) seed: u64,
    pub(crate) wire: Option<Wire>,
    /// What friends in public do besides, and how many.
    pub(crate) helpers: Option<Helpers>,
}

/// What came of a run.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Run {
    /// Whether bytes of the one came to the other from the one's own address.
    pub(crate) direct: bool,
    /// What the program says it travels by: `udp` or `tcp`.
    pub(crate) transport: Option<String>,
    pub(crate) remote: Option<String>,
    /// From the command to its answer.
    pub(crate) meeting_ms: Option<u64>,
    /// From when the answer was read to the link.
    pub(crate) punch_ms: Option<u64>,
    /// Probes that each side sent, and to how many addresses and ports.
    pub(crate) probes: [u64; 2],
    pub(crate) targets: [usize; 2],
    /// Addresses that were probed and that the other never had.
    pub(crate) stray: BTreeSet<IpAddr>,
    /// Which of the two was linked with the friend in public.
    pub(crate) knows_friend: [bool; 2],
    /// What the program says about it, where there is no link.
    pub(crate) because: String,
}

/// Two people at their places, for one run after the other.
#[derive(Debug)]
pub(crate) struct Meeting {
    pub(crate) ground: Ground,
    pub(crate) trio: Trio,
    pub(super) options: Options,
}

/// A text that is long enough to be told from everything else that is said.
pub(super) const BULK: usize = 60_000;
/// What a side hears at least of it.
pub(crate) const BULK_HEARD: u64 = 50_000;
/// How long the friend in public may take to be reached.
const FRIEND: &str = "6s";

impl Meeting {
    pub(crate) fn new(layout: Layout, options: Options, folder: &Path) -> Result<Self, Failure> {
        Self::among(Acquaintance::Friends, layout, options, folder)
    }

    pub(crate) fn among(
        acquaintance: Acquaintance,
        layout: Layout,
        options: Options,
        folder: &Path,
    ) -> Result<Self, Failure> {
        std::fs::create_dir_all(folder)?;
        let mut ground = Ground::new(layout, options.seed, options.wire, folder)?;
        ground.add_relays(options.helpers.map_or(0, Helpers::count))?;
        let trio = Trio::new(layout, acquaintance, options, folder)?;
        Ok(Self { ground, trio, options })
    }

    /// One run, on routers that have forgotten everything and with nodes that have just started.
    pub(crate) fn run(&mut self, number: u64, expected: Way) -> Result<Run, Failure> {
        self.begin(number)?;
        let knows_friend = self.reach("Fay")?;
        thread::sleep(self.options.settle);
        self.ground.count_anew()?;
        self.meet(expected, knows_friend)
    }

    /// Routers forget everything, and nodes start.
    pub(crate) fn begin(&mut self, number: u64) -> Result<(), Failure> {
        self.ground.refresh(self.options.seed.wrapping_add(number))?;
        self.trio.up(&self.ground)
    }

    /// Both reach a friend in public; which of them did.
    pub(crate) fn reach(&self, friend: &str) -> Result<[bool; 2], Failure> {
        let Self { ground, trio, .. } = self;
        thread::scope(|scope| {
            let reach = |side: usize| {
                let (person, host) = (trio.pair.get(side), ground.hosts.get(side));
                let (person, host) = person.zip(host).ok_or("there are two")?;
                let said =
                    person.run(&host.space, &["ping", friend, "--wait", FRIEND], Duration::from_secs(6))?;
                Ok::<_, Failure>(said.code == Some(0))
            };
            let (ada, ben) = (scope.spawn(move || reach(0)), scope.spawn(move || reach(1)));
            let joined = |thread: thread::ScopedJoinHandle<'_, Result<bool, Failure>>| {
                thread.join().map_err(|_| "it panicked")?
            };
            Ok([joined(ada)?, joined(ben)?])
        })
    }

    /// Ada reaches Ben, and sends him something long.
    pub(super) fn meet(&self, expected: Way, knows_friend: [bool; 2]) -> Result<Run, Failure> {
        let Self { ground, trio: Trio { pair: [ada, ben], .. }, options } = self;
        let [at, there] = &ground.hosts;
        // Where nobody expects it, it is not waited for as long.
        let patience = if expected == Way::Never { options.patience.min(NEVER) } else { options.patience };
        let wait = format!("{}ms", patience.as_millis());
        let began = Instant::now();
        let said = ada.run(&at.space, &["ping", "Ben", "--wait", &wait], patience)?;
        let took = began.elapsed();
        let seen = [Seen::at(&at.space)?, Seen::at(&there.space)?];
        let mut run = Run {
            direct: false,
            transport: None,
            remote: None,
            meeting_ms: None,
            punch_ms: None,
            probes: [0, 1].map(|side: usize| seen.get(side).map_or(0, Seen::probes)),
            targets: [0, 1].map(|side: usize| seen.get(side).map_or(0, |seen| seen.probed.len())),
            stray: self.stray(&seen),
            knows_friend,
            because: String::new(),
        };
        if said.code == Some(0) {
            let pong = said.object()?;
            let text = |key: &str| pong[key].as_str().map(str::to_owned);
            (run.transport, run.remote) = (text("transport"), text("remote"));
            run.meeting_ms = Some(u64::try_from(took.as_millis())?);
            let explained = ada.run(&at.space, &["explain", "Ben"], Duration::ZERO)?.object()?;
            run.punch_ms = punch_ms(&explained);
            let bulk = "x".repeat(BULK);
            let sent =
                ada.run(&at.space, &["send", "Ben", &bulk, "--wait", "10s"], Duration::from_secs(10))?;
            if sent.object()?["state"] != "delivered" {
                run.because = "the link carries nothing".to_owned();
            }
            run.direct = Seen::at(&there.space)?.heard_from(&ground.sources(0)) >= BULK_HEARD;
        } else {
            let mine = ada.run(&at.space, &["explain", "Ben"], Duration::ZERO)?.object()?;
            let theirs = ben.run(&there.space, &["explain", "Ada"], Duration::ZERO)?.object()?;
            run.because =
                format!("{}; {}: {}; {}: {}", said.complaint, ada.name, told(&mine), ben.name, told(&theirs));
        }
        Ok(run)
    }

    /// What was probed and is no address of the other side.
    pub(super) fn stray(&self, seen: &[Seen; 2]) -> BTreeSet<IpAddr> {
        let mut stray = BTreeSet::new();
        for (side, seen) in seen.iter().enumerate() {
            let mut others = self.ground.sources(1 - side);
            let public = self.ground.relays.iter().chain([&self.ground.friend]);
            others.extend(public.flat_map(Host::addresses));
            stray.extend(seen.probed.keys().map(|(ip, _)| *ip).filter(|ip| !others.contains(ip)));
        }
        stray
    }
}

/// How long a link is waited for that nobody expects.
const NEVER: Duration = Duration::from_secs(8);

/// From the last answer that was read to the first data, or to the link where the program does not say more.
pub(super) fn punch_ms(explained: &Value) -> Option<u64> {
    let steps = explained["steps"].as_array()?;
    let last = |kinds: &[&str]| {
        let step =
            steps.iter().rfind(|step| step["kind"].as_str().is_some_and(|kind| kinds.contains(&kind)))?;
        step["at"].as_str()?.parse::<Timestamp>().ok()
    };
    let began = last(&["answer-read", "welcome-read"])?;
    // Data that flows over an earlier link says nothing of this one.
    let data = last(&["first-data"]).filter(|data| *data >= began).or_else(|| last(&["linked"]))?;
    u64::try_from(data.as_millisecond() - began.as_millisecond()).ok()
}

/// Why there is no link, and the last steps.
pub(super) fn told(explained: &Value) -> String {
    let steps = explained["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let last = steps.iter().rev().take(4).rev().filter_map(|step| step["what"].as_str());
    let because = explained["because"].as_str().unwrap_or_default();
    format!("{because} [{}]", last.collect::<Vec<_>>().join("; "))
}
