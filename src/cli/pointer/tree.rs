//! A folder of cards, one file each, as a repository keeps them; and what has become of an earlier one. Whoever proposes a change may have put anything there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use wayside::UnixMillis;
use wayside::pointer::{Pointer, PointerError, PointerName};

/// How a card's file ends.
const SUFFIX: &str = ".card";
/// The most entries of a folder that are looked at.
const MOST: usize = 10_000;

/// Cards by the names of their files, as far as they can be read.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) cards: BTreeMap<OsString, Entry>,
}

/// What is called a card.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where it is.
    pub(super) path: PathBuf,
    read: Result<Contents, String>,
}

#[derive(Debug)]
struct Contents {
    bytes: Vec<u8>,
    name: PointerName,
    pointer: Result<Pointer, PointerError>,
}

/// What is to be said of one card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// It holds; there is nothing that it is compared with.
    Good,
    /// It holds, and nothing stood there before.
    New,
    /// It holds, and takes the place of an earlier one of its account.
    Renewed,
    /// It is as it was.
    Unchanged,
    /// It is as it was, and has ended.
    Expired,
    /// It is gone.
    Removed,
    /// It must not stand there.
    Bad,
}

/// Why a card must not stand there.
#[derive(Debug)]
enum Fault {
    Pointer(PointerError),
    /// Others than its owner may have written what stands around it.
    Remarks,
}

impl From<PointerError> for Fault {
    fn from(error: PointerError) -> Self {
        Self::Pointer(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pointer(error) => error.fmt(f),
            Self::Remarks => {
                f.write_str("its remarks are others and its card is not: let its owner renew it")
            }
        }
    }
}

/// One card, judged.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) path: PathBuf,
    pub(super) state: State,
    pub(super) pointer: Option<Pointer>,
    /// Why it must not stand there.
    pub(super) fault: Option<String>,
}

impl Tree {
    /// The cards of a folder, or a file by itself. Links are not followed, and nothing is opened that is no plain file.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        if !fs::metadata(path)?.is_dir() {
            let name = path.file_name().map(OsString::from).unwrap_or_default();
            tree.cards.insert(name.clone(), Entry::read(path.to_owned(), &name));
            return Ok(tree);
        }
        for (count, entry) in fs::read_dir(path)?.enumerate() {
            if count >= MOST {
                let message =
                    format!("it holds more than {MOST} entries: cards belong in a folder of their own");
                return Err(io::Error::other(message));
            }
            let name = entry?.file_name();
            if is_card(&name) {
                tree.cards.insert(name.clone(), Entry::read(path.join(&name), &name));
            }
        }
        Ok(tree)
    }

    /// Judges each card, beside what stood there before where that is known.
    pub(super) fn judge(self, now: UnixMillis, before: Option<&Self>) -> Vec<Judged> {
        let gone = before.iter().flat_map(|before| &before.cards);
        let gone: Vec<Judged> = gone
            .filter(|(name, _)| !self.cards.contains_key(*name))
            .map(|(_, entry)| Judged {
                path: entry.path.clone(),
                state: State::Removed,
                pointer: entry.pointer().cloned(),
                fault: None,
            })
            .collect();
        let mut judged: Vec<Judged> = self
            .cards
            .into_iter()
            .map(|(name, entry)| {
                let earlier = before.map(|before| before.cards.get(&name));
                entry.judge(now, earlier)
            })
            .collect();
        judged.extend(gone);
        judged
    }
}

/// In other letters too: on some systems those are the same file.
fn is_card(name: &OsString) -> bool {
    name.to_string_lossy().to_lowercase().ends_with(SUFFIX)
}

impl Entry {
    fn read(path: PathBuf, name: &OsString) -> Self {
        let read = Contents::read(&path, name);
        Self { path, read }
    }

    fn pointer(&self) -> Option<&Pointer> {
        self.read.as_ref().ok().and_then(|contents| contents.pointer.as_ref().ok())
    }

    /// `earlier` is what stood there: `None` where that is not asked, `Some(None)` where there was nothing.
    fn judge(self, now: UnixMillis, earlier: Option<Option<&Self>>) -> Judged {
        let (state, fault) = match &self.read {
            Err(why) => (State::Bad, Some(why.clone())),
            Ok(contents) => match contents.judge(now, earlier) {
                Ok(state) => (state, None),
                Err(error) => (State::Bad, Some(error.to_string())),
            },
        };
        let pointer = self.pointer().cloned();
        Judged { path: self.path, state, pointer, fault }
    }
}

impl Contents {
    fn read(path: &Path, name: &OsString) -> Result<Self, String> {
        let named = name.to_str().and_then(|name| PointerName::new(name.strip_suffix(SUFFIX)?));
        let name = named.ok_or_else(|| {
            format!("a card's file is called NAME{SUFFIX}, with 1 to 64 of a-z, 0-9, - _ . and not - or . at its beginning")
        })?;
        let in_words = |error: io::Error| format!("it cannot be read: {error}");
        if !fs::symlink_metadata(path).map_err(in_words)?.is_file() {
            return Err("it is no plain file".to_owned());
        }
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(in_words)?;
        file.take(Pointer::MAX_TEXT as u64 + 1).read_to_end(&mut bytes).map_err(in_words)?;
        if bytes.len() > Pointer::MAX_TEXT {
            return Err(format!("it is larger than {} bytes", Pointer::MAX_TEXT));
        }
        let pointer = Pointer::read(&bytes);
        Ok(Self { bytes, name, pointer })
    }

    fn judge(&self, now: UnixMillis, earlier: Option<Option<&Entry>>) -> Result<State, Fault> {
        let pointer = self.pointer.as_ref().map_err(|error| Fault::Pointer(error.clone()))?;
        let stood = earlier.flatten();
        let before = stood.and_then(|stood| stood.read.as_ref().ok());
        if before.is_some_and(|before| before.bytes == self.bytes) {
            // Whoever proposes something else can do nothing about a card that has ended.
            return match pointer.check(now, Some(&self.name), None) {
                Ok(()) => Ok(State::Unchanged),
                Err(PointerError::Expired) => Ok(State::Expired),
                Err(error) => Err(error.into()),
            };
        }
        let stood = stood.and_then(Entry::pointer);
        pointer.check(now, Some(&self.name), stood)?;
        match earlier {
            // What stands around a card is not signed.
            _ if stood == Some(pointer) => Err(Fault::Remarks),
            None => Ok(State::Good),
            Some(None) => Ok(State::New),
            Some(Some(_)) => Ok(State::Renewed),
        }
    }
}
