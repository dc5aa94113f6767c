//! A link: an authenticated QUIC connection with one peer.

mod board;
mod choice;
pub(crate) mod keep_alive;
mod opening;
mod paths;

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use noq::{Connection, PathId, VarInt};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinSet,
    time::timeout,
};
use wayside_path::Kind;

pub use self::board::{LinkEvent, PathView};
pub(crate) use self::choice::{Verdict, choose, chosen};
use self::{
    board::{Board, kind_and_remote, view},
    paths::{Keeper, export},
};
use crate::{
    CloseReason, LinkError, Remote, Secret32, SessionId, Stream,
    adapter::peer_of,
    core::handshake::Peer,
    error::MAX_REASON,
    seldom::Seldom,
    socket::{Shared, route::TunnelId, way::Way},
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
    number: u64,
    peer: Peer,
    shared: Arc<Shared>,
    board: Arc<Board>,
    named: tokio::sync::Mutex<mpsc::Receiver<Box<Named>>>,
    /// Reads the names of incoming streams, and keeps the paths; aborted on drop.
    _tasks: JoinSet<()>,
}

/// An incoming stream that has said what it speaks. Boxed where it waits: the room for many is there before the first.
struct Named {
    name: String,
    send: noq::SendStream,
    recv: noq::RecvStream,
}

/// Incoming streams that have not yet said what they speak. While so many keep silent, further ones wait.
const MAX_UNNAMED: usize = 32;
/// Incoming streams that have a name and that nobody has called `accept` for.
const ACCEPT_QUEUE: usize = 32;
/// How long an incoming stream may take to say what it speaks. A name that was lost on a path that died comes again late: 43 s were seen on the worst
/// of networks.
const NAMING_TIMEOUT: Duration = Duration::from_secs(60);
/// Told to a peer whose stream named itself too late or badly.
const STREAM_UNNAMED: VarInt = VarInt::from_u32(1);

