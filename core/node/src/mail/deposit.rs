//! Copies of what waits, left with those who keep it for its recipient: its hosts, which we come to as a guest, and friends of ours who carry it to them.
//!
//! A recipient with a link gets everything over that. For everybody else [`keep`] has one task for each keeper that should have a copy: it waits until the keeper is there, however long that
//! takes, then leaves what is due at that moment, and ends.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use minicbor::Encode;
use tokio::task::JoinSet;
use tokio::time::Instant;
use wayside_noise::Link;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{Friend, Grant};
use wayside_proto::mailbox::outbox::{self, Sealed};
use wayside_proto::mailbox::placement::{self, Copy, Due, Keeper, Known, Policy};
use wayside_proto::mailbox::wire::{Answer, Carry, HostEntry, MAX_LIFETIME, Put};
use wayside_proto::mailbox::{custody, seal};

use super::lock;
use crate::driver::Driver;
use crate::mailbox::{carry, deposit};
use crate::store::StoreError;

/// Copies that are left over one stream, and written down together.
const WINDOW: usize = 128;
/// Copies that are looked for at once, for all keepers.
const LOOK: usize = 512;
/// How long a link with the recipient itself is waited for before anything is left with others.
const FIRST_LINK: Duration = Duration::from_millis(if cfg!(test) { 300 } else { 1_000 });
/// How long changes are gathered before it is looked what comes of them.
const GATHER: Duration = Duration::from_millis(50);
/// How long somebody is waited for: after it, it is looked anew who should have what.
const PATIENCE: Duration = Duration::from_secs(6 * 3600);
/// How long to wait with a keeper that was there and did not do it.
const AGAIN: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });
/// How often it is looked whether copies are wanted elsewhere.
const OFTEN: Duration = Duration::from_secs(600);
/// After how many seconds without a receipt a copy with somebody who was not there any more counts no longer.
const DOUBT: u64 = 2 * 86_400;
/// The most friends who are asked to carry for one recipient.
const COURIERS: usize = 4;
/// The most keepers that are waited for at a time.
const AT_ONCE: usize = 512;

/// Who keeps mail for a friend, as its card names them; nobody where it is blocked.
pub(super) async fn hosts_of(driver: &Driver, friend: AccountId) -> Vec<HostEntry> {
    named_by(driver, friend).await.into_iter().filter(|host| !host.is_itself()).collect()
}

/// The same, and the friend's own door, where its card names that: couriers take to it what we would give it over a link.
pub(super) async fn named_by(driver: &Driver, friend: AccountId) -> Vec<HostEntry> {
    let hosts = driver.look(move |engine, _| {
        engine.friend(&friend).filter(|it| !it.blocked()).map(named_in).unwrap_or_default()
    });
    hosts.await.unwrap_or_default()
}

/// Who keeps mail for a friend, by what it calls them.
pub(crate) fn mailboxes_of(friend: &Friend) -> Vec<String> {
    let hosts = named_in(friend).into_iter().filter(|host| !host.is_itself());
    hosts.map(|host| host.name).collect()
}

fn named_in(friend: &Friend) -> Vec<HostEntry> {
    let mut hosts: Vec<HostEntry> = Vec::new();
    let card = friend.card();
    let statuses = card.roster().devices.iter().filter_map(|entry| card.status(&entry.keys.id()));
    for host in statuses.filter_map(|status| status.mailbox.as_ref()).flat_map(|it| &it.hosts) {
        if hosts.len() < HostEntry::MOST && hosts.iter().all(|known| known.guest != host.guest) {
            hosts.push(host.clone());
        }
    }
    hosts
}

/// What is left at a friend's host; `None` where it is not known yet what its queue is.
pub(super) fn put(
    driver: &Driver,
    to: &AccountId,
    host: &HostEntry,
    blob: Vec<u8>,
    lifetime: u32,
) -> Option<Put> {
    let targets = driver.mail().targets_of(to);
    let (queue, key) = targets.values().next()?.access.queue(&host.guest);
    // Rounded up, so that its age does not show.
    let lifetime = lifetime.div_ceil(3600).saturating_mul(3600).min(MAX_LIFETIME);
    let hash = seal::hash(&blob);
    let mac = custody::mac(&key, &queue, &hash, lifetime);
    Some(Put { queue, hash, lifetime, mac, blob })
}

