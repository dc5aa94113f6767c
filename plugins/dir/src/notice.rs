//! Noticing at once that something was put into a folder.
//!
//! Linux tells through inotify, for what programs on this machine write. What another machine writes on the same
//! share comes without notice, so nobody relies on it: a watch polls as well.

use std::path::Path;

/// Wakes when a file was put into a folder.
#[derive(Debug)]
pub(crate) struct Notice {
    #[cfg(target_os = "linux")]
    events: tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::Notice;
    use crate::name::TEMPORARY_PREFIX;

    /// Files that got their name, or were written in place; and the folder's own end.
    const EVENTS: WatchFlags = WatchFlags::MOVED_TO
        .union(WatchFlags::CLOSE_WRITE)
        .union(WatchFlags::DELETE_SELF)
        .union(WatchFlags::MOVE_SELF)
        .union(WatchFlags::ONLYDIR)
        .union(WatchFlags::DONT_FOLLOW);

    /// What tells that no more events will come.
    const ENDED: ReadFlags = ReadFlags::IGNORED.union(ReadFlags::UNMOUNT).union(ReadFlags::MOVE_SELF);

    impl Notice {
        /// Begins to listen; blocks as long as the folder's file system does.
        pub(crate) fn listen(folder: &Path) -> io::Result<OwnedFd> {
            let inotify = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
            add_watch(&inotify, folder, EVENTS)?;
            Ok(inotify)
        }

        /// Hands what was opened to the runtime.
        pub(crate) fn new(inotify: OwnedFd) -> io::Result<Self> {
            #[allow(
                deprecated,
                reason = "unsound where a descriptor may be closed meanwhile; nobody closes an owned one"
            )]
            let events = AsyncFd::with_interest(inotify, Interest::READABLE)?;
            Ok(Self { events })
        }

        /// Resolves when something was put into the folder since the last time; `false` when the folder is gone.
        pub(crate) async fn news(&self) -> bool {
            loop {
                let Ok(mut ready) = self.events.readable().await else { return false };
                let (mut news, mut ended) = (false, false);
                let mut buffer = [MaybeUninit::uninit(); 4096];
                let mut events = Reader::new(self.events.get_ref(), &mut buffer);
                while let Ok(event) = events.next() {
                    ended |= event.events().intersects(ENDED);
                    // A record that is being written is none yet.
                    let temporary =
                        |name: &std::ffi::CStr| name.to_bytes().starts_with(TEMPORARY_PREFIX.as_bytes());
                    news |= !event.file_name().is_some_and(temporary);
                }
                ready.clear_ready();
                if ended || news {
                    return !ended;
                }
            }
        }
    }
}

impl Notice {
    /// Listens to a folder, or not where the system cannot (no such call, its limits, no such folder): a watch
    /// that polls only is slower, not wrong.
    pub(crate) async fn of(folder: &Path, jobs: &crate::jobs::Jobs) -> Option<Self> {
        #[cfg(target_os = "linux")]
        {
            let path = folder.to_owned();
            let opened = jobs.run(move || Ok(Self::listen(&path))).await.ok()?;
            opened
                .and_then(Self::new)
                .inspect_err(|error| tracing::debug!(%error, "no notice of changes; polling only"))
                .ok()
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (folder, jobs);
            None
        }
    }

    /// Never resolves: there is no notice here.
    #[cfg(not(target_os = "linux"))]
    pub(crate) async fn news(&self) -> bool {
        std::future::pending().await
    }
}
