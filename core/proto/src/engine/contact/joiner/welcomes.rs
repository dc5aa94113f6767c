//! The answer to our join.

use std::time::Duration;

use super::super::super::StepKind;
use super::super::super::book::Pair;
use super::super::super::io::{BridgeName, Event, Output, Space};
use super::super::super::relays::Relays;
use super::super::super::sessions::Met;
use super::super::super::watch::{Arrival, Owner, Special};
use super::super::Origin;
use super::super::terms::Terms;
use super::{Engine, State, StoredContact, WANTED};
use crate::crypto::envelope;
use crate::crypto::keys::AccountId;
use crate::crypto::noise::{Handshake, Pattern};
use crate::meet::pair::PairSecret;
use crate::meet::slot::SlotId;
use crate::message::{Payload, Welcome};
use crate::place::PlaceTag;
use crate::reach::Reach;

/// How long the first link is dialled.
const PATIENCE_LEAST: Duration = Duration::from_secs(5);

impl Engine {
    pub(super) fn expect_welcome(&mut self, key: &[u8; 32]) {
        let Some(contact) = self.contacts.get(key).filter(|contact| contact.state == State::Pending).cloned()
        else {
            return;
        };
        let Some((handshake, _)) = self.join_message(&contact) else { return };
        let h1 = handshake.hash();
        let mut slots: Vec<(SlotId, Special)> = Vec::new();
        for (tag, bridge, space) in self.places_of_welcome(&contact) {
            let slot = contact.terms.welcome_slot(tag, &h1);
            slots.push((slot.id, Special { bridge, space, siv: slot.siv, tag }));
        }
        self.expect_records(Owner::Contact(*key), slots);
    }

    /// Where the answer is looked for: in the places that both write in, or in the inviter's own space.
    fn places_of_welcome(&self, contact: &StoredContact) -> Vec<(PlaceTag, BridgeName, Space)> {
        match &contact.apart {
            Some(apart) => self.space_of_welcome(contact, apart).into_iter().collect(),
            None => {
                let shared = contact.terms.shared_places().into_iter();
                shared.filter_map(|(tag, at)| Some((tag, self.bridge_at(&at)?, Space::Own))).collect()
            }
        }
    }

    /// The handshake after message 1, and that message.
    pub(super) fn join_message(&self, contact: &StoredContact) -> Option<(Handshake, Vec<u8>)> {
        let terms = &contact.terms;
        let mut handshake = Handshake::initiator(
            Pattern::Contact,
            self.identity.device.noise(),
            terms.key(),
            &terms.psk(),
            &terms.prologue(),
            &contact.ephemeral,
        )
        .ok()?;
        let message = handshake.write(&contact.payload).ok()?;
        Some((handshake, message))
    }

    /// A record in the slot of a welcome opened.
    pub(in crate::engine) fn found_welcome(&mut self, key: &[u8; 32], arrival: &Arrival, message: &[u8]) {
        let Some(contact) = self.contacts.get(key).filter(|contact| contact.state == State::Pending).cloned()
        else {
            return;
        };
        let Some((mut handshake, _)) = self.join_message(&contact) else { return };
        let h1 = handshake.hash();
        let Ok(padded) = handshake.read(message) else { return };
        let welcome = envelope::unpad(&padded).and_then(|payload| Welcome::from_bytes(payload).ok());
        let Some(welcome) = welcome else { return };
        let (card, device, proof, epoch, reach, reflectors, named) = match welcome {
            Welcome::Refused(why) => {
                self.end_contact(key, State::Refused(why));
                return self.out.event(Event::InviteRefused { invite: *key, why });
            }
            Welcome::Accepted { card, device, proof, candidates, epoch, nat, reflectors, relays, .. } => {
                let reach = Reach { candidates, nat };
                (card.0, device, proof, epoch, reach, reflectors.into_vec(), relays)
            }
        };
        let account = card.account();
        let listed = card.roster().device_by_noise(&device).map(|entry| entry.keys.sign);
        let proven = listed.is_some_and(|sign| contact.terms.is_proven(&sign, &h1, &proof));
        if !proven || account == self.me {
            let what = "a welcome whose proof does not hold: the inviter is not who it says".to_owned();
            return self.out.event(Event::Suspicious { account: None, what });
        }
        if contact.only.is_some_and(|only| only != account) {
            self.end_contact(key, State::Another);
            let what = match contact.terms {
                Terms::Invite(_) => {
                    "an invite led to somebody else than the one who was introduced, and was dropped"
                }
                Terms::Pointer(_) => "a card led to somebody else than whose it is, and was dropped",
            };
            return self.out.event(Event::Suspicious { account: None, what: what.to_owned() });
        }
        let (Some(root), Some(meeting)) = (handshake.secret("pair"), handshake.secret("meeting")) else {
            return;
        };
        let pair =
            Pair { id: handshake.hash(), secret: PairSecret::new(epoch, root.clone()), born: self.epoch() };
        let id = pair.id;
        if !self.befriend(&card, contact.alias.clone(), pair, Origin::Came) {
            return;
        }
        self.welcome_back(&account);
        let contact_apart = contact.apart.clone();
        self.end_contact(key, State::Done(account, false));
        self.note(account, StepKind::WelcomeRead, format!("the welcome was read, over {}", arrival.bridge.0));
        self.add_want(&account, Some(self.now.mono.saturating_add(WANTED)), true);
        let session = self.begin_session(Met {
            account,
            peer: device,
            meeting,
            pair_secret: root,
            pair: id,
            epoch,
            client: true,
            no: 0,
            reach,
            told: contact.told(),
            relays: Relays { told: contact.relays.unwrap_or_default(), named, key: contact.terms.psk() },
            lifetime: self.dial_patience(&arrival.bridge).max(PATIENCE_LEAST),
            via: Some(self.via_of_welcome(&contact_apart, arrival)),
        });
        if !reflectors.is_empty() {
            self.measure_first(session);
            self.out.act(Output::Reflectors { session, reflectors });
        }
    }

    /// The first link with somebody whose invite we accepted is up.
    pub(in crate::engine) fn join_used(&mut self, account: &AccountId) {
        let waiting = State::Done(*account, false);
        let keys: Vec<_> = self
            .contacts
            .iter()
            .filter(|(_, contact)| contact.state == waiting)
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            self.end_contact(&key, State::Done(*account, true));
        }
    }
}
