//! Pointers of ours, published at places and kept there; those of others, fetched; and who became a friend by one.
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
use crate::store::{Store, StoreError, StoredPointer};

/// Our pointers, and who became a friend by one. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Pointers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    driver: Driver,
    /// Held while something is done about where a pointer lies, which may take as long as a service does.
    doing: tokio::sync::Mutex<()>,
    names: Mutex<BTreeMap<PointerName, StoredPointer>>,
    by_card: Mutex<BTreeSet<AccountId>>,
}

impl Pointers {
    /// Those of the store. Who met by a card is forgotten unless it is one of these friends; `None` where somebody may become one still.
    pub(crate) async fn restore(
        driver: Driver,
        friends: Option<BTreeSet<AccountId>>,
    ) -> Result<Self, StoreError> {
        let read = |store: &Store| Ok((store.pointers()?, store.met_by_card()?));
        let (names, by_card) = driver.store().run(read).await?;
        let pointers = Self(Arc::new(Shared {
            driver,
            doing: tokio::sync::Mutex::default(),
            names: Mutex::new(names),
            by_card: Mutex::new(by_card),
        }));
        if let Some(friends) = friends {
            for stranger in pointers.by_card().difference(&friends) {
                pointers.forget(*stranger).await?;
            }
        }
        Ok(pointers)
    }

    /// Those who became friends by a card that lay somewhere.
    pub(crate) fn by_card(&self) -> BTreeSet<AccountId> {
        self.0.by_card.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A friendship is being made by a card that lay somewhere: on disk when this returns.
    pub(crate) async fn met_by_card(&self, account: AccountId) -> Result<(), StoreError> {
        self.0.driver.store().run(move |store| store.keep_met_by_card(&account, true)).await?;
        self.0.by_card.lock().unwrap_or_else(PoisonError::into_inner).insert(account);
        Ok(())
    }

    /// Somebody is no friend any more.
    pub(crate) async fn forget(&self, account: AccountId) -> Result<(), StoreError> {
        self.0.driver.store().run(move |store| store.keep_met_by_card(&account, false)).await?;
        self.0.by_card.lock().unwrap_or_else(PoisonError::into_inner).remove(&account);
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
