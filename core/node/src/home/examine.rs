//! A look at the home as a folder: who may enter it, how much room there is, whether it can be written.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::files;

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Examined {
    /// Room for this user, in bytes, where the system tells.
    pub(crate) free_bytes: Option<u64>,
    /// How long a small file took to be on disk.
    pub(crate) write: Option<Duration>,
    /// Why it could not be written, in words.
    pub(crate) unwritable: Option<String>,
    /// What others than its owner may enter, read or write: `.` for the home itself, folders with a slash.
    pub(crate) open_to_others: Vec<String>,
}

/// What a home has that is nobody else's business; [`Home`](super::Home) has the modes.
const PRIVATE: [&str; 6] = [".", "keys.toml", "config.toml", "store.redb", "run/", "bridges/"];
/// A page, as the store writes.
const PAGE: [u8; 4096] = [0; 4096];

/// Looks. Writes one small file and removes it. Blocks while the disk does.
pub(crate) fn examine(home: &Path) -> Examined {
    let (write, unwritable) = match write(home) {
        Ok(took) => (Some(took), None),
        Err(error) => (None, Some(files::in_words(&error))),
    };
    let open = PRIVATE.iter().filter(|name| is_open(&home.join(name)));
    let open_to_others = open.map(|name| (*name).to_owned()).collect();
    Examined { free_bytes: free_bytes(home), write, unwritable, open_to_others }
}

fn write(home: &Path) -> io::Result<Duration> {
    let began = Instant::now();
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(home)?;
    file.write_all(&PAGE)?;
    file.as_file().sync_all()?;
    file.close()?;
    Ok(began.elapsed())
}

#[cfg(unix)]
fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    // What is not there, or cannot be looked at, others cannot either.
    std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open(_: &Path) -> bool {
    false
}

#[cfg(unix)]
fn free_bytes(home: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(home).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_others_may_enter_is_named_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let home = super::super::Home::init(&folder.path().join("home"), "ann").unwrap();
        home.prepare().unwrap();
        let entries = || fs::read_dir(home.path()).unwrap().count();
        let before = entries();
        let seen = examine(home.path());
        assert_eq!(seen.open_to_others, Vec::<String>::new());
        assert!(seen.write.is_some() && seen.unwritable.is_none() && seen.free_bytes > Some(0), "{seen:?}");
        assert_eq!(entries(), before);
        for (path, mode) in [("", 0o755), ("config.toml", 0o644), ("run", 0o710)] {
            fs::set_permissions(home.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        assert_eq!(examine(home.path()).open_to_others, [".", "config.toml", "run/"]);
        let gone = examine(&folder.path().join("elsewhere"));
        assert!(gone.unwritable.is_some() && gone.write.is_none());
    }
}
