//! Friends meet: offers, answers, and what is remembered of them a pair of devices.
//!
//! [`wants`] decides when to offer, [`offer`] makes offers and takes in their answers, [`answer`] answers the other side's, [`glare`] decides what
//! happens when both offered, [`hails`] offers to friends on the same local network without anybody's wish.

mod answer;
mod glare;
mod hails;
mod offer;
mod wants;

use std::time::Duration;

use minicbor::{Decode, Encode};

pub(super) use glare::Deferred;
pub(super) use hails::Hails;
pub(super) use offer::Over;
pub(super) use wants::Want;

use super::io::BridgeName;
use super::places::Route;
use super::publications::{Draft, Purpose};
use super::watch::{Arrival, Owner};
use super::{Engine, store};
use crate::crypto::envelope;
use crate::crypto::keys::{AccountId, DeviceId};
use crate::crypto::{Secret, derive, sha256};
use crate::meet::slot::{self, Slot};
use crate::place::PlaceTag;
use crate::time::{Epoch, UnixMillis};

/// What is kept of the meetings of this device and one of a friend's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Meeting {
    /// The number of our last offer.
    #[n(0)]
    last_no: u64,
    /// The greatest number of an offer of theirs that we answered.
    #[n(1)]
    seen_no: u64,
    /// How many slots were used, by place and epoch.
    #[n(2)]
    used: Vec<Used>,
    /// Our offers that may still be answered: the one that is out, and the one before it.
    #[n(3)]
    offers: Vec<MyOffer>,
    /// The last offer that we answered.
    #[n(4)]
    answered: Option<Answered>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Used {
    #[n(0)]
    tag: PlaceTag,
    #[n(1)]
    epoch: Epoch,
    #[n(2)]
    count: u8,
}

/// All that is needed to make the very same message 1 again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct MyOffer {
    #[n(0)]
    no: u64,
    #[n(1)]
    epoch: Epoch,
    #[cbor(n(2), with = "minicbor::bytes")]
    pair: [u8; 32],
    #[n(3)]
    ephemeral: Secret,
    /// Padded.
    #[cbor(n(4), with = "minicbor::bytes")]
    payload: Vec<u8>,
    #[n(5)]
    expires: UnixMillis,
    #[n(6)]
    at: Vec<Spot>,
    /// The relays that it names; `None` in an offer of an earlier version.
    #[n(7)]
    relays: Option<Vec<DeviceId>>,
    #[cbor(skip)]
    deadline: Duration,
}

/// Where an offer was left.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Spot {
    #[n(0)]
    bridge: BridgeName,
    #[n(1)]
    tag: PlaceTag,
    /// In whose space the answer is found; `None`: in the bridge's own place.
    #[n(2)]
    replies: Option<crate::place::Locator>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Answered {
    #[n(0)]
    no: u64,
    #[cbor(n(1), with = "minicbor::bytes")]
    h1: [u8; 32],
    #[n(2)]
    epoch: Epoch,
    #[cbor(n(3), with = "minicbor::bytes")]
    pair: [u8; 32],
    /// Message 2; empty once the meeting is over.
    #[cbor(n(4), with = "minicbor::bytes")]
    message: Vec<u8>,
    /// Over which bridges it was sent.
    #[n(5)]
    over: Vec<BridgeName>,
}

/// An offer of a friend's, opened as far as its slot's key goes.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    pub(super) account: AccountId,
    pub(super) device: DeviceId,
    pub(super) epoch: Epoch,
    /// Which pair secret its slot was derived from.
    pub(super) pair: [u8; 32],
    /// That secret's `K_e`.
    pub(super) secret: Secret,
    pub(super) arrival: Arrival,
    pub(super) message: Vec<u8>,
}

/// The psk of a meeting's handshake.
fn psk(secret: &Secret) -> Secret {
    derive(secret.expose(), "meet", &[])
}

impl Engine {
    /// The handshake's prologue: both accounts, the smaller first.
    fn prologue(&self, account: &AccountId) -> Vec<u8> {
        let (first, second) = if self.me < *account { (self.me, *account) } else { (*account, self.me) };
        [first.0, second.0].concat()
    }

