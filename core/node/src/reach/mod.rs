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
mod picture;
pub(crate) mod portmap;
mod responders;
mod sightings;
mod surroundings;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use wayside_noise::Endpoint;
use wayside_proto::crypto::keys::AccountId;

pub(crate) use knowledge::Told;
pub(crate) use picture::Picture;
pub(crate) use portmap::PortMapping;
pub(crate) use responders::Responder;
pub(crate) use sightings::Witness;

use crate::home::Listen;
use knowledge::Knowledge;
use surroundings::Around;

/// What is known, shared by those who learn it and those who tell it.
#[derive(Clone, Debug)]
pub(crate) struct Reach(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// What there is around, where the network is made up.
    simulated: Option<Around>,
    knowledge: Mutex<Knowledge>,
    told: watch::Sender<Told>,
    /// What friends are told of our own responder may have changed.
    responder: watch::Sender<()>,
    /// This machine's addresses have changed.
    moved: watch::Sender<()>,
    /// Makes the tokens that friends show to it, where it answers anybody.
    tokens: OnceLock<Tokens>,
}

/// Makes a friend's token.
struct Tokens(Box<dyn Fn(&AccountId) -> [u8; 8] + Send + Sync>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

/// How often the machine's addresses are looked at.
const LOOK_AROUND: Duration = Duration::from_secs(20);

impl Reach {
    /// What can be known at once, of an endpoint that listens there; `simulated` where its network is made up.
    pub(crate) fn new(listen: Listen, simulated: bool) -> Self {
        let simulated = simulated.then(|| Around::simulated(&listen));
        let mut knowledge = Knowledge::new(listen, simulated.clone().unwrap_or_else(Around::look));
        let told = knowledge.told(Instant::now());
        let shared = Shared {
            simulated,
            knowledge: Mutex::new(knowledge),
            told: watch::channel(told).0,
            responder: watch::channel(()).0,
            moved: watch::channel(()).0,
            tokens: OnceLock::new(),
        };
        Self(Arc::new(shared))
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
                self.0.moved.send_replace(());
                self.0.responder.send_replace(());
            }
        }
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
    #[cfg(any(feature = "portmap", test))]
    pub(crate) fn maps(&self, port_mapping: PortMapping) {
        self.change(|knowledge| knowledge.maps(port_mapping));
        self.0.responder.send_replace(());
    }

    /// A friend whom we see at `from` sees us at `seen`, over a link that is up.
    pub(crate) fn friend_saw(&self, account: AccountId, from: SocketAddr, seen: SocketAddr) {
        let now = Instant::now();
        if self.change(|knowledge| knowledge.friend_saw(now, account, from, seen)) {
            tracing::debug!(%account, %seen, "a friend sees this machine there");
        }
    }

    /// The friend's link is gone.
    pub(crate) fn left(&self, account: &AccountId) {
        let now = Instant::now();
        self.change(|knowledge| knowledge.left(now, account));
    }

    /// A friend says where it answers STUN for us, or that it does not.
    pub(crate) fn friend_answers(&self, account: AccountId, responder: Option<Responder>) {
        let now = Instant::now();
        self.change(|knowledge| knowledge.responders.of_friend(now, account, responder));
    }

    /// Where a friend may ask us, and with what; nowhere where we answer nobody, or where nobody reaches us anyway.
    pub(crate) fn responder_for(&self, account: &AccountId) -> Option<Responder> {
        let token = (self.0.tokens.get()?.0)(account);
        let addresses = self.lock().own_responder();
        (!addresses.is_empty()).then_some(Responder { addresses, token })
    }

    /// Changes when [`responder_for`](Self::responder_for) may.
    pub(crate) fn responder_changed(&self) -> watch::Receiver<()> {
        self.0.responder.subscribe()
    }

    /// A bridge's service shows that we come from there, if from anywhere.
    pub(crate) fn service_shows(&self, bridge: &str, ip: Option<IpAddr>) {
        self.change(|knowledge| knowledge.service_shows(bridge, ip));
    }

    /// What there is to show of it.
    pub(crate) fn picture(&self) -> Picture {
        self.lock().picture(Instant::now())
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

    fn lock(&self) -> MutexGuard<'_, Knowledge> {
        self.0.knowledge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
