//! An invite file, accepted without any service: we are friends with its maker from here on, and the maker with us once it has our reply.

use std::time::Duration;

use super::super::super::ContactId;
use super::super::super::StepKind;
use super::super::super::book::Pair;
use super::super::super::config::CommandError;
use super::super::super::relays::Relays;
use super::super::super::sessions::Met;
use super::super::terms::Terms;
use super::super::{AFTERWARDS, Origin};
use super::{Engine, State, StoredContact, name_ok};
use crate::crypto::Secret;
use crate::crypto::keys::AccountId;
use crate::crypto::noise::{Handshake, Pattern};
use crate::greeting::{CarriedJoin, Greeting};
use crate::meet::pair::PairSecret;
use crate::message::{CardBytes, Join};
use crate::reach::RelayTags;
use crate::reply::{Joined, Reply};

impl Engine {
    /// Whether a bridge of ours reaches a place of the invite in which both write, so that no reply is needed.
    pub(in crate::engine) fn meets_at(&self, greeting: &Greeting) -> bool {
        let terms = Terms::Invite(greeting.invite().clone());
        terms.shared_places().iter().any(|(_, point)| self.bridge_at(point).is_some())
    }

    /// Accepts it by a reply. The same file again is the same reply.
    pub(in crate::engine) fn carry_greeting(
        &mut self,
        greeting: &Greeting,
        alias: Option<String>,
    ) -> Result<ContactId, CommandError> {
        let id = ContactId(greeting.invite().key);
        let known = self.contacts.get(&id.0);
        if known.is_some_and(|contact| contact.carried.is_some() || contact.state != State::Pending) {
            return Ok(id);
        }
        self.check_greeting(greeting)?;
        if let Some(alias) = alias.as_ref().filter(|alias| !name_ok(alias)) {
            return Err(CommandError::Name(alias.clone()));
        }
        let (terms, time) = (Terms::Invite(greeting.invite().clone()), self.time_now());
        let (key, account) = (terms.psk(), greeting.card().account());
        let card = self.carried_card(greeting.invite().expires).ok_or(CommandError::CardTooLarge)?;
        let maker = greeting.card().roster().device_by_noise(greeting.device()).map(|entry| entry.keys.id());
        let relays = self.relays_for(maker, Some((&key, greeting.relays())));
        let join = Join {
            card: CardBytes(card),
            candidates: self.reach.candidates.clone(),
            sent: time,
            nat: self.reach.nat.clone(),
            relays: RelayTags::of(&key, &relays),
        };
        let carried = CarriedJoin { join, seed: Secret::random(&mut self.rng) };
        // Destroyed with this call: the message is kept, and never made again.
        let ephemeral = Secret::random(&mut self.rng);
        let (message, h1) =
            self.carried_message(&terms, greeting, &carried, &ephemeral).ok_or(CommandError::CardTooLarge)?;
        let secret = terms.secret().ok_or(CommandError::Unknown("invite"))?;
        let reply = Reply::new(secret, 0, Joined::Carried(message)).to_string();
        let (root, epoch) = (carried.pair_secret(&h1), greeting.epoch());
        let pair = Pair { id: h1, secret: PairSecret::new(epoch, root.clone()), born: self.epoch() };
        if !self.befriend(greeting.card(), alias.clone(), pair, Origin::Carried) {
            return Err(CommandError::TooMany("friends"));
        }
        self.welcome_back(&account);
        match self.contacts.get_mut(&id.0) {
            Some(contact) => contact.carried = Some(reply),
            None => {
                let contact = StoredContact {
                    terms,
                    alias,
                    ephemeral: Secret::new([0; 32]),
                    payload: Vec::new(),
                    lane: 0,
                    day: self.epoch(),
                    // Nobody is wanted: the maker knows nothing of us yet.
                    state: State::Done(account, true),
                    since: time,
                    tries: 0,
                    relays: None,
                    next: Duration::ZERO,
                    only: Some(account),
                    apart: None,
                    carried: Some(reply),
                };
                self.contacts.insert(id.0, contact);
            }
        }
        self.keep_contact(&id.0);
        self.note(account, StepKind::WelcomeRead, "their invite file was read".to_owned());
        self.stand(Met {
            account,
            peer: *greeting.device(),
            meeting: carried.meeting_secret(&h1),
            pair_secret: root,
            pair: h1,
            epoch,
            client: false,
            no: 0,
            reach: greeting.reach(),
            told: carried.join.reach(),
            relays: Relays { told: relays, named: greeting.relays().clone(), key },
            lifetime: greeting.invite().expires.after(AFTERWARDS).since(time),
            via: None,
        });
        Ok(id)
    }

    /// What its maker has to be handed; `None` where nothing was carried.
    pub(in crate::engine) fn carried_reply(&self, key: &[u8; 32]) -> Option<Reply> {
        self.contacts.get(key)?.carried.as_ref()?.parse().ok()
    }

    /// What is wrong with a file, before anything is done with it.
    fn check_greeting(&self, greeting: &Greeting) -> Result<(), CommandError> {
        let (invite, time) = (greeting.invite(), self.time_now());
        if self.openings.contains_key(&invite.key) || greeting.card().account() == self.me {
            return Err(CommandError::OwnInvite);
        }
        if invite.expires < time {
            return Err(CommandError::Expired);
        }
        if !greeting.card().roster().in_force(time) {
            return Err(CommandError::NotInForce);
        }
        Ok(())
    }

    /// The same over a bridge, where its maker answers: nobody else may.
    pub(in crate::engine) fn accept_greeted(
        &mut self,
        greeting: &Greeting,
        alias: Option<String>,
    ) -> Result<ContactId, CommandError> {
        let id = ContactId(greeting.invite().key);
        if self.contacts.contains_key(&id.0) {
            return Ok(id);
        }
        self.check_greeting(greeting)?;
        self.accept_invite(greeting.invite(), alias, Some(greeting.card().account()))
    }

    fn carried_message(
        &self,
        terms: &Terms,
        greeting: &Greeting,
        carried: &CarriedJoin,
        ephemeral: &Secret,
    ) -> Option<(Vec<u8>, [u8; 32])> {
        let payload = carried.to_bytes()?;
        let padded = [&u16::try_from(payload.len()).ok()?.to_be_bytes()[..], &payload].concat();
        let mut handshake = Handshake::initiator(
            Pattern::Contact,
            self.identity.device.noise(),
            terms.key(),
            &terms.psk(),
            &greeting.prologue(),
            ephemeral,
        )
        .ok()?;
        let message = handshake.write(&padded).ok()?;
        Some((message, handshake.hash()))
    }

    /// Whoever accepts somebody's invite wants to hear of them again.
    pub(super) fn welcome_back(&mut self, account: &AccountId) {
        if let Some(friend) = self.book.friend_mut(account).filter(|friend| friend.blocked()) {
            friend.stored.blocked = false;
            self.keep_friend(account);
            self.rewatch_friend(account);
        }
    }
}
