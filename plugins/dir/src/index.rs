//! Which files were handed out already.
//!
//! A directory has no order of arrival. Modification times are no substitute: Syncthing carries them over from the
//! other machine, so that what appears now may be of yesterday, and NFS stamps with the server's clock. So the bridge
//! numbers the files itself, in the order in which it *finds* them, and a cursor is such a number:
//!
//! - A **scan** lists the names. A file of a key asked for that was not seen before, or changed since, gets the next
//!   number. Files whose names hold their check are never looked at again; pointers are, by one `stat` each.
//! - A **page** hands out what has a number after the cursor, and reads only that.
//!
//! Whatever turns up between two pages, however old it claims to be, thus has a higher number than any cursor given
//! before. The numbers live as long as the process; a cursor of another process, or for other keys, means the
//! beginning. What was handed out is handed out again then, which costs reading it again and nothing else.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::Bytes;
use wayside_bridge::{Batch, Entropy, Fetch, Keys, Numbered, Question, Record, Timestamp, file};

use crate::expiry;
use crate::folder::{Folder, Stamp};
use crate::name::Entry;
use crate::place::Markers;

/// The most files of keys asked for that are numbered; some 20 MB. More of them are counted as skipped, until others go.
/// Only somebody who may as well delete everything can bring it about.
const MOST_FILES: usize = 65_536;

/// The most records in a batch, whatever was asked for.
const MOST_RECORDS: usize = 4096;

/// After so many bytes a batch is full.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// How often a file that held no record is read again although it looks unchanged, after 1, 2, 4, … scans: some tools
/// write in place, and FAT's clock ticks every other second only.
const SECOND_LOOKS: u32 = 6;

/// The files found, numbered.
#[derive(Debug)]
pub(crate) struct Index {
    cursors: Numbered,
    last: u64,
    scans: u64,
    files: BTreeMap<String, File>,
    order: BTreeMap<u64, String>,
}

#[derive(Debug)]
struct File {
    name: file::Name,
    stamp: Stamp,
    number: u64,
    seen_in: u64,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// May hold a record.
    Good,
    /// Held none when it was read; to be read again in that scan.
    Bad { looks: u32, next: Option<u64> },
}

/// What a file turned out to hold when it was read.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    Record(Record),
    /// No record.
    Junk,
    /// It is gone, or did not let itself be read just now.
    Nothing,
}

