//! Meetings at doors: a guest that knocked is let in, a host that answered our knock is dialled. As friends meet, but for what takes a friend: no relays, no
//! guessing at ports, nobody who is asked whether the other side is where it says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};
use wayside_noise::traversal::Role;
use wayside_noise::{Expectation, Link, Meet, Meeting, Nat, Whom};
use wayside_proto::engine::{DoorSession, Input, SessionId};
use wayside_proto::reach::Reach;

use super::Driver;
use super::actor::Actor;
use super::meeting::{nat_of, tcp, udp};
use crate::doors::stands_open;
use crate::guests::entrance::nameless;
use crate::reach::Told;

/// All that are under way. Dropping one ends it.
#[derive(Debug, Default)]
pub(super) struct DoorMeetings(BTreeMap<SessionId, (Arc<Meet>, DropGuard)>);

impl DoorMeetings {
    /// What is in front of this machine is known better than before.
    pub(super) fn ours(&self, nat: Nat) {
        self.0.values().for_each(|(meet, _)| meet.ours(nat));
    }
}

impl Driver {
    /// A host was dialled as the engine said.
    async fn host_dialled(&self, session: SessionId, linked: Result<(), String>) {
        let what = match linked {
            Ok(()) => Input::LinkUp { session },
            Err(why) => Input::DialFailed { session, why },
        };
        let dialled = move |actor: &mut Actor| {
            let now = actor.now();
            actor.engine().handle(now, what);
        };
        self.happened(dialled).await;
    }
}

impl Actor {
    /// Lets a guest in that knocked, and opens the way for its packets.
    pub(super) fn expect_guest(&mut self, session: &DoorSession, reach: &Reach, latency: Duration) {
        // The door may have been shut since.
        let Some(key) = self.parts.driver.doors().awaits(session) else { return };
        let expectation = expectation(session, Whom::Guests(key));
        self.parts.endpoint.expect(expectation.clone());
        self.meet_at_door(session.id, expectation, Role::Waits, reach, latency, &CancellationToken::new());
    }

    /// Dials a host that answered our knock, wherever it may be, for so long.
    pub(super) fn dial_host(
        &mut self,
        session: &DoorSession,
        reach: &Reach,
        latency: Duration,
        patience: Duration,
    ) {
        let (end, driver) = (CancellationToken::new(), self.parts.driver.clone());
        let (id, guest) = (session.id, session.guest);
        let expectation = expectation(session, Whom::Host(guest));
        let meet = self.meet_at_door(id, expectation, Role::Dials, reach, latency, &end);
        self.parts.tasks.spawn(async move {
            let Some(linked) = end.run_until_cancelled(meet.link(patience)).await else { return };
            let linked = linked.map(|link| driver.host_linked(guest, link));
            driver.host_dialled(id, linked.map_err(|error| error.to_string())).await;
        });
    }

    fn meet_at_door(
        &mut self,
        session: SessionId,
        expectation: Expectation,
        role: Role,
        reach: &Reach,
        latency: Duration,
        end: &CancellationToken,
    ) -> Arc<Meet> {
        let Told { nat, surroundings, .. } = self.parts.driver.reach().told().borrow().clone();
        // What happens in it is told nobody: there is no friend whom it is about.
        let (meet, _) = self.parts.endpoint.meet(Meeting {
            expectation,
            role,
            candidates: udp(reach),
            others: tcp(reach),
            theirs: nat_of(&reach.nat),
            surroundings,
            nat,
            latency,
            may_guess: false,
        });
        let meet = Arc::new(meet);
        self.door_meetings.0.insert(session, (Arc::clone(&meet), end.clone().drop_guard()));
        meet
    }

    /// A link came in by a door. `Some`: it did not, and is given back.
    pub(super) fn guest_arrived(&mut self, link: Link) -> Option<Link> {
        let doors = self.parts.driver.doors();
        let session = link.session();
        let owner = doors.owner_of(session);
        if owner.is_none() && !stands_open(session) {
            return Some(link);
        }
        match owner {
            Some(owner) => self.parts.driver.serve_guest(owner, link, Arc::clone(&self.parts.door_protocols)),
            None => link.close("no door"),
        }
        if !stands_open(session) {
            let now = self.now();
            self.parts.engine.handle(now, Input::LinkUp { session: SessionId(session.0) });
        }
        None
    }

    /// A session of a door's is over, if it is one.
    pub(super) fn end_door_meeting(&mut self, session: SessionId) {
        if self.door_meetings.0.remove(&session).is_some() {
            self.parts.driver.doors().awaits_no_longer(session);
        }
    }
}

fn expectation(session: &DoorSession, whom: Whom) -> Expectation {
    nameless(wayside_noise::SessionId(session.id.0), whom, &session.gate, &session.psk)
}
