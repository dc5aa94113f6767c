//! Friends who forward for us, and for whom we forward.
//!
//! ```text
//!   the friend who forwards                                        who may use it
//!     grants: tokens, serials     ── wayside/relay/1: offer ───>     offers: kept on disk
//!     gate: who has its keys      <── guest link, or the friend's link ──  reaching
//!       comes in nameless         <── hello: token, proof ─────      hello
//!     serving: circuits           <── wayside/circuit/1 ───────      asking
//!                                                                    meeting: which circuits a session has
//!                                                                    choice: which relays first
//! ```
//!
//! Frames of a circuit go beside QUIC, in `wayside-noise`; who may have one is decided here.

mod asking;
mod choice;
pub(crate) mod gate;
mod grants;
pub(crate) mod guests;
pub(crate) mod hello;
pub(crate) mod meeting;
pub(crate) mod offers;
mod reaching;
pub(crate) mod serving;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use tokio::sync::watch;
use wayside_noise::{Endpoint, TunnelId};
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::{AccountId, DeviceId, DeviceKeys};

pub(crate) use grants::Judged;
pub(crate) use offers::Offered;
pub(crate) use reaching::{Condition, Reached};

use crate::guests::here::Guests;
use crate::home;
use crate::lock::lock;
use crate::offers::Offers;
use crate::store::{Standings, Store, StoreError};

/// All of it, shared by those who ask and those who serve.
#[derive(Clone, Debug)]
pub(crate) struct Relays(Arc<Shared>);

struct Shared {
    endpoint: Weak<Endpoint>,
    /// Signs tokens, and shows that one is ours.
    device: DeviceKeys,
    /// What forwarding may cost.
    limits: Mutex<home::Relay>,
    /// What friends offer us. Also said to have changed when it has which of them is better.
    offers: Offers<Offered>,
    /// How going to them went.
    paths: Mutex<BTreeMap<DeviceId, reaching::Way>>,
    /// What we hand out.
    grants: Mutex<grants::Grants>,
    gates: Mutex<gate::Gates>,
    /// The guest gate's keys have changed.
    gates_changed: watch::Sender<()>,
    guests: Arc<Guests>,
    /// Forwards, from the node's start to its end.
    serving: OnceLock<serving::Serving>,
    /// Through whom our own circuits lead.
    carriers: Mutex<BTreeMap<TunnelId, AccountId>>,
}

impl Relays {
    /// With what an earlier run has kept.
    pub(crate) fn new(
        endpoint: &Arc<Endpoint>,
        device: DeviceKeys,
        limits: home::Relay,
        kept: Kept,
        now: UnixMillis,
    ) -> Self {
        let shared = Shared {
            endpoint: Arc::downgrade(endpoint),
            device,
            limits: Mutex::new(limits),
            offers: kept.offers,
            paths: Mutex::default(),
            grants: Mutex::new(grants::Grants::new(kept.grants, now)),
            gates: Mutex::new(kept.gates),
            gates_changed: watch::channel(()).0,
            guests: Arc::new(Guests::new(guests::BOUNDS)),
            serving: OnceLock::new(),
            carriers: Mutex::default(),
        };
        Self(Arc::new(shared))
    }

    /// What forwarding may cost.
    pub(crate) fn limits(&self) -> home::Relay {
        *lock(&self.0.limits)
    }

    /// What forwarding may cost from now on.
    pub(crate) fn set_limits(&self, limits: home::Relay) {
        *lock(&self.0.limits) = limits;
        if let Some(serving) = self.0.serving.get() {
            serving.set_limits(&limits);
        }
    }

    /// Whom a circuit of ours leads through.
    pub(crate) fn carrier(&self, tunnel: TunnelId) -> Option<AccountId> {
        lock(&self.0.carriers).get(&tunnel).copied()
    }

    fn endpoint(&self) -> Option<Arc<Endpoint>> {
        self.0.endpoint.upgrade()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relays").finish_non_exhaustive()
    }
}

/// What an earlier run has kept of it.
pub(crate) struct Kept {
    offers: Offers<Offered>,
    grants: Standings,
    gates: gate::Gates,
    pub(crate) usage: wayside_relay::Usage,
}

impl Kept {
    /// Reads it. What a later version wrote otherwise is left out, and learnt anew.
    pub(crate) fn read(store: &Store) -> Result<Self, StoreError> {
        Ok(Self {
            offers: Offers::read(store)?,
            grants: store.relay_grants()?,
            gates: gate::Gates::read(store)?,
            usage: serving::read_usage(store)?,
        })
    }
}
