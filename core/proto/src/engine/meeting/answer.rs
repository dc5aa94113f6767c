//! The other side's offers, and our answers.

use std::time::Duration;

use super::super::StepKind;
use super::super::io::Space;
use super::super::publications::Purpose;
use super::super::relays::Relays;
use super::super::sessions::{Met, Via};
use super::super::watch::Arrival;
use super::{Answered, Arrived, Engine, psk};
use crate::crypto::Secret;
use crate::crypto::envelope::{self, Bucket};
use crate::crypto::keys::{AccountId, DeviceId};
use crate::crypto::noise::{Handshake, Pattern};
use crate::meet::slot;
use crate::message::{Answer, Offer, Payload};
use crate::reach::RelayTags;

/// A friend's offer, read.
pub(super) struct Read {
    pub(super) handshake: Handshake,
    pub(super) h1: [u8; 32],
    pub(super) offer: Offer,
    pub(super) peer: [u8; 32],
}

impl Engine {
    /// A record in the slot of a friend's offer opened.
    pub(in crate::engine) fn offer_arrived(&mut self, arrived: Arrived) {
        if let Some(read) = self.news_of(&arrived) {
            self.note(
                arrived.account,
                StepKind::OfferRead,
                format!("an offer came over {}", arrived.arrival.bridge.0),
            );
            self.proven(&arrived.account, &arrived.device, &arrived.pair, arrived.epoch, false);
            self.weigh(arrived, read);
        }
    }

    /// The offer, if it is one that was not answered yet. One that was answered over another bridge is answered over this one too, later.
    pub(super) fn news_of(&mut self, arrived: &Arrived) -> Option<Read> {
        let read = self.read_offer(arrived)?;
        let meeting = self.meetings.get(&(arrived.account, arrived.device));
        if let Some(answered) = meeting.and_then(|meeting| meeting.answered.as_ref())
            && answered.h1 == read.h1
        {
            if !answered.over.contains(&arrived.arrival.bridge) && !answered.message.is_empty() {
                self.defer_elsewhere(arrived, read.offer.no);
            }
            return None;
        }
        // An old one: somebody replays, or a bridge is late. Nothing is changed and nothing is said.
        meeting.is_none_or(|meeting| read.offer.no > meeting.seen_no).then_some(read)
    }

    pub(super) fn read_offer(&mut self, arrived: &Arrived) -> Option<Read> {
        let friend = self.book.friend(&arrived.account).filter(|friend| !friend.blocked())?;
        let devices = &friend.card().roster().devices;
        let peer = devices.iter().find(|entry| entry.keys.id() == arrived.device)?.keys.noise;
        let ephemeral = Secret::random(&mut self.rng);
        let mut handshake = Handshake::responder(
            Pattern::Meeting,
            self.identity.device.noise(),
            Some(&peer),
            &psk(&arrived.secret),
            &self.prologue(&arrived.account),
            &ephemeral,
        )
        .ok()?;
        let padded = handshake.read(&arrived.message).ok()?;
        let offer = envelope::unpad(&padded).and_then(|payload| Offer::from_bytes(payload).ok())?;
        let h1 = handshake.hash();
        Some(Read { handshake, h1, offer, peer })
    }

    /// Answers: the number is persisted before the answer is published.
    pub(super) fn answer(&mut self, arrived: &Arrived, mut read: Read) {
        let (account, device) = (arrived.account, arrived.device);
        let (roster_seq, status_seq) = self.card_seqs();
        let lifetime =
            self.config.answer_lifetime.max(self.latency(&arrived.arrival.bridge).saturating_mul(4));
        let key = psk(&arrived.secret);
        let named = read.offer.relays.clone();
        let told = self.relays_for(Some(device), Some((&key, &named)));
        let answer = Answer {
            lifetime: u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX),
            candidates: self.reach.candidates.clone(),
            roster_seq,
            status_seq,
            sent: self.time_now(),
            nat: self.reach.nat.clone(),
            relays: RelayTags::of(&key, &told),
        };
        let padded = Bucket::Small.pad(&answer.to_bytes(), Pattern::Meeting.overhead2());
        let Some(message) = padded.and_then(|payload| read.handshake.write(&payload).ok()) else { return };
        let Some(secret) = read.handshake.secret("meeting") else { return };

        let meeting = self.meetings.entry((account, device)).or_default();
        let before = meeting.answered.as_ref().map(|answered| answered.no);
        meeting.seen_no = meeting.seen_no.max(read.offer.no);
        meeting.answered = Some(Answered {
            no: read.offer.no,
            h1: read.h1,
            epoch: arrived.epoch,
            pair: arrived.pair,
            message,
            over: Vec::new(),
        });
        self.keep_meeting(&account, &device);
        // The friend made a newer offer. It may still have read the answer to the earlier one, so that its session stays.
        if let Some(before) = before {
            self.done(|purpose| *purpose == Purpose::Answer(account, device, before));
        }
        self.begin_session(Met {
            account,
            peer: read.peer,
            meeting: secret,
            pair_secret: arrived.secret.clone(),
            pair: arrived.pair,
            epoch: arrived.epoch,
            client: false,
            no: read.offer.no,
            reach: read.offer.reach(),
            told: self.reach.clone(),
            relays: Relays { told, named, key },
            lifetime,
            via: self.via_for_answer(&arrived.arrival, &account, &device),
        });
        self.send_answer(&account, &device, read.offer.no, &arrived.arrival);
    }

    /// Publishes the answer over the bridge that the offer came by.
    pub(super) fn send_answer(&mut self, account: &AccountId, device: &DeviceId, no: u64, arrival: &Arrival) {
        let pairs = self.book.friend(account).map(|friend| friend.stored.pairs.clone()).unwrap_or_default();
        let Some(meeting) = self.meetings.get_mut(&(*account, *device)) else { return };
        let Some(answered) =
            meeting.answered.as_mut().filter(|answered| answered.no == no && !answered.message.is_empty())
        else {
            return;
        };
        let pair = pairs.iter().find(|pair| pair.id == answered.pair);
        let Some(secret) = pair.and_then(|pair| pair.secret.at(answered.epoch)) else { return };
        let slot = slot::answer(&secret, arrival.tag, &answered.h1);
        answered.over.push(arrival.bridge.clone());
        let message = answered.message.clone();
        self.keep_meeting(account, device);
        self.note(*account, StepKind::Answered, format!("answered it over {}", arrival.bridge.0));
        let bridge = self.writer_for(&arrival.bridge, &arrival.space);
        self.leave(bridge, &slot, None, &message, Purpose::Answer(*account, *device, no));
    }

    pub(super) fn via_for_answer(
        &self,
        arrival: &Arrival,
        account: &AccountId,
        device: &DeviceId,
    ) -> Option<Via> {
        let theirs = match &arrival.space {
            Space::Own => None,
            Space::Of(locator) => Some(locator.clone()),
        };
        self.book.friend(account)?.card().status(device)?;
        let bridge = self.writer_for(&arrival.bridge, &arrival.space);
        Some(Via { bridge, tag: arrival.tag, theirs })
    }

    /// How long to wait for a link before the same answer goes over another bridge too.
    pub(super) fn patience_after(&self, arrived: &Arrived) -> Duration {
        let meeting = self.meetings.get(&(arrived.account, arrived.device));
        let over =
            meeting.and_then(|meeting| meeting.answered.as_ref()).map(|answered| answered.over.as_slice());
        let slowest = over.unwrap_or_default().iter().map(|bridge| self.latency(bridge)).max();
        slowest.unwrap_or(Duration::from_secs(1)).saturating_mul(2)
    }
}
