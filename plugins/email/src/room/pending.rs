//! What a room remembers over restarts: how far it has read, what waits for a confirmation, and what it sent itself.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wayside_bridge::{Incoming, Sender, Timestamp};

use super::letter::Letter;
use crate::address::Address;
use crate::error::EmailError;
use crate::ledger::replace;

/// The file, in the bridge's own folder.
const NAME: &str = "room.json";
/// The most messages that wait for a confirmation; one more pushes the oldest out.
const MOST_WAITING: usize = 256;
/// How long they wait, as Mailman's do.
const WAITS: std::time::Duration = std::time::Duration::from_secs(3 * 86_400);
/// The most ids of mails of our own that are remembered.
const MOST_SENT: usize = 1024;
/// The most people to whom we wrote that are remembered.
const MOST_WRITTEN_TO: usize = 256;

/// A message whose sender is to confirm it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    from: String,
    text: String,
    private: bool,
    automatic: bool,
    id: String,
    until: Timestamp,
}

/// What is remembered.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    /// How the server numbers its mails, and the first that was not read.
    pub(super) place: Option<(u32, u32)>,
    held: BTreeMap<String, Held>,
    sent: VecDeque<String>,
    #[serde(default)]
    written_to: VecDeque<String>,
    #[serde(skip)]
    path: Option<PathBuf>,
}

impl Memory {
    /// Reads what an earlier process wrote. What cannot be read is begun anew.
    pub(super) fn open(folder: Option<&Path>) -> Self {
        let path = folder.map(|folder| folder.join(NAME));
        let read = path.as_ref().and_then(|path| std::fs::read(path).ok());
        let memory: Self = read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { path, ..memory }
    }

    pub(super) fn save(&self) -> Result<(), EmailError> {
        let Some(path) = &self.path else { return Ok(()) };
        let bytes = serde_json::to_vec(self).map_err(|error| EmailError::State(error.to_string()))?;
        replace(path, &bytes).map_err(|error| EmailError::State(error.to_string()))
    }

    /// Holds a letter until its sender shows this token.
    pub(super) fn hold(&mut self, token: String, letter: &Letter, now: Timestamp) {
        self.held.retain(|_, held| held.until > now);
        if self.held.len() >= MOST_WAITING
            && let Some(oldest) =
                self.held.iter().min_by_key(|(_, held)| held.until).map(|(token, _)| token.clone())
        {
            self.held.remove(&oldest);
        }
        let (from, text, id) = (letter.from.to_string(), letter.text.clone(), letter.id.clone());
        let (private, automatic) = (letter.private, letter.automatic);
        self.held
            .insert(token, Held { from, text, private, automatic, id, until: now.saturating_add(WAITS) });
    }

    /// The message that this letter confirms.
    pub(super) fn confirmed(&mut self, letter: &Letter, now: Timestamp) -> Option<Incoming> {
        let token = letter.token.as_ref()?;
        if self.held.get(token)?.until <= now {
            return None;
        }
        let held = self.held.remove(token)?;
        let mut message = Incoming::new(Sender(held.from), held.text, held.id);
        (message.private, message.automatic) = (held.private, held.automatic);
        Some(message)
    }

    /// We sent a mail of this id to somebody.
    pub(super) fn sent(&mut self, id: String, to: &Address) {
        self.sent.push_back(id);
        while self.sent.len() > MOST_SENT {
            self.sent.pop_front();
        }
        if !self.has_written_to(to) {
            self.written_to.push_back(to.to_string());
        }
        while self.written_to.len() > MOST_WRITTEN_TO {
            self.written_to.pop_front();
        }
    }

    /// Whether we wrote to somebody.
    pub(super) fn has_written_to(&self, who: &Address) -> bool {
        self.written_to.iter().any(|to| to == who.as_str())
    }

    /// Whether we sent one of these.
    pub(super) fn is_ours(&self, ids: &[String]) -> bool {
        ids.iter().any(|id| self.sent.contains(id))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn letter(token: Option<&str>) -> Letter {
        Letter {
            from: Address::parse("ann@one.test").unwrap(),
            text: "join".to_owned(),
            private: true,
            automatic: false,
            id: "<a@b>".to_owned(),
            answers: Vec::new(),
            token: token.map(str::to_owned),
            proven: false,
        }
    }

    #[test]
    fn a_message_waits_for_its_token_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::from_secs(1000);
        let mut memory = Memory::open(Some(folder.path()));
        memory.hold("aa".to_owned(), &letter(None), now);
        let bot = Address::parse("bot@one.test").unwrap();
        memory.sent("<mine@x>".to_owned(), &bot);
        memory.save().unwrap();
        let mut memory = Memory::open(Some(folder.path()));
        assert!(memory.is_ours(&["<y>".to_owned(), "<mine@x>".to_owned()]));
        assert!(memory.has_written_to(&bot));
        assert!(!memory.has_written_to(&Address::parse("ann@one.test").unwrap()));
        assert_eq!(memory.confirmed(&letter(Some("bb")), now), None);
        let message = memory.confirmed(&letter(Some("aa")), now).unwrap();
        assert_eq!(
            (message.from.0.as_str(), message.text.as_str(), message.private),
            ("ann@one.test", "join", true)
        );
        assert_eq!(memory.confirmed(&letter(Some("aa")), now), None, "once");
        memory.hold("cc".to_owned(), &letter(None), now);
        assert_eq!(memory.confirmed(&letter(Some("cc")), now.saturating_add(WAITS)), None, "in time");
        for number in 0..=MOST_WAITING {
            memory.hold(number.to_string(), &letter(None), now);
        }
        assert_eq!(memory.held.len(), MOST_WAITING);
    }
}
