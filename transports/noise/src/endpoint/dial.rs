//! As client: all ways to a peer at once, again and again, until one answers.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{sleep, timeout};

use super::transports::Transports;
use crate::{
    Attempt, EndpointConfig, Expectation, Remote, StaticKey,
    adapter::{NoiseClient, first_id},
    config,
    core::gate_keys::GateKeys,
    socket::{
        Shared,
        route::{Route, canonical},
        tcp,
    },
};

/// Between the failure of a try and the next one, so that a candidate that fails at once is not tried in a tight loop.
const PAUSE: Duration = Duration::from_millis(250);
/// TCP, and relays, are tried so much later: where UDP gets through at all it mostly has by then, and no connection is made in vain.
pub(super) const AFTER_UDP: Duration = Duration::from_millis(250);

/// QUIC repeats its first datagram after so many times the round trip that it assumes (RFC 9002, section 6.2.2).
const ROUND_TRIPS_TO_REPEAT: u32 = 3;
/// So that a try is over before that.
const MARGIN: Duration = Duration::from_millis(20);

/// One client's tries towards one peer.
pub(super) struct Dial<'a> {
    pub(super) expectation: Arc<Expectation>,
    pub(super) keys: Arc<GateKeys>,
    pub(super) local: StaticKey,
    pub(super) config: &'a EndpointConfig,
    pub(super) transports: Arc<Transports>,
    pub(super) quic: &'a noq::Endpoint,
    pub(super) shared: Arc<Shared>,
    pub(super) attempts: Mutex<Vec<Attempt>>,
}

/// A connection whose handshake is complete.
pub(super) struct Answered {
    pub(super) connection: noq::Connection,
    /// Holds the TCP connection until the link's own paths do.
    pub(super) _dialled: Option<tcp::Dialled>,
}

impl Dial<'_> {
    /// Tries a candidate over one of our sockets until it answers; `None` if it never can.
    pub(super) async fn keep_trying(
        &self,
        socket: Option<usize>,
        remote: Remote,
        when: When,
    ) -> Option<Answered> {
        let mut patience = self.config.first_try.min(self.config.handshake_timeout);
        if when == When::Once {
            patience = patience
                .min(self.config.initial_rtt * ROUND_TRIPS_TO_REPEAT - MARGIN.min(self.config.initial_rtt));
        }
        if when == When::AfterUdp && !matches!(remote, Remote::Udp(_)) {
            sleep(AFTER_UDP).await;
        }
        loop {
            match self.address(socket, remote).await {
                Ok((address, dialled)) => {
                    let connecting = match self.quic.connect_with(self.client(address), address, "peer") {
                        Ok(connecting) => connecting,
                        Err(error) => {
                            self.note(remote, error.to_string());
                            return None;
                        }
                    };
                    match timeout(patience, connecting).await {
                        Ok(Ok(connection)) => return Some(Answered { connection, _dialled: dialled }),
                        Ok(Err(error)) => {
                            self.note(remote, error.to_string());
                            sleep(PAUSE).await;
                        }
                        Err(_) if when == When::Once => return None,
                        Err(_) => self.note(remote, "no answer".to_owned()),
                    }
                }
                Err(Unreachable::Never(why)) => {
                    self.note(remote, why);
                    return None;
                }
                Err(Unreachable::Now(why)) => {
                    self.note(remote, why);
                    sleep(patience.max(PAUSE)).await;
                }
            }
            patience = patience.saturating_add(patience / 2).min(self.config.handshake_timeout);
        }
    }

    /// What each candidate failed with last, where it failed at all.
    pub(super) fn failures(&self) -> Vec<Attempt> {
        std::mem::take(&mut *self.attempts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn address(
        &self,
        socket: Option<usize>,
        remote: Remote,
    ) -> Result<(SocketAddr, Option<tcp::Dialled>), Unreachable> {
        let routes = &self.shared.routes;
        match (remote, socket) {
            (Remote::Udp(address), Some(socket)) => {
                Ok((routes.address(Route::Udp { socket, remote: canonical(address) }), None))
            }
            (Remote::Udp(_), None) => Err(Unreachable::Never("no socket of ours reaches it".to_owned())),
            (Remote::Tcp(address), _) => match tcp::dial(&self.shared, address).await {
                Ok(dialled) => Ok((dialled.address, Some(dialled))),
                Err(error) => Err(Unreachable::Now(error.to_string())),
            },
            (Remote::Tunnel(tunnel), _) if routes.kind(Route::Tunnel(tunnel)).is_some() => {
                Ok((routes.address(Route::Tunnel(tunnel)), None))
            }
            (Remote::Tunnel(_), _) => Err(Unreachable::Never("the tunnel is gone".to_owned())),
        }
    }

    fn client(&self, address: SocketAddr) -> noq::ClientConfig {
        let crypto = NoiseClient {
            local: self.local.clone(),
            expectation: Arc::clone(&self.expectation),
            keys: Arc::clone(&self.keys),
            ciphers: self.config.ciphers,
        };
        let keys = Arc::clone(&self.keys);
        let transport = self.transports.for_address(&self.shared, address);
        config::client(Arc::new(crypto), Arc::new(move || first_id(&keys)), transport)
    }

    fn note(&self, candidate: Remote, failure: String) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.retain(|attempt| attempt.candidate != candidate);
        attempts.push(Attempt { candidate, failure });
    }
}

/// When a candidate is tried first, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Now,
    /// What is not UDP a little later.
    AfterUdp,
    /// At once, and given up before QUIC says its first word again.
    Once,
}

enum Unreachable {
    Now(String),
    Never(String),
}
