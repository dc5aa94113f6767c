//! The file that a store is in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, WriteTransaction};

use super::{Opener, StoreError};
use crate::home::{private_file, sync_dir};

/// A file that [`make`] made.
#[derive(Debug)]
pub(super) struct StoreFile {
    pub(super) path: PathBuf,
    /// How many bytes of memory redb may keep pages in.
    pub(super) cache: usize,
}

impl Opener for StoreFile {
    fn open(&self) -> Result<Database, StoreError> {
        Ok(builder(self.cache).open(&self.path)?)
    }
}

/// Makes the file where there is none: beside its place at first, so that whoever is killed meanwhile leaves no half of it there.
pub(super) fn make(
    path: &Path,
    cache: usize,
    make_tables: impl FnOnce(&mut WriteTransaction) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    if path.try_exists().map_err(StoreError::Io)? {
        return Ok(());
    }
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::Io(error)),
        _ => {}
    }
    let file = private_file(&new).map_err(StoreError::Io)?;
    let database = builder(cache).create_with_backend(FileBackend::new(file)?)?;
    let mut transaction = database.begin_write()?;
    make_tables(&mut transaction)?;
    transaction.commit()?;
    drop(database);
    fs::rename(&new, path).map_err(StoreError::Io)?;
    sync_dir(path.parent().unwrap_or(Path::new("."))).map_err(StoreError::Io)
}

pub(super) fn builder(cache: usize) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(cache);
    builder
}
