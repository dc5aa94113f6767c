//! What systemd is told of a service (`sd_notify(3)`): a datagram to the socket that it named, if it did.

use std::ffi::OsStr;
use std::io;

/// The node listens.
pub(super) const READY: &str = "READY=1";
/// The node ends.
pub(super) const STOPPING: &str = "STOPPING=1";

/// Tells it, where somebody wants to know.
pub(super) fn tell(state: &str) {
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET") {
        // Who does not hear it stops the service in the end, and says so.
        let _ = send(&socket, state);
    }
}

#[cfg(unix)]
fn send(socket: &OsStr, state: &str) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let address = match socket.as_bytes().strip_prefix(b"@") {
        #[cfg(target_os = "linux")]
        Some(name) => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}

#[cfg(not(unix))]
fn send(_: &OsStr, _: &str) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::expect_used)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    use super::*;

    #[test]
    fn sockets_in_the_file_system_and_abstract_ones_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let name = format!("wayside-notify-{}", std::process::id());
        let abstract_one = SocketAddr::from_abstract_name(&name).expect("an address");
        let at = UnixDatagram::bind(&path).expect("it binds");
        let hidden = UnixDatagram::bind_addr(&abstract_one).expect("it binds");
        for (socket, name) in [(at, path.into_os_string()), (hidden, format!("@{name}").into())] {
            send(&name, READY).expect("it is told");
            let mut told = [0; 32];
            let length = socket.recv(&mut told).expect("it hears");
            assert_eq!(told.get(..length), Some(READY.as_bytes()));
        }
        assert!(send(OsStr::new("/nowhere/at/all"), READY).is_err());
    }
}