impl Link {
    /// A link over an established connection. `further`: where else the peer may be reached if it is of this kind, for the side that dialled.
    pub(crate) fn new(
        connection: Connection,
        session: SessionId,
        shared: Arc<Shared>,
        further: impl FnOnce(Kind) -> Vec<Remote>,
    ) -> Self {
        let first = connection.path(PathId::ZERO).and_then(|path| path.remote_address().ok());
        let (kind, remote) = first
            .and_then(|address| kind_and_remote(&shared, address))
            .unwrap_or((Kind::Udp { v6: false }, ([0, 0, 0, 0], 0).into()));
        let board = Arc::new(Board::new(kind, remote));
        let (ready, named) = mpsc::channel(ACCEPT_QUEUE);
        let mut tasks = JoinSet::new();
        tasks.spawn(read_names(connection.clone(), ready));
        let keeper = Keeper::new(connection.clone(), Arc::clone(&shared), Arc::clone(&board), further(kind));
        let number = keeper.number();
        tasks.spawn(keeper.run());
        let inner = Inner {
            session,
            number,
            peer: peer_of(&connection),
            connection,
            shared,
            board,
            named: tokio::sync::Mutex::new(named),
            _tasks: tasks,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Which expectation this link fulfils.
    pub fn session(&self) -> SessionId {
        self.inner.session
    }

    /// Names this link within its endpoint; no other link there has or had the same.
    pub fn number(&self) -> u64 {
        self.inner.number
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

    /// The other end of the path in use; after the end, of the last one.
    pub fn remote(&self) -> SocketAddr {
        self.inner.board.in_use().2
    }

    /// How the path in use carries datagrams.
    pub fn kind(&self) -> Kind {
        self.inner.board.in_use().1
    }

    /// The circuit through a relay, or whatever else carries the path in use as a tunnel of kind [`Kind::Relayed`]; `None` where the peer is reached directly, and after the end.
    pub fn tunnel(&self) -> Option<TunnelId> {
        self.inner.shared.routes.relayed(self.inner.board.way.address()?)
    }

    /// Whether this side dialled.
    pub fn is_initiator(&self) -> bool {
        self.inner.connection.side().is_client()
    }

    /// The smoothed round-trip time of the path in use; zero once the link has ended.
    pub fn rtt(&self) -> Duration {
        self.inner.connection.rtt(self.inner.board.in_use().0).unwrap_or_default()
    }

    /// Counters since the link began.
    pub fn stats(&self) -> LinkStats {
        let stats = self.inner.connection.stats();
        let path = self.inner.connection.path_stats(self.inner.board.in_use().0);
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

    /// The paths that can carry the link now.
    pub fn paths(&self) -> Vec<PathView> {
        let in_use = self.inner.board.in_use().0;
        let numbers = (0..self.inner.board.numbers()).map(|number| PathId::ZERO.saturating_add(number));
        numbers
            .filter_map(|id| {
                let path = self.inner.connection.path(id)?;
                let (kind, remote) = kind_and_remote(&self.inner.shared, path.remote_address().ok()?)?;
                Some(view(&self.inner.shared, &path, kind, remote, id == in_use))
            })
            .collect()
    }

    /// Says where the peer may be reached as well: the side that dialled tries to open a path to there, if one more or a better one is wanted. The other
    /// side learns of it by that.
    pub fn learn(&self, remote: impl Into<Remote>) {
        if self.is_initiator() {
            self.inner.board.learn(remote.into());
        }
    }

    /// What happens to the link's paths from now on. A listener that is more than 64 events behind loses the oldest.
    pub fn events(&self) -> broadcast::Receiver<LinkEvent> {
        self.inner.board.events()
    }

    /// Keying material for another protocol: the same on both sides for one label, unrelated for two.
    pub fn exporter(&self, label: &[u8]) -> Secret32 {
        export(&self.inner.connection, label)
    }

    /// The same, for a label in words.
    pub fn export(&self, label: &str) -> Secret32 {
        self.exporter(label.as_bytes())
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
        self.stir();
        let (mut send, recv) = self.inner.connection.open_bi().await?;
        let name = [&[length], protocol.as_bytes()].concat();
        match send.write_all(&name).await {
            Ok(()) => Ok(Stream::new(self.clone(), send, recv)),
            Err(noq::WriteError::ConnectionLost(error)) => Err(error.into()),
            Err(error) => Err(LinkError::Closed(CloseReason::Failed(error.to_string()))),
        }
    }

    /// The next stream that the peer opened and named, with that name. Streams that never say what they speak are
    /// refused after a minute and hold nobody up. Cancelling loses no stream.
    ///
    /// # Errors
    /// [`LinkError::Closed`].
    pub async fn accept(&self) -> Result<(String, Stream), LinkError> {
        match self.inner.named.lock().await.recv().await {
            Some(named) => {
                let Named { name, send, recv } = *named;
                Ok((name, Stream::new(self.clone(), send, recv)))
            }
            None => Err(self.inner.connection.closed().await.into()),
        }
    }

    /// Sends a datagram, unreliably and unordered. When the buffer of 256 KiB is full the oldest is dropped.
    ///
    /// # Errors
    /// [`LinkError::DatagramTooLarge`] or [`LinkError::Closed`].
    pub fn send_datagram(&self, data: Bytes) -> Result<(), LinkError> {
        self.stir();
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

    /// Which way it takes now, for what goes beside QUIC.
    pub(crate) fn way(&self) -> Arc<Way> {
        Arc::clone(&self.inner.board.way)
    }

    pub(crate) fn downgrade(&self) -> WeakLink {
        WeakLink(Arc::downgrade(&self.inner))
    }

    /// Something is about to be sent: whether it gets through is watched from now on.
    pub(crate) fn stir(&self) {
        self.inner.board.way.stir();
    }

    /// As server: tells the client what became of its choice.
    pub(crate) fn judge(&self, verdict: Verdict) {
        choice::judge(&self.inner.connection, verdict);
    }

    /// As client: what the server made of our choice.
    pub(crate) async fn verdict(&self) -> Verdict {
        choice::verdict(&self.inner.connection).await
    }

    /// Waits for the end of the link.
    pub async fn closed(&self) -> CloseReason {
        match self.inner.connection.closed().await.into() {
            CloseReason::Local if self.inner.board.is_given_up() => CloseReason::TimedOut,
            reason => reason,
        }
    }

    /// Ends the link at once; what is not yet acknowledged may be lost. The peer is told the first 256 bytes of
    /// `reason`.
    pub fn close(&self, reason: &str) {
        let reason = reason.as_bytes();
        self.inner.connection.close(VarInt::from_u32(0), reason.get(..MAX_REASON).unwrap_or(reason));
    }
}

/// A link that is not held open by it.
pub(crate) struct WeakLink(Weak<Inner>);

impl WeakLink {
    /// The link, if somebody holds it and it has not ended.
    pub(crate) fn upgrade(&self) -> Option<Link> {
        let link = Link { inner: self.0.upgrade()? };
        link.inner.connection.close_reason().is_none().then_some(link)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("session", &self.inner.session)
            .field("initiator", &self.is_initiator())
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

/// Hands over streams as they say what they speak.
async fn read_names(connection: Connection, ready: mpsc::Sender<Box<Named>>) {
    let (mut unnamed, mut refused) = (JoinSet::new(), Seldom::default());
    let mut note = |named: Result<bool, _>| {
        if let Ok(false) = named
            && let Some(times) = refused.happened()
        {
            tracing::warn!(times, "a peer's streams do not say what they speak: they are refused");
        }
    };
    loop {
        while unnamed.len() >= MAX_UNNAMED {
            unnamed.join_next().await.map(&mut note);
        }
        while let Some(named) = unnamed.try_join_next() {
            note(named);
        }
        // Streams wait in the connection, which bounds them, while nobody accepts.
        let Ok((mut send, mut recv)) = connection.accept_bi().await else { return };
        let ready = ready.clone();
        unnamed.spawn(async move {
            match timeout(NAMING_TIMEOUT, read_name(&mut recv)).await.ok().flatten() {
                Some(name) => ready.send(Box::new(Named { name, send, recv })).await.is_ok(),
                None => {
                    let _ = send.reset(STREAM_UNNAMED);
                    let _ = recv.stop(STREAM_UNNAMED);
                    false
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

#[cfg(test)]
mod tests;
