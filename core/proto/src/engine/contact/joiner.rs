//! The side that accepted an invite, or knocks by a pointer: joins are left and repeated here, their answers are taken in by [`welcomes`].

mod apart;
mod carried;
mod welcomes;

use std::time::Duration;

use minicbor::{Decode, Encode};
use rand_core::RngCore;

use super::super::book::name_ok;
use super::super::config::CommandError;
use super::super::io::{BridgeName, Event};
use super::super::publications::{Draft, Purpose};
use super::super::watch::Owner;
use super::super::{ContactId, ContactState, Engine, store};
use super::KNOCKED_FOR;
use super::room::Room;
use super::terms::Terms;
use crate::crypto::Secret;
use crate::crypto::envelope::{self, Bucket};
use crate::crypto::keys::{AccountId, DeviceId};
use crate::crypto::noise::Pattern;
use crate::invite::Invite;
use crate::meet::slot::Slot;
use crate::message::{CardBytes, Join, Payload, Refusal};
use crate::place::PlaceTag;
use crate::pointer::Pointer;
use crate::reach::{Reach, RelayTags};
use crate::time::{Epoch, UnixMillis};

use apart::Apart;

/// An invite that we accepted, or a pointer that we knock by.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(in crate::engine) struct StoredContact {
    #[n(0)]
    terms: Terms,
    #[n(1)]
    alias: Option<String>,
    #[n(2)]
    ephemeral: Secret,
    /// Padded: with the ephemeral key all that is needed to make the very same message again.
    #[cbor(n(3), with = "minicbor::bytes")]
    payload: Vec<u8>,
    #[n(4)]
    lane: u8,
    /// The day whose slots it was last left in.
    #[n(5)]
    day: Epoch,
    #[n(6)]
    state: State,
    /// When the state was reached.
    #[n(7)]
    since: UnixMillis,
    /// How often it was left today.
    #[n(8)]
    tries: u8,
    /// The relays that it names; `None` in a join of an earlier version.
    #[n(9)]
    relays: Option<Vec<DeviceId>>,
    /// When it is left once more, by the monotonic clock.
    #[cbor(skip)]
    next: Duration,
    /// Whose it is, where that is known beforehand.
    #[n(10)]
    only: Option<AccountId>,
    /// Where the inviter alone writes in its places: from where it is answered.
    #[n(11)]
    apart: Option<Apart>,
    /// Where it came in a file: the reply that its maker has to be handed.
    #[n(12)]
    carried: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
enum State {
    #[n(0)]
    Pending,
    /// Friends; whether a link has been up since.
    #[n(1)]
    Done(#[n(0)] AccountId, #[n(1)] bool),
    #[n(2)]
    Refused(#[n(0)] Refusal),
    #[n(3)]
    Expired,
    /// It led to somebody else than was expected.
    #[n(4)]
    Another,
}

/// How long the new friend stays wanted where no link comes up.
const WANTED: Duration = Epoch::LENGTH;
/// How long what came of an invite is remembered.
const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);
/// Contacts that are remembered after they have ended, at most.
const MOST_ENDED: usize = 256;

impl Engine {
    pub(in crate::engine) fn accept_invite(
        &mut self,
        invite: &Invite,
        alias: Option<String>,
        only: Option<AccountId>,
    ) -> Result<ContactId, CommandError> {
        let id = ContactId(invite.key);
        if self.contacts.contains_key(&id.0) {
            return Ok(id);
        }
        if self.openings.contains_key(&id.0) {
            return Err(CommandError::OwnInvite);
        }
        if invite.expires < self.time_now() {
            return Err(CommandError::Expired);
        }
        self.follow(Terms::Invite(invite.clone()), alias, only)
    }

