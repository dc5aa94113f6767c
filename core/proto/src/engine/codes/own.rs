//! Codes of our own: called out, guessed at, answered.

use std::time::Duration;

use super::super::Engine;
use super::super::config::CommandError;
use super::super::io::{BridgeName, Event, Space};
use super::super::publications::Purpose;
use super::super::watch::{Arrival, Owner, Special};
use super::{MOST, spaces};
use crate::code::exchange::{Caller, GUESSES, Heard, Judged, Response};
use crate::code::{Code, USUAL_WORDS};
use crate::crypto::envelope;
use crate::crypto::keys::AccountId;
use crate::meet::slot::{self, SlotId};
use crate::time::{Epoch, UnixMillis};

/// How long a code may wait: people are on the telephone, or in one room.
const LIFETIME: std::ops::RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(86_400);

/// What a spoken code is to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeOptions {
    /// Where answers are looked for, the preferred first, at most three; empty: up to three of the bridges that are up. Others have to write there too.
    pub bridges: Vec<BridgeName>,
    /// How many words, two to four: two (16 bits) where few read the place, three (24 bits) else.
    pub words: u8,
    /// For how long: a minute to a day, cut to that.
    pub lifetime: Duration,
}

impl Default for CodeOptions {
    fn default() -> Self {
        Self { bridges: Vec::new(), words: USUAL_WORDS, lifetime: Duration::from_secs(3600) }
    }
}

/// A code of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpokenCode {
    /// What it is known by here: the one-time key of the invite that it leads to.
    pub id: [u8; 32],
    /// What is said.
    pub code: Code,
    /// Until when.
    pub expires: UnixMillis,
}

/// How far a code of ours has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnCodeState {
    /// Nobody has said the right words yet.
    Open {
        /// How many guesses are left, of eight.
        left: u8,
    },
    /// Somebody has; it is not a friend yet.
    Answered,
    /// Somebody has, and is.
    Done(AccountId),
    /// Eight times the words were wrong.
    Burnt,
}

#[derive(Debug)]
pub(super) struct OwnCode {
    code: Code,
    caller: Caller,
    hash: [u8; 32],
    state: State,
    /// By the monotonic clock.
    pub(super) until: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Answered,
    Burnt,
}

impl Engine {
    pub(in crate::engine) fn call_code(&mut self, options: &CodeOptions) -> Result<SpokenCode, CommandError> {
        if self.codes.own.len() >= MOST {
            return Err(CommandError::TooMany("codes"));
        }
        let points = self.shared_points(&options.bridges)?;
        let lifetime = options.lifetime.clamp(*LIFETIME.start(), *LIFETIME.end());
        let taken = |number| self.codes.own.values().any(|own| own.code.nameplate() == number);
        let code = Code::random(&mut self.rng, options.words, taken);
        let expires = self.time_now().after(lifetime);
        let caller = Caller::new(&code, expires, points, &mut self.rng).ok_or(CommandError::CardTooLarge)?;
        let (id, hash, call) = (caller.call().key, caller.call().hash(), caller.call().clone());
        if !self.could_welcome(&call.points) {
            return Err(CommandError::CardTooLarge);
        }
        let until = self.now.mono.saturating_add(lifetime);
        self.codes.own.insert(id, OwnCode { code: code.clone(), caller, hash, state: State::Open, until });
        for (space, point) in spaces(&call) {
            let slot = slot::code_call(code.nameplate(), space, self.epoch());
            self.leave_for_code(point, &slot, &call.to_bytes(), Purpose::Code(id));
        }
        self.rewatch_code(&id);
        Ok(SpokenCode { id, code, expires: call.expires })
    }

    pub(in crate::engine) fn own_code_state(&self, id: &[u8; 32]) -> Option<OwnCodeState> {
        let own = self.codes.own.get(id)?;
        Some(match own.state {
            State::Open => OwnCodeState::Open { left: own.caller.left() },
            State::Burnt => OwnCodeState::Burnt,
            State::Answered => self.who_used(id).map_or(OwnCodeState::Answered, OwnCodeState::Done),
        })
    }

