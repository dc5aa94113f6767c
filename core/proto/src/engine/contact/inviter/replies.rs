//! Replies to invites whose places we alone write in: where the joins of those who accepted lie, or the joins themselves.

use super::super::super::Engine;
use super::super::super::config::{CommandError, ReplyFault};
use super::super::super::io::{BridgeName, Space};
use super::super::super::watch::{Arrival, Special};
use super::super::opening::{Came, Kind, Opening, Replied};
use super::Reply as Answer;
use super::joins::Verdict;
use crate::crypto::keys::AccountId;
use crate::crypto::sha256;
use crate::invite::Invite;
use crate::meet::slot::{self, Slot, SlotId};
use crate::message::Refusal;
use crate::place::{Locator, PlaceTag};
use crate::reply::{Joined, Reply};
use crate::time::Epoch;

/// What came of a reply to an invite of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyState {
    /// The join was not found yet.
    Waiting,
    /// We are friends.
    Done(AccountId),
    /// Whoever it is was refused.
    Refused(Refusal),
}

/// Spaces that are looked into for invites' sake at once, of all invites: each costs looks at somebody's server.
const MOST_REPLIES: usize = 64;

impl Engine {
    pub(in crate::engine) fn complete_reply(&mut self, reply: &Reply) -> Result<ReplyState, CommandError> {
        let (id, opening) = self.replied_to(reply).ok_or(CommandError::Reply(ReplyFault::Unknown))?;
        match self.state_of_reply(&opening, reply) {
            Some(ReplyState::Refused(why)) => return Err(CommandError::Reply(ReplyFault::Refused(why))),
            Some(state) => return Ok(state),
            None => {}
        }
        if opening.ended(self.time_now()) {
            return Err(CommandError::Reply(ReplyFault::Refused(Refusal::Expired)));
        }
        match reply.joined() {
            Joined::Space(space) => {
                let writer = self.answered_by(&opening, reply)?;
                if self.reader_of(space, &writer).is_none() {
                    return Err(CommandError::NoBridge { wanted: vec![space.clone()] });
                }
                self.look_into(&id, Replied::new(space.clone(), reply.point()))?;
                Ok(ReplyState::Waiting)
            }
            Joined::Message(message) => {
                let writer = self.answered_by(&opening, reply)?;
                self.take_join(&id, &opening, reply.point(), writer, message)
            }
            Joined::Carried(message) => self.take_carried(&id, &opening, message),
        }
    }

    /// The bridge that writes where the answer to a reply is looked for.
    fn answered_by(&self, opening: &Opening, reply: &Reply) -> Result<BridgeName, CommandError> {
        let Kind::Invite(own) = &opening.kind else {
            return Err(CommandError::Reply(ReplyFault::Unknown));
        };
        // Whoever it is bound to and has not come yet may reply from elsewhere.
        let done = opening.bound.iter().filter(|bound| bound.done).count();
        if done >= usize::from(own.invite.uses) {
            return Err(CommandError::Reply(ReplyFault::Refused(Refusal::Used)));
        }
        let point = own.invite.points.get(usize::from(reply.point())).cloned();
        let point = point.ok_or(CommandError::Reply(ReplyFault::Unknown))?;
        self.writer_of(&point).ok_or(CommandError::NoBridge { wanted: vec![point] })
    }

    /// How far it has got; `None` for one that is to no invite of ours, or was not completed.
    pub(in crate::engine) fn reply_shown(&self, reply: &Reply) -> Option<ReplyState> {
        let (_, opening) = self.replied_to(reply)?;
        self.state_of_reply(&opening, reply)
    }

    fn replied_to(&self, reply: &Reply) -> Option<([u8; 32], Opening)> {
        let is_for =
            |opening: &Opening| matches!(&opening.kind, Kind::Invite(own) if reply.is_for(&own.invite));
        self.openings.iter().find(|(_, opening)| is_for(opening)).map(|(id, opening)| (*id, opening.clone()))
    }