    pub(in crate::engine) fn follow_pointer(
        &mut self,
        pointer: &Pointer,
        alias: Option<String>,
    ) -> Result<ContactId, CommandError> {
        if pointer.account() == self.me {
            return Err(CommandError::OwnPointer);
        }
        if let Some(friend) = self.book.friend(&pointer.account()) {
            return Err(CommandError::AlreadyFriend(friend.name().to_owned()));
        }
        pointer.check(self.time_now(), None, None)?;
        let terms = Terms::Pointer(pointer.clone());
        let id = ContactId(terms.id());
        match self.contacts.get_mut(&id.0) {
            // The same message, and where a newer copy says that it is looked for.
            Some(contact) if contact.state == State::Pending => {
                if contact.is_renewed_by(pointer) {
                    contact.terms = terms;
                    self.keep_contact(&id.0);
                    self.join_again(&id.0);
                }
                Ok(id)
            }
            _ => self.follow(terms, alias, Some(pointer.account())),
        }
    }

    /// Leaves a join, and repeats it until it is answered.
    fn follow(
        &mut self,
        terms: Terms,
        alias: Option<String>,
        only: Option<AccountId>,
    ) -> Result<ContactId, CommandError> {
        let id = terms.id();
        if let Some(alias) = alias.as_ref().filter(|alias| !name_ok(alias)) {
            return Err(CommandError::Name(alias.clone()));
        }
        let pending = self.contacts.values().filter(|contact| contact.state == State::Pending).count();
        if pending >= self.config.max_contacts {
            return Err(CommandError::TooMany("accepted invites that nobody answered yet"));
        }
        if self.book.len() >= self.config.max_friends {
            return Err(CommandError::TooMany("friends"));
        }
        let mut common: Vec<PlaceTag> = terms
            .shared_places()
            .iter()
            .filter_map(|(_, point)| self.bridges.get(&self.bridge_at(point)?))
            .filter(|bridge| bridge.profile.max_record >= Bucket::Large.record())
            .filter_map(|bridge| bridge.place)
            .collect();
        let mut apart = None;
        if common.is_empty() {
            let (way, place) = self
                .way_apart(&terms)
                .ok_or_else(|| CommandError::NoBridge { wanted: terms.points().to_vec() })?;
            common.extend(place);
            apart = Some(way);
        }
        let time = self.time_now();
        let (payload, relays) =
            self.join_payload(&terms.psk(), &common, time).ok_or(CommandError::CardTooLarge)?;
        let lane = u8::try_from(self.rng.next_u32() % u32::from(terms.lanes())).unwrap_or_default();
        let contact = StoredContact {
            terms,
            alias,
            ephemeral: Secret::random(&mut self.rng),
            payload,
            lane,
            day: self.epoch(),
            state: State::Pending,
            since: time,
            tries: 1,
            relays: Some(relays),
            next: Duration::ZERO,
            only,
            apart,
            carried: None,
        };
        self.contacts.insert(id, contact);
        self.keep_contact(&id);
        self.join_again(&id);
        self.schedule_join(&id);
        Ok(ContactId(id))
    }

    pub(in crate::engine) fn contact_state(&self, key: &[u8; 32]) -> Option<ContactState> {
        self.contacts.get(key).map(|contact| contact.state.shown())
    }

    pub(in crate::engine) fn contact_states(&self) -> impl Iterator<Item = (ContactId, ContactState)> {
        self.contacts.iter().map(|(key, contact)| (ContactId(*key), contact.state.shown()))
    }

    /// Our card and how we are reached, less of it where it does not all fit.
    fn join_payload(
        &mut self,
        key: &Secret,
        places: &[PlaceTag],
        sent: UnixMillis,
    ) -> Option<(Vec<u8>, Vec<DeviceId>)> {
        let (reach, relays) = (self.reach.clone(), self.relays_for(None, None));
        let pad = |card: &crate::identity::Card, room: Room| {
            let Reach { candidates, nat } = room.for_reach(&reach);
            let told = room.for_relays(&relays);
            let named = RelayTags::of(key, told);
            let join = Join { card: CardBytes(card.clone()), candidates, sent, nat, relays: named };
            let overhead = Pattern::Contact.overhead1();
            // What lies in no place goes from hand to hand: the shorter the better.
            let padded = if places.is_empty() {
                envelope::unpadded(&join.to_bytes(), overhead)?
            } else {
                Bucket::Large.pad(&join.to_bytes(), overhead)?
            };
            Some((padded, told.to_vec()))
        };
        // A place more is worth more than the last of what else is said.
        let card = if places.is_empty() {
            self.contact_card(places)?
        } else {
            self.fitting_card(places, |card| pad(card, Room::LEAST).is_some())?
        };
        Room::less_and_less().find_map(|room| pad(&card, room))
    }

