//! Asking by STUN how this machine is seen: of friends who let us, of whom an inviter named, and of the servers that the user listed. Nobody else.
//!
//! It is asked when there is news of whom to ask or of our own addresses, and when somebody is about to be met after more than a minute, so that
//! the last port of a NAT that counts is fresh; never more often than every few seconds, and never without a reason.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use wayside_noise::{Endpoint, Measured, StunServer};
use wayside_path::Mapping;

use super::sightings::Witness;
use super::{Reach, Tried};
use crate::home;

/// Between the end of one round of questions and the beginning of the next.
const PAUSE: Duration = Duration::from_secs(2);
/// A round that is younger need not be repeated before somebody is met.
pub(super) const FRESH: Duration = Duration::from_secs(60);
/// How long a name may take to be resolved.
const RESOLVE: Duration = Duration::from_secs(2);
/// How long a network has been the same before it is measured how long its mappings live: that takes ten minutes, and who moves about has better to do.
const SETTLED: Duration = Duration::from_secs(120);

/// Asks for as long as the node runs.
pub(crate) async fn keep(reach: Reach, endpoint: Arc<Endpoint>, listed: Vec<home::StunServer>) {
    let mut moved = reach.moved();
    let mut background = JoinSet::new();
    loop {
        reach.poked().await;
        if moved.has_changed().unwrap_or(false) {
            moved.borrow_and_update();
            // What was measured was another network's.
            background.shutdown().await;
            endpoint.set_mapping_lifetime(None);
        }
        let (servers, unresolved) = reach.servers(&listed).await;
        if servers.is_empty() {
            reach.learn(&servers, &Measured::default(), unresolved);
            reach.round_is_over(false);
            continue;
        }
        let asked: Vec<StunServer> = servers.iter().map(|(_, server)| server.clone()).collect();
        let measured = endpoint.measure(&asked, reach.is_to_be_thorough()).await;
        tracing::debug!(seen = ?measured.seen, nat = ?measured.nat, "measured how this machine is seen");
        reach.learn(&servers, &measured, unresolved);
        reach.round_is_over(true);
        let translated = !matches!(measured.nat.mapping, Mapping::Unknown | Mapping::None);
        let friend = asked.into_iter().find(|server| server.token.is_some());
        if let Some(friend) = friend.filter(|_| translated && background.is_empty()) {
            background.spawn(learn_lifetime(reach.clone(), Arc::clone(&endpoint), friend));
        }
        sleep(PAUSE).await;
    }
}

/// Once in a network.
async fn learn_lifetime(reach: Reach, endpoint: Arc<Endpoint>, friend: StunServer) {
    sleep(SETTLED).await;
    if let Some(lifetime) = endpoint.measure_lifetime(&friend).await {
        tracing::debug!(?lifetime, "a mapping lives so long without traffic");
        endpoint.set_mapping_lifetime(Some(lifetime));
        reach.mappings_live(lifetime);
    }
    // In this network it is not tried again, whatever came of it.
    std::future::pending().await
}

impl Reach {
    /// Whom to ask now, each with who it is; and those of the listed whose names lead nowhere.
    async fn servers(&self, listed: &[home::StunServer]) -> (Vec<(Witness, StunServer)>, Vec<String>) {
        let (mut servers, mut unresolved) = (self.responders_to_ask(), Vec::new());
        for server in listed {
            let addresses = resolve(server).await;
            match addresses.first() {
                Some(first) => {
                    servers.push((Witness::Server(first.ip()), StunServer { addresses, token: None }));
                }
                None => unresolved.push(server.to_string()),
            }
        }
        (servers, unresolved)
    }

    /// Takes in what came of asking them.
    fn learn(&self, servers: &[(Witness, StunServer)], measured: &Measured, unresolved: Vec<String>) {
        let who = |address: &SocketAddr| {
            let asked = servers.iter().find(|(_, server)| server.addresses.contains(address));
            asked.map_or(Witness::Server(address.ip()), |(who, _)| *who)
        };
        let seen = measured.seen.iter().map(|(_, server, seen)| (who(server), *server, *seen)).collect();
        let tried = Tried {
            asked: measured.asked.iter().copied().collect(),
            answered: measured.seen.iter().map(|(_, server, _)| *server).collect(),
            unresolved,
            hairpin: measured.hairpin,
        };
        self.measured(seen, measured.nat, &measured.attestations, tried);
    }

    /// Has all of it measured anew and thoroughly, and waits for the result, at most so long. Whether there is one: `false` where nobody can be asked, too.
    pub(crate) async fn examine(&self, at_most: Duration) -> bool {
        if !self.has_whom_to_ask() {
            return false;
        }
        let mut rounds = self.rounds();
        self.forget_rounds();
        self.poke();
        timeout(at_most, rounds.changed()).await.is_ok()
    }

    /// Waits until what was measured is fresh, where somebody can be asked, and not longer than so long.
    pub(crate) async fn fresh(&self, at_most: Duration) {
        if self.is_fresh() || !self.has_whom_to_ask() {
            return;
        }
        let mut rounds = self.rounds();
        self.poke();
        // It goes on by itself otherwise.
        let _ = timeout(at_most, rounds.changed()).await;
    }

    /// Has it measured again, where it is not fresh and somebody can be asked.
    pub(crate) fn freshen(&self) {
        if !self.is_fresh() && self.has_whom_to_ask() {
            self.poke();
        }
    }
}

/// The addresses of a server, by the system's resolver; none where it does not know them.
async fn resolve(server: &home::StunServer) -> Vec<SocketAddr> {
    let looked_up = timeout(RESOLVE, tokio::net::lookup_host((server.host(), server.port()))).await;
    match looked_up {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            tracing::info!(%server, %error, "a STUN server's name cannot be resolved");
            Vec::new()
        }
        Err(_) => {
            tracing::info!(%server, "a STUN server's name is not resolved in time");
            Vec::new()
        }
    }
}

/// When a round began last, and how many there were.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    last: Option<Instant>,
    /// Whether one in this network was thorough.
    thorough: bool,
}

impl Rounds {
    pub(super) fn over(&mut self, now: Instant) {
        (self.last, self.thorough) = (Some(now), true);
    }

    /// Another network, or somebody new to ask: all of it is to be measured again.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        self.last.is_some_and(|last| now.saturating_duration_since(last) < FRESH)
    }

    /// Whether the next one is: the first, and each where the port that peers will meet depends on what was given last.
    pub(super) fn is_to_be_thorough(&self, mapping: Mapping) -> bool {
        !self.thorough || !mapping.is_predictable()
    }
}
