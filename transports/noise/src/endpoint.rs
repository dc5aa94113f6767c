//! The sockets of one device: linking, expecting, closing.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use noq::{Runtime, TokioRuntime, TransportConfig, VarInt};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    Attempt, EndpointConfig, Expectation, Link, LinkError, SessionId, StaticKey,
    adapter::{AdmittedServer, NoiseClient, canonical, first_id},
    config,
    core::gate_keys::GateKeys,
    error::MAX_REASON,
    gate::Gate,
    link,
    socket::GatedSocket,
};

/// One device's UDP sockets, on which it links with peers as client and as server.
///
/// Dropping it ends what is being accepted, and links live on; [`close`](Self::close) takes leave of peers.
pub struct Endpoint {
    sockets: Vec<noq::Endpoint>,
    addresses: Vec<SocketAddr>,
    gate: Arc<Gate>,
    config: EndpointConfig,
    transport: Arc<TransportConfig>,
    accepted: tokio::sync::Mutex<mpsc::Receiver<Link>>,
    /// Accepts on each socket; aborted on drop.
    acceptors: Mutex<JoinSet<()>>,
}

/// Links that are ready and that nobody has called `accept` for. Beyond it, handshakes wait, and then time out.
const ACCEPT_QUEUE: usize = 64;
/// Handshakes, and links that wait in front of a full queue, on one socket; beyond it, first datagrams are ignored.
const MAX_HANDSHAKES: usize = 512;
/// Candidates tried at once, since a peer may have named them. A record carries six.
const MAX_CANDIDATES: usize = 32;
/// Between the failure of a try and the next one, so that a candidate that fails at once is not tried in a tight loop.
const PAUSE: Duration = Duration::from_millis(250);
/// How long closing waits for peers to learn of it.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

