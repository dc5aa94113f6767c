//! Joins the engine with the world: one task owns it, everybody else asks through a [`Driver`].
//!
//! The rule that everything else leans on: the engine's outputs are carried out in their order, and nothing that follows a change of the store happens
//! before that change is on disk. Whoever asked for something is answered after that.

mod actor;
mod doors;
mod knocks;
mod linking;
mod mail;
mod meeting;
mod outputs;
mod steps;
#[cfg_attr(
    not(feature = "api"),
    allow(dead_code, reason = "who asks over the local API comes back, and nobody else")
)]
mod told;
mod wants;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wayside_bridge::{SharedBridge, SharedRoom};
use wayside_noise::Budget;
use wayside_proto::Now;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{BridgeName, Engine, Friend};

pub(crate) use actor::{Actor, Parts};
pub(crate) use wants::Want;

use told::Told;
#[cfg(feature = "api")]
pub(crate) use told::{Place, Resumed};

use crate::api::types::{ApiError, BridgeView, ErrorCode, MessageState, NodeEvent};
use crate::clock::NodeClock;
use crate::community::Admitted;
use crate::doors::Doors;
use crate::home::{BridgeConfig, Limits};
use crate::links::{Links, LiveLink};
use crate::mail::Mail;
use crate::mailbox::Mailboxes;
use crate::reach::Reach;
use crate::relays::Relays;
use crate::store::Store;

/// Asks the task that owns the engine.
#[derive(Clone, Debug)]
pub(crate) struct Driver(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    work: mpsc::Sender<Work>,
    news: mpsc::Sender<News>,
    store: Arc<Store>,
    clock: NodeClock,
    limits: Limits,
    reach: Reach,
    relays: Relays,
    doors: Doors,
    mailboxes: Mailboxes,
    mail: Mail,
    links: Links,
    /// Whose ports were guessed at lately.
    guessed: Mutex<Budget<AccountId>>,
    /// Whose knocks are accepted without asking again.
    admitted: Admitted,
    tasks: TaskTracker,
    ending: CancellationToken,
    /// What came over bridges and is not taken in yet.
    mail_coming: mail::Coming,
    events: Told,
    settled: broadcast::Sender<([u8; 16], MessageState)>,
    grants: watch::Sender<()>,
    accepted: watch::Sender<()>,
    links_changed: watch::Sender<()>,
    friends_changed: watch::Sender<()>,
    ready: watch::Sender<bool>,
    clock_wrong: watch::Sender<Option<String>>,
    wants: wants::Wants,
}

/// What the task that owns the engine is asked.
enum Work {
    /// To do something with it, and to answer once the store has it.
    Change(Change),
    /// To look at it.
    Look(Box<dyn FnOnce(&Actor) + Send>),
}

/// Is given the reason instead where nothing can be changed now.
type Change = Box<dyn FnOnce(Result<&mut Actor, ApiError>) -> Option<Answer> + Send>;
type Answer = Box<dyn FnOnce(Result<(), ApiError>) + Send>;

/// What happened and cannot be refused. It waits while the store takes nothing.
type News = Box<dyn FnOnce(&mut Actor) + Send>;

/// Requests that may wait; whoever asks beyond it waits.
const QUEUE: usize = 256;
/// Messages that are over and that whoever waits for one may be behind.
const SETTLED: usize = 1024;

/// How often it is looked whether everything was taken back.
const LOOK: Duration = Duration::from_millis(20);

impl Driver {
    /// A driver and the end of it that the task takes.
    pub(crate) fn new(
        store: Arc<Store>,
        clock: NodeClock,
        limits: Limits,
        (reach, relays, doors, mailboxes, mail): (Reach, Relays, Doors, Mailboxes, Mail),
        (tasks, ending): (TaskTracker, CancellationToken),
    ) -> (Self, actor::Mailbox) {
        let (work, asked) = mpsc::channel(QUEUE);
        let (news, happened) = mpsc::channel(QUEUE);
        let shared = Shared {
            work,
            news,
            store,
            clock,
            limits,
            reach,
            relays,
            doors,
            mailboxes,
            mail,
            links: Links::default(),
            guessed: Mutex::default(),
            admitted: Admitted::default(),
            tasks,
            ending,
            mail_coming: mail::Coming::default(),
            events: Told::new(),
            settled: broadcast::channel(SETTLED).0,
            grants: watch::channel(()).0,
            accepted: watch::channel(()).0,
            links_changed: watch::channel(()).0,
            friends_changed: watch::channel(()).0,
            ready: watch::channel(false).0,
            clock_wrong: watch::channel(None).0,
            wants: wants::Wants::default(),
        };
        (Self(Arc::new(shared)), actor::Mailbox { work: asked, news: happened })
    }

