//! What this machine keeps for friends who are away, and what friends' machines keep for us.
//!
//! ```text
//!  whoever sends                    here                                   the friend whom it is for
//!    wayside/deposit/1 ── guest ──> deposit ─┐
//!    wayside/carry/1 ──── friend ─> carry ───┤ writer: one transaction, one fsync a group
//!                                            ▼
//!                                   custody (pure) in mailbox.redb
//!                                            └── fetch <── wayside/mailbox-fetch/1 ──┘
//!                                   keep: doors, wants, bells; what is over
//!                                   offers ─────────── wayside/mailbox/1 ──────────> kept there, for its card
//! ```
//!
//! Nobody here learns who sent what: deposits come by a friend's door, nameless, and say which queue they are for.

mod bells;
pub(crate) mod carry;
pub(crate) mod deposit;
pub(crate) mod fetch;
mod keep;
pub(crate) mod offers;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::mailbox::custody::{self, Usage};
use wayside_proto::mailbox::{Age, MailError};

pub(crate) use offers::Offered;

use crate::home;
use crate::lock::lock;
use crate::offers::Offers;
use crate::store::{CustodyStore, Look, Store, StoreError};
use writer::Writer;

/// All of it, shared by those who leave something, those who fetch it, and who looks after it.
#[derive(Clone, Debug)]
pub(crate) struct Mailboxes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: Mutex<home::Mailbox>,
    custody: Arc<CustodyStore>,
    writer: Writer,
    age: Mutex<AgeNow>,
    /// Friends who may have a mailbox here.
    owners: watch::Sender<BTreeSet<AccountId>>,
    /// Friends for whom something came that `keep` has not heard of.
    came: Mutex<BTreeSet<AccountId>>,
    /// What lies here may be more or less than before.
    changed: Notify,
    /// Who waits for what comes for whom.
    waiting: Mutex<BTreeMap<AccountId, watch::Sender<()>>>,
    /// What friends' machines offer us.
    offers: Offers<Offered>,
    bells: Mutex<bells::Bells>,
    /// Something is carried that was not before.
    carried: Notify,
}

/// The store's age between two looks at it.
#[derive(Clone, Copy, Debug)]
struct AgeNow {
    then: Age,
    at: Instant,
}

impl AgeNow {
    fn now(self) -> Age {
        self.then.after(self.at.elapsed().as_secs())
    }
}

/// What an earlier run has kept of it.
pub(crate) struct Kept {
    custody: Arc<CustodyStore>,
    age: Age,
    held: BTreeSet<AccountId>,
    offers: Offers<Offered>,
    bells: bells::Bells,
}

impl Kept {
    /// Reads it, after the store has grown older.
    pub(crate) fn read(store: &Arc<Store>, custody: CustodyStore) -> Result<Self, StoreError> {
        let held = custody.look(|look| custody::held(look))?.unwrap_or_default();
        Ok(Self {
            custody: Arc::new(custody),
            age: store.age()?,
            held: held.into_iter().map(|(owner, _)| owner).collect(),
            offers: Offers::read(store)?,
            bells: bells::Bells::read(store)?,
        })
    }
}

impl Mailboxes {
    /// With what an earlier run has kept. Nothing is written before [`keep`](keep::keep) runs.
    pub(crate) fn new(config: home::Mailbox, kept: Kept) -> Self {
        let shared = Shared {
            config: Mutex::new(config),
            writer: Writer::default(),
            custody: kept.custody,
            age: Mutex::new(AgeNow { then: kept.age, at: Instant::now() }),
            owners: watch::channel(BTreeSet::new()).0,
            came: Mutex::new(kept.held),
            changed: Notify::new(),
            waiting: Mutex::default(),
            offers: kept.offers,
            bells: Mutex::new(kept.bells),
            carried: Notify::new(),
        };
        Self(Arc::new(shared))
    }

    /// What was configured.
    pub(crate) fn config(&self) -> home::Mailbox {
        *lock(&self.0.config)
    }

    /// What the user configured anew: it holds for what comes from now on.
    pub(crate) fn set_config(&self, config: home::Mailbox) {
        *lock(&self.0.config) = config;
    }

    /// What lies here for whom, and all bytes together, as it is now.
    pub(crate) async fn usage(&self) -> Result<(BTreeMap<AccountId, Usage>, u64), StoreError> {
        let usage = self.look(|look| Ok((custody::held(look)?, custody::total(look)?))).await?;
        Ok(usage.map(|(held, total)| (held.into_iter().collect(), total)).unwrap_or_default())
    }

    fn is_owner(&self, account: &AccountId) -> bool {
        self.0.owners.borrow().contains(account)
    }

    /// Whether a friend may have a mailbox here.
    #[cfg(test)]
    pub(crate) fn has_mailbox(&self, account: &AccountId) -> bool {
        self.is_owner(account)
    }

    /// What keeping may cost, shared as it is now.
    fn limits(&self) -> custody::Limits {
        let friends = u32::try_from(self.0.owners.borrow().len()).unwrap_or(u32::MAX);
        self.config().limits(friends.max(1))
    }

    /// How old the store is.
    pub(crate) fn age(&self) -> Age {
        lock(&self.0.age).now()
    }

    /// The store was looked at: it never becomes younger by that.
    fn grown_to(&self, age: Age) {
        let mut now = lock(&self.0.age);
        *now = AgeNow { then: age.max(now.now()), at: Instant::now() };
    }

    /// Looks at what is kept; `None` where nothing ever was.
    async fn look<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Look<'_>) -> Result<R, MailError<StoreError>> + Send + 'static,
    ) -> Result<Option<R>, StoreError> {
        self.0.custody.run(move |custody| custody.look(work)).await
    }

    /// Something came for a friend, and is on disk.
    fn came(&self, owner: &AccountId) {
        lock(&self.0.came).insert(*owner);
        if let Some(waiting) = lock(&self.0.waiting).get(owner) {
            waiting.send_replace(());
        }
        self.0.changed.notify_one();
    }

    /// Changes when something comes for a friend.
    fn arrivals(&self, owner: &AccountId) -> watch::Receiver<()> {
        let mut waiting = lock(&self.0.waiting);
        // Those for whom nobody waits any more.
        waiting.retain(|_, sender| !sender.is_closed());
        waiting.entry(*owner).or_insert_with(|| watch::channel(()).0).subscribe()
    }
}

pub(crate) use keep::keep;
