//! The file that the store is in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database};

use super::{Opener, StoreError, make_tables};
use crate::home::{private_file, sync_dir};

/// A file that [`make`] made.
#[derive(Debug)]
pub(super) struct StoreFile(pub(super) PathBuf);

impl Opener for StoreFile {
    fn open(&self) -> Result<Database, StoreError> {
        Ok(builder().open(&self.0)?)
    }
}

/// Makes the file where there is none: beside its place at first, so that whoever is killed meanwhile leaves no half of it there.
pub(super) fn make(path: &Path) -> Result<(), StoreError> {
    if path.try_exists().map_err(StoreError::Io)? {
        return Ok(());
    }
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::Io(error)),
        _ => {}
    }
    let file = private_file(&new).map_err(StoreError::Io)?;
    let database = builder().create_with_backend(FileBackend::new(file)?)?;
    let transaction = database.begin_write()?;
    make_tables(&transaction)?;
    transaction.commit()?;
    drop(database);
    fs::rename(&new, path).map_err(StoreError::Io)?;
    sync_dir(path.parent().unwrap_or(Path::new("."))).map_err(StoreError::Io)
}

/// Memory that redb may keep pages in: a home's working set is small, and nodes run on small machines.
const CACHE_BYTES: usize = 2 << 20;

pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}
