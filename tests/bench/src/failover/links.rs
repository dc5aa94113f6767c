//! The ends of one link, for wayside and for iroh, each as it comes by default.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use iroh::endpoint::{PortmapperConfig, presets};
use iroh::{EndpointAddr, EndpointId, RelayMode};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use wayside_noise::{EndpointConfig, StaticKey};

use crate::Failure;
use crate::assignment::Ticket;
use crate::subjects::SubjectName;
use crate::subjects::wayside::{CLIENT_KEY, SERVER_KEY, expectation};

/// On all addresses, also those that come later.
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
const PROTOCOL: &str = "records";
const TIMEOUT: Duration = Duration::from_secs(20);

/// A path, as one end sees it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct OpenPath {
    pub(super) remote: SocketAddr,
    pub(super) in_use: bool,
}

/// A bound endpoint.
pub(super) enum Bound {
    Wayside(Box<wayside_noise::Endpoint>),
    Iroh(iroh::Endpoint),
}

/// A link with one stream.
pub(super) struct Linked {
    link: Link,
    send: Box<dyn AsyncWrite + Send + Unpin>,
    recv: Box<dyn AsyncRead + Send + Unpin>,
}

pub(super) enum Link {
    Wayside(wayside_noise::Link),
    Iroh { _connection: iroh::endpoint::Connection },
}

impl Bound {
    pub(super) async fn new(subject: SubjectName, is_server: bool) -> Result<Self, Failure> {
        match subject {
            SubjectName::Wayside => {
                let (own, peer) = if is_server { (SERVER_KEY, CLIENT_KEY) } else { (CLIENT_KEY, SERVER_KEY) };
                let (own, peer) = (StaticKey::from_bytes(own), StaticKey::from_bytes(peer));
                let endpoint = wayside_noise::Endpoint::bind(&[ANY], own, EndpointConfig::default()).await?;
                if is_server {
                    endpoint.expect(expectation(0, peer.public()));
                }
                Ok(Self::Wayside(Box::new(endpoint)))
            }
            SubjectName::Iroh => {
                let builder = iroh::Endpoint::builder(presets::Minimal)
                    .relay_mode(RelayMode::Disabled)
                    .clear_address_lookup()
                    .portmapper_config(PortmapperConfig::Disabled)
                    .clear_ip_transports()
                    .bind_addr(ANY)?
                    .alpns(vec![PROTOCOL.into()]);
                Ok(Self::Iroh(builder.bind().await?))
            }
            other => Err(format!("{other} has one path and keeps it").into()),
        }
    }

    pub(super) fn ticket(&self) -> Result<Ticket, Failure> {
        let (addresses, identity) = match self {
            Self::Wayside(endpoint) => (endpoint.local_addresses(), Vec::new()),
            Self::Iroh(endpoint) => (endpoint.bound_sockets(), endpoint.id().as_bytes().to_vec()),
        };
        let address = addresses.first().copied().ok_or("the endpoint has no address")?;
        Ok(Ticket { address, identity })
    }

    /// The first link that comes, and its first stream.
    pub(super) async fn accept(&self) -> Result<Linked, Failure> {
        match self {
            Self::Wayside(endpoint) => {
                let link = endpoint.accept().await.ok_or("no link")?;
                let (_, stream) = link.accept().await?;
                Ok(Linked::new(Link::Wayside(link), stream.send, stream.recv))
            }
            Self::Iroh(endpoint) => {
                let connection = endpoint.accept().await.ok_or("no connection")?.await?;
                let (send, recv) = connection.accept_bi().await?;
                Ok(Linked::new(Link::Iroh { _connection: connection }, send, recv))
            }
        }
    }

    /// Links with a server that is at all these addresses.
    pub(super) async fn connect(&self, server: &[SocketAddr], identity: &[u8]) -> Result<Linked, Failure> {
        match self {
            Self::Wayside(endpoint) => {
                let peer = StaticKey::from_bytes(SERVER_KEY).public();
                let link = endpoint.connect(expectation(0, peer), server.iter().copied(), TIMEOUT).await?;
                let stream = link.open(PROTOCOL).await?;
                Ok(Linked::new(Link::Wayside(link), stream.send, stream.recv))
            }
            Self::Iroh(endpoint) => {
                let id = EndpointId::from_bytes(identity.try_into()?)?;
                let at = server.iter().fold(EndpointAddr::new(id), |at, address| at.with_ip_addr(*address));
                let connection = endpoint.connect(at, PROTOCOL.as_bytes()).await?;
                let (send, recv) = connection.open_bi().await?;
                Ok(Linked::new(Link::Iroh { _connection: connection }, send, recv))
            }
        }
    }
}

impl Linked {
    fn new(
        link: Link,
        send: impl AsyncWrite + Send + Unpin + 'static,
        recv: impl AsyncRead + Send + Unpin + 'static,
    ) -> Self {
        Self { link, send: Box::new(send), recv: Box::new(recv) }
    }

    /// The link apart from its stream.
    pub(super) fn split(
        self,
    ) -> (Link, Box<dyn AsyncWrite + Send + Unpin>, Box<dyn AsyncRead + Send + Unpin>) {
        (self.link, self.send, self.recv)
    }
}

impl Link {
    /// The paths that are open; of iroh, nothing is asked.
    pub(super) fn paths(&self) -> Vec<OpenPath> {
        match self {
            Self::Wayside(link) => {
                let paths = link.paths().into_iter();
                paths.map(|path| OpenPath { remote: path.remote, in_use: path.in_use }).collect()
            }
            Self::Iroh { .. } => Vec::new(),
        }
    }
}
