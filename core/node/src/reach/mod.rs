//! What this machine knows of how it is reached, and how it comes to know it.
//!
//! ```text
//!  interfaces (surroundings) ─────┐
//!  friends, over links (sightings)┤
//!  STUN: friends, listed servers ─┼──> Knowledge ──> choice ──> Told: candidates, NAT, surroundings ──> the actor
//!  the router (port mappings) ────┤
//!  a bridge's service ────────────┘
//! ```
//!
//! Two things cost nothing and are always there: the interfaces' addresses, and what friends say over links that are up anyway. Nobody else is asked unless
//! the user, or a friend who allows it, named them.

mod choice;
mod knowledge;
pub(crate) mod measure;
mod picture;
pub(crate) mod portmap;
mod responders;
mod sightings;
mod surroundings;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use wayside_bridge::Entropy;
use wayside_noise::{Endpoint, StunMode, StunPolicy, StunSecret, StunServer};
use wayside_path::Nat;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::reach::{Attestation, Reflector};

pub(crate) use knowledge::{Told, Tried};
pub(crate) use picture::Picture;
pub(crate) use portmap::PortMapping;
pub(crate) use responders::Responder;
pub(crate) use sightings::Witness;

use crate::clock::SystemEntropy;
use crate::home::{Listen, Stun};
use knowledge::{Knowledge, News};
use surroundings::Around;

/// What is known, shared by those who learn it and those who tell it.
#[derive(Clone, Debug)]
pub(crate) struct Reach(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    knowledge: Mutex<Knowledge>,
    told: watch::Sender<Told>,
    /// What friends are told of our own responder may have changed.
    responder: watch::Sender<()>,
    /// This machine's addresses have changed.
    moved: watch::Sender<()>,
    /// How we answer STUN, where we answer anybody.
    policy: OnceLock<Policy>,
    /// Somebody is to be asked.
    poke: Notify,
    /// Changes when a round of questions is over.
    rounds: watch::Sender<()>,
    endpoint: Weak<Endpoint>,
    /// Whether the user listed servers.
    has_listed: bool,
    /// What is around on a network in memory: there the system is not asked.
    simulated: Option<Around>,
}

/// Whom we answer, and under which secret; drawn anew with each start, and with it all tokens.
#[derive(Debug)]
struct Policy {
    whom: StunMode,
    secret: StunSecret,
}

/// How often the machine's addresses are looked at.
const LOOK_AROUND: Duration = Duration::from_secs(20);
/// Links are kept alive at least so often where nothing is known of the NAT ([`wayside_noise::EndpointConfig::keep_alive`]): what expires all the same lives no longer.
const KEPT_ALIVE: Duration = Duration::from_secs(20);

impl Reach {
    /// What can be known at once, of an endpoint that listens there. `has_listed`: the user listed STUN servers; `is_simulated`: on a network in memory.
    pub(crate) fn new(
        listen: Listen,
        endpoint: &Arc<Endpoint>,
        has_listed: bool,
        is_simulated: bool,
    ) -> Self {
        let simulated = is_simulated.then(|| Around::of(&listen.udp));
        let mut knowledge = Knowledge::new(listen, simulated.clone().unwrap_or_else(Around::look));
        let told = knowledge.told(Instant::now());
        let poke = Notify::new();
        if has_listed {
            poke.notify_one();
        }
        let shared = Shared {
            knowledge: Mutex::new(knowledge),
            told: watch::channel(told).0,
            responder: watch::channel(()).0,
            moved: watch::channel(()).0,
            policy: OnceLock::new(),
            poke,
            rounds: watch::channel(()).0,
            endpoint: Arc::downgrade(endpoint),
            has_listed,
            simulated,
        };
        Self(Arc::new(shared))
    }

    /// Answers STUN from now on, as the user says.
    pub(crate) fn answer(&self, stun: Stun) {
        let whom = match stun {
            Stun::Off => return,
            Stun::Friends => StunMode::Friends,
            Stun::Anyone => StunMode::Anyone,
        };
        let mut secret = [0; 32];
        SystemEntropy.fill(&mut secret);
        // Set once, when the node starts.
        let _ = self.0.policy.set(Policy { whom, secret: StunSecret::new(secret) });
        self.respond();
    }

