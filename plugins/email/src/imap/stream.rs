//! The stream to a server: with or without TLS, bounded in time and size, and cut from another thread.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use imap::extensions::idle::SetReadTimeout;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use wayside_bridge::{Clock, Monotonic};

use crate::error::EmailError;
use crate::server::Server;
use crate::tls;

/// The most that a server says to one command. A search of a mailbox of a million mails fits.
const MOST_OF_AN_ANSWER: u64 = 16 * 1024 * 1024;
/// The longest line before TLS, in bytes.
const LONGEST_LINE: usize = 2048;

/// Ends a connection from outside, also one that is still to be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cutter(Arc<Mutex<Cut>>);

#[derive(Debug, Default)]
struct Cut {
    over: bool,
    socket: Option<TcpStream>,
}

impl Cutter {
    /// Whoever reads from the connection finds it closed; no other is made.
    pub(crate) fn cut(&self) {
        let mut cut = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cut.over = true;
        if let Some(socket) = cut.socket.take() {
            // It may be closed already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Whether it was cut.
    pub(crate) fn is_cut(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).over
    }

    fn watch_over(&self, socket: &TcpStream) -> io::Result<()> {
        let mut cut = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cut.over {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        cut.socket = Some(socket.try_clone()?);
        Ok(())
    }
}

/// What one command may take.
pub(super) struct Limits {
    clock: Arc<dyn Clock>,
    patience: Duration,
    bytes: AtomicU64,
    /// Milliseconds of the clock.
    until: AtomicU64,
}

impl Limits {
    pub(super) fn new(clock: Arc<dyn Clock>, patience: Duration) -> Arc<Self> {
        let limits = Self { clock, patience, bytes: AtomicU64::new(0), until: AtomicU64::new(0) };
        limits.renew(Duration::ZERO);
        Arc::new(limits)
    }

    /// A new command begins, which may take so much longer than usual. Large answers take a few times the patience.
    pub(super) fn renew(&self, longer: Duration) {
        let until = self.clock.monotonic().0 + self.patience * 4 + longer;
        self.until.store(millis(until), Ordering::Relaxed);
        self.bytes.store(MOST_OF_AN_ANSWER, Ordering::Relaxed);
    }

    fn check(&self) -> io::Result<()> {
        let Monotonic(now) = self.clock.monotonic();
        if millis(now) > self.until.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    fn count(&self, read: usize) -> io::Result<()> {
        let read = read as u64;
        let took = |left: u64| left.checked_sub(read);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, took).map(drop).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "the server says more than it was asked for")
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A connected stream.
pub(super) struct Stream {
    inner: Inner,
    socket: TcpStream,
    limits: Arc<Limits>,
}

enum Inner {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Connects, with TLS but where the server has none and is on this machine. Tells whether its greeting was read already.
    pub(super) fn connect(
        server: &Server,
        config: &Arc<ClientConfig>,
        limits: Arc<Limits>,
        cutter: &Cutter,
    ) -> Result<(Self, bool), EmailError> {
        let socket = dial(server, limits.patience)?;
        let prepare = || {
            cutter.watch_over(&socket)?;
            socket.set_nodelay(true)?;
            socket.set_read_timeout(Some(limits.patience))?;
            socket.set_write_timeout(Some(limits.patience))?;
            socket.try_clone()
        };
        let own = prepare().map_err(|error| lost(server, &error))?;
        if server.implicit {
            let inner = handshake(server, config, socket)?;
            return Ok((Self { inner, socket: own, limits }, false));
        }
        let (inner, greeted) = match ask_for_tls(server, socket)? {
            (socket, true) => (handshake(server, config, socket)?, true),
            (socket, false) if server.is_loopback() => (Inner::Clear(socket), true),
            (_, false) => return Err(server.in_the_clear()),
        };
        Ok((Self { inner, socket: own, limits }, greeted))
    }
}

fn dial(server: &Server, patience: Duration) -> Result<TcpStream, EmailError> {
    let unreachable = |error: io::Error| EmailError::Unreachable {
        host: server.to_string(),
        reason: crate::error::said(&error.to_string()),
    };
    let addresses = (server.host.as_str(), server.port).to_socket_addrs().map_err(unreachable)?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    // As many as a person waits for.
    for address in addresses.take(4) {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(unreachable(last))
}

fn handshake(
    server: &Server,
    config: &Arc<ClientConfig>,
    mut socket: TcpStream,
) -> Result<Inner, EmailError> {
    let name = ServerName::try_from(server.host.clone())
        .map_err(|_| EmailError::Configuration(format!("{} is no name of a host", server.host)))?;
    let failed = |error: &(dyn std::error::Error + 'static)| {
        tls::refused(&server.to_string(), error).unwrap_or_else(|| EmailError::HungUp {
            host: server.to_string(),
            reason: crate::error::said(&error.to_string()),
        })
    };
    let mut connection = ClientConnection::new(Arc::clone(config), name).map_err(|error| failed(&error))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => EmailError::Silent(server.to_string()),
            _ => failed(&error),
        })?;
    }
    Ok(Inner::Tls(Box::new(StreamOwned::new(connection, socket))))
}

/// Reads the greeting and asks for TLS; tells whether the server is ready for it. Read byte by byte: nothing that came in the clear is taken for what
/// comes under TLS.
fn ask_for_tls(server: &Server, mut socket: TcpStream) -> Result<(TcpStream, bool), EmailError> {
    let failed = |error: io::Error| lost(server, &error);
    let greeting = line(&mut socket).map_err(failed)?;
    if !greeting.starts_with("* OK") {
        return Err(EmailError::Garbled {
            host: server.to_string(),
            what: "this is no IMAP server".to_owned(),
        });
    }
    socket.write_all(b"t1 STARTTLS\r\n").map_err(failed)?;
    for _ in 0..16 {
        let answer = line(&mut socket).map_err(failed)?;
        if let Some(answer) = answer.strip_prefix("t1 ") {
            return Ok((socket, answer.starts_with("OK")));
        }
    }
    Err(EmailError::Garbled { host: server.to_string(), what: "no answer to STARTTLS".to_owned() })
}

fn line(socket: &mut TcpStream) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < LONGEST_LINE {
        socket.read_exact(&mut byte)?;
        match byte {
            [b'\n'] => return Ok(String::from_utf8_lossy(&line).into_owned()),
            [byte] => line.push(byte),
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "an endless line"))
}

