//! When both offer at once, and other reasons to wait with an answer.
//!
//! Of two that offered, the one with the smaller X25519 key stays the offerer: the other answers at once and takes its own offer back, keeping what is
//! needed to read an answer to it. The smaller answers too, after twice the latency, in case its own offer was lost. At most four records, one link.

use std::time::Duration;

use super::super::StepKind;
use super::super::io::{Output, SessionId};
use super::super::publications::Purpose;
use super::answer::Read;
use super::{Arrived, Engine};
use crate::crypto::keys::AccountId;

/// Something to be answered later, unless a link has come up by then.
#[derive(Debug)]
pub(in crate::engine) struct Deferred {
    pub(in crate::engine) due: Duration,
    arrived: Arrived,
    /// The offer's number, where it was answered already over another bridge.
    answered: Option<u64>,
}

/// The most answers that wait, for one friend and in all.
const MOST_OF_FRIEND: usize = 6;
const MOST: usize = 1024;

/// With a link that came up less than this ago, an offer is a late one of the same meeting: its sender has not lost the link.
const FRESH: Duration = Duration::from_secs(60);

/// How long an offer waits at least for word of the link: longer than a dead one takes to be noticed at the latest, which is the transport's idle timeout
/// of 15 s. One that was dropped before that would be answered by nobody.
const NOTICED: Duration = Duration::from_secs(20);

impl Engine {
    /// A new offer: answer it now, later, or not at all.
    pub(super) fn weigh(&mut self, arrived: Arrived, read: Read) {
        let account = arrived.account;
        if let Some((link, left)) = self.fresh_link(&account) {
            // Either the offer was under way when the link came up, or its sender has died since and begins anew: only the link can tell.
            self.out.act(Output::CheckLink { session: link });
            return self.defer(arrived, left.max(NOTICED), None);
        }
        let (own, peer) = (self.identity.device.public().noise, read.peer);
        let key = (account, arrived.device);
        let out = self.meetings.get(&key).is_some_and(|meeting| !meeting.offers.is_empty());
        // Our offer was answered and its link is being made: theirs is what they sent before they saw ours.
        let dialling =
            self.sessions.values().any(|live| live.account == account && live.up.is_none() && live.client);
        if (out || dialling) && own < peer {
            let wait = if dialling { FRESH } else { self.patience_for(&account) };
            self.note(account, StepKind::BothOffered, "both offered: ours counts, theirs waits".to_owned());
            return self.defer(arrived, wait, None);
        }
        if out {
            self.note(account, StepKind::BothOffered, "both offered: theirs counts".to_owned());
            self.done(|purpose| matches!(purpose, Purpose::Offer(of, to, _) if (*of, *to) == key));
        }
        self.answer(&arrived, read);
    }

    /// The offer came over another bridge than the one that it was answered by.
    pub(super) fn defer_elsewhere(&mut self, arrived: &Arrived, no: u64) {
        let wait = self.patience_after(arrived);
        self.defer(arrived.clone(), wait, Some(no));
    }

    /// Whether, of us and this friend, the friend has the smaller key.
    pub(super) fn yields_to(&self, account: &AccountId) -> bool {
        let own = self.identity.device.public().noise;
        let friend = self.book.friend(account);
        friend.is_some_and(|friend| friend.card().roster().devices.iter().any(|entry| entry.keys.noise < own))
    }

    /// The link that made answers wait is gone.
    pub(super) fn defer_no_longer(&mut self, account: &AccountId) {
        let now = self.now.mono;
        for deferred in self.deferred.iter_mut().filter(|deferred| deferred.arrived.account == *account) {
            deferred.due = deferred.due.min(now);
        }
    }

    pub(in crate::engine) fn forget_deferred(&mut self, account: &AccountId) {
        self.deferred.retain(|deferred| deferred.arrived.account != *account);
    }

    pub(in crate::engine) fn run_deferred(&mut self) {
        let now = self.now.mono;
        let (due, waiting) =
            std::mem::take(&mut self.deferred).into_iter().partition(|deferred| deferred.due <= now);
        self.deferred = waiting;
        for deferred in due {
            self.answer_deferred(deferred);
        }
    }

    fn answer_deferred(&mut self, deferred: Deferred) {
        let Deferred { arrived, answered, .. } = deferred;
        if self.book.friend(&arrived.account).is_none_or(|friend| friend.link().is_some()) {
            return;
        }
        match answered {
            Some(no) => {
                if let Some(via) = self.via_for_answer(&arrived.arrival, &arrived.account, &arrived.device) {
                    self.meets_elsewhere(&arrived.account, no, via);
                }
                self.send_answer(&arrived.account, &arrived.device, no, &arrived.arrival);
            }
            // Read again: meanwhile it may have been answered over another bridge.
            None => {
                if let Some(read) = self.news_of(&arrived) {
                    self.answer(&arrived, read);
                }
            }
        }
    }

    fn defer(&mut self, arrived: Arrived, wait: Duration, answered: Option<u64>) {
        let of_friend = self.deferred.iter().filter(|other| other.arrived.account == arrived.account).count();
        if of_friend < MOST_OF_FRIEND && self.deferred.len() < MOST {
            let due = self.now.mono.saturating_add(wait);
            self.deferred.push(Deferred { due, arrived, answered });
        }
    }

    /// The link with this account where it is fresh, and how much longer it counts as that.
    fn fresh_link(&self, account: &AccountId) -> Option<(SessionId, Duration)> {
        let link = self.book.friend(account)?.link()?;
        let since = self.sessions.get(&link)?.up?;
        let left = FRESH.checked_sub(self.now.mono.saturating_sub(since)).filter(|left| !left.is_zero())?;
        Some((link, left))
    }
}
