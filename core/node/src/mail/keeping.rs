//! What goes on beside all that comes and goes: the keys of the week, our card, and what is over.

use std::collections::BTreeSet;
use std::time::Duration;

use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::Friend;
use wayside_proto::mailbox::Age;
use wayside_proto::mailbox::outbox::{self, GRACE};
use wayside_proto::mailbox::wire::{HostEntry, MAX_LIFETIME};

use super::{access, deposit, files, lock, news, over_bridges, states};
use crate::driver::Driver;
use crate::store::StoreError;

/// How often it is looked what is over.
const OFTEN: Duration = Duration::from_secs(3600);
/// How often it is looked where we are, if our card names ourselves.
const LOOK: Duration = Duration::from_secs(60);
/// Between two cards that say so: addresses change one after the other.
const PAUSE: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 2 });
/// How long those who keep mail for us are wanted when there is a new friend.
const REGISTER: Duration = Duration::from_secs(600);
/// How long cards are gathered before it is looked what they say.
const GATHER: Duration = Duration::from_millis(100);
/// After how many seconds parts of files are forgotten whose message did not come.
const PARTS: u64 = MAX_LIFETIME as u64 + GRACE + 86_400;

/// Does all that is to be done for our own mail, as long as the node runs.
pub(crate) async fn keep(driver: Driver) {
    tokio::join!(
        publish(&driver),
        learn(&driver),
        register(&driver),
        deposit::keep(driver.clone()),
        news::keep(driver.clone()),
        over_bridges::keep(driver.clone()),
    );
}

/// Has friends know by which keys and where to leave what.
async fn publish(driver: &Driver) {
    let mut told = driver.reach().told();
    let mut offers = driver.mailboxes().offers_changed();
    let mut friends = driver.friends_changed();
    let mut last = None;
    loop {
        offers.borrow_and_update();
        friends.borrow_and_update();
        told.borrow_and_update();
        let hosts = hosts(driver).await;
        let names_us = hosts.iter().any(HostEntry::is_itself);
        match rotated(driver).await {
            Ok(now) => {
                let card = driver.mail().card(now, hosts);
                if last.as_ref() != Some(&card) {
                    let said = card.clone();
                    let changed = driver.change(move |engine, now| engine.set_mailbox(now, Some(said)));
                    if changed.await.is_ok() {
                        last = Some(card);
                        driver.grants_may_have_changed();
                        driver.mail().0.given.send_replace(());
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "the keys that friends seal with were not renewed"),
        }
        tokio::time::sleep(GATHER).await;
        let is_over = tokio::select! {
            changed = offers.changed() => changed.is_err(),
            changed = friends.changed() => changed.is_err(),
            changed = told.changed(), if names_us => {
                tokio::time::sleep(PAUSE).await;
                changed.is_err()
            }
            () = tokio::time::sleep(if names_us { LOOK } else { OFTEN }) => false,
        };
        if is_over {
            return;
        }
    }
}

/// Draws what is missing of the week's keys and destroys what is over.
async fn rotated(driver: &Driver) -> Result<Age, StoreError> {
    let (mail, wall) = (driver.mail().clone(), driver.clock().wall());
    let rotated = driver.store().run(move |store| {
        let now = store.age_at(wall)?;
        mail.keys().rotate(now).map_err(StoreError::Io)?;
        Ok(now)
    });
    rotated.await
}

/// Who keeps mail for us, with what we call them; ourselves where nobody does.
pub(super) async fn hosts(driver: &Driver) -> Vec<HostEntry> {
    let mut hosts = Vec::new();
    for (_, offered) in driver.mailboxes().offers() {
        let name = host_name(&driver.name_of(&offered.account).await);
        hosts.push(HostEntry { name, ..offered.host });
    }
    if hosts.is_empty() {
        hosts.extend(driver.own_door().await);
    }
    hosts
}

/// What our card calls a host, which is a friend of this name.
pub(crate) fn host_name(friend: &str) -> String {
    let mut name = friend.to_owned();
    while name.len() > MOST_NAME {
        name.pop();
    }
    name
}

/// The longest name of a host, in bytes.
const MOST_NAME: usize = 64;

/// Looks what friends' cards say of their keys, whenever one changes.
async fn learn(driver: &Driver) {
    let mut changes = driver.grants_changed();
    loop {
        changes.borrow_and_update();
        let friends =
            driver.look(|engine, _| engine.friends().map(Friend::account).collect::<Vec<AccountId>>());
        for account in friends.await.unwrap_or_default() {
            if let Err(error) = access::learn(driver, account, None).await {
                tracing::debug!(%error, "what it takes to seal for a friend was not kept");
            }
        }
        // Whoever waits to leave something may find it now.
        driver.accepted_message();
        tokio::time::sleep(GATHER).await;
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Has those who keep mail for us hear of new friends, whose queues they do not know yet: without it they would take nothing from them until the next link.
async fn register(driver: &Driver) {
    let mut changes = driver.grants_changed();
    let mut known = None;
    loop {
        changes.borrow_and_update();
        let friends =
            driver.look(|engine, _| engine.friends().map(Friend::account).collect::<BTreeSet<AccountId>>());
        let friends = friends.await.unwrap_or_default();
        let is_new = known.replace(friends.clone()).is_some_and(|known| !friends.is_subset(&known));
        let hosts = driver.mailboxes().offers().into_iter().map(|(_, offered)| offered.account);
        let away = hosts.filter(|host| is_new && driver.links().of(host).is_none());
        for want in away.map(|host| driver.want(host)) {
            driver.spawn(async move {
                tokio::time::sleep(REGISTER).await;
                drop(want);
            });
        }
        tokio::time::sleep(GATHER).await;
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Grows older, and gives up what nobody fetched for too long.
pub(crate) async fn expire(driver: Driver) {
    loop {
        if let Err(error) = expire_once(&driver).await {
            tracing::warn!(%error, "old messages could not be looked at");
        }
        tokio::time::sleep(OFTEN).await;
    }
}

async fn expire_once(driver: &Driver) -> Result<(), StoreError> {
    let (mail, wall) = (driver.mail().clone(), driver.clock().wall());
    let expired = driver.store().run(move |store| {
        store.grow_older(wall)?;
        let (expired, forgotten) = store.mail(|change| {
            let now = change.age(wall)?;
            let expired = outbox::expire(&mut change.tables, now)?;
            Ok((expired, change.forget_parts(Age(now.0.saturating_sub(PARTS)))?))
        })?;
        files::forget(&mail.0.files, &forgotten).map_err(StoreError::Io)?;
        let friends: Vec<AccountId> = lock(&mail.0.targets).keys().copied().collect();
        let behind = store.look_at_mail(|look| {
            let mut behind = Vec::new();
            for friend in friends {
                if outbox::behind(look, &friend)? {
                    behind.push(friend);
                }
            }
            Ok(behind)
        })?;
        Ok((expired, behind))
    });
    let (expired, behind) = expired.await?;
    if !behind.is_empty() {
        driver.mail().are_over(behind);
    }
    states::expired(driver, expired).await
}
