//! The configured bridges, each run by a task of its own.
//!
//! The engine says what is to be published, taken back and watched; a [`Runner`](runner) does it with whatever the service allows, keeps
//! trying when the service is away, and tells the engine what was found.

pub(crate) mod bell;
mod jobs;
mod profile;
mod runner;
mod seen;
mod watcher;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wayside_bridge::{Class, Opened, Registry, SharedBridge, SharedRoom};
use wayside_proto::UnixMillis;
use wayside_proto::engine::{BridgeName, Input, PublicationId, Space};
use wayside_proto::mailbox::wire::Bell;
use wayside_proto::meet::slot::SlotId;

pub(crate) use jobs::Job;
pub(crate) use profile::{custody, describe, not_yet_tried};
pub(crate) use runner::{caught, open};

use crate::api::types::BridgeView;
use crate::clock::NodeClock;
use crate::home::BridgeConfig;
use crate::reach::Reach;

/// Slots to watch, by space.
pub(crate) type Slots = BTreeMap<Space, BTreeSet<SlotId>>;

/// What every runner is given.
#[derive(Clone)]
pub(crate) struct BridgeEnvironment {
    pub(crate) registry: Registry,
    pub(crate) home: PathBuf,
    pub(crate) clock: NodeClock,
    pub(crate) tasks: TaskTracker,
    /// Where it goes that a service shows our address.
    pub(crate) reach: Reach,
    /// Where it says what it found.
    pub(crate) found: mpsc::Sender<Report>,
}

/// What a runner has to say.
#[derive(Debug)]
pub(crate) struct Report {
    /// Of which bridge.
    pub(crate) bridge: BridgeName,
    /// Which run of it: one that was removed and added again is another one.
    pub(crate) run: u64,
    /// What.
    pub(crate) what: What,
}

/// What is said of a bridge.
#[derive(Debug)]
pub(crate) enum What {
    /// For the engine.
    Input(Input),
    /// It was tried for the first time, with or without success.
    Tried,
    /// It works, after it did not or for the first time.
    Up,
    /// It does not work any more, or did not from the start.
    Down,
}

/// Says what one run of a bridge has to say.
#[derive(Clone, Debug)]
struct Reporter {
    bridge: BridgeName,
    run: u64,
    reports: mpsc::Sender<Report>,
}

impl Reporter {
    /// Waits while the node has too much to do, which slows the bridge down too.
    async fn say(&self, what: What) {
        let report = Report { bridge: self.bridge.clone(), run: self.run, what };
        // Nobody listens any more when the node ends.
        let _ = self.reports.send(report).await;
    }

    async fn input(&self, input: Input) {
        self.say(What::Input(input)).await;
    }
}

/// A bridge and its room, once they are open.
type Shown = Arc<Mutex<Option<Opened>>>;

/// A configured bridge as others see it.
#[derive(Debug)]
pub(crate) struct BridgeHandle {
    run: u64,
    jobs: mpsc::UnboundedSender<Job>,
    slots: watch::Sender<Slots>,
    status: Arc<Mutex<BridgeView>>,
    /// Has it tried again now, where it does not work.
    again: Arc<Notify>,
    shown: Shown,
    /// What our bell there is called, where its user hung one.
    ring_name: Option<String>,
    cancel: CancellationToken,
}

impl BridgeHandle {
    /// Starts running a bridge.
    pub(crate) fn start(run: u64, config: BridgeConfig, environment: BridgeEnvironment) -> Self {
        // Bounded by the engine, which has at most `Config::max_publications` of them under way.
        let (jobs, job_queue) = mpsc::unbounded_channel();
        let (slots, wanted) = watch::channel(Slots::new());
        let status = Arc::new(Mutex::new(profile::not_yet_tried(&config)));
        let cancel = CancellationToken::new();
        let ring_name = config.options.get(bell::RING_NAME).cloned();
        let (again, shown) = (Arc::new(Notify::new()), Shown::default());
        let runner = runner::Runner::new(
            run,
            config,
            environment.clone(),
            Arc::clone(&status),
            Arc::clone(&again),
            Arc::clone(&shown),
        );
        let stop = cancel.clone();
        environment.tasks.spawn(async move {
            stop.run_until_cancelled(runner.run(job_queue, wanted)).await;
        });
        Self { run, jobs, slots, status, again, shown, ring_name, cancel }
    }

    /// Which run of the bridge this is.
    pub(crate) const fn run(&self) -> u64 {
        self.run
    }

    /// Has something published or taken back.
    pub(crate) fn submit(&self, job: Job) {
        // The runner is gone only when the bridge was removed, and then nobody waits for an answer.
        let _ = self.jobs.send(job);
    }

    /// Says what is to be watched from now on.
    pub(crate) fn watch(&self, slots: Slots) {
        self.slots.send_replace(slots);
    }

    /// Something happened because of which it may work again: it is tried now, and not when it would have been.
    pub(crate) fn try_again(&self) {
        if !self.view().healthy {
            self.again.notify_one();
        }
    }

    /// How it is.
    pub(crate) fn view(&self) -> BridgeView {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Our bell there, where its user hung one and the bridge works.
    pub(crate) fn bell(&self) -> Option<Bell> {
        bell::of(self.ring_name.as_deref()?, &*self.opened()?)
    }

    /// The bridge itself, where it could be opened, for whoever wants to try it.
    pub(crate) fn opened(&self) -> Option<SharedBridge> {
        Some(self.shown()?.bridge)
    }

    /// Its room, where it has one and works.
    pub(crate) fn room(&self) -> Option<SharedRoom> {
        self.shown()?.room.filter(|_| self.view().healthy)
    }

    fn shown(&self) -> Option<Opened> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for BridgeHandle {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// A record to publish.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) id: PublicationId,
    pub(crate) slot: SlotId,
    pub(crate) not_after: UnixMillis,
    pub(crate) bytes: Vec<u8>,
    pub(crate) class: Class,
}
