//! A space as it is read: looked at by what has changed, and remembered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use wayside_bridge::file::{self, Found};
use wayside_bridge::{Batch, BridgeContext, Class, Clock, Fetch, Key, Keys, Monotonic, Record, Timestamp};

use crate::error::WebError;
use crate::index::Index;
use crate::parcel::{self, Parcel, ROLL, Roll};
use crate::store::{Files, Read};
use crate::validator::Validator;

/// The most public names asked for at once: each takes a request.
const MOST_NAMES: usize = 64;
/// The largest card that somebody put there by hand, in bytes.
const MOST_OF_A_CARD: usize = 8192;
/// A card without an end of its own is found for so long after it was read; what is in it tells more.
const FOUND_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// The most that a drop may hold, in bytes.
const MOST_OF_DROP: usize = 16 * 1024 * 1024;
/// How many files are asked for at once.
const READS_AT_ONCE: usize = 4;
/// For how long after a look its further pages are handed out without another.
const SAME_WALK: Duration = Duration::from_secs(10);
/// The most files of a space that are remembered.
const MOST_KEPT: usize = 256;

/// How a space is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// A roll, and a parcel a writer.
    Folder,
    /// Everything at once.
    Drop,
}

/// A space, and what was found there last.
pub(crate) struct View {
    files: Arc<dyn Files>,
    layout: Layout,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    kept: BTreeMap<String, Kept>,
    index: Index,
    looked: Option<Monotonic>,
}

/// A file as it was read last.
#[derive(Clone)]
struct Kept {
    validator: Option<Validator>,
    contents: Contents,
}

#[derive(Clone)]
enum Contents {
    Roll(Roll),
    Parcel(Arc<Parcel>),
    Card(Bytes),
}

/// How a file is understood.
#[derive(Clone, Copy)]
enum Kind {
    Roll,
    Parcel,
    Card,
}

/// What a look told besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Looked {
    /// Who writes there, where that was asked.
    pub(crate) roll: Option<Roll>,
}

/// The file of a public name.
pub(crate) fn card_file(name: &str) -> String {
    format!(".well-known/wayside/{name}")
}

impl View {
    pub(crate) fn new(files: Arc<dyn Files>, layout: Layout, context: &BridgeContext) -> Self {
        let index = Index::new(context.entropy.as_ref());
        let state = State { kept: BTreeMap::new(), index, looked: None };
        Self { files, layout, clock: Arc::clone(&context.clock), state: Mutex::new(state) }
    }

    /// A page of what is there.
    pub(crate) async fn fetch(&self, request: &Fetch) -> Result<(Batch, Looked), WebError> {
        let names = names_in(&request.keys);
        if names.len() > MOST_NAMES {
            return Err(WebError::ManyNames(MOST_NAMES));
        }
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        let recent = state.looked.is_some_and(|looked| self.clock.monotonic().since(looked) < SAME_WALK);
        if recent && request.cursor.is_some() {
            let page = state.index.page(request, now);
            if page.more {
                return Ok((page, Looked::default()));
            }
        }
        let looked = self.look(&mut state, &names).await?;
        state.looked = Some(self.clock.monotonic());
        Ok((state.index.page(request, now), looked))
    }

