//! Friends who may be on the same local network: whoever comes says so to each of them.
//!
//! On a network whose records are kept by those who wrote them ([`BridgeProfile::present`](super::super::io::BridgeProfile::present)) nothing waits and nothing is heard of beyond
//! it. So an offer there needs nobody who wants the friend: it is made when such a bridge comes up, when this machine's addresses change, and when a link is lost, and lies
//! for a minute. Nothing is left anywhere else for it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Engine, Over};
use crate::crypto::keys::{AccountId, DeviceId};
use crate::place::CandidateKind;
use crate::time::UnixMillis;

/// How long a hail lies, and how often a friend is hailed at most.
const HAIL: Duration = Duration::from_secs(60);
/// The most friends that are hailed at once, those who were seen last first; the next ones have their turn a minute later.
const MOST: usize = 32;

/// Whom to hail when.
#[derive(Debug, Default)]
pub(in crate::engine) struct Hails {
    due: BTreeMap<AccountId, Duration>,
    last: BTreeMap<AccountId, Duration>,
    /// The node is about to end: nobody is hailed any more.
    over: bool,
}

impl Hails {
    /// When the next one is due.
    pub(in crate::engine) fn next(&self) -> Option<Duration> {
        self.due.values().min().copied()
    }

    /// Whether a friend was hailed since the start.
    pub(in crate::engine) fn hailed(&self, account: &AccountId) -> bool {
        self.last.contains_key(account)
    }

    /// Whether the node is about to end.
    pub(in crate::engine) const fn ended(&self) -> bool {
        self.over
    }

    /// Nobody is hailed any more.
    pub(in crate::engine) fn end(&mut self) {
        *self = Self { over: true, ..Self::default() };
    }
}

impl Engine {
    /// Another network, or the first: all friends who may be there are hailed.
    pub(in crate::engine) fn hail_all(&mut self) {
        let mut friends: Vec<(Option<UnixMillis>, AccountId)> = Vec::new();
        for friend in self.book.iter() {
            friends.push((friend.last_seen().values().max().copied(), friend.account()));
        }
        friends.sort_by_key(|(seen, account)| (std::cmp::Reverse(*seen), *account));
        friends.retain(|(_, account)| self.may_hail(account));
        for (at, (_, account)) in friends.iter().enumerate() {
            let turn = HAIL.saturating_mul(u32::try_from(at / MOST).unwrap_or(u32::MAX));
            self.hail_after(account, turn);
        }
    }

    /// A link was lost: the friend may be there yet.
    pub(in crate::engine) fn hail(&mut self, account: &AccountId) {
        if self.may_hail(account) {
            self.hail_after(account, Duration::ZERO);
        }
    }

    pub(in crate::engine) fn run_hails(&mut self) {
        let now = self.now.mono;
        let due = self.hails.due.iter().filter(|(_, at)| **at <= now);
        for account in due.map(|(account, _)| *account).collect::<Vec<_>>() {
            self.hails.due.remove(&account);
            if !self.may_hail(&account) {
                continue;
            }
            self.hails.last.insert(account, now);
            for device in self.present_devices(&account) {
                self.make_offer(&account, &device, HAIL, Over::Present);
            }
        }
    }

    fn hail_after(&mut self, account: &AccountId, turn: Duration) {
        let last = self.hails.last.get(account);
        let earliest = last.map(|last| last.saturating_add(HAIL)).unwrap_or_default();
        let at = self.now.mono.saturating_add(turn).max(earliest);
        let due = self.hails.due.entry(*account).or_insert(at);
        *due = at.min(*due);
    }

    /// Whether a hail would be of use: who is wanted is offered to anyway, and who is being met is as good as hailed.
    fn may_hail(&self, account: &AccountId) -> bool {
        let unlinked = |friend: &super::super::Friend| !friend.blocked() && friend.link().is_none();
        !self.hails.over
            && self.book.friend(account).is_some_and(unlinked)
            && !self.wants.contains_key(account)
            && self.pending_session(account).is_none()
            && !self.present_devices(account).is_empty()
    }

    /// The friend's devices that may be on one of our local networks.
    fn present_devices(&self, account: &AccountId) -> Vec<DeviceId> {
        let Some(friend) = self.book.friend(account) else { return Vec::new() };
        let devices = friend.card().roster().devices.iter().map(|entry| entry.keys.id());
        devices
            .filter(|device| self.routes(friend, device).iter().any(|route| self.is_present(&route.bridge)))
            .collect()
    }
}

impl crate::reach::Reach {
    /// Whether this machine has other addresses of its own here than there.
    pub(in crate::engine) fn moved_from(&self, before: &Self) -> bool {
        let hosts = |reach: &Self| {
            let hosts = reach.candidates.iter().filter(|candidate| candidate.kind == CandidateKind::Host);
            let mut hosts: Vec<_> = hosts.map(|candidate| candidate.address.ip()).collect();
            hosts.sort_unstable();
            hosts.dedup();
            hosts
        };
        hosts(self) != hosts(before)
    }
}