/// What an I/O error means.
pub(super) fn lost(server: &Server, error: &io::Error) -> EmailError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => EmailError::Silent(server.to_string()),
        io::ErrorKind::InvalidData => tls::refused(&server.to_string(), error).unwrap_or_else(|| {
            EmailError::Garbled { host: server.to_string(), what: crate::error::said(&error.to_string()) }
        }),
        _ => EmailError::HungUp { host: server.to_string(), reason: crate::error::said(&error.to_string()) },
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.limits.check()?;
        let read = match &mut self.inner {
            Inner::Clear(stream) => stream.read(buffer)?,
            Inner::Tls(stream) => stream.read(buffer)?,
        };
        self.limits.count(read)?;
        Ok(read)
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &mut self.inner {
            Inner::Clear(stream) => stream.write(buffer),
            Inner::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.inner {
            Inner::Clear(stream) => stream.flush(),
            Inner::Tls(stream) => stream.flush(),
        }
    }
}

impl SetReadTimeout for Stream {
    /// Without one there is the usual patience: nothing waits for ever.
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> imap::error::Result<()> {
        self.limits.renew(timeout.unwrap_or_default());
        self.socket.set_read_timeout(Some(timeout.unwrap_or(self.limits.patience)))?;
        Ok(())
    }
}
