//! What the engine says, carried out in its order.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wayside_bridge::Class;
use wayside_noise::{Expectation, Kem, Whom};
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{BridgeName, Event, Input, Output, Session as Secrets, SessionId};
use wayside_proto::reach::Reflector;

use super::actor::Actor;
use crate::api::types::{ApiError, ErrorCode, NodeEvent};
use crate::api::words;
use crate::bridges::{Job, Publication};
use crate::store::StoreError;

/// How often a store that does not take things is tried again.
const RETRY_STORE: Duration = Duration::from_secs(2);
/// How long a newcomer asks how it is seen before it says what it knows.
const MEASURE: Duration = Duration::from_secs(4);

impl Actor {
    /// Carries out what the engine says, and answers those who asked. Stops where the store does not take something, to go on there later.
    pub(super) async fn carry_out(&mut self) {
        if self.stuck.is_some() {
            return;
        }
        loop {
            self.waiting.extend(std::iter::from_fn(|| self.parts.engine.poll_output()));
            match self.waiting.pop_front() {
                None => break,
                Some(Output::Persist(changes)) => {
                    let changes = Arc::new(changes);
                    let (store, stored) = (self.parts.driver.store(), Arc::clone(&changes));
                    if let Err(error) = store.run(move |store| store.apply(&stored)).await {
                        self.waiting.push_front(Output::Persist(Arc::unwrap_or_clone(changes)));
                        return self.store_refuses(error);
                    }
                }
                Some(output) => self.perform(output),
            }
        }
        for link in std::mem::take(&mut self.arrived).into_values() {
            // The engine had nothing to say of it.
            link.close("not expected");
        }
        for answer in self.asking.drain(..) {
            answer(Ok(()));
        }
    }

    fn store_refuses(&mut self, error: StoreError) {
        // Said once for as long as it lasts.
        if !std::mem::replace(&mut self.complained, true) {
            tracing::error!(%error, "the store does not take what happened; nothing goes out until it does");
            self.parts.driver.tell(NodeEvent::Warning { what: ApiError::from(error).message });
        }
        self.stuck = Some(Instant::now() + RETRY_STORE);
        for answer in self.asking.drain(..) {
            answer(Err(refused()));
        }
    }

