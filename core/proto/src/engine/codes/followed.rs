//! Codes that somebody said to us: the call is looked for, answered, and the invite that comes of it accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand_core::RngCore;

use super::super::book::name_ok;
use super::super::config::CommandError;
use super::super::io::{BridgeName, Event, Space};
use super::super::publications::Purpose;
use super::super::watch::{Arrival, Owner, Special};
use super::super::{ContactId, ContactState, Engine};
use super::{MOST, spaces};
use crate::code::Code;
use crate::code::exchange::{Call, GUESSES, Heard, Response, Verdict};
use crate::crypto::envelope;
use crate::meet::slot::{self, SlotId};
use crate::place::PlaceTag;
use crate::time::Epoch;

/// How long a call is looked for.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How often somebody is answered for one code: each answer is a guess that whoever called may make.
const MOST_ANSWERS: u8 = 3;

/// How far a code that was said to us has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FollowState {
    /// Nobody calls by it yet.
    Looking,
    /// A call was answered.
    Answered,
    /// It led to an invite that was answered, or refused.
    Contact(ContactId),
    /// The words are not those of the call, as whoever called says.
    Wrong,
    /// The words were guessed at too often, as whoever called says.
    Burnt,
    /// More call by this nameplate than are answered: somebody interferes.
    Interfered,
    /// What came of it could not be accepted.
    Failed(CommandError),
}

#[derive(Debug)]
pub(super) struct Followed {
    code: Code,
    alias: Option<String>,
    /// Where it is looked for; empty: everywhere.
    bridges: Vec<BridgeName>,
    /// By the monotonic clock.
    pub(super) until: Duration,
    /// Calls that were answered, by their hash.
    answered: BTreeMap<[u8; 32], Answered>,
    answers: u8,
    burnt: bool,
    crowded: bool,
    failed: Option<CommandError>,
}

#[derive(Debug)]
struct Answered {
    call: Call,
    /// The element that we answered last.
    index: u8,
    /// Those that are used up, as we or whoever called know.
    taken: BTreeSet<u8>,
    response: Response,
    /// In which places the call was seen, and answered.
    places: BTreeSet<PlaceTag>,
    said: Said,
}

/// What whoever called says of our answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    /// Of somebody else's, to the same element.
    Late,
    Wrong,
    Burnt,
}

impl Engine {
    pub(in crate::engine) fn follow_code(
        &mut self,
        code: &Code,
        bridges: Vec<BridgeName>,
        alias: Option<String>,
    ) -> Result<(), CommandError> {
        if let Some(alias) = alias.as_ref().filter(|alias| !name_ok(alias)) {
            return Err(CommandError::Name(alias.clone()));
        }
        if self.codes.followed.values().any(|followed| followed.code == *code) {
            return Ok(());
        }
        if self.codes.followed.len() >= MOST {
            return Err(CommandError::TooMany("codes that are looked for"));
        }
        let shared = |name: &BridgeName| self.bridges.get(name).is_some_and(|it| !it.profile.one_writer);
        if let Some(unfit) = bridges.iter().find(|name| !shared(name)) {
            return Err(CommandError::Bridge(unfit.clone()));
        }
        if !self.bridges.keys().any(shared) {
            return Err(CommandError::NoBridge { wanted: Vec::new() });
        }
        let id = self.rng.next_u64();
        let followed = Followed {
            code: code.clone(),
            alias,
            bridges,
            until: self.now.mono.saturating_add(PATIENCE),
            answered: BTreeMap::new(),
            answers: 0,
            burnt: false,
            crowded: false,
            failed: None,
        };
        self.codes.followed.insert(id, followed);
        self.rewatch_followed(id);
        Ok(())
    }

    pub(in crate::engine) fn follow_state(&self, code: &Code) -> Option<FollowState> {
        let followed = self.codes.followed.values().find(|followed| followed.code == *code)?;
        let contacts = followed.answered.values().map(|answered| ContactId(answered.call.key));
        let settled = |id: &ContactId| {
            !matches!(self.contact_state(&id.0), None | Some(ContactState::Pending | ContactState::Expired))
        };
        if let Some(id) = contacts.clone().find(settled) {
            return Some(FollowState::Contact(id));
        }
        let said = |what| followed.answered.values().any(|answered| answered.said == what);
        Some(match &followed.failed {
            Some(error) => FollowState::Failed(error.clone()),
            None if (said(Said::Nothing) || said(Said::Late)) && !followed.crowded => FollowState::Answered,
            None if said(Said::Burnt) || followed.burnt => FollowState::Burnt,
            None if followed.crowded => FollowState::Interfered,
            None if said(Said::Wrong) => FollowState::Wrong,
            None => FollowState::Looking,
        })
    }

