//! How soon what one side writes is seen by the other.

use std::path::Path;
use std::time::Duration;

/// How often a watch looks by itself.
pub(crate) const POLL: Duration = Duration::from_millis(1500);

/// On one machine, or on a file system that is the same everywhere at once: the poll, and time to read.
const HERE: Duration = Duration::from_secs(2);

/// Syncthing gathers changes for 10 s (`fsWatcherDelayS`), then has to tell the other side and to send them.
const SYNCTHING: Duration = Duration::from_secs(60);

/// How long a record takes to show itself in this folder, at worst, while everything is up.
///
/// What lies behind a folder cannot always be seen: a synchroniser other than Syncthing leaves no sign.
pub(crate) fn latency(path: &Path) -> Duration {
    let synced = path.ancestors().any(|folder| folder.join(".stfolder").exists());
    file_system(path).max(if synced { SYNCTHING } else { HERE })
}

#[cfg(target_os = "linux")]
fn file_system(path: &Path) -> Duration {
    // A name may be missing from a client's view of an NFS folder for `acdirmax`, by default 60 s (nfs(5)); the poll
    // comes on top.
    const NFS: Duration = Duration::from_secs(62);

    // SMB clients keep a folder's listing for up to 30 s (`dir_cache_timeout` of cifs.ko), sshfs for 20
    // (`dcache_timeout`), and FUSE does not tell which of its file systems it is.
    const CACHED: Duration = Duration::from_secs(32);

    // statfs(2)
    const NFS_MAGIC: i64 = 0x6969;
    const SMB_MAGICS: [i64; 3] = [0x517B, 0xFF53_4D42, 0xFE53_4D42];
    const FUSE_MAGIC: i64 = 0x6573_5546;

    let magic = crate::folder::Folder::open(path).and_then(|folder| folder.file_system());
    match magic {
        Ok(NFS_MAGIC) => NFS,
        Ok(magic) if magic == FUSE_MAGIC || SMB_MAGICS.contains(&magic) => CACHED,
        _ => HERE,
    }
}

/// Taken for local: elsewhere than on Linux nobody looked yet how to tell.
#[cfg(not(target_os = "linux"))]
const fn file_system(_: &Path) -> Duration {
    HERE
}
