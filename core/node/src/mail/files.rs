//! Files that come with messages: in parts beside each other until the message comes, then whole in the message's own folder.
//!
//! ```text
//! HOME/files/HASH.part       as far as it came; HASH is of its sender and its id
//! HOME/files/MESSAGE/NAME    whole, with the size and the hash that the message says
//! ```
//!
//! Parts are on disk before the transaction is that takes them in, and the same part again changes nothing: what a crash leaves is written over when it comes again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::crypto::sha256;
use wayside_proto::mailbox::Age;
use wayside_proto::mailbox::item::{FileId, FileRef, MessageId};

use crate::home::{private_file, sync_dir};
use crate::store::{InboxFile, MailChange, Parts, StoreError};

/// Files of one sender of which parts are here and the message is not.
const MOST: u64 = 64;
/// What they may be together, as often as one may be.
const MOST_TOGETHER: u64 = 4;

/// Files that one transaction takes in.
pub(super) struct Arriving {
    folder: PathBuf,
    /// The longest file, in bytes.
    most: u64,
    /// Those that were written to.
    touched: BTreeMap<PathBuf, File>,
}

impl Arriving {
    pub(super) const fn new(folder: PathBuf, most: u64) -> Self {
        Self { folder, most, touched: BTreeMap::new() }
    }

    /// A part of a file: written, where there is room for it. Where there is none the message will say that the file did not come.
    pub(super) fn part(
        &mut self,
        change: &MailChange<'_>,
        now: Age,
        from: &AccountId,
        file: &FileId,
        at: u64,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let reaches = at.saturating_add(length);
        let before = change.parts(from, file)?;
        let (count, together) = change.parts_of(from)?;
        let more = reaches.saturating_sub(before.map_or(0, |parts| parts.reaches));
        let has_room = reaches <= self.most
            && together.saturating_add(more) <= self.most.saturating_mul(MOST_TOGETHER)
            && (before.is_some() || count < MOST);
        if !has_room {
            return Ok(());
        }
        self.write(&part_path(&self.folder, from, file), at, bytes).map_err(StoreError::Io)?;
        let reaches = reaches.max(before.map_or(0, |parts| parts.reaches));
        change.keep_parts(from, file, Some(Parts { reaches, came: now }))
    }

    /// A message names a file: all of it has come, or not.
    pub(super) fn whole(
        &mut self,
        change: &MailChange<'_>,
        from: &AccountId,
        message: &MessageId,
        file: &FileRef,
    ) -> Result<InboxFile, StoreError> {
        let part = part_path(&self.folder, from, &file.id);
        change.keep_parts(from, &file.id, None)?;
        let path = self.settle(&part, message, file).map_err(StoreError::Io)?;
        Ok(InboxFile { id: file.id, name: safe_name(&file.name), size: file.size, path })
    }

    /// Has all parts on disk, and the folder.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        if self.touched.is_empty() {
            return Ok(());
        }
        for file in self.touched.values() {
            file.sync_data().map_err(StoreError::Io)?;
        }
        self.touched.clear();
        sync_dir(&self.folder).map_err(StoreError::Io)
    }

    fn write(&mut self, path: &Path, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = match self.touched.remove(path) {
            Some(file) => file,
            None => {
                crate::home::private_dir(&self.folder)?;
                private_file(path)?
            }
        };
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)?;
        self.touched.insert(path.to_owned(), file);
        Ok(())
    }

    /// Puts a file where it stays, and says where, below the home; `None` where it is not what the message says.
    fn settle(&mut self, part: &Path, message: &MessageId, file: &FileRef) -> io::Result<Option<String>> {
        let message = HEXLOWER.encode(message);
        let folder = self.folder.join(&message);
        let is_taken = |name: &String| folder.join(name).try_exists();
        let mut name = safe_name(&file.name);
        for number in 2.. {
            if is_file(&folder.join(&name), file)? {
                // As a crash left it.
                remove(part)?;
                return Ok(Some(format!("files/{message}/{name}")));
            }
            if !is_taken(&name)? || number > MOST {
                break;
            }
            name = format!("{number}-{}", short_name(&file.name));
        }
        if let Some(written) = self.touched.remove(part) {
            written.sync_data()?;
        }
        if file.size == 0 {
            crate::home::private_dir(&self.folder)?;
            private_file(part)?;
        }
        if is_taken(&name)? || !is_file(part, file)? {
            remove(part)?;
            return Ok(None);
        }
        crate::home::private_dir(&folder)?;
        fs::rename(part, folder.join(&name))?;
        sync_dir(&folder)?;
        sync_dir(&self.folder)?;
        Ok(Some(format!("files/{message}/{name}")))
    }
}

/// Forgets parts whose message will not come.
pub(super) fn forget(folder: &Path, over: &[(AccountId, FileId)]) -> io::Result<()> {
    over.iter().try_for_each(|(from, file)| remove(&part_path(folder, from, file)))
}

fn part_path(folder: &Path, from: &AccountId, file: &FileId) -> PathBuf {
    let hash = sha256(&[b"file", &from.0, file]);
    folder.join(format!("{}.part", HEXLOWER.encode(&hash)))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether a file of this size and hash is there.
fn is_file(path: &Path, expected: &FileRef) -> io::Result<bool> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() != expected.size {
        return Ok(false);
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(sha256(&[&bytes]) == expected.hash)
}

/// What a file may be called on our disk: as its sender calls it, where that leads nowhere and all of it is seen.
fn safe_name(name: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '/' | '\\' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if name.is_empty() || name.len() > 255 || name.starts_with('.') || name.chars().any(hidden) {
        return "file".to_owned();
    }
    name.to_owned()
}

/// The same, with room for a number before it.
fn short_name(name: &str) -> String {
    let name = safe_name(name);
    if name.len() > 250 { "file".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere() {
        for bad in ["", "..", "../x", "a/b", "a\\b", ".bashrc", "a\nb", "a\u{202e}txt.exe", &"x".repeat(256)]
        {
            assert_eq!(safe_name(bad), "file", "{bad:?}");
        }
        assert_eq!(safe_name("straße 2.pdf"), "straße 2.pdf");
    }
}
