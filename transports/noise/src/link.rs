//! A link: an authenticated QUIC connection with one peer.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use noq::{Connection, PathId, VarInt};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use crate::{
    CloseReason, LinkError, Secret32, SessionId, Stream,
    adapter::{canonical, peer_of},
    core::handshake::Peer,
    error::MAX_REASON,
    expectation::Expectation,
};

/// The longest name of a protocol, in bytes of UTF-8.
pub const MAX_PROTOCOL_NAME: usize = 64;

/// An authenticated, encrypted connection with one peer: streams that name their protocol, and datagrams.
///
/// A handle: clones share the link, which closes when the last of them, and the last of its streams, is dropped.
#[derive(Clone)]
pub struct Link {
    inner: Arc<Inner>,
}

struct Inner {
    connection: Connection,
    session: SessionId,
    peer: Peer,
    initiator: bool,
    last_remote: Mutex<SocketAddr>,
    named: tokio::sync::Mutex<mpsc::Receiver<(String, noq::SendStream, noq::RecvStream)>>,
    /// Reads the names of incoming streams; aborted on drop.
    _reader: JoinSet<()>,
}

/// Incoming streams that have not yet said what they speak. While so many keep silent, further ones wait.
const MAX_UNNAMED: usize = 32;
/// Incoming streams that have a name and that nobody has called `accept` for.
const ACCEPT_QUEUE: usize = 32;
/// How long an incoming stream may take to say what it speaks.
const NAMING_TIMEOUT: Duration = Duration::from_secs(10);
/// Told to a peer whose stream named itself too late or badly.
const STREAM_UNNAMED: VarInt = VarInt::from_u32(1);

impl Link {
    pub(crate) fn new(connection: Connection, expectation: &Expectation, initiator: bool) -> Self {
        let (ready, named) = mpsc::channel(ACCEPT_QUEUE);
        let mut reader = JoinSet::new();
        reader.spawn(read_names(connection.clone(), ready));
        let inner = Inner {
            session: expectation.session,
            peer: peer_of(&connection),
            initiator,
            last_remote: Mutex::new(remote_of(&connection).unwrap_or_else(|| ([0, 0, 0, 0], 0).into())),
            connection,
            named: tokio::sync::Mutex::new(named),
            _reader: reader,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Which expectation this link fulfils.
    pub fn session(&self) -> SessionId {
        self.inner.session
    }

    /// The peer's static X25519 key, which the handshake verified. For a [guest](Self::is_guest), who shows none, the
    /// key that it made for this link alone: no device has it, and no other link.
    pub fn peer(&self) -> [u8; 32] {
        match self.inner.peer {
            Peer::Device(key) | Peer::Guest(key) => key,
        }
    }

    /// Whether the peer is a guest, who showed the psk and no key of its own.
    pub fn is_guest(&self) -> bool {
        matches!(self.inner.peer, Peer::Guest(_))
    }

    /// Where the peer's packets come from now; after the end, where they came from last.
    pub fn remote(&self) -> SocketAddr {
        let mut last = self.inner.last_remote.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remote) = remote_of(&self.inner.connection) {
            *last = remote;
        }
        *last
    }

    /// Whether this side dialled.
    pub fn is_initiator(&self) -> bool {
        self.inner.initiator
    }

    /// The smoothed round-trip time; zero once the link has ended.
    pub fn rtt(&self) -> Duration {
        self.inner.connection.rtt(PathId::ZERO).unwrap_or_default()
    }

    /// Counters since the link began.
    pub fn stats(&self) -> LinkStats {
        let stats = self.inner.connection.stats();
        let path = self.inner.connection.path_stats(PathId::ZERO);
        LinkStats {
            sent_bytes: stats.udp_tx.bytes,
            sent_packets: stats.udp_tx.datagrams,
            received_bytes: stats.udp_rx.bytes,
            received_packets: stats.udp_rx.datagrams,
            lost_packets: stats.lost_packets,
            rtt: path.as_ref().map(|path| path.rtt).unwrap_or_default(),
            mtu: path.map(|path| path.current_mtu).unwrap_or_default(),
        }
    }

    /// Keying material for another protocol: the same on both sides for one label, unrelated for two.
    pub fn exporter(&self, label: &[u8]) -> Secret32 {
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        let exported = self.inner.connection.export_keying_material(&mut *bytes, label, &[]);
        // A link exists only after its handshake, and 32 bytes are what the exporter gives.
        assert!(exported.is_ok(), "an established link exports 32 bytes");
        Secret32::from(*bytes)
    }

    /// Changes the packet keys now; the QUIC stack also does so by itself.
    pub fn update_keys(&self) {
        self.inner.connection.force_key_update();
    }

    /// Opens a stream in both directions. Waits while the peer allows no further one.
    ///
    /// The peer learns of it with the first bytes sent, which are the protocol's name.
    ///
    /// # Errors
    /// [`LinkError::ProtocolName`] unless the name has 1 to 64 bytes, or [`LinkError::Closed`].
    pub async fn open(&self, protocol: &str) -> Result<Stream, LinkError> {
        let length =
            u8::try_from(protocol.len()).ok().filter(|n| (1..=MAX_PROTOCOL_NAME).contains(&usize::from(*n)));
        let length = length.ok_or(LinkError::ProtocolName)?;
        let (mut send, recv) = self.inner.connection.open_bi().await?;
        let name = [&[length], protocol.as_bytes()].concat();
        match send.write_all(&name).await {
            Ok(()) => Ok(Stream::new(self.clone(), send, recv)),
            Err(noq::WriteError::ConnectionLost(error)) => Err(error.into()),
            Err(error) => Err(LinkError::Closed(CloseReason::Failed(error.to_string()))),
        }
    }

    /// The next stream that the peer opened and named, with that name. Streams that never say what they speak are
    /// refused after ten seconds and hold nobody up. Cancelling loses no stream.
    ///
    /// # Errors
    /// [`LinkError::Closed`].
    pub async fn accept(&self) -> Result<(String, Stream), LinkError> {
        match self.inner.named.lock().await.recv().await {
            Some((name, send, recv)) => Ok((name, Stream::new(self.clone(), send, recv))),
            None => Err(self.inner.connection.closed().await.into()),
        }
    }

    /// Sends a datagram, unreliably and unordered. When the buffer of 256 KiB is full the oldest is dropped.
    ///
    /// # Errors
    /// [`LinkError::DatagramTooLarge`] or [`LinkError::Closed`].
    pub fn send_datagram(&self, data: Bytes) -> Result<(), LinkError> {
        use noq::SendDatagramError::{ConnectionLost, Disabled, TooLarge, UnsupportedByPeer};
        self.inner.connection.send_datagram(data).map_err(|error| match error {
            ConnectionLost(error) => error.into(),
            TooLarge | Disabled | UnsupportedByPeer => LinkError::DatagramTooLarge,
        })
    }

    /// The largest datagram that the path carries now, in bytes; it changes with the path. `None` after the end.
    pub fn max_datagram(&self) -> Option<usize> {
        self.inner.connection.max_datagram_size()
    }

    /// The next datagram from the peer. Of those that nobody fetches, the oldest beyond 256 KiB are dropped.
    ///
    /// # Errors
    /// [`LinkError::Closed`].
    pub async fn datagram(&self) -> Result<Bytes, LinkError> {
        Ok(self.inner.connection.read_datagram().await?)
    }

    /// Waits for the end of the link.
    pub async fn closed(&self) -> CloseReason {
        self.inner.connection.closed().await.into()
    }

    /// Ends the link at once; what is not yet acknowledged may be lost. The peer is told the first 256 bytes of
    /// `reason`.
    pub fn close(&self, reason: &str) {
        let reason = reason.as_bytes();
        self.inner.connection.close(VarInt::from_u32(0), reason.get(..MAX_REASON).unwrap_or(reason));
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("session", &self.inner.session)
            .field("initiator", &self.inner.initiator)
            .finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Not left to noq, since the task that reads names holds a handle of its own until it is aborted.
        self.connection.close(VarInt::from_u32(0), b"");
    }
}

/// A link's counters since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStats {
    /// Bytes of UDP payload sent.
    pub sent_bytes: u64,
    /// UDP datagrams sent.
    pub sent_packets: u64,
    /// Bytes of UDP payload received.
    pub received_bytes: u64,
    /// UDP datagrams received.
    pub received_packets: u64,
    /// Packets of ours that were declared lost.
    pub lost_packets: u64,
    /// The smoothed round-trip time; zero once the link has ended.
    pub rtt: Duration,
    /// The path's largest UDP payload in bytes; zero once the link has ended.
    pub mtu: u16,
}

