//! What links one device with its peers: dialling, expecting, closing.

mod accept;
mod dial;
#[cfg(test)]
mod faults;
mod glare;
mod linker;
mod measure;
mod meet;
mod relay;
mod renew;
mod stun;
mod transports;

pub use self::{
    measure::Measured,
    meet::{Meet, Meeting},
    relay::Relay,
    renew::Renewal,
    stun::{StunPolicy, StunServer},
};

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use noq::{Runtime, TokioRuntime, VarInt};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use wayside_path::Kind;

use self::{accept::Acceptor, glare::Crossings, linker::Linker, transports::Transports};
use crate::{
    EndpointConfig, Expectation, Link, LinkError, Remote, SessionId, StaticKey, Tunnel, config,
    error::MAX_REASON,
    gate::Gate,
    network::Changes,
    socket::{Hint, Network, Shared, VirtualSocket, tcp},
};

/// One device's sockets, on which it links with peers as client and as server.
///
/// Dropping it ends what is being accepted, and links live on; [`close`](Self::close) takes leave of peers.
pub struct Endpoint {
    quic: noq::Endpoint,
    addresses: Vec<SocketAddr>,
    gate: Arc<Gate>,
    shared: Arc<Shared>,
    config: EndpointConfig,
    transports: Arc<Transports>,
    crossings: Arc<Crossings>,
    accepted: tokio::sync::Mutex<mpsc::Receiver<Link>>,
    /// Accepts links and TCP connections; aborted on drop.
    acceptors: Mutex<JoinSet<()>>,
    stun: stun::State,
}

/// Links that are ready and that nobody has called `accept` for. Beyond it, handshakes wait, and then time out.
const ACCEPT_QUEUE: usize = 64;
/// Candidates tried at once, since a peer may have named them. A record carries six.
const MAX_CANDIDATES: usize = 32;
/// Between two times that QUIC is told to try at once.
const REVIVAL_PAUSE: Duration = Duration::from_secs(1);
/// How long closing waits for peers to learn of it.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

