//! What is known of the mailbox, and what was handed out of it up to where.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use wayside_bridge::{Batch, Class, Cursor, Entropy, Fetch, Key, Keys, Record, Timestamp, file};

use crate::imap::Mark;
use crate::note::{Id, Note, Token};
use crate::parse::Found;

/// Records larger than this are read again when they are asked for.
const KEPT: usize = 1024;
/// The most records that are known at once. A place that is stuffed with more loses the oldest.
const MOST_KNOWN: usize = 20_000;
/// The most mails without a note that are remembered, to count them.
const MOST_JUNK: usize = 20_000;
/// The most records of our own that are found again without the server.
const MOST_OWN: usize = 4096;

/// A mail with a record.
#[derive(Clone, Debug)]
struct Item {
    id: Id,
    key: Key,
    class: Class,
    not_after: Timestamp,
    bytes: Option<Bytes>,
    ours: bool,
}

/// A mail that takes records back.
#[derive(Clone, Debug)]
struct Withdrawal {
    not_after: Timestamp,
    ids: Vec<Id>,
    ours: bool,
}

/// The index.
#[derive(Debug)]
pub(crate) struct Index {
    /// Of the place: another place's cursor is none of ours.
    tag: [u8; 8],
    validity: u32,
    /// The first number that was not looked at.
    pub(crate) next: u32,
    /// As the mailbox was when all of it was known.
    pub(crate) mark: Option<Mark>,
    items: BTreeMap<u32, Item>,
    withdrawals: BTreeMap<u32, Withdrawal>,
    junk: BTreeSet<u32>,
    own: Own,
}

/// What we published ourselves since we started.
#[derive(Debug)]
struct Own {
    /// Of this process: a cursor of an earlier one begins here anew.
    generation: [u8; 8],
    last: u64,
    records: BTreeMap<u64, (Id, Record)>,
}

/// Part of an answer: records, and mails that are to be read again for theirs.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) records: Vec<Record>,
    pub(crate) unread: BTreeSet<u32>,
    pub(crate) more: bool,
    cursor: At,
    skipped: u64,
}

/// A position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct At {
    uid: u32,
    own: u64,
}

impl Index {
    pub(crate) fn new(tag: [u8; 8], entropy: &dyn Entropy) -> Self {
        let mut generation = [0; 8];
        entropy.fill(&mut generation);
        Self {
            tag,
            validity: 0,
            next: 1,
            mark: None,
            items: BTreeMap::new(),
            withdrawals: BTreeMap::new(),
            junk: BTreeSet::new(),
            own: Own { generation, last: 0, records: BTreeMap::new() },
        }
    }

    /// Begins anew where the server numbers its mails anew.
    pub(crate) fn numbered(&mut self, validity: u32) {
        if self.validity != validity {
            self.validity = validity;
            self.next = 1;
            self.mark = None;
            self.items.clear();
            self.withdrawals.clear();
            self.junk.clear();
        }
    }

    /// All mails that are known.
    pub(crate) fn known(&self) -> BTreeSet<u32> {
        self.items.keys().chain(self.withdrawals.keys()).chain(&self.junk).copied().collect()
    }

    /// These are gone.
    pub(crate) fn forget(&mut self, gone: &BTreeSet<u32>) {
        for uid in gone {
            self.items.remove(uid);
            self.withdrawals.remove(uid);
            self.junk.remove(uid);
        }
    }

    /// What was found in a mail.
    pub(crate) fn add(&mut self, uid: u32, found: Option<Found>) {
        match found {
            Some(Found { note: Note::Record { id, record }, ours }) => {
                let bytes = (record.bytes.len() <= KEPT).then_some(record.bytes);
                let (key, class, not_after) = (record.key, record.class, record.not_after);
                self.items.insert(uid, Item { id, key, class, not_after, bytes, ours });
            }
            Some(Found { note: Note::TakenBack { not_after, tokens }, ours }) => {
                let ids = tokens.iter().map(Token::id).collect();
                self.withdrawals.insert(uid, Withdrawal { not_after, ids, ours });
            }
            None => {
                self.junk.insert(uid);
            }
        }
        while self.items.len() > MOST_KNOWN {
            self.items.pop_first();
        }
        while self.junk.len() > MOST_JUNK {
            self.junk.pop_first();
        }
    }

    /// Drops what is over or was taken back; tells which mails of ours are to be put away for it.
    pub(crate) fn tidy(&mut self, now: Timestamp) -> BTreeSet<u32> {
        let mut away = BTreeSet::new();
        let mut gone: BTreeSet<u32> = BTreeSet::new();
        for (uid, item) in self.items.iter().filter(|(_, item)| file::over(item.not_after, now)) {
            gone.insert(*uid);
            away.extend(item.ours.then_some(*uid));
        }
        if !self.withdrawals.is_empty() {
            let mut by_id: BTreeMap<Id, Vec<u32>> = BTreeMap::new();
            for (uid, item) in &self.items {
                by_id.entry(item.id).or_default().push(*uid);
            }
            for (uid, withdrawal) in &self.withdrawals {
                let found = |id: &Id| by_id.get(id).cloned().unwrap_or_default();
                // The record may come after it: mails overtake one another.
                let all = withdrawal.ids.iter().all(|id| by_id.contains_key(id));
                for item in withdrawal.ids.iter().flat_map(found) {
                    gone.insert(item);
                    away.extend(self.items.get(&item).is_some_and(|item| item.ours).then_some(item));
                }
                if all || file::over(withdrawal.not_after, now) {
                    gone.insert(*uid);
                    away.extend(withdrawal.ours.then_some(*uid));
                }
            }
        }
        self.forget(&gone);
        self.own.records.retain(|_, (_, record)| !file::over(record.not_after, now));
        away
    }

