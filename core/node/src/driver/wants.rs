//! Who is wanted, and by how many.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use wayside_proto::crypto::keys::AccountId;

use super::{Driver, Shared};
use crate::store::StoreError;

/// How long an offer waits for what others see of us to be fresh, where somebody can be asked.
const MEASURE: Duration = Duration::from_secs(2);

/// How many want whom, and those that are wanted because messages wait for them.
#[derive(Debug, Default)]
pub(super) struct Wants {
    counts: Mutex<BTreeMap<AccountId, usize>>,
    by_messages: tokio::sync::Mutex<BTreeMap<AccountId, Want>>,
}

/// Somebody wants a friend for as long as this lives. It does not keep the node from ending, nor the home in use.
#[derive(Debug)]
pub(crate) struct Want {
    driver: Weak<Shared>,
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
        let runtime = tokio::runtime::Handle::current();
        let want = Want { driver: Arc::downgrade(&self.0), account, runtime };
        if first {
            want.tell(self.clone());
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
    fn tell(&self, driver: Driver) {
        let account = self.account;
        self.runtime.spawn(async move {
            if driver.wanted(&account) && driver.links().of(&account).is_none() {
                // Gone to meanwhile, so that they are there when the answer is read.
                driver.warm_relays();
                driver.reach().fresh(MEASURE).await;
            }
            driver.happened(move |actor| actor.want_or_not(&account)).await;
        });
    }
}

impl Drop for Want {
    fn drop(&mut self) {
        // Nobody is wanted by a node that has ended.
        let Some(driver) = self.driver.upgrade().map(Driver) else { return };
        let last = driver.count(&self.account, |count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
        if last {
            self.tell(driver);
        }
    }
}
