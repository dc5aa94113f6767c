//! Who is wanted, and by how many.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use wayside_proto::crypto::keys::AccountId;

use super::Driver;
use crate::store::StoreError;

/// How many want whom, and those that are wanted because messages wait for them.
#[derive(Debug, Default)]
pub(super) struct Wants {
    counts: Mutex<BTreeMap<AccountId, usize>>,
    by_messages: tokio::sync::Mutex<BTreeMap<AccountId, Want>>,
}

/// Somebody wants a friend for as long as this lives.
#[derive(Debug)]
pub(crate) struct Want {
    driver: Driver,
    account: AccountId,
    runtime: tokio::runtime::Handle,
}

impl Driver {
    /// Wants a friend linked, as soon as the store allows it.
    pub(crate) fn want(&self, account: AccountId) -> Want {
        let first = self.count(&account, |count| {
            *count = count.saturating_add(1);
            *count == 1
        });
        let want = Want { driver: self.clone(), account, runtime: tokio::runtime::Handle::current() };
        if first {
            want.tell();
        }
        want
    }

    /// Wants those for whom messages wait, and no longer those for whom none do.
    pub(crate) async fn want_recipients(&self) -> Result<(), StoreError> {
        let mut wanted = self.0.wants.by_messages.lock().await;
        let queues = self.store().run(|store| store.queues()).await?;
        wanted.retain(|account, _| queues.iter().any(|(to, _)| to == account));
        for (account, _) in queues {
            wanted.entry(account).or_insert_with(|| self.want(account));
        }
        Ok(())
    }

    /// A friend who was blocked is one again: who was wanted meanwhile is wanted still.
    pub(crate) async fn friend_is_back(&self, account: AccountId) {
        self.happened(move |actor| actor.want_if_wanted(&account)).await;
    }

    /// Lets go of all that messages want, so that nothing holds the driver when the node ends.
    pub(crate) async fn want_nobody(&self) {
        self.0.wants.by_messages.lock().await.clear();
    }

    /// Whether anybody wants this account.
    pub(super) fn wanted(&self, account: &AccountId) -> bool {
        self.0.wants.counts.lock().unwrap_or_else(PoisonError::into_inner).contains_key(account)
    }

    fn count(&self, account: &AccountId, change: impl FnOnce(&mut usize) -> bool) -> bool {
        let mut counts = self.0.wants.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(*account).or_default();
        let result = change(count);
        if *count == 0 {
            counts.remove(account);
        }
        result
    }
}

impl Want {
    /// Has the engine told what holds when it hears of it, whatever came in between.
    fn tell(&self) {
        let (driver, account) = (self.driver.clone(), self.account);
        self.runtime.spawn(async move { driver.happened(move |actor| actor.want_or_not(&account)).await });
    }
}

impl Drop for Want {
    fn drop(&mut self) {
        let last = self.driver.count(&self.account, |count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
        if last {
            self.tell();
        }
    }
}