impl Index {
    /// Of a folder that nobody looked into yet.
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        Self {
            cursors: Numbered::new(entropy),
            last: 0,
            scans: 0,
            files: BTreeMap::new(),
            order: BTreeMap::new(),
        }
    }

    /// The next page. Looks into the folder, unless enough is known to be there from the last time.
    pub(crate) fn page(
        &mut self,
        folder: &Folder,
        request: &Fetch,
        markers: &mut Markers,
        now: Timestamp,
    ) -> std::io::Result<Batch> {
        let question = Question::from(&request.keys);
        let after = self.cursors.number(request.cursor.as_ref(), question, self.last);
        let limit = request.limit.clamp(1, MOST_RECORDS);
        let mut batch = Batch::default();
        let known = self.after(after, &request.keys).nth(limit).is_some();
        if !known {
            batch.skipped = self.scan(folder, &request.keys, markers, now)?;
        }
        let mut position = after;
        let mut bytes = 0;
        while batch.records.len() < limit && bytes < BATCH_BYTES {
            let Some((number, file_name)) = self.after(position, &request.keys).next() else { break };
            let file_name = file_name.to_owned();
            position = number;
            match self.read(folder, &file_name, now) {
                Content::Record(record) => {
                    bytes += record.bytes.len();
                    batch.records.push(record);
                }
                Content::Junk => batch.skipped += 1,
                Content::Nothing => {}
            }
        }
        batch.more = self.after(position, &request.keys).next().is_some();
        if !batch.more {
            position = self.last;
        }
        batch.cursor = self.cursors.cursor(position, question);
        Ok(batch)
    }

    /// Lists the folder, numbers what is new among the keys asked for, forgets what is gone, removes what expired.
    /// Counts what is no record.
    fn scan(
        &mut self,
        folder: &Folder,
        keys: &Keys,
        markers: &mut Markers,
        now: Timestamp,
    ) -> std::io::Result<u64> {
        self.scans += 1;
        let mut skipped = 0;
        folder.each_name(|name| {
            let entry = name.map_or(Entry::Unknown, Entry::of);
            match (name, entry) {
                (Some(name), entry) if expiry::expired_by_name(&entry, now) => expiry::remove(folder, name),
                (Some(name), Entry::Record(record)) => {
                    if keys.contains(&record.key) {
                        skipped += u64::from(!self.found(folder, name, record));
                    } else if let Some(file) = self.files.get_mut(name) {
                        file.seen_in = self.scans;
                    }
                }
                (_, Entry::Marker(id)) => markers.add(id),
                (_, Entry::Readme | Entry::Rings | Entry::Temporary) => {}
                _ => skipped += 1,
            }
            ControlFlow::Continue(())
        })?;
        let scan = self.scans;
        let order = &mut self.order;
        self.files.retain(|_, file| {
            let stays = file.seen_in == scan;
            if !stays {
                order.remove(&file.number);
            }
            stays
        });
        Ok(skipped)
    }

    /// Takes note of a file of a key asked for. `false` where it is known to hold no record.
    fn found(&mut self, folder: &Folder, name: &str, record: file::Name) -> bool {
        let scan = self.scans;
        let known = self.files.get_mut(name);
        if let Some(file) = known {
            file.seen_in = scan;
            // The name tells what is in it, and that was in it.
            if matches!(file.state, State::Good) && file.name.fixed.is_some() {
                return true;
            }
        } else if self.files.len() >= MOST_FILES {
            return false;
        }
        let Ok(stamp) = folder.stamp(name) else { return true };
        let max = file::max_file(record.class) as u64;
        let plausible = stamp.regular && stamp.len <= max;
        let mut state = if plausible { State::Good } else { State::Bad { looks: SECOND_LOOKS, next: None } };
        if let Some(file) = self.files.get(name)
            && file.stamp == stamp
        {
            match file.state {
                State::Good => return true,
                State::Bad { next, .. } if next.is_none_or(|next| scan < next) => return false,
                State::Bad { looks, .. } => state = State::Bad { looks, next: None },
            }
        }
        if let Some(before) = self.files.remove(name) {
            self.order.remove(&before.number);
        }
        self.last += 1;
        // What is not even a file is kept out of the order, so it is not read; what deserves a second look is in it.
        if plausible {
            self.order.insert(self.last, name.to_owned());
        }
        let file = File { name: record, stamp, number: self.last, seen_in: scan, state };
        self.files.insert(name.to_owned(), file);
        plausible
    }

    /// What is in a numbered file.
    fn read(&mut self, folder: &Folder, file_name: &str, now: Timestamp) -> Content {
        let Some(file) = self.files.get_mut(file_name) else { return Content::Nothing };
        let contents = match folder.read(file_name, file::max_file(file.name.class)) {
            Ok(contents) => contents,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => None,
            Err(_) => {
                // Gone, or the disk failed just now: whatever is there in the next scan is news.
                self.forget(file_name);
                return Content::Nothing;
            }
        };
        let found = contents.and_then(|contents| file::decode(&Bytes::from(contents)));
        match found.filter(|found| file.name.fits(found)) {
            Some(found) if file.name.fixed.is_none() && file::over(found.record.not_after, now) => {
                expiry::remove(folder, file_name);
                self.forget(file_name);
                Content::Nothing
            }
            Some(found) => {
                file.state = State::Good;
                Content::Record(found.record)
            }
            None => {
                let looks = match file.state {
                    State::Good => 0,
                    State::Bad { looks, .. } => looks,
                };
                let next = (looks < SECOND_LOOKS).then(|| self.scans + (1 << looks));
                file.state = State::Bad { looks: looks + 1, next };
                self.order.remove(&file.number);
                Content::Junk
            }
        }
    }

    fn forget(&mut self, file_name: &str) {
        if let Some(file) = self.files.remove(file_name) {
            self.order.remove(&file.number);
        }
    }

    /// Files of these keys with a number after this one, in order.
    fn after<'a>(&'a self, number: u64, keys: &'a Keys) -> impl Iterator<Item = (u64, &'a str)> {
        self.order.range(number.saturating_add(1)..).filter_map(|(number, name)| {
            let file = self.files.get(name)?;
            keys.contains(&file.name.key).then_some((*number, name.as_str()))
        })
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
