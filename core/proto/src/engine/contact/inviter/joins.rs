//! Joins for our invites, and the answers to them.

use std::time::Duration;

use super::super::super::StepKind;
use super::super::super::book::Pair;
use super::super::super::io::{BridgeName, Event};
use super::super::super::publications::{Draft, Purpose};
use super::super::super::relays::Relays;
use super::super::super::sessions::{Met, Via};
use super::super::super::watch::Arrival;
use super::super::room::Room;
use super::super::{PROOF, proof_of, psk};
use super::{Bound, Engine, Sent, StoredInvite};
use crate::crypto::envelope::{self, Bucket};
use crate::crypto::keys::{AccountId, NoiseKey};
use crate::crypto::noise::{Handshake, Pattern};
use crate::crypto::{Secret, sha256};
use crate::meet::pair::PairSecret;
use crate::meet::slot::{self, SlotId};
use crate::message::{CardBytes, Join, Payload, Refusal, Welcome};
use crate::place::PlaceTag;
use crate::reach::RelayTags;

/// A join that came again: over a second bridge, where it is answered too unless a link comes first, or repeated because the answer was lost.
#[derive(Debug)]
pub(in crate::engine) struct Elsewhere {
    pub(in crate::engine) due: Duration,
    key: [u8; 32],
    to: [u8; 32],
    bridge: BridgeName,
    point: u8,
    slot: SlotId,
}

/// Answers to one account that are remembered: more would be somebody who draws a new key again and again.
const MOST_WELCOMES: usize = 4;
/// Accounts that are bound and have not linked yet; refusals sent.
const MOST_PENDING: usize = 64;
/// Answers that wait at once.
const MOST_ELSEWHERE: usize = 256;

impl Engine {
    /// A record in a join slot opened: whoever left it holds the link.
    pub(in crate::engine) fn found_join(
        &mut self,
        key: &[u8; 32],
        arrival: &Arrival,
        point: u8,
        slot: SlotId,
        message: &[u8],
    ) {
        let Some(stored) = self.invites.get(key).cloned() else { return };
        let to = sha256(&[message]);
        let known = stored
            .bound
            .iter()
            .find_map(|bound| Some((bound, bound.welcomes.iter().find(|sent| sent.to == to)?)));
        if let Some((bound, sent)) = known {
            if !bound.done && !sent.came_in(slot) && self.elsewhere.len() < MOST_ELSEWHERE {
                let repeated = sent.over.contains(&arrival.bridge);
                let slowest = sent.over.iter().map(|bridge| self.latency(bridge)).max().unwrap_or_default();
                let wait = if repeated { Duration::ZERO } else { slowest.saturating_mul(2) };
                let due = self.now.mono.saturating_add(wait);
                self.elsewhere.push(Elsewhere {
                    due,
                    key: *key,
                    to,
                    bridge: arrival.bridge.clone(),
                    point,
                    slot,
                });
            }
            return;
        }
        let ephemeral = Secret::random(&mut self.rng);
        let one_time = NoiseKey::from_secret(stored.key.clone());
        let handshake = Handshake::responder(
            Pattern::Contact,
            &one_time,
            None,
            &psk(&stored.secret),
            &stored.invite().hash(),
            &ephemeral,
        );
        let Ok(mut handshake) = handshake else { return };
        let Ok(padded) = handshake.read(message) else { return };
        let join = envelope::unpad(&padded).and_then(|payload| Join::from_bytes(payload).ok());
        let (Some(join), Some(peer)) = (join, handshake.remote()) else { return };
        let account = join.card.0.account();
        let listed = join.card.0.roster().device_by_noise(&peer).is_some();
        if !listed || account == self.me || !join.card.0.roster().in_force(self.time_now()) {
            return;
        }
        let known = stored.bound.iter().any(|bound| bound.account == account);
        let pending = stored.bound.iter().filter(|bound| !bound.done).count();
        let refusal = if stored.ended(self.time_now()) {
            Some(Refusal::Expired)
        } else if self.blocked(&account) || stored.only.is_some_and(|only| only != account) {
            Some(Refusal::Unwelcome)
        } else if !known && stored.bound.len() >= usize::from(stored.uses) {
            Some(Refusal::Used)
        } else if !known && pending >= MOST_PENDING {
            // Not refused: when others have linked, its next message is answered.
            return;
        } else {
            None
        };
        let reply = Reply { key: *key, account, peer, to, arrival, point, slot };
        match refusal {
            Some(why) => self.refuse(&reply, handshake, why),
            None => self.welcome(&reply, handshake, &join, &stored),
        }
    }

