//! Finding `.wayside/` in the folder, and telling whether it is still the same one.
//!
//! A folder is known by its *markers*: empty-handed files whose names hold a random id. The first bridge to write
//! leaves one. Two that do so at once, each on its side of a synchroniser, leave two, and the folder then has two
//! ids for good; everybody lists both, in order, so both sides come to prefer the same one and an invite that names
//! either still matches.
//!
//! The markers also tell a folder from what is left of it. A mount point whose stick was pulled is an empty folder,
//! and another stick may be mounted at the same path: nothing is written into either. The ids are remembered in the
//! bridge's state folder for that, so that a restart without the stick is no different.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use wayside_bridge::{BridgeContext, Locator};

use crate::error::DirError;
use crate::folder::Folder;
use crate::name::{self, Entry, PlaceId};

/// The folder below the one that the user gave; nothing outside it is read or written.
pub(crate) const FOLDER: &str = ".wayside";

/// The most ids of one folder that are kept. One is usual, two or three come from races.
pub(crate) const MOST_IDS: usize = 16;

const README: &str = "\
Programs called wayside leave small sealed notes for one another in this folder.
Nobody can read them but those they are for. Old ones are removed by themselves.
You may delete this folder when nobody uses it any more.
";

/// The folder that the user gave, and what is known about it.
pub(crate) struct Place {
    path: PathBuf,
    memory: Option<PathBuf>,
    known: Mutex<BTreeSet<PlaceId>>,
    context: BridgeContext,
}

impl Place {
    /// The place at a path, with what an earlier process knew about it. Touches nothing in the folder.
    pub(crate) fn new(path: PathBuf, context: BridgeContext) -> Self {
        let memory = context.state_dir.as_ref().map(|dir| dir.join("places"));
        let known = memory.as_deref().map(recall).unwrap_or_default();
        Self { path, memory, known: Mutex::new(known), context }
    }

    /// The path that the user gave.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where records are.
    pub(crate) fn records_path(&self) -> PathBuf {
        self.path.join(FOLDER)
    }

    /// Clock, entropy and the rest.
    pub(crate) const fn context(&self) -> &BridgeContext {
        &self.context
    }

    /// Whether a bridge found its way here before.
    pub(crate) fn is_known(&self) -> bool {
        !self.known().is_empty()
    }

    /// The names of the place, the preferred first.
    pub(crate) fn locators(&self) -> Vec<Locator> {
        self.known().iter().filter_map(|id| Locator::new(crate::KIND, &id.text())).collect()
    }

    /// The folder of records, to read there. `None` where nobody has left anything yet.
    pub(crate) fn enter(&self) -> Result<Option<Folder>, DirError> {
        let folder = match self.root()?.folder(FOLDER) {
            Ok(folder) => folder,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.below(error)),
            Err(_) if self.is_known() => return Err(DirError::OtherPlace(self.path.clone())),
            Err(_) => return Ok(None),
        };
        self.recognise(&folder)?;
        Ok(Some(folder))
    }

    /// The folder of records, to write there; it is made and marked where that was not done yet.
    pub(crate) fn settle(&self) -> Result<Folder, DirError> {
        if let Some(folder) = self.enter()?
            && self.is_known()
        {
            return Ok(folder);
        }
        let folder = self.root()?.make_folder(FOLDER).map_err(|error| self.below(error))?;
        let id = PlaceId::random(self.context.entropy.as_ref());
        let mark = || -> io::Result<()> {
            leave(&folder, name::README, README)?;
            leave(&folder, &id.file_name(), &format!("This folder is dir:{} to wayside.\n", id.text()))?;
            folder.sync()
        };
        mark().map_err(|error| self.below(error))?;
        self.recognise(&folder)?;
        Ok(folder)
    }

    /// Takes note of all the markers that a listing found.
    pub(crate) fn learn(&self, markers: &Markers) {
        let mut known = self.known();
        let found = markers.ids();
        if found.is_empty() || *known == *found {
            return;
        }
        known.clone_from(found);
        if let Some(memory) = &self.memory
            && let Err(error) = remember(memory, &known)
        {
            tracing::debug!(%error, path = %memory.display(), "the ids of a folder could not be kept");
        }
    }

    /// A collector of markers for [`Place::learn`].
    pub(crate) fn markers(&self) -> Markers {
        Markers { known: self.known().clone(), ids: BTreeSet::new() }
    }

    /// What an operation below the folder came to.
    pub(crate) fn below(&self, error: io::Error) -> DirError {
        match error.kind() {
            // `.wayside` is a file or a link.
            io::ErrorKind::NotADirectory => DirError::InTheWay(self.records_path()),
            _ => DirError::of(&self.path, error),
        }
    }

    fn root(&self) -> Result<Folder, DirError> {
        Folder::open(&self.path).map_err(|error| DirError::of(&self.path, error))
    }

    /// Whether this is the folder that is known; learns its ids where none is.
    fn recognise(&self, folder: &Folder) -> Result<(), DirError> {
        let known = self.known().clone();
        if known.iter().any(|id| folder.stamp(&id.file_name()).is_ok()) {
            return Ok(());
        }
        let mut markers = self.markers();
        folder
            .each_name(|name| {
                if let Some(Entry::Marker(id)) = name.map(Entry::of) {
                    markers.add(id);
                }
                ControlFlow::Continue(())
            })
            .map_err(|error| self.below(error))?;
        if !known.is_empty() && known.is_disjoint(&markers.ids) {
            return Err(DirError::OtherPlace(self.path.clone()));
        }
        self.learn(&markers);
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<PlaceId>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place")
            .field("path", &self.path)
            .field("known", &*self.known())
            .finish_non_exhaustive()
    }
}

/// The markers that a listing finds, at most [`MOST_IDS`]: those known before and the smallest of the others.
#[derive(Debug, Default)]
pub(crate) struct Markers {
    known: BTreeSet<PlaceId>,
    ids: BTreeSet<PlaceId>,
}

impl Markers {
    /// Those found.
    pub(crate) const fn ids(&self) -> &BTreeSet<PlaceId> {
        &self.ids
    }

    /// Takes one in.
    pub(crate) fn add(&mut self, id: PlaceId) {
        self.ids.insert(id);
        if self.ids.len() > MOST_IDS
            && let Some(excess) = self.ids.iter().rev().find(|id| !self.known.contains(id)).copied()
        {
            self.ids.remove(&excess);
        }
    }
}

/// Writes a small file whose name is all that matters; one that is there already stays.
fn leave(folder: &Folder, name: &str, text: &str) -> io::Result<()> {
    let mut file = match folder.create(name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        created => created?,
    };
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn recall(path: &Path) -> BTreeSet<PlaceId> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(PlaceId::parse).take(MOST_IDS).collect()
}

fn remember(path: &Path, ids: &BTreeSet<PlaceId>) -> io::Result<()> {
    let text: String = ids.iter().map(|id| id.text() + "\n").collect();
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(new, path)
}
