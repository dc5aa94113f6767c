//! Wayside's own link.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use wayside_noise::{
    Ciphers, Congestion, Endpoint, EndpointConfig, Expectation, Kem, SessionId, StaticKey, Whom,
};

use super::{Client, Handler, Link, Server, Stream, Subject};
use crate::Failure;
use crate::assignment::{Assignment, SAME, Settings, Ticket};

pub(crate) struct Wayside;

const PROTOCOL: &str = "bench";
/// The keys of two devices that exist for a measurement only.
pub(crate) const SERVER_KEY: [u8; 32] = [1; 32];
pub(crate) const CLIENT_KEY: [u8; 32] = [2; 32];
const TIMEOUT: Duration = Duration::from_secs(20);

#[async_trait]
impl Subject for Wayside {
    async fn server(&self, assignment: &Assignment) -> Result<Box<dyn Server>, Failure> {
        let endpoint = bind(assignment, SERVER_KEY).await?;
        let client = StaticKey::from_bytes(CLIENT_KEY).public();
        // As between friends, each link has secrets of its own.
        for number in 0..assignment.task.links() {
            endpoint.expect(expectation(number, client));
        }
        Ok(Box::new(WaysideServer(endpoint)))
    }

    async fn client(&self, assignment: &Assignment, ticket: &Ticket) -> Result<Box<dyn Client>, Failure> {
        Ok(Box::new(WaysideClient {
            endpoint: bind(assignment, CLIENT_KEY).await?,
            server: ticket.address,
            links: assignment.task.links(),
            made: AtomicU32::new(0),
        }))
    }
}

async fn bind(assignment: &Assignment, key: [u8; 32]) -> Result<Endpoint, Failure> {
    let address = SocketAddr::new(assignment.ip, 0);
    let config = match assignment.settings {
        Settings::Defaults => EndpointConfig::default(),
        Settings::Same => EndpointConfig {
            ciphers: Ciphers::ChaChaOnly,
            congestion: Congestion::Cubic,
            max_udp_payload: SAME.mtu,
            ..EndpointConfig::default()
        },
    };
    Ok(Endpoint::bind(&[address], StaticKey::from_bytes(key), config).await?)
}

/// The secrets of one link, the same on both sides.
pub(crate) fn expectation(number: u32, peer: [u8; 32]) -> Expectation {
    let secret = |label: u8| {
        let mut bytes = [label; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        bytes
    };
    let mut session = [0; 16];
    session[..4].copy_from_slice(&number.to_be_bytes());
    Expectation {
        session: SessionId(session),
        whom: Whom::Device(peer),
        gate: secret(3).into(),
        psk: secret(4).into(),
        kem: Kem::None,
    }
}

struct WaysideServer(Endpoint);

#[async_trait]
impl Server for WaysideServer {
    fn ticket(&self) -> Result<Ticket, Failure> {
        let address = self.0.local_addresses().first().copied().ok_or("the endpoint has no address")?;
        Ok(Ticket { address, identity: Vec::new() })
    }

    async fn serve(self: Box<Self>, handler: Handler) {
        while let Some(link) = self.0.accept().await {
            let handler = handler.clone();
            tokio::spawn(async move {
                while let Ok((_, stream)) = link.accept().await {
                    tokio::spawn(handler(Stream::new(stream.send, stream.recv)));
                }
            });
        }
    }
}

struct WaysideClient {
    endpoint: Endpoint,
    server: SocketAddr,
    links: u32,
    made: AtomicU32,
}

#[async_trait]
impl Client for WaysideClient {
    async fn connect(&self) -> Result<Box<dyn Link>, Failure> {
        let number = self.made.fetch_add(1, Ordering::Relaxed) % self.links;
        let expectation = expectation(number, StaticKey::from_bytes(SERVER_KEY).public());
        let link = self.endpoint.connect(expectation, &[self.server], TIMEOUT).await?;
        Ok(Box::new(WaysideLink(link)))
    }
}

struct WaysideLink(wayside_noise::Link);

#[async_trait]
impl Link for WaysideLink {
    async fn open(&self) -> Result<Stream, Failure> {
        let stream = self.0.open(PROTOCOL).await?;
        Ok(Stream::new(stream.send, stream.recv))
    }

    fn is_open(&self) -> bool {
        self.0.closed().now_or_never().is_none()
    }

    async fn close(self: Box<Self>) {
        self.0.close("");
        self.0.closed().await;
    }
}