    fn state_of_reply(&self, opening: &Opening, reply: &Reply) -> Option<ReplyState> {
        match reply.joined() {
            Joined::Space(space) => {
                let Kind::Invite(own) = &opening.kind else { return None };
                let known = own.replies.iter().find(|it| it.space == *space && it.point == reply.point())?;
                Some(known.state())
            }
            Joined::Message(message) | Joined::Carried(message) => {
                let (bound, _) = opening.answer_to(&sha256(&[message]))?;
                Some(ReplyState::Done(bound.account))
            }
        }
    }

    /// A join may lie in this space.
    fn look_into(&mut self, id: &[u8; 32], replied: Replied) -> Result<(), CommandError> {
        let waiting = self.openings.values().flat_map(Opening::replies);
        if waiting.filter(|it| it.state() == ReplyState::Waiting).count() >= MOST_REPLIES {
            return Err(CommandError::TooMany("replies whose senders were not found yet"));
        }
        if let Some(own) = self.openings.get_mut(id).and_then(Opening::invite_mut) {
            own.replies.push(replied);
        }
        self.keep_opening(id);
        self.rewatch_opening(id);
        self.all_dirty();
        Ok(())
    }

    /// The join was handed over by people.
    fn take_join(
        &mut self,
        id: &[u8; 32],
        opening: &Opening,
        point: u8,
        writer: BridgeName,
        message: &[u8],
    ) -> Result<ReplyState, CommandError> {
        let read = self.read_join(opening, message).ok_or(CommandError::Reply(ReplyFault::Unreadable))?;
        let account = read.account();
        if account == self.me || !read.in_force(self.time_now()) {
            return Err(CommandError::Reply(ReplyFault::Unreadable));
        }
        match self.verdict(opening, &account, read.join()) {
            Verdict::Welcome => {
                let came = Came::apart(writer, PlaceTag::of_point(point), None, None);
                let answer = Answer { opening: *id, to: sha256(&[message]), came };
                self.welcome(&answer, read, opening, None)?;
                Ok(ReplyState::Done(account))
            }
            Verdict::Refuse(why) => Err(CommandError::Reply(ReplyFault::Refused(why))),
            Verdict::Ask | Verdict::Silence => {
                Err(CommandError::TooMany("people who came with this invite and have not linked yet"))
            }
        }
    }

    /// Where joins of those who replied are looked for, while there is a space of ours to answer in.
    pub(super) fn replied_slots(&self, opening: &Opening) -> Vec<(SlotId, Special)> {
        let Kind::Invite(own) = &opening.kind else { return Vec::new() };
        let mut slots = Vec::new();
        for replied in opening.replies().filter(|replied| !opening.has_come(replied)) {
            let Some(reader) = self.answerable(&own.invite, replied) else { continue };
            for day in self.epoch().watched() {
                let slot = slot::own_join(&own.invite.secret, PlaceTag::of_space(&replied.space), day);
                let special = Special {
                    bridge: reader.clone(),
                    space: Space::Of(replied.space.clone()),
                    siv: slot.siv,
                    tag: PlaceTag::of_point(replied.point),
                };
                slots.push((slot.id, special));
            }
        }
        slots
    }

    /// Somebody has come: where it replied from nothing more is looked for.
    pub(super) fn rewatch_replies(&mut self, id: &[u8; 32]) {
        if self.openings.get(id).is_some_and(|opening| opening.replies().next().is_some()) {
            self.rewatch_opening(id);
        }
    }

    /// The bridge that reads the space of somebody who replied, where it could be answered.
    fn answerable(&self, invite: &Invite, replied: &Replied) -> Option<BridgeName> {
        let writer = self.writer_of(invite.points.get(usize::from(replied.point))?)?;
        self.reader_of(&replied.space, &writer)
    }

