//! Brings the index up to what is in the mailbox.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wayside_bridge::{Record, Timestamp};

use super::connection::{Connection, News};
use crate::capability::RETENTION;
use crate::compose::SUBJECT_TOKEN;
use crate::error::EmailError;
use crate::index::Index;
use crate::note::Note;
use crate::parse::{self, MOST_OF_A_MAIL};

/// So many mails are read without asking for their sizes first.
const FEW: usize = 4;
/// How much one command reads, in bytes of mails.
const BYTES_AT_ONCE: usize = 512 * 1024;
/// After so many looks it is asked where the mailbox ends, so that other mail is not searched over and over.
const LOOKS: u32 = 16;

/// The index, and what belongs to keeping it.
#[derive(Debug)]
pub(crate) struct Mailbox {
    index: Mutex<Index>,
    folder: Option<String>,
    looks: Mutex<u32>,
}

impl Mailbox {
    pub(crate) const fn new(index: Index, folder: Option<String>) -> Self {
        Self { index: Mutex::new(index), folder, looks: Mutex::new(0) }
    }

    /// The index. Never held while a server is waited for.
    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what has changed; tells whether there may be new records. `tell` is called when they are known, before anything is tidied.
    pub(crate) fn sync(
        &self,
        connection: &mut Connection,
        now: Timestamp,
        tell: impl FnOnce(),
    ) -> Result<(), EmailError> {
        let mark = connection.first_mark();
        {
            let mut index = self.index();
            index.numbered(connection.validity);
            if mark.is_some_and(|mark| mark.same(index.mark)) {
                connection.news = News::default();
            }
        }
        let news = std::mem::take(&mut connection.news);
        let taken = self.take_in(connection, news, now);
        if taken.is_err() {
            connection.news = news;
        }
        let ours = taken?;
        let away = {
            let mut index = self.index();
            index.mark = mark.or(index.mark);
            index.tidy(now)
        };
        tell();
        let unmarked: BTreeSet<u32> = ours.difference(&away).copied().collect();
        if !unmarked.is_empty() {
            connection.mark_read(&unmarked)?;
        }
        if !away.is_empty() {
            connection.put_away(&away, self.folder.as_deref())?;
        }
        Ok(())
    }

    /// Tells which new mails are of our programs.
    fn take_in(
        &self,
        connection: &mut Connection,
        news: News,
        now: Timestamp,
    ) -> Result<BTreeSet<u32>, EmailError> {
        if news.less {
            let known = self.index().known();
            let still = connection.still(&known)?;
            self.index().forget(&known.difference(&still).copied().collect());
        }
        if !news.more {
            return Ok(BTreeSet::new());
        }
        let from = self.index().next;
        // Asked before the search: what comes in between is searched the next time.
        let highest = if self.time_to_ask(from) { connection.highest()? } else { None };
        if highest.is_some_and(|highest| highest < from) {
            return Ok(BTreeSet::new());
        }
        // The first time: mails that were there for longer hold nothing that is kept for anybody.
        let since = (from == 1).then(|| recently(now)).flatten().unwrap_or_default();
        let found = connection.search(from, &format!("SUBJECT \"{SUBJECT_TOKEN}\"{since}"))?;
        let ours = self.read(connection, &found)?;
        let seen = found.last().copied().max(highest);
        let mut index = self.index();
        index.next = index.next.max(seen.map_or(from, |seen| seen.saturating_add(1)));
        Ok(ours)
    }

    fn time_to_ask(&self, from: u32) -> bool {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let ask = from == 1 || *looks >= LOOKS;
        *looks = if ask { 0 } else { *looks + 1 };
        ask
    }

    fn read(&self, connection: &mut Connection, found: &BTreeSet<u32>) -> Result<BTreeSet<u32>, EmailError> {
        let mut ours = BTreeSet::new();
        for together in together(connection, found)? {
            for mail in connection.read(&together)? {
                let note = parse::note(&mail.bytes);
                ours.extend(note.as_ref().is_some_and(|found| found.ours).then_some(mail.uid));
                self.index().add(mail.uid, note);
            }
        }
        Ok(ours)
    }
}

/// The key of IMAP's for mails of the time for which records are kept. In days, and one more for time zones.
fn recently(now: Timestamp) -> Option<String> {
    let from = now.as_secs().saturating_sub(RETENTION.as_secs()).saturating_sub(2 * 86_400);
    let day = jiff::Timestamp::from_second(i64::try_from(from).ok()?).ok()?;
    Some(format!(" SINCE {}", day.strftime("%-d-%b-%Y")))
}

/// Mails to read by one command each.
fn together(connection: &mut Connection, found: &BTreeSet<u32>) -> Result<Vec<BTreeSet<u32>>, EmailError> {
    if found.len() <= FEW {
        return Ok(if found.is_empty() { Vec::new() } else { vec![found.clone()] });
    }
    let mut parts: Vec<(BTreeSet<u32>, usize)> = Vec::new();
    for (uid, size) in connection.sizes(found)? {
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(MOST_OF_A_MAIL);
        match parts.last_mut() {
            Some((part, bytes)) if *bytes + size <= BYTES_AT_ONCE => {
                part.insert(uid);
                *bytes += size;
            }
            _ => parts.push((BTreeSet::from([uid]), size)),
        }
    }
    Ok(parts.into_iter().map(|(part, _)| part).collect())
}

/// The records of mails that are known already.
pub(crate) fn records(connection: &mut Connection, uids: &BTreeSet<u32>) -> Result<Vec<Record>, EmailError> {
    let mut records = Vec::new();
    for together in together(connection, uids)? {
        let read = connection.read(&together)?;
        records.extend(read.iter().filter_map(|mail| match parse::note(&mail.bytes)?.note {
            Note::Record { record, .. } => Some(record),
            Note::TakenBack { .. } => None,
        }));
    }
    Ok(records)
}
