//! As client: from whatever ways lead to a peer to one link, also where the peer dials at the same time.

use std::{
    future::{Future, pending},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use noq::VarInt;
use tokio::time::sleep;

use super::{
    accept::is_arbiter,
    dial::{Answered, Dial, When},
    glare::{Crossings, Dialling},
    transports::Transports,
};
use crate::{
    EndpointConfig, Expectation, Kind, Link, LinkError, Remote,
    core::gate_keys::GateKeys,
    gate::Gate,
    link::{self, Verdict},
    socket::{Shared, route::TunnelId},
};

/// After the peer said that another link survives, and none did.
const REFUSED_PAUSE: Duration = Duration::from_millis(300);

/// Where a peer may be dialled.
pub(super) trait Ways: Sync {
    /// What is dialled from the beginning.
    fn first(&self) -> Vec<Remote>;

    /// What turns out to lead there, as so manieth: over which of our sockets, and to which address. `None` where no other will.
    fn found(&self, place: usize) -> impl Future<Output = Option<(usize, SocketAddr)>> + Send;

    /// What may lead there, as so manieth, and is tried once. `None` where no other will.
    fn early(&self, place: usize) -> impl Future<Output = Option<(usize, SocketAddr)>> + Send;

    /// Through what the peer has come to us, as so manieth. `None` where it will not any more.
    fn came(&self, place: usize) -> impl Future<Output = Option<TunnelId>> + Send;

    /// Another way that somebody says leads there, as so manieth. `None` where nobody will.
    fn added(&self, place: usize) -> impl Future<Output = Option<Remote>> + Send;

    /// Where a link that has come up may look for further paths by itself.
    fn further(&self, kind: Kind) -> Vec<Remote>;
}

impl Ways for Vec<Remote> {
    fn first(&self) -> Vec<Remote> {
        self.clone()
    }

    async fn found(&self, _: usize) -> Option<(usize, SocketAddr)> {
        None
    }

    async fn early(&self, _: usize) -> Option<(usize, SocketAddr)> {
        None
    }

    async fn came(&self, _: usize) -> Option<TunnelId> {
        None
    }

    async fn added(&self, _: usize) -> Option<Remote> {
        None
    }

    fn further(&self, _: Kind) -> Vec<Remote> {
        self.clone()
    }
}

/// What dialling needs of an endpoint.
#[derive(Clone)]
pub(super) struct Linker {
    pub(super) quic: noq::Endpoint,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) gate: Arc<Gate>,
    pub(super) shared: Arc<Shared>,
    pub(super) config: EndpointConfig,
    pub(super) transports: Arc<Transports>,
    pub(super) crossings: Arc<Crossings>,
}

