//! The Unix socket of a home. Where there are none, a node does not start yet, and says so.

use std::io;
use std::path::Path;

/// A connection to the node behind the socket.
#[cfg(unix)]
pub(crate) async fn connect(socket: &Path) -> io::Result<tokio::net::UnixStream> {
    tokio::net::UnixStream::connect(&*short::path(socket)?).await
}

/// Listens at the socket, in place of whatever a crashed node left there. The home's lock is held.
///
/// The new socket is made beside the old one and takes its place in one step: a socket that is not there means that its node ended in good order, and
/// whoever was not answered then knows that nothing came of the request.
#[cfg(unix)]
pub(crate) fn listen(socket: &Path) -> io::Result<tokio::net::UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    let fresh = socket.with_extension("new");
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = tokio::net::UnixListener::bind(&*short::path(&fresh)?)?;
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&fresh, socket)?;
    Ok(listener)
}

/// There is no socket that only its owner reaches, and a loopback port is everybody's on the machine.
#[cfg(not(unix))]
pub(crate) async fn connect(_: &Path) -> io::Result<tokio::net::TcpStream> {
    Err(not_here())
}

/// See [`connect`].
#[cfg(not(unix))]
pub(crate) fn listen(_: &Path) -> io::Result<tokio::net::TcpListener> {
    Err(not_here())
}

#[cfg(not(unix))]
fn not_here() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "the local API needs a Unix system so far: use wayside on one (WSL counts)",
    )
}

#[cfg(unix)]
mod short {
    //! A socket's path has some 100 bytes (`sun_path`), a home's path may have more.

    use std::fs::File;
    use std::io;
    use std::ops::Deref;
    use std::path::{Path, PathBuf};

    /// The longest path that every Unix takes, in bytes.
    const MOST: usize = 103;

    /// A path that fits, and what must stay open meanwhile.
    pub(super) struct Short {
        path: PathBuf,
        _folder: Option<File>,
    }

    impl Deref for Short {
        type Target = Path;

        fn deref(&self) -> &Path {
            &self.path
        }
    }

    pub(super) fn path(socket: &Path) -> io::Result<Short> {
        if socket.as_os_str().len() <= MOST {
            return Ok(Short { path: socket.to_owned(), _folder: None });
        }
        by_descriptor(socket)
    }

    #[cfg(target_os = "linux")]
    fn by_descriptor(socket: &Path) -> io::Result<Short> {
        use std::os::fd::AsRawFd;
        let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        };
        let folder = File::open(folder)?;
        let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
        Ok(Short { path, _folder: Some(folder) })
    }

    #[cfg(not(target_os = "linux"))]
    fn by_descriptor(socket: &Path) -> io::Result<Short> {
        let text = format!(
            "the path of {} is too long for a socket: choose a home with a shorter one",
            socket.display()
        );
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Whoever finds no socket takes its node for one that ended in good order, and asks the next one again: after a crash that would send twice.
    #[tokio::test]
    async fn the_socket_of_a_crashed_node_is_there_until_the_next_one_has_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("api.sock");
        drop(listen(&path).expect("it listens"));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let always = scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    if !path.exists() {
                        return false;
                    }
                }
                true
            });
            for _ in 0..500 {
                drop(listen(&path).expect("it listens"));
            }
            done.store(true, Ordering::SeqCst);
            assert!(always.join().expect("it looks"), "the socket was away for a moment");
        });
        let _listener = listen(&path).expect("it listens");
        connect(&path).await.expect("it is reached");
    }
}
