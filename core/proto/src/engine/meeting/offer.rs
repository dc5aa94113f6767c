//! Our offers, and the answers to them.

use std::time::Duration;

use super::super::StepKind;
use super::super::io::{BridgeName, Space};
use super::super::publications::Purpose;
use super::super::relays::Relays;
use super::super::sessions::{Met, Via};
use super::super::watch::{Arrival, Owner, Special};
use super::{Engine, MyOffer, Route, Spot, Used, psk};
use crate::crypto::Secret;
use crate::crypto::envelope::{self, Bucket};
use crate::crypto::keys::{AccountId, DeviceId};
use crate::crypto::noise::{Handshake, Pattern};
use crate::meet::slot::{self, SlotId};
use crate::message::{Answer, Offer, Payload};
use crate::reach::{Reach, RelayTags};
use crate::time::Epoch;

/// Offers that may still be answered: the one that is out and the one before it, whose answer may be on its way.
const MOST_OFFERS: usize = 2;

/// Over which bridges an offer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Over {
    /// Over the quickest few, and after so many rounds that came to nothing over others.
    Any(u32),
    /// Over those alone on which the friend's machine may be present.
    Present,
}

impl Engine {
    /// Leaves one offer for a device, the same message over the quickest few bridges, and takes back the one before. `false` where no bridge can.
    pub(super) fn make_offer(
        &mut self,
        account: &AccountId,
        device: &DeviceId,
        lifetime: Duration,
        over: Over,
    ) -> bool {
        let Some((peer, pair, epoch, secret)) = self.offer_secrets(account, device) else {
            self.note(
                *account,
                StepKind::ClockWrong,
                "the clock is wrong: no secret is shared for this day".to_owned(),
            );
            return false;
        };
        let mut meeting = self.meetings.get(&(*account, *device)).cloned().unwrap_or_default();
        let at = self.offer_spots(account, device, epoch, &mut meeting, over);
        if at.is_empty() {
            self.note(
                *account,
                StepKind::NoBridge,
                "no bridge that is up reaches any of the friend's places".to_owned(),
            );
            return false;
        }
        let (roster_seq, status_seq) = self.card_seqs();
        let no = meeting.last_no.saturating_add(1).max(self.time_now().0);
        let Reach { candidates, nat } = self.reach.clone();
        let seconds = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
        let named = self.relays_for(Some(*device), None);
        let relays = RelayTags::of(&psk(&secret), &named);
        let said = Offer { no, lifetime: seconds, candidates, roster_seq, status_seq, nat, relays };
        let Some(payload) = Bucket::Small.pad(&said.to_bytes(), Pattern::Meeting.overhead1()) else {
            return false;
        };
        let offer = MyOffer {
            no,
            epoch,
            pair,
            ephemeral: Secret::random(&mut self.rng),
            payload,
            expires: self.time_now().after(lifetime),
            at: at.iter().map(|(route, _)| Spot::of(route)).collect(),
            relays: Some(named),
            deadline: self.now.mono.saturating_add(lifetime),
        };
        let Some((_, message)) = self.message1(account, &peer, &secret, &offer) else { return false };

        let before: Vec<u64> = meeting.offers.iter().map(|offer| offer.no).collect();
        self.done(|purpose| matches!(purpose, Purpose::Offer(of, to, no) if (of, to) == (account, device) && before.contains(no)));
        meeting.last_no = no;
        meeting.offers.push(offer);
        while meeting.offers.len() > MOST_OFFERS {
            let old = meeting.offers.remove(0);
            self.unexpect_records(&Owner::Offer(*account, *device, old.no));
        }
        self.meetings.insert((*account, *device), meeting);
        self.keep_meeting(account, device);
        self.expect_answers(account, device);
        for (route, index) in at {
            self.leave_offer(account, device, no, (epoch, &secret), (&route, index), &message);
        }
        true
    }

