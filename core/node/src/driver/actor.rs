//! The task that owns the engine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wayside_bridge::{SharedBridge, SharedRoom};
use wayside_noise::{Endpoint, Link};
use wayside_proto::Now;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{BridgeName, Engine, Input, Output, SessionId};

use super::doors::DoorMeetings;
use super::knocks::Told;
use super::meeting::Meetings;
use super::{Answer, Driver, News, Work};
use crate::api::types::{BridgeView, NodeEvent};
use crate::bridges::{BridgeEnvironment, BridgeHandle, Report, What};
use crate::doors::DoorProtocols;
use crate::home::BridgeConfig;
use crate::introductions::Introductions;
use crate::links::Protocols;
use crate::relays::hello::GuestProtocols;

/// The end of a driver that the task takes.
pub(crate) struct Mailbox {
    pub(super) work: mpsc::Receiver<Work>,
    pub(super) news: mpsc::Receiver<News>,
}

/// What the task is made of.
pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) driver: Driver,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) bridges: BridgeEnvironment,
    pub(crate) reports: mpsc::Receiver<Report>,
    pub(crate) protocols: Arc<Protocols>,
    pub(crate) introductions: Introductions,
    pub(crate) guest_protocols: Arc<GuestProtocols>,
    pub(crate) door_protocols: Arc<DoorProtocols>,
    pub(crate) tasks: TaskTracker,
}

/// Owns the engine and carries out what it says.
///
/// While the store takes nothing, nothing is taken in either: news and reports wait in their queues, and with them whoever has more to say; requests to
/// change something are refused; the engine's clock stands still. So what is held back is what one input led to, and no more.
pub(crate) struct Actor {
    pub(super) parts: Parts,
    pub(super) bridges: BTreeMap<BridgeName, BridgeHandle>,
    /// Bridges that were not tried yet since the start.
    untried: BTreeSet<BridgeName>,
    /// What is to be done and waits for the store.
    pub(super) waiting: VecDeque<Output>,
    /// Whom to answer once it does.
    pub(super) asking: Vec<Answer>,
    /// The store does not take it, and is tried again then.
    pub(super) stuck: Option<Instant>,
    /// Whether a person was told so.
    pub(super) complained: bool,
    /// Links that the engine was told of and has not judged yet.
    pub(super) arrived: BTreeMap<SessionId, Link>,
    pub(super) meetings: Meetings,
    pub(super) door_meetings: DoorMeetings,
    pub(super) knocks_told: Told,
    /// Numbers links and runs of bridges, so that what is said of an earlier one is not taken for a later one.
    pub(super) numbered: u64,
}

impl Actor {
    pub(crate) fn new(parts: Parts, bridges: Vec<BridgeConfig>) -> Self {
        let mut actor = Self {
            parts,
            bridges: BTreeMap::new(),
            untried: BTreeSet::new(),
            waiting: VecDeque::new(),
            asking: Vec::new(),
            stuck: None,
            complained: false,
            arrived: BTreeMap::new(),
            meetings: Meetings::default(),
            door_meetings: DoorMeetings::default(),
            knocks_told: Told::default(),
            numbered: 0,
        };
        for bridge in bridges {
            actor.add_bridge(bridge);
        }
        actor
    }

    /// Runs until `stop` says so.
    pub(crate) async fn run(mut self, mut mailbox: Mailbox, stop: CancellationToken) {
        let mut told = self.parts.driver.reach().told();
        let mut relays = self.parts.driver.relays().changed();
        self.tell_engine();
        self.tell_relays();
        self.say_if_ready();
        loop {
            self.carry_out().await;
            let engine_due =
                self.parts.engine.poll_timeout().map(|due| self.parts.driver.clock().instant(due));
            let stuck = self.stuck;
            tokio::select! {
                () = stop.cancelled() => break,
                () = until(stuck) => self.stuck = None,
                work = mailbox.work.recv() => match work {
                    Some(Work::Change(change)) => {
                        let answer = change(if stuck.is_some() { Err(super::outputs::refused()) } else { Ok(&mut self) });
                        self.asking.extend(answer);
                    }
                    Some(Work::Look(look)) => look(&self),
                    None => break,
                },
                news = mailbox.news.recv(), if stuck.is_none() => {
                    if let Some(news) = news {
                        news(&mut self);
                    }
                }
                report = self.parts.reports.recv(), if stuck.is_none() => {
                    if let Some(report) = report {
                        self.reported(report);
                    }
                }
                () = until(engine_due), if stuck.is_none() => {
                    let now = self.now();
                    self.parts.engine.handle_timeout(now);
                }
                Ok(()) = told.changed(), if stuck.is_none() => self.tell_engine(),
                Ok(()) = relays.changed(), if stuck.is_none() => self.tell_relays(),
            }
        }
        self.stuck = None;
        self.carry_out().await;
        // Whoever waits to say something must not wait for ever, and what messages want holds the driver.
        drop(mailbox);
        self.parts.driver.want_nobody().await;
    }

