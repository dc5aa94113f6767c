//! `wayside/carry/1`: a friend has us carry something: we leave it with the recipient's host, as a guest, as soon as we reach it; where we are that host, it is there.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use tokio::task::JoinSet;
use tokio::time::Instant;
use wayside_noise::Stream;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::custody;
use wayside_proto::mailbox::wire::{Answer, Carry, HostEntry, MAX_BLOB, Put};

use super::{Mailboxes, deposit};
use crate::driver::Driver;
use crate::links::{Peer, Protocol};

/// The protocol's name.
pub(crate) const NAME: &str = "wayside/carry/1";

/// The largest frame: the largest blob, the host, and what stands around them, in bytes.
const MOST: usize = MAX_BLOB + 4096;

/// Takes what friends have us carry.
#[derive(Debug)]
pub(crate) struct Carriers(pub(crate) Driver);

#[async_trait]
impl Protocol for Carriers {
    async fn accept(&self, peer: Peer, stream: Stream) {
        let mailboxes = self.0.mailboxes();
        let by = peer.account;
        let doors = self.0.doors();
        let taken = deposit::take(stream, MOST, |carry: Carry| async move {
            if !mailboxes.is_owner(&by) || !is_sound(&carry.host) {
                return std::future::ready(Answer::Denied).boxed();
            }
            match doors.whose(&carry.host.guest) {
                Some(owner) => mailboxes.deposit(owner, carry.put).await.map(here).boxed(),
                None => mailboxes.take_to_carry(by, carry).await.boxed(),
            }
        });
        if let Err(error) = taken.await {
            tracing::debug!(%error, "a friend's stream of what is to be carried ended");
        }
    }
}

/// What is said of what was to go to a host that we are.
const fn here(answer: Answer) -> Answer {
    match answer {
        Answer::Stored => Answer::Here,
        other => other,
    }
}

fn is_sound(host: &HostEntry) -> bool {
    host.points.len() <= HostEntry::MOST_POINTS && host.name.len() <= 64
}

/// How long a host is looked for at a time.
const LOOK: Duration = Duration::from_secs(600);
/// How soon a host that was not found, or is full, is tried again, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));
/// How many hosts are looked for at the same time: each costs records at the bridges.
const AT_ONCE: usize = 8;
/// How much is read of what is carried at a time: a blob may be large.
const BATCH: usize = 32;
/// Hosts that are remembered as away; beyond it those that were tried longest ago are tried anew.
const MOST_HOSTS: usize = 4096;
/// How long it takes until it is looked again, where nothing says that there is reason to.
const AGAIN: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });

/// A host's guest key: which host it is.
type Host = [u8; 32];

/// When a host is tried again, and how often it was not there.
#[derive(Clone, Copy, Debug)]
struct Later {
    at: Instant,
    failures: u32,
}

/// Takes to their hosts what is carried, as long as the node runs.
pub(super) async fn keep(driver: Driver) {
    let mailboxes = driver.mailboxes();
    let mut later: BTreeMap<Host, Later> = BTreeMap::new();
    let mut underway: JoinSet<(Host, bool)> = JoinSet::new();
    let mut busy: Vec<Host> = Vec::new();
    loop {
        match mailboxes.next_hosts(&later, &busy, AT_ONCE.saturating_sub(busy.len())).await {
            Ok(hosts) => {
                for host in hosts {
                    busy.push(host.guest);
                    let driver = driver.clone();
                    underway.spawn(async move { (host.guest, bring(&driver, &host).await) });
                }
            }
            Err(error) => tracing::debug!(%error, "what is carried cannot be looked at"),
        }
        tokio::select! {
            () = mailboxes.0.carried.notified() => {}
            () = tokio::time::sleep(AGAIN) => {}
            Some(done) = underway.join_next() => {
                // One that panicked is tried anew after a restart; its place stays taken.
                let Ok((host, is_done)) = done else { continue };
                busy.retain(|it| *it != host);
                if is_done {
                    later.remove(&host);
                } else {
                    put_off(&mut later, host);
                }
            }
        }
    }
}

fn put_off(later: &mut BTreeMap<Host, Later>, host: Host) {
    let now = Instant::now();
    if later.len() >= MOST_HOSTS {
        later.retain(|_, it| it.at > now);
    }
    let failures = later.get(&host).map_or(0, |it| it.failures).saturating_add(1);
    let wait = BACK_OFF.0.saturating_mul(1 << failures.saturating_sub(1).min(6)).min(BACK_OFF.1);
    if later.len() < MOST_HOSTS {
        later.insert(host, Later { at: now + wait, failures });
    }
}