    /// After a restart.
    pub(in crate::engine) fn resume_contacts(&mut self) {
        let time = self.time_now();
        for (key, contact) in self.contacts.clone() {
            if let State::Done(account, false) = contact.state {
                let left = contact.since.after(WANTED).since(time);
                if !left.is_zero() {
                    self.add_want(&account, Some(self.now.mono.saturating_add(left)), true);
                }
            }
            self.expect_welcome(&key);
            self.schedule_join(&key);
        }
    }

    /// When the join is left once more if nobody answers: after a minute, then two, four and so on.
    fn schedule_join(&mut self, key: &[u8; 32]) {
        let Some(contact) = self.contacts.get(key) else { return };
        let tries = u32::from(contact.tries.saturating_sub(1));
        let points = contact.terms.points().iter();
        let slowest =
            points.filter_map(|point| Some(self.latency(&self.bridge_at(point)?))).max().unwrap_or_default();
        let wait = self.interval(tries).max(slowest.saturating_mul(4));
        let next = self.now.mono.saturating_add(wait);
        if let Some(contact) = self.contacts.get_mut(key) {
            contact.next = next;
        }
    }

    /// Leaves the join in today's slots of every place that a bridge reaches, where it does not lie yet.
    pub(in crate::engine) fn join_again(&mut self, key: &[u8; 32]) {
        let Some(contact) = self.contacts.get(key).filter(|contact| contact.state == State::Pending).cloned()
        else {
            return;
        };
        let Some((_, message)) = self.join_message(&contact) else { return };
        for (bridge, slot) in self.places_of_join(&contact) {
            let lies = self.publications.live(&bridge).any(|publication| publication.looked_for() == slot.id);
            if !lies {
                let bytes = envelope::seal(&slot.siv, &message);
                self.publish(Draft {
                    bridge,
                    slot: slot.id,
                    inner: None,
                    bytes,
                    purpose: Purpose::Join(*key),
                });
            }
        }
        self.expect_welcome(key);
    }

    /// Where a join is to lie today.
    fn places_of_join(&self, contact: &StoredContact) -> Vec<(BridgeName, Slot)> {
        if let Some(apart) = &contact.apart {
            return self.own_place_of_join(contact, apart).into_iter().collect();
        }
        let shared = contact.terms.shared_places().into_iter();
        let lane = contact.lane_now();
        shared
            .filter_map(|(tag, locator)| {
                Some((self.bridge_at(&locator)?, contact.terms.join_slot(tag, contact.day, lane)))
            })
            .collect()
    }

    pub(in crate::engine) fn join_all_again(&mut self) {
        for key in self.contacts.keys().copied().collect::<Vec<_>>() {
            self.join_again(&key);
        }
    }

    fn end_contact(&mut self, key: &[u8; 32], state: State) {
        let time = self.time_now();
        if let Some(contact) = self.contacts.get_mut(key) {
            if !matches!(contact.state, State::Done(..)) {
                contact.since = time;
            }
            contact.state = state;
            // The message is never made again: its key is destroyed.
            contact.ephemeral = Secret::new([0; 32]);
            contact.payload.clear();
        }
        self.keep_contact(key);
        self.unexpect_records(&Owner::Contact(*key));
        let key = *key;
        self.done(|purpose| matches!(purpose, Purpose::Join(of) | Purpose::CodeResponse(of) if *of == key));
    }

