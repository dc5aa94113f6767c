//! Joins for our invites and knocks by our pointers, and the answers to them.

use std::time::Duration;

use super::super::super::StepKind;
use super::super::super::book::Pair;
use super::super::super::config::CommandError;
use super::super::super::io::{BridgeName, Event};
use super::super::super::publications::{Draft, Purpose};
use super::super::super::relays::Relays;
use super::super::super::sessions::{Met, Via};
use super::super::super::watch::Arrival;
use super::super::opening::{Came, Kind, Sent};
use super::super::room::Room;
use super::super::terms::Terms;
use super::super::{MOST_PENDING, Origin, is_recent};
use super::{Engine, Opening};
use crate::crypto::envelope::{self, Bucket};
use crate::crypto::keys::{AccountId, NoiseKey};
use crate::crypto::noise::{Handshake, Pattern};
use crate::crypto::{Secret, sha256};
use crate::meet::pair::PairSecret;
use crate::meet::slot::SlotId;
use crate::message::{CardBytes, Join, Payload, Refusal, Welcome};
use crate::place::{Locator, PlaceTag};
use crate::reach::RelayTags;
use crate::time::UnixMillis;

/// A join that came again: over a second bridge, where it is answered too unless a link comes first, or repeated because the answer was lost.
#[derive(Debug)]
pub(in crate::engine) struct Elsewhere {
    pub(in crate::engine) due: Duration,
    opening: [u8; 32],
    to: [u8; 32],
    bridge: BridgeName,
    tag: PlaceTag,
    slot: SlotId,
    space: Option<Locator>,
}

/// A join that verified: who it is from, by which device's key.
pub(in super::super) struct Read {
    handshake: Handshake,
    join: Join,
    peer: [u8; 32],
}

impl Read {
    pub(super) const fn account(&self) -> AccountId {
        self.join.card.0.account()
    }

    pub(super) const fn join(&self) -> &Join {
        &self.join
    }

    pub(super) fn in_force(&self, time: UnixMillis) -> bool {
        self.join.card.0.roster().in_force(time)
    }
}

/// What is done about a join.
pub(super) enum Verdict {
    Welcome,
    Refuse(Refusal),
    /// Our person is asked.
    Ask,
    Silence,
}

/// Answers that wait at once.
const MOST_ELSEWHERE: usize = 256;

impl Engine {
    /// A record in a join slot opened: whoever left it holds the link, or knows the pointer.
    pub(in crate::engine) fn found_join(
        &mut self,
        id: &[u8; 32],
        arrival: &Arrival,
        slot: SlotId,
        message: &[u8],
    ) {
        let Some(opening) = self.openings.get(id).cloned() else { return };
        let Some(came) = self.came_by(&opening, arrival, slot) else { return };
        let to = sha256(&[message]);
        if let Some((bound, sent)) = opening.answer_to(&to) {
            if !bound.done && !sent.slots.contains(slot) {
                let repeated = sent.over.contains(&came.bridge);
                let wait = if repeated { Duration::ZERO } else { self.patience_elsewhere(&sent.over) };
                self.welcome_later(id, to, &came, wait);
            }
            return;
        }
        if self.is_asked_about(&to, arrival, slot) {
            return;
        }
        let Some(read) = self.read_join(&opening, message) else { return };
        let account = read.account();
        if account == self.me || !read.in_force(self.time_now()) {
            return;
        }
        match self.verdict(&opening, &account, &read.join) {
            Verdict::Welcome => {
                self.reply_read(id, &came, account, None);
                let reply = Reply { opening: *id, to, came };
                // What keeps a welcome from being made keeps the person at the other end waiting, and nothing else.
                let _ = self.welcome(&reply, read, &opening, None);
            }
            Verdict::Refuse(why) => {
                self.reply_read(id, &came, account, Some(why));
                self.refuse(&Reply { opening: *id, to, came }, read, why);
            }
            Verdict::Ask => self.ask(id, &read.join, came, message),
            Verdict::Silence => {}
        }
    }

    /// How long an answer over one more bridge waits for a link by those that it went over.
    pub(in super::super) fn patience_elsewhere(&self, over: &[BridgeName]) -> Duration {
        over.iter().map(|bridge| self.latency(bridge)).max().unwrap_or_default().saturating_mul(2)
    }

    pub(in super::super) fn welcome_later(
        &mut self,
        id: &[u8; 32],
        to: [u8; 32],
        came: &Came,
        wait: Duration,
    ) {
        let Some(slot) = came.slots.last().filter(|_| self.elsewhere.len() < MOST_ELSEWHERE) else { return };
        let (bridge, tag, space) = (came.bridge.clone(), came.tag, came.space.clone());
        let due = self.now.mono.saturating_add(wait);
        self.elsewhere.push(Elsewhere { due, opening: *id, to, bridge, tag, slot, space });
    }