    /// A bridge came up: offers that are out go over it too, where it serves and the race has room.
    pub(in crate::engine) fn extend_offers(&mut self, bridge: &BridgeName) {
        for (account, device) in self.meetings.keys().copied().collect::<Vec<_>>() {
            let Some(mut meeting) = self.meetings.get(&(account, device)).cloned() else { continue };
            let wanted = self.wants.contains_key(&account) && self.pending_session(&account).is_none();
            let routes =
                self.book.friend(&account).map(|friend| self.routes(friend, &device)).unwrap_or_default();
            let route = routes.into_iter().find(|route| route.bridge == *bridge);
            let (Some(route), Some(mut offer), true) = (route, meeting.offers.pop(), wanted) else {
                continue;
            };
            // One more on the local network disturbs nobody.
            let full = offer.at.len() >= self.config.race && !self.is_present(bridge);
            if full || offer.at.iter().any(|spot| spot.bridge == *bridge) {
                continue;
            }
            let Some((_, peer, secret)) = self.rebuild(&account, &device, &offer) else { continue };
            let index = meeting.use_slot(&route, offer.epoch);
            let Some((_, message)) = self.message1(&account, &peer, &secret, &offer) else { continue };
            offer.at.push(Spot::of(&route));
            let (no, epoch) = (offer.no, offer.epoch);
            meeting.offers.push(offer);
            self.meetings.insert((account, device), meeting);
            self.keep_meeting(&account, &device);
            self.expect_answers(&account, &device);
            self.leave_offer(&account, &device, no, (epoch, &secret), (&route, index), &message);
        }
    }

    fn leave_offer(
        &mut self,
        account: &AccountId,
        device: &DeviceId,
        no: u64,
        (epoch, secret): (Epoch, &Secret),
        (route, index): (&Route, u8),
        message: &[u8],
    ) {
        let slot = slot::offer(secret, route.tag, &self.device_id, device, index);
        self.note(*account, StepKind::Offered, format!("offered over {}", route.bridge.0));
        let purpose = Purpose::Offer(*account, *device, no);
        self.leave(route.bridge.clone(), &slot, Some((route, epoch)), message, purpose);
    }

    /// The device's key, and the pair secret of today with its name.
    fn offer_secrets(
        &self,
        account: &AccountId,
        device: &DeviceId,
    ) -> Option<([u8; 32], [u8; 32], Epoch, Secret)> {
        let friend = self.book.friend(account)?;
        let entry = friend.card().roster().devices.iter().find(|entry| entry.keys.id() == *device)?;
        let pair = friend.stored.pairs.first()?;
        // A friend made by somebody whose clock is a day ahead begins tomorrow; that is watched today.
        let today = self.epoch();
        let epoch = today.max(pair.secret.oldest()).min(today.plus(1));
        Some((entry.keys.noise, pair.id, epoch, pair.secret.at(epoch)?))
    }

    /// Where an offer is left, and in which slot there.
    fn offer_spots(
        &self,
        account: &AccountId,
        device: &DeviceId,
        epoch: Epoch,
        meeting: &mut super::Meeting,
        over: Over,
    ) -> Vec<(Route, u8)> {
        let mut routes =
            self.book.friend(account).map(|friend| self.routes(friend, device)).unwrap_or_default();
        match over {
            // Bridges that led to nothing let others have their turn.
            Over::Any(failed) if routes.len() > self.config.race => {
                let turn = usize::try_from(failed).unwrap_or_default().wrapping_mul(self.config.race);
                let by = turn % routes.len();
                routes.rotate_left(by);
            }
            Over::Any(_) => {}
            Over::Present => routes.retain(|route| self.is_present(&route.bridge)),
        }
        let chosen = routes.into_iter().take(self.config.race);
        chosen
            .map(|route| (meeting.use_slot(&route, epoch), route))
            .map(|(index, route)| (route, index))
            .collect()
    }

    /// The handshake after message 1, and that message: the very same each time.
    fn message1(
        &self,
        account: &AccountId,
        remote: &[u8; 32],
        secret: &Secret,
        offer: &MyOffer,
    ) -> Option<(Handshake, Vec<u8>)> {
        let mut handshake = Handshake::initiator(
            Pattern::Meeting,
            self.identity.device.noise(),
            remote,
            &psk(secret),
            &self.prologue(account),
            &offer.ephemeral,
        )
        .ok()?;
        let message = handshake.write(&offer.payload).ok()?;
        Some((handshake, message))
    }

    /// Looks for answers to all offers that may still get one.
    pub(super) fn expect_answers(&mut self, account: &AccountId, device: &DeviceId) {
        let Some(meeting) = self.meetings.get(&(*account, *device)).cloned() else { return };
        for offer in &meeting.offers {
            let Some((handshake, _, secret)) = self.rebuild(account, device, offer) else { continue };
            let h1 = handshake.hash();
            let slots: Vec<(SlotId, Special)> = offer
                .at
                .iter()
                .map(|spot| {
                    let found = slot::answer(&secret, spot.tag, &h1);
                    let (bridge, space) = self.where_found(&spot.bridge, spot.replies.as_ref());
                    (found.id, Special { bridge, space, siv: found.siv, tag: spot.tag })
                })
                .collect();
            self.expect_records(Owner::Offer(*account, *device, offer.no), slots);
        }
    }