    /// It is not looked for any more. What was answered and not judged goes on by itself.
    pub(in crate::engine) fn unfollow_code(&mut self, code: &Code) {
        let known = self.codes.followed.iter().find(|(_, followed)| followed.code == *code);
        if let Some(id) = known.map(|(id, _)| *id) {
            self.end_followed(id);
        }
    }

    fn end_followed(&mut self, id: u64) {
        self.unexpect_records(&Owner::Followed(id));
        let Some(followed) = self.codes.followed.remove(&id) else { return };
        for answered in followed.answered.into_values().filter(|answered| answered.said != Said::Nothing) {
            self.drop_contact(&answered.call.key);
        }
    }

    /// Looks for calls under the nameplate in every place, and for what is said of our answers.
    pub(super) fn rewatch_followed(&mut self, id: u64) {
        let Some(followed) = self.codes.followed.get(&id) else { return };
        let nameplate = followed.code.nameplate();
        let mut slots: Vec<(SlotId, Special)> = Vec::new();
        let looked_at = |name: &BridgeName| followed.bridges.is_empty() || followed.bridges.contains(name);
        for (name, bridge) in &self.bridges {
            if bridge.profile.one_writer || !looked_at(name) {
                continue;
            }
            for tag in bridge.profile.locators.iter().map(PlaceTag::of_space) {
                for day in self.epoch().watched() {
                    for slot in [slot::code_call(nameplate, tag, day), slot::code_burnt(nameplate, tag, day)]
                    {
                        let (bridge, space) = (name.clone(), Space::Own);
                        slots.push((slot.id, Special { bridge, space, siv: slot.siv, tag }));
                    }
                }
            }
        }
        for answered in followed.answered.values() {
            let hash = answered.call.hash();
            for (tag, point) in spaces(&answered.call).filter(|(tag, _)| answered.places.contains(tag)) {
                let Some(bridge) = self.bridge_at(point) else { continue };
                for index in 0..GUESSES {
                    let (bridge, slot) = (bridge.clone(), slot::code_verdict(&hash, tag, index));
                    slots.push((slot.id, Special { bridge, space: Space::Own, siv: slot.siv, tag }));
                }
            }
        }
        self.expect_records(Owner::Followed(id), slots);
    }

    /// Something stands where a call, or what is said of an answer, is looked for.
    pub(in crate::engine) fn found_for_code(
        &mut self,
        id: u64,
        arrival: &Arrival,
        found: SlotId,
        message: &[u8],
    ) {
        let Some(payload) = envelope::unpad(message) else { return };
        let Some(followed) = self.codes.followed.get(&id) else { return };
        let of = followed.answered.keys().find_map(|hash| {
            let index =
                (0..GUESSES).find(|index| slot::code_verdict(hash, arrival.tag, *index).id == found)?;
            Some((*hash, index))
        });
        match of {
            Some((hash, index)) => {
                if let Ok(verdict) = Verdict::from_bytes(payload) {
                    self.found_verdict(id, &hash, index, verdict);
                }
            }
            None => match Heard::from_bytes(payload) {
                Ok(Heard::Call(call)) => self.found_call(id, arrival.tag, *call),
                Ok(Heard::Burnt) => self.found_burnt(id),
                Err(_) => {}
            },
        }
    }

