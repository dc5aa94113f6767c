//! What stands open for strangers: an invite or a pointer of ours, and whom it let in.

mod rows;

pub(in crate::engine) use rows::{InviteRow, PointerRow};

use minicbor::{Decode, Encode};

use super::super::io::BridgeName;
use super::super::watch::Arrival;
use super::inviter::Greeted;
use super::terms::Terms;
use super::{AFTERWARDS, MOST_PENDING};
use crate::crypto::Secret;
use crate::crypto::keys::AccountId;
use crate::invite::Invite;
use crate::meet::slot::SlotId;
use crate::message::Refusal;
use crate::place::{Locator, PlaceTag};
use crate::pointer::Pointer;
use crate::time::UnixMillis;

/// An invite or a pointer of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Opening {
    /// The private half of its key. Destroyed with the whole a day after its end.
    pub(super) key: Secret,
    pub(super) bound: Vec<Bound>,
    pub(super) kind: Kind,
}

/// Which of the two: what of it is public, and what it takes to come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Invite(OwnInvite),
    Pointer(OwnPointer),
}

/// Whoever has it may come in, as long as there is room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OwnInvite {
    pub(super) invite: Invite,
    /// Who was told that it is used up or over: once each.
    pub(super) refused: Vec<AccountId>,
    pub(super) withdrawn: bool,
    /// Whom it is for, where that is known.
    pub(super) only: Option<AccountId>,
    /// Where those who replied have left their joins, where we alone write in its places.
    pub(super) replies: Vec<Replied>,
    /// What its file says of us, where it went in one.
    pub(super) greeted: Option<Greeted>,
}

/// Somebody who accepted from a space of its own, as its reply says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Replied {
    /// Where its join lies.
    #[n(0)]
    pub(super) space: Locator,
    /// At which of the invite's points it looks for the answer.
    #[n(1)]
    pub(super) point: u8,
    /// Who it was, once that was read.
    #[n(2)]
    pub(super) account: Option<AccountId>,
    /// Why it was refused, if it was.
    #[n(3)]
    pub(super) refused: Option<Refusal>,
}

/// Our person is asked about everybody who is no friend yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OwnPointer {
    pub(super) pointer: Pointer,
    /// Places of copies before, which are still in use.
    pub(super) before: Vec<Locator>,
    pub(super) withdrawn: Option<UnixMillis>,
    /// Who is not heard any more, the latest last.
    pub(super) refused: Vec<AccountId>,
    /// Who was answered, and up to which message.
    pub(super) heard: Vec<Heard>,
}

/// When an account sent the last message of its that was answered, by its clock: what it sent before is somebody's repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Heard {
    #[n(0)]
    pub(super) account: AccountId,
    #[n(1)]
    pub(super) sent: UnixMillis,
}

/// Who used it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Bound {
    #[n(0)]
    pub(super) account: AccountId,
    #[n(1)]
    pub(super) done: bool,
    #[n(2)]
    pub(super) welcomes: Vec<Sent>,
}

/// The answer to one join.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Sent {
    /// SHA-256 of the join's message.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) to: [u8; 32],
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) h1: [u8; 32],
    /// The exact message 2.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(super) message: Vec<u8>,
    #[n(3)]
    pub(super) over: Vec<BridgeName>,
    /// The join slots that it came in: in another one it is a repetition, which is answered again.
    #[n(4)]
    pub(super) slots: Slots,
}

/// A place that a join came by.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Came {
    #[n(0)]
    pub(super) bridge: BridgeName,
    #[n(1)]
    pub(super) tag: PlaceTag,
    #[n(2)]
    pub(super) slots: Slots,
    /// The sender's own space, where that is where it lies: the answer is left in ours, by `bridge`.
    #[n(3)]
    pub(super) space: Option<Locator>,
}

impl Came {
    pub(super) fn at(arrival: &Arrival, slot: SlotId) -> Self {
        Self { bridge: arrival.bridge.clone(), tag: arrival.tag, slots: Slots(slot.0.to_vec()), space: None }
    }