    pub(in crate::engine) fn withdraw_code(&mut self, id: &[u8; 32]) -> bool {
        let known = self.codes.own.remove(id).is_some();
        self.unexpect_records(&Owner::Code(*id));
        let id = *id;
        self.done(|purpose| matches!(purpose, Purpose::Code(of) | Purpose::CodeVerdict(of) if *of == id));
        known
    }

    /// Looks for responses, to each element, in each of the places.
    pub(super) fn rewatch_code(&mut self, id: &[u8; 32]) {
        let Some(own) = self.codes.own.get(id).filter(|own| own.state == State::Open) else {
            return self.unexpect_records(&Owner::Code(*id));
        };
        let mut slots: Vec<(SlotId, Special)> = Vec::new();
        for (tag, point) in spaces(own.caller.call()) {
            let Some(bridge) = self.bridge_at(point) else { continue };
            for index in (0..GUESSES).filter(|index| own.caller.is_open(*index)) {
                let slot = slot::code_response(&own.hash, tag, index);
                slots.push((
                    slot.id,
                    Special { bridge: bridge.clone(), space: Space::Own, siv: slot.siv, tag },
                ));
            }
        }
        self.expect_records(Owner::Code(*id), slots);
    }

    /// Somebody has said something to one of the elements.
    pub(in crate::engine) fn found_response(
        &mut self,
        id: &[u8; 32],
        arrival: &Arrival,
        found: SlotId,
        message: &[u8],
    ) {
        let Some(own) = self.codes.own.get_mut(id).filter(|own| own.state == State::Open) else { return };
        let response = envelope::unpad(message).and_then(|payload| Response::from_bytes(payload).ok());
        let index =
            (0..GUESSES).find(|index| slot::code_response(&own.hash, arrival.tag, *index).id == found);
        // What is no response uses nothing up: whoever has the words would not have written it, and it guesses at nothing.
        let (Some(response), Some(index)) = (response, index) else { return };
        match own.caller.judge(index, &response) {
            Judged::Spent => {}
            Judged::Right(invite, key) => {
                own.state = State::Answered;
                let id = *id;
                self.done(
                    |purpose| matches!(purpose, Purpose::Code(of) | Purpose::CodeVerdict(of) if *of == id),
                );
                self.rewatch_code(&id);
                self.out.event(Event::CodeAnswered { code: id });
                // It was looked at beforehand whether a welcome has room for our card.
                if self.open_invite(key, *invite).is_err() {
                    self.burn(&id);
                }
            }
            Judged::Wrong(verdict) => {
                let verdict_slot = slot::code_verdict(&own.hash, arrival.tag, index);
                let here = spaces(own.caller.call()).find(|(tag, _)| *tag == arrival.tag);
                let place = here.map(|(_, point)| point.clone());
                if let Some(place) = place {
                    let purpose = Purpose::CodeVerdict(*id);
                    self.leave_for_code(&place, &verdict_slot, &verdict.to_bytes(), purpose);
                }
                self.out.event(Event::CodeGuessed { code: *id, left: verdict.left });
                if verdict.left == 0 {
                    self.burn(id);
                }
                self.rewatch_code(id);
            }
        }
    }

    /// It takes no guess any more, and whoever looks for it is told.
    fn burn(&mut self, id: &[u8; 32]) {
        let (id, day): ([u8; 32], Epoch) = (*id, self.epoch());
        self.done(|purpose| *purpose == Purpose::Code(id));
        let Some(own) = self.codes.own.get_mut(&id) else { return };
        own.state = State::Burnt;
        let (call, nameplate) = (own.caller.call().clone(), own.code.nameplate());
        for (space, point) in spaces(&call) {
            let slot = slot::code_burnt(nameplate, space, day);
            self.leave_for_code(point, &slot, &Heard::burnt(), Purpose::CodeVerdict(id));
        }
    }

    pub(super) fn run_own_codes(&mut self) {
        let now = self.now.mono;
        let over = self.codes.own.iter().filter(|(_, own)| own.until <= now);
        for id in over.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.withdraw_code(&id);
        }
    }
}