    /// Message 1, under a fresh ephemeral key of ours, if it verifies and its card lists the key that it was made with.
    pub(in super::super) fn read_join(&mut self, opening: &Opening, message: &[u8]) -> Option<Read> {
        let ephemeral = Secret::random(&mut self.rng);
        let terms = opening.terms();
        let key = NoiseKey::from_secret(opening.key.clone());
        let mut handshake =
            Handshake::responder(Pattern::Contact, &key, None, &terms.psk(), &terms.prologue(), &ephemeral)
                .ok()?;
        let padded = handshake.read(message).ok()?;
        let join = Join::from_bytes(envelope::unpad(&padded)?).ok()?;
        let peer = handshake.remote()?;
        join.card.0.roster().device_by_noise(&peer)?;
        Some(Read { handshake, join, peer })
    }

    pub(super) fn verdict(&mut self, opening: &Opening, account: &AccountId, join: &Join) -> Verdict {
        let time = self.time_now();
        match &opening.kind {
            Kind::Invite(own) => {
                let known = opening.bound.iter().any(|bound| bound.account == *account);
                let pending = opening.bound.iter().filter(|bound| !bound.done).count();
                if opening.ended(time) {
                    Verdict::Refuse(Refusal::Expired)
                } else if self.blocked(account) || own.only.is_some_and(|only| only != *account) {
                    Verdict::Refuse(Refusal::Unwelcome)
                } else if !known && opening.bound.len() >= usize::from(own.invite.uses) {
                    Verdict::Refuse(Refusal::Used)
                } else if !known && pending >= MOST_PENDING {
                    // Not refused: when others have linked, its next message is answered.
                    Verdict::Silence
                } else {
                    Verdict::Welcome
                }
            }
            Kind::Pointer(own) => {
                let silent = opening.ended(time)
                    || self.blocked(account)
                    || own.refused.contains(account)
                    || own.has_heard(account, join.sent)
                    || !is_recent(join.sent, time);
                if silent {
                    Verdict::Silence
                } else if self.book.friend(account).is_some() {
                    // Consent was given, and the account is proven.
                    let now = self.now.mono;
                    if self.requests.friends.take(now) { Verdict::Welcome } else { Verdict::Silence }
                } else {
                    Verdict::Ask
                }
            }
        }
    }

    /// Whoever it is becomes a friend, and is told so where the join came.
    pub(in super::super) fn welcome(
        &mut self,
        reply: &Reply,
        read: Read,
        opening: &Opening,
        alias: Option<String>,
    ) -> Result<(), CommandError> {
        let Read { mut handshake, join, peer } = read;
        let account = join.card.0.account();
        let terms = opening.terms();
        let h1 = handshake.hash();
        let card = self.welcome_card(&opening.points()).ok_or(CommandError::CardTooLarge)?;
        // Two days of room, for the other side's clock and for ours.
        let epoch = self.epoch().minus(2);
        let device = self.identity.device.public().noise;
        let (context, said) = terms.proof(&h1);
        let proof = self.identity.device.sign(context, &said);
        let sent = self.time_now();
        let key = terms.psk();
        let id_of_peer = join.card.0.roster().device_by_noise(&peer).map(|entry| entry.keys.id());
        let relays = self.relays_for(id_of_peer, Some((&key, &join.relays)));
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
        let (told, relays, padded) = fitting.ok_or(CommandError::CardTooLarge)?;
        let broken = CommandError::Unknown("request");
        let message = handshake.write(&padded).map_err(|_| broken.clone())?;
        let root = handshake.secret("pair").ok_or(broken.clone())?;
        let meeting = handshake.secret("meeting").ok_or(broken)?;
        let pair =
            Pair { id: handshake.hash(), secret: PairSecret::new(epoch, root.clone()), born: self.epoch() };
        let pair_id = pair.id;
        let origin = if opening.pointer().is_some() { Origin::Knocked } else { Origin::Invited };
        if !self.befriend(&join.card.0, alias, pair, origin) {
            return Err(CommandError::TooMany("friends"));
        }
        let Reply { opening: id, to, came } = reply;
        if let Some(opening) = self.openings.get_mut(id) {
            let (over, slots) = (vec![came.bridge.clone()], came.slots.clone());
            opening.answered(account, Sent { to: *to, h1, message: message.clone(), over, slots });
            if let Some(own) = opening.pointer_mut() {
                own.hear(account, join.sent);
            }
        }
        self.keep_opening(id);
        let over = &came.bridge.0;
        let how = match &opening.kind {
            Kind::Invite(_) => format!("came with our invite over {over}"),
            Kind::Pointer(own) => format!("knocked by our card `{}` over {over}", own.pointer.name()),
        };
        self.note(account, StepKind::JoinRead, how);
        let lifetime = self.config.answer_lifetime.max(self.latency(&came.bridge).saturating_mul(4));
        self.begin_session(Met {
            account,
            peer,
            meeting,
            pair_secret: root,
            pair: pair_id,
            epoch,
            client: false,
            no: 0,
            reach: join.reach(),
            told,
            relays: Relays { told: relays, named: join.relays.clone(), key },
            lifetime,
            via: Some(Via { bridge: came.bridge.clone(), tag: came.tag, theirs: came.space.clone() }),
        });
        self.note(account, StepKind::Answered, format!("welcomed over {over}"));
        self.send_welcome(&terms, &came.bridge, came.tag, &h1, &message, Purpose::Welcome(*id, account));
        Ok(())
    }

