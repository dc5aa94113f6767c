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

/// How long a greeting lies, and how often a friend is greeted at most.
const GREETING: Duration = Duration::from_secs(60);
/// The most friends that are greeted at once, those who were seen last first; the next ones have their turn a minute later.
const MOST: usize = 32;

/// Whom to greet when.
#[derive(Debug, Default)]
pub(in crate::engine) struct Greetings {
    due: BTreeMap<AccountId, Duration>,
    last: BTreeMap<AccountId, Duration>,
    /// The node is about to end: nobody is greeted any more.
    over: bool,
}

impl Greetings {
    /// When the next one is due.
    pub(in crate::engine) fn next(&self) -> Option<Duration> {
        self.due.values().min().copied()
    }

    /// Whether a friend was greeted since the start.
    pub(in crate::engine) fn greeted(&self, account: &AccountId) -> bool {
        self.last.contains_key(account)
    }

    /// Nobody is greeted any more.
    pub(in crate::engine) fn end(&mut self) {
        *self = Self { over: true, ..Self::default() };
    }
}

impl Engine {
    /// Another network, or the first: all friends who may be there are greeted.
    pub(in crate::engine) fn greet_all(&mut self) {
        let mut friends: Vec<(Option<UnixMillis>, AccountId)> = Vec::new();
        for friend in self.book.iter() {
            friends.push((friend.last_seen().values().max().copied(), friend.account()));
        }
        friends.sort_by_key(|(seen, account)| (std::cmp::Reverse(*seen), *account));
        friends.retain(|(_, account)| self.may_greet(account));
        for (at, (_, account)) in friends.iter().enumerate() {
            let turn = GREETING.saturating_mul(u32::try_from(at / MOST).unwrap_or(u32::MAX));
            self.greet_after(account, turn);
        }
    }

    /// A link was lost: the friend may be there yet.
    pub(in crate::engine) fn greet(&mut self, account: &AccountId) {
        if self.may_greet(account) {
            self.greet_after(account, Duration::ZERO);
        }
    }

    pub(in crate::engine) fn run_greetings(&mut self) {
        let now = self.now.mono;
        let due = self.greetings.due.iter().filter(|(_, at)| **at <= now);
        for account in due.map(|(account, _)| *account).collect::<Vec<_>>() {
            self.greetings.due.remove(&account);
            if !self.may_greet(&account) {
                continue;
            }
            self.greetings.last.insert(account, now);
            for device in self.present_devices(&account) {
                self.make_offer(&account, &device, GREETING, Over::Present);
            }
        }
    }

    fn greet_after(&mut self, account: &AccountId, turn: Duration) {
        let last = self.greetings.last.get(account);
        let earliest = last.map(|last| last.saturating_add(GREETING)).unwrap_or_default();
        let at = self.now.mono.saturating_add(turn).max(earliest);
        let due = self.greetings.due.entry(*account).or_insert(at);
        *due = at.min(*due);
    }

    /// Whether a greeting would be of use: who is wanted is offered to anyway, and who is being met is as good as greeted.
    fn may_greet(&self, account: &AccountId) -> bool {
        let unlinked = |friend: &super::super::Friend| !friend.blocked() && friend.link().is_none();
        !self.greetings.over
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