    /// We published this.
    pub(crate) fn published(&mut self, id: Id, record: Record) {
        self.own.last += 1;
        self.own.records.insert(self.own.last, (id, record));
        while self.own.records.len() > MOST_OWN {
            self.own.records.pop_first();
        }
    }

    /// We took these back.
    pub(crate) fn took_back(&mut self, ids: &BTreeSet<Id>) {
        self.own.records.retain(|_, (id, _)| !ids.contains(id));
    }

    /// The next records that a request asks for.
    pub(crate) fn plan(&self, request: &Fetch) -> Page {
        let after =
            request.cursor.as_ref().and_then(|cursor| self.position(cursor)).unwrap_or(At { uid: 0, own: 0 });
        let mut page =
            Page { records: Vec::new(), unread: BTreeSet::new(), more: false, cursor: after, skipped: 0 };
        let own = self.own.records.range(after.own.saturating_add(1)..);
        for (number, (_, record)) in own.filter(|(_, (_, record))| request.keys.contains(&record.key)) {
            if page.is_full(request.limit) {
                return page.with_more();
            }
            page.cursor.own = *number;
            page.records.push(record.clone());
        }
        page.cursor.own = self.own.last.max(after.own);
        let items = self.items.range(after.uid.saturating_add(1)..);
        for (uid, item) in items.filter(|(_, item)| request.keys.contains(&item.key)) {
            if page.is_full(request.limit) {
                return page.with_more().skipping(self, after);
            }
            page.cursor.uid = *uid;
            match &item.bytes {
                Some(bytes) => page.records.push(item.record(bytes.clone())),
                None => {
                    page.unread.insert(*uid);
                }
            }
        }
        page.cursor.uid = self.next.saturating_sub(1).max(after.uid);
        page.skipping(self, after)
    }

    /// Whether there is anything after this cursor that a request asks for.
    pub(crate) fn has_more(&self, request: &Fetch) -> bool {
        let page = self.plan(request);
        !(page.records.is_empty() && page.unread.is_empty())
    }

    /// The batch of a page, with what was read for it.
    pub(crate) fn batch(&self, page: Page, read: Vec<Record>, keys: &Keys) -> Batch {
        let mut records = page.records;
        records.extend(read.into_iter().filter(|record| keys.contains(&record.key)));
        let cursor = self.cursor(page.cursor);
        Batch::new(records, cursor).with_more(page.more).with_skipped(page.skipped)
    }

    fn cursor(&self, at: At) -> Option<Cursor> {
        let mut bytes = Vec::with_capacity(32);
        bytes.extend(self.tag);
        bytes.extend(self.validity.to_be_bytes());
        bytes.extend(at.uid.to_be_bytes());
        bytes.extend(self.own.generation);
        bytes.extend(at.own.to_be_bytes());
        Cursor::new(bytes)
    }

    /// Where a cursor stands; `None` is the beginning.
    fn position(&self, cursor: &Cursor) -> Option<At> {
        let (tag, rest) = cursor.as_bytes().split_first_chunk::<8>()?;
        let (validity, rest) = rest.split_first_chunk::<4>()?;
        let (uid, rest) = rest.split_first_chunk::<4>()?;
        let (generation, own) = rest.split_first_chunk::<8>()?;
        let own: [u8; 8] = own.try_into().ok()?;
        if *tag != self.tag {
            return None;
        }
        let same_numbers = u32::from_be_bytes(*validity) == self.validity;
        let uid = if same_numbers { u32::from_be_bytes(*uid) } else { 0 };
        let own = if *generation == self.own.generation { u64::from_be_bytes(own) } else { 0 };
        Some(At { uid, own })
    }
}

impl Item {
    fn record(&self, bytes: Bytes) -> Record {
        Record { key: self.key.clone(), class: self.class, not_after: self.not_after, bytes }
    }
}

/// The most mails that are read again for one page.
const MOST_UNREAD: usize = 16;

impl Page {
    fn is_full(&self, limit: usize) -> bool {
        self.records.len() + self.unread.len() >= limit || self.unread.len() >= MOST_UNREAD
    }

    fn with_more(mut self) -> Self {
        self.more = true;
        self
    }

    fn skipping(mut self, index: &Index, after: At) -> Self {
        let range = (std::ops::Bound::Excluded(after.uid), std::ops::Bound::Included(self.cursor.uid));
        self.skipped = if self.cursor.uid > after.uid { index.junk.range(range).count() as u64 } else { 0 };
        self
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
