//! Folders by descriptor.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, RawMode};
use rustix::io::Errno;

use super::Stamp;

/// An open folder. Held for one operation only: a folder that is kept open keeps its stick from being ejected.
#[derive(Debug)]
pub(crate) struct Folder(OwnedFd);

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Neither follows a link nor waits for the other end of a pipe.
const WARY: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

impl Folder {
    /// The folder at a path that its user gave; links in it are the user's own.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, FOLDER, Mode::empty())?))
    }

    /// A folder in this one.
    pub(crate) fn folder(&self, name: &str) -> io::Result<Self> {
        match rustix::fs::openat(&self.0, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()) {
            // A link: POSIX says LOOP, the kernel NOTDIR where DIRECTORY is asked for too.
            Err(Errno::LOOP) => Err(Errno::NOTDIR.into()),
            opened => Ok(Self(opened?)),
        }
    }

    /// A folder in this one, made where it is absent, for the same people as this one.
    ///
    /// A shared folder is one whose group, sticky and set-group bits somebody arranged. The umask of whoever happens
    /// to come first knows nothing of that, so the new folder has the permissions of the old one.
    pub(crate) fn make_folder(&self, name: &str) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o777)) {
            Err(Errno::EXIST) => return self.folder(name),
            made => made?,
        }
        let made = self.folder(name)?;
        let stat = rustix::fs::fstat(&self.0)?;
        made.share(&made.0, &stat, Mode::from_raw_mode(stat.st_mode & 0o7777));
        self.sync()?;
        Ok(made)
    }

    /// Calls `each` with every name, `None` for one that is not UTF-8, until it breaks.
    pub(crate) fn each_name(&self, mut each: impl FnMut(Option<&str>) -> ControlFlow<()>) -> io::Result<()> {
        for entry in rustix::fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().to_str().ok();
            if !matches!(name, Some("." | "..")) && each(name).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The stamp of what has this name, without opening it.
    pub(crate) fn stamp(&self, name: &str) -> io::Result<Stamp> {
        let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let written = u64::try_from(stat.st_mtime).unwrap_or_default();
        #[allow(
            clippy::unnecessary_cast,
            clippy::cast_lossless,
            reason = "the widths differ between systems"
        )]
        let identity = (stat.st_ino as u64, stat.st_ctime as i64, stat.st_ctime_nsec as i64);
        Ok(Stamp {
            regular: FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile,
            len: u64::try_from(stat.st_size).unwrap_or_default(),
            written: Duration::from_secs(written),
            identity,
        })
    }

    /// The contents of a regular file; `None` for anything else, and for more than `max` bytes.
    pub(crate) fn read(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        // Looked at first because opening a device can do something; looked at again because it may have been swapped.
        if !self.stamp(name)?.regular {
            return Ok(None);
        }
        let file = match rustix::fs::openat(&self.0, name, OFlags::RDONLY | WARY, Mode::empty()) {
            Err(Errno::LOOP) => return Ok(None),
            opened => File::from(opened?),
        };
        let metadata = file.metadata()?;
        let len = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
        if !metadata.is_file() || len > max {
            return Ok(None);
        }
        let mut contents = Vec::with_capacity(len);
        file.take((max as u64).saturating_add(1)).read_to_end(&mut contents)?;
        Ok((contents.len() <= max).then_some(contents))
    }

    /// A new file that those who may read this folder may read.
    pub(crate) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | WARY;
        let file = File::from(rustix::fs::openat(&self.0, name, flags, Mode::from_raw_mode(0o644))?);
        let stat = rustix::fs::fstat(&self.0)?;
        self.share(&file, &stat, Mode::from_raw_mode(0o600 | (stat.st_mode & 0o044)));
        Ok(file)
    }

    /// Gives a file another name, in place of what has that name already.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
    }

    /// Removes a file, link or pipe; not a folder.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Has names that were added and removed written to disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match rustix::fs::fsync(&self.0) {
            // Some network and FUSE file systems know no such thing for folders.
            Err(Errno::INVAL | Errno::NOTSUP | Errno::NOSYS | Errno::BADF) => Ok(()),
            done => Ok(done?),
        }
    }

    /// How stale a view of this folder may be: its file system, in the system's own numbering.
    #[cfg(target_os = "linux")]
    pub(crate) fn file_system(&self) -> io::Result<i64> {
        #[allow(clippy::useless_conversion, reason = "its width differs between architectures")]
        Ok(i64::try_from(rustix::fs::fstatfs(&self.0)?.f_type).unwrap_or_default())
    }

    /// Permissions and group as far as the file system knows them; FAT and most shares have their own.
    fn share(&self, target: impl rustix::fd::AsFd, folder: &rustix::fs::Stat, mode: Mode) {
        let Ok(stat) = rustix::fs::fstat(&target) else { return };
        if stat.st_gid != folder.st_gid {
            let _ = rustix::fs::fchown(&target, None, Some(Gid::from_raw(folder.st_gid)));
        }
        let permissions: RawMode = stat.st_mode & 0o7777;
        if permissions != mode.as_raw_mode() {
            let _ = rustix::fs::fchmod(&target, mode);
        }
    }
}
