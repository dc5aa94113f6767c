//! The side that made the invite.
//!
//! One use: open, bound to the account that came first, done. Whom it is bound to may come again, with the same message or, after a crash that lost
//! its state, with another; anybody else is told once that it was used.

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::super::book::Pair;
use super::super::config::{CommandError, InviteOptions};
use super::super::io::{BridgeName, Event, Space};
use super::super::publications::{Draft, Purpose};
use super::super::sessions::Met;
use super::super::watch::{Arrival, Owner, Special};
use super::super::{Engine, InviteState, store};
use super::{AFTERWARDS, PROOF, lanes, proof_of, psk};
use crate::crypto::envelope::{self, Bucket};
use crate::crypto::keys::{AccountId, NoiseKey};
use crate::crypto::noise::{Handshake, Pattern};
use crate::crypto::{Secret, sha256};
use crate::invite::Invite;
use crate::meet::pair::PairSecret;
use crate::meet::slot::{self, SlotId};
use crate::message::{CardBytes, Join, Payload, Refusal, Welcome};
use crate::place::{Locator, PlaceTag};
use crate::time::{Epoch, UnixMillis};

/// An invite of ours.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(in crate::engine) struct StoredInvite {
    #[n(0)]
    uses: u8,
    #[n(1)]
    expires: UnixMillis,
    /// Destroyed with the whole a day after the invite's end.
    #[n(2)]
    key: Secret,
    #[n(3)]
    secret: Secret<16>,
    #[n(4)]
    points: Vec<Locator>,
    #[n(5)]
    bound: Vec<Bound>,
    /// Who was told that it is used up or over: once each.
    #[n(6)]
    refused: Vec<AccountId>,
    #[n(7)]
    withdrawn: bool,
}

/// Who used it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Bound {
    #[n(0)]
    account: AccountId,
    #[n(1)]
    done: bool,
    #[n(2)]
    welcomes: Vec<Sent>,
}

/// The answer to one join.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Sent {
    /// SHA-256 of the join's message.
    #[cbor(n(0), with = "minicbor::bytes")]
    to: [u8; 32],
    #[cbor(n(1), with = "minicbor::bytes")]
    h1: [u8; 32],
    /// The exact message 2.
    #[cbor(n(2), with = "minicbor::bytes")]
    message: Vec<u8>,
    #[n(3)]
    over: Vec<BridgeName>,
    /// The join slots that it came in, one behind the other: in another one it is a repetition, which is answered again.
    #[cbor(n(4), with = "minicbor::bytes")]
    slots: Vec<u8>,
}

impl Sent {
    fn came_in(&self, slot: SlotId) -> bool {
        self.slots.chunks_exact(slot.0.len()).any(|known| *known == slot.0)
    }
}

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

const LIFETIME: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(30 * 86_400);

impl StoredInvite {
    fn invite(&self) -> Invite {
        Invite {
            uses: self.uses,
            expires: self.expires,
            key: NoiseKey::from_secret(self.key.clone()).public(),
            secret: self.secret.clone(),
            points: self.points.clone(),
        }
    }

    pub(in crate::engine) fn key(&self) -> [u8; 32] {
        NoiseKey::from_secret(self.key.clone()).public()
    }

    fn ended(&self, time: UnixMillis) -> bool {
        self.withdrawn || time > self.expires
    }

    /// When it is forgotten.
    fn gone(&self) -> UnixMillis {
        self.expires.after(AFTERWARDS)
    }
}

impl Engine {
    pub(in crate::engine) fn make_invite(&mut self, options: &InviteOptions) -> Result<Invite, CommandError> {
        if !(1..=Invite::MOST_USES).contains(&options.uses) {
            return Err(CommandError::Option("an invite has 1 to 127 uses"));
        }
        if options.bridges.len() > Invite::MOST_POINTS {
            return Err(CommandError::Option("an invite names at most three places"));
        }
        if self.invites.len() >= self.config.max_invites {
            return Err(CommandError::TooMany("open invites"));
        }
        let serves = |name: &BridgeName| {
            let bridge = self.bridges.get(name)?;
            let fits = !bridge.profile.one_writer && bridge.profile.max_record >= Bucket::Large.record();
            bridge.place.filter(|_| fits)?;
            Some((bridge.profile.latency, bridge.profile.locators.first()?.clone()))
        };
        let points: Vec<Locator> = if options.bridges.is_empty() {
            let mut up: Vec<_> = self.bridges.keys().filter_map(serves).collect();
            up.sort();
            up.dedup_by(|a, b| a.1 == b.1);
            up.into_iter().map(|(_, locator)| locator).take(Invite::MOST_POINTS).collect()
        } else {
            let named = options.bridges.iter();
            named
                .map(|name| {
                    serves(name).map(|(_, point)| point).ok_or_else(|| CommandError::Bridge(name.clone()))
                })
                .collect::<Result<_, _>>()?
        };
        if points.is_empty() {
            return Err(CommandError::NoBridge { wanted: Vec::new() });
        }
        let lifetime = options.lifetime.clamp(*LIFETIME.start(), *LIFETIME.end());
        let stored = StoredInvite {
            uses: options.uses,
            // The link tells the second; both sides hash the same.
            expires: UnixMillis::from_secs(self.time_now().after(lifetime).as_secs()),
            key: Secret::random(&mut self.rng),
            secret: Secret::random(&mut self.rng),
            points,
            bound: Vec::new(),
            refused: Vec::new(),
            withdrawn: false,
        };
        if self.welcome_card(&stored).is_none() {
            return Err(CommandError::CardTooLarge);
        }
        let invite = stored.invite();
        self.invites.insert(invite.key, stored);
        self.keep_invite(&invite.key);
        self.rewatch_invite(&invite.key);
        Ok(invite)
    }