/// Friends of ours who may be asked to carry something for another one.
pub(super) async fn couriers_for(driver: &Driver, to: AccountId) -> Vec<AccountId> {
    if !driver.mail().own().couriers {
        return Vec::new();
    }
    let carries =
        move |friend: &&Friend| friend.granted(Grant::Mailbox) && !friend.blocked() && friend.account() != to;
    let couriers = driver.look(move |engine, _| {
        engine.friends().filter(carries).map(Friend::account).take(COURIERS).collect::<Vec<_>>()
    });
    couriers.await.unwrap_or_default()
}

/// Where a courier takes something, of what the card names: to a host, or else to the recipient itself.
fn destination(named: &[HostEntry]) -> Option<&HostEntry> {
    named.iter().find(|host| !host.is_itself()).or_else(|| named.first())
}

/// Leaves one thing with a host, once it is there.
pub(super) async fn leave_with_host(
    driver: &Driver,
    to: AccountId,
    host: &HostEntry,
    blob: &[u8],
    until: Instant,
) -> Option<Answer> {
    let put = put(driver, &to, host, blob.to_vec(), MAX_LIFETIME)?;
    let link = driver.host_link(host, until).await?;
    leave_one(&link, deposit::NAME, put).await
}

/// Has a friend carry one thing, once it is there.
pub(super) async fn leave_with_courier(
    driver: &Driver,
    to: AccountId,
    courier: AccountId,
    blob: &[u8],
    until: Instant,
) -> Option<Answer> {
    let named = named_by(driver, to).await;
    let host = destination(&named)?;
    let put = put(driver, &to, host, blob.to_vec(), carried_for(MAX_LIFETIME))?;
    let _want = driver.want(courier);
    let link = tokio::time::timeout_at(until, friends_link(driver, courier)).await.ok().flatten()?;
    leave_one(&link, carry::NAME, Carry { host: host.clone(), put }).await
}

async fn leave_one<T: Encode<()> + Sync>(link: &Link, protocol: &str, thing: T) -> Option<Answer> {
    let (answers, left) = leave(link, protocol, &[thing]).await;
    if let Err(error) = left {
        tracing::debug!(%error, "it was not said what became of something that was left");
    }
    answers.first().copied()
}

/// How many seconds a courier is told of what is left of a lifetime: it keeps it for so long, and the host once more after that.
const fn carried_for(lifetime: u32) -> u32 {
    lifetime.div_ceil(2)
}

/// Leaves things over a stream of their own, and says what became of each, as [`deposit::leave`] does.
async fn leave<T: Encode<()> + Sync>(
    link: &Link,
    protocol: &str,
    things: &[T],
) -> (Vec<Answer>, io::Result<()>) {
    match link.open(protocol).await {
        Ok(stream) => deposit::leave(stream, things).await,
        Err(error) => (Vec::new(), Err(io::Error::other(error))),
    }
}

