//! What was sent: so that one record is one mail, that a restart forgets nothing, and that a day's budget is kept to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use wayside_bridge::{Timestamp, file};

use crate::error::EmailError;
use crate::note::Token;

/// A day, in seconds.
const DAY: u64 = 86_400;
/// The most records that are remembered.
const MOST: usize = 10_000;
/// The file, in the bridge's own folder.
const NAME: &str = "sent.json";

/// The ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: Option<PathBuf>,
    daily: u32,
    book: Mutex<Book>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Book {
    /// Since 1970.
    day: u64,
    /// How many mails went out on it.
    sent: u32,
    /// By the check of a record's file.
    records: BTreeMap<String, Line>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    token: String,
    until: Timestamp,
}

impl Ledger {
    /// Reads what an earlier process wrote. What cannot be read is begun anew: at worst something is sent twice.
    pub(crate) fn open(folder: Option<&Path>, daily: u32) -> Self {
        let path = folder.map(|folder| folder.join(NAME));
        let read = path.as_ref().and_then(|path| std::fs::read(path).ok());
        let book = read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { path, daily, book: Mutex::new(book) }
    }

    /// The token under which a record was sent already.
    pub(crate) fn token(&self, check: file::Check) -> Option<Token> {
        let book = self.book();
        let token = HEXLOWER.decode(book.records.get(&HEXLOWER.encode(&check))?.token.as_bytes()).ok()?;
        Some(Token(token.try_into().ok()?))
    }

    /// Takes one mail out of the day's budget.
    pub(crate) fn spend(&self, now: Timestamp) -> Result<(), EmailError> {
        let mut book = self.book();
        let day = now.as_secs() / DAY;
        // A clock that was set back begins no new day.
        if day > book.day || book.day > day + 1 {
            (book.day, book.sent) = (day, 0);
        }
        if book.sent >= self.daily {
            let wait = Duration::from_secs((book.day + 1).saturating_mul(DAY).saturating_sub(now.as_secs()));
            return Err(EmailError::Budget { sent: book.sent, wait });
        }
        book.sent += 1;
        self.save(&book)
    }

    /// A mail did not go out after all.
    pub(crate) fn give_back(&self) {
        let mut book = self.book();
        book.sent = book.sent.saturating_sub(1);
    }

    /// How many mails more go out today, of how many.
    pub(crate) fn left(&self, now: Timestamp) -> (u32, u32) {
        let book = self.book();
        let sent = if book.day == now.as_secs() / DAY { book.sent } else { 0 };
        (self.daily.saturating_sub(sent), self.daily)
    }

    /// A record was sent.
    pub(crate) fn sent(
        &self,
        check: file::Check,
        token: Token,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), EmailError> {
        let mut book = self.book();
        book.records.retain(|_, line| !file::over(line.until, now));
        if book.records.len() < MOST {
            let line = Line { token: HEXLOWER.encode(&token.0), until };
            book.records.insert(HEXLOWER.encode(&check), line);
        }
        self.save(&book)
    }

    /// Records were taken back; tells which of them had not been before.
    pub(crate) fn taken_back(&self, tokens: &[Token]) -> Result<(), EmailError> {
        let gone: Vec<String> = tokens.iter().map(|token| HEXLOWER.encode(&token.0)).collect();
        let mut book = self.book();
        book.records.retain(|_, line| !gone.contains(&line.token));
        self.save(&book)
    }

    /// Whether this token's record was sent and not taken back.
    pub(crate) fn knows(&self, token: Token) -> bool {
        let wanted = HEXLOWER.encode(&token.0);
        self.book().records.values().any(|line| line.token == wanted)
    }

    fn save(&self, book: &Book) -> Result<(), EmailError> {
        let Some(path) = &self.path else { return Ok(()) };
        let bytes = serde_json::to_vec(book).map_err(|error| EmailError::State(error.to_string()))?;
        replace(path, &bytes).map_err(|error| EmailError::State(error.to_string()))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file is there whole, as it was or as it is to be.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&beside)?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.sync_data()?;
    std::fs::rename(beside, path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_days_budget_outlives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::from_secs(100 * DAY + 10);
        let ledger = Ledger::open(Some(folder.path()), 2);
        ledger.spend(now).unwrap();
        ledger.spend(now).unwrap();
        ledger.give_back();
        ledger.spend(now).unwrap();
        let again = Ledger::open(Some(folder.path()), 2);
        let Err(EmailError::Budget { sent: 2, wait }) = again.spend(now) else { panic!("it is spent") };
        assert_eq!(wait, Duration::from_secs(DAY - 10));
        assert_eq!(again.left(now), (0, 2));
        again.spend(now.saturating_add(wait)).unwrap();
        assert_eq!(again.left(now.saturating_add(wait)), (1, 2));
    }

    #[test]
    fn what_was_sent_is_known_until_it_is_over_or_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let (now, until) = (Timestamp::from_secs(DAY), Timestamp::from_secs(2 * DAY));
        let ledger = Ledger::open(Some(folder.path()), 9);
        ledger.sent([1; 16], Token([2; 16]), until, now).unwrap();
        ledger.sent([3; 16], Token([4; 16]), until, now).unwrap();
        let again = Ledger::open(Some(folder.path()), 9);
        assert_eq!(again.token([1; 16]), Some(Token([2; 16])));
        assert!(again.knows(Token([2; 16])));
        again.taken_back(&[Token([2; 16])]).unwrap();
        assert_eq!(again.token([1; 16]), None);
        again.sent([5; 16], Token([6; 16]), until, Timestamp::from_secs(9 * DAY)).unwrap();
        assert_eq!(again.token([3; 16]), None);
        std::fs::write(folder.path().join(NAME), b"junk").unwrap();
        assert_eq!(Ledger::open(Some(folder.path()), 9).token([1; 16]), None);
    }
}
