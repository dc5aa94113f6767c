//! iroh without relay, address lookup and port mapping, given the server's address.

use std::net::SocketAddr;

use async_trait::async_trait;
use iroh::endpoint::{
    Builder, Connection, MtuDiscoveryConfig, PortmapperConfig, QuicTransportConfig, VarInt, presets,
};
use iroh::{Endpoint, EndpointAddr, EndpointId, RelayMode};

use super::tls::aws_lc;
use super::{Client, Handler, Link, Server, Stream, Subject};
use crate::Failure;
use crate::assignment::{Assignment, SAME, Settings, Ticket};

pub(crate) struct Iroh;

const ALPN: &[u8] = b"bench";

#[async_trait]
impl Subject for Iroh {
    async fn server(&self, assignment: &Assignment) -> Result<Box<dyn Server>, Failure> {
        let endpoint = builder(assignment)?.alpns(vec![ALPN.to_vec()]).bind().await?;
        Ok(Box::new(IrohServer(endpoint)))
    }

    async fn client(&self, assignment: &Assignment, ticket: &Ticket) -> Result<Box<dyn Client>, Failure> {
        let id: [u8; 32] = ticket.identity.as_slice().try_into()?;
        let server = EndpointAddr::new(EndpointId::from_bytes(&id)?).with_ip_addr(ticket.address);
        Ok(Box::new(IrohClient { endpoint: builder(assignment)?.bind().await?, server }))
    }
}

/// Bound to the one address that everybody is bound to, so that no other path is looked for.
fn builder(assignment: &Assignment) -> Result<Builder, Failure> {
    let builder = Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .clear_address_lookup()
        .portmapper_config(PortmapperConfig::Disabled)
        .clear_ip_transports()
        .bind_addr(SocketAddr::new(assignment.ip, 0))?;
    Ok(match assignment.settings {
        Settings::Defaults => builder,
        Settings::Same => {
            let mut discovery = MtuDiscoveryConfig::default();
            discovery.upper_bound(SAME.mtu);
            let transport = QuicTransportConfig::builder()
                .stream_receive_window(VarInt::from_u32(SAME.stream_window))
                .receive_window(VarInt::from_u32(SAME.link_window))
                .send_window(SAME.send_window)
                .mtu_discovery_config(Some(discovery))
                .build();
            builder
                .crypto_provider(aws_lc(Settings::Same))
                .transport_config(transport)
                // No place for a ticket: no handshake is shortened by one.
                .max_tls_tickets(0)
        }
    })
}

struct IrohServer(Endpoint);

#[async_trait]
impl Server for IrohServer {
    fn ticket(&self) -> Result<Ticket, Failure> {
        let address = self.0.bound_sockets().first().copied().ok_or("the endpoint has no address")?;
        Ok(Ticket { address, identity: self.0.id().as_bytes().to_vec() })
    }

    async fn serve(self: Box<Self>, handler: Handler) {
        while let Some(incoming) = self.0.accept().await {
            let handler = handler.clone();
            tokio::spawn(async move {
                let Ok(connection) = incoming.await else { return };
                while let Ok((send, recv)) = connection.accept_bi().await {
                    tokio::spawn(handler(Stream::new(send, recv)));
                }
            });
        }
    }
}

struct IrohClient {
    endpoint: Endpoint,
    server: EndpointAddr,
}

#[async_trait]
impl Client for IrohClient {
    async fn connect(&self) -> Result<Box<dyn Link>, Failure> {
        Ok(Box::new(IrohLink(self.endpoint.connect(self.server.clone(), ALPN).await?)))
    }
}

struct IrohLink(Connection);

#[async_trait]
impl Link for IrohLink {
    async fn open(&self) -> Result<Stream, Failure> {
        let (send, recv) = self.0.open_bi().await?;
        Ok(Stream::new(send, recv))
    }

    fn is_open(&self) -> bool {
        self.0.close_reason().is_none()
    }

    async fn close(self: Box<Self>) {
        self.0.close(VarInt::from_u32(0), b"");
        self.0.closed().await;
    }
}