    /// Does something with the engine and answers once what follows from it is on disk. While the disk takes nothing it does nothing.
    pub(crate) async fn change<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Engine, Now) -> R + Send + 'static,
    ) -> Result<R, ApiError> {
        self.call(move |actor| {
            let now = actor.now();
            work(actor.engine(), now)
        })
        .await
    }

    /// Looks at the engine as it is now, whether or not all of that is on disk.
    pub(crate) async fn look<R: Send + 'static>(
        &self,
        look: impl FnOnce(&Engine, Now) -> R + Send + 'static,
    ) -> Result<R, ApiError> {
        self.look_at(move |actor| look(actor.engine_as_it_is(), actor.now())).await
    }

    /// Has a bridge run from now on.
    pub(crate) async fn add_bridge(&self, config: BridgeConfig) -> Result<(), ApiError> {
        self.call(move |actor| actor.add_bridge(config)).await
    }

    /// Has a bridge run no longer.
    pub(crate) async fn remove_bridge(&self, name: String) -> Result<bool, ApiError> {
        self.call(move |actor| actor.remove_bridge(&name)).await
    }

    /// The bridges as they are.
    pub(crate) async fn bridges(&self) -> Result<Vec<BridgeView>, ApiError> {
        self.look_at(Actor::bridge_views).await
    }

    /// The bridges as they are, each with itself where it could be opened.
    pub(crate) async fn bridges_to_try(&self) -> Result<Vec<(BridgeView, Option<SharedBridge>)>, ApiError> {
        self.look_at(Actor::bridges_to_try).await
    }

    /// The room of a bridge, where it has one and works.
    pub(crate) async fn room(&self, bridge: &str) -> Option<SharedRoom> {
        let bridge = bridge.to_owned();
        self.look_at(move |actor| actor.room(&bridge)).await.ok().flatten()
    }

    async fn call<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Actor) -> R + Send + 'static,
    ) -> Result<R, ApiError> {
        let (answer, answered) = oneshot::channel();
        let change: Change = Box::new(move |actor| {
            // Whoever asked may have gone.
            match actor {
                Ok(actor) => {
                    let result = work(actor);
                    Some(Box::new(move |stored| drop(answer.send(stored.map(|()| result)))))
                }
                Err(error) => {
                    drop(answer.send(Err(error)));
                    None
                }
            }
        });
        self.0.work.send(Work::Change(change)).await.map_err(|_| ending())?;
        answered.await.map_err(|_| ending())?
    }

    async fn look_at<R: Send + 'static>(
        &self,
        look: impl FnOnce(&Actor) -> R + Send + 'static,
    ) -> Result<R, ApiError> {
        let (answer, answered) = oneshot::channel();
        // Whoever asked may have gone.
        let look = Box::new(move |actor: &Actor| drop(answer.send(look(actor))));
        self.0.work.send(Work::Look(look)).await.map_err(|_| ending())?;
        answered.await.map_err(|_| ending())
    }

    /// Something happened. Waits while the store takes nothing, so that what comes from outside costs bounded memory.
    async fn happened(&self, news: impl FnOnce(&mut Actor) + Send + 'static) {
        // The node is ending otherwise.
        let _ = self.0.news.send(Box::new(news)).await;
    }

    /// Takes back what would be litter once the node is gone.
    pub(crate) async fn leave(&self) {
        let mut littered = self.change(|engine, now| engine.tidy_up(now)).await.is_ok();
        while littered {
            littered = self.look(|engine, _| engine.leaves_litter()).await.unwrap_or(false);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The same for one bridge, everything there.
    pub(crate) async fn leave_bridge(&self, name: String) {
        let bridge = BridgeName(name);
        let leaving = bridge.clone();
        let mut littered = self.change(move |engine, now| engine.tidy_up_at(now, &leaving)).await.is_ok();
        while littered {
            let bridge = bridge.clone();
            littered = self.look(move |engine, _| engine.leaves_litter_at(&bridge)).await.unwrap_or(false);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A message of ours has come as far as it will.
    pub(crate) fn settle(&self, id: [u8; 16], state: MessageState) {
        // Nobody may be waiting.
        let _ = self.0.settled.send((id, state));
    }

    /// Messages of ours as they come as far as they will.
    pub(crate) fn settled(&self) -> broadcast::Receiver<([u8; 16], MessageState)> {
        self.0.settled.subscribe()
    }

    /// What a friend is called here.
    pub(crate) async fn name_of(&self, account: &AccountId) -> String {
        let id = *account;
        let name =
            self.look(move |engine, _| engine.friend(&id).map(|friend| friend.name().to_owned())).await;
        name.ok().flatten().unwrap_or_else(|| account.to_string())
    }

    /// What whoever relays a link is called here.
    pub(crate) async fn relay_of(&self, live: &LiveLink) -> Option<String> {
        let relay = live.relay(self.relays())?;
        Some(self.name_of(&relay).await)
    }

    /// Something that listeners may want to know.
    pub(crate) fn tell(&self, event: NodeEvent) {
        self.0.events.tell(event);
    }

    /// Listens to events from now on.
    pub(crate) fn events(&self) -> broadcast::Receiver<NodeEvent> {
        self.0.events.listen()
    }

    /// What was told behind a place, where one is named, and what comes from now on.
    #[cfg(feature = "api")]
    pub(crate) fn resume_events(&self, from: Option<Place>) -> Resumed {
        self.0.events.resume(from)
    }

    /// Changes when what is given over links may have.
    pub(crate) fn grants_changed(&self) -> watch::Receiver<()> {
        self.0.grants.subscribe()
    }

    /// What is given over links may have changed.
    pub(crate) fn grants_may_have_changed(&self) {
        self.0.grants.send_replace(());
    }

    /// Changes when a message was accepted for somebody.
    pub(crate) fn message_accepted(&self) -> watch::Receiver<()> {
        self.0.accepted.subscribe()
    }

    /// A message was accepted for somebody.
    pub(crate) fn accepted_message(&self) {
        self.0.accepted.send_replace(());
    }

    /// Changes when a link came or went.
    pub(crate) fn links_changed(&self) -> watch::Receiver<()> {
        self.0.links_changed.subscribe()
    }

    /// Changes when a friend was blocked or removed.
    pub(crate) fn friends_changed(&self) -> watch::Receiver<()> {
        self.0.friends_changed.subscribe()
    }

    /// A friend was blocked or removed.
    pub(crate) async fn friends_have_changed(&self) {
        self.0.friends_changed.send_replace(());
        let heard = |friend: &&Friend| !friend.blocked();
        let friends =
            self.look(move |engine, _| engine.friends().filter(heard).map(Friend::account).collect());
        // The node is ending otherwise.
        if let Ok(friends) = friends.await {
            self.reach().keep_only(&friends);
        }
    }

    /// Whether it listens and every bridge was tried.
    pub(crate) fn ready(&self) -> watch::Receiver<bool> {
        self.0.ready.subscribe()
    }

    /// What is wrong with the clock, in words.
    pub(crate) fn clock_wrong(&self) -> Option<String> {
        self.0.clock_wrong.borrow().clone()
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.0.store
    }

    pub(crate) fn clock(&self) -> &NodeClock {
        &self.0.clock
    }

    pub(crate) fn limits(&self) -> Limits {
        self.0.limits
    }

    /// What is known of how this machine is reached.
    pub(crate) fn reach(&self) -> &Reach {
        &self.0.reach
    }

    /// Friends who forward for us, and for whom we forward.
    pub(crate) fn relays(&self) -> &Relays {
        &self.0.relays
    }

    /// What is kept for friends who are away, and what friends keep for us.
    pub(crate) fn mailboxes(&self) -> &Mailboxes {
        &self.0.mailboxes
    }

    /// The doors of friends' guests, here and elsewhere.
    pub(crate) fn doors(&self) -> &Doors {
        &self.0.doors
    }

    /// Whose knocks are accepted without asking again.
    pub(crate) fn admitted(&self) -> &Admitted {
        &self.0.admitted
    }

    /// Our own mail.
    pub(crate) fn mail(&self) -> &Mail {
        &self.0.mail
    }

    /// Is cancelled when the node ends.
    pub(crate) fn ending(&self) -> &CancellationToken {
        &self.0.ending
    }

    /// Has something done beside everything else, until the node ends.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let ending = self.0.ending.clone();
        // As one type: the runtime's part of a task would else be compiled for each.
        let task: BoxFuture<'static, ()> = Box::pin(task);
        self.0.tasks.spawn(async move {
            ending.run_until_cancelled(task).await;
        });
    }

    pub(crate) fn links(&self) -> &Links {
        &self.0.links
    }
}

fn ending() -> ApiError {
    ApiError::new(ErrorCode::Internal, "the node is ending")
}
