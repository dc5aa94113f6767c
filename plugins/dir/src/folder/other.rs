//! Folders by path, where there are no descriptors of folders.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Stamp;

/// A folder that was there a moment ago.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder at a path that its user gave; links in it are the user's own.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        match fs::metadata(path)?.is_dir() {
            true => Ok(Self(path.to_owned())),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// A folder in this one.
    pub(crate) fn folder(&self, name: &str) -> io::Result<Self> {
        let path = self.0.join(name);
        match fs::symlink_metadata(&path)?.is_dir() {
            true => Ok(Self(path)),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// A folder in this one, made where it is absent; permissions are inherited.
    pub(crate) fn make_folder(&self, name: &str) -> io::Result<Self> {
        match fs::create_dir(self.0.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => self.folder(name),
        }
    }

    /// Calls `each` with every name, `None` for one that is not Unicode, until it breaks.
    pub(crate) fn each_name(&self, mut each: impl FnMut(Option<&str>) -> ControlFlow<()>) -> io::Result<()> {
        for entry in fs::read_dir(&self.0)? {
            if each(entry?.file_name().to_str()).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The stamp of what has this name, without opening it.
    pub(crate) fn stamp(&self, name: &str) -> io::Result<Stamp> {
        let metadata = fs::symlink_metadata(self.0.join(name))?;
        let written = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let nanos = i64::from(written.subsec_nanos());
        Ok(Stamp { regular: metadata.is_file(), len: metadata.len(), written, identity: (0, 0, nanos) })
    }

    /// The contents of a regular file; `None` for anything else, and for more than `max` bytes.
    pub(crate) fn read(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        let stamp = self.stamp(name)?;
        if !stamp.regular || stamp.len > max as u64 {
            return Ok(None);
        }
        let mut contents = Vec::new();
        File::open(self.0.join(name))?.take((max as u64).saturating_add(1)).read_to_end(&mut contents)?;
        Ok((contents.len() <= max).then_some(contents))
    }

    /// A new file; permissions are inherited.
    pub(crate) fn create(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(self.0.join(name))
    }

    /// Gives a file another name, in place of what has that name already.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    /// Removes a file; not a folder.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    /// Nothing to do: a renamed file is as durable as the system makes it.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
