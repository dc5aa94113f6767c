//! The guest's side: one knock lies at the host's places all the time while somebody wants in there, so that a host which comes up finds it at once.
//!
//! It is made anew after a minute, then two, four and so on to an hour, and when the way to us changes; what it says of that would be old otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_core::RngCore;

use super::super::io::{BridgeName, Output, SessionId, Space};
use super::super::publications::{Draft, Purpose};
use super::super::watch::{Arrival, Owner, Special};
use super::{Engine, HostEntry, MEETING, PROLOGUE, psk, session};
use crate::crypto::Secret;
use crate::crypto::envelope::{self, Bucket};
use crate::crypto::noise::{Handshake, Pattern};
use crate::meet::slot;
use crate::message::{Knock, Payload};
use crate::place::PlaceTag;

/// The doors at which we knock, by their public keys.
#[derive(Debug, Default)]
pub(in crate::engine) struct Knocks {
    wanted: BTreeMap<[u8; 32], Wanted>,
    /// Numbers the knocks of this run.
    last: u64,
}

#[derive(Debug)]
struct Wanted {
    host: HostEntry,
    /// Rounds that came to nothing.
    failed: u32,
    /// The lane of the next one: each in another, until all had their turn.
    lane: u8,
    /// When the next knock is due.
    next: Duration,
    /// The one that lies there, and the one before it, whose answer may be on its way.
    knocks: Vec<Mine>,
    /// Being dialled: the last few that were answered.
    dialled: Vec<SessionId>,
}

/// A knock of ours.
#[derive(Clone, Debug)]
struct Mine {
    no: u64,
    ephemeral: Secret,
    /// Padded.
    payload: Vec<u8>,
    made: Duration,
    /// Where it lies, by the places' tags.
    at: Vec<(BridgeName, PlaceTag)>,
}

/// The most doors at which we knock.
const MOST: usize = 1_000;
/// The longest time between two knocks.
const MOST_PAUSE: Duration = Duration::from_secs(3600);
/// Knocks that may still be answered.
const MOST_KNOCKS: usize = 2;
/// Answers that are followed at the same time: a host that crashed answers again.
const MOST_DIALLED: usize = 2;

impl Engine {
    pub(in crate::engine) fn add_knock(&mut self, host: &HostEntry) {
        let now = self.now.mono;
        if let Some(wanted) = self.knocks.wanted.get_mut(&host.guest) {
            if wanted.host.points != host.points || wanted.host.secret != host.secret {
                wanted.next = now;
            }
            wanted.host = host.clone();
        } else if self.knocks.wanted.len() < MOST {
            let host = host.clone();
            let lane = u8::try_from(self.rng.next_u32() % u32::from(slot::KNOCKS)).unwrap_or_default();
            let (knocks, dialled) = (Vec::new(), Vec::new());
            let wanted = Wanted { failed: 0, lane, next: now, knocks, dialled, host };
            self.knocks.wanted.insert(wanted.host.guest, wanted);
        }
    }

    pub(in crate::engine) fn end_knock(&mut self, guest: &[u8; 32]) {
        let Some(wanted) = self.knocks.wanted.remove(guest) else { return };
        for id in wanted.dialled {
            self.out.act(Output::Forget(id));
        }
        self.take_back_knocks(guest, &wanted.knocks);
    }

    pub(in crate::engine) fn end_knocks(&mut self) {
        for guest in self.knocks.wanted.keys().copied().collect::<Vec<_>>() {
            self.end_knock(&guest);
        }
    }

    fn take_back_knocks(&mut self, guest: &[u8; 32], knocks: &[Mine]) {
        for mine in knocks {
            self.unexpect_records(&Owner::Knock(*guest, mine.no));
        }
        let numbers: Vec<_> = knocks.iter().map(|mine| mine.no).collect();
        self.done(|purpose| matches!(purpose, Purpose::Knock(at, no) if at == guest && numbers.contains(no)));
    }