/// As client: marks this connection as the one chosen among the tries, on a stream of its own.
pub(crate) async fn choose(connection: &Connection) -> Result<(), LinkError> {
    let mut stream = connection.open_uni().await?;
    let sent = stream.write_all(&[CHOSEN]).await.is_ok() && stream.finish().is_ok();
    if sent { Ok(()) } else { Err(connection.closed().await.into()) }
}

/// As server: waits for the client's choice.
///
/// A client that tries several candidates completes more than one handshake now and then. Without the mark both sides
/// could each keep a link that the other dropped.
pub(crate) async fn chosen(connection: &Connection) -> Option<()> {
    let mut stream = connection.accept_uni().await.ok()?;
    (stream.read_to_end(1).await.ok()? == [CHOSEN]).then_some(())
}

const CHOSEN: u8 = 1;

/// Hands over streams as they say what they speak.
async fn read_names(connection: Connection, ready: mpsc::Sender<(String, noq::SendStream, noq::RecvStream)>) {
    let mut unnamed = JoinSet::new();
    loop {
        while unnamed.len() >= MAX_UNNAMED {
            unnamed.join_next().await;
        }
        while unnamed.try_join_next().is_some() {}
        // Streams wait in the connection, which bounds them, while nobody accepts.
        let Ok((mut send, mut recv)) = connection.accept_bi().await else { return };
        let ready = ready.clone();
        unnamed.spawn(async move {
            match timeout(NAMING_TIMEOUT, read_name(&mut recv)).await.ok().flatten() {
                Some(name) => drop(ready.send((name, send, recv)).await),
                None => {
                    let _ = send.reset(STREAM_UNNAMED);
                    let _ = recv.stop(STREAM_UNNAMED);
                }
            }
        });
    }
}

async fn read_name(recv: &mut noq::RecvStream) -> Option<String> {
    let mut length = [0];
    recv.read_exact(&mut length).await.ok()?;
    let length = length.map(usize::from).into_iter().find(|n| (1..=MAX_PROTOCOL_NAME).contains(n))?;
    let mut name = vec![0; length];
    recv.read_exact(&mut name).await.ok()?;
    String::from_utf8(name).ok()
}

fn remote_of(connection: &Connection) -> Option<SocketAddr> {
    Some(canonical(connection.path(PathId::ZERO)?.remote_address().ok()?))
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
