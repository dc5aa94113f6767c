//! Which records were handed out already.
//!
//! A tree has no order of arrival. So the bridge numbers the files itself, in the order in which it *finds* them, and a cursor is
//! such a number. A file that stays under its name with the same contents keeps its number, whatever commit it is in; one that
//! appears, or holds something else, gets the next. Whatever turns up between two fetches thus has a higher number than any cursor
//! given before, also after the branch was rewritten. The numbers live as long as the process; a cursor of another process, or for other
//! keys, means the beginning.

use std::collections::BTreeMap;

use wayside_bridge::{Class, Cursor, Entropy, Key, Keys, Numbered, file};

use crate::tree::{Oid, Tree};

/// The files found, numbered.
#[derive(Debug)]
pub(crate) struct Index {
    cursors: Numbered,
    last: u64,
    files: BTreeMap<String, File>,
    order: BTreeMap<u64, String>,
}

/// A file that may hold a record.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) what: What,
    pub(crate) oid: Oid,
    pub(crate) number: u64,
    junk: bool,
}

/// What a file is by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A record in the branch.
    Record(file::Name),
    /// The card of this name in the project's own branch.
    Card(String),
}

impl What {
    fn key(&self) -> Key {
        match self {
            Self::Record(name) => name.key.clone(),
            Self::Card(name) => Key::Name(name.clone()),
        }
    }

    /// What it is for.
    pub(crate) const fn class(&self) -> Class {
        match self {
            Self::Record(name) => name.class,
            Self::Card(_) => Class::Pointer,
        }
    }
}

/// Where a name's card is in the project's own branch. No record's name holds a slash, so none is mistaken for one.
pub(crate) fn card_path(name: &str) -> String {
    format!("peers/{name}.card")
}

impl Index {
    /// Of a branch that nobody looked into yet.
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        Self { cursors: Numbered::new(entropy), last: 0, files: BTreeMap::new(), order: BTreeMap::new() }
    }

    /// The branch holds this now.
    pub(crate) fn replace(&mut self, tree: &Tree) {
        let mut before = std::mem::take(&mut self.files);
        let cards = before.iter().filter(|(_, file)| matches!(file.what, What::Card(_)));
        self.files = cards.map(|(path, file)| (path.clone(), file.clone())).collect();
        for (path, name, oid) in tree.records() {
            match before.remove(path).filter(|file| file.oid == *oid) {
                Some(file) => drop(self.files.insert(path.to_owned(), file)),
                None => self.add(path, What::Record(name), oid),
            }
        }
        self.order.retain(|number, path| self.files.get(path).is_some_and(|file| file.number == *number));
    }

    /// The project's own branch holds this card of this name now.
    pub(crate) fn card(&mut self, name: &str, oid: Option<&Oid>) {
        let path = card_path(name);
        if self.files.get(&path).map(|file| &file.oid) == oid {
            return;
        }
        if let Some(before) = self.files.remove(&path) {
            self.order.remove(&before.number);
        }
        if let Some(oid) = oid {
            self.add(&path, What::Card(name.to_owned()), oid);
        }
    }

    fn add(&mut self, path: &str, what: What, oid: &Oid) {
        self.last += 1;
        self.order.insert(self.last, path.to_owned());
        let file = File { what, oid: oid.clone(), number: self.last, junk: false };
        self.files.insert(path.to_owned(), file);
    }

    /// The file of this number holds no record, whatever its name says, and is not read again.
    pub(crate) fn is_junk(&mut self, number: u64) {
        if let Some(file) = self.order.remove(&number).and_then(|path| self.files.get_mut(&path)) {
            file.junk = true;
        }
    }

    /// How many files of these keys are known to hold no record.
    pub(crate) fn junk(&self, keys: &Keys) -> u64 {
        self.files.values().filter(|file| file.junk && keys.contains(&file.what.key())).count() as u64
    }

    /// The last number given.
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// Files of these keys with a number after this one, in order.
    pub(crate) fn after<'a>(&'a self, number: u64, keys: &'a Keys) -> impl Iterator<Item = &'a File> {
        let later = self.order.range(number.saturating_add(1)..);
        later.filter_map(|(_, path)| self.files.get(path)).filter(|file| keys.contains(&file.what.key()))
    }

    /// The cursor of somebody who got everything of these keys up to this number.
    pub(crate) fn cursor(&self, number: u64, keys: &Keys) -> Option<Cursor> {
        self.cursors.cursor(number, keys.into())
    }

    /// The number that a cursor stands for: zero for one of another process, or for other keys.
    pub(crate) fn number(&self, cursor: Option<&Cursor>, keys: &Keys) -> u64 {
        self.cursors.number(cursor, keys.into(), self.last)
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