    /// A bridge came up: whoever is to be found by way of it need not wait longer.
    pub(in crate::engine) fn hurry_knocks(&mut self, bridge: &BridgeName) {
        let now = self.now.mono;
        let Some(profile) = self.bridges.get(bridge).map(|bridge| bridge.profile.clone()) else { return };
        for wanted in self.knocks.wanted.values_mut() {
            let lies = wanted.knocks.last().is_some_and(|mine| mine.at.iter().any(|(at, _)| at == bridge));
            if !lies && wanted.host.points.iter().any(|point| profile.reaches(&point.locator)) {
                wanted.next = now;
            }
        }
    }

    /// How we are reached has changed: what lies there is old, and made anew, though no sooner than the first round would be over.
    pub(in crate::engine) fn knock_anew(&mut self) {
        let told = Knock::of(&self.reach).to_bytes();
        let pause = self.config.backoff_least;
        for wanted in self.knocks.wanted.values_mut() {
            if let Some(mine) = wanted.knocks.last()
                && envelope::unpad(&mine.payload) != Some(told.as_slice())
            {
                wanted.next = wanted.next.min(mine.made.saturating_add(pause));
            }
        }
    }

    pub(in crate::engine) fn run_knocks(&mut self) {
        let now = self.now.mono;
        let due = self.knocks.wanted.iter().filter(|(_, wanted)| wanted.next <= now);
        for guest in due.map(|(guest, _)| *guest).collect::<Vec<_>>() {
            self.knock_once(&guest);
        }
    }

    pub(in crate::engine) fn next_knock_due(&self) -> Option<Duration> {
        self.knocks.wanted.values().map(|wanted| wanted.next).min()
    }

    /// Leaves a knock in place of the one before.
    fn knock_once(&mut self, guest: &[u8; 32]) {
        let now = self.now.mono;
        let Some(wanted) = self.knocks.wanted.get(guest) else { return };
        let (host, failed, lane) = (wanted.host.clone(), wanted.failed, wanted.lane);
        let spots: Vec<(BridgeName, PlaceTag)> = host
            .points
            .iter()
            .take(HostEntry::MOST_POINTS)
            .filter_map(|point| Some((self.bridge_at(&point.locator)?, point.tag)))
            .filter(|(bridge, _)| self.carries_knocks(bridge))
            .collect();
        let slowest = spots.iter().map(|(bridge, _)| self.latency(bridge)).max().unwrap_or_default();
        let pause = self.interval(failed).min(MOST_PAUSE).max(slowest.saturating_mul(4));
        let made = if spots.is_empty() { None } else { self.make_knock(guest, &host, lane, spots) };
        let Some(wanted) = self.knocks.wanted.get_mut(guest) else { return };
        wanted.next = now.saturating_add(pause);
        // Without a bridge it is no failure of the host's; one that comes up hurries it.
        let Some(mine) = made else { return };
        wanted.failed = wanted.failed.saturating_add(1);
        wanted.lane = lane.wrapping_add(1) % slot::KNOCKS;
        wanted.knocks.push(mine);
        let gone = wanted.knocks.len().saturating_sub(MOST_KNOCKS);
        for old in wanted.knocks.drain(..gone).collect::<Vec<_>>() {
            self.unexpect_records(&Owner::Knock(*guest, old.no));
        }
    }

    fn carries_knocks(&self, bridge: &BridgeName) -> bool {
        self.bridges.get(bridge).is_some_and(|it| it.profile.max_record >= Bucket::Small.record())
    }

