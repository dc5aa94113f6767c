//! Answering STUN on the endpoint's own sockets, and asking: what measuring is made of.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use futures::{StreamExt, stream::FuturesUnordered};
use wayside_path::traversal::guard::Surroundings;
use wayside_stun::{
    Answer, Ask, Attestation, Failure, Limits, Mode, Outside, Patience, Request, Responder, Secret, Socket,
    Token,
};

use super::Endpoint;
use crate::{
    Network, Remote,
    socket::{
        lone::Lone,
        route::canonical,
        stun::{Serving, own},
    },
};

/// Addresses of one server that are asked: a friend has one of each family, and perhaps a second network.
pub(super) const MOST_ADDRESSES: usize = 4;
/// How long an attestation is asked about.
const ATTEST_PATIENCE: Duration = Duration::from_secs(2);
/// The first wait for an answer. RFC 8489 has 500 ms, for servers beyond all oceans; who asks friends repeats sooner.
const RTO: Duration = Duration::from_millis(250);
/// Requests in all.
const SENDS: u32 = 3;
/// The wait after the last of them, in `RTO`.
const LAST: u32 = 4;

/// To whom and how STUN is answered.
pub struct StunPolicy {
    /// Friends, who have a token, or anyone.
    pub whom: Mode,
    /// What tokens and attestations are made with. Another secret takes back all that were made with the one before.
    pub secret: Secret,
    /// How much is answered.
    pub limits: Limits,
    /// Where the endpoint's own port can be reached from outside, where it is known: by default, at the port it has here and the address that
    /// was asked.
    pub first: Outside,
    /// The same of the second port.
    pub second: Outside,
}

impl StunPolicy {
    /// With the usual limits.
    pub fn new(whom: Mode, secret: Secret) -> Self {
        let (first, second) = (Outside::default(), Outside::default());
        Self { whom, secret, limits: Limits::default(), first, second }
    }

    /// The token for a friend, by any bytes that name it and nobody else. It counts for one to two weeks.
    pub fn token(&self, friend: &[u8]) -> [u8; 8] {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.secret.token(now, friend).0
    }
}

impl fmt::Debug for StunPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StunPolicy").field("whom", &self.whom).finish_non_exhaustive()
    }
}

/// Whom to ask how we are seen.
#[derive(Clone, PartialEq, Eq)]
pub struct StunServer {
    /// Where it can be reached over UDP; at most four are asked.
    pub addresses: Vec<SocketAddr>,
    /// What a friend's responder wants to see. Without it only a server for anyone answers.
    pub token: Option<[u8; 8]>,
}

impl fmt::Debug for StunServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StunServer").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// What an endpoint keeps for STUN.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Our second ports.
    seconds: Mutex<Vec<Lone>>,
    /// One measurement at a time, so that two together ask no more than one.
    pub(super) measuring: tokio::sync::Mutex<()>,
    pub(super) waiting_out: tokio::sync::Mutex<()>,
}

impl Endpoint {
    /// Answers STUN Binding requests (RFC 8489) on the endpoint's UDP sockets from now on, as the policy says; with `None`, or at first, none, and whoever asks hears
    /// nothing.
    ///
    /// For each family a second UDP port is opened, at which STUN alone is answered: friends tell by it what their NAT does (RFC 5780). Returns what
    /// these are bound to. They stay the same until `None` closes them. Where one cannot be had the log says so.
    ///
    /// Must be called within a Tokio runtime.
    pub fn respond_stun(&self, policy: Option<StunPolicy>) -> Vec<SocketAddr> {
        let mut seconds = self.stun.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(StunPolicy { whom, secret, limits, mut first, mut second }) = policy else {
            self.shared.stun.serve(None);
            seconds.clear();
            return Vec::new();
        };
        let primary = [false, true].map(|v6| self.addresses.iter().position(|it| it.is_ipv6() == v6));
        let mut ports = [None, None];
        for (number, ports) in primary.into_iter().zip(&mut ports) {
            let Some((number, local)) = number.and_then(|at| Some((at, *self.addresses.get(at)?))) else {
                continue;
            };
            let Some(lone) = second_port(self, &mut seconds, local) else { continue };
            *ports = Some((own(number), lone.name()));
            let (first, second, any) = if local.is_ipv6() {
                (&mut first.v6, &mut second.v6, IpAddr::V6(Ipv6Addr::UNSPECIFIED))
            } else {
                (&mut first.v4, &mut second.v4, IpAddr::V4(Ipv4Addr::UNSPECIFIED))
            };
            first.get_or_insert(SocketAddr::new(any, local.port()));
            second.get_or_insert(SocketAddr::new(any, lone.address().port()));
        }
        let mut responder = Responder::new(whom, secret, limits);
        responder.set_ports(first, (!seconds.is_empty()).then_some(second));
        self.shared.stun.serve(Some(Serving::new(responder, ports)));
        seconds.iter().map(Lone::address).collect()
    }

