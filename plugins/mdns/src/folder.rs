//! Our own records in the bridge's own folder, a file each, so that they are on the network again after a restart.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use wayside_bridge::{Record, Timestamp, file};

use crate::heard::MOST_OF_ONE;
use crate::instance::{self, Instance};

/// How the name of a file begins that is not whole yet.
const HALF: &str = ".half-";

/// Where they are; nowhere, where the bridge runs for a moment only.
#[derive(Clone, Debug)]
pub(crate) struct Folder(Option<PathBuf>);

impl Folder {
    pub(crate) fn new(state_dir: Option<PathBuf>) -> Self {
        Self(state_dir.map(|folder| folder.join("published")))
    }

    /// All that are good yet. What is over, or is none of ours, is removed.
    pub(crate) async fn read(&self, now: Timestamp) -> io::Result<Vec<Record>> {
        let Some(folder) = &self.0 else { return Ok(Vec::new()) };
        tokio::fs::create_dir_all(folder).await?;
        let mut entries = tokio::fs::read_dir(folder).await?;
        let mut records = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            let path = entry.path();
            let record = record(&path).await.filter(|record| !file::over(record.not_after, now));
            match record {
                Some(record) if records.len() < MOST_OF_ONE => records.push(record),
                _ => remove(&path).await?,
            }
        }
        Ok(records)
    }

    /// One more: a whole file or none. It is not synced, since a record that a power cut takes was taken off the network by it as well.
    pub(crate) async fn write(&self, instance: &Instance, record: &Record) -> io::Result<()> {
        let (Some(folder), Some((contents, _))) = (&self.0, file::encode(record)) else { return Ok(()) };
        let label = instance.label();
        let half = folder.join(format!("{HALF}{label}"));
        tokio::fs::write(&half, contents).await?;
        tokio::fs::rename(half, folder.join(label)).await
    }

    /// One less; gone already is as good.
    pub(crate) async fn remove(&self, instance: &Instance) -> io::Result<()> {
        match &self.0 {
            Some(folder) => remove(&folder.join(instance.label())).await,
            None => Ok(()),
        }
    }
}

/// The record of a file that is named after it.
async fn record(path: &Path) -> Option<Record> {
    let named = Instance::parse(path.file_name()?.as_encoded_bytes())?;
    let contents = tokio::fs::read(path).await.ok()?;
    let record = file::decode(&Bytes::from(contents))?.record;
    (instance::encode(&record)?.0 == named).then_some(record)
}

async fn remove(path: &Path) -> io::Result<()> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
