//! Ringing a friend for whom something came while it was away: empty, through a bridge that wakes, and seldom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wayside_bridge::{RingTarget, SharedBridge, Wake};
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::Age;
use wayside_proto::mailbox::wire::Bell;
use wayside_proto::place::Locator;

use super::{Mailboxes, lock};
use crate::driver::Driver;
use crate::store::{KeptBell, Store, StoreError};

/// How long a friend may take to come by itself.
const WAIT: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });
/// How long a friend that was rung and has not come is left in peace, in seconds.
const PEACE: u64 = 6 * 3600;
/// How long a bridge may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Friends' bells, and for whom something came.
#[derive(Debug, Default)]
pub(super) struct Bells {
    bells: BTreeMap<AccountId, Hung>,
    /// Since when something that was not rung for lies here for whom, while it is away.
    since: BTreeMap<AccountId, Instant>,
    /// Bridges through which ringing failed, and it was said.
    failed: BTreeSet<Locator>,
}

#[derive(Clone, Debug)]
struct Hung {
    bell: Bell,
    rung: Option<Age>,
}

impl Hung {
    fn kept(&self) -> Option<KeptBell> {
        Some(KeptBell { rung: self.rung, bell: minicbor::to_vec(&self.bell).ok()? })
    }
}

impl Bells {
    /// Those that were kept. What cannot be read is left out: its owner hangs it anew.
    pub(super) fn read(store: &Store) -> Result<Self, StoreError> {
        let kept = store.bells()?.into_iter();
        let read = kept.filter_map(|(account, kept)| {
            Some((account, Hung { bell: minicbor::decode(&kept.bell).ok()?, rung: kept.rung }))
        });
        Ok(Self { bells: read.collect(), ..Self::default() })
    }

    /// Something came for a friend that is away.
    fn came(&mut self, account: AccountId) {
        self.since.entry(account).or_insert_with(Instant::now);
    }

    /// Whom to ring now; and when to look again.
    fn due(&self, age: Age) -> (Vec<(AccountId, Bell)>, Option<Instant>) {
        let (now, mut due, mut next) = (Instant::now(), Vec::new(), None::<Instant>);
        for (account, since) in &self.since {
            let Some(hung) = self.bells.get(account) else { continue };
            let peace = hung.rung.map_or(0, |rung| PEACE.saturating_sub(age.since(rung)));
            let at = (*since + WAIT).max(now + Duration::from_secs(peace));
            if at <= now {
                due.push((*account, hung.bell.clone()));
            } else {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        (due, next)
    }
}

impl Mailboxes {
    /// A friend says how it is to be rung. On disk when this returns.
    pub(super) async fn set_bell(
        &self,
        store: &Arc<Store>,
        account: AccountId,
        bell: Option<Bell>,
    ) -> Result<(), StoreError> {
        let hung = {
            let mut bells = lock(&self.0.bells);
            let rung = bells.bells.get(&account).and_then(|hung| hung.rung);
            match bell {
                Some(bell) => drop(bells.bells.insert(account, Hung { bell, rung })),
                None => drop(bells.bells.remove(&account)),
            }
            bells.bells.get(&account).cloned()
        };
        self.keep_bell(store, account, hung).await
    }

    /// A friend has come to look: it may be rung again.
    pub(super) async fn has_come(&self, store: &Arc<Store>, account: &AccountId) {
        let hung = {
            let mut bells = lock(&self.0.bells);
            bells.since.remove(account);
            match bells.bells.get_mut(account) {
                Some(hung) if hung.rung.is_some() => {
                    hung.rung = None;
                    Some(hung.clone())
                }
                _ => return,
            }
        };
        if let Err(error) = self.keep_bell(store, *account, hung).await {
            tracing::debug!(%error, "it was not kept that a friend came");
        }
    }

    /// Those who have no mailbox here any more have no bell either.
    pub(super) async fn keep_bells_of(&self, store: &Arc<Store>, owners: &BTreeSet<AccountId>) {
        let gone: Vec<AccountId> = {
            let mut bells = lock(&self.0.bells);
            bells.since.retain(|account, _| owners.contains(account));
            bells.bells.keys().filter(|account| !owners.contains(account)).copied().collect()
        };
        for account in gone {
            if let Err(error) = self.set_bell(store, account, None).await {
                tracing::debug!(%error, "how somebody was to be rung was not forgotten");
            }
        }
    }

    /// Rings those for whom it is due; when the next will be. `came`: for whom something came since.
    pub(super) async fn ring(&self, driver: &Driver, came: BTreeSet<AccountId>) -> Option<Instant> {
        let away = |account: &AccountId| driver.links().of(account).is_none();
        let (due, next) = {
            let mut bells = lock(&self.0.bells);
            came.into_iter().filter(away).for_each(|account| bells.came(account));
            bells.since.retain(|account, _| away(account));
            bells.due(self.age())
        };
        for (account, bell) in due {
            let hung = {
                let mut bells = lock(&self.0.bells);
                bells.since.remove(&account);
                let age = self.age();
                bells.bells.get_mut(&account).map(|hung| {
                    hung.rung = Some(age);
                    hung.clone()
                })
            };
            // Kept first: a crash must not have it rung again and again.
            if let Err(error) = self.keep_bell(driver.store(), account, hung).await {
                tracing::debug!(%error, "nobody is rung while the disk takes nothing");
                continue;
            }
            self.ring_one(driver, account, bell).await;
        }
        next
    }

    async fn ring_one(&self, driver: &Driver, account: AccountId, bell: Bell) {
        let Some(bridge) = driver.bell_at(&bell.locator).await else { return };
        let rung = tokio::time::timeout(PATIENCE, bridge.ring(&RingTarget(bell.target))).await;
        let why = match rung {
            Ok(Ok(())) => {
                lock(&self.0.bells).failed.remove(&bell.locator);
                return tracing::debug!(%account, "a friend for whom something lies here was rung");
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} seconds", PATIENCE.as_secs()),
        };
        if lock(&self.0.bells).failed.insert(bell.locator.clone()) {
            tracing::warn!(place = %bell.locator, why, "a friend could not be rung");
        }
    }

    async fn keep_bell(
        &self,
        store: &Arc<Store>,
        account: AccountId,
        hung: Option<Hung>,
    ) -> Result<(), StoreError> {
        let kept = hung.as_ref().and_then(Hung::kept);
        store.run(move |store| store.keep_bell(&account, kept.as_ref())).await
    }
}

impl Driver {
    /// A bridge of ours that reaches this place, works, and wakes people there.
    async fn bell_at(&self, place: &Locator) -> Option<SharedBridge> {
        let bridges = self.bridges_to_try().await.ok()?;
        let reaches = |bridge: &SharedBridge| {
            let locators = bridge.info().locators;
            locators.iter().any(|it| it.kind() == place.kind() && it.address() == place.address())
        };
        let works = bridges.into_iter().filter(|(view, _)| view.healthy).filter_map(|(_, bridge)| bridge);
        works.into_iter().find(|bridge| bridge.capability().wake == Wake::Rings && reaches(bridge))
    }
}
