//! Communities: rooms whose bot introduces members to one another, as our person's node takes part in them.
//!
//! The bot ([`introducer`](wayside_proto::introducer)) is somebody in a bridge's room whom our user named; what anybody else says there is dropped unread. It is given a card
//! of ours, a pointer for this bridge alone (`list`), told what our person wants (`talk`), and what it says in turn is carried out (`act`): a card that
//! we asked for is knocked by, and the knock of an account that our person agreed to is let in. What is kept is a `Book` for each bridge, pure, and on disk
//! before anything follows from it.

mod act;
mod ask;
mod asked;
mod book;
mod file;
mod list;
mod talk;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::pointer::PointerName;

pub(crate) use act::says;
pub(crate) use ask::{Ask, Far};
pub(crate) use asked::{Answer, Asked, AskedId};
pub(crate) use book::{Book, MOST_ASKS};
pub use file::{CommunityFile, CommunityFileError};
/// Somebody in a room, as the service names them.
pub use wayside_proto::introducer::Person;

use crate::api::types::ApiError;
use crate::driver::Driver;
use crate::home::{BotConfig, BridgeConfig};
use crate::lock::lock;
use crate::pointers::Pointers;
use crate::store::StoreError;

/// How long to wait before something is said once more to a bot that has not answered, the first time and at most.
const AGAIN: (Duration, Duration) = if cfg!(test) {
    (Duration::from_secs(1), Duration::from_secs(2))
} else {
    (Duration::from_secs(600), Duration::from_secs(86_400))
};

/// How long to wait after something was said so often.
fn again(times: u32) -> Duration {
    AGAIN.0.saturating_mul(1 << times.saturating_sub(1).min(16)).min(AGAIN.1)
}

/// The communities of this node. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Communities(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    driver: Driver,
    pointers: Pointers,
    bots: Mutex<BTreeMap<String, BotConfig>>,
    /// Held over a change and its being stored.
    books: tokio::sync::Mutex<BTreeMap<String, Book>>,
    changed: watch::Sender<()>,
    /// What ends the conversation with each bot.
    talks: Mutex<BTreeMap<String, CancellationToken>>,
}

impl Communities {
    /// Those of the configuration, with what the store has of them.
    pub(crate) async fn restore(
        driver: Driver,
        pointers: Pointers,
        bridges: &[BridgeConfig],
    ) -> Result<Self, StoreError> {
        let books = driver.store().run(crate::store::Store::communities).await?;
        let bots = bridges.iter().filter_map(|bridge| Some((bridge.name.clone(), bridge.bot.clone()?)));
        let communities = Self(Arc::new(Shared {
            driver,
            pointers,
            bots: Mutex::new(bots.collect()),
            books: tokio::sync::Mutex::new(books),
            changed: watch::channel(()).0,
            talks: Mutex::default(),
        }));
        communities.admit(&*communities.0.books.lock().await);
        Ok(communities)
    }

    /// The configured bots, by bridge.
    pub(crate) fn bots(&self) -> BTreeMap<String, BotConfig> {
        lock(&self.0.bots).clone()
    }

    fn bot(&self, bridge: &str) -> Option<BotConfig> {
        lock(&self.0.bots).get(bridge).cloned()
    }

    /// A bridge has this bot from now on, or none.
    pub(crate) fn set(&self, bridge: &str, bot: Option<BotConfig>) {
        let mut bots = lock(&self.0.bots);
        match bot {
            Some(bot) => drop(bots.insert(bridge.to_owned(), bot)),
            None => drop(bots.remove(bridge)),
        }
        drop(bots);
        self.0.changed.send_replace(());
    }

    /// What is kept of each bridge whose bot is still the same.
    pub(crate) async fn books(&self) -> BTreeMap<String, Book> {
        let bots = self.bots();
        let books = self.0.books.lock().await;
        let is_of =
            |(bridge, book): &(&String, &Book)| bots.get(*bridge).is_some_and(|bot| bot.who == book.bot);
        books.iter().filter(is_of).map(|(bridge, book)| (bridge.clone(), book.clone())).collect()
    }

    /// Changes what is kept of a bridge's bot: it is on disk when this returns. `None` where the bridge has no bot.
    pub(crate) async fn change<R>(
        &self,
        bridge: &str,
        work: impl FnOnce(&mut Book) -> R,
    ) -> Result<Option<R>, ApiError> {
        let mut books = self.0.books.lock().await;
        let Some(bot) = self.bot(bridge) else { return Ok(None) };
        let before = books.get(bridge);
        let mut book = match before {
            Some(book) if book.bot == bot.who => book.clone(),
            // Another one knows nothing of us, and has nothing to say of what the earlier one was asked.
            other => Book { pointer: other.and_then(|book| book.pointer.clone()), ..Book::new(bot.who) },
        };
        let result = work(&mut book);
        if before == Some(&book) {
            return Ok(Some(result));
        }
        let stored = (bridge.to_owned(), book.clone());
        self.0.driver.store().run(move |store| store.keep_community(&stored.0, Some(&stored.1))).await?;
        books.insert(bridge.to_owned(), book);
        self.admit(&books);
        drop(books);
        self.0.changed.send_replace(());
        Ok(Some(result))
    }

    /// Forgets what is kept of a bridge's bot.
    async fn forget(&self, bridge: &str) -> Result<(), ApiError> {
        let mut books = self.0.books.lock().await;
        let gone = bridge.to_owned();
        self.0.driver.store().run(move |store| store.keep_community(&gone, None)).await?;
        books.remove(bridge);
        self.admit(&books);
        Ok(())
    }

    /// Tells whose knocks are let in.
    fn admit(&self, books: &BTreeMap<String, Book>) {
        let admitted = books.values().filter_map(|book| Some((book.pointer.clone()?, book)));
        let admitted = admitted
            .flat_map(|(pointer, book)| book.admitted().map(move |(account, _)| (pointer.clone(), account)));
        *lock(&self.0.driver.admitted().0.accounts) = admitted.collect();
    }

    /// The time as the engine estimates it.
    pub(crate) async fn time(&self) -> Result<UnixMillis, ApiError> {
        self.0.driver.look(|engine, now| engine.time(now)).await
    }

    fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }
}

/// Whose knocks by which pointers of ours are let in without asking again. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admitted(Arc<AdmittedAccounts>);

#[derive(Debug, Default)]
struct AdmittedAccounts {
    accounts: Mutex<BTreeSet<(PointerName, AccountId)>>,
    came: Notify,
}

impl Admitted {
    /// Somebody knocks: whether they are let in, which is done beside this.
    pub(crate) fn knocks(&self, pointer: &PointerName, account: &AccountId) -> bool {
        let is_let_in = lock(&self.0.accounts).contains(&(pointer.clone(), *account));
        if is_let_in {
            self.0.came.notify_one();
        }
        is_let_in
    }
}
