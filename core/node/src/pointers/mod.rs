//! Pointers of ours, published at places and kept there; those of others, fetched; and what is known of who friends are.
//!
//! The pointer itself and the door that it leads to are the engine's. Here is where it lies ([`place`]): it is made anew when a third of its time is left, and
//! published again where it has vanished, until it is withdrawn. What was written to a file is its user's to renew.

mod found;
mod keep;
mod place;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use wayside_proto::crypto::keys::AccountId;
use wayside_proto::pointer::PointerName;

pub(crate) use found::{Choice, Found, choose};
pub(crate) use keep::{PublishError, Wanted};
pub(crate) use place::{all_names, bridge, records_of};
pub(crate) use source::{Source, SourceError, fetch_from};

use crate::driver::Driver;
use crate::store::{Acquaintance, Store, StoreError, StoredPointer};

/// Our pointers and acquaintances. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Pointers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    driver: Driver,
    /// Held while something is done about where a pointer lies, which may take as long as a service does.
    doing: tokio::sync::Mutex<()>,
    names: Mutex<BTreeMap<PointerName, StoredPointer>>,
    acquaintances: Mutex<BTreeMap<AccountId, Acquaintance>>,
}

impl Pointers {
    /// Those of the store. What is known of people is forgotten unless these are friends; `None` where somebody may become one still.
    pub(crate) async fn restore(
        driver: Driver,
        friends: Option<BTreeSet<AccountId>>,
    ) -> Result<Self, StoreError> {
        let read = |store: &Store| Ok((store.pointers()?, store.acquaintances()?));
        let (names, acquaintances) = driver.store().run(read).await?;
        let pointers = Self(Arc::new(Shared {
            driver,
            doing: tokio::sync::Mutex::default(),
            names: Mutex::new(names),
            acquaintances: Mutex::new(acquaintances),
        }));
        if let Some(friends) = friends {
            let strangers: Vec<_> = pointers.acquaintances().into_keys().collect();
            for account in strangers.into_iter().filter(|account| !friends.contains(account)) {
                pointers.forget(account).await?;
            }
        }
        Ok(pointers)
    }

    /// What is known of who people are.
    pub(crate) fn acquaintances(&self) -> BTreeMap<AccountId, Acquaintance> {
        self.0.acquaintances.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A friendship is being made by a card that lay somewhere: on disk when this returns.
    pub(crate) async fn met_by_card(&self, account: AccountId) -> Result<(), StoreError> {
        self.acquainted(account, |known| known.by_card = true).await
    }

    /// It was said that both read the same, or that they do not.
    pub(crate) async fn verified(&self, account: AccountId, same: bool) -> Result<(), StoreError> {
        self.acquainted(account, |known| known.verified = same).await
    }

    /// Somebody is no friend any more.
    pub(crate) async fn forget(&self, account: AccountId) -> Result<(), StoreError> {
        self.0.driver.store().run(move |store| store.keep_acquaintance(&account, None)).await?;
        self.0.acquaintances.lock().unwrap_or_else(PoisonError::into_inner).remove(&account);
        Ok(())
    }

    async fn acquainted(
        &self,
        account: AccountId,
        change: impl FnOnce(&mut Acquaintance),
    ) -> Result<(), StoreError> {
        let mut known = self.acquaintances().get(&account).copied().unwrap_or_default();
        change(&mut known);
        self.0.driver.store().run(move |store| store.keep_acquaintance(&account, Some(known))).await?;
        self.0.acquaintances.lock().unwrap_or_else(PoisonError::into_inner).insert(account, known);
        Ok(())
    }

    /// Where our names lie.
    pub(crate) fn names(&self) -> BTreeMap<PointerName, StoredPointer> {
        self.0.names.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn named(&self, name: &PointerName) -> StoredPointer {
        self.0.names.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned().unwrap_or_default()
    }

    /// Keeps what is known of a name: on disk when this returns.
    async fn set(&self, name: &PointerName, pointer: StoredPointer) -> Result<(), StoreError> {
        // Looking at it costs no disk.
        if pointer == self.named(name) {
            return Ok(());
        }
        let kept = Some(pointer).filter(|pointer| *pointer != StoredPointer::default());
        let stored = (name.clone(), kept.clone());
        self.0.driver.store().run(move |store| store.keep_pointer(&stored.0, stored.1.as_ref())).await?;
        let mut names = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
        match kept {
            Some(pointer) => drop(names.insert(name.clone(), pointer)),
            None => drop(names.remove(name)),
        }
        Ok(())
    }
}