    fn perform(&mut self, output: Output) {
        self.complained = false;
        match output {
            Output::Persist(_) => {}
            Output::Publish { id, bridge, slot, not_after, bytes, custody } => {
                let class = if custody { Class::Custody } else { Class::Meeting };
                self.submit(&bridge, Job::Publish(Publication { id, slot, not_after, bytes, class }));
            }
            Output::Mail { account, blob } => self.parts.driver.mail_came(account, blob),
            Output::Retract { bridge, receipts } => self.submit(&bridge, Job::Retract(receipts)),
            Output::Watch { bridge, slots } => {
                if let Some(bridge) = self.bridges.get(&bridge) {
                    bridge.watch(slots);
                }
            }
            Output::Expect { session, reach, latency, relays } => {
                self.expect(session, reach, latency, relays);
            }
            Output::Dial { session, reach, latency, patience, relays } => {
                self.dial(session, reach, latency, patience, relays);
            }
            Output::ExpectGuest { session, reach, latency } => self.expect_guest(&session, &reach, latency),
            Output::DialHost { session, reach, latency, patience } => {
                self.dial_host(&session, &reach, latency, patience);
            }
            Output::MoreCandidates { session, reach, relays, .. } => self.peer_moved(session, reach, relays),
            Output::Reflectors { session, reflectors } => self.ask_reflectors(session, reflectors),
            Output::Forget(session) => self.forget_session(session),
            Output::CloseLink { session, reason } => self.close_link(session, reason),
            Output::CheckLink { session } => self.check_link(session),
            Output::Close { account, reason } => {
                if let Some(live) = self.parts.driver.links().of(&account) {
                    self.close_link(live.session, reason);
                    let friend = self.name_of(&account);
                    self.parts.driver.tell(NodeEvent::LinkDown { friend, account: account.to_string() });
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

    /// Asks those whom a welcome named how we are seen; the engine waits for what comes of it.
    fn ask_reflectors(&self, session: SessionId, reflectors: Vec<Reflector>) {
        let driver = self.parts.driver.clone();
        self.parts.tasks.spawn(async move {
            driver.reach().ask_named(reflectors, MEASURE).await;
            let measured = move |actor: &mut Self| {
                // What came of it goes first: the one update that waits for this takes it along.
                actor.tell_engine();
                let now = actor.now();
                actor.engine().handle(now, Input::Measured { session });
            };
            driver.happened(measured).await;
        });
    }

    fn tell(&mut self, event: Event) {
        let driver = self.parts.driver.clone();
        match event {
            Event::FriendAdded { account, name, .. } => {
                driver.tell(NodeEvent::FriendAdded { friend: name, account: account.to_string() });
                // It may have been removed while somebody wanted it.
                self.want_if_wanted(&account);
            }
            Event::Knocked { id } => self.knocked(id),
            Event::InviteRefused { why, .. } => {
                driver.tell(NodeEvent::InviteRefused { why: words::unanswered(why).to_owned() });
            }
            Event::JoinRefused { why, .. } => {
                driver.tell(NodeEvent::JoinRefused { why: words::join_refused(why).to_owned() });
            }
            Event::CodeGuessed { left, .. } => driver.tell(NodeEvent::CodeGuessed { left }),
            // Whoever asked for the code looks at it.
            Event::CodeAnswered { .. } | Event::CodeRefused => {}
            // Somebody is being met: what was seen of us should be fresh. Where it has changed one update follows.
            Event::Meeting { .. } => driver.reach().freshen(),
            Event::MeetingFailed { account, why, .. } => {
                self.keep_steps(account);
                driver.tell(NodeEvent::MeetingFailed { friend: self.name_of(&account), why });
            }
            Event::LinkUp { account, session } => {
                self.link_up(account, session);
                self.keep_steps(account);
            }
            Event::LinkUsed { account } => self.keep_steps(account),
            Event::LinkDown { account } => {
                self.keep_steps(account);
                let friend = self.name_of(&account);
                driver.tell(NodeEvent::LinkDown { friend, account: account.to_string() });
            }
            Event::FriendChanged { .. } => {
                driver.grants_may_have_changed();
                // It may let us now.
                self.try_bridges_over_links();
            }
            Event::ClockWrong { by, ahead } => {
                let what = words::clock_wrong(by, ahead);
                driver.0.clock_wrong.send_replace(Some(what.clone()));
                driver.tell(NodeEvent::Warning { what });
            }
            Event::Suspicious { what, .. } => driver.tell(NodeEvent::Warning { what }),
        }
    }

    /// Keeps the steps of the last meeting, so that a later process can tell them too. They are told, not acted upon: nothing waits for the disk.
    pub(super) fn keep_steps(&self, account: AccountId) {
        let steps = self.parts.engine.explain(&account);
        let store = Arc::clone(self.parts.driver.store());
        self.parts.tasks.spawn(async move {
            if let Err(error) = store.run(move |store| store.keep_steps(&account, &steps)).await {
                tracing::debug!(%error, "the steps of a meeting were not kept");
            }
        });
    }

    pub(super) fn name_of(&self, account: &AccountId) -> String {
        let friend = self.parts.engine.friend(account);
        friend.map_or_else(|| account.to_string(), |friend| friend.name().to_owned())
    }
}

/// Nothing can be changed now.
pub(super) fn refused() -> ApiError {
    ApiError::new(
        ErrorCode::Home,
        "the disk does not take it: make room; what is under way is tried again by itself",
    )
}

pub(super) fn expectation(session: &Secrets) -> Expectation {
    Expectation {
        session: wayside_noise::SessionId(session.id.0),
        whom: Whom::Device(session.peer),
        gate: (*session.gate.expose()).into(),
        psk: (*session.psk.expose()).into(),
        kem: Kem::None,
    }
}
