//! The side that answers: invites are made, kept and ended here, pointers in [`pointers`]; joins for both are answered in [`joins`].
//!
//! One use: open, bound to the account that came first, done. Whom it is bound to may come again, with the same message or, after a crash that lost
//! its state, with another; anybody else is told once that it was used.

mod carried;
mod joins;
mod pointers;
mod replies;

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::config::{CommandError, InviteOptions};
use super::super::io::{BridgeName, Space};
use super::super::publications::Purpose;
use super::super::watch::{Owner, Special};
use super::super::{Engine, InviteState};
use super::opening::{Kind, Opening, OwnInvite};
use super::room::Room;
use crate::crypto::Secret;
use crate::crypto::envelope::Bucket;
use crate::crypto::keys::{AccountId, NoiseKey};
use crate::crypto::noise::Pattern;
use crate::invite::Invite;
use crate::meet::slot::SlotId;
use crate::message::{CardBytes, Payload, Welcome};
use crate::place::{Locator, PlaceTag};
use crate::reach::{Reach, Reflectors, RelayTags};
use crate::time::{Epoch, UnixMillis};

pub(super) use carried::Greeted;
pub(in crate::engine) use joins::Elsewhere;
pub(super) use joins::Reply;
pub use replies::ReplyState;

const LIFETIME: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(30 * 86_400);

impl Engine {
    pub(in crate::engine) fn make_invite(&mut self, options: &InviteOptions) -> Result<Invite, CommandError> {
        // Whoever is introduced has no way to reply.
        let (points, own) = self.points_of(&options.bridges, options.only.is_none())?;
        let opening = self.new_invite(options, points, own)?;
        let Kind::Invite(OwnInvite { invite, .. }) = &opening.kind else {
            return Err(CommandError::Unknown("invite"));
        };
        let invite = invite.clone();
        self.open_up(opening)?;
        Ok(invite)
    }

    /// An invite to these places that nobody has seen yet.
    fn new_invite(
        &mut self,
        options: &InviteOptions,
        points: Vec<Locator>,
        own: BTreeSet<u8>,
    ) -> Result<Opening, CommandError> {
        if !(1..=Invite::MOST_USES).contains(&options.uses) {
            return Err(CommandError::Option("an invite has 1 to 127 uses"));
        }
        if points.len() > Invite::MOST_POINTS {
            return Err(CommandError::Option("an invite names at most three places"));
        }
        let invites = self.openings.values().filter(|opening| opening.pointer().is_none()).count();
        if invites >= self.config.max_invites {
            return Err(CommandError::TooMany("open invites"));
        }
        let lifetime = options.lifetime.clamp(*LIFETIME.start(), *LIFETIME.end());
        let key = Secret::random(&mut self.rng);
        let invite = Invite {
            uses: options.uses,
            // The link tells the second; both sides hash the same.
            expires: UnixMillis::from_secs(self.time_now().after(lifetime).as_secs()),
            key: NoiseKey::from_secret(key.clone()).public(),
            secret: Secret::random(&mut self.rng),
            points,
            own,
        };
        Ok(Opening::of_invite(key, invite, options.only))
    }

    /// Answers are looked for by an invite that was made in another way, with the private half of its key.
    pub(in crate::engine) fn open_invite(&mut self, key: Secret, invite: Invite) -> Result<(), CommandError> {
        self.open_up(Opening::of_invite(key, invite, None))
    }

    /// Where answers are looked for by what leads to places that others write in as well: over these bridges, or over those that are up.
    pub(in crate::engine) fn shared_points(
        &self,
        bridges: &[BridgeName],
    ) -> Result<Vec<Locator>, CommandError> {
        if bridges.len() > Invite::MOST_POINTS {
            return Err(CommandError::Option("a code leads to three places at most"));
        }
        self.points_of(bridges, false).map(|(points, _)| points)
    }

    /// Whether a welcome has room for our card, in answer to what leads to these places.
    pub(in crate::engine) fn could_welcome(&mut self, points: &[Locator]) -> bool {
        self.welcome_card(points).is_some()
    }