    /// Tells the endpoint whom to answer, and where it is reached.
    fn respond(&self) {
        let (Some(Policy { whom, secret }), Some(endpoint)) = (self.0.policy.get(), self.endpoint()) else {
            return;
        };
        let mut policy = StunPolicy::new(*whom, secret.clone());
        policy.first.v4 = self.lock().port_mapping().external().filter(SocketAddr::is_ipv4);
        endpoint.respond_stun(Some(policy));
    }

    /// Keeps it up to date for as long as the node runs.
    pub(crate) async fn keep(self, endpoint: Arc<Endpoint>) {
        let mut look_around = tokio::time::interval(LOOK_AROUND);
        loop {
            look_around.tick().await;
            let around = self.0.simulated.clone().unwrap_or_else(Around::look);
            if self.change(|knowledge| knowledge.looked(around)) {
                tracing::debug!(told = ?self.0.told.borrow(), "this machine's addresses have changed");
                // Links look for other paths at once.
                endpoint.network_changed();
                self.poke();
                self.0.moved.send_replace(());
                self.0.responder.send_replace(());
            }
        }
    }

    /// What packets go through, while the node runs.
    pub(crate) fn endpoint(&self) -> Option<Arc<Endpoint>> {
        self.0.endpoint.upgrade()
    }

    /// What peers are told, and again when it has changed.
    pub(crate) fn told(&self) -> watch::Receiver<Told> {
        self.0.told.subscribe()
    }

    /// Changes when this machine's addresses have changed.
    pub(crate) fn moved(&self) -> watch::Receiver<()> {
        self.0.moved.subscribe()
    }

    /// How asking the router for a port stands.
    #[cfg(feature = "portmap")]
    pub(crate) fn maps(&self, port_mapping: PortMapping) {
        self.change(|knowledge| knowledge.maps(port_mapping));
        self.respond();
        self.0.responder.send_replace(());
    }

    /// A friend whom we see at `from` sees us at `seen`, over a link that is up.
    pub(crate) fn friend_saw(&self, account: AccountId, from: SocketAddr, seen: SocketAddr) {
        let now = Instant::now();
        match self.change(|knowledge| knowledge.friend_saw(now, account, from, seen)) {
            News::Nothing => return,
            News::Address => {}
            News::AnotherPort => {
                if let Some(endpoint) = self.endpoint() {
                    endpoint.mapping_expired_within(KEPT_ALIVE);
                }
            }
        }
        tracing::debug!(%account, %seen, "a friend sees this machine there");
    }

    /// The friend's link is gone.
    pub(crate) fn left(&self, account: &AccountId) {
        let now = Instant::now();
        self.change(|knowledge| knowledge.left(now, account));
    }

    /// A friend says where it answers STUN for us, or that it does not.
    pub(crate) fn friend_answers(&self, account: AccountId, responder: Option<Responder>) {
        let now = Instant::now();
        if self.change(|knowledge| knowledge.responder_of(now, account, responder)) {
            self.poke();
        }
    }

    /// A welcome named whom to ask; returns when they were asked, or after so long.
    pub(crate) async fn ask_named(&self, reflectors: Vec<Reflector>, at_most: Duration) {
        let named = reflectors.into_iter().map(Responder::from).collect();
        if self.change(|knowledge| knowledge.responders_named(named)) {
            self.fresh(at_most).await;
        }
    }

    /// Where a friend may ask us, and with what; nowhere where we answer nobody, or where nobody reaches us anyway.
    pub(crate) fn responder_for(&self, account: &AccountId) -> Option<Responder> {
        let Policy { whom, secret } = self.0.policy.get()?;
        let token = StunPolicy::new(*whom, secret.clone()).token(&account.0);
        let addresses = self.lock().own_responder();
        (!addresses.is_empty()).then_some(Responder { addresses, token })
    }

