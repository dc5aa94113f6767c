//! libp2p: over QUIC, or over TCP with Noise and yamux, with raw streams.
//!
//! Each stream negotiates its protocol, as libp2p's streams do. Connections that nobody uses are kept, which libp2p by itself would close
//! after a while.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, StreamProtocol, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, noise, tcp, yamux};
use libp2p_stream::{Behaviour, Control};
use tokio::sync::{mpsc, oneshot};
use tokio_util::compat::FuturesAsyncReadCompatExt;

use super::{Client, Handler, Link, Server, Stream, Subject};
use crate::Failure;
use crate::assignment::{Assignment, SAME, Settings, Ticket};

pub(crate) struct Libp2p(pub(crate) Carrier);

/// What libp2p runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Quic,
    Tcp,
}

const PROTOCOL: StreamProtocol = StreamProtocol::new("/bench");

#[async_trait]
impl Subject for Libp2p {
    async fn server(&self, assignment: &Assignment) -> Result<Box<dyn Server>, Failure> {
        let mut swarm = swarm(self.0, assignment.settings)?;
        swarm.listen_on(address(self.0, SocketAddr::new(assignment.ip, 0)))?;
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                let address = socket_address(&address).ok_or("libp2p listens on no IP address")?;
                return Ok(Box::new(Libp2pServer { swarm, address }));
            }
        }
    }

    async fn client(&self, assignment: &Assignment, ticket: &Ticket) -> Result<Box<dyn Client>, Failure> {
        let swarm = swarm(self.0, assignment.settings)?;
        let (peer, address) = (PeerId::from_bytes(&ticket.identity)?, address(self.0, ticket.address));
        let control = swarm.behaviour().new_control();
        let (commands, inbox) = mpsc::channel(1);
        let open = Open::default();
        tokio::spawn(Driver { swarm, peer, address, open: open.clone() }.run(inbox));
        Ok(Box::new(Libp2pClient { peer, control, commands, open }))
    }
}

fn swarm(carrier: Carrier, settings: Settings) -> Result<Swarm<Behaviour>, Failure> {
    // As friends keep a link.
    const FOR_EVER: Duration = Duration::from_secs(u64::MAX);
    let builder = SwarmBuilder::with_new_identity().with_tokio();
    Ok(match carrier {
        Carrier::Quic => builder
            .with_quic_config(|mut config| {
                if settings == Settings::Same {
                    config.max_stream_data = SAME.stream_window;
                    config.max_connection_data = SAME.link_window;
                    config = config.mtu_upper_bound(SAME.mtu);
                }
                config
            })
            .with_behaviour(|_| Behaviour::new())?
            .with_swarm_config(|config| config.with_idle_connection_timeout(FOR_EVER))
            .build(),
        Carrier::Tcp => builder
            .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)?
            .with_behaviour(|_| Behaviour::new())?
            .with_swarm_config(|config| config.with_idle_connection_timeout(FOR_EVER))
            .build(),
    })
}

fn address(carrier: Carrier, address: SocketAddr) -> Multiaddr {
    let ip = Multiaddr::from(address.ip());
    match carrier {
        Carrier::Quic => ip.with(Protocol::Udp(address.port())).with(Protocol::QuicV1),
        Carrier::Tcp => ip.with(Protocol::Tcp(address.port())),
    }
}

fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Udp(port) | Protocol::Tcp(port) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

fn halves(stream: libp2p::Stream) -> Stream {
    let (recv, send) = tokio::io::split(stream.compat());
    Stream::new(send, recv)
}

struct Libp2pServer {
    swarm: Swarm<Behaviour>,
    address: SocketAddr,
}

#[async_trait]
impl Server for Libp2pServer {
    fn ticket(&self) -> Result<Ticket, Failure> {
        Ok(Ticket { address: self.address, identity: self.swarm.local_peer_id().to_bytes() })
    }

    async fn serve(mut self: Box<Self>, handler: Handler) {
        // Refused only for a protocol that was registered before.
        let Ok(mut streams) = self.swarm.behaviour().new_control().accept(PROTOCOL) else { return };
        loop {
            tokio::select! {
                _ = self.swarm.select_next_some() => {}
                Some((_, stream)) = streams.next() => drop(tokio::spawn(handler(halves(stream)))),
            }
        }
    }
}

/// The connections that exist.
type Open = Arc<Mutex<HashSet<ConnectionId>>>;

enum Command {
    Dial(oneshot::Sender<Result<ConnectionId, String>>),
    Close(ConnectionId, oneshot::Sender<()>),
}

/// Owns the client's swarm.
struct Driver {
    swarm: Swarm<Behaviour>,
    peer: PeerId,
    address: Multiaddr,
    open: Open,
}

impl Driver {
    async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        let (mut dialling, mut closing) = (HashMap::new(), HashMap::new());
        loop {
            tokio::select! {
                command = inbox.recv() => match command {
                    None => return,
                    Some(Command::Dial(answer)) => {
                        let dial = DialOpts::peer_id(self.peer)
                            .condition(PeerCondition::Always)
                            .addresses(vec![self.address.clone()])
                            .build();
                        let id = dial.connection_id();
                        match self.swarm.dial(dial) {
                            Ok(()) => drop(dialling.insert(id, answer)),
                            Err(error) => drop(answer.send(Err(error.to_string()))),
                        }
                    }
                    Some(Command::Close(id, answer)) => {
                        if self.swarm.close_connection(id) {
                            closing.insert(id, answer);
                        }
                    }
                },
                event = self.swarm.select_next_some() => match event {
                    SwarmEvent::ConnectionEstablished { connection_id, .. } => {
                        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(connection_id);
                        if let Some(answer) = dialling.remove(&connection_id) {
                            drop(answer.send(Ok(connection_id)));
                        }
                    }
                    SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                        if let Some(answer) = dialling.remove(&connection_id) {
                            drop(answer.send(Err(error.to_string())));
                        }
                    }
                    SwarmEvent::ConnectionClosed { connection_id, .. } => {
                        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection_id);
                        drop(closing.remove(&connection_id));
                    }
                    _ => {}
                },
            }
        }
    }
}

struct Libp2pClient {
    peer: PeerId,
    control: Control,
    commands: mpsc::Sender<Command>,
    open: Open,
}

#[async_trait]
impl Client for Libp2pClient {
    async fn connect(&self) -> Result<Box<dyn Link>, Failure> {
        let (answer, dialled) = oneshot::channel();
        self.commands.send(Command::Dial(answer)).await?;
        let id = dialled.await??;
        let (peer, control) = (self.peer, self.control.clone());
        Ok(Box::new(Libp2pLink {
            id,
            peer,
            control,
            commands: self.commands.clone(),
            open: self.open.clone(),
        }))
    }
}

struct Libp2pLink {
    id: ConnectionId,
    peer: PeerId,
    control: Control,
    commands: mpsc::Sender<Command>,
    open: Open,
}

#[async_trait]
impl Link for Libp2pLink {
    /// Over any connection with the peer: libp2p's streams are opened towards peers.
    async fn open(&self) -> Result<Stream, Failure> {
        Ok(halves(self.control.clone().open_stream(self.peer, PROTOCOL).await?))
    }

    fn is_open(&self) -> bool {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).contains(&self.id)
    }

    async fn close(self: Box<Self>) {
        let (answer, closed) = oneshot::channel();
        if self.commands.send(Command::Close(self.id, answer)).await.is_ok() {
            // Dropped unanswered once the connection is gone.
            let _ = closed.await;
        }
    }
}