    /// Nothing is to come of it any more, and nothing remembered, unless it has ended already.
    pub(in crate::engine) fn drop_contact(&mut self, key: &[u8; 32]) {
        if self.contacts.get(key).is_some_and(StoredContact::pending) {
            self.end_contact(key, State::Expired);
            self.contacts.remove(key);
            self.out.delete(store::contact(key));
        }
    }

    pub(super) fn run_joins(&mut self) {
        let (time, today) = (self.time_now(), self.epoch());
        for (key, contact) in self.contacts.clone() {
            if contact.state == State::Pending {
                if contact.ends() < time {
                    self.end_contact(&key, State::Expired);
                    self.out.event(Event::InviteRefused { invite: key, why: Refusal::Expired });
                } else if contact.day != today {
                    self.done(|purpose| *purpose == Purpose::Join(key));
                    self.repeat_join(&key, today, 1);
                } else if contact.next <= self.now.mono && contact.repeats() {
                    self.repeat_join(&key, today, contact.tries.saturating_add(1));
                }
            } else if contact.since.after(REMEMBERED) < time
                || self.contacts.len() > MOST_ENDED + self.config.max_contacts
            {
                self.contacts.remove(&key);
                self.out.delete(store::contact(&key));
            }
        }
    }

    fn repeat_join(&mut self, key: &[u8; 32], day: Epoch, tries: u8) {
        if let Some(contact) = self.contacts.get_mut(key) {
            contact.day = day;
            contact.tries = tries;
        }
        self.keep_contact(key);
        self.join_again(key);
        self.schedule_join(key);
    }

    pub(in crate::engine) fn next_join_due(&self) -> Option<Duration> {
        let pending = self.contacts.values().filter(|contact| contact.state == State::Pending);
        let due = pending.map(|contact| {
            let over = super::monotonic(self, contact.ends().after(Duration::from_secs(1)));
            if contact.repeats() { over.min(contact.next) } else { over }
        });
        due.min()
    }

    fn keep_contact(&mut self, key: &[u8; 32]) {
        if let Some(contact) = self.contacts.get(key) {
            self.out.put(store::contact(key), store::encode(contact));
        }
    }
}

impl StoredContact {
    /// What our join says of how we are reached.
    fn told(&self) -> Reach {
        let join = envelope::unpad(&self.payload).and_then(|payload| Join::from_bytes(payload).ok());
        join.map(|join| join.reach()).unwrap_or_default()
    }

    /// Whether there is a lane left today.
    const fn repeats(&self) -> bool {
        self.apart.is_none() && self.tries < self.terms.lanes()
    }

    fn lane_now(&self) -> u8 {
        self.lane.wrapping_add(self.tries.saturating_sub(1)) % self.terms.lanes()
    }

    pub(in crate::engine) fn id(&self) -> [u8; 32] {
        self.terms.id()
    }

    pub(in crate::engine) fn pending(&self) -> bool {
        self.state == State::Pending
    }

    /// Whether this is a newer copy of the pointer that we knock by.
    fn is_renewed_by(&self, pointer: &Pointer) -> bool {
        matches!(&self.terms, Terms::Pointer(known) if known.seq() < pointer.seq())
    }

    /// When nobody will answer any more: the inviter says so for a day after the invite's end, and no longer. Nobody need say anything to a knock.
    fn ends(&self) -> UnixMillis {
        match self.terms {
            Terms::Invite(_) => self.terms.gone(),
            Terms::Pointer(_) => self.terms.gone().min(self.since.after(KNOCKED_FOR)),
        }
    }
}

impl State {
    const fn shown(self) -> ContactState {
        match self {
            Self::Pending => ContactState::Pending,
            Self::Done(account, _) => ContactState::Done(account),
            Self::Refused(why) => ContactState::Refused(why),
            Self::Expired => ContactState::Expired,
            Self::Another => ContactState::Another,
        }
    }
}
