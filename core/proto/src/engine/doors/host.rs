//! The host's side: knocks are answered, and whoever left them is let in for a while.
//!
//! Whoever has the door's secret may knock as often as it likes, so that everything it can make us do is bounded: records of a slot, answers a day, sessions
//! at a time. A knock that somebody leaves again costs one more session, which nobody comes to.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::io::{Door, DoorSession, Output, SessionId};
use super::super::publications::{Draft, Purpose};
use super::super::watch::Arrival;
use super::{Engine, MEETING, PROLOGUE, psk, session};
use crate::crypto::Secret;
use crate::crypto::envelope::{self, Bucket};
use crate::crypto::noise::{Handshake, Pattern};
use crate::meet::slot;
use crate::message::{Knock, Payload};
use crate::place::PlaceTag;
use crate::time::Epoch;

/// Our doors, and the guests that are awaited there.
#[derive(Debug, Default)]
pub(in crate::engine) struct Doors {
    doors: BTreeMap<[u8; 32], Open>,
    awaited: BTreeMap<SessionId, Awaited>,
}

#[derive(Debug)]
struct Open {
    door: Door,
    /// How many knocks were answered, on which day.
    answered: (Epoch, u32),
}

/// A guest that was answered and has not come yet.
#[derive(Debug)]
struct Awaited {
    door: [u8; 32],
    /// Of the knock.
    h1: [u8; 32],
    /// The exact message 2.
    message: Vec<u8>,
    /// Where it was left, by the places' tags.
    at: Vec<PlaceTag>,
    begun: Duration,
    deadline: Duration,
}

/// The most doors.
const MOST_DOORS: usize = 1_000;
/// The most knocks that are answered at one door in a day: one every few minutes, of friends of one friend.
const MOST_ANSWERS: u32 = 256;
/// Guests that are awaited at one door, and at all; beyond it the oldest gives way.
const MOST_AWAITED: usize = 16;
const MOST_AWAITED_IN_ALL: usize = 64;

impl Doors {
    pub(in crate::engine) fn keys(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.doors.keys()
    }

    pub(in crate::engine) fn secret(&self, door: &[u8; 32]) -> Option<&Secret> {
        Some(&self.doors.get(door)?.door.secret)
    }

    /// Who has to give way for one more guest at this door.
    fn oldest(&self, door: &[u8; 32]) -> Option<SessionId> {
        let here = || self.awaited.iter().filter(|(_, awaited)| awaited.door == *door);
        let oldest = |guests: &mut dyn Iterator<Item = (&SessionId, &Awaited)>| {
            guests.min_by_key(|(_, awaited)| awaited.begun).map(|(id, _)| *id)
        };
        if here().count() >= MOST_AWAITED {
            oldest(&mut here())
        } else if self.awaited.len() >= MOST_AWAITED_IN_ALL {
            oldest(&mut self.awaited.iter())
        } else {
            None
        }
    }
}

impl Engine {
    pub(in crate::engine) fn have_doors(&mut self, doors: Vec<Door>) {
        let mut before = std::mem::take(&mut self.doors.doors);
        for door in doors.into_iter().take(MOST_DOORS) {
            let key = door.key.public();
            let same = before.remove(&key).filter(|open| open.door.secret == door.secret);
            let open = same.unwrap_or(Open { door, answered: (Epoch(0), 0) });
            self.doors.doors.insert(key, open);
        }
        let gone: Vec<_> = before.into_keys().collect();
        self.end_awaited(|awaited| gone.contains(&awaited.door));
        self.rewatch_doors();
    }