    /// Whom to ask at this address whether a peer is where it says: only somebody whom we know ourselves, whoever names it.
    pub(crate) fn witness(&self, address: SocketAddr) -> Option<StunServer> {
        let Responder { addresses, token } = self.lock().responders.at(address)?;
        Some(StunServer { addresses, token: Some(token) })
    }

    /// Changes when [`responder_for`](Self::responder_for) may.
    pub(crate) fn responder_changed(&self) -> watch::Receiver<()> {
        self.0.responder.subscribe()
    }

    /// Those who are friends, and not blocked, are these: nobody else's word counts.
    pub(crate) fn keep_only(&self, friends: &BTreeSet<AccountId>) {
        self.change(|knowledge| knowledge.keep_only(friends));
    }

    /// A bridge's service shows that we come from there, if from anywhere.
    pub(crate) fn service_shows(&self, bridge: &str, ip: Option<IpAddr>) {
        self.change(|knowledge| knowledge.service_shows(bridge, ip));
    }

    /// What there is to show of it.
    pub(crate) fn picture(&self) -> Picture {
        self.lock().picture(Instant::now())
    }

    /// Those who can be asked now, with the tokens that they know us by.
    fn responders_to_ask(&self) -> Vec<(Witness, StunServer)> {
        let mut knowledge = self.lock();
        let around = knowledge.told(Instant::now()).surroundings;
        let asked = knowledge.responders.to_ask(&around).into_iter().filter_map(|(who, responder)| {
            let first = responder.addresses.first()?.ip();
            let server = StunServer { addresses: responder.addresses, token: Some(responder.token) };
            Some((who.map_or(Witness::Server(first), Witness::Friend), server))
        });
        asked.collect()
    }

    /// What came of asking: which witness, where, saw us where.
    fn measured(
        &self,
        seen: Vec<(Witness, SocketAddr, SocketAddr)>,
        nat: Nat,
        attested: &[(SocketAddr, [u8; 8])],
        tried: Tried,
    ) {
        let now = Instant::now();
        self.change(|knowledge| {
            knowledge.tried(tried);
            if !seen.is_empty() {
                knowledge.measured(nat);
            }
            for (who, server, address) in seen {
                knowledge.server_saw(now, who, server, address);
            }
            for (by, mac) in attested {
                knowledge.attested(now, Attestation { by: *by, mac: *mac });
            }
        });
    }

    /// Mappings were measured to live for so long.
    fn mappings_live(&self, lifetime: Duration) {
        self.change(|knowledge| knowledge.mappings_live(lifetime));
    }

    fn is_fresh(&self) -> bool {
        self.lock().rounds.is_fresh(Instant::now())
    }

    fn is_to_be_thorough(&self) -> bool {
        let knowledge = self.lock();
        knowledge.rounds.is_to_be_thorough(knowledge.nat().mapping)
    }

    fn has_whom_to_ask(&self) -> bool {
        self.0.has_listed || !self.responders_to_ask().is_empty()
    }

    /// All of it is to be measured again.
    fn forget_rounds(&self) {
        self.lock().rounds.reset();
    }

    fn poke(&self) {
        self.0.poke.notify_one();
    }

    async fn poked(&self) {
        self.0.poke.notified().await;
    }

    fn rounds(&self) -> watch::Receiver<()> {
        self.0.rounds.subscribe()
    }

    fn round_is_over(&self, somebody_was_asked: bool) {
        if somebody_was_asked {
            self.lock().rounds.over(Instant::now());
        }
        self.0.rounds.send_replace(());
    }

    /// Has what is known changed, and tells who listens where that changes what is told.
    fn change<R>(&self, change: impl FnOnce(&mut Knowledge) -> R) -> R {
        let mut knowledge = self.lock();
        let result = change(&mut knowledge);
        let told = knowledge.told(Instant::now());
        // While the lock is held, so that what is told last is what is known last.
        self.0.told.send_if_modified(|before| {
            let changed = *before != told;
            if changed {
                *before = told;
            }
            changed
        });
        result
    }

    #[cfg(test)]
    pub(crate) fn say_again(&self) {
        self.0.told.send_modify(|_| {});
    }

    fn lock(&self) -> MutexGuard<'_, Knowledge> {
        self.0.knowledge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
