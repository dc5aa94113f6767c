//! Datagrams in a TCP connection, for networks that block UDP: each behind its length in two bytes, big endian.
//!
//! Whoever connects is a stranger until one of its datagrams has passed the gate. A stranger gets no byte, no close, and little time.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures::{SinkExt, StreamExt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use wayside_path::Kind;

use super::{
    Shared,
    route::{Route, canonical},
    strangers::Strangers,
    tunnel::Tunnel,
};
use crate::seldom::Seldom;

/// The longest datagram that a length of two bytes can announce.
const MAX_FRAME: usize = 65_535;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a stranger may stay; a first message takes one way.
const STRANGER_TIMEOUT: Duration = Duration::from_secs(10);
/// Strangers at a time; a further one takes the place of one whose network has more of them, or is not taken.
const MOST_STRANGERS: usize = 64;
/// Connections at a time, strangers included; further ones wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 512;
/// Connections that the kernel completes and keeps for us.
const BACKLOG: i32 = 128;
/// How long a connection that passed the gate may be without a path of a link: longer than a handshake and the choice after it take, and than a
/// path that was closed takes to come back.
const UNUSED_TIMEOUT: Duration = Duration::from_secs(90);
/// Frames written before they are flushed; one system call carries them.
const BATCH: usize = 32;

/// A connection that was dialled, under the address by which QUIC knows it. It ends when this is dropped and no path leads through it.
pub(crate) struct Dialled {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Drop for Dialled {
    fn drop(&mut self) {
        self.shared.close_tcp(self.address);
    }
}

/// Connects to a peer that listens.
pub(crate) async fn dial(shared: &Arc<Shared>, remote: SocketAddr) -> io::Result<Dialled> {
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(remote)).await??;
    stream.set_nodelay(true)?;
    let tunnel = shared.tunnel(Kind::Tcp, Some(remote));
    let address = shared.routes.address(Route::Tunnel(tunnel.id()));
    tokio::spawn(carry(stream, tunnel));
    Ok(Dialled { address, shared: Arc::clone(shared) })
}

/// A listener, on which an IPv6 address takes IPv6 only, so that both families can have one port.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Elsewhere it would let others take the port while it is in use.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Takes connections until it is dropped.
pub(crate) async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let strangers = Strangers::new(MOST_STRANGERS);
    let (mut crowded, mut failed) = (Seldom::default(), Seldom::default());
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MOST_CONNECTIONS {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Of this one connection, or for want of descriptors: neither passes by trying at once.
                if let Some(times) = failed.happened() {
                    tracing::warn!(times, %error, "a TCP connection could not be taken");
                }
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let place = strangers.place(peer);
        if place.as_ref().is_none_or(|(_, taken_over)| *taken_over)
            && let Some(times) = crowded.happened()
        {
            tracing::warn!(times, %peer, "too many TCP connections of strangers: some are ended early");
        }
        let Some((place, _)) = place.filter(|_| stream.set_nodelay(true).is_ok()) else { continue };
        let tunnel = shared.tunnel(Kind::Tcp, Some(canonical(peer)));
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let (admitted, id) = (tunnel.admitted(), tunnel.id());
            let carried = carry(stream, tunnel);
            tokio::pin!(carried);
            tokio::select! {
                () = &mut carried => return,
                () = sleep(STRANGER_TIMEOUT) => {}
                () = place.lost() => {}
                () = async { admitted.wait().await; } => {}
            }
            drop(place);
            // What passed may be a copy of somebody else's packet, so that a connection has to be of use.
            while admitted.initialized() {
                tokio::select! {
                    () = &mut carried => return,
                    () = sleep(UNUSED_TIMEOUT) => shared.close_tunnel_unless_used(id),
                }
            }
        });
    }
}

/// How datagrams lie in a stream.
pub(crate) fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().length_field_type::<u16>().max_frame_length(MAX_FRAME).new_codec()
}

/// Carries datagrams both ways until either side ends it.
async fn carry(stream: TcpStream, mut tunnel: Tunnel) {
    let (mut to_peer, mut from_peer) = Framed::new(stream, codec()).split();
    let inlet = tunnel.inlet();
    let reading = async {
        // A frame that is cut short, or an error: either way it is over.
        while let Some(Ok(datagram)) = from_peer.next().await {
            if !inlet.arrived(datagram.freeze()).await {
                return;
            }
        }
    };
    let writing = async {
        while let Some(datagram) = tunnel.outgoing().await {
            if to_peer.feed(datagram).await.is_err() {
                return;
            }
            for datagram in std::iter::from_fn(|| tunnel.try_outgoing()).take(BATCH) {
                if to_peer.feed(datagram).await.is_err() {
                    return;
                }
            }
            if to_peer.flush().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}
