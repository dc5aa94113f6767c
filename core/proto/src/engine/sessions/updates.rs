//! What is told anew of how we are reached while a session is under way, once a side, and what the other side tells.

use std::time::Duration;

use super::super::io::Output;
use super::super::publications::{Draft, Purpose};
use super::super::watch::{Owner, Special};
use super::{Engine, Live, MEASURED, Relays, SessionId, StepKind, store};
use crate::crypto::envelope::{self, Bucket};
use crate::meet::slot;
use crate::message::{Payload, Update};
use crate::reach::{Reach, RelayTags};

impl Engine {
    /// Looks for the peer's update wherever it may have read our word.
    pub(super) fn expect_update(&mut self, id: SessionId) {
        let Some(live) = self.sessions.get(&id) else { return };
        let slots: Vec<_> = live
            .ways()
            .map(|via| {
                let found = slot::update(&live.meeting, via.tag, !live.client);
                let (bridge, space) = self.where_found(&via.bridge, via.theirs.as_ref());
                (found.id, Special { bridge, space, siv: found.siv, tag: via.tag })
            })
            .collect();
        if !slots.is_empty() {
            self.expect_records(Owner::Session(id), slots);
        }
    }

    /// A welcome named whom to ask how we are seen: what we say anew waits for that.
    pub(in crate::engine) fn measure_first(&mut self, id: SessionId) {
        let until = self.now.mono.saturating_add(MEASURED);
        let Some(live) = self.sessions.get_mut(&id) else { return };
        live.update_from = until;
        let account = live.account;
        let what = "asking whom the welcome named how this machine is seen from outside".to_owned();
        self.note(account, StepKind::Measuring, what);
    }

    /// They were asked.
    pub(in crate::engine) fn measured(&mut self, id: SessionId) {
        let now = self.now.mono;
        let Some(live) = self.sessions.get_mut(&id) else { return };
        live.update_from = live.update_from.min(now);
        let account = live.account;
        self.note(account, StepKind::Measured, "those whom the welcome named were asked".to_owned());
    }

    /// Whether its peer is to be told something. Where we are not reached at all, as far as we know, there is nothing to tell.
    fn is_to_update(&self, live: &Live) -> bool {
        let under_way = live.up.is_none() && !live.updated && live.via.is_some();
        let reached = !self.reach.candidates.is_empty();
        let moved = reached && !live.told(&self.reach);
        under_way && (moved || ((reached || live.told.is_empty()) && self.relays_are_news(live)))
    }

    pub(in crate::engine) fn next_update(&self) -> Option<Duration> {
        self.sessions.values().filter(|live| self.is_to_update(live)).map(|live| live.update_from).min()
    }

    /// Tells peers of meetings under way what has changed; once each.
    pub(in crate::engine) fn update_peers(&mut self) {
        let now = self.now.mono;
        let due = |live: &&Live| live.update_from <= now && self.is_to_update(live);
        let ids: Vec<_> = self.sessions.values().filter(due).map(Live::id).collect();
        for id in ids {
            let Some(mut live) = self.sessions.get(&id).cloned() else { continue };
            let before = self.relays_of(&live);
            live.updated = true;
            // Where there is nothing new to name, the order stays too: it is what both sides count by.
            let news = self.relays_now(&live).filter(|_| self.relays_are_news(&live));
            if let (Some(now), Some(relays)) = (news, &mut live.relays) {
                relays.told = now;
            }
            let told = live.relays.iter().flat_map(|relays| &relays.told);
            let Reach { candidates, nat } = self.reach.clone();
            let update = Update { candidates, nat, relays: RelayTags::of(&live.meeting, told) };
            let Some(message) = Bucket::Small.pad(&update.to_bytes(), 0) else { continue };
            self.sessions.insert(id, live.clone());
            self.note(live.account, StepKind::UpdateLeft, "told anew how this machine is reached".to_owned());
            self.out.put(store::session(&id.0), store::encode(&live));
            for via in live.ways().filter(|via| self.can_leave(&via.bridge)).cloned().collect::<Vec<_>>() {
                let place = slot::update(&live.meeting, via.tag, live.client);
                self.publish(Draft {
                    bridge: via.bridge.clone(),
                    slot: place.id,
                    inner: None,
                    bytes: envelope::seal(&place.siv, &message),
                    purpose: Purpose::Update(live.account),
                });
            }
            let relays = self.relays_of(&live);
            if relays != before {
                let (reach, latency) = (live.reach(), self.leg_of(&live));
                self.out.act(Output::MoreCandidates { session: id, reach, relays, latency });
            }
        }
    }

    /// The peer's update was found.
    pub(in crate::engine) fn found_update(&mut self, id: SessionId, message: &[u8]) {
        let update = envelope::unpad(message).and_then(|payload| Update::from_bytes(payload).ok());
        let live = self.sessions.get(&id).filter(|live| live.up.is_none());
        let (Some(Update { candidates, nat, relays: named }), Some(mut live)) = (update, live.cloned())
        else {
            return;
        };
        let before = (live.reach(), self.relays_of(&live));
        let reach = Reach { candidates, nat };
        (live.candidates, live.nat) = (reach.candidates.clone(), reach.nat.clone());
        let told = live.relays.take().map(|relays| relays.told).unwrap_or_default();
        live.relays = Some(Relays { told, named, key: live.meeting.clone() });
        self.sessions.insert(id, live.clone());
        self.out.put(store::session(&id.0), store::encode(&live));
        let relays = self.relays_of(&live);
        if before != (reach.clone(), relays.clone()) {
            let latency = self.leg_of(&live);
            self.note(
                live.account,
                StepKind::UpdateRead,
                "the other side told anew how it is reached".to_owned(),
            );
            self.out.act(Output::MoreCandidates { session: id, reach, relays, latency });
        }
    }
}