    /// In a space of the sender's, or handed over by people; answered by this bridge of ours.
    pub(super) fn apart(
        bridge: BridgeName,
        tag: PlaceTag,
        slot: Option<SlotId>,
        space: Option<Locator>,
    ) -> Self {
        let slots = Slots(slot.map(|slot| slot.0.to_vec()).unwrap_or_default());
        Self { bridge, tag, slots, space }
    }
}

/// Join slots, one behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Slots(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>);

impl Slots {
    /// The most: those of three days, eight lanes and three places, which are watched at once.
    const MOST: usize = 3 * 8 * 3;

    pub(super) fn contains(&self, slot: SlotId) -> bool {
        self.0.chunks_exact(slot.0.len()).any(|known| *known == slot.0)
    }

    /// The oldest gives way: its day is over.
    pub(super) fn add(&mut self, slot: SlotId) {
        if !self.contains(slot) {
            self.0.extend(slot.0);
            let over = self.0.len().saturating_sub(Self::MOST * slot.0.len());
            self.0.drain(..over);
        }
    }

    pub(super) fn last(&self) -> Option<SlotId> {
        self.0.last_chunk().copied().map(SlotId)
    }
}

/// Answers to one account that are remembered: more would be somebody who draws a new key again and again.
const MOST_WELCOMES: usize = 4;
/// Accounts that a pointer does not hear any more; whoever was refused first is forgotten then.
const MOST_REFUSED: usize = 256;
/// Accounts that a pointer answered whose last message is remembered. All of them are, or were, friends.
const MOST_HEARD: usize = 1024;
/// Places of earlier copies that are still watched.
const MOST_BEFORE: usize = Pointer::MOST_POINTS;

impl Opening {
    /// Of an invite that nobody has used.
    pub(super) const fn of_invite(key: Secret, invite: Invite, only: Option<AccountId>) -> Self {
        let own = OwnInvite {
            invite,
            refused: Vec::new(),
            withdrawn: false,
            only,
            replies: Vec::new(),
            greeted: None,
        };
        Self { key, bound: Vec::new(), kind: Kind::Invite(own) }
    }

    pub(in crate::engine) fn id(&self) -> [u8; 32] {
        self.terms().id()
    }

    pub(super) fn terms(&self) -> Terms {
        match &self.kind {
            Kind::Invite(own) => Terms::Invite(own.invite.clone()),
            Kind::Pointer(own) => Terms::Pointer(own.pointer.clone()),
        }
    }

    pub(super) const fn pointer(&self) -> Option<&OwnPointer> {
        match &self.kind {
            Kind::Pointer(own) => Some(own),
            Kind::Invite(_) => None,
        }
    }

    pub(super) const fn pointer_mut(&mut self) -> Option<&mut OwnPointer> {
        match &mut self.kind {
            Kind::Pointer(own) => Some(own),
            Kind::Invite(_) => None,
        }
    }

    pub(super) const fn invite_mut(&mut self) -> Option<&mut OwnInvite> {
        match &mut self.kind {
            Kind::Invite(own) => Some(own),
            Kind::Pointer(_) => None,
        }
    }

    /// Where joins are looked for.
    pub(super) fn places(&self) -> Vec<(PlaceTag, Locator)> {
        let mut places = self.terms().places();
        let before = self.pointer().into_iter().flat_map(|own| &own.before);
        places.extend(before.map(|point| (Pointer::tag(point), point.clone())));
        places
    }

    /// The same without what stands for their tags.
    pub(super) fn points(&self) -> Vec<Locator> {
        self.places().into_iter().map(|(_, point)| point).collect()
    }

    /// Whether nobody new comes in.
    pub(super) fn ended(&self, time: UnixMillis) -> bool {
        match &self.kind {
            Kind::Invite(own) => own.withdrawn || time > own.invite.expires,
            // Withdrawn it has, whatever the time is estimated to be a moment later.
            Kind::Pointer(own) => own.withdrawn.is_some() || time >= own.ends(),
        }
    }

    /// When it is forgotten. An invite that was withdrawn is not before its own end, so that those who come with it are told.
    pub(super) fn gone(&self) -> UnixMillis {
        let ends = match &self.kind {
            Kind::Invite(own) => own.invite.expires,
            Kind::Pointer(own) => own.ends(),
        };
        ends.after(AFTERWARDS)
    }