impl Linker {
    /// Tries all ways again and again until one leads to a link.
    pub(super) async fn link(
        &self,
        e: Expectation,
        ways: &impl Ways,
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
            transports: Arc::clone(&self.transports),
            quic: &self.quic,
            shared: Arc::clone(&self.shared),
            attempts: Mutex::default(),
        };
        // The peer may dial as well where both hold the same standing secret.
        let arbiter = is_arbiter(&self.gate, &dial.expectation);
        let session = dial.expectation.session;
        let crossing = self.gate.is_open(session).then(|| self.crossings.begin(session, arbiter));
        let linked = async {
            let Some(crossing) = &crossing else {
                return self.dial(&dial, ways, None).await?.ok_or(LinkError::EndpointClosed);
            };
            loop {
                if let Some(link) = crossing.fresh() {
                    return Ok(link);
                }
                tokio::select! {
                    // Where the other one survives it comes in, or has come in, by itself; after a while it is dead, and dialled anew.
                    linked = self.dial(&dial, ways, Some((crossing, arbiter))) => match linked? {
                        Some(link) => return Ok(link),
                        None => sleep(REFUSED_PAUSE).await,
                    },
                    Some(link) = crossing.yielded() => return Ok(link),
                }
            }
        };
        match tokio::time::timeout(timeout, linked).await {
            Ok(linked) => linked,
            Err(_) => Err(LinkError::Timeout { attempts: dial.failures() }),
        }
    }

    /// One connection that a peer's server kept; `None` where it says that another one survives.
    async fn dial(
        &self,
        dial: &Dial<'_>,
        ways: &impl Ways,
        crossing: Option<(&Dialling<'_>, bool)>,
    ) -> Result<Option<Link>, LinkError> {
        let Answered { connection, _dialled } = self.answered(dial, ways, crossing.is_some()).await?;
        if let Some((crossing, true)) = crossing
            && let Err(link) = crossing.settle()
        {
            connection.close(VarInt::from_u32(0), b"another link survives");
            return Ok(link);
        }
        // An arbiter has the last word itself, and where nobody dials from there nobody else has one.
        let ask = matches!(crossing, Some((_, false)));
        link::choose(&connection, ask).await?;
        let (session, shared) = (dial.expectation.session, Arc::clone(&self.shared));
        let link = Link::new(connection, session, shared, |kind| ways.further(kind));
        if let Some((crossing, false)) = crossing {
            if link.verdict().await == Verdict::AnotherSurvives {
                return Ok(None);
            }
            // Only the arbiter's word counts, and this was it.
            let _ = crossing.settle();
        }
        Ok(Some(link))
    }

    /// The first connection whose handshake is complete.
    async fn answered(
        &self,
        dial: &Dial<'_>,
        ways: &impl Ways,
        may_cross: bool,
    ) -> Result<Answered, LinkError> {
        let mut tries: FuturesUnordered<_> = ways
            .first()
            .into_iter()
            .flat_map(|remote| self.sockets_for(remote).into_iter().map(move |socket| (socket, remote)))
            .map(|(socket, remote)| dial.keep_trying(socket, remote, When::AfterUdp))
            .collect();
        let mut place = 0;
        let mut found = Box::pin(ways.found(place));
        let mut may_find = true;
        let mut early_ones = 0;
        let mut early = Box::pin(ways.early(early_ones));
        let mut may_be_early = true;
        let mut callers = 0;
        let mut came = Box::pin(ways.came(callers));
        let mut may_come = true;
        let mut others = 0;
        let mut added = Box::pin(ways.added(others));
        let mut may_add = true;
        loop {
            tokio::select! {
                Some(tried) = tries.next() => if let Some(answered) = tried {
                    return Ok(answered);
                },
                way = &mut found, if may_find => match way {
                    Some((socket, remote)) => {
                        tries.push(dial.keep_trying(Some(socket), Remote::Udp(remote), When::Now));
                        place += 1;
                        found.set(ways.found(place));
                    }
                    None => may_find = false,
                },
                way = &mut early, if may_be_early => match way {
                    Some((socket, remote)) => {
                        tries.push(dial.keep_trying(Some(socket), Remote::Udp(remote), When::Once));
                        early_ones += 1;
                        early.set(ways.early(early_ones));
                    }
                    None => may_be_early = false,
                },
                caller = &mut came, if may_come => match caller {
                    Some(tunnel) => {
                        tries.push(dial.keep_trying(None, Remote::Tunnel(tunnel), When::AfterUdp));
                        callers += 1;
                        came.set(ways.came(callers));
                    }
                    None => may_come = false,
                },
                other = &mut added, if may_add => match other {
                    Some(remote) => {
                        let sockets = self.sockets_for(remote).into_iter();
                        tries.extend(sockets.map(|socket| dial.keep_trying(socket, remote, When::Now)));
                        others += 1;
                        added.set(ways.added(others));
                    }
                    None => may_add = false,
                },
                else => {
                    if self.gate.is_closed() {
                        return Err(LinkError::EndpointClosed);
                    } else if !may_cross {
                        return Err(LinkError::NoCandidate { attempts: dial.failures() });
                    }
                    // The peer may still get through to us.
                    pending::<()>().await;
                }
            }
        }
    }

    /// Sockets that can reach a candidate: of its family, and on loopback only what is on loopback. What is not UDP needs none.
    pub(super) fn sockets_for(&self, remote: Remote) -> Vec<Option<usize>> {
        let Remote::Udp(remote) = remote else { return vec![None] };
        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        let reaches = |local: &SocketAddr| {
            local.is_ipv6() == remote.is_ipv6() && (!local.ip().is_loopback() || remote.ip().is_loopback())
        };
        let fitting = self.addresses.iter().enumerate().filter(|(_, local)| reaches(local));
        fitting.map(|(socket, _)| Some(socket)).collect()
    }
}
