//! Links as they come and go: each has one owner here from its handshake to its end.

use std::sync::Arc;
use std::time::Duration;

use wayside_noise::Link;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{Input, SessionId, StepKind};

use super::actor::Actor;
use super::{Driver, steps};
use crate::api::types::NodeEvent;
use crate::links::{LiveLink, Peer, Session, ping};
use crate::relays::{gate, guests};

/// How long the other end of a link may take to echo when there is doubt whether it is there.
const ECHO: Duration = Duration::from_secs(1);

impl Driver {
    /// A link's handshake is complete.
    pub(crate) async fn arrived(&self, link: Link) {
        self.happened(move |actor| actor.link_arrived(link)).await;
    }

    /// A link is gone.
    pub(crate) async fn link_down(&self, link: &LiveLink) {
        let (session, number) = (link.session, link.number);
        self.happened(move |actor| actor.link_down(session, number)).await;
    }
}

impl Actor {
    fn link_arrived(&mut self, link: Link) {
        if gate::is_guests(link.session()) {
            let (driver, protocols) = (self.parts.driver.clone(), Arc::clone(&self.parts.guest_protocols));
            return self.parts.driver.spawn(guests::serve(driver, link, protocols));
        }
        let Some(link) = self.guest_arrived(link) else { return };
        let session = SessionId(link.session().0);
        if let Some(live) = self.parts.driver.links().of_session(session) {
            // The peer has lost the earlier one, perhaps with all its memory; the engine need not know.
            self.meetings.link_anew(session, &link);
            live.peer.link.close("made anew");
            return self.start(Peer { link, ..live.peer }, session);
        }
        let now = self.now();
        self.arrived.insert(session, link);
        self.parts.engine.handle(now, Input::LinkUp { session });
    }

    /// The engine wants this link.
    pub(super) fn link_up(&mut self, account: AccountId, session: SessionId) {
        let arrived = self.arrived.remove(&session);
        self.meeting_linked(session, arrived.as_ref());
        let device = arrived.as_ref().and_then(|link| {
            let friend = self.parts.engine.friend(&account)?;
            friend.card().roster().device_by_noise(&link.peer()).map(|entry| entry.keys.id())
        });
        if let (Some(link), Some(device)) = (arrived, device) {
            return self.start(Peer { account, device, link }, session);
        }
        self.meetings.link_gone(session);
        // The engine must not go on believing in it.
        let now = self.now();
        self.parts.endpoint.forget(wayside_noise::SessionId(session.0));
        self.parts.engine.handle(now, Input::LinkDown { session });
    }

    fn start(&mut self, peer: Peer, session: SessionId) {
        self.numbered = self.numbered.saturating_add(1);
        let driver = self.parts.driver.clone();
        let live = LiveLink { session, number: self.numbered, peer, since: driver.clock().wall() };
        // Before it is said how the link travels, so that no move falls in between.
        let moves = live.peer.link.events();
        let relay = live.relay(driver.relays()).map(|account| self.name_of(&account));
        let event = NodeEvent::LinkUp {
            friend: self.name_of(&live.peer.account),
            account: live.peer.account.to_string(),
            path: live.path(),
            transport: live.transport(),
            remote: live.remote(),
            relay: relay.clone(),
        };
        if let Some(earlier) = driver.links().insert(live.clone()) {
            earlier.peer.link.close("another link survives");
        }
        let now = self.now();
        self.parts.engine.observed(
            now,
            &live.session,
            StepKind::Path,
            steps::linked(&live, relay.as_deref()),
        );
        driver.relays().friend_linked(live.peer.device, &live.peer.link);
        driver.0.links_changed.send_replace(());
        self.try_bridges_over_links();
        driver.tell(event);
        let (protocols, tasks) = (Arc::clone(&self.parts.protocols), self.parts.tasks.clone());
        let introductions = self.parts.introductions.clone();
        let session = Session { link: live, protocols, driver, introductions, tasks };
        self.parts.tasks.spawn(session.run(moves));
    }

    /// A link ended by itself. One that was closed or replaced from here is not known under its number any more.
    fn link_down(&mut self, session: SessionId, number: u64) {
        let live = self.parts.driver.links().of_session(session);
        if live.is_some_and(|live| live.number == number) {
            self.drop_link(session);
            let now = self.now();
            self.parts.engine.handle(now, Input::LinkDown { session });
        }
    }

    /// Closes the link of a session, which the engine has forgotten already.
    pub(super) fn close_link(&mut self, session: SessionId, reason: &str) {
        if let Some(link) = self.arrived.remove(&session) {
            link.close(reason);
        }
        if let Some(live) = self.drop_link(session) {
            live.peer.link.close(reason);
        }
        self.forget_session(session);
    }

    /// Asks the other end to echo, and closes the link where it does not: it may have died and come back without the link.
    pub(super) fn check_link(&self, session: SessionId) {
        let Some(live) = self.parts.driver.links().of_session(session) else { return };
        let link = live.peer.link;
        self.parts.tasks.spawn(async move {
            let echo = async { ping::Pinger::new(&link).await?.ping().await };
            let patience = ECHO.max(link.rtt() * 4);
            if !matches!(tokio::time::timeout(patience, echo).await, Ok(Ok(_))) {
                link.close("no answer");
            }
        });
    }

    /// Shuts the session's gate and ends its meeting. A link that is up stays up.
    pub(super) fn forget_session(&mut self, session: SessionId) {
        self.parts.endpoint.forget(wayside_noise::SessionId(session.0));
        self.end_meeting(session);
        self.end_door_meeting(session);
    }

    /// Takes a link off the list, and its session's gate with it: one that stayed open for every link that ever was would leave no room for new ones.
    fn drop_link(&mut self, session: SessionId) -> Option<LiveLink> {
        let gone = self.parts.driver.links().remove(session)?;
        self.meetings.link_gone(session);
        self.parts.endpoint.forget(wayside_noise::SessionId(session.0));
        self.parts.driver.0.links_changed.send_replace(());
        Some(gone)
    }
}
