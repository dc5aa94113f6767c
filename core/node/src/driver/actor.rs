//! The task that owns the engine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wayside_noise::{Endpoint, Expectation, Link};
use wayside_proto::Now;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{BridgeName, Engine, Event, Input, Output, Session as Secrets, SessionId};
use wayside_proto::place::Candidates;

use super::{Answer, Driver, Work, candidates};
use crate::api::types::{ApiError, BridgeView, ErrorCode, NodeEvent};
use crate::bridges::{BridgeEnvironment, BridgeHandle, Job, Publication, Report};
use crate::home::BridgeConfig;
use crate::links::{LiveLink, Peer, Protocols, Session, ping};
use crate::store::StoreError;

/// The end of a driver that the task takes.
pub(crate) struct Mailbox(pub(super) mpsc::Receiver<Work>);

/// What the task is made of.
pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) driver: Driver,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) bridges: BridgeEnvironment,
    pub(crate) reports: mpsc::Receiver<Report>,
    pub(crate) protocols: Arc<Protocols>,
    pub(crate) tasks: TaskTracker,
}

/// Owns the engine and carries out what it says.
pub(crate) struct Actor {
    parts: Parts,
    bridges: BTreeMap<BridgeName, BridgeHandle>,
    /// Bridges that were not tried yet since the start.
    untried: BTreeSet<BridgeName>,
    /// What is to be done and waits for the store.
    waiting: VecDeque<Output>,
    /// Whom to answer once it does.
    asking: Vec<Answer>,
    /// Why the store does not take it.
    stuck: Option<Instant>,
    /// Links that the engine was told of and has not judged yet.
    arrived: BTreeMap<SessionId, Link>,
    dials: BTreeMap<SessionId, CancellationToken>,
    known_candidates: Candidates,
}

/// How often a store that does not take things is tried again.
const RETRY_STORE: Duration = Duration::from_secs(2);
/// How long the other end of a link may take to echo when there is doubt whether it is there.
const ECHO: Duration = Duration::from_secs(1);
/// How often the machine's addresses are looked at.
const LOOK_AROUND: Duration = Duration::from_secs(20);

impl Actor {
    pub(crate) fn new(parts: Parts, bridges: Vec<BridgeConfig>) -> Self {
        let mut actor = Self {
            parts,
            bridges: BTreeMap::new(),
            untried: BTreeSet::new(),
            waiting: VecDeque::new(),
            asking: Vec::new(),
            stuck: None,
            arrived: BTreeMap::new(),
            dials: BTreeMap::new(),
            known_candidates: Candidates::default(),
        };
        for bridge in bridges {
            actor.add_bridge(bridge);
        }
        actor
    }

