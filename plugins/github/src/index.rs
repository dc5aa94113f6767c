//! Which records were handed out already.
//!
//! Neither a tree nor a list of comments has an order of arrival that a cursor could rely on: files of a tree have no dates, and comments are edited
//! and deleted. So the bridge numbers records in the order in which it *finds* them, and a cursor is such a number. Whatever turns up between two
//! looks, however old it claims to be, has a higher number than any cursor given before. The numbers live as long as the bridge; a cursor of another
//! one, or for other keys, means the beginning.

use std::collections::{BTreeMap, BTreeSet};

use wayside_bridge::{Batch, Entropy, Fetch, Keys, Numbered, Question, Record, file};

/// The most records in a batch, whatever was asked for. Each may take a request.
const MOST_RECORDS: usize = 256;
/// After so many bytes a batch is full.
const BATCH_BYTES: u64 = 8 * 1024 * 1024;
/// The most bytes of records that are kept, so as not to be read again.
const MOST_KEPT: usize = 8 * 1024 * 1024;

/// Something in the place that is named as a record.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// What it is called there: a file, the number of a comment.
    pub(crate) id: String,
    /// What it is the record of.
    pub(crate) name: file::Name,
    /// Changes when its contents do: the name of a blob, the time of an edit.
    pub(crate) version: String,
    /// About how much there is to read.
    pub(crate) size: u64,
    /// The record, where the list had it.
    pub(crate) record: Option<Record>,
}

/// The records found, numbered.
#[derive(Debug)]
pub(crate) struct Index {
    cursors: Numbered,
    last: u64,
    kept: usize,
    entries: BTreeMap<String, Entry>,
    order: BTreeMap<u64, String>,
}

#[derive(Debug)]
struct Entry {
    name: file::Name,
    version: String,
    size: u64,
    number: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Unread,
    Kept(Record),
    /// It holds none: its version has to change before it is looked at again.
    Junk,
}

/// A page that is to be handed out, as far as is known.
#[derive(Debug)]
pub(crate) struct Page {
    /// What is on it, in order.
    pub(crate) items: Vec<Item>,
    position: u64,
    question: Question,
    /// Whether there is a further one.
    pub(crate) more: bool,
}

/// One record of a page.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) name: file::Name,
    /// Where it is kept already.
    pub(crate) record: Option<Record>,
}

impl Index {
    /// Of a place that nobody looked into yet.
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        Self {
            cursors: Numbered::new(entropy),
            last: 0,
            kept: 0,
            entries: BTreeMap::new(),
            order: BTreeMap::new(),
        }
    }

    /// Takes in all that is in a place now, among what `belongs` there.
    pub(crate) fn update(&mut self, listed: Vec<Listed>, belongs: impl Fn(&str) -> bool) {
        let ids: BTreeSet<&str> = listed.iter().map(|one| one.id.as_str()).collect();
        let gone: Vec<String> =
            self.entries.keys().filter(|id| belongs(id) && !ids.contains(id.as_str())).cloned().collect();
        drop(ids);
        for id in gone {
            self.forget(&id);
        }
        for one in listed {
            if self.entries.get(&one.id).is_some_and(|known| known.version == one.version) {
                continue;
            }
            self.forget(&one.id);
            self.last += 1;
            let entry = Entry {
                name: one.name,
                version: one.version,
                size: one.size,
                number: self.last,
                state: State::Unread,
            };
            self.order.insert(self.last, one.id.clone());
            self.entries.insert(one.id.clone(), entry);
            if let Some(record) = one.record {
                self.keep(&one.id, record);
            }
        }
    }

    /// What the next page holds.
    pub(crate) fn plan(&self, request: &Fetch) -> Page {
        let question = Question::from(&request.keys);
        let after = self.cursors.number(request.cursor.as_ref(), question, self.last);
        let mut page = Page { items: Vec::new(), position: after, question, more: false };
        let mut bytes = 0_u64;
        for (number, id) in self.order.range(after.saturating_add(1)..) {
            let Some(entry) = self.entries.get(id).filter(|entry| request.keys.contains(&entry.name.key))
            else {
                continue;
            };
            let record = match &entry.state {
                State::Junk => continue,
                State::Kept(record) => Some(record.clone()),
                State::Unread => None,
            };
            if page.items.len() >= request.limit.clamp(1, MOST_RECORDS) || bytes >= BATCH_BYTES {
                page.more = true;
                break;
            }
            bytes = bytes.saturating_add(entry.size);
            page.position = *number;
            let (version, name) = (entry.version.clone(), entry.name.clone());
            page.items.push(Item { id: id.clone(), version, name, record });
        }
        if !page.more {
            page.position = self.last;
        }
        page
    }

    /// Takes in what was read of an item: its record, or that it holds none.
    pub(crate) fn read(&mut self, item: &Item, record: Option<&Record>) {
        let Some(entry) = self.entries.get_mut(&item.id).filter(|entry| entry.version == item.version) else {
            return;
        };
        match record {
            Some(record) => self.keep(&item.id, record.clone()),
            None => entry.state = State::Junk,
        }
    }

    /// The batch of a page whose records have been read.
    pub(crate) fn batch(&self, page: &Page, keys: &Keys, others: u64) -> Batch {
        let records = page.items.iter().filter_map(|item| item.record.clone()).collect();
        let junk = |entry: &&Entry| matches!(entry.state, State::Junk) && keys.contains(&entry.name.key);
        let junk = self.entries.values().filter(junk).count() as u64;
        let skipped = if page.more { 0 } else { others.saturating_add(junk) };
        let cursor = self.cursors.cursor(page.position, page.question);
        Batch::new(records, cursor).with_more(page.more).with_skipped(skipped)
    }

    fn keep(&mut self, id: &str, record: Record) {
        let len = record.bytes.len();
        if let Some(entry) = self.entries.get_mut(id)
            && self.kept.saturating_add(len) <= MOST_KEPT
            && matches!(entry.state, State::Unread)
        {
            self.kept += len;
            entry.state = State::Kept(record);
        }
    }

    fn forget(&mut self, id: &str) {
        if let Some(entry) = self.entries.remove(id) {
            self.order.remove(&entry.number);
            if let State::Kept(record) = entry.state {
                self.kept = self.kept.saturating_sub(record.bytes.len());
            }
        }
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
