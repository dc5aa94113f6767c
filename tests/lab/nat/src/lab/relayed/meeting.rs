//! One run of a pair that has a relay: the one reaches the other through it, the link moves to a direct way where there is one, and then nothing passes
//! the relay.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::counts::Passed;
use crate::lab::Failure;
use crate::lab::oracle::Way;
use crate::lab::pair::{BULK, BULK_HEARD, Meeting, punch_ms, told};
use crate::lab::person::Person;
use crate::lab::trio::Trio;
use crate::lab::watch::Seen;

/// What came of a run.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Run {
    pub(crate) linked: bool,
    /// What the program says of the first path: `relay` or `direct`.
    pub(crate) first: Option<String>,
    /// From the command to its answer.
    pub(crate) meeting_ms: Option<u64>,
    /// From when the answer was read to the first data.
    pub(crate) data_ms: Option<u64>,
    /// From the link to when neither side's travels through the relay any more.
    pub(crate) off_ms: Option<u64>,
    /// Who relays in the end, as the program says.
    pub(crate) by: Option<String>,
    /// How something long travelled in the end, as the kernels counted it.
    pub(crate) carried: Carried,
    /// Datagrams of circuits that came to the relay's machine meanwhile, and bytes of all.
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    /// Circuits that those who relay say they have in the end.
    pub(crate) circuits: u64,
    /// What was probed and is neither the other's nor in public.
    pub(crate) stray: BTreeSet<IpAddr>,
    /// Which of the two was linked with the relay beforehand.
    pub(crate) knows_relay: [bool; 2],
    /// What the program says about it, where something failed.
    pub(crate) because: String,
}

/// How something travelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Carried {
    #[default]
    Nothing,
    Direct,
    Relayed,
}

/// Who is linked with the relay when the two begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Start {
    /// Both are.
    Linked,
    /// Nobody is: both have what the relay offered them before.
    Cold,
}

/// How long a link that is to leave the relay is watched.
pub(super) fn patience(expected: Way) -> Duration {
    match expected {
        // It is not to leave it; so long it is watched.
        Way::Never => Duration::from_secs(3),
        Way::Birthday => Duration::from_secs(25),
        Way::Asking | Way::Prediction | Way::Tcp => Duration::from_secs(12),
    }
}

/// How long nodes have to learn anew what they are behind, once they are linked with the last one: they wait some seconds before they measure again, and ports in
/// order go on with every link.
const SETTLED: Duration = Duration::from_secs(4);
/// After a link left the relay, until what is under way has arrived and the circuits are closed.
const UNDER_WAY: Duration = Duration::from_secs(1);

impl Meeting {
    /// One run, on routers that have forgotten everything and with nodes that have just started.
    pub(super) fn run_relayed(&mut self, number: u64, expected: Way, start: Start) -> Result<Run, Failure> {
        self.begin(number)?;
        let mut knows_relay = self.reach_public()?;
        if start == Start::Cold {
            thread::sleep(self.options.settle);
            self.begin(number)?;
            self.reach("Fay")?;
            knows_relay = [false; 2];
        }
        thread::sleep(SETTLED);
        self.ground.count_anew()?;
        self.meet_relayed(expected, knows_relay)
    }

    /// Both reach all who are in public; which of them reached all who relay.
    pub(super) fn reach_public(&self) -> Result<[bool; 2], Failure> {
        self.reach("Fay")?;
        let mut all = [true; 2];
        for relay in &self.trio.relays {
            let reached = self.reach(relay.name)?;
            all.iter_mut().zip(reached).for_each(|(all, reached)| *all &= reached);
        }
        Ok(all)
    }