    fn rebuild(
        &self,
        account: &AccountId,
        device: &DeviceId,
        offer: &MyOffer,
    ) -> Option<(Handshake, [u8; 32], Secret)> {
        let friend = self.book.friend(account)?;
        let entry = friend.card().roster().devices.iter().find(|entry| entry.keys.id() == *device)?;
        let pair = friend.stored.pairs.iter().find(|pair| pair.id == offer.pair)?;
        let secret = pair.secret.at(offer.epoch)?;
        let (handshake, _) = self.message1(account, &entry.keys.noise, &secret, offer)?;
        Some((handshake, entry.keys.noise, secret))
    }

    /// A record in the slot of an answer to our offer opened.
    pub(in crate::engine) fn found_answer(
        &mut self,
        account: &AccountId,
        device: &DeviceId,
        no: u64,
        arrival: &Arrival,
        message: &[u8],
    ) {
        let Some(offer) = self
            .meetings
            .get(&(*account, *device))
            .and_then(|meeting| meeting.offers.iter().find(|offer| offer.no == no).cloned())
        else {
            return;
        };
        let Some((mut handshake, peer, pair_secret)) = self.rebuild(account, device, &offer) else { return };
        let read = handshake.read(message).ok();
        let answer =
            read.as_deref().and_then(envelope::unpad).and_then(|payload| Answer::from_bytes(payload).ok());
        let (Some(answer), Some(meeting)) = (answer, handshake.secret("meeting")) else { return };
        self.note(*account, StepKind::AnswerRead, format!("the answer was read, over {}", arrival.bridge.0));
        self.proven(account, device, &offer.pair, offer.epoch, false);
        let lifetime = Duration::from_secs(u64::from(answer.lifetime));
        let key = psk(&pair_secret);
        self.begin_session(Met {
            account: *account,
            peer,
            meeting,
            pair_secret,
            pair: offer.pair,
            epoch: offer.epoch,
            client: true,
            no,
            reach: Reach { candidates: answer.candidates, nat: answer.nat },
            told: offer.told(),
            relays: Relays { told: offer.relays.unwrap_or_default(), named: answer.relays, key },
            lifetime: lifetime.min(self.dial_patience(&arrival.bridge)).max(Duration::from_secs(5)),
            via: Some(Via {
                bridge: self.writer_for(&arrival.bridge, &arrival.space),
                tag: arrival.tag,
                theirs: match &arrival.space {
                    Space::Own => None,
                    Space::Of(locator) => Some(locator.clone()),
                },
            }),
        });
        // It is answered: the same answer over another bridge is not news.
        self.unexpect_records(&Owner::Offer(*account, *device, no));
        if let Some(meeting) = self.meetings.get_mut(&(*account, *device)) {
            meeting.offers.retain(|offer| offer.no != no);
        }
        self.keep_meeting(account, device);
        let (account, device) = (*account, *device);
        self.done(|purpose| *purpose == Purpose::Offer(account, device, no));
    }
}

impl super::MyOffer {
    /// What it says of how we are reached.
    fn told(&self) -> Reach {
        let offer = envelope::unpad(&self.payload).and_then(|payload| Offer::from_bytes(payload).ok());
        offer.map(|offer| offer.reach()).unwrap_or_default()
    }
}

impl Spot {
    fn of(route: &Route) -> Self {
        let replies = match &route.replies {
            Space::Own => None,
            Space::Of(locator) => Some(locator.clone()),
        };
        Self { bridge: route.bridge.clone(), tag: route.tag, replies }
    }
}

impl super::Meeting {
    /// The next slot at a place that was not used yet, and the last one again once all were: somebody who starts anew that often on one day shall
    /// meet all the same, at the price that those who read the place see that these few records belong together.
    fn use_slot(&mut self, route: &super::Route, epoch: Epoch) -> u8 {
        self.used.retain(|used| used.epoch.plus(2) >= epoch);
        let known = self.used.iter().position(|used| (used.tag, used.epoch) == (route.tag, epoch));
        let Some(used) = known.and_then(|at| self.used.get_mut(at)) else {
            self.used.push(Used { tag: route.tag, epoch, count: 1 });
            return 0;
        };
        let index = used.count.min(slot::OFFERS - 1);
        used.count = index.saturating_add(1);
        index
    }
}