    /// Reads what has changed.
    async fn look(&self, state: &mut State, names: &[String]) -> Result<Looked, WebError> {
        let now = self.clock.now();
        let (mut there, mut junk, mut looked) = (Vec::new(), 0_u64, Looked::default());
        let mut wanted: Vec<(String, Kind)> = match self.layout {
            Layout::Drop => vec![(String::new(), Kind::Parcel)],
            Layout::Folder => {
                junk = self.read(state, vec![(ROLL.to_owned(), Kind::Roll)]).await?;
                let roll = match state.kept.get(ROLL) {
                    Some(Kept { contents: Contents::Roll(roll), .. }) => roll.clone(),
                    _ => Roll::default(),
                };
                let parcels = roll.0.iter().map(|id| (id.parcel(), Kind::Parcel)).collect();
                looked.roll = Some(roll);
                parcels
            }
        };
        if self.layout == Layout::Folder {
            wanted.extend(names.iter().map(|name| (card_file(name), Kind::Card)));
        }
        let files: Vec<String> = wanted.iter().map(|(file, _)| file.clone()).collect();
        junk = junk.saturating_add(self.read(state, wanted).await?);
        for file in &files {
            match state.kept.get(file).map(|kept| &kept.contents) {
                Some(Contents::Parcel(parcel)) => {
                    there.extend(parcel.records.iter().cloned());
                    junk = junk.saturating_add(parcel.junk);
                }
                Some(Contents::Card(bytes)) => there.extend(card(file, bytes, now)),
                Some(Contents::Roll(_)) | None => {}
            }
        }
        // What nobody lists any more is not there, cards of other names stay until they are asked for.
        state.kept.retain(|file, kept| files.contains(file) || !matches!(kept.contents, Contents::Parcel(_)));
        while state.kept.len() > MOST_KEPT {
            state.kept.pop_first();
        }
        state.index.update(there, junk);
        Ok(looked)
    }

    /// Reads files that are not what they were; tells how many are too large to be anything of ours.
    async fn read(&self, state: &mut State, files: Vec<(String, Kind)>) -> Result<u64, WebError> {
        let asked = files.into_iter().map(|(file, kind)| {
            let known = state.kept.get(&file).and_then(|kept| kept.validator.clone());
            async move {
                let most = match kind {
                    Kind::Roll => parcel::MOST_OF_ROLL,
                    Kind::Parcel if self.layout == Layout::Drop => MOST_OF_DROP,
                    Kind::Parcel => parcel::MOST,
                    Kind::Card => MOST_OF_A_CARD,
                };
                match self.files.get(&file, known.as_ref(), most).await {
                    // Somebody's own file is somebody's own trouble.
                    Err(WebError::TooLarge { .. }) if self.layout == Layout::Folder => Ok((file, kind, None)),
                    read => read.map(|read| (file, kind, Some(read))),
                }
            }
        });
        let asked: Vec<_> = asked.collect();
        let read: Vec<_> = futures::stream::iter(asked).buffered(READS_AT_ONCE).try_collect().await?;
        let mut junk = 0_u64;
        for (file, kind, read) in read {
            match read {
                Some(Read::Same) => {}
                Some(Read::Absent) => drop(state.kept.remove(&file)),
                Some(Read::Fresh(bytes, validator)) => {
                    let contents = match kind {
                        Kind::Roll => Contents::Roll(Roll::read(&bytes)),
                        Kind::Parcel => Contents::Parcel(Arc::new(Parcel::read(&bytes))),
                        Kind::Card => Contents::Card(bytes),
                    };
                    state.kept.insert(file, Kept { validator, contents });
                }
                None => {
                    junk = junk.saturating_add(1);
                    state.kept.remove(&file);
                }
            }
        }
        Ok(junk)
    }
}

/// The record of a card's file: as a bridge writes it, or as a person put it there.
fn card(file: &str, bytes: &Bytes, now: Timestamp) -> Option<Found> {
    let key = Key::name(file.rsplit('/').next()?)?;
    if let Some(found) = file::decode(bytes) {
        return (found.record.key == key && found.record.class == Class::Pointer).then_some(found);
    }
    // Some servers answer every question with a page for browsers.
    let nothing = bytes.iter().all(u8::is_ascii_whitespace) || bytes.trim_ascii_start().starts_with(b"<");
    if nothing {
        return None;
    }
    let digest: [u8; 32] =
        Sha256::new().chain_update(file).chain_update([0]).chain_update(bytes).finalize().into();
    let record = Record::new(key, Class::Pointer, now.saturating_add(FOUND_FOR), bytes.clone());
    Some(Found { record, check: *digest.first_chunk()? })
}

fn names_in(keys: &Keys) -> Vec<String> {
    match keys {
        Keys::All => Vec::new(),
        Keys::These(keys) => keys
            .iter()
            .filter_map(|key| match key {
                Key::Name(name) => Some(name.clone()),
                Key::Slot(_) => None,
            })
            .collect(),
    }
}