    /// Who used an invite of ours first.
    pub(in crate::engine) fn who_used(&self, id: &[u8; 32]) -> Option<AccountId> {
        self.openings.get(id)?.bound.first().map(|bound| bound.account)
    }

    /// Where answers are looked for over these bridges, or over up to three that are up where none are named; and which of the places are spaces of our
    /// own, where they may be. One of those costs the people a line that is sent back, and is taken where there is nothing else.
    fn points_of(
        &self,
        bridges: &[BridgeName],
        own: bool,
    ) -> Result<(Vec<Locator>, BTreeSet<u8>), CommandError> {
        let serves = |name: &BridgeName| {
            let bridge = self.bridges.get(name)?;
            let one_writer = bridge.profile.one_writer;
            let fits = (own || !one_writer) && bridge.profile.max_record >= Bucket::Large.record();
            bridge.place.filter(|_| fits)?;
            Some((one_writer, bridge.profile.latency, bridge.profile.locators.first()?.clone()))
        };
        let points: Vec<(bool, Locator)> = if bridges.is_empty() {
            let mut up: Vec<_> = self.bridges.keys().filter_map(serves).collect();
            up.sort();
            up.dedup_by(|a, b| a.2 == b.2);
            let shared = up.iter().any(|(one_writer, ..)| !one_writer);
            let up = up.into_iter().filter(|(one_writer, ..)| !shared || !one_writer);
            up.map(|(one_writer, _, locator)| (one_writer, locator)).take(Invite::MOST_POINTS).collect()
        } else {
            let named = bridges.iter().map(|name| {
                let found = serves(name).map(|(one_writer, _, point)| (one_writer, point));
                found.ok_or_else(|| CommandError::Bridge(name.clone()))
            });
            named.collect::<Result<_, _>>()?
        };
        if points.is_empty() {
            return Err(CommandError::NoBridge { wanted: Vec::new() });
        }
        let own = (0..).zip(&points).filter(|(_, (one_writer, _))| *one_writer).map(|(at, _)| at).collect();
        Ok((points.into_iter().map(|(_, point)| point).collect(), own))
    }

    /// Strangers may come by this from now on.
    fn open_up(&mut self, opening: Opening) -> Result<(), CommandError> {
        // Where it names no place nobody is welcomed by a record.
        if !opening.places().is_empty() && self.welcome_card(&opening.points()).is_none() {
            return Err(CommandError::CardTooLarge);
        }
        let id = opening.id();
        self.openings.insert(id, opening);
        self.keep_opening(&id);
        self.rewatch_opening(&id);
        Ok(())
    }

    pub(in crate::engine) fn open_invites(&self) -> impl Iterator<Item = InviteState> {
        let time = self.time_now();
        let open = self.openings.values().filter(move |opening| !opening.ended(time));
        open.filter_map(|opening| match &opening.kind {
            Kind::Invite(own) => Some(InviteState {
                invite: own.invite.clone(),
                used_by: opening.bound.iter().map(|bound| bound.account).collect(),
            }),
            Kind::Pointer(_) => None,
        })
    }

    pub(in crate::engine) fn withdraw_invite(&mut self, key: &[u8; 32]) -> Result<(), CommandError> {
        let own = self.openings.get_mut(key).and_then(Opening::invite_mut);
        own.ok_or(CommandError::Unknown("invite"))?.withdrawn = true;
        self.keep_opening(key);
        Ok(())
    }

    /// Looks for joins: yesterday's, today's and tomorrow's slots in all lanes, at each of the places.
    fn rewatch_opening(&mut self, id: &[u8; 32]) {
        let Some(opening) = self.openings.get(id) else { return };
        if !opening.listens(self.time_now()) {
            return self.unexpect_records(&Owner::Opening(*id));
        }
        let terms = opening.terms();
        let mut slots: Vec<(SlotId, Special)> = Vec::new();
        for (tag, locator) in opening.places() {
            let Some(bridge) = self.bridge_at(&locator) else { continue };
            for day in self.epoch().watched() {
                for lane in 0..terms.lanes() {
                    let slot = terms.join_slot(tag, day, lane);
                    let special = Special { bridge: bridge.clone(), space: Space::Own, siv: slot.siv, tag };
                    slots.push((slot.id, special));
                }
            }
        }
        slots.extend(self.replied_slots(opening));
        self.expect_records(Owner::Opening(*id), slots);
    }

