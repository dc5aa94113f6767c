//! What one call brings about: changes of the store first, all or nothing, and then everything else.

use std::collections::{BTreeMap, VecDeque};

use super::io::{Change, Event, Output};

/// Collects what a call does. One call is one transaction: [`Outbox::flush`] puts its changes into a single [`Output::Persist`] in front of its
/// actions, so that after a crash either the whole call has happened or nothing of it.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    changes: BTreeMap<String, Option<Vec<u8>>>,
    actions: Vec<Output>,
    queue: VecDeque<Output>,
}

impl Outbox {
    pub(super) fn put(&mut self, key: String, value: Vec<u8>) {
        self.changes.insert(key, Some(value));
    }

    pub(super) fn delete(&mut self, key: String) {
        self.changes.insert(key, None);
    }

    pub(super) fn act(&mut self, output: Output) {
        self.actions.push(output);
    }

    pub(super) fn event(&mut self, event: Event) {
        self.actions.push(Output::Event(event));
    }

    pub(super) fn flush(&mut self) {
        if !self.changes.is_empty() {
            let changes = std::mem::take(&mut self.changes);
            self.queue.push_back(Output::Persist(
                changes.into_iter().map(|(key, value)| Change { key, value }).collect(),
            ));
        }
        self.queue.extend(self.actions.drain(..));
    }

    pub(super) fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }
}