    /// Where a join came, and by which bridge it is answered; `None` where it cannot be.
    pub(super) fn came_by(&self, opening: &Opening, arrival: &Arrival, slot: SlotId) -> Option<Came> {
        let Space::Of(space) = &arrival.space else { return Some(Came::at(arrival, slot)) };
        let terms = opening.terms();
        let point = terms.points().get(usize::from(arrival.tag.point()))?;
        Some(Came::apart(self.writer_of(point)?, arrival.tag, Some(slot), Some(space.clone())))
    }

    /// The join that a reply told of was read.
    pub(super) fn reply_read(
        &mut self,
        id: &[u8; 32],
        came: &Came,
        account: AccountId,
        refused: Option<Refusal>,
    ) {
        let own = self.openings.get_mut(id).and_then(Opening::invite_mut);
        let replied =
            own.and_then(|own| own.replies.iter_mut().find(|it| Some(&it.space) == came.space.as_ref()));
        if let Some(replied) = replied {
            (replied.account, replied.refused) = (Some(account), refused);
            self.keep_opening(id);
        }
    }

    /// The indexes that are looked at in others' spaces for the sake of first contacts.
    pub(in crate::engine) fn contact_indexes(&self, bridge: &BridgeName) -> Vec<(Locator, Epoch, Slot)> {
        let time = self.time_now();
        let mut spaces: Vec<_> = self.spaces_of_joins();
        for opening in self.openings.values().filter(|opening| opening.listens(time)) {
            let Kind::Invite(own) = &opening.kind else { continue };
            for replied in opening.replies().filter(|replied| !opening.has_come(replied)) {
                if let Some(reader) = self.answerable(&own.invite, replied) {
                    spaces.push((reader, replied.space.clone(), own.invite.secret.clone()));
                }
            }
        }
        let window = self.epoch().watched();
        let here = spaces.into_iter().filter(|(reader, ..)| reader == bridge);
        here.flat_map(|(_, space, secret)| {
            let tag = PlaceTag::of_space(&space);
            window.map(|epoch| (space.clone(), epoch, slot::contact_index(&secret, tag, epoch)))
        })
        .collect()
    }

    /// Where we say what lies in our own space for the first contact by an invite of ours, or of somebody's that we accepted.
    pub(in crate::engine) fn own_contact_index(&self, key: &[u8; 32], bridge: &BridgeName) -> Option<Slot> {
        let (secret, space) = match self.openings.get(key).map(|opening| &opening.kind) {
            Some(Kind::Invite(own)) => {
                let points = (0..).zip(&own.invite.points);
                let mut ours = points.filter(|(number, _)| own.invite.own.contains(number));
                let profile = &self.bridges.get(bridge)?.profile;
                let (_, point) = ours.find(|(_, point)| profile.reaches(point))?;
                (own.invite.secret.clone(), point.clone())
            }
            Some(Kind::Pointer(_)) => return None,
            None => self.space_of_join(key)?,
        };
        Some(slot::contact_index(&secret, PlaceTag::of_space(&space), self.epoch()))
    }
}

impl Replied {
    const fn new(space: Locator, point: u8) -> Self {
        Self { space, point, account: None, refused: None }
    }

    fn state(&self) -> ReplyState {
        match (self.account, self.refused) {
            (_, Some(why)) => ReplyState::Refused(why),
            (Some(account), None) => ReplyState::Done(account),
            (None, None) => ReplyState::Waiting,
        }
    }
}

impl Opening {
    fn replies(&self) -> impl Iterator<Item = &Replied> {
        let own = match &self.kind {
            Kind::Invite(own) => Some(own),
            Kind::Pointer(_) => None,
        };
        own.into_iter().flat_map(|own| &own.replies)
    }

    /// Whether nothing more is to be found where somebody replied from: it was refused, or has shown that it got its answer.
    fn has_come(&self, replied: &Replied) -> bool {
        let done = |account| self.bound.iter().any(|bound| bound.account == account && bound.done);
        replied.refused.is_some() || replied.account.is_some_and(done)
    }
}