    pub(in crate::engine) fn rewatch_openings(&mut self) {
        for id in self.openings.keys().copied().collect::<Vec<_>>() {
            self.rewatch_opening(&id);
        }
    }

    /// The card that fits into a welcome that is looked for in these places.
    fn welcome_card(&mut self, points: &[Locator]) -> Option<crate::identity::Card> {
        let mut places: Vec<PlaceTag> = Vec::new();
        for point in points {
            let known = self.places.values().find(|place| place.locators.contains(point));
            // Copies of a pointer may have two names of one place.
            places.extend(known.map(|place| place.tag).filter(|tag| !places.contains(tag)));
        }
        let candidates = crate::place::Candidates::new(std::iter::repeat_n(
            crate::place::Candidate {
                kind: crate::place::CandidateKind::Host,
                transport: crate::place::Transport::Udp,
                address: std::net::SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), 1),
            },
            crate::place::Candidate::MOST,
        ));
        let nat = crate::reach::NatReport {
            mapping: crate::reach::Mapping::Sequential { last: u16::MAX, step: i16::MAX },
            filtering: crate::reach::Filtering::AddressAndPortDependent,
            attestations: Vec::new(),
        };
        let reach = Room::LEAST.for_reach(&Reach { candidates, nat });
        let sent = self.time_now();
        self.fitting_card(&places, |card| {
            let welcome = Welcome::Accepted {
                card: CardBytes(card.clone()),
                device: [0xff; 32],
                proof: [0xff; 64],
                candidates: reach.candidates.clone(),
                epoch: Epoch(u32::MAX),
                sent,
                nat: reach.nat.clone(),
                reflectors: Reflectors::default(),
                relays: RelayTags::default(),
            };
            Bucket::Large.pad(&welcome.to_bytes(), Pattern::Contact.overhead2()).is_some()
        })
    }

    pub(super) fn run_openings(&mut self) {
        let (now, time) = (self.now.mono, self.time_now());
        let over = |opening: &Opening| opening.gone() < time || !opening.listens(time);
        let all = self.openings.iter().filter(|(_, opening)| over(opening));
        for (id, gone) in all.map(|(id, opening)| (*id, opening.gone() < time)).collect::<Vec<_>>() {
            if gone {
                self.close(&id);
            } else {
                self.unexpect_records(&Owner::Opening(id));
            }
        }
        let (due, waiting) =
            std::mem::take(&mut self.elsewhere).into_iter().partition(|elsewhere| elsewhere.due <= now);
        self.elsewhere = waiting;
        for elsewhere in due {
            self.welcome_elsewhere(&elsewhere);
        }
    }

    /// It is forgotten.
    fn close(&mut self, id: &[u8; 32]) {
        let Some(opening) = self.openings.remove(id) else { return };
        self.out.delete(opening.stored_under());
        self.unexpect_records(&Owner::Opening(*id));
        self.drop_requests(|request| request.opening == *id);
        self.done(|purpose| matches!(purpose, Purpose::Refusal(of) | Purpose::Welcome(of, _) if of == id));
    }

    pub(in crate::engine) fn next_opening_due(&self) -> Option<Duration> {
        let time = self.time_now();
        let changes = self.openings.values().map(|opening| opening.next_change(time));
        let due = changes.map(|at| super::monotonic(self, at.after(Duration::from_secs(1))));
        due.chain(self.elsewhere.iter().map(|elsewhere| elsewhere.due)).min()
    }

    pub(super) fn keep_opening(&mut self, id: &[u8; 32]) {
        if let Some(opening) = self.openings.get(id) {
            let (key, row) = opening.row();
            self.out.put(key, row);
        }
    }
}
