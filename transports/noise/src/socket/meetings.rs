//! The meetings under way, and whose probe a datagram is.
//!
//! A probe is tried with the keys of the meetings whose peer named the address that it came from, or has spoken from there; then with those of the one that
//! opened the socket; and with those of the others as far as a budget goes, since a NAT may give any address.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Shared, route::TunnelId, talk::Talk};
use crate::{
    core::punch::Punch,
    seldom::{Budget, Seldom},
};

/// Meetings under way. A person has some dozens of friends, and meets those who are not linked.
const MOST: usize = 128;
/// How often a probe from an unknown address is tried with a key, a second: each costs about a microsecond.
const STRAY_BUDGET: u32 = 5_000;
/// Meetings that are tried first since their peers named the address: behind one NAT there may be several.
const MOST_AT_ONE: usize = 8;

/// The meetings of one endpoint.
pub(crate) struct Meetings(Mutex<Table>);

struct Table {
    next: u64,
    talks: BTreeMap<u64, Arc<Talk>>,
    by_remote: HashMap<SocketAddr, Vec<u64>>,
    /// Where the search for a stray probe's meeting begins next.
    turn: u64,
    budget: Budget,
    spent: Seldom,
    full: Seldom,
}

impl Default for Meetings {
    fn default() -> Self {
        Self(Mutex::new(Table {
            next: 0,
            talks: BTreeMap::new(),
            by_remote: HashMap::new(),
            turn: 0,
            budget: Budget::new(STRAY_BUDGET, Duration::from_secs(1)),
            spent: Seldom::default(),
            full: Seldom::default(),
        }))
    }
}

impl Meetings {
    /// A meeting begins; the number that it is known by here. `None` where there are too many.
    pub(crate) fn add(&self, talk: Arc<Talk>) -> Option<u64> {
        let mut table = self.lock();
        if table.talks.len() >= MOST {
            if let Some(times) = table.full.happened() {
                tracing::warn!(times, most = MOST, "too many meetings under way: further ones ask nothing");
            }
            return None;
        }
        table.next += 1;
        let number = table.next;
        for remote in talk.known() {
            table.comes_from(number, remote);
        }
        table.talks.insert(number, talk);
        Some(number)
    }

    /// A meeting's peer has named other addresses.
    pub(crate) fn renamed(&self, number: u64) {
        let mut table = self.lock();
        let Some(known) = table.talks.get(&number).map(|talk| talk.known()) else { return };
        table.comes_from_nowhere(number);
        for remote in known {
            table.comes_from(number, remote);
        }
    }

    /// Has all of them look what is to be done.
    pub(super) fn stir(&self) {
        self.lock().talks.values().for_each(|talk| talk.stir());
    }

    /// A meeting is over.
    pub(super) fn remove(&self, number: u64) -> Option<Arc<Talk>> {
        let mut table = self.lock();
        table.comes_from_nowhere(number);
        table.talks.remove(&number)
    }

    /// Takes a probe, if it is of a meeting; whether it is.
    pub(crate) fn arrived(&self, shared: &Shared, socket: usize, from: SocketAddr, datagram: &[u8]) -> bool {
        let is_spare = shared.is_spare(socket);
        let found = self.lock().whose(is_spare.then_some(socket), from, datagram);
        let Some((number, talk, said)) = found else { return false };
        if talk.heard(shared, socket, from, said) {
            self.lock().comes_from(number, from);
        }
        true
    }

    /// Takes a probe that came through a connection, if it is of a meeting and says who is at the other end of that.
    pub(super) fn called(&self, caller: TunnelId, at: SocketAddr, datagram: &[u8]) -> bool {
        let found = self.lock().whose(None, at, datagram);
        found.is_some_and(|(_, talk, said)| talk.called(caller, said))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Meetings {
    pub(super) fn sizes(&self) -> (usize, usize) {
        let table = self.lock();
        (table.talks.len(), table.by_remote.len())
    }
}

impl Table {
    /// Probes from there are tried with a meeting's key first.
    fn comes_from(&mut self, number: u64, remote: SocketAddr) {
        let numbers = self.by_remote.entry(remote).or_default();
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }

    /// No address is a meeting's any more.
    fn comes_from_nowhere(&mut self, number: u64) {
        self.by_remote.retain(|_, numbers| {
            numbers.retain(|it| *it != number);
            !numbers.is_empty()
        });
    }

    /// Whose it is that came from there, and over this spare socket if it was one.
    fn whose(
        &mut self,
        spare: Option<usize>,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Option<(u64, Arc<Talk>, Punch)> {
        let known = self.by_remote.get(&from).into_iter().flatten().take(MOST_AT_ONE).copied();
        let opener = spare.and_then(|spare| {
            self.talks.iter().find(|(_, talk)| talk.has_spare(spare)).map(|(number, _)| *number)
        });
        let mut tried: Vec<u64> = Vec::new();
        for number in known.chain(opener) {
            tried.push(number);
            if let Some(found) = self.attempt(number, datagram) {
                return Some(found);
            }
        }
        let turn = self.turn;
        let order = self.talks.range(turn..).chain(self.talks.range(..turn)).map(|(number, _)| *number);
        let order: Vec<u64> = order.filter(|number| !tried.contains(number)).collect();
        for number in order {
            if !self.budget.is_left() {
                // The next one is tried with the keys that this one did not get to.
                self.turn = number;
                if let Some(times) = self.spent.happened() {
                    tracing::warn!(times, %from, "more probes of meetings than can be looked at: some are dropped");
                }
                return None;
            }
            self.budget.spend();
            if let Some(found) = self.attempt(number, datagram) {
                return Some(found);
            }
        }
        None
    }

    fn attempt(&self, number: u64, datagram: &[u8]) -> Option<(u64, Arc<Talk>, Punch)> {
        let talk = self.talks.get(&number)?;
        Some((number, Arc::clone(talk), talk.open(datagram)?))
    }
}