    fn found_call(&mut self, id: u64, tag: PlaceTag, call: Call) {
        let time = self.time_now();
        // It has to be one that its place could be meant by, that lasts and does not for long; and not our own.
        let is_here = spaces(&call).any(|(of, _)| of == tag);
        let is_timely = time <= call.expires && call.expires <= time.after(Epoch::LENGTH * 2);
        if !is_here || !is_timely || self.codes.own.contains_key(&call.key) {
            return;
        }
        let hash = call.hash();
        let Some(followed) = self.codes.followed.get_mut(&id) else { return };
        if let Some(answered) = followed.answered.get_mut(&hash) {
            // The same call in another place: the same answer.
            if answered.places.insert(tag) {
                let (call, response) = (answered.call.clone(), answered.response.clone());
                let index = answered.index;
                self.leave_response(&call, tag, index, &response);
                self.rewatch_followed(id);
            }
            return;
        }
        if followed.answers >= MOST_ANSWERS {
            followed.crowded = true;
            return;
        }
        self.answer_call(id, call, BTreeSet::new(), BTreeSet::from([tag]));
    }

    /// Answers one of the elements that are not known to be used up, and accepts what comes of it.
    fn answer_call(&mut self, id: u64, call: Call, mut taken: BTreeSet<u8>, places: BTreeSet<PlaceTag>) {
        let open: Vec<u8> = (0..GUESSES).filter(|index| !taken.contains(index)).collect();
        let at = usize::try_from(self.rng.next_u32()).unwrap_or_default() % open.len().max(1);
        let Some(index) = open.get(at).copied() else { return };
        let Some(followed) = self.codes.followed.get_mut(&id) else { return };
        followed.answers = followed.answers.saturating_add(1);
        let Some((response, invite)) = call.respond(&followed.code, index, &mut self.rng) else { return };
        taken.insert(index);
        let alias = followed.alias.clone();
        // Of an answer before, to another element, another secret had come.
        self.drop_contact(&call.key);
        for tag in &places {
            self.leave_response(&call, *tag, index, &response);
        }
        let accepted = self.accept_invite(&invite, alias, None);
        let Some(followed) = self.codes.followed.get_mut(&id) else { return };
        followed.failed = accepted.err();
        let answered = Answered { call, index, taken, response, places, said: Said::Nothing };
        followed.answered.insert(answered.call.hash(), answered);
        self.rewatch_followed(id);
    }

    fn leave_response(&mut self, call: &Call, tag: PlaceTag, index: u8, response: &Response) {
        let slot = slot::code_response(&call.hash(), tag, index);
        if let Some((_, point)) = spaces(call).find(|(of, _)| *of == tag) {
            self.leave_for_code(point, &slot, &response.to_bytes(), Purpose::CodeResponse(call.key));
        }
    }

    /// Whoever called says what came of an element. Anybody in the place can write that: it is told, and the answer still waited for.
    fn found_verdict(&mut self, id: u64, hash: &[u8; 32], index: u8, verdict: Verdict) {
        let Some(followed) = self.codes.followed.get_mut(&id) else { return };
        let Some(answered) = followed.answered.get_mut(hash) else { return };
        answered.taken.insert(index);
        if index != answered.index {
            return;
        }
        if verdict.of == answered.response.name() {
            answered.said = if verdict.left == 0 { Said::Burnt } else { Said::Wrong };
            return self.out.event(Event::CodeRefused);
        }
        // Somebody else was faster with this element. Which others are used up is known when all that came with this was looked at.
        answered.said = Said::Late;
    }

    /// Answers another element where somebody else was faster with ours.
    pub(in crate::engine) fn answer_anew(&mut self) {
        for id in self.codes.followed.keys().copied().collect::<Vec<_>>() {
            let Some(followed) = self.codes.followed.get_mut(&id) else { continue };
            let late = followed.answered.iter().find(|(_, answered)| answered.said == Said::Late);
            let Some(hash) = late.map(|(hash, _)| *hash) else { continue };
            if followed.answers >= MOST_ANSWERS {
                if !std::mem::replace(&mut followed.crowded, true) {
                    self.out.event(Event::CodeRefused);
                }
                continue;
            }
            if let Some(Answered { call, taken, places, .. }) = followed.answered.remove(&hash) {
                self.answer_call(id, call, taken, places);
            }
        }
    }

    fn found_burnt(&mut self, id: u64) {
        if let Some(followed) = self.codes.followed.get_mut(&id) {
            followed.burnt = true;
            self.out.event(Event::CodeRefused);
        }
    }

    pub(super) fn run_followed_codes(&mut self) {
        let now = self.now.mono;
        let over = self.codes.followed.iter().filter(|(_, followed)| followed.until <= now);
        for id in over.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.end_followed(id);
        }
    }
}