impl Endpoint {
    /// Binds one UDP socket to each address; port 0 takes a free one. An IPv6 socket carries IPv6 only. Without any address nothing goes over UDP: links are
    /// carried by TCP connections and tunnels alone.
    ///
    /// Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`LinkError::Bind`] for the first address that cannot be had.
    pub async fn bind(
        addresses: &[SocketAddr],
        key: StaticKey,
        config: EndpointConfig,
    ) -> Result<Self, LinkError> {
        let gate = Gate::new(key, config.ciphers, config.handshake_timeout);
        let transports = Transports::new(config.clone());
        let failed = |(address, source)| LinkError::Bind { address, source };
        let socket = VirtualSocket::bind(addresses, &config, Arc::clone(&gate)).map_err(failed)?;
        let (shared, addresses) = (socket.shared(), socket.bound());
        let server = config::server(Arc::clone(&gate), transports.with_mtu(config.max_udp_payload));
        let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime);
        let ids = config::endpoint(gate.own_ids());
        let quic = noq::Endpoint::new_with_abstract_socket(ids, Some(server), Box::new(socket), runtime)
            .map_err(|source| LinkError::Bind { address: ([0, 0, 0, 0], 0).into(), source })?;
        let (ready, accepted) = mpsc::channel(ACCEPT_QUEUE);
        let crossings = Arc::<Crossings>::default();
        let mut acceptors = JoinSet::new();
        let acceptor = Acceptor {
            quic: quic.clone(),
            gate: Arc::clone(&gate),
            shared: Arc::clone(&shared),
            transports: Arc::clone(&transports),
            crossings: Arc::clone(&crossings),
            timeout: config.handshake_timeout,
            ready,
        };
        acceptors.spawn(acceptor.run());
        acceptors.spawn(hurry_revived(quic.clone(), Arc::clone(&shared)));
        let abroad = addresses.iter().any(|address| !address.ip().is_loopback());
        if abroad && matches!(config.network, Network::System) {
            acceptors.spawn(watch_network(quic.clone(), Arc::clone(&shared)));
        }
        Ok(Self {
            quic,
            addresses,
            gate,
            shared,
            config,
            transports,
            crossings,
            accepted: tokio::sync::Mutex::new(accepted),
            acceptors: Mutex::new(acceptors),
            stun: stun::State::default(),
        })
    }

    /// What the UDP sockets are bound to, in the order given to [`bind`](Self::bind), ports filled in.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.addresses.clone()
    }

    /// Takes TCP connections as well from now on, for peers whose network blocks UDP; returns what is bound, the port filled in. A connection gets no byte
    /// before something that came over it has passed the gate.
    ///
    /// # Errors
    /// [`LinkError::Bind`].
    pub async fn listen_tcp(&self, address: SocketAddr) -> Result<SocketAddr, LinkError> {
        let failed = |source| LinkError::Bind { address, source };
        let listener = tcp::bind(address).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let listening = tcp::listen(listener, Arc::clone(&self.shared));
        self.acceptors.lock().unwrap_or_else(PoisonError::into_inner).spawn(listening);
        Ok(bound)
    }

    /// Has datagrams carried by other means than sockets: whoever has the tunnel takes them, and hands in what arrives.
    /// [`Remote::Tunnel`] dials through it; what comes through it may also be accepted.
    pub fn relayed_tunnel(&self) -> Tunnel {
        self.shared.tunnel(Kind::Relayed, None)
    }

    /// Says that the machine's own addresses or routes have changed: every link checks its paths at once, and opens new ones where those are dead.
    ///
    /// On Linux an endpoint hears of such changes by itself, elsewhere it looks at the addresses every two seconds; this is for who knows earlier.
    pub fn network_changed(&self) {
        network_changed(&self.quic, &self.shared);
    }

    /// Says how long the NATs in front of this machine keep a mapping without traffic, as was measured; `None` where nothing is known any more, after a move
    /// to another network.
    ///
    /// Links, those that exist too, are then kept alive within two thirds of it: not more often than every 5 s, nor more seldom than once in a
    /// minute. Where nothing is known, at [`EndpointConfig::keep_alive`]. An endpoint that keeps none alive goes on so.
    pub fn set_mapping_lifetime(&self, lifetime: Option<Duration>) {
        self.shared.learn_lifetime(|known| known.lifetime(lifetime));
    }

    /// Says that a mapping had expired after so long without a packet: a peer saw another address of ours after it than before. Makes keep-alives more
    /// frequent where they need be, and never less so. Forgotten with [`set_mapping_lifetime`](Self::set_mapping_lifetime) of `None`.
    pub fn mapping_expired_within(&self, idle: Duration) {
        self.shared.learn_lifetime(|known| known.expired_within(idle));
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
    pub async fn connect<R: Into<Remote>>(
        &self,
        e: Expectation,
        candidates: impl IntoIterator<Item = R>,
        timeout: Duration,
    ) -> Result<Link, LinkError> {
        let candidates: Vec<Remote> = candidates.into_iter().take(MAX_CANDIDATES).map(Into::into).collect();
        self.linker().link(e, &candidates, timeout).await
    }

    fn linker(&self) -> Linker {
        Linker {
            quic: self.quic.clone(),
            addresses: self.addresses.clone(),
            gate: Arc::clone(&self.gate),
            shared: Arc::clone(&self.shared),
            config: self.config.clone(),
            transports: Arc::clone(&self.transports),
            crossings: Arc::clone(&self.crossings),
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
        self.respond_stun(None);
        self.shared.closing();
        let reason = reason.as_bytes();
        self.quic.close(VarInt::from_u32(0), reason.get(..MAX_REASON).unwrap_or(reason));
        if timeout(DRAIN_TIMEOUT, self.quic.wait_idle()).await.is_err() {
            tracing::debug!("some links were still draining when the endpoint closed");
        }
        self.acceptors.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

fn network_changed(quic: &noq::Endpoint, shared: &Shared) {
    quic.handle_network_change(Some(Arc::new(KeepAll)));
    shared.hint(Hint::NetworkChanged);
}

/// Has QUIC try at once what it has backed off from, where a link is back. Runs until the endpoint closes.
async fn hurry_revived(quic: noq::Endpoint, shared: Arc<Shared>) {
    loop {
        shared.revival().await;
        quic.handle_network_change(Some(Arc::new(KeepAll)));
        // It concerns all links, which mostly come back together.
        tokio::time::sleep(REVIVAL_PAUSE).await;
    }
}

/// Runs until the endpoint closes.
async fn watch_network(quic: noq::Endpoint, shared: Arc<Shared>) {
    let watching = async {
        let mut changes = Changes::new()?;
        loop {
            changes.next().await?;
            tracing::debug!("this machine's network has changed");
            network_changed(&quic, &shared);
        }
    };
    let ended: Result<(), std::io::Error> = watching.await;
    if let Err(error) = ended {
        tracing::warn!(%error, "changes of this machine's network go unnoticed");
    }
}

/// Has the QUIC stack go on with every path, from whatever address we have now. By itself it would put another in its place that the link's keeper
/// knows nothing of; which of them are dead the keeper finds out.
#[derive(Debug)]
struct KeepAll;

impl noq::NetworkChangeHint for KeepAll {
    fn is_path_recoverable(&self, _: noq::PathId, _: noq::FourTuple) -> bool {
        true
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.gate.close();
        self.respond_stun(None);
        self.shared.closing();
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}
