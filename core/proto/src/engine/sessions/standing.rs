//! Sessions that stand: by an invite file and its reply both sides have the secrets of one long before both are there, or know that they are.
//!
//! Whoever had the last word dials, whenever it starts or wants the other; the other waits for it. A try asks each address a few times and no more.
//!
//! Where the two find each other in no other way, the session stands on when its link is gone, and a second one beside it, of which the other side is the client: whoever
//! wants the other dials where it was when they exchanged files.

use std::time::Duration;

use super::super::{Engine, store};
use super::{Live, Met, SessionId};
use crate::crypto::derive;
use crate::crypto::keys::AccountId;
use crate::engine::io::Output;
use crate::time::Epoch;

/// How long whoever dials wants the other after the reply, after each start, and after each link.
const WANTED: Duration = Epoch::LENGTH;

/// The longest that one stands after the last link: that of an invite and a day more.
const MOST: Duration = Duration::from_secs(31 * 86_400);

impl Live {
    /// Its link is gone, or another one is up.
    pub(super) fn rest(&mut self) {
        (self.up, self.used, self.tried) = (None, false, Duration::ZERO);
    }

    /// The other way round.
    fn back(&self, now: Duration) -> Self {
        let meeting = derive(self.meeting.expose(), "back", &[]);
        let mut back = Self { meeting, client: !self.client, begun: now, shown: None, ..self.clone() };
        back.rest();
        back
    }
}

impl Engine {
    /// Both sides have the secrets of this session, or will have: it is tried until it has come to a link, or its time is over.
    pub(in crate::engine) fn stand(&mut self, met: Met) {
        let met = Met { lifetime: met.lifetime.min(MOST), ..met };
        let id = self.begin_one(met, true);
        if let Some(live) = self.sessions.get(&id).cloned() {
            self.want_standing(&live);
        }
    }

    /// Whoever dials wants the other, for a while and until there is a link.
    pub(in crate::engine) fn want_standing(&mut self, live: &Live) {
        if live.standing && live.client {
            let until = self.now.mono.saturating_add(WANTED).min(live.deadline);
            self.add_want(&live.account, Some(until), true);
        }
    }

    /// Tries what stands with somebody again, where no try is under way. Whether anything stands.
    pub(in crate::engine) fn try_standing(&mut self, account: &AccountId) -> bool {
        let stands = |live: &&Live| live.account == *account && live.standing && live.up.is_none();
        let standing: Vec<_> = self.sessions.values().filter(stands).cloned().collect();
        let (any, now) = (!standing.is_empty(), self.now.mono);
        for live in standing.into_iter().filter(|live| live.tried <= now) {
            self.launch(live);
        }
        any
    }

    /// A link is up. What stands with this friend stands on from here, and rests meanwhile, where nothing but that will bring them together again; else it has done its part.
    pub(super) fn stand_on(&mut self, account: &AccountId, up: SessionId) {
        let Some(first) = self.sessions.get(&up).cloned() else { return };
        let stood =
            |live: &&Live| live.account == *account && (live.again || live.standing && live.id() == up);
        let mut stood: Vec<_> = self.sessions.values().filter(stood).cloned().collect();
        let apart = self.is_apart(account);
        // With a place in common nothing need stand, and what follows from a newer file takes the place of what is from an older one.
        if !apart || !first.again {
            for live in stood.extract_if(.., |live| live.again) {
                self.end_standing(live.id(), up);
            }
        }
        if !apart {
            return;
        }
        let back = stood.iter().find(|live| !live.again).map(|live| live.back(self.now.mono));
        stood.extend(back);
        for mut live in stood {
            let id = live.id();
            live.again = true;
            (live.expires, live.deadline) = (self.time_now().after(MOST), self.now.mono.saturating_add(MOST));
            // One that would win may be coming up on the other side by now.
            if id != up && self.preferred(&first, &live) {
                live.rest();
                self.out.act(Output::Forget(id));
            }
            self.out.put(store::session(&id.0), store::encode(&live));
            self.sessions.insert(id, live);
        }
    }

    /// The link is gone: whoever dials does, and the other side waits for it; but for a node that is about to end.
    pub(super) fn stand_again(&mut self, account: &AccountId) {
        if self.hails.ended() {
            return;
        }
        let again = |live: &&Live| live.account == *account && live.again;
        for live in self.sessions.values().filter(again).cloned().collect::<Vec<_>>() {
            self.want_standing(&live);
            if !live.client {
                self.launch(live);
            }
        }
    }

    fn end_standing(&mut self, id: SessionId, up: SessionId) {
        match self.sessions.get_mut(&id).filter(|_| id == up) {
            Some(live) => {
                live.again = false;
                self.out.delete(store::session(&id.0));
            }
            None => self.end_session(id),
        }
    }

    /// Whether nothing of ours that is up reaches a place of this friend's where records stay.
    fn is_apart(&self, account: &AccountId) -> bool {
        let Some(friend) = self.book.friend(account) else { return false };
        let mut devices = friend.card().roster().devices.iter().map(|entry| entry.keys.id());
        !devices
            .any(|device| self.routes(friend, &device).iter().any(|route| !self.is_present(&route.bridge)))
    }

    /// How long a link is tried for at once.
    pub(super) fn patience_of_try(&self, live: &Live) -> Duration {
        let left = live.deadline.saturating_sub(self.now.mono);
        match (live.standing, live.client) {
            (false, _) => left,
            (true, true) => left.min(self.config.dial_patience),
            (true, false) => left.min(self.config.answer_lifetime),
        }
    }
}
