//! `wayside/introduce/1`: a friend of two introduces them to each other. What is said when, and who is believed, is `wayside-proto`'s
//! ([`introduction`](wayside_proto::introduction)); here it is stored, carried over links and acted upon.
//!
//! A change is on disk before anything follows from it: before a message is acknowledged, and before what is due next is said.

mod arrange;
mod speak;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::time::Instant;
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::introduction::{
    Introduced, Introducer, Introduction, IntroductionId, Message, RequestId, Stranger, Taken,
};

pub(crate) use speak::{Listener, speak};

use crate::api::types::{ApiError, NodeEvent};
use crate::driver::Driver;
use crate::links::Peer;
use crate::store::{Kept, Store, StoreError, StoredRequest};

/// The protocol's name.
pub(crate) const NAME: &str = "wayside/introduce/1";

/// Between two messages of one friend that are looked at, over whichever of its streams they come: each may cost a look at signatures, and the disk.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 100 });

/// Introductions of this node: those that it makes, and those that are made to it. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Introductions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    driver: Driver,
    books: Mutex<Books>,
    changed: watch::Sender<()>,
    /// When the next message of each friend is looked at, at the earliest.
    turns: std::sync::Mutex<BTreeMap<AccountId, Instant>>,
}

/// What is known of both.
#[derive(Clone, Debug)]
pub(crate) struct Books {
    pub(crate) introducer: Introducer,
    pub(crate) introduced: Introduced,
}

impl Introductions {
    /// Those of the store.
    pub(crate) async fn restore(driver: Driver, me: AccountId) -> Result<Self, StoreError> {
        let read = |store: &Store| Ok((store.introductions()?, store.requests()?));
        let (introductions, requests) = driver.store().run(read).await?;
        let strangers = requests.into_iter().map(|StoredRequest::Introduced(stranger)| stranger);
        let books = Books {
            introducer: Introducer::restore(introductions),
            introduced: Introduced::restore(me, strangers),
        };
        let (books, changed) = (Mutex::new(books), watch::channel(()).0);
        Ok(Self(Arc::new(Shared { driver, books, changed, turns: std::sync::Mutex::default() })))
    }

    /// Looks at them.
    pub(crate) async fn look(&self) -> MutexGuard<'_, Books> {
        self.0.books.lock().await
    }

    /// Changes them, all or nothing: it is on disk when this returns.
    pub(crate) async fn change<R>(&self, work: impl FnOnce(&mut Books) -> R) -> Result<R, StoreError> {
        let mut books = self.0.books.lock().await;
        let mut next = books.clone();
        let result = work(&mut next);
        let kept = next.take_changed();
        let changed = !kept.is_empty();
        if changed {
            self.0.driver.store().run(move |store| store.keep(&kept)).await?;
        }
        *books = next;
        drop(books);
        if changed {
            self.0.changed.send_replace(());
        }
        Ok(result)
    }

    /// The time as the engine estimates it.
    pub(crate) async fn time(&self) -> Result<UnixMillis, ApiError> {
        self.0.driver.look(|engine, now| engine.time(now)).await
    }

    /// Changes when one of them has.
    fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// A friend said this. Whether it was taken: if not it is to come again later.
    async fn heard(&self, peer: &Peer, message: Message) -> Result<bool, ApiError> {
        self.turn(peer.account).await;
        let now = self.time().await?;
        let ours = {
            let books = self.look().await;
            let introduction = books.introducer.get(&message.id());
            introduction.is_some_and(|it| it.ends().iter().any(|end| end.account() == peer.account))
        };
        let (account, device) = (peer.account, peer.device);
        if ours && matches!(message, Message::Consent { .. } | Message::Invite { .. }) {
            let further =
                self.change(move |books| books.introducer.heard(now, &account, &device, message)).await?;
            if let Some(id) = further {
                self.tell_introduction(&id).await;
            }
            return Ok(true);
        }
        let known = match &message {
            Message::Proposal { card, .. } => {
                let account = card.0.account();
                self.0.driver.look(move |engine, _| engine.friend(&account).is_some()).await?
            }
            _ => false,
        };
        let taken =
            self.change(move |books| books.introduced.heard(now, &account, message, |_| known)).await?;
        if let Taken::Asks(id) = &taken {
            self.tell_request(id).await;
        }
        Ok(taken != Taken::NoRoom)
    }

    /// Waits for the friend's turn.
    async fn turn(&self, account: AccountId) {
        let now = Instant::now();
        let turn = {
            let mut turns = self.0.turns.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            turns.retain(|_, at| *at > now);
            let turn = turns.get(&account).copied().unwrap_or(now);
            turns.insert(account, turn + PAUSE);
            turn
        };
        tokio::time::sleep_until(turn).await;
    }

    async fn tell_request(&self, id: &RequestId) {
        let Some(stranger) = self.look().await.introduced.get(id).cloned() else { return };
        let by = self.0.driver.name_of(&stranger.by()).await;
        let text = says(&by, &stranger);
        self.0.driver.tell(NodeEvent::Request { id: id.to_string(), kind: "introduction".into(), text });
    }

    async fn tell_introduction(&self, id: &IntroductionId) {
        let Some(introduction) = self.look().await.introducer.get(id).cloned() else { return };
        let [one, other] = introduction.ends();
        self.0.driver.tell(NodeEvent::Introduction {
            id: data_encoding::HEXLOWER.encode(&id.0),
            friends: vec![
                self.0.driver.name_of(&one.account()).await,
                self.0.driver.name_of(&other.account()).await,
            ],
            state: standing(&introduction),
        });
    }
}

/// How far an introduction of ours has got.
pub(crate) fn standing(introduction: &Introduction) -> crate::api::types::IntroductionState {
    use crate::api::types::IntroductionState;
    match (introduction.passed(), introduction.agreed()) {
        (true, _) => IntroductionState::Passed,
        (false, true) => IntroductionState::Agreed,
        (false, false) => IntroductionState::Open,
    }
}

/// Whose word it is, and for what.
pub(crate) fn says(by: &str, stranger: &Stranger) -> String {
    format!("{by} says that this is {}, and would like the two of you to meet", stranger.card().roster().name)
}

impl Books {
    /// What is to be stored.
    fn take_changed(&mut self) -> Kept {
        let introductions = self.introducer.take_changed().into_iter();
        let requests = self.introduced.take_changed().into_iter();
        Kept {
            introductions: introductions.map(|id| (id, self.introducer.get(&id).cloned())).collect(),
            requests: requests
                .map(|id| (id, self.introduced.get(&id).cloned().map(StoredRequest::Introduced)))
                .collect(),
        }
    }
}
