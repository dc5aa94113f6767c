//! Sessions that stand: by an invite file and its reply both sides have the secrets of one long before both are there, or know that they are.
//!
//! Whoever had the last word dials, whenever it starts or wants the other; the other waits for it. A try asks each address a few times and no more.

use std::time::Duration;

use super::super::Engine;
use super::{Live, Met};
use crate::crypto::keys::AccountId;
use crate::time::Epoch;

/// How long whoever dials wants the other after the reply, and after each start.
const WANTED: Duration = Epoch::LENGTH;

/// The longest that one stands: that of an invite and a day more.
const MOST: Duration = Duration::from_secs(31 * 86_400);

impl Engine {
    /// Both sides have the secrets of this session, or will have: it is tried until it has come to a link, or its time is over.
    pub(in crate::engine) fn stand(&mut self, met: Met) {
        let met = Met { lifetime: met.lifetime.min(MOST), ..met };
        let id = self.begin_one(met, true);
        if let Some(live) = self.sessions.get(&id).cloned() {
            self.want_standing(&live);
        }
    }

    /// Whoever dials wants the other, for a while and until the first link.
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