    pub(super) fn now(&self) -> Now {
        self.parts.driver.clock().now_both()
    }

    pub(super) fn engine(&mut self) -> &mut Engine {
        &mut self.parts.engine
    }

    pub(super) const fn engine_as_it_is(&self) -> &Engine {
        &self.parts.engine
    }

    /// Tells the engine that somebody wants an account, where that is so. The engine may want it on its own account, too.
    pub(super) fn want_if_wanted(&mut self, account: &AccountId) {
        if self.parts.driver.wanted(account) {
            self.want_or_not(account);
        }
    }

    /// Tells the engine whether somebody wants an account.
    pub(super) fn want_or_not(&mut self, account: &AccountId) {
        let now = self.now();
        if self.parts.driver.wanted(account) {
            self.parts.engine.want(now, account, None);
        } else {
            self.parts.engine.unwant(now, account);
        }
    }

    pub(super) fn add_bridge(&mut self, config: BridgeConfig) {
        let name = BridgeName(config.name.clone());
        self.untried.insert(name.clone());
        self.parts.driver.0.ready.send_replace(false);
        self.numbered = self.numbered.saturating_add(1);
        let handle = BridgeHandle::start(self.numbered, config, self.parts.bridges.clone());
        self.bridges.insert(name, handle);
    }

    pub(super) fn remove_bridge(&mut self, name: &str) -> bool {
        let name = BridgeName(name.to_owned());
        let was_there = self.bridges.remove(&name).is_some();
        self.untried.remove(&name);
        self.parts.driver.reach().service_shows(&name.0, None);
        self.say_if_ready();
        let now = self.now();
        self.parts.engine.handle(now, Input::BridgeDown { bridge: name });
        was_there
    }

    /// Bridges that go over links may work again.
    pub(super) fn try_bridges_over_links(&self) {
        let over_links = |bridge: &&BridgeHandle| bridge.view().kind == crate::boards::KIND;
        self.bridges.values().filter(over_links).for_each(BridgeHandle::try_again);
    }

    pub(super) fn bridge_views(&self) -> Vec<BridgeView> {
        let out = self.parts.engine.records_out();
        let view = |(name, bridge): (&BridgeName, &BridgeHandle)| BridgeView {
            published: out.get(name).copied().unwrap_or_default(),
            ..bridge.view()
        };
        self.bridges.iter().map(view).collect()
    }

    /// Each bridge as it is, and the bridge itself where it could be opened.
    pub(super) fn bridges_to_try(&self) -> Vec<(BridgeView, Option<SharedBridge>)> {
        self.bridges.values().map(|bridge| (bridge.view(), bridge.opened())).collect()
    }

    /// The room of a bridge that works.
    pub(super) fn room(&self, bridge: &str) -> Option<SharedRoom> {
        self.bridges.get(&BridgeName(bridge.to_owned()))?.room()
    }

    fn reported(&mut self, report: Report) {
        let Report { bridge, run, what } = report;
        // One that was removed meanwhile must not come up again by what it had said before.
        let Some(handle) = self.bridges.get(&bridge).filter(|handle| handle.run() == run) else { return };
        let now = self.now();
        match what {
            What::Input(input) => self.parts.engine.handle(now, input),
            What::Tried => {
                self.untried.remove(&bridge);
                self.say_if_ready();
            }
            What::Up => self.parts.driver.tell(NodeEvent::BridgeUp { bridge: bridge.0 }),
            What::Down => {
                let view = handle.view();
                let error = view.error.unwrap_or_default();
                let retry_at = view.retry_at;
                self.parts.driver.tell(NodeEvent::BridgeDown { bridge: bridge.0, error, retry_at });
            }
        }
    }

    fn say_if_ready(&self) {
        if self.untried.is_empty() {
            self.parts.driver.0.ready.send_replace(true);
        }
    }

    /// Tells the engine who forwards for us.
    fn tell_relays(&mut self) {
        let (relays, now) = (self.parts.driver.relays().ranked(), self.now());
        self.parts.engine.handle(now, Input::Relays(relays));
    }

    /// Tells the engine how we are reached, and whom newcomers may ask how they are; and meetings what is in front of us.
    pub(super) fn tell_engine(&mut self) {
        let told = self.parts.driver.reach().told().borrow().clone();
        let now = self.now();
        self.parts.engine.handle(now, Input::Reflectors(told.reflectors));
        self.parts.engine.handle(now, Input::Reach(told.reach));
        self.nat_measured(told.nat);
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
