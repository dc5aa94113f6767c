//! Publishing and taking back.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use wayside_bridge::{Key, Monotonic, Receipt, Record, file};

use crate::error::DirError;
use crate::expiry;
use crate::folder::Folder;
use crate::name::{self, Entry};
use crate::place::Place;

/// After this a temporary file's writer is taken for dead. Writing a megabyte to the slowest stick takes a minute.
pub(crate) const WRITER_DIED: Duration = Duration::from_secs(3600);

/// How often a writer looks for what others left behind.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// The most pointers that one sweep reads to see whether they expired.
const SWEEP_READS: usize = 256;

/// Writes records so that readers see a whole one or none.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    swept: Mutex<Option<Monotonic>>,
}

impl Writer {
    /// Writes a record beside the others of its key, or over the one before.
    pub(crate) fn publish(&self, place: &Place, record: &Record) -> Result<Receipt, DirError> {
        let len = record.bytes.len();
        let max = file::max_record(record.class);
        let key_fits = !matches!(&record.key, Key::Name(name) if Key::name(name).is_none());
        let too_large = || DirError::TooLarge { class: record.class, len, max };
        let (file, check) =
            if key_fits { file::encode(record).ok_or_else(too_large)? } else { return Err(DirError::Key) };
        let name = file::Name::of(record, check).ok_or(DirError::Key)?;
        let folder = place.settle()?;
        if !holds(&folder, &name, check) {
            self.write(place, &folder, &name.file_name(), &file)?;
        }
        receipt(&name, check).ok_or(DirError::Key)
    }

    /// Whether we may write, and have room: makes a file and removes it.
    pub(crate) fn try_out(&self, place: &Place) -> Result<(), DirError> {
        let folder = place.settle()?;
        let mut temporary = Temporary::create(&folder, name::temporary(place.context().entropy.as_ref()))
            .map_err(|e| place.below(e))?;
        // As much as a small record: what fits into the folder's own metadata would not tell a full disk.
        temporary
            .file
            .write_all(&[0; 8192])
            .and_then(|()| temporary.file.sync_all())
            .map_err(|e| place.below(e))?;
        self.sweep(place, &folder, &temporary);
        Ok(())
    }

    fn write(&self, place: &Place, folder: &Folder, name: &str, contents: &[u8]) -> Result<(), DirError> {
        let steps = || -> io::Result<()> {
            let mut temporary = Temporary::create(folder, name::temporary(place.context().entropy.as_ref()))?;
            temporary.file.write_all(contents)?;
            temporary.file.sync_all()?;
            self.sweep(place, folder, &temporary);
            temporary.rename(name)?;
            folder.sync()
        };
        steps().map_err(|error| match error.kind() {
            // Somebody made a folder of the record's name.
            io::ErrorKind::IsADirectory | io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => {
                DirError::InTheWay(place.records_path().join(name))
            }
            _ => place.below(error),
        })
    }

    /// Removes what dead writers left and what expired, now and then.
    ///
    /// Ages are measured against a file that was written just now, so by the clock that stamps all files here.
    fn sweep(&self, place: &Place, folder: &Folder, fresh: &Temporary<'_>) {
        let clock = &place.context().clock;
        let now = clock.monotonic();
        {
            let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
            if swept.is_some_and(|before| now.since(before) < SWEEP_EVERY) {
                return;
            }
            *swept = Some(now);
        }
        let Ok(fresh) = folder.stamp(&fresh.name) else { return };
        let mut reads = 0;
        let listed = folder.each_name(|name| {
            let Some(name) = name else { return ControlFlow::Continue(()) };
            let remove = match Entry::of(name) {
                Entry::Temporary => folder.stamp(name).is_ok_and(|stamp| {
                    stamp.regular && fresh.written.saturating_sub(stamp.written) > WRITER_DIED
                }),
                Entry::Record(file::Name { fixed: None, .. }) | Entry::Copy { not_after: None }
                    if reads < SWEEP_READS =>
                {
                    reads += 1;
                    expiry::expired_inside(folder, name, clock.now())
                }
                entry => expiry::expired_by_name(&entry, clock.now()),
            };
            if remove {
                expiry::remove(folder, name);
            }
            ControlFlow::Continue(())
        });
        if let Err(error) = listed {
            tracing::debug!(%error, path = %place.path().display(), "a folder could not be swept");
        }
    }
}

/// Removes what a receipt stands for; what is not there, or is no receipt of ours, is no error.
///
/// Between looking at a pointer and removing it, another writer may replace it, and then loses a pointer that it will
/// publish again: file systems offer no way to remove a file only if it is still a certain one.
pub(crate) fn retract(place: &Place, receipts: &[Receipt]) -> Result<(), DirError> {
    let Some(folder) = place.enter()? else { return Ok(()) };
    let mut first_error = None;
    for (name, check) in receipts.iter().filter_map(parse_receipt) {
        if name.fixed.is_none() && !holds(&folder, &name, check) {
            continue;
        }
        match folder.remove(&name.file_name()) {
            Ok(()) => {}
            // A folder of that name is none of ours.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {}
            Err(error) => drop(first_error.get_or_insert_with(|| place.below(error))),
        }
    }
    if first_error.is_none() {
        folder.sync().map_err(|error| place.below(error))?;
    }
    first_error.map_or(Ok(()), Err)
}

/// Whether this file holds the record of this check already.
fn holds(folder: &Folder, name: &file::Name, check: file::Check) -> bool {
    let contents = folder.read(&name.file_name(), file::max_file(name.class)).ok().flatten();
    let found = contents.and_then(|contents| file::decode(&Bytes::from(contents)));
    found.is_some_and(|found| found.check == check && name.fits(&found))
}

/// The file's name and what was in it.
fn receipt(name: &file::Name, check: file::Check) -> Option<Receipt> {
    Receipt::new(format!("{}\n{}", HEXLOWER.encode(&check), name.file_name()))
}

fn parse_receipt(receipt: &Receipt) -> Option<(file::Name, file::Check)> {
    let (check, name) = std::str::from_utf8(receipt.as_bytes()).ok()?.split_once('\n')?;
    Some((file::Name::parse(name)?, HEXLOWER.decode(check.as_bytes()).ok()?.try_into().ok()?))
}

/// A file that is gone again unless it gets its name.
pub(crate) struct Temporary<'a> {
    folder: &'a Folder,
    pub(crate) name: String,
    file: std::fs::File,
    named: bool,
}

impl<'a> Temporary<'a> {
    pub(crate) fn create(folder: &'a Folder, name: String) -> io::Result<Self> {
        let file = folder.create(&name)?;
        Ok(Self { folder, name, file, named: false })
    }

    pub(crate) fn rename(mut self, name: &str) -> io::Result<()> {
        self.folder.rename(&self.name, name)?;
        self.named = true;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.named {
            let _ = self.folder.remove(&self.name);
        }
    }
}
