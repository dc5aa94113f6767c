//! Under which name we write: one for each bridge that is open, since two that wrote one file would lose each other's records.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;

use wayside_bridge::BridgeContext;

use crate::error::WebError;
use crate::parcel::WriterId;

/// The most bridges that write from one folder at the same time.
const MOST: usize = 16;

/// Our name in a space.
#[derive(Debug)]
pub(crate) struct Me {
    pub(crate) id: WriterId,
    /// Held for as long as we write. Without one the name is good for this time only.
    held: Option<File>,
}

impl Me {
    /// The name that nobody else uses now of those in the bridge's own folder, or a new one.
    pub(crate) fn open(context: &BridgeContext) -> Result<Self, WebError> {
        let fresh = || WriterId::random(context.entropy.as_ref());
        let Some(folder) = context.state_dir.as_deref() else { return Ok(Self { id: fresh(), held: None }) };
        for number in 0..MOST {
            let path = folder.join(format!("writer-{number}"));
            if let Some((id, held)) = take(&path, fresh).map_err(|error| trouble(&path, &error))? {
                return Ok(Self { id, held: Some(held) });
            }
        }
        Ok(Self { id: fresh(), held: None })
    }

    /// Whether the name is kept for the next time.
    pub(crate) const fn is_kept(&self) -> bool {
        self.held.is_some()
    }
}

/// The name in a file; `None` where another bridge has it.
fn take(path: &Path, fresh: impl FnOnce() -> WriterId) -> std::io::Result<Option<(WriterId, File)>> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
        Err(std::fs::TryLockError::Error(error)) => return Err(error),
    }
    let mut text = String::new();
    let read = Read::by_ref(&mut file).take(64).read_to_string(&mut text);
    if let Some(id) = read.ok().and_then(|_| WriterId::parse(text.trim())) {
        return Ok(Some((id, file)));
    }
    let id = fresh();
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("{id}\n").as_bytes())?;
    file.sync_all()?;
    Ok(Some((id, file)))
}

fn trouble(path: &Path, error: &std::io::Error) -> WebError {
    WebError::Folder { path: path.display().to_string(), reason: error.to_string() }
}
