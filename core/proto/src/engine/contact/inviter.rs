//! The side that made the invite: invites are made, kept and ended here, joins for them are answered in [`joins`].
//!
//! One use: open, bound to the account that came first, done. Whom it is bound to may come again, with the same message or, after a crash that lost
//! its state, with another; anybody else is told once that it was used.

mod joins;

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::super::config::{CommandError, InviteOptions};
use super::super::io::{BridgeName, Space};
use super::super::publications::Purpose;
use super::super::watch::{Owner, Special};
use super::super::{Engine, InviteState, store};
use super::room::Room;
use super::{AFTERWARDS, lanes};
use crate::crypto::Secret;
use crate::crypto::envelope::Bucket;
use crate::crypto::keys::{AccountId, NoiseKey};
use crate::crypto::noise::Pattern;
use crate::invite::Invite;
use crate::meet::slot::{self, SlotId};
use crate::message::{CardBytes, Payload, Welcome};
use crate::place::{Locator, PlaceTag};
use crate::reach::{Reach, Reflectors, RelayTags};
use crate::time::{Epoch, UnixMillis};

pub(in crate::engine) use joins::Elsewhere;

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
    /// Whom it is for, where that is known.
    #[n(8)]
    only: Option<AccountId>,
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
            only: options.only,
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
                        tag: PlaceTag::of_point(point),
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
