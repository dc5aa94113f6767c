//! Looks after what lies here: who may have a mailbox, who is to be fetched because something lies here for it, and what is over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{Friend, Grant};
use wayside_proto::mailbox::custody;

use super::{Mailboxes, carry, lock};
use crate::driver::{Driver, Want};
use crate::store::StoreError;

/// Between two looks: a flood of deposits changes what lies here all the time.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 1000 });
/// How often it is looked for what is over.
const EXPIRE: Duration = Duration::from_secs(3600);
/// How much is deleted in one transaction: others wait for it.
const STEP: usize = 500;
/// How long to wait with a disk that takes nothing.
const AGAIN: Duration = Duration::from_secs(10);

/// Does all that is to be done for mailboxes here, as long as the node runs.
pub(crate) async fn keep(driver: Driver) {
    let mailboxes = driver.mailboxes().clone();
    tokio::join!(mailboxes.write_groups(), look_after(&driver), expire(&driver), carry::keep(driver.clone()),);
}

async fn look_after(driver: &Driver) {
    let mailboxes = driver.mailboxes();
    let (mut grants, mut friends) = (driver.grants_changed(), driver.friends_changed());
    let (mut links, mut offers) = (driver.links_changed(), mailboxes.offers_changed());
    let mut wants = BTreeMap::new();
    let mut known = None;
    loop {
        grants.borrow_and_update();
        friends.borrow_and_update();
        links.borrow_and_update();
        offers.borrow_and_update();
        know_owners(driver, &mut known).await;
        let next = match want_owners(driver, &mut wants).await {
            Ok(()) => {
                let came = std::mem::take(&mut *lock(&mailboxes.0.came));
                mailboxes.ring(driver, came).await
            }
            Err(error) => {
                tracing::debug!(%error, "what lies here cannot be looked at");
                Some(Instant::now() + AGAIN)
            }
        };
        tokio::time::sleep(PAUSE).await;
        let due = async {
            match next {
                Some(next) => tokio::time::sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        let is_over = tokio::select! {
            changed = grants.changed() => changed.is_err(),
            changed = friends.changed() => changed.is_err(),
            changed = links.changed() => changed.is_err(),
            changed = offers.changed() => changed.is_err(),
            () = mailboxes.0.changed.notified() => false,
            () = due => false,
        };
        if is_over {
            return;
        }
    }
}

/// Who may have a mailbox here, and who was a friend, when it was looked last.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    /// Who is let, blocked or not.
    let_in: BTreeSet<AccountId>,
    /// Who is a friend and not blocked.
    friends: BTreeSet<AccountId>,
    /// Whether we have a door ourselves.
    own: Option<AccountId>,
}

/// Sees who may have a mailbox here: they have doors, and nobody else; who may not any more is turned out.
async fn know_owners(driver: &Driver, known: &mut Option<Known>) {
    let mailboxes = driver.mailboxes();
    let own = driver.wants_own_door();
    let now = driver.look(move |engine, _| {
        let may = |friend: &&Friend| friend.allows(Grant::Mailbox);
        let heard = |friend: &&Friend| !friend.blocked();
        Known {
            let_in: engine.friends().filter(may).map(Friend::account).collect(),
            friends: engine.friends().filter(heard).map(Friend::account).collect(),
            own: own.filter(|_| engine.friends().next().is_some()),
        }
    });
    // The node is ending otherwise.
    let Ok(now) = now.await else { return };
    if known.as_ref() == Some(&now) {
        return;
    }
    // Who is blocked finds no door, and what lies here for it stays until it is over: blocking is taken back more often than friendship.
    let owners: BTreeSet<AccountId> = now.let_in.intersection(&now.friends).copied().collect();
    driver.set_doors(owners.iter().copied().chain(now.own).collect()).await;
    mailboxes.0.owners.send_replace(owners);
    if now.own.is_some() && known.as_ref().is_none_or(|known| known.own.is_none()) {
        // Our card may name it from now on.
        mailboxes.0.offers.look_again();
    }
    mailboxes.keep_bells_of(driver.store(), &now.let_in).await;
    mailboxes.0.offers.keep_only(driver.store(), &now.friends, |_| ()).await;
    let mut gone: BTreeSet<AccountId> = known.take().map(|known| known.let_in).unwrap_or_default();
    // Those whom an earlier run was turning out when it ended.
    gone.extend(mailboxes.look(|look| custody::owners(look)).await.ok().flatten().unwrap_or_default());
    for account in gone.difference(&now.let_in) {
        let (mailboxes, account) = (mailboxes.clone(), *account);
        driver.spawn(async move { mailboxes.turn_out(account).await });
    }
    *known = Some(now);
}

/// Wants those for whom something lies here, and nobody else.
async fn want_owners(driver: &Driver, wants: &mut BTreeMap<AccountId, Want>) -> Result<(), StoreError> {
    let mailboxes = driver.mailboxes();
    let held = mailboxes.look(|look| custody::held(look)).await?.unwrap_or_default();
    let held: BTreeMap<_, _> = held.into_iter().filter(|(_, usage)| usage.items > 0).collect();
    let is_wanted = |account: &AccountId| {
        held.contains_key(account) && mailboxes.is_owner(account) && driver.links().of(account).is_none()
    };
    wants.retain(|account, _| is_wanted(account));
    for account in held.keys().filter(|account| is_wanted(account)) {
        wants.entry(*account).or_insert_with(|| driver.want(*account));
    }
    Ok(())
}

impl Mailboxes {
    /// Deletes all that lies here for somebody who may not have a mailbox here any more, a little at a time.
    async fn turn_out(&self, owner: AccountId) {
        // Where nothing was ever kept no file is made for this.
        if matches!(self.look(|_| Ok(())).await, Ok(None)) {
            return;
        }
        let is_let_again = || self.is_owner(&owner);
        while !is_let_again() {
            let step = self.write(1, move |ledger, _| ledger.turn_out(&owner, STEP)).await;
            match step.done().await {
                Ok(true) => break,
                Ok(false) => {}
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
        self.0.changed.notify_one();
    }
}

/// Deletes what is over, hour after hour.
async fn expire(driver: &Driver) {
    let mailboxes = driver.mailboxes();
    loop {
        let now = driver.clock().wall();
        let aged = driver.store().run(move |store| {
            store.grow_older(now)?;
            store.age()
        });
        match aged.await {
            Ok(age) => {
                mailboxes.grown_to(age);
                if let Err(error) = mailboxes.delete_what_is_over().await {
                    tracing::warn!(%error, "what is over could not be deleted from the mailboxes");
                }
            }
            Err(error) => tracing::warn!(%error, "it is not known what is over in the mailboxes"),
        }
        tokio::time::sleep(EXPIRE).await;
    }
}

impl Mailboxes {
    async fn delete_what_is_over(&self) -> Result<(), StoreError> {
        // Where nothing was ever kept no file is made for this.
        if self.look(|_| Ok(())).await?.is_none() {
            return Ok(());
        }
        loop {
            let gone = self.write(1, move |ledger, now| ledger.expire(now, STEP)).await.done().await?;
            if gone == 0 {
                return Ok(());
            }
            self.0.changed.notify_one();
        }
    }
}