    fn make_knock(
        &mut self,
        guest: &[u8; 32],
        host: &HostEntry,
        lane: u8,
        spots: Vec<(BridgeName, PlaceTag)>,
    ) -> Option<Mine> {
        let payload = Bucket::Small.pad(&Knock::of(&self.reach).to_bytes(), Pattern::Guest.overhead1())?;
        self.knocks.last = self.knocks.last.saturating_add(1);
        let mine = Mine {
            no: self.knocks.last,
            ephemeral: Secret::random(&mut self.rng),
            payload,
            made: self.now.mono,
            at: spots,
        };
        let (handshake, message) = mine.message1(host)?;
        let h1 = handshake.hash();
        self.done(|purpose| matches!(purpose, Purpose::Knock(at, _) if at == guest));
        let mut answers = Vec::new();
        for (bridge, tag) in &mine.at {
            let slot = slot::knock(&host.secret, *tag, self.epoch(), lane);
            self.publish(Draft {
                bridge: bridge.clone(),
                slot: slot.id,
                inner: None,
                bytes: envelope::seal(&slot.siv, &message),
                purpose: Purpose::Knock(*guest, mine.no),
            });
            let answer = slot::knock_answer(&host.secret, *tag, &h1);
            answers.push((
                answer.id,
                Special { bridge: bridge.clone(), space: Space::Own, siv: answer.siv, tag: *tag },
            ));
        }
        self.expect_records(Owner::Knock(*guest, mine.no), answers);
        Some(mine)
    }

    /// A record in the slot of an answer to our knock opened.
    pub(in crate::engine) fn found_opened(
        &mut self,
        guest: &[u8; 32],
        no: u64,
        arrival: &Arrival,
        message: &[u8],
    ) {
        let Some(wanted) = self.knocks.wanted.get(guest) else { return };
        let host = wanted.host.clone();
        let Some(mine) = wanted.knocks.iter().find(|mine| mine.no == no) else { return };
        let Some((mut handshake, _)) = mine.message1(&host) else { return };
        let read = handshake.read(message).ok();
        let said = read.as_deref().and_then(envelope::unpad).and_then(|it| Knock::from_bytes(it).ok());
        let (Some(said), Some(meeting)) = (said, handshake.secret(MEETING)) else { return };
        let met = session(*guest, &host.secret, &meeting);
        let (id, latency) = (met.id, self.leg(&arrival.bridge));
        let patience = self.dial_patience(&arrival.bridge);
        let Some(wanted) = self.knocks.wanted.get_mut(guest) else { return };
        // The same answer over another bridge.
        if wanted.dialled.contains(&id) {
            return;
        }
        wanted.dialled.push(id);
        let gone = wanted.dialled.len().saturating_sub(MOST_DIALLED);
        for old in wanted.dialled.drain(..gone).collect::<Vec<_>>() {
            self.out.act(Output::Forget(old));
        }
        self.out.act(Output::DialHost { session: met, reach: said.reach(), latency, patience });
    }

    /// Whether this is the session of a knock, on either side; if so the link is up, and what was left for it goes.
    pub(in crate::engine) fn door_linked(&mut self, id: SessionId) -> bool {
        let knocked = self.knocks.wanted.iter().find(|(_, wanted)| wanted.dialled.contains(&id));
        match knocked.map(|(guest, _)| *guest) {
            Some(guest) => {
                self.end_knock(&guest);
                true
            }
            None => self.guest_linked(id),
        }
    }

    /// Whether this is the session of a knock; if so its dial came to nothing. The knock goes on lying there: a host that comes up anew answers it again.
    pub(in crate::engine) fn knock_failed(&mut self, id: SessionId) -> bool {
        let now = self.now.mono;
        let pause = self.config.backoff_least;
        let knocked = self.knocks.wanted.values_mut().find(|wanted| wanted.dialled.contains(&id));
        let Some(wanted) = knocked else { return false };
        wanted.dialled.retain(|dialled| *dialled != id);
        // The host is up, as its answer shows, and answers each knock once.
        wanted.next = wanted.next.min(now.saturating_add(pause.saturating_mul(5)));
        self.out.act(Output::Forget(id));
        true
    }
}

impl Mine {
    /// The handshake after message 1, and that message: the very same each time.
    fn message1(&self, host: &HostEntry) -> Option<(Handshake, Vec<u8>)> {
        let mut handshake =
            Handshake::guest(&host.guest, &psk(&host.secret), PROLOGUE, &self.ephemeral).ok()?;
        let message = handshake.write(&self.payload).ok()?;
        Some((handshake, message))
    }
}