    pub(in crate::engine) fn open_invites(&self) -> impl Iterator<Item = InviteState> {
        let time = self.time_now();
        let open = self.invites.values().filter(move |stored| !stored.ended(time));
        open.map(|stored| InviteState {
            invite: stored.invite(),
            used_by: stored.bound.iter().map(|bound| bound.account).collect(),
        })
    }

    pub(in crate::engine) fn withdraw_invite(&mut self, key: &[u8; 32]) -> Result<(), CommandError> {
        let stored = self.invites.get_mut(key).ok_or(CommandError::Unknown("invite"))?;
        stored.withdrawn = true;
        self.keep_invite(key);
        Ok(())
    }

    /// Looks for joins of an invite: yesterday's, today's and tomorrow's slots in all its lanes, at each of its places.
    fn rewatch_invite(&mut self, key: &[u8; 32]) {
        let Some(stored) = self.invites.get(key).cloned() else { return };
        let lanes = lanes(&stored.invite());
        let mut slots: Vec<(SlotId, Special)> = Vec::new();
        for (point, locator) in (0_u8..).zip(&stored.points) {
            let Some(bridge) = self.bridge_at(locator) else { continue };
            for day in self.epoch().watched() {
                for lane in 0..lanes {
                    let slot = slot::join(&stored.secret, point, day, lane);
                    let special = Special {
                        bridge: bridge.clone(),
                        space: Space::Own,
                        siv: slot.siv,
                        point,
                        tag: PlaceTag([0; 8]),
                    };
                    slots.push((slot.id, special));
                }
            }
        }
        self.expect_records(Owner::Invite(*key), slots);
    }

    pub(in crate::engine) fn rewatch_invites(&mut self) {
        for key in self.invites.keys().copied().collect::<Vec<_>>() {
            self.rewatch_invite(&key);
        }
    }

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
        } else if self.blocked(&account) {
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
        let welcome = Welcome::Accepted {
            card: CardBytes(card),
            device: self.identity.device.public().noise,
            proof: self.identity.device.sign(PROOF, &proof_of(&reply.key, &h1)),
            candidates: self.candidates.clone(),
            epoch,
            sent: self.time_now(),
        };
        let padded = Bucket::Large.pad(&welcome.to_bytes(), Pattern::Contact.overhead2());
        let Some(message) = padded.and_then(|payload| handshake.write(&payload).ok()) else { return };
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
        self.note(reply.account, format!("came with our invite over {}", reply.arrival.bridge.0));
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
            candidates: join.candidates.clone(),
            lifetime,
            via: None,
        });
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

    /// The card that fits into a welcome.
    fn welcome_card(&mut self, stored: &StoredInvite) -> Option<crate::identity::Card> {
        let places: Vec<PlaceTag> = stored
            .points
            .iter()
            .filter_map(|point| self.places.values().find(|place| place.locators.contains(point)))
            .map(|place| place.tag)
            .collect();
        let candidates = crate::place::Candidates::new(std::iter::repeat_n(
            crate::place::Candidate {
                kind: crate::place::CandidateKind::Host,
                address: std::net::SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), 1),
            },
            crate::place::Candidate::MOST,
        ));
        let sent = self.time_now();
        self.fitting_card(&places, |card| {
            let welcome = Welcome::Accepted {
                card: CardBytes(card.clone()),
                device: [0xff; 32],
                proof: [0xff; 64],
                candidates: candidates.clone(),
                epoch: Epoch(u32::MAX),
                sent,
            };
            Bucket::Large.pad(&welcome.to_bytes(), Pattern::Contact.overhead2()).is_some()
        })
    }

    /// Somebody whom an invite is bound to has shown that it got the answer.
    pub(super) fn invite_used(&mut self, account: &AccountId) {
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

    pub(super) fn run_invites(&mut self) {
        let (now, time) = (self.now.mono, self.time_now());
        let gone: Vec<_> =
            self.invites.iter().filter(|(_, stored)| stored.gone() < time).map(|(key, _)| *key).collect();
        for key in gone {
            self.invites.remove(&key);
            self.out.delete(store::invite(&key));
            self.unexpect_records(&Owner::Invite(key));
            self.done(
                |purpose| matches!(purpose, Purpose::Refusal(of) | Purpose::Welcome(of, _) if *of == key),
            );
        }
        let (due, waiting) =
            std::mem::take(&mut self.elsewhere).into_iter().partition(|elsewhere| elsewhere.due <= now);
        self.elsewhere = waiting;
        for elsewhere in due {
            self.welcome_elsewhere(&elsewhere);
        }
    }

    fn welcome_elsewhere(&mut self, elsewhere: &Elsewhere) {
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
        let purpose = Purpose::Welcome(elsewhere.key, account);
        self.send_welcome(&secret, elsewhere.point, &h1, &elsewhere.bridge, &message, purpose);
    }

    pub(in crate::engine) fn next_invite_due(&self) -> Option<Duration> {
        let gone = self
            .invites
            .values()
            .map(|stored| super::monotonic(self, stored.gone().after(Duration::from_secs(1))));
        gone.chain(self.elsewhere.iter().map(|elsewhere| elsewhere.due)).min()
    }

    fn keep_invite(&mut self, key: &[u8; 32]) {
        if let Some(stored) = self.invites.get(key) {
            self.out.put(store::invite(key), store::encode(stored));
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