    /// Runs until every driver is gone or `stop` says so.
    pub(crate) async fn run(mut self, mut mailbox: Mailbox, stop: CancellationToken) {
        self.look_around();
        self.say_if_ready();
        let mut look_around = tokio::time::interval(LOOK_AROUND);
        loop {
            self.carry_out().await;
            let engine_due =
                self.parts.engine.poll_timeout().map(|due| self.parts.driver.clock().instant(due));
            let stuck = self.stuck;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = until(stuck) => {}
                work = mailbox.0.recv() => match work {
                    Some(Work::Call(call)) => self.called(call),
                    Some(Work::Arrived(link)) => self.link_arrived(link),
                    None => break,
                },
                // While the store takes nothing, nothing more is taken in from outside: memory stays bounded.
                report = self.parts.reports.recv(), if stuck.is_none() => {
                    if let Some(report) = report {
                        self.reported(report);
                    }
                }
                () = until(engine_due.map(Instant::from_std)), if stuck.is_none() => {
                    let now = self.now();
                    self.parts.engine.handle_timeout(now);
                }
                _ = look_around.tick() => self.look_around(),
            }
        }
        self.carry_out().await;
    }

    pub(super) fn now(&self) -> Now {
        self.parts.driver.clock().now_both()
    }

    pub(super) fn engine(&mut self) -> &mut Engine {
        &mut self.parts.engine
    }

    pub(super) fn driver(&self) -> &Driver {
        &self.parts.driver
    }

    pub(super) fn add_bridge(&mut self, config: BridgeConfig) {
        let name = BridgeName(config.name.clone());
        self.untried.insert(name.clone());
        self.parts.driver.0.ready.send_replace(false);
        self.bridges.insert(name, BridgeHandle::start(config, self.parts.bridges.clone()));
    }

    pub(super) fn remove_bridge(&mut self, name: &str) -> bool {
        let name = BridgeName(name.to_owned());
        let was_there = self.bridges.remove(&name).is_some();
        self.untried.remove(&name);
        self.say_if_ready();
        let now = self.now();
        self.parts.engine.handle(now, Input::BridgeDown { bridge: name });
        was_there
    }

    pub(super) fn bridge_views(&self) -> Vec<BridgeView> {
        let out = self.parts.engine.records_out();
        let view = |(name, bridge): (&BridgeName, &BridgeHandle)| BridgeView {
            published: out.get(name).copied().unwrap_or_default(),
            ..bridge.view()
        };
        self.bridges.iter().map(view).collect()
    }

    pub(super) fn link_down(&mut self, session: SessionId) {
        let now = self.now();
        self.arrived.remove(&session);
        self.forget_link(session);
        self.parts.engine.handle(now, Input::LinkDown { session });
    }

    fn called(&mut self, call: super::Call) {
        let answer = call(self);
        self.asking.push(answer);
    }

    fn reported(&mut self, report: Report) {
        let now = self.now();
        match report {
            Report::Input(input) => self.parts.engine.handle(now, input),
            Report::Tried(bridge) => {
                self.untried.remove(&bridge);
                self.say_if_ready();
            }
            Report::Up(bridge) => self.parts.driver.tell(NodeEvent::BridgeUp { bridge: bridge.0 }),
            Report::Down(bridge) => {
                if let Some(view) = self.bridges.get(&bridge).map(BridgeHandle::view) {
                    let error = view.error.unwrap_or_default();
                    self.parts.driver.tell(NodeEvent::BridgeDown {
                        bridge: bridge.0,
                        error,
                        retry_at: view.retry_at,
                    });
                }
            }
        }
    }

    fn say_if_ready(&self) {
        if self.untried.is_empty() {
            self.parts.driver.0.ready.send_replace(true);
        }
    }

    /// Tells the engine our addresses where they have changed.
    fn look_around(&mut self) {
        let candidates = candidates::of(&self.parts.endpoint.local_addresses());
        if candidates != self.known_candidates {
            self.known_candidates = candidates.clone();
            let now = self.now();
            self.parts.engine.handle(now, Input::Candidates(candidates));
        }
    }

    fn link_arrived(&mut self, link: Link) {
        let session = SessionId(link.session().0);
        let now = self.now();
        self.arrived.insert(session, link);
        self.parts.engine.handle(now, Input::LinkUp { session });
    }

    /// Carries out what the engine says, in its order, and answers those who asked. Stops where the store does not take something, to go on there later.
    async fn carry_out(&mut self) {
        loop {
            self.waiting.extend(std::iter::from_fn(|| self.parts.engine.poll_output()));
            let Some(output) = self.waiting.pop_front() else { break };
            if let Output::Persist(changes) = output {
                let store = Arc::clone(self.parts.driver.store());
                let (changes, stored) =
                    match store.run(move |store| Ok((store.apply(&changes), changes))).await {
                        Ok((stored, changes)) => (changes, stored),
                        // The runtime is ending.
                        Err(_) => return,
                    };
                if let Err(error) = stored {
                    self.waiting.push_front(Output::Persist(changes));
                    return self.store_refuses(error);
                }
            } else {
                self.perform(output);
            }
        }
        self.stuck = None;
        for answer in self.asking.drain(..) {
            answer(Ok(()));
        }
    }

    fn store_refuses(&mut self, error: StoreError) {
        if self.stuck.is_none() {
            tracing::error!(%error, "the store does not take what happened; nothing goes out until it does");
            self.parts.driver.tell(NodeEvent::Warning { what: ApiError::from(error).message });
        }
        self.stuck = Some(Instant::now() + RETRY_STORE);
        for answer in self.asking.drain(..) {
            answer(Err(ApiError::new(
                ErrorCode::Home,
                "the disk does not take it: make room; it is tried again by itself",
            )));
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Persist(_) => {}
            Output::Publish { id, bridge, slot, not_after, bytes } => {
                self.submit(&bridge, Job::Publish(Publication { id, slot, not_after, bytes }));
            }
            Output::Retract { bridge, receipts } => self.submit(&bridge, Job::Retract(receipts)),
            Output::Watch { bridge, slots } => {
                if let Some(bridge) = self.bridges.get(&bridge) {
                    bridge.watch(slots);
                }
            }
            Output::Expect(session) => self.parts.endpoint.expect(expectation(&session)),
            Output::Dial { session, candidates, patience } => self.dial(session, candidates, patience),
            // Dials try each candidate for as long as they last; more of them come with traversal.
            Output::MoreCandidates { .. } => {}
            Output::Forget(session) => {
                self.parts.endpoint.forget(wayside_noise::SessionId(session.0));
                if let Some(dial) = self.dials.remove(&session) {
                    dial.cancel();
                }
            }
            Output::CloseLink { session, reason } => {
                if let Some(link) = self.arrived.remove(&session) {
                    link.close(reason);
                }
                if let Some(live) = self.forget_link(session) {
                    live.peer.link.close(reason);
                }
            }
            Output::CheckLink { session } => self.check_link(session),
            Output::Close { account, reason } => {
                if let Some(live) = self.parts.driver.links().of(&account) {
                    self.forget_link(live.session);
                    live.peer.link.close(reason);
                }
            }
            Output::Event(event) => self.tell(event),
        }
    }

    fn submit(&self, bridge: &BridgeName, job: Job) {
        // A bridge that was removed meanwhile: the engine hears of that by itself.
        if let Some(bridge) = self.bridges.get(bridge) {
            bridge.submit(job);
        }
    }

    fn dial(&mut self, session: Secrets, candidates: Candidates, patience: Duration) {
        let give_up = CancellationToken::new();
        if let Some(earlier) = self.dials.insert(session.id, give_up.clone()) {
            earlier.cancel();
        }
        let (driver, endpoint) = (self.parts.driver.clone(), Arc::clone(&self.parts.endpoint));
        let addresses: Vec<SocketAddr> = candidates.iter().map(|candidate| candidate.address).collect();
        self.parts.tasks.spawn(async move {
            let id = session.id;
            let dialling = endpoint.connect(expectation(&session), &addresses, patience);
            match give_up.run_until_cancelled(dialling).await {
                Some(Ok(link)) => driver.arrived(link).await,
                Some(Err(error)) => {
                    let why = error.to_string();
                    // The node is ending otherwise.
                    let _ = driver
                        .change(move |engine, now| engine.handle(now, Input::DialFailed { session: id, why }))
                        .await;
                }
                None => {}
            }
        });
    }

    /// Asks the other end to echo, and closes the link where it does not: it may have died and come back without the link.
    fn check_link(&self, session: SessionId) {
        let links = self.parts.driver.links().all();
        let Some((_, live)) = links.into_iter().find(|(_, live)| live.session == session) else { return };
        let link = live.peer.link;
        self.parts.tasks.spawn(async move {
            let echo = async { ping::Pinger::new(&link).await?.ping().await };
            let patience = ECHO.max(link.rtt() * 4);
            if !matches!(tokio::time::timeout(patience, echo).await, Ok(Ok(_))) {
                link.close("no answer");
            }
        });
    }

    fn forget_link(&mut self, session: SessionId) -> Option<LiveLink> {
        let gone = self.parts.driver.links().remove(session)?;
        self.parts.driver.0.links_changed.send_replace(());
        Some(gone)
    }

    fn name_of(&self, account: &AccountId) -> String {
        self.parts
            .engine
            .friend(account)
            .map_or_else(|| account.to_string(), |friend| friend.name().to_owned())
    }

    fn tell(&mut self, event: Event) {
        let driver = self.parts.driver.clone();
        match event {
            Event::FriendAdded { account, name, .. } => {
                driver.tell(NodeEvent::FriendAdded { friend: name, account: account.to_string() });
            }
            Event::InviteRefused { why, .. } => {
                driver.tell(NodeEvent::InviteRefused { why: crate::api::words::refusal(why).to_owned() });
            }
            Event::JoinRefused { why, .. } => {
                driver.tell(NodeEvent::JoinRefused { why: crate::api::words::join_refused(why).to_owned() });
            }
            Event::Meeting { .. } => {}
            Event::MeetingFailed { account, why, .. } => {
                driver.tell(NodeEvent::MeetingFailed { friend: self.name_of(&account), why });
            }
            Event::LinkUp { account, session } => self.link_up(account, session),
            Event::LinkDown { account } => {
                driver.tell(NodeEvent::LinkDown { friend: self.name_of(&account) })
            }
            Event::FriendChanged { .. } => driver.grants_may_have_changed(),
            Event::ClockWrong { by, ahead } => {
                driver.tell(NodeEvent::Warning { what: crate::api::words::clock_wrong(by, ahead) });
            }
            Event::Suspicious { what, .. } => driver.tell(NodeEvent::Warning { what }),
        }
    }

    fn link_up(&mut self, account: AccountId, session: SessionId) {
        let Some(link) = self.arrived.remove(&session) else { return };
        self.dials.remove(&session);
        let device = self.parts.engine.friend(&account).and_then(|friend| {
            friend.card().roster().device_by_noise(&link.peer()).map(|entry| entry.keys.id())
        });
        let Some(device) = device else { return link.close("unknown device") };
        let driver = self.parts.driver.clone();
        let live = LiveLink { session, peer: Peer { account, device, link }, since: driver.clock().wall() };
        let event = NodeEvent::LinkUp {
            friend: self.name_of(&account),
            path: live.path(),
            remote: Some(live.remote().to_string()),
        };
        driver.links().insert(live.clone());
        driver.0.links_changed.send_replace(());
        driver.tell(event);
        let (protocols, tasks) = (Arc::clone(&self.parts.protocols), self.parts.tasks.clone());
        let session = Session { link: live, protocols, driver, tasks };
        self.parts.tasks.spawn(session.run());
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn expectation(session: &Secrets) -> Expectation {
    Expectation {
        session: wayside_noise::SessionId(session.id.0),
        peer: session.peer,
        gate: (*session.gate.expose()).into(),
        psk: (*session.psk.expose()).into(),
    }
}
