//! Links: who gets through to whom, and who hears of an end.

use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::*;

use super::*;

impl World {
    /// Both sides hold the same secrets under one name.
    pub(super) fn check_session(&mut self, node: usize, session: &Session) {
        let own = self.nodes[node].account;
        let known = (session.gate.clone(), session.psk.clone(), own, session.account);
        if let Some((gate, psk, first, second)) = self.sessions.get(&session.id) {
            assert!(*gate == session.gate && *psk == session.psk, "seed {}: secrets differ", self.seed);
            let same = (*first == own && *second == session.account)
                || (*second == own && *first == session.account);
            assert!(same, "seed {}: one session, other accounts", self.seed);
        } else {
            self.sessions.insert(session.id, known);
        }
    }

    /// What both have in common they have in one order, and they find each other there.
    fn check_relays(&mut self, node: usize, peer: usize, session: &Session) {
        let [ours, theirs] = [node, peer].map(|node| self.common(node, &session.id));
        if self.relays_settled && ours != theirs {
            self.fail(&format!("relays in common: {ours:?} here and {theirs:?} there"));
        }
        let expected = self.nodes[peer].expecting.get(&session.id);
        for relay in ours.iter().flatten() {
            assert_eq!(expected.map(|expected| expected.circuit(relay)), Some(session.circuit(relay)));
        }
    }

    /// The relays in common in this session, as a node was told last.
    pub fn common(&self, node: usize, session: &SessionId) -> Option<Vec<DeviceId>> {
        let told = self.nodes[node].common.iter().rev().find(|(id, _)| id == session);
        told.map(|(_, relays)| relays.clone())
    }

    pub(super) fn dial(&mut self, node: usize, incarnation: u32, session: Session, deadline: Ms) {
        let engine = self.nodes[node].engine.as_ref();
        // Given up, or up already.
        if engine.is_none_or(|engine| engine.session(&session.id).is_none())
            || self.nodes[node].links.contains_key(&session.id)
        {
            return;
        }
        let own = self.nodes[node].account;
        let peer = self.nodes.iter().position(|other| {
            let expected = other.expecting.get(&session.id);
            other.engine.is_some()
                && other.account == session.account
                && expected.is_some_and(|expected| {
                    expected.account == own && expected.gate == session.gate && expected.psk == session.psk
                })
        });
        if let Some(peer) = peer.filter(|_| !self.links_blocked) {
            let id = session.id;
            self.check_relays(node, peer, &session);
            let account = self.nodes[peer].account;
            self.nodes[node].links.insert(id, account);
            self.nodes[peer].links.insert(id, own);
            let up = || Box::new(Input::LinkUp { session: id });
            let (first, then) = (1 + self.below(100), 1 + self.below(100));
            let other = self.nodes[peer].incarnation;
            self.push(first, Ev::Input(node, incarnation, up()));
            self.push(then, Ev::Input(peer, other, up()));
            // What a link is used for first: both hand over their cards.
            self.push(300, Ev::Cards(node, incarnation, peer, other));
        } else if self.now >= deadline {
            self.input(node, Input::DialFailed { session: session.id, why: "nobody there".into() });
        } else {
            self.push(SECOND, Ev::Dial(node, incarnation, session, deadline));
        }
    }

    pub(super) fn dial_host(&mut self, node: usize, incarnation: u32, session: DoorSession, deadline: Ms) {
        if !self.nodes[node].dialling.contains_key(&session.id) {
            return;
        }
        let host = self.nodes.iter().position(|other| {
            other.engine.is_some()
                && other.awaited.get(&session.id).is_some_and(|awaited| *awaited == session)
        });
        if let Some(host) = host.filter(|_| !self.links_blocked) {
            self.came_in.push((node, host, session.guest));
            // Whoever wanted in wants nothing more.
            self.nodes[node].knocking.retain(|entry| entry.guest != session.guest);
            let up = || Box::new(Input::LinkUp { session: session.id });
            let other = self.nodes[host].incarnation;
            self.push(1, Ev::Input(node, incarnation, up()));
            self.push(1, Ev::Input(host, other, up()));
        } else if self.now >= deadline {
            self.input(node, Input::DialFailed { session: session.id, why: "nobody there".into() });
        } else {
            self.push(SECOND, Ev::DialHost(node, incarnation, session, deadline));
        }
    }

    pub(super) fn tell_peer_down(&mut self, node: usize, peer: AccountId, id: SessionId, after: Ms) {
        let own = self.nodes[node].account;
        let Some(peer) = self.nodes.iter().position(|other| other.account == peer) else { return };
        if self.nodes[peer].links.get(&id) == Some(&own) {
            let incarnation = self.nodes[peer].incarnation;
            self.push(after, Ev::Input(peer, incarnation, Box::new(Input::LinkDown { session: id })));
        }
    }

    pub(super) fn hand_card(&mut self, from: usize, to: usize) {
        if let Some(card) = self.command(from, Engine::own_card) {
            let account = self.nodes[from].account;
            self.input(to, Input::Card { account, bytes: card.to_bytes() });
        }
    }

    pub fn cut_links(&mut self) {
        for node in 0..self.nodes.len() {
            for (id, account) in self.nodes[node].links.clone() {
                self.tell_peer_down(node, account, id, 10);
            }
        }
    }
}
