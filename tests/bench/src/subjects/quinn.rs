//! quinn with rustls over aws-lc: the plain QUIC. The client verifies the server's certificate, the server takes any client.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Connection, Endpoint, MtuDiscoveryConfig, ServerConfig, TransportConfig, VarInt};
use rustls::RootCertStore;
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::tls::aws_lc;
use super::{Client, Handler, Link, Server, Stream, Subject};
use crate::Failure;
use crate::assignment::{Assignment, SAME, Settings, Ticket};

pub(crate) struct Quinn;

const NAME: &str = "bench.invalid";
const ALPN: &[u8] = b"bench";

#[async_trait]
impl Subject for Quinn {
    async fn server(&self, assignment: &Assignment) -> Result<Box<dyn Server>, Failure> {
        let own = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
        let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let certificate = own.cert.der().clone();
        let mut tls = rustls::ServerConfig::builder_with_provider(aws_lc(assignment.settings))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.into())?;
        tls.alpn_protocols = vec![ALPN.to_vec()];
        if assignment.settings == Settings::Same {
            tls.send_tls13_tickets = 0;
        }
        let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
        config.transport_config(transport(assignment.settings));
        let endpoint = Endpoint::server(config, SocketAddr::new(assignment.ip, 0))?;
        Ok(Box::new(QuinnServer { endpoint, certificate: certificate.to_vec() }))
    }

    async fn client(&self, assignment: &Assignment, ticket: &Ticket) -> Result<Box<dyn Client>, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ticket.identity.clone()))?;
        let mut tls = rustls::ClientConfig::builder_with_provider(aws_lc(assignment.settings))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        if assignment.settings == Settings::Same {
            tls.resumption = Resumption::disabled();
        }
        let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
        config.transport_config(transport(assignment.settings));
        let mut endpoint = Endpoint::client(SocketAddr::new(assignment.ip, 0))?;
        endpoint.set_default_client_config(config);
        Ok(Box::new(QuinnClient { endpoint, server: ticket.address }))
    }
}

fn transport(settings: Settings) -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    if settings == Settings::Same {
        let mut discovery = MtuDiscoveryConfig::default();
        discovery.upper_bound(SAME.mtu);
        transport
            .stream_receive_window(VarInt::from_u32(SAME.stream_window))
            .receive_window(VarInt::from_u32(SAME.link_window))
            .send_window(SAME.send_window)
            .mtu_discovery_config(Some(discovery));
    }
    Arc::new(transport)
}

struct QuinnServer {
    endpoint: Endpoint,
    certificate: Vec<u8>,
}

#[async_trait]
impl Server for QuinnServer {
    fn ticket(&self) -> Result<Ticket, Failure> {
        Ok(Ticket { address: self.endpoint.local_addr()?, identity: self.certificate.clone() })
    }

    async fn serve(self: Box<Self>, handler: Handler) {
        while let Some(incoming) = self.endpoint.accept().await {
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

struct QuinnClient {
    endpoint: Endpoint,
    server: SocketAddr,
}

#[async_trait]
impl Client for QuinnClient {
    async fn connect(&self) -> Result<Box<dyn Link>, Failure> {
        Ok(Box::new(QuinnLink(self.endpoint.connect(self.server, NAME)?.await?)))
    }
}

struct QuinnLink(Connection);

#[async_trait]
impl Link for QuinnLink {
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
