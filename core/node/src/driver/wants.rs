//! Who is wanted, and by how many.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, PoisonError};

use wayside_proto::crypto::keys::AccountId;

use super::Driver;
use crate::api::types::ApiError;

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
    /// Wants a friend linked.
    pub(crate) async fn want(&self, account: AccountId) -> Result<Want, ApiError> {
        let first = self.count(&account, |count| {
            *count += 1;
            *count == 1
        });
        let want = Want { driver: self.clone(), account, runtime: tokio::runtime::Handle::current() };
        if first {
            self.change(move |engine, now| engine.want(now, &account, None)).await?;
        }
        Ok(want)
    }

    /// Wants those for whom messages wait, and no longer those for whom none do.
    pub(crate) async fn want_recipients(&self) -> Result<(), ApiError> {
        let mut wanted = self.0.wants.by_messages.lock().await;
        let queues = self.store().run(|store| store.queues()).await?;
        wanted.retain(|account, _| queues.iter().any(|(to, _)| to == account));
        for (account, _) in queues {
            if let Entry::Vacant(vacant) = wanted.entry(account) {
                vacant.insert(self.want(account).await?);
            }
        }
        Ok(())
    }

    /// Lets go of all that messages want, so that nothing holds the driver when the node ends.
    pub(crate) async fn want_nobody(&self) {
        self.0.wants.by_messages.lock().await.clear();
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

impl Drop for Want {
    fn drop(&mut self) {
        let last = self.driver.count(&self.account, |count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
        if last {
            let (driver, account) = (self.driver.clone(), self.account);
            self.runtime.spawn(async move {
                // Wanted again meanwhile, or the node is ending.
                let _ = driver
                    .call(move |actor| {
                        if !actor.driver().wanted(&account) {
                            let now = actor.now();
                            actor.engine().unwant(now, &account);
                        }
                    })
                    .await;
            });
        }
    }
}

impl Driver {
    fn wanted(&self, account: &AccountId) -> bool {
        self.0.wants.counts.lock().unwrap_or_else(PoisonError::into_inner).contains_key(account)
    }
}