    /// A record in one of a door's slots opened: whoever left it has the door's secret.
    pub(in crate::engine) fn knocked(&mut self, door: &[u8; 32], arrival: &Arrival, message: &[u8]) {
        let today = self.epoch();
        let Some(open) = self.doors.doors.get_mut(door) else { return };
        if open.answered.0 != today {
            open.answered = (today, 0);
        }
        if open.answered.1 >= MOST_ANSWERS {
            return;
        }
        let (key, secret) = (open.door.key.clone(), open.door.secret.clone());
        let ephemeral = Secret::random(&mut self.rng);
        let handshake = Handshake::responder(Pattern::Guest, &key, None, &psk(&secret), PROLOGUE, &ephemeral);
        let Ok(mut handshake) = handshake else { return };
        let Ok(padded) = handshake.read(message) else { return };
        let knock = envelope::unpad(&padded).and_then(|payload| Knock::from_bytes(payload).ok());
        let Some(knock) = knock else { return };
        let h1 = handshake.hash();
        if let Some(open) = self.doors.doors.get_mut(door) {
            open.answered.1 = open.answered.1.saturating_add(1);
        }
        // The same one in another place: it is answered there too, for one of the two may be slow.
        let known = self.doors.awaited.iter().find(|(_, it)| it.door == *door && it.h1 == h1);
        if let Some((id, _)) = known {
            return self.answer_knock(*id, arrival);
        }
        let padded = Bucket::Small.pad(&Knock::of(&self.reach).to_bytes(), Pattern::Guest.overhead2());
        let Some(message) = padded.and_then(|payload| handshake.write(&payload).ok()) else { return };
        let Some(meeting) = handshake.secret(MEETING) else { return };
        let met = session(*door, &secret, &meeting);
        self.await_guest(met, &knock, h1, message, arrival);
    }

    fn await_guest(
        &mut self,
        met: DoorSession,
        knock: &Knock,
        h1: [u8; 32],
        message: Vec<u8>,
        arrival: &Arrival,
    ) {
        if let Some(oldest) = self.doors.oldest(&met.guest) {
            self.end_guest(oldest);
        }
        let (id, latency) = (met.id, self.leg(&arrival.bridge));
        let lifetime = self.config.answer_lifetime.max(self.latency(&arrival.bridge).saturating_mul(4));
        let now = self.now.mono;
        self.doors.awaited.insert(
            id,
            Awaited {
                door: met.guest,
                h1,
                message,
                at: Vec::new(),
                begun: now,
                deadline: now.saturating_add(lifetime),
            },
        );
        self.out.act(Output::ExpectGuest { session: met, reach: knock.reach(), latency });
        self.answer_knock(id, arrival);
    }

    fn answer_knock(&mut self, id: SessionId, arrival: &Arrival) {
        let Some(awaited) = self.doors.awaited.get_mut(&id) else { return };
        if awaited.at.contains(&arrival.tag) {
            return;
        }
        awaited.at.push(arrival.tag);
        let (door, h1, message) = (awaited.door, awaited.h1, awaited.message.clone());
        let Some(secret) = self.doors.secret(&door) else { return };
        let slot = slot::knock_answer(secret, arrival.tag, &h1);
        self.publish(Draft {
            bridge: arrival.bridge.clone(),
            slot: slot.id,
            inner: None,
            bytes: envelope::seal(&slot.siv, &message),
            purpose: Purpose::Opened(id.0),
        });
    }

    /// Whether this is a guest's session; if so it is in, and what was left for it goes.
    pub(in crate::engine) fn guest_linked(&mut self, id: SessionId) -> bool {
        let is_guest = self.doors.awaited.contains_key(&id);
        if is_guest {
            self.end_guest(id);
        }
        is_guest
    }

    fn end_guest(&mut self, id: SessionId) {
        if self.doors.awaited.remove(&id).is_some() {
            self.out.act(Output::Forget(id));
            self.done(|purpose| *purpose == Purpose::Opened(id.0));
        }
    }

    fn end_awaited(&mut self, which: impl Fn(&Awaited) -> bool) {
        let over: Vec<_> =
            self.doors.awaited.iter().filter(|(_, awaited)| which(awaited)).map(|(id, _)| *id).collect();
        over.into_iter().for_each(|id| self.end_guest(id));
    }

    /// Guests that have not come in time are awaited no longer.
    pub(in crate::engine) fn run_doors(&mut self) {
        let now = self.now.mono;
        self.end_awaited(|awaited| awaited.deadline <= now);
    }

    pub(in crate::engine) fn next_door_due(&self) -> Option<Duration> {
        self.doors.awaited.values().map(|awaited| awaited.deadline).min()
    }
}