/// Brings a host what is carried for it; whether there is nothing more.
async fn bring(driver: &Driver, host: &HostEntry) -> bool {
    let mailboxes = driver.mailboxes();
    let Some(link) = driver.host_link(host, Instant::now() + LOOK).await else { return false };
    let mut from = 0;
    loop {
        let batch = mailboxes.carried_for(host.guest, from).await;
        let Ok((puts, next)) = batch else { return false };
        if !puts.is_empty() {
            let Ok(stream) = link.open(deposit::NAME).await else { return false };
            let (numbers, puts): (Vec<u64>, Vec<Put>) = puts.into_iter().unzip();
            let (answers, done) = deposit::leave(stream, &puts).await;
            let over: Vec<u64> =
                numbers.iter().zip(&answers).filter(|(_, it)| is_over(**it)).map(|it| *it.0).collect();
            let all = over.len() == numbers.len();
            let size = over.len() * 8;
            let forgotten = mailboxes.write(size, move |ledger, _| {
                over.iter().try_for_each(|number| ledger.carried_over(*number))
            });
            if forgotten.await.done().await.is_err() || done.is_err() || !all {
                return false;
            }
            mailboxes.0.changed.notify_one();
        }
        match next {
            Some(next) => from = next,
            None => return true,
        }
    }
}

/// Whether it is where it should be, or will never be.
const fn is_over(answer: Answer) -> bool {
    match answer {
        Answer::Stored | Answer::Here | Answer::Denied | Answer::Malformed => true,
        Answer::Full(_) => false,
    }
}

#[cfg(test)]
impl Mailboxes {
    /// How much is carried.
    pub(crate) async fn carried_in_all(&self) -> usize {
        self.look(|look| custody::carried(look, 0, usize::MAX)).await.unwrap().unwrap_or_default().len()
    }
}

impl Mailboxes {
    /// Takes something that a friend has us carry. What comes back is known once it is on disk.
    async fn take_to_carry(&self, by: AccountId, carry: Carry) -> impl Future<Output = Answer> + use<> {
        let (limits, size) = (self.limits(), carry.put.blob.len());
        let taken = self.write(size, move |ledger, now| ledger.take_to_carry(now, &limits, &by, &carry));
        let (taken, mailboxes) = (taken.await, self.clone());
        async move {
            let answer = deposit::answer(taken.done().await);
            if answer == Answer::Stored {
                mailboxes.0.carried.notify_one();
                mailboxes.0.changed.notify_one();
            }
            answer
        }
    }

    /// Hosts for which something is carried and that are due, at most so many.
    async fn next_hosts(
        &self,
        later: &BTreeMap<Host, Later>,
        busy: &[Host],
        most: usize,
    ) -> Result<Vec<HostEntry>, crate::store::StoreError> {
        let now = Instant::now();
        let mut passed: std::collections::BTreeSet<Host> = busy.iter().copied().collect();
        passed.extend(later.iter().filter(|(_, it)| it.at > now).map(|(host, _)| *host));
        let found = self.look(move |look| {
            let (mut hosts, mut from) = (Vec::new(), 0);
            while hosts.len() < most {
                let some = custody::carried(look, from, BATCH)?;
                let Some((last, _)) = some.last() else { break };
                from = last.saturating_add(1);
                for (_, carry) in some {
                    if hosts.len() < most && passed.insert(carry.host.guest) {
                        hosts.push(carry.host);
                    }
                }
            }
            Ok(hosts)
        });
        Ok(found.await?.unwrap_or_default())
    }

    /// What is carried for a host, from a number on, and where to go on.
    async fn carried_for(
        &self,
        host: Host,
        from: u64,
    ) -> Result<(Vec<(u64, Put)>, Option<u64>), crate::store::StoreError> {
        let found = self.look(move |look| {
            let mut from = from;
            loop {
                let some = custody::carried(look, from, BATCH)?;
                let Some((last, _)) = some.last() else { return Ok((Vec::new(), None)) };
                from = last.saturating_add(1);
                let its = some.into_iter().filter(|(_, carry)| carry.host.guest == host);
                let its: Vec<_> = its.map(|(number, carry)| (number, carry.put)).collect();
                if !its.is_empty() {
                    return Ok((its, Some(from)));
                }
            }
        });
        Ok(found.await?.unwrap_or((Vec::new(), None)))
    }
}