    fn refuse(&mut self, reply: &Reply, read: Read, why: Refusal) {
        let Read { mut handshake, join, .. } = read;
        let (h1, account) = (handshake.hash(), join.card.0.account());
        let Reply { opening: id, came, .. } = reply;
        let Some(opening) = self.openings.get_mut(id) else { return };
        let terms = opening.terms();
        let Some(own) = opening.invite_mut() else { return };
        if own.refused.contains(&account) || own.refused.len() >= MOST_PENDING {
            return;
        }
        own.refused.push(account);
        let padded = Bucket::Large.pad(&Welcome::Refused(why).to_bytes(), Pattern::Contact.overhead2());
        let Some(message) = padded.and_then(|payload| handshake.write(&payload).ok()) else { return };
        self.keep_opening(id);
        self.out.event(Event::JoinRefused { invite: *id, why });
        self.send_welcome(&terms, &came.bridge, came.tag, &h1, &message, Purpose::Refusal(*id));
    }

    fn send_welcome(
        &mut self,
        terms: &Terms,
        bridge: &BridgeName,
        tag: PlaceTag,
        h1: &[u8; 32],
        message: &[u8],
        purpose: Purpose,
    ) {
        let slot = terms.welcome_slot(tag, h1);
        let bytes = envelope::seal(&slot.siv, message);
        self.publish(Draft { bridge: bridge.clone(), slot: slot.id, inner: None, bytes, purpose });
    }

    pub(super) fn welcome_elsewhere(&mut self, elsewhere: &Elsewhere) {
        let Elsewhere { opening: id, bridge, tag, slot, space, .. } = elsewhere;
        let Some(opening) = self.openings.get_mut(id) else { return };
        let terms = opening.terms();
        let found = opening.bound.iter_mut().filter(|bound| !bound.done).find_map(|bound| {
            let account = bound.account;
            let sent = bound
                .welcomes
                .iter_mut()
                .find(|sent| sent.to == elsewhere.to && !sent.slots.contains(*slot))?;
            Some((account, sent))
        });
        let Some((account, sent)) = found else { return };
        if !sent.over.contains(bridge) {
            sent.over.push(bridge.clone());
        }
        sent.slots.add(*slot);
        let (h1, message) = (sent.h1, sent.message.clone());
        self.keep_opening(id);
        self.meets_elsewhere(&account, 0, Via { bridge: bridge.clone(), tag: *tag, theirs: space.clone() });
        self.note(account, StepKind::Answered, format!("welcomed over {}", bridge.0));
        self.send_welcome(&terms, bridge, *tag, &h1, &message, Purpose::Welcome(*id, account));
    }

    /// Nothing that somebody left for a pointer is answered again.
    pub(in crate::engine) fn shut_out(&mut self, account: &AccountId) {
        let pointers = self.openings.iter_mut().filter(|(_, opening)| opening.pointer().is_some());
        let changed: Vec<_> =
            pointers.filter_map(|(id, opening)| opening.settle(account).then_some(*id)).collect();
        changed.iter().for_each(|id| self.keep_opening(id));
    }

    /// Somebody whom we let in has shown that it got the answer.
    pub(in crate::engine) fn opening_used(&mut self, account: &AccountId) {
        let all = self.openings.iter_mut();
        let changed: Vec<_> =
            all.filter_map(|(id, opening)| opening.settle(account).then_some(*id)).collect();
        for id in changed {
            self.keep_opening(&id);
            self.rewatch_replies(&id);
            let account = *account;
            self.done(|purpose| *purpose == Purpose::Welcome(id, account));
        }
    }
}

/// What is answered, and where it came.
pub(in super::super) struct Reply {
    pub(in super::super) opening: [u8; 32],
    /// SHA-256 of the message.
    pub(in super::super) to: [u8; 32],
    pub(in super::super) came: Came,
}