    fn welcome(&mut self, reply: &Reply<'_>, mut handshake: Handshake, join: &Join, stored: &StoredInvite) {
        let h1 = handshake.hash();
        let Some(card) = self.welcome_card(stored) else { return };
        // Two days of room, for the other side's clock and for ours.
        let epoch = self.epoch().minus(2);
        let device = self.identity.device.public().noise;
        let proof = self.identity.device.sign(PROOF, &proof_of(&reply.key, &h1));
        let sent = self.time_now();
        let key = psk(&stored.secret);
        let peer = join.card.0.roster().device_by_noise(&reply.peer).map(|entry| entry.keys.id());
        let relays = self.relays_for(peer, Some((&key, &join.relays)));
        let fitting = Room::less_and_less().find_map(|room| {
            let told = room.for_reach(&self.reach);
            let relays = room.for_relays(&relays);
            let welcome = Welcome::Accepted {
                card: CardBytes(card.clone()),
                device,
                proof,
                candidates: told.candidates.clone(),
                epoch,
                sent,
                nat: told.nat.clone(),
                reflectors: room.for_reflectors(&self.reflectors),
                relays: RelayTags::of(&key, relays),
            };
            let padded = Bucket::Large.pad(&welcome.to_bytes(), Pattern::Contact.overhead2())?;
            Some((told, relays.to_vec(), padded))
        });
        let Some((told, relays, padded)) = fitting else { return };
        let Ok(message) = handshake.write(&padded) else { return };
        let (Some(root), Some(meeting)) = (handshake.secret("pair"), handshake.secret("meeting")) else {
            return;
        };
        let pair =
            Pair { id: handshake.hash(), secret: PairSecret::new(epoch, root.clone()), born: self.epoch() };
        let id = pair.id;
        if !self.befriend(&join.card.0, None, pair, true) {
            return;
        }
        let Some(invite) = self.invites.get_mut(&reply.key) else { return };
        let at = invite.bound.iter().position(|bound| bound.account == reply.account).unwrap_or_else(|| {
            invite.bound.push(Bound { account: reply.account, done: false, welcomes: Vec::new() });
            invite.bound.len().saturating_sub(1)
        });
        if let Some(bound) = invite.bound.get_mut(at) {
            let over = vec![reply.arrival.bridge.clone()];
            let slots = reply.slot.0.to_vec();
            bound.welcomes.push(Sent { to: reply.to, h1, message: message.clone(), over, slots });
            if bound.welcomes.len() > MOST_WELCOMES {
                bound.welcomes.remove(0);
            }
        }
        self.keep_invite(&reply.key);
        self.note(
            reply.account,
            StepKind::JoinRead,
            format!("came with our invite over {}", reply.arrival.bridge.0),
        );
        let lifetime = self.config.answer_lifetime.max(self.latency(&reply.arrival.bridge).saturating_mul(4));
        self.begin_session(Met {
            account: reply.account,
            peer: reply.peer,
            meeting,
            pair_secret: root,
            pair: id,
            epoch,
            client: false,
            no: 0,
            reach: join.reach(),
            told,
            relays: Relays { told: relays, named: join.relays.clone(), key },
            lifetime,
            via: Some(reply.via()),
        });
        self.note(reply.account, StepKind::Answered, format!("welcomed over {}", reply.arrival.bridge.0));
        self.send_welcome(
            &stored.secret,
            reply.point,
            &h1,
            &reply.arrival.bridge,
            &message,
            Purpose::Welcome(reply.key, reply.account),
        );
    }

