//! Whom somebody wants linked, and when the next offer is due.
//!
//! A **round** is one offer to each of the friend's devices, the most recently seen first, the next after twice the latency. An unanswered round lasts
//! a minute, the next two, and so on to six hours, each a fifth shorter or longer at random; then its offers are taken back and made anew.

use std::collections::VecDeque;
use std::time::Duration;

use rand_core::RngCore;

use super::super::StepKind;
use super::super::io::Event;
use super::super::publications::Purpose;
use super::super::watch::Owner;
use super::{Engine, Over};
use crate::crypto::keys::{AccountId, DeviceId};

/// A friend that somebody wants.
#[derive(Debug)]
pub(in crate::engine) struct Want {
    /// By the monotonic clock.
    until: Option<Duration>,
    /// Wanted because an invite was accepted, and only until the first link.
    by_contact: bool,
    /// Rounds that came to nothing.
    failed: u32,
    /// When something is to be done; `None` while a link is up.
    next: Option<Duration>,
    /// Devices that are still to be offered to in this round.
    left: VecDeque<DeviceId>,
    /// When the round under way is over; `None` between rounds.
    round_end: Option<Duration>,
    /// No offer could be made: there is no bridge for it. That is no failure of the friend's, and ends when a bridge comes up.
    stalled: bool,
}

impl Want {
    pub(in crate::engine) const fn next(&self) -> Option<Duration> {
        match (self.next, self.until) {
            (Some(next), Some(until)) => Some(if next.as_nanos() < until.as_nanos() { next } else { until }),
            (next, None) => next,
            (None, until) => until,
        }
    }

    /// A link is up.
    pub(super) fn rest(&mut self) {
        self.failed = 0;
        self.next = None;
        self.left.clear();
        self.round_end = None;
    }

    fn again(&mut self, at: Duration) {
        self.next = Some(at);
        self.left.clear();
        self.round_end = None;
    }
}

/// How long a round lasts at least, in latencies of its slowest bridge: there and back, and each again.
const ROUND_LATENCIES: u32 = 4;

impl Engine {
    pub(in crate::engine) fn add_want(
        &mut self,
        account: &AccountId,
        until: Option<Duration>,
        by_contact: bool,
    ) {
        let Some(friend) = self.book.friend(account).filter(|friend| !friend.blocked()) else { return };
        let linked = friend.link().is_some();
        let now = self.now.mono;
        match self.wants.get_mut(account) {
            Some(want) if by_contact => want.until = want.until.and_then(|before| Some(before.max(until?))),
            Some(want) => {
                want.until = until;
                // Somebody waits from here on.
                if std::mem::replace(&mut want.by_contact, false) && want.round_end.is_none() {
                    want.next = want.next.map(|next| next.min(now));
                }
            }
            None => {
                let next = (!linked).then_some(now);
                let (left, round_end) = (VecDeque::new(), None);
                let want = Want { until, by_contact, failed: 0, next, left, round_end, stalled: false };
                self.wants.insert(*account, want);
            }
        }
    }

    pub(in crate::engine) fn end_want(&mut self, account: &AccountId) {
        if self.wants.remove(account).is_none() {
            return;
        }
        for (account, device) in self.meetings_of(account) {
            self.take_back_offers(&account, &device);
        }
    }

    /// The first link after an invite: what it was wanted for is reached.
    pub(in crate::engine) fn end_contact_want(&mut self, account: &AccountId) {
        if self.wants.get(account).is_some_and(|want| want.by_contact) {
            self.wants.remove(account);
        }
    }

    /// A link was lost. Of two that both want it back, the smaller key offers first, so that the other's offer is not needed.
    pub(in crate::engine) fn want_again(&mut self, account: &AccountId) {
        let wait = if self.yields_to(account) { self.patience_for(account) } else { Duration::ZERO };
        let at = self.now.mono.saturating_add(wait);
        if let Some(want) = self.wants.get_mut(account) {
            want.again(at);
        }
        self.defer_no_longer(account);
    }

    /// A meeting came to nothing after its handshake.
    pub(in crate::engine) fn meeting_failed(&mut self, account: &AccountId, why: &str) {
        let account = *account;
        self.done(|purpose| purpose.account() == Some(account) && !matches!(purpose, Purpose::Welcome(..)));
        for key in self.meetings_of(&account) {
            self.take_back_offers(&key.0, &key.1);
        }
        let wait = self.interval(self.wants.get(&account).map_or(0, |want| want.failed));
        let at = self.now.mono.saturating_add(wait);
        let retry = self.wants.get_mut(&account).map(|want| {
            want.failed = want.failed.saturating_add(1);
            want.again(at);
            wait
        });
        self.out.event(Event::MeetingFailed { account, why: why.to_owned(), retry });
    }

    /// A bridge came up: who waits for want of a bridge need not wait longer.
    pub(in crate::engine) fn hurry_wants(&mut self) {
        let now = self.now.mono;
        for want in self.wants.values_mut().filter(|want| want.stalled && want.next.is_some()) {
            want.again(now);
        }
    }

    pub(in crate::engine) fn run_wants(&mut self) {
        let now = self.now.mono;
        let due: Vec<_> = self
            .wants
            .iter()
            .filter(|(_, want)| want.next().is_some_and(|next| next <= now))
            .map(|(account, _)| *account)
            .collect();
        for account in due {
            if self.wants.get(&account).is_some_and(|want| want.until.is_some_and(|until| until <= now)) {
                self.end_want(&account);
            } else {
                self.run_want(&account);
            }
        }
        self.run_left_offers();
    }