    /// Whether a server says of an attestation that it made it itself for this IP address, within the last hour or two. Takes two seconds at most; `false` where it
    /// does not answer.
    pub async fn attests(&self, server: &StunServer, ip: IpAddr, mac: [u8; 8]) -> bool {
        let Some(token) = server.token else { return false };
        let request = Request::with_token(Token(token)).check(ip, Attestation(mac));
        let asks: FuturesUnordered<_> = self
            .askable(server)
            .into_iter()
            .filter_map(|address| {
                Some((address, self.linker().sockets_for(Remote::Udp(address)).first().copied()??))
            })
            .map(|(address, socket)| self.ask(own(socket), address, request.clone(), ATTEST_PATIENCE))
            .collect();
        asks.any(|answer| async move { answer.is_ok_and(|answer| answer.attested) }).await
    }

    /// One transaction, answered where it is asked.
    pub(super) async fn ask(
        &self,
        via: Socket,
        server: SocketAddr,
        request: Request,
        at_most: Duration,
    ) -> Result<Answer, Failure> {
        self.shared.stun.ask(Ask { patience: patience(at_most), ..Ask::new(via, server, request) }).await
    }

    /// The addresses of a server that it does no harm to ask.
    pub(super) fn askable(&self, server: &StunServer) -> Vec<SocketAddr> {
        let around = self.surroundings();
        let addresses = server.addresses.iter().take(MOST_ADDRESSES).map(|address| canonical(*address));
        addresses.filter(|address| around.place(*address).is_ok()).collect()
    }

    /// What of this machine can be seen from here: not its gateways, which whoever knows them leaves out.
    pub(super) fn surroundings(&self) -> Surroundings {
        let mut interfaces = Vec::new();
        if matches!(self.config.network, Network::System) {
            for interface in if_addrs::get_if_addrs().unwrap_or_default() {
                interfaces.push(match interface.addr {
                    if_addrs::IfAddr::V4(it) => (it.ip.into(), it.prefixlen),
                    if_addrs::IfAddr::V6(it) => (it.ip.into(), it.prefixlen),
                });
            }
        }
        let bound = self.addresses.iter().filter(|address| !address.ip().is_unspecified());
        interfaces.extend(bound.map(|address| (address.ip(), if address.is_ipv6() { 128 } else { 32 })));
        let mut ourselves = self.addresses.clone();
        for local in self.addresses.iter().filter(|address| address.ip().is_unspecified()) {
            ourselves.extend(interfaces.iter().map(|(ip, _)| SocketAddr::new(*ip, local.port())));
        }
        Surroundings { interfaces, gateways: Vec::new(), ourselves }
    }

    /// Another socket beside one of ours, on any port.
    pub(super) fn lone_beside(&self, local: SocketAddr) -> Option<Lone> {
        Lone::bind(&self.config.network, SocketAddr::new(local.ip(), 0), &self.shared)
            .inspect_err(|error| tracing::debug!(%error, "no socket to measure from"))
            .ok()
    }
}

/// Requests after 0, 0.25 and 0.75 s, and the end 1 s later, or earlier.
pub(super) fn patience(at_most: Duration) -> Patience {
    Patience { rto: RTO, sends: SENDS, last: LAST, at_most: Some(at_most) }
}

/// The second port of one family, opened where it is not yet.
fn second_port<'a>(endpoint: &Endpoint, seconds: &'a mut Vec<Lone>, local: SocketAddr) -> Option<&'a Lone> {
    let known = seconds.iter().position(|it| it.address().is_ipv6() == local.is_ipv6());
    let at = match known {
        Some(at) => at,
        None => {
            let address = SocketAddr::new(local.ip(), 0);
            let lone = Lone::bind(&endpoint.config.network, address, &Arc::clone(&endpoint.shared))
                .inspect_err(|error| tracing::warn!(%error, "no second port for STUN"))
                .ok()?;
            seconds.push(lone);
            seconds.len() - 1
        }
    };
    seconds.get(at)
}

#[cfg(test)]
#[path = "stun_tests.rs"]
mod tests;