    fn refuse(&mut self, reply: &Reply<'_>, mut handshake: Handshake, why: Refusal) {
        let h1 = handshake.hash();
        let Some(invite) = self.invites.get_mut(&reply.key) else { return };
        if invite.refused.contains(&reply.account) || invite.refused.len() >= MOST_PENDING {
            return;
        }
        invite.refused.push(reply.account);
        let secret = invite.secret.clone();
        let padded = Bucket::Large.pad(&Welcome::Refused(why).to_bytes(), Pattern::Contact.overhead2());
        let Some(message) = padded.and_then(|payload| handshake.write(&payload).ok()) else { return };
        self.keep_invite(&reply.key);
        self.out.event(Event::JoinRefused { invite: reply.key, why });
        self.send_welcome(
            &secret,
            reply.point,
            &h1,
            &reply.arrival.bridge,
            &message,
            Purpose::Refusal(reply.key),
        );
    }

    fn send_welcome(
        &mut self,
        secret: &Secret<16>,
        point: u8,
        h1: &[u8; 32],
        bridge: &BridgeName,
        message: &[u8],
        purpose: Purpose,
    ) {
        let slot = slot::welcome(secret, point, h1);
        let bytes = envelope::seal(&slot.siv, message);
        self.publish(Draft { bridge: bridge.clone(), slot: slot.id, inner: None, bytes, purpose });
    }

    pub(super) fn welcome_elsewhere(&mut self, elsewhere: &Elsewhere) {
        let Some(stored) = self.invites.get_mut(&elsewhere.key) else { return };
        let secret = stored.secret.clone();
        let found = stored.bound.iter_mut().filter(|bound| !bound.done).find_map(|bound| {
            let account = bound.account;
            let sent = bound
                .welcomes
                .iter_mut()
                .find(|sent| sent.to == elsewhere.to && !sent.came_in(elsewhere.slot))?;
            Some((account, sent))
        });
        let Some((account, sent)) = found else { return };
        if !sent.over.contains(&elsewhere.bridge) {
            sent.over.push(elsewhere.bridge.clone());
        }
        sent.slots.extend(elsewhere.slot.0);
        let (h1, message) = (sent.h1, sent.message.clone());
        self.keep_invite(&elsewhere.key);
        let (bridge, tag) = (elsewhere.bridge.clone(), PlaceTag::of_point(elsewhere.point));
        self.meets_elsewhere(&account, 0, Via { bridge, tag, theirs: None });
        self.note(account, StepKind::Answered, format!("welcomed over {}", elsewhere.bridge.0));
        let purpose = Purpose::Welcome(elsewhere.key, account);
        self.send_welcome(&secret, elsewhere.point, &h1, &elsewhere.bridge, &message, purpose);
    }

    /// Somebody whom an invite is bound to has shown that it got the answer.
    pub(in crate::engine) fn invite_used(&mut self, account: &AccountId) {
        let mut changed = Vec::new();
        for (key, stored) in &mut self.invites {
            for bound in stored.bound.iter_mut().filter(|bound| bound.account == *account && !bound.done) {
                bound.done = true;
                // Nothing of the answers is needed any more; that they were given is.
                bound.welcomes.iter_mut().for_each(|sent| sent.message.clear());
                changed.push(*key);
            }
        }
        for key in changed {
            self.keep_invite(&key);
            let account = *account;
            self.done(|purpose| *purpose == Purpose::Welcome(key, account));
        }
    }
}

/// Whom an answer is for, and where it goes.
struct Reply<'a> {
    key: [u8; 32],
    account: AccountId,
    peer: [u8; 32],
    to: [u8; 32],
    arrival: &'a Arrival,
    point: u8,
    slot: SlotId,
}

impl Reply<'_> {
    fn via(&self) -> Via {
        Via { bridge: self.arrival.bridge.clone(), tag: self.arrival.tag, theirs: None }
    }
}