    pub(super) fn restore_meeting(&mut self, account: AccountId, device: DeviceId, mut meeting: Meeting) {
        let time = self.time_now();
        for offer in &mut meeting.offers {
            let left = offer.expires.since(time).min(self.config.backoff_most.saturating_mul(2));
            offer.deadline = self.now.mono.saturating_add(left);
        }
        self.meetings.insert((account, device), meeting);
    }

    /// After everything was restored: answers are looked for again.
    pub(super) fn resume_meetings(&mut self) {
        for (account, device) in self.meetings.keys().copied().collect::<Vec<_>>() {
            self.expect_answers(&account, &device);
        }
    }

    /// Whether an offer may still be answered. Of two that were made only the last lies anywhere.
    pub(super) fn offer_is_out(&self, account: &AccountId, device: &DeviceId, no: u64) -> bool {
        let meeting = self.meetings.get(&(*account, *device));
        meeting.and_then(|meeting| meeting.offers.last()).is_some_and(|offer| offer.no == no)
    }

    fn keep_meeting(&mut self, account: &AccountId, device: &DeviceId) {
        if let Some(meeting) = self.meetings.get(&(*account, *device)) {
            self.out.put(store::meeting(account, device), store::encode(meeting));
        }
    }

    /// A link is up: all that was published for it goes, and nothing of it is answered again.
    pub(super) fn meeting_over(&mut self, account: &AccountId) {
        for key in self.meetings_of(account) {
            if let Some(meeting) = self.meetings.get_mut(&key) {
                if let Some(answered) = &mut meeting.answered {
                    answered.message.clear();
                }
                let offers = std::mem::take(&mut meeting.offers);
                for offer in offers {
                    self.unexpect_records(&Owner::Offer(key.0, key.1, offer.no));
                }
            }
            self.keep_meeting(&key.0, &key.1);
        }
        self.done(|purpose| purpose.account() == Some(*account));
        if let Some(want) = self.wants.get_mut(account) {
            want.rest();
        }
    }

    /// Forgets all meetings with some devices of an account.
    pub(super) fn drop_meetings(&mut self, account: &AccountId, which: impl Fn(&DeviceId) -> bool) {
        for key in self.meetings_of(account).into_iter().filter(|(_, device)| which(device)) {
            if let Some(meeting) = self.meetings.remove(&key) {
                for offer in meeting.offers {
                    self.unexpect_records(&Owner::Offer(key.0, key.1, offer.no));
                }
                self.out.delete(store::meeting(&key.0, &key.1));
            }
            let of_device = |purpose: &Purpose| matches!(purpose, Purpose::Offer(of, device, _) | Purpose::Answer(of, device, _) if (*of, *device) == key);
            self.done(of_device);
        }
    }

    fn meetings_of(&self, account: &AccountId) -> Vec<(AccountId, DeviceId)> {
        self.meetings.keys().filter(|(of, _)| of == account).copied().collect()
    }

    /// Leaves a message in a slot: in the recipient's tray where records are looked up by key and it is an offer.
    fn leave(
        &mut self,
        bridge: BridgeName,
        slot: &Slot,
        tray: Option<(&Route, Epoch)>,
        message: &[u8],
        purpose: Purpose,
    ) {
        let in_tray = tray.and_then(|(route, epoch)| Some((route.tray.as_ref()?, route.tag, epoch)));
        let (at, inner, bytes) = match in_tray {
            Some((key, tag, epoch)) => {
                let lane = sha256(&[&slot.id.0]).first().copied().unwrap_or_default() % slot::LANES;
                let bytes = envelope::seal_in_tray(&slot.id.0, &slot.siv, message);
                (slot::tray(key, tag, epoch, lane), Some(slot.id), bytes)
            }
            None => (slot.id, None, envelope::seal(&slot.siv, message)),
        };
        self.publish(Draft { bridge, slot: at, inner, bytes, purpose });
    }
}
