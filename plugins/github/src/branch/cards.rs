//! Cards that a repository lists: `peers/NAME.card` in the project's own branch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use wayside_bridge::{Class, Clock, Key, Record, file};

use crate::client::{Client, Etag, Read};
use crate::error::GitHubError;
use crate::index::Listed;
use crate::wire::{FileAnswer, Sha, unarmoured};

/// The most names asked for at once: each takes a request.
pub(crate) const MOST_NAMES: usize = 64;
/// The largest card, in bytes.
const MOST_OF_A_CARD: u64 = 8192;
/// The most of an answer with a card in it: base64, and what else is said of a file.
const MOST_OF_AN_ANSWER: usize = 64 * 1024;
/// The most names that are remembered.
const MOST_KNOWN: usize = 256;
/// A card is found for so long after it was read; what is in it tells more.
pub(crate) const FOUND_FOR: Duration = Duration::from_secs(24 * 60 * 60);

const FOLDER: &str = "peers/";

/// The public name whose card this is the file of.
pub(crate) fn card_name(id: &str) -> Option<&str> {
    id.strip_prefix(FOLDER)?.strip_suffix(".card")
}

/// Looks cards up, and remembers them.
pub(crate) struct Cards {
    client: Arc<Client>,
    clock: Arc<dyn Clock>,
    known: Mutex<BTreeMap<String, Known>>,
}

/// A card as it was read last.
#[derive(Clone, Debug)]
struct Known {
    etag: Etag,
    card: Option<(String, Bytes)>,
}

impl Cards {
    pub(crate) fn new(client: Arc<Client>, clock: Arc<dyn Clock>) -> Self {
        Self { client, clock, known: Mutex::default() }
    }

    /// The card of a public name, where there is one. One request.
    pub(crate) async fn look(&self, name: &str) -> Result<Option<Listed>, GitHubError> {
        // The rule of public names lets nothing into a path that would lead elsewhere.
        let Some(key) = Key::name(name) else { return Ok(None) };
        let id = format!("{FOLDER}{name}.card");
        let known = self.known().get(name).cloned();
        let path = self.client.of_repo(&format!("/contents/{id}"));
        let tag = known.as_ref().map(|known| &known.etag);
        // The answer is a list where it is a folder.
        let answer = self.client.read_unless::<serde_json::Value>(&path, tag, MOST_OF_AN_ANSWER).await;
        let card = match (answer, known) {
            (Ok((Read::Same, _)), Some(known)) => known.card,
            (Ok((Read::Same, _)), None) => None,
            (Ok((Read::Fresh(answer, etag), _)), _) => {
                let card = serde_json::from_value(answer).ok().and_then(card);
                self.remember(name, etag, card.clone());
                card
            }
            (
                Err(GitHubError::NotFound { .. } | GitHubError::Empty { .. } | GitHubError::TooLarge { .. }),
                _,
            ) => {
                self.known().remove(name);
                None
            }
            (Err(error), _) => return Err(error),
        };
        let not_after = self.clock.now().saturating_add(FOUND_FOR);
        Ok(card.map(|(version, bytes)| Listed {
            id,
            name: file::Name { class: Class::Pointer, key: key.clone(), fixed: None },
            version,
            size: bytes.len() as u64,
            record: Some(Record::new(key, Class::Pointer, not_after, bytes)),
        }))
    }

    fn remember(&self, name: &str, etag: Option<Etag>, card: Option<(String, Bytes)>) {
        let mut known = self.known();
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        match etag {
            Some(etag) => drop(known.insert(name.to_owned(), Known { etag, card })),
            None => drop(known.remove(name)),
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Version and contents of a file that may be a card.
fn card(answer: FileAnswer) -> Option<(String, Bytes)> {
    let sha = Sha::try_from(answer.sha).ok()?;
    if answer.kind != "file" || answer.encoding != "base64" || answer.size > MOST_OF_A_CARD {
        return None;
    }
    let bytes = unarmoured(&answer.content)?;
    (bytes.len() as u64 <= MOST_OF_A_CARD).then(|| (sha.to_string(), Bytes::from(bytes)))
}