impl Endpoint {
    /// Binds one UDP socket to each address; port 0 takes a free one. An IPv6 socket carries IPv6 only.
    ///
    /// Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`LinkError::NoAddress`] for an empty list, [`LinkError::Bind`] for the first address that cannot be had.
    pub async fn bind(
        addresses: &[SocketAddr],
        key: StaticKey,
        config: EndpointConfig,
    ) -> Result<Self, LinkError> {
        if addresses.is_empty() {
            return Err(LinkError::NoAddress);
        }
        let gate = Gate::new(key, config.ciphers, config.handshake_timeout);
        let transport = Arc::new(config.transport());
        let (ready, accepted) = mpsc::channel(ACCEPT_QUEUE);
        let mut acceptors = JoinSet::new();
        let (mut sockets, mut bound) = (Vec::new(), Vec::new());
        for &address in addresses {
            let failed = |source| LinkError::Bind { address, source };
            let socket = GatedSocket::bind(address, Arc::clone(&gate)).map_err(failed)?;
            let server = config::server(Arc::clone(&gate), Arc::clone(&transport));
            let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime);
            let ids = config::endpoint(gate.own_ids());
            let endpoint =
                noq::Endpoint::new_with_abstract_socket(ids, Some(server), Box::new(socket), runtime)
                    .map_err(failed)?;
            bound.push(endpoint.local_addr().map_err(failed)?);
            acceptors.spawn(accept_on(Acceptor {
                socket: endpoint.clone(),
                gate: Arc::clone(&gate),
                transport: Arc::clone(&transport),
                timeout: config.handshake_timeout,
                ready: ready.clone(),
            }));
            sockets.push(endpoint);
        }
        Ok(Self {
            sockets,
            addresses: bound,
            gate,
            config,
            transport,
            accepted: tokio::sync::Mutex::new(accepted),
            acceptors: Mutex::new(acceptors),
        })
    }

    /// What the sockets are bound to, in the order given to [`bind`](Self::bind), ports filled in.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.addresses.clone()
    }

    /// As server: admits whom the expectation names through this gate until [`forget`](Self::forget). The same session replaces its
    /// former expectation. At most 1,024 are kept; one more is dropped, with a warning in the log.
    pub fn expect(&self, expectation: Expectation) {
        self.gate.open(expectation);
    }

    /// Shuts the session's gate: first packets for it are dropped again. Links that exist live on; a handshake under
    /// way comes to nothing.
    pub fn forget(&self, session: SessionId) {
        self.gate.shut(session);
    }

    /// As client: tries all candidates at once, again and again until `timeout`, since the peer may open its gate
    /// late. The first that completes wins, and the others are given up. Candidates beyond the 32nd are left out.
    ///
    /// Cancelling it, by dropping the future, gives all tries up.
    ///
    /// # Errors
    /// [`LinkError::Timeout`], [`LinkError::NoCandidate`], [`LinkError::NobodyToDial`], or [`LinkError::EndpointClosed`].
    pub async fn connect(
        &self,
        e: Expectation,
        candidates: &[SocketAddr],
        timeout: Duration,
    ) -> Result<Link, LinkError> {
        if !e.whom.can_be_dialled() {
            return Err(LinkError::NobodyToDial);
        }
        let dial = Dial {
            keys: Arc::new(GateKeys::new(&e.gate)),
            expectation: Arc::new(e),
            local: self.gate.local().clone(),
            config: &self.config,
            transport: Arc::clone(&self.transport),
        };
        let attempts: Arc<Mutex<Vec<Attempt>>> = Arc::default();
        let note = |candidate, failure: String| {
            let mut attempts = attempts.lock().unwrap_or_else(PoisonError::into_inner);
            attempts.retain(|attempt| attempt.candidate != candidate);
            attempts.push(Attempt { candidate, failure });
        };
        let mut tries: FuturesUnordered<_> = candidates
            .iter()
            .take(MAX_CANDIDATES)
            .map(|candidate| canonical(*candidate))
            .flat_map(|candidate| self.sockets_for(candidate).map(move |socket| (socket, candidate)))
            .map(|(socket, candidate)| dial.keep_trying(socket, candidate, &note))
            .collect();
        let won = tokio::time::timeout(timeout, async {
            while let Some(connection) = tries.next().await {
                if let Some(connection) = connection {
                    return Some(connection);
                }
            }
            None
        })
        .await;
        drop(tries);
        let attempts = || std::mem::take(&mut *attempts.lock().unwrap_or_else(PoisonError::into_inner));
        match won {
            Ok(Some(connection)) => {
                link::choose(&connection).await?;
                Ok(Link::new(connection, &dial.expectation, true))
            }
            Ok(None) if self.gate.is_closed() => Err(LinkError::EndpointClosed),
            Ok(None) => Err(LinkError::NoCandidate { attempts: attempts() }),
            Err(_) => Err(LinkError::Timeout { attempts: attempts() }),
        }
    }

    /// The next link whose handshake has fully verified and which its client has chosen among its tries; `None` once
    /// the endpoint is closed. Cancelling loses no link.
    pub async fn accept(&self) -> Option<Link> {
        self.accepted.lock().await.recv().await
    }

    /// Closes all links, tells the peers why (at most 256 bytes of it), and waits until they had a chance to hear it,
    /// three seconds at most.
    pub async fn close(&self, reason: &str) {
        self.gate.close();
        let reason = reason.as_bytes();
        let reason = reason.get(..MAX_REASON).unwrap_or(reason);
        for socket in &self.sockets {
            socket.close(VarInt::from_u32(0), reason);
        }
        let drained = join_all(self.sockets.iter().map(noq::Endpoint::wait_idle));
        if timeout(DRAIN_TIMEOUT, drained).await.is_err() {
            tracing::debug!("some links were still draining when the endpoint closed");
        }
        self.acceptors.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }

    /// Sockets that can reach a candidate: of its family, and on loopback only what is on loopback.
    fn sockets_for(&self, candidate: SocketAddr) -> impl Iterator<Item = &noq::Endpoint> {
        self.sockets.iter().zip(&self.addresses).filter_map(move |(socket, local)| {
            let reaches = local.is_ipv6() == candidate.is_ipv6()
                && (!local.ip().is_loopback() || candidate.ip().is_loopback());
            reaches.then_some(socket)
        })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.gate.close();
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// One client's tries towards one peer.
struct Dial<'a> {
    expectation: Arc<Expectation>,
    keys: Arc<GateKeys>,
    local: StaticKey,
    config: &'a EndpointConfig,
    transport: Arc<TransportConfig>,
}

