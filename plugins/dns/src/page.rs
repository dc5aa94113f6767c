//! A page of what was found, and where the next one begins.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use wayside_bridge::{Batch, Cursor, Key, Record, Slot};

/// Which record of a key, told by its text.
type Print = [u8; 32];

/// The order in which records are handed out: by key, then by their texts' prints.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(Key, Print);

impl Position {
    pub(crate) fn of(key: &Key, text: &[u8]) -> Self {
        Self(key.clone(), Sha256::digest(text).into())
    }

    /// Whether everything under this key was handed out before it.
    pub(crate) fn is_past(&self, key: &Key) -> bool {
        *key < self.0
    }
}

/// What tells one question from another: a position counts for the question alone that it was given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question([u8; 8]);

impl Question {
    pub(crate) fn new(zone: &str, keys: &BTreeSet<Key>) -> Self {
        let mut hash = Sha256::new();
        hash.update(zone);
        for key in keys {
            hash.update(encoded(key));
        }
        let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = hash.finalize().into();
        Self([a, b, c, d, e, f, g, h])
    }

    /// The position in a cursor of this question's; `None` is from the beginning.
    pub(crate) fn position(self, cursor: Option<&Cursor>) -> Option<Position> {
        let (question, rest) = cursor?.as_bytes().split_first_chunk()?;
        let (print, of) = rest.split_first_chunk()?;
        let (kind, of) = of.split_first()?;
        let key = match kind {
            b's' => Key::Slot(Slot(of.try_into().ok()?)),
            b'n' => Key::name(std::str::from_utf8(of).ok()?)?,
            _ => return None,
        };
        (*question == self.0).then_some(Position(key, *print))
    }

    fn cursor(self, position: &Position) -> Option<Cursor> {
        let Position(key, print) = position;
        Cursor::new([&self.0[..], print, &encoded(key)].concat())
    }
}

/// A batch under way.
#[derive(Debug)]
pub(crate) struct Page {
    question: Question,
    after: Option<Position>,
    last: Option<Position>,
    limit: usize,
    batch: Batch,
}

impl Page {
    pub(crate) fn new(question: Question, after: Option<Position>, limit: usize) -> Self {
        Self { question, last: after.clone(), after, limit, batch: Batch::default() }
    }

    /// Takes in what was found under one key, the keys in order; tells whether there is room for more.
    pub(crate) fn take(&mut self, mut found: Vec<(Position, Record)>) -> bool {
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found.dedup_by(|(a, _), (b, _)| a == b);
        for (position, record) in found {
            if self.after.as_ref().is_some_and(|after| position <= *after) {
                continue;
            }
            if self.batch.records.len() >= self.limit {
                self.batch.more = true;
                return false;
            }
            self.batch.records.push(record);
            self.last = Some(position);
        }
        true
    }

    /// Counts what was no record.
    pub(crate) fn skip(&mut self, count: u64) {
        self.batch.skipped = self.batch.skipped.saturating_add(count);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batch.records.is_empty()
    }

    /// The batch. A zone keeps no order: at the end of a walk the next one begins anew.
    pub(crate) fn batch(mut self) -> Batch {
        if self.batch.more {
            self.batch.cursor = self.last.as_ref().and_then(|last| self.question.cursor(last));
        }
        self.batch
    }
}

fn encoded(key: &Key) -> Vec<u8> {
    match key {
        Key::Slot(Slot(slot)) => [b"s", slot.as_slice()].concat(),
        Key::Name(name) => [b"n", name.as_bytes()].concat(),
    }
}