    fn run_want(&mut self, account: &AccountId) {
        let now = self.now.mono;
        // A meeting that got as far as a session, by whosever offer, is waited for.
        let asked = self.wants.get(account).is_some_and(|want| !want.by_contact);
        if let Some(patience) = self.patience_for_sessions(account, asked).filter(|patience| *patience > now)
        {
            if let Some(want) = self.wants.get_mut(account) {
                want.next = Some(patience);
            }
            return;
        }
        let devices = self.devices_by_age(account);
        let slowest = self.slowest(account, &devices);
        let Some(want) = self.wants.get_mut(account) else { return };
        let mut unanswered = None;
        if want.left.is_empty() {
            if want.round_end.take().is_some_and(|end| end <= now) && !want.stalled {
                want.failed = want.failed.saturating_add(1);
                unanswered = Some(want.failed);
            }
            want.left = devices;
        }
        let failed = want.failed;
        let device = want.left.pop_front();
        let more = !want.left.is_empty();
        let begun = want.round_end;
        if unanswered.is_some() {
            self.note(*account, StepKind::OfferedAnew, "nobody answered so far; offered anew".to_owned());
            let why = "nobody answered so far".to_owned();
            self.out.event(Event::MeetingFailed { account: *account, why, retry: Some(Duration::ZERO) });
        }
        let round_end = match begun {
            Some(end) => end,
            None => now.saturating_add(self.interval(failed).max(slowest.saturating_mul(ROUND_LATENCIES))),
        };
        let next =
            if more { round_end.min(now.saturating_add(slowest.saturating_mul(2))) } else { round_end };
        if let Some(want) = self.wants.get_mut(account) {
            want.round_end = Some(round_end);
            want.next = Some(next);
        }
        let tried = self.try_standing(account);
        let made = device.is_some_and(|device| {
            self.make_offer(account, &device, round_end.saturating_sub(now), Over::Any(failed))
        });
        let Some(want) = self.wants.get_mut(account) else { return };
        if !made && !std::mem::replace(&mut want.stalled, !made) && !tried {
            let why = "no bridge that is up reaches any of the friend's places".to_owned();
            let retry = Some(next.saturating_sub(now));
            self.out.event(Event::MeetingFailed { account: *account, why, retry });
        } else {
            want.stalled = !made;
        }
    }

    /// Offers that nobody wants (any more, or since a restart) end with their time.
    fn run_left_offers(&mut self) {
        let now = self.now.mono;
        let over: Vec<_> = self
            .meetings
            .iter()
            .filter(|((account, _), _)| !self.wants.contains_key(account))
            .filter(|(_, meeting)| meeting.offers.last().is_some_and(|offer| offer.deadline <= now))
            .map(|(key, _)| *key)
            .collect();
        for (account, device) in over {
            self.take_back_offers(&account, &device);
        }
    }

    pub(in crate::engine) fn next_left_offer(&self) -> Option<Duration> {
        let left = self.meetings.iter().filter(|((account, _), _)| !self.wants.contains_key(account));
        left.filter_map(|(_, meeting)| meeting.offers.last().map(|offer| offer.deadline)).min()
    }

    pub(in crate::engine) fn take_back_offers(&mut self, account: &AccountId, device: &DeviceId) {
        let Some(meeting) = self.meetings.get_mut(&(*account, *device)) else { return };
        let offers = std::mem::take(&mut meeting.offers);
        if offers.is_empty() {
            return;
        }
        for offer in offers {
            self.unexpect_records(&Owner::Offer(*account, *device, offer.no));
        }
        self.keep_meeting(account, device);
        let (account, device) = (*account, *device);
        self.done(|purpose| matches!(purpose, Purpose::Offer(of, at, _) if (*of, *at) == (account, device)));
    }

    /// The back-off after so many failures, a fifth shorter or longer at random.
    pub(in crate::engine) fn interval(&mut self, failed: u32) -> Duration {
        let doubled = self.config.backoff_least.saturating_mul(2_u32.saturating_pow(failed.min(16)));
        let base = doubled.min(self.config.backoff_most);
        base.saturating_mul(80 + self.rng.next_u32() % 41) / 100
    }

    fn devices_by_age(&self, account: &AccountId) -> VecDeque<DeviceId> {
        let Some(friend) = self.book.friend(account) else { return VecDeque::new() };
        let mut devices: Vec<_> =
            friend.card().roster().devices.iter().map(|entry| entry.keys.id()).collect();
        // The sort is stable: what was never seen stays in the roster's order.
        devices.sort_by_key(|device| std::cmp::Reverse(friend.last_seen().get(device).copied()));
        devices.into()
    }

    fn slowest(&self, account: &AccountId, devices: &VecDeque<DeviceId>) -> Duration {
        let Some(friend) = self.book.friend(account) else { return Duration::ZERO };
        let routes =
            devices.iter().flat_map(|device| self.routes(friend, device).into_iter().take(self.config.race));
        routes.map(|route| self.latency(&route.bridge)).max().unwrap_or(Duration::from_secs(1))
    }

    /// How long to wait for the other side's answer before doing its part too: there and back by the slowest bridge in the race.
    pub(in crate::engine) fn patience_for(&self, account: &AccountId) -> Duration {
        self.slowest(account, &self.devices_by_age(account)).saturating_mul(2)
    }
}