impl Dial<'_> {
    /// Tries one candidate until it answers; `None` if it never can.
    async fn keep_trying(
        &self,
        socket: &noq::Endpoint,
        candidate: SocketAddr,
        note: &impl Fn(SocketAddr, String),
    ) -> Option<noq::Connection> {
        let mut patience = self.config.first_try.min(self.config.handshake_timeout);
        loop {
            let connecting = match socket.connect_with(self.client(), candidate, "peer") {
                Ok(connecting) => connecting,
                Err(error) => {
                    note(candidate, error.to_string());
                    return None;
                }
            };
            match timeout(patience, connecting).await {
                Ok(Ok(connection)) => return Some(connection),
                Ok(Err(error)) => {
                    note(candidate, error.to_string());
                    sleep(PAUSE).await;
                }
                Err(_) => note(candidate, "no answer".to_owned()),
            }
            patience = patience.saturating_add(patience / 2).min(self.config.handshake_timeout);
        }
    }

    fn client(&self) -> noq::ClientConfig {
        let crypto = NoiseClient {
            local: self.local.clone(),
            expectation: Arc::clone(&self.expectation),
            keys: Arc::clone(&self.keys),
            ciphers: self.config.ciphers,
        };
        let keys = Arc::clone(&self.keys);
        config::client(Arc::new(crypto), Arc::new(move || first_id(&keys)), Arc::clone(&self.transport))
    }
}

/// What accepting on one socket needs.
struct Acceptor {
    socket: noq::Endpoint,
    gate: Arc<Gate>,
    transport: Arc<TransportConfig>,
    timeout: Duration,
    ready: mpsc::Sender<Link>,
}

async fn accept_on(acceptor: Acceptor) {
    // Dropped, and with it every handshake, when the endpoint closes.
    let mut handshakes = JoinSet::new();
    while let Some(incoming) = acceptor.socket.accept().await {
        while handshakes.try_join_next().is_some() {}
        // What the gate no longer knows is ignored, without a word.
        match acceptor.gate.take(&incoming.orig_dst_cid()) {
            Some((admitted, passage)) if handshakes.len() < MAX_HANDSHAKES => {
                let expectation = Arc::clone(&admitted.expectation);
                let server = config::with_crypto(
                    Arc::new(AdmittedServer::new(admitted)),
                    Arc::clone(&acceptor.transport),
                );
                let Ok(connecting) = incoming.accept_with(Arc::new(server)) else { continue };
                let finish = finish(connecting, expectation, Arc::clone(&acceptor.gate));
                let (limit, ready) = (acceptor.timeout, acceptor.ready.clone());
                handshakes.spawn(async move {
                    // Its place is taken until somebody accepts the link, which bounds how many a peer can pile up.
                    let _passage = passage;
                    if let Ok(Some(link)) = timeout(limit, finish).await {
                        let _ = ready.send(link).await;
                    }
                });
            }
            _ => incoming.ignore(),
        }
    }
}

/// Sees a server's handshake through to the client's choice.
async fn finish(connecting: noq::Connecting, expectation: Arc<Expectation>, gate: Arc<Gate>) -> Option<Link> {
    let connection = connecting.await.ok()?;
    link::chosen(&connection).await?;
    gate.is_open(expectation.session).then(|| Link::new(connection, &expectation, false))
}