    /// Ada reaches Ben, and sends him something long once the link has come to rest.
    pub(super) fn meet_relayed(&self, expected: Way, knows_relay: [bool; 2]) -> Result<Run, Failure> {
        let Self { ground, trio: Trio { pair: [ada, ben], .. }, options } = self;
        let [at, there] = &ground.hosts;
        [ada, ben].iter().for_each(|person| drop(person.news()));
        let mut run = Run { knows_relay, ..Run::default() };
        let wait = format!("{}ms", options.patience.as_millis());
        let began = Instant::now();
        let said = ada.run(&at.space, &["ping", "Ben", "--wait", &wait], options.patience)?;
        let took = began.elapsed();
        if said.code != Some(0) {
            run.because = format!("{}; {}", said.complaint, self.explained()?);
            return Ok(run);
        }
        run.linked = true;
        run.meeting_ms = Some(u64::try_from(took.as_millis())?);
        run.watch(ada, ben, Instant::now() + patience(expected))?;
        let explained = ada.run(&at.space, &["explain", "Ben"], Duration::ZERO)?.object()?;
        run.data_ms = punch_ms(&explained);
        thread::sleep(UNDER_WAY);
        let both: Vec<IpAddr> = [ground.sources(0), ground.sources(1)].concat();
        let passed = Passed::at(&ground.relays, &both)?;
        let heard = Seen::at(&there.space)?;
        let bulk = "x".repeat(BULK);
        let sent = ada.run(&at.space, &["send", "Ben", &bulk, "--wait", "10s"], Duration::from_secs(10))?;
        let arrived = sent.object()?["state"] == "delivered";
        let passed = Passed::at(&ground.relays, &both)? - passed;
        (run.frames, run.bytes) = (passed.frames, passed.bytes);
        let now = Seen::at(&there.space)?;
        let more = |from: &[IpAddr]| now.heard_from(from).saturating_sub(heard.heard_from(from));
        let relays: Vec<IpAddr> = ground.relays.iter().flat_map(|relay| relay.addresses()).collect();
        run.carried = match () {
            () if !arrived => Carried::Nothing,
            () if more(&ground.sources(0)) >= BULK_HEARD => Carried::Direct,
            () if more(&relays) >= BULK_HEARD => Carried::Relayed,
            () => Carried::Nothing,
        };
        run.by = self.relay_of(ada)?;
        run.circuits = self.circuits()?;
        run.stray = self.stray(&[Seen::at(&at.space)?, now]);
        if run.carried == Carried::Nothing || (run.off_ms.is_none() && expected != Way::Never) {
            run.because = self.explained()?;
        }
        Ok(run)
    }

    /// Who relays Ada's link, as the program says; none where it is direct.
    pub(super) fn relay_of(&self, ada: &Person) -> Result<Option<String>, Failure> {
        let [at, _] = &self.ground.hosts;
        let pong = ada.run(&at.space, &["ping", "Ben", "--wait", "5s"], Duration::from_secs(5))?.object()?;
        Ok((pong["path"] == "relay").then(|| pong["relay"].as_str().unwrap_or("?").to_owned()))
    }

    /// How many circuits those who relay say they have.
    fn circuits(&self) -> Result<u64, Failure> {
        let mut circuits = 0;
        for (relay, host) in self.trio.relays.iter().zip(&self.ground.relays) {
            let said = relay.run(&host.space, &["relay"], Duration::ZERO)?.object()?;
            circuits += said["circuits"].as_u64().ok_or("a relay counts its circuits")?;
        }
        Ok(circuits)
    }

    /// What both sides say of it.
    pub(super) fn explained(&self) -> Result<String, Failure> {
        let Self { ground, trio: Trio { pair: [ada, ben], .. }, .. } = self;
        let [at, there] = &ground.hosts;
        let mine = ada.run(&at.space, &["explain", "Ben"], Duration::ZERO)?.object()?;
        let theirs = ben.run(&there.space, &["explain", "Ada"], Duration::ZERO)?.object()?;
        Ok(format!("{}: {}; {}: {}", ada.name, told(&mine), ben.name, told(&theirs)))
    }
}

/// A side's link with the other, as its node tells of it.
#[derive(Debug, Default)]
struct Travelled {
    up: Option<Instant>,
    first: Option<String>,
    direct: Option<Instant>,
}

/// Watches a side until its link is direct.
fn travelled(person: &Person, friend: &str, until: Instant) -> Travelled {
    let mut travelled = Travelled::default();
    while let Some((when, event)) = person.next_event(until) {
        if event["friend"] != friend {
            continue;
        }
        match event["event"].as_str() {
            Some("link-up" | "link-moved") => {
                travelled.up = travelled.up.or(Some(when));
                travelled.first = travelled.first.or_else(|| event["path"].as_str().map(str::to_owned));
                if event["path"] == "direct" {
                    travelled.direct = Some(when);
                    break;
                }
            }
            Some("link-down") => travelled = Travelled::default(),
            _ => {}
        }
    }
    travelled
}

impl Run {
    /// Watches both until neither's link goes through a relay.
    fn watch(&mut self, ada: &Person, ben: &Person, until: Instant) -> Result<(), Failure> {
        let mine = travelled(ada, "Ben", until);
        let theirs = travelled(ben, "Ada", until);
        self.first = mine.first;
        if let Some(began) = mine.up
            && let Some((mine, theirs)) = mine.direct.zip(theirs.direct)
        {
            let off = mine.max(theirs).saturating_duration_since(began);
            self.off_ms = Some(u64::try_from(off.as_millis())?);
        }
        Ok(())
    }
}
