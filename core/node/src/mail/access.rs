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

/// A friend's device, and what its status says of mail.
type Told = (DeviceId, Option<Prekeys>);

/// Prekeys as a status names them.
#[derive(Clone, Debug)]
struct Prekeys {
    /// The status's number.
    seq: u64,
    issued: UnixMillis,
    first: u32,
    keys: Vec<Key>,
}

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
                Some(Prekeys { seq: status.seq, issued: status.issued, first: mailbox.first, keys })
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
                Target { access, first: 0, keys, read: now, issued: UnixMillis(0), seq: 0 }
            }
            (None, None) => continue,
        };
        // By its number: what was looked at before another may come after it, and a friend's clock may go back.
        if let Some(Prekeys { seq, issued, first, keys }) = mailbox
            && (seq > target.seq || target.keys.is_empty())
        {
            if (first, &keys) != (target.first, &target.keys) {
                target = Target { first, keys, read: now, issued, ..target };
            }
            target.seq = seq;
        }
        after.insert(device, target);
    }
    after
}

#[cfg(test)]
mod tests {
    use wayside_proto::crypto::Secret;

    use super::*;

    #[test]
    fn later_prekeys_hold_though_the_friends_clock_went_back() {
        let device = DeviceId([1; 16]);
        let access = Access { device, root: Secret::new([2; 32]), weeks: Vec::new() };
        let told = |seq, issued, first: u8| {
            let prekeys = Prekeys {
                seq,
                issued: UnixMillis(issued),
                first: first.into(),
                keys: vec![Key([first; 32])],
            };
            vec![(device, Some(prekeys))]
        };
        let known = put_together(&BTreeMap::new(), told(5, 9_000, 10), Some(access), Age(0));
        let after = |before, told| put_together(before, told, None, Age(7))[&device].clone();
        let later = after(&known, told(6, 1_000, 20));
        assert_eq!((later.first, later.seq, later.read), (20, 6, Age(7)));
        let earlier = after(&known, told(4, 10_000, 30));
        assert_eq!((earlier.first, earlier.seq, earlier.read), (10, 5, Age(0)));
        let same = after(&known, told(6, 10_000, 10));
        assert_eq!((same.seq, same.read, same.issued), (6, Age(0), UnixMillis(9_000)));
    }
}