    /// Whether joins are looked for: for an invite until it is forgotten, since those who come late are told so; for a pointer that has ended only while
    /// somebody who was let in has not come yet, whose answer may have been lost.
    pub(super) fn listens(&self, time: UnixMillis) -> bool {
        self.pointer().is_none() || !self.ended(time) || !self.bound.is_empty()
    }

    /// When that, or whether it is there at all, changes by itself.
    pub(super) fn next_change(&self, time: UnixMillis) -> UnixMillis {
        match self.pointer() {
            Some(own) if !self.ended(time) => own.ends(),
            _ => self.gone(),
        }
    }

    /// The answer that this message got, and whose it was.
    pub(super) fn answer_to(&self, to: &[u8; 32]) -> Option<(&Bound, &Sent)> {
        let answers = |bound| Some((bound, Bound::answer_to(bound, to)?));
        self.bound.iter().find_map(answers)
    }

    /// Somebody was let in with this answer.
    pub(super) fn answered(&mut self, account: AccountId, sent: Sent) {
        let at = self.bound.iter().position(|bound| bound.account == account).unwrap_or_else(|| {
            self.bound.push(Bound { account, done: false, welcomes: Vec::new() });
            self.bound.len().saturating_sub(1)
        });
        if let Some(bound) = self.bound.get_mut(at) {
            bound.welcomes.push(sent);
            if bound.welcomes.len() > MOST_WELCOMES {
                bound.welcomes.remove(0);
            }
        }
        // An invite has its own bound, before anybody is let in.
        if self.pointer().is_some() && self.bound.len() > MOST_PENDING {
            self.bound.remove(0);
        }
    }

    /// Somebody has shown that it got its answer, or is not to have it any more. Whether that changed anything.
    pub(super) fn settle(&mut self, account: &AccountId) -> bool {
        let is_open = |bound: &Bound| bound.account == *account && !bound.done;
        let changed = self.bound.iter().any(is_open);
        match self.kind {
            // Nothing of the answers is needed any more; that they were given is.
            Kind::Invite(_) => {
                for bound in self.bound.iter_mut().filter(|bound| is_open(bound)) {
                    bound.done = true;
                    bound.welcomes.iter_mut().for_each(|sent| sent.message.clear());
                }
            }
            // What it sent before is not answered again in any case.
            Kind::Pointer(_) => self.bound.retain(|bound| bound.account != *account),
        }
        changed
    }
}

impl Bound {
    fn answer_to(&self, to: &[u8; 32]) -> Option<&Sent> {
        self.welcomes.iter().find(|sent| sent.to == *to)
    }
}

impl OwnPointer {
    fn ends(&self) -> UnixMillis {
        self.withdrawn.map_or(self.pointer.expires(), |at| at.min(self.pointer.expires()))
    }

    /// Another copy takes the place of the one that is there.
    pub(super) fn renew(&mut self, pointer: Pointer) {
        let known: Vec<_> = self.pointer.points().iter().chain(&self.before).cloned().collect();
        self.before = known.into_iter().filter(|point| !pointer.points().contains(point)).collect();
        self.before.truncate(MOST_BEFORE);
        self.pointer = pointer;
    }

    pub(super) fn refuse(&mut self, account: AccountId) {
        self.refused.retain(|known| *known != account);
        self.refused.push(account);
        if self.refused.len() > MOST_REFUSED {
            self.refused.remove(0);
        }
    }

    /// Whether what an account sent then was answered already, or something later of its.
    pub(super) fn has_heard(&self, account: &AccountId, sent: UnixMillis) -> bool {
        self.heard.iter().any(|heard| heard.account == *account && heard.sent >= sent)
    }

    pub(super) fn hear(&mut self, account: AccountId, sent: UnixMillis) {
        self.heard.retain(|heard| heard.account != account);
        self.heard.push(Heard { account, sent });
        if self.heard.len() > MOST_HEARD {
            self.heard.remove(0);
        }
    }
}
