//! `wayside/mail/1`: each side gives the other what it takes to seal for it and to find its queues, at the start of a link and whenever that changes. With the prekeys of its
//! card that is a [`Target`].

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::select_all;
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::{AccountId, DeviceId};
use wayside_proto::mailbox::prekeys::{PUBLISHED, Target};
use wayside_proto::mailbox::wire::{Access, Key};
use wayside_proto::mailbox::{Age, outbox};

use super::lock;
use crate::driver::Driver;
use crate::links::Peer;
use crate::links::notices::{Changes, Notice, watched};
use crate::store::StoreError;

/// Items that are sealed in one transaction, once it is known to what.
const AT_ONCE: usize = 256;

#[async_trait]
impl Notice for Access {
    const NAME: &'static str = "wayside/mail/1";
    /// Eight psks and the root.
    const MOST: usize = 1024;
    const LOOK: Duration = Duration::from_secs(6 * 3600);

    fn changes(driver: &Driver) -> Changes {
        select_all([watched(driver.mail().0.given.subscribe())])
    }

    async fn now(driver: &Driver, peer: &Peer) -> io::Result<Self> {
        let wall = driver.clock().wall();
        let now = driver.store().run(move |store| store.age_at(wall)).await.map_err(io::Error::other)?;
        Ok(driver.mail().access_for(&peer.account, now))
    }

    async fn heard(self, driver: &Driver, peer: &Peer) -> Result<(), Box<dyn Error + Send + Sync>> {
        if self.device != peer.device {
            return Err("it is for another device than the friend's own".into());
        }
        Ok(learn(driver, peer.account, Some(self)).await?)
    }
}

/// A friend's device, its status's time, and what the status says of mail.
type Told = (DeviceId, Option<(UnixMillis, u32, Vec<Key>)>);

/// Puts together what a friend's card says and what it gives us, and seals what has waited for that.
pub(crate) async fn learn(
    driver: &Driver,
    account: AccountId,
    access: Option<Access>,
) -> Result<(), StoreError> {
    let too_many = |access: &Access| access.weeks.len() > Access::MOST;
    if access.as_ref().is_some_and(too_many) {
        return Ok(());
    }
    let told = driver.look(move |engine, _| {
        let friend = engine.friend(&account)?;
        let told = friend.card().roster().devices.iter().map(|entry| {
            let device = entry.keys.id();
            let status = friend.card().status(&device);
            let mailbox = status.and_then(|status| {
                let mailbox = status.mailbox.as_ref()?;
                let keys = mailbox.prekeys.iter().take(PUBLISHED).copied().collect();
                Some((status.issued, mailbox.first, keys))
            });
            (device, mailbox)
        });
        Some(told.collect::<Vec<Told>>())
    });
    let Some(told) = told.await.ok().flatten() else { return Ok(()) };
    let (mail, wall) = (driver.mail().clone(), driver.clock().wall());
    let changed = driver.store().run(move |store| {
        let now = store.age_at(wall)?;
        let before = mail.targets_of(&account);
        if put_together(&before, told.clone(), access.clone(), now) == before {
            return Ok(false);
        }
        store.mail(|change| {
            // Within the transaction, as whoever seals has it: one after the other.
            let mut targets = lock(&mail.0.targets);
            let before = targets.get(&account).cloned().unwrap_or_default();
            let after = put_together(&before, told, access, now);
            change.keep_targets(&account, &after)?;
            targets.insert(account, after);
            Ok(true)
        })
    });
    if changed.await? {
        seal_waiting(driver, account).await?;
        // What it was to be told could not be sealed before.
        driver.mail().owes();
    }
    Ok(())
}

/// Seals what was locked until it was known what to seal it to.
pub(super) async fn seal_waiting(driver: &Driver, account: AccountId) -> Result<(), StoreError> {
    loop {
        let (mail, wall) = (driver.mail().clone(), driver.clock().wall());
        let sealed = driver.store().run(move |store| {
            let known = mail.targets_of(&account);
            let now = store.age_at(wall)?;
            if !known.values().any(|target| target.current(now, wall).is_some()) {
                return Ok(0);
            }
            store.mail(|change| {
                let mut seals = mail.seals(&account, now, wall);
                Ok(outbox::seal_waiting(&mut change.tables, &account, AT_ONCE, &mut seals)?)
            })
        });
        if sealed.await? < AT_ONCE {
            driver.accepted_message();
            return Ok(());
        }
    }
}

fn put_together(
    before: &BTreeMap<DeviceId, Target>,
    told: Vec<Told>,
    access: Option<Access>,
    now: Age,
) -> BTreeMap<DeviceId, Target> {
    let mut after = BTreeMap::new();
    for (device, mailbox) in told {
        let given = access.as_ref().filter(|access| access.device == device);
        let mut target = match (before.get(&device), given) {
            (Some(before), given) => {
                let access = given.unwrap_or(&before.access).clone();
                Target { access, ..before.clone() }
            }
            (None, Some(given)) => {
                let (access, keys) = (given.clone(), Vec::new());
                Target { access, first: 0, keys, read: now, issued: UnixMillis(0) }
            }
            (None, None) => continue,
        };
        if let Some((issued, first, keys)) = mailbox
            && (issued > target.issued || target.keys.is_empty())
            && (first, &keys) != (target.first, &target.keys)
        {
            target = Target { first, keys, read: now, issued, ..target };
        }
        after.insert(device, target);
    }
    after
}
