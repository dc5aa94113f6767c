//! What holds always, and what holds when all is over.

use std::collections::BTreeSet;

use wayside_proto::mailbox::custody;
use wayside_proto::mailbox::outbox::{self, State};
use wayside_proto::mailbox::prekeys::Prekeys;
use wayside_proto::mailbox::seal::{self, OpenError};
use wayside_proto::mailbox::{Read, Table};

use super::node::*;
use super::world::World;

/// What became of the messages of a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub sent: usize,
    pub delivered: usize,
    pub expired: usize,
    /// Came in time, and reported over since no receipt got through in all of the grace.
    pub late: usize,
    pub crashes: u64,
}

/// Whether what was reported as over may have come after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clocks {
    /// Clocks go right: nothing comes after that.
    Right,
    /// Clocks jump: a late receipt wins.
    Jump,
}

/// What has nothing in it any more when all is over.
const EMPTY: [Table; 6] = [
    Table::Outbox,
    Table::OutboxCopies,
    Table::InboxHeld,
    Table::CustodyCarried,
    Table::CustodyBlobs,
    Table::CustodyByOwner,
];

type Checked<T = ()> = Result<T, String>;

impl World {
    pub fn fail<T>(&self, what: &str) -> Checked<T> {
        Err(format!("seed {}: at {} s: {what}", self.seed, self.now))
    }

    /// Each message once and in order, and never more told of it than is so. Holds at any moment.
    pub fn check(&self, clocks: Clocks) -> Checked<Tally> {
        if let Some(wrong) = &self.wrong {
            return self.fail(wrong);
        }
        let mut tally = Tally { sent: self.sent.len(), crashes: self.crashes, ..Tally::default() };
        for node in &self.nodes {
            let ids: BTreeSet<_> = node.kept.shown.iter().map(|shown| shown.id).collect();
            if ids.len() != node.kept.shown.len() {
                return self.fail(&format!("node {} was shown a message twice", node.index));
            }
            for friend in node.friends.keys() {
                let shown = node.kept.shown.iter().filter(|shown| shown.from == *friend);
                let order = shown.map(|shown| shown.seq).collect::<Vec<_>>();
                if !order.is_sorted() {
                    return self.fail(&format!("node {} was shown messages out of order", node.index));
                }
            }
        }
        for sent in &self.sent {
            let shown = self.nodes[sent.to].kept.shown.iter().find(|shown| shown.id == sent.id);
            let reports = self.nodes[sent.from].kept.reports.iter().filter(|(id, ..)| *id == sent.id);
            tally.delivered += usize::from(shown.is_some());
            if shown.is_some_and(|shown| shown.text != sent.text) {
                return self.fail("a message says something else than what was sent");
            }
            let here = self.nodes[sent.to].kept.here.iter().find(|(id, _)| *id == sent.id).map(|(_, at)| *at);
            for (_, state, at) in reports {
                match (state, here) {
                    (State::Delivered, here) if here.is_none_or(|here| here > *at) => {
                        return self
                            .fail(&format!("{sent:?} was reported at {at} s to be there, and was {here:?}"));
                    }
                    (State::Expired, Some(here)) if here > *at && clocks == Clocks::Right => {
                        return self.fail(&format!(
                            "{sent:?} came at {here} s, after it was reported over at {at} s"
                        ));
                    }
                    (State::Expired, None) => tally.expired += 1,
                    (State::Expired, Some(_)) => tally.late += 1,
                    _ => {}
                }
            }
        }
        Ok(tally)
    }

    /// When all could talk with all for long enough: each message is with its recipient or reported as over, and nothing of it lies around any more.
    pub fn check_end(&self, clocks: Clocks) -> Checked<Tally> {
        let tally = self.check(clocks)?;
        for sent in &self.sent {
            if self.is_gone(sent.from) || self.is_gone(sent.to) {
                continue;
            }
            let shown = self.nodes[sent.to].kept.shown.iter().any(|shown| shown.id == sent.id);
            let state =
                outbox::state(&self.nodes[sent.from].store, &sent.id).unwrap().map(|(_, state, _)| state);
            let reports = self.nodes[sent.from].kept.reports.iter().filter(|(id, ..)| *id == sent.id);
            let said = reports.map(|(_, state, _)| *state).collect::<Vec<_>>();
            // What is long over may be forgotten.
            let one = matches!(said[..], [said] if state.is_none_or(|state| state == said));
            if !one || (!shown && said[0] == State::Delivered) {
                return self.fail(&format!("{sent:?} stands as {state:?}, and was reported {said:?}"));
            }
        }
        for node in self.nodes.iter().filter(|node| !self.is_gone(node.index)) {
            // Who lies keeps what it likes.
            for table in EMPTY.into_iter().filter(|table| node.lies.is_none() || !is_custody(*table)) {
                self.empty(node, table)?;
            }
        }
        Ok(tally)
    }

    fn empty(&self, node: &Node, table: Table) -> Checked {
        let tables = if is_custody(table) { &node.custody } else { &node.store };
        let left = tables.scan(table, &[], &[0xff; 64], 1000).unwrap().len();
        if left > 0 { self.fail(&format!("{left} left in {table:?} of node {}", node.index)) } else { Ok(()) }
    }

    /// No host has more than it may.
    pub fn check_quotas(&mut self, host: usize) {
        let node = &self.nodes[host];
        let held = custody::held(&node.custody).unwrap();
        let total = held.iter().map(|(_, usage)| usage.bytes).sum::<u64>();
        let most = held.iter().map(|(_, usage)| usage.bytes).max().unwrap_or_default();
        let blobs = node.custody.scan(Table::CustodyBlobs, &[], &[0xff; 64], 100_000).unwrap();
        let bytes = blobs.iter().map(|(_, blob)| blob.len() as u64).sum::<u64>();
        if total > node.limits.total || bytes > node.limits.total + 64 * blobs.len() as u64 {
            self.wrong = Some(format!(
                "host {host} has {bytes} bytes ({total} by its count) and may have {}",
                node.limits.total
            ));
        } else if most > node.limits.friend {
            self.wrong = Some(format!("host {host} has {most} bytes for one friend"));
        }
    }

    /// What was captured long ago does not open with all that its recipient has, and what is young does.
    pub fn check_seeds(&self, over: Secs, young: Secs) -> Checked<(usize, usize)> {
        let (mut closed, mut open) = (0, 0);
        let all = self.nodes.iter().map(|node| Prekeys::new(node.seeds.clone())).collect::<Vec<_>>();
        for captured in &self.captured {
            let owner = self.nodes.iter().find(|node| node.account == captured.owner).unwrap();
            let sender = &self.nodes[captured.from];
            let us = (&owner.account, owner.device);
            let opened = seal::open(
                us,
                &all[owner.index],
                &sender.account,
                &[sender.keys.noise().public()],
                &captured.put.blob,
            );
            let age = self.now - captured.at;
            match opened {
                Ok(_) if age > over => return self.fail("a captured blob of a period that is over opens"),
                Err(error) if age < young => {
                    return self.fail(&format!("a young blob does not open: {error}"));
                }
                Err(OpenError::KeyGone) => closed += 1,
                Err(error) => return self.fail(&format!("a captured blob does not open: {error}")),
                Ok(_) => open += 1,
            }
        }
        Ok((closed, open))
    }
}

fn is_custody(table: Table) -> bool {
    table.name().starts_with("custody")
}
