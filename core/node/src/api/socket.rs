//! The Unix socket of a home. Where there are none, a node does not start yet, and says so.

use std::io;
use std::path::Path;

/// A connection to the node behind the socket.
#[cfg(unix)]
pub(crate) async fn connect(socket: &Path) -> io::Result<tokio::net::UnixStream> {
    tokio::net::UnixStream::connect(&*short::path(socket)?).await
}

/// Listens at the socket, in place of whatever a crashed node left there. The home's lock is held.
#[cfg(unix)]
pub(crate) fn listen(socket: &Path) -> io::Result<tokio::net::UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = tokio::net::UnixListener::bind(&*short::path(socket)?)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
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