/// Has copies made wherever they are wanted, as long as the node runs.
pub(super) async fn keep(driver: Driver) {
    let (mut accepted, mut links) = (driver.message_accepted(), driver.links_changed());
    let mut under_way = JoinSet::new();
    let mut waited_for = BTreeSet::new();
    loop {
        // Many may be accepted one after the other.
        tokio::time::sleep(GATHER).await;
        accepted.borrow_and_update();
        links.borrow_and_update();
        match wanted(&driver).await {
            Ok(wanted) => {
                for (to, keeper) in wanted {
                    if under_way.len() < AT_ONCE && waited_for.insert((to, keeper)) {
                        let driver = driver.clone();
                        under_way.spawn(async move {
                            if let Err(error) = serve(&driver, to, keeper).await {
                                tracing::debug!(%error, "copies were not left with somebody who keeps them");
                                tokio::time::sleep(AGAIN).await;
                            }
                            (to, keeper)
                        });
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "it is not known what is to be left with others"),
        }
        tokio::select! {
            changed = accepted.changed() => if changed.is_err() { return },
            changed = links.changed() => if changed.is_err() { return },
            Some(Ok(done)) = under_way.join_next() => drop(waited_for.remove(&done)),
            () = tokio::time::sleep(OFTEN) => {}
        }
    }
}

/// Who should have copies for whom.
async fn wanted(driver: &Driver) -> Result<BTreeSet<(AccountId, Keeper)>, StoreError> {
    let queues = driver.store().run(|store| store.look_at_mail(|look| Ok(outbox::queues(look)?))).await?;
    let mut wanted = BTreeSet::new();
    for (to, _) in queues {
        if driver.links().of(&to).is_some() {
            continue;
        }
        let keepers = Keepers::of(driver, to).await?;
        if !keepers.known.is_empty() {
            let due = keepers.due(driver, 0).await?;
            wanted.extend(due.into_iter().map(|due| (to, due.keeper)));
        }
    }
    Ok(wanted)
}

/// Who may keep something for a friend.
struct Keepers {
    to: AccountId,
    /// As the card names them.
    named: Vec<HostEntry>,
    known: Vec<Known>,
}

impl Keepers {
    async fn of(driver: &Driver, to: AccountId) -> Result<Self, StoreError> {
        let named = named_by(driver, to).await;
        let wall = driver.clock().wall();
        let now = driver.store().run(move |store| store.age_at(wall)).await?;
        let seen = lock(&driver.mail().0.seen).clone();
        let host = |host: &HostEntry| {
            let keeper = Keeper::Host(host.guest);
            Known { keeper, seen: seen.get(&keeper).copied() }
        };
        // To itself we go by a link.
        let mut known: Vec<Known> = named.iter().filter(|it| !it.is_itself()).map(host).collect();
        if !named.is_empty() {
            known.extend(couriers_for(driver, to).await.into_iter().map(|account| {
                let keeper = Keeper::Courier(account);
                let is_here = driver.links().of(&account).map(|_| now);
                Known { keeper, seen: is_here.or_else(|| seen.get(&keeper).copied()) }
            }));
        }
        Ok(Self { to, named, known })
    }

    /// Copies that are wanted of what comes after a number.
    async fn due(&self, driver: &Driver, after: u64) -> Result<Vec<Due>, StoreError> {
        let policy = Policy { copies: usize::from(driver.mail().own().copies), doubt: DOUBT };
        let (to, known, wall) = (self.to, self.known.clone(), driver.clock().wall());
        let due = driver.store().run(move |store| {
            let now = store.age_at(wall)?;
            store.look_at_mail(|look| Ok(placement::due(look, now, &policy, &to, &known, after, LOOK)?))
        });
        due.await
    }
}

/// Waits for a keeper, and leaves with it what is due by then.
async fn serve(driver: &Driver, to: AccountId, keeper: Keeper) -> Result<(), StoreError> {
    tokio::time::sleep(FIRST_LINK).await;
    match keeper {
        Keeper::Host(guest) => {
            let hosts = hosts_of(driver, to).await;
            let Some(host) = hosts.into_iter().find(|host| host.guest == guest) else { return Ok(()) };
            let Some(link) = while_away(driver, to, driver.host_link(&host, Instant::now() + PATIENCE)).await
            else {
                // It may be one of our own doors: then there is nothing to wait for.
                tokio::time::sleep(AGAIN).await;
                return Ok(());
            };
            leave_all(driver, to, keeper, &link, deposit::NAME, |put, _| put).await
        }
        Keeper::Courier(friend) => {
            let want = driver.want(friend);
            let Some(link) = while_away(driver, to, friends_link(driver, friend)).await else {
                return Ok(());
            };
            let left = leave_all(driver, to, keeper, &link, carry::NAME, |put, host| Carry {
                host: host.clone(),
                put,
            });
            left.await.inspect(|()| drop(want))
        }
    }
}

/// What somebody is waited for, as long as there is no link with the recipient itself.
async fn while_away<T>(driver: &Driver, to: AccountId, found: impl Future<Output = Option<T>>) -> Option<T> {
    let mut links = driver.links_changed();
    let linked = async {
        while driver.links().of(&to).is_none() {
            if links.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        found = found => found,
        () = linked => None,
    }
}

async fn friends_link(driver: &Driver, friend: AccountId) -> Option<Link> {
    let mut links = driver.links_changed();
    let linked = async {
        loop {
            if let Some(live) = driver.links().of(&friend) {
                return Some(live.peer.link);
            }
            links.changed().await.ok()?;
        }
    };
    tokio::time::timeout(PATIENCE, linked).await.ok().flatten()
}

/// Leaves everything that is due, and writes down what became of it.
async fn leave_all<T: Encode<()> + Send + Sync>(
    driver: &Driver,
    to: AccountId,
    keeper: Keeper,
    link: &Link,
    protocol: &str,
    wrap: impl Fn(Put, &HostEntry) -> T,
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        if driver.links().of(&to).is_some() {
            return Ok(());
        }
        let keepers = Keepers::of(driver, to).await?;
        let due = keepers.due(driver, after).await?;
        let Some(last) = due.last().map(|due| due.seq) else { return Ok(()) };
        let mine: Vec<u64> = due.iter().filter(|due| due.keeper == keeper).map(|due| due.seq).collect();
        let host = match keeper {
            Keeper::Host(guest) => keepers.named.iter().find(|host| host.guest == guest),
            Keeper::Courier(_) => destination(&keepers.named),
        };
        let is_carried = matches!(keeper, Keeper::Courier(_));
        let Some(host) = host else { return Ok(()) };
        for seqs in mine.chunks(WINDOW) {
            let items = items(driver, to, seqs.to_vec()).await?;
            let puts = items.into_iter().filter_map(|(seq, blob, lifetime)| {
                let lifetime = if is_carried { carried_for(lifetime) } else { lifetime };
                Some((seq, wrap(put(driver, &to, host, blob, lifetime)?, host)))
            });
            let (seqs, puts): (Vec<_>, Vec<_>) = puts.unzip();
            let (answers, left) = leave(link, protocol, &puts).await;
            let answered: BTreeMap<u64, Answer> = seqs.into_iter().zip(answers).collect();
            written_down(driver, to, keeper, host.guest, answered).await?;
            left.map_err(StoreError::Io)?;
        }
        after = last;
    }
}

/// Blobs of these items, and how many seconds hosts are to keep them.
async fn items(
    driver: &Driver,
    to: AccountId,
    seqs: Vec<u64>,
) -> Result<Vec<(u64, Vec<u8>, u32)>, StoreError> {
    let wall = driver.clock().wall();
    let items = driver.store().run(move |store| {
        let now = store.age_at(wall)?;
        store.look_at_mail(|look| {
            let mut items = Vec::new();
            for seq in seqs {
                let Some(item) = outbox::item(look, &to, seq)? else { continue };
                let lifetime = u32::try_from(item.ends.since(now)).unwrap_or(MAX_LIFETIME);
                if let (Sealed::Blob(blob), true) = (item.sealed, lifetime > 0) {
                    items.push((seq, blob, lifetime));
                }
            }
            Ok(items)
        })
    });
    items.await
}

async fn written_down(
    driver: &Driver,
    to: AccountId,
    keeper: Keeper,
    host: [u8; 32],
    answers: BTreeMap<u64, Answer>,
) -> Result<(), StoreError> {
    let (mail, wall) = (driver.mail().clone(), driver.clock().wall());
    let written = driver.store().run(move |store| {
        store.mail(|change| {
            let now = change.age(wall)?;
            lock(&mail.0.seen).insert(keeper, now);
            for (seq, answer) in answers {
                let copy = match answer {
                    Answer::Stored => Copy::Stored(now),
                    Answer::Full(secs) => Copy::Full(now.after(u64::from(secs))),
                    Answer::Denied | Answer::Malformed => Copy::Denied(now),
                    Answer::Here => {
                        let there = Keeper::Host(host);
                        lock(&mail.0.seen).insert(there, now);
                        placement::placed(&mut change.tables, &to, seq, &there, Copy::Stored(now))?;
                        Copy::AtHost(now)
                    }
                };
                placement::placed(&mut change.tables, &to, seq, &keeper, copy)?;
            }
            Ok(())
        })
    });
    written.await
}
