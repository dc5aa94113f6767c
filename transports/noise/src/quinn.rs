//! The same handshake and the same gate on quinn, beneath the [`Link`](crate::Link).
//!
//! Links run on noq, a fork of quinn with several paths. Should noq go away, this is the way back: everything that is ours
//! (Noise, key schedule, packet protection, gate) knows of no QUIC library, the adapter to quinn is one file
//! (`src/adapter/quinn.rs`), and tests hold that it works. What would be left to do is to put quinn's types where
//! `endpoint.rs`, `link.rs` and `stream.rs` now have noq's, which are alike in name and use. What would be lost is
//! more than one path at a time. On the wire both speak the same protocol.
//!
//! ```no_run
//! # async fn example(key: wayside_noise::StaticKey, of_peer: wayside_noise::Expectation) -> std::io::Result<()> {
//! use wayside_noise::{EndpointConfig, quinn::Endpoint};
//!
//! let endpoint = Endpoint::bind(([127, 0, 0, 1], 0).into(), key, EndpointConfig::default())?;
//! endpoint.expect(of_peer);
//! let connection = endpoint.accept().await.expect("open").await?;
//! let (mut send, mut recv) = connection.accept_bi().await?;
//! # Ok(())
//! # }
//! ```

use std::{
    fmt,
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use ::quinn::{
    AsyncUdpSocket, ConnectError, Connecting, IdleTimeout, Runtime, TokioRuntime, TransportConfig, UdpPoller,
    udp::{RecvMeta, Transmit},
};

use crate::{
    EndpointConfig, Expectation, SessionId, StaticKey,
    adapter::{
        NoTokens, ResetKey,
        quinn::{AdmittedServer, NoiseClient, NoiseServer, first_id},
    },
    core::{VERSION, gate_keys::GateKeys},
    gate::{Gate, Received, Sieve},
};

/// One UDP socket of quinn's behind a gate, on which to dial and to accept.
pub struct Endpoint {
    inner: ::quinn::Endpoint,
    gate: Arc<Gate>,
    config: EndpointConfig,
    transport: Arc<TransportConfig>,
}

impl Endpoint {
    /// Binds a socket. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// What the operating system says of the address.
    pub fn bind(address: SocketAddr, key: StaticKey, config: EndpointConfig) -> io::Result<Self> {
        let gate = Gate::new(key, config.ciphers, config.handshake_timeout);
        let socket = TokioRuntime.wrap_udp_socket(std::net::UdpSocket::bind(address)?)?;
        let sieve = Mutex::new(Sieve::new(Arc::clone(&gate)));
        let transport = Arc::new(transport(&config));
        let mut endpoint = ::quinn::EndpointConfig::new(Arc::new(ResetKey::random()));
        let ids = gate.own_ids().clone();
        endpoint
            .supported_versions(vec![VERSION])
            .grease_quic_bit(false)
            .cid_generator(move || Box::new(ids.clone()));
        let inner = ::quinn::Endpoint::new_with_abstract_socket(
            endpoint,
            Some(server(Arc::new(NoiseServer(Arc::clone(&gate))), &transport)),
            Arc::new(GatedSocket { inner: socket, sieve }),
            Arc::new(TokioRuntime),
        )?;
        Ok(Self { inner, gate, config, transport })
    }

    /// Admits whom the expectation names, until [`forget`](Self::forget).
    pub fn expect(&self, expectation: Expectation) {
        self.gate.open(expectation);
    }

    /// Shuts the session's gate; connections that exist live on.
    pub fn forget(&self, session: SessionId) {
        self.gate.shut(session);
    }

    /// Dials one address, once.
    ///
    /// # Errors
    /// What quinn says of the address; the expectation must name somebody to dial.
    pub fn connect(&self, e: Expectation, address: SocketAddr) -> Result<Connecting, ConnectError> {
        let keys = Arc::new(GateKeys::new(&e.gate));
        let crypto = NoiseClient {
            local: self.gate.local().clone(),
            expectation: Arc::new(e),
            keys: Arc::clone(&keys),
            ciphers: self.config.ciphers,
        };
        let mut client = ::quinn::ClientConfig::new(Arc::new(crypto));
        client
            .version(VERSION)
            .initial_dst_cid_provider(Arc::new(move || first_id(&keys)))
            .transport_config(Arc::clone(&self.transport));
        self.inner.connect_with(client, address, "peer")
    }

    /// The next handshake that the gate admitted; `None` once the endpoint is closed.
    pub async fn accept(&self) -> Option<Connecting> {
        loop {
            let incoming = self.inner.accept().await?;
            let Some((admitted, _passage)) = self.gate.take(&incoming.orig_dst_cid()) else {
                incoming.ignore();
                continue;
            };
            let server = server(Arc::new(AdmittedServer::new(admitted)), &self.transport);
            if let Ok(connecting) = incoming.accept_with(Arc::new(server)) {
                return Some(connecting);
            }
        }
    }

    /// What quinn itself offers: the address, closing, waiting until all is quiet.
    pub fn inner(&self) -> &::quinn::Endpoint {
        &self.inner
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("inner", &self.inner).finish_non_exhaustive()
    }
}

fn server(
    crypto: Arc<dyn ::quinn::crypto::ServerConfig>,
    transport: &Arc<TransportConfig>,
) -> ::quinn::ServerConfig {
    let mut config = ::quinn::ServerConfig::new(crypto, Arc::new(NoTokens));
    config.transport_config(Arc::clone(transport)).migration(true);
    config
}

fn transport(config: &EndpointConfig) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .keep_alive_interval(config.keep_alive)
        .max_idle_timeout(IdleTimeout::try_from(config.idle_timeout).ok())
        .initial_rtt(config.initial_rtt)
        .allow_spin(false);
    transport
}

#[derive(Debug)]
struct GatedSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    sieve: Mutex<Sieve<RecvMeta>>,
}

impl AsyncUdpSocket for GatedSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.inner).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.inner.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut sieve = self.sieve.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let released = sieve.deliver(buffers, metas);
            if released > 0 {
                return Poll::Ready(Ok(released));
            }
            let count = ready!(self.inner.poll_recv(cx, buffers, metas))?;
            let mut kept = 0;
            for (buffer, meta) in buffers.iter_mut().zip(metas.iter_mut()).take(count) {
                sieve.keep_admitted(buffer, meta);
                kept += meta.len;
            }
            if kept > 0 {
                return Poll::Ready(Ok(count));
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

impl Received for RecvMeta {
    fn from(&self) -> SocketAddr {
        self.addr
    }

    fn set_from(&mut self, from: SocketAddr) {
        self.addr = from;
    }

    fn lengths(&mut self) -> (&mut usize, &mut usize) {
        (&mut self.len, &mut self.stride)
    }
}
