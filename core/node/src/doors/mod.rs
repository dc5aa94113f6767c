//! Guests' doors: how somebody who is no friend of a host, and not known to it by name, leaves something for a friend of the host's.
//!
//! A host has one door for each friend who has a mailbox here, with keys of its own ([`HostEntry`]), which that friend names in its card.
//!
//! ```text
//!   the host                                        the guest
//!     keys: who has a door, what opens it             reaching: dials, and knocks over the bridges, while anybody waits
//!     guests: who came in, and what is spoken  <════  one link a host
//! ```

mod guests;
mod keys;
mod reaching;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use tokio::time::Instant;
use wayside_noise::{Endpoint, Link, SessionId, StaticKey, Stream};
use wayside_proto::crypto::Secret;
use wayside_proto::crypto::keys::{AccountId, NoiseKey};
use wayside_proto::engine::{Door, DoorSession};
use wayside_proto::mailbox::wire::HostEntry;

pub(crate) use keys::stands_open;

use crate::clock::SystemEntropy;
use crate::driver::Driver;
use crate::guests::here::Guests;
use crate::guests::visit::Visit;
use crate::lock::lock;
use crate::store::{Store, StoreError};

/// Something that is spoken with guests of a friend's door.
#[async_trait]
pub(crate) trait DoorProtocol: Send + Sync + fmt::Debug {
    /// Somebody came in by the door of this friend and opened a stream. It ends when this returns.
    ///
    /// What comes in is a stranger's: bound it, doubt it, and do not wait for it for ever, since a stream that is open keeps the link, of which a door has 64.
    /// Runs beside other streams of the same link, at most 16 of them.
    async fn accept(&self, owner: AccountId, link: Link, stream: Stream);
}

/// Those that are spoken, by name.
pub(crate) type DoorProtocols = BTreeMap<&'static str, Arc<dyn DoorProtocol>>;

/// All of it, shared by those who come and those who go.
#[derive(Clone, Debug)]
pub(crate) struct Doors(Arc<Shared>);

struct Shared {
    endpoint: Weak<Endpoint>,
    keys: Mutex<keys::Doors>,
    /// Held by whoever changes them: what is on disk and what is here go together.
    changing: tokio::sync::Mutex<Owed>,
    guests: Arc<Guests>,
    /// Those to whom we go as a guest, by their doors' keys.
    hosts: Mutex<BTreeMap<[u8; 32], reaching::Host>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doors").field("guests", &self.guests).finish_non_exhaustive()
    }
}

/// What the disk has not taken yet, and is tried again with the next change.
#[derive(Debug, Default)]
struct Owed {
    /// Doors that are no more, and lie there still.
    gone: BTreeSet<AccountId>,
    /// The engine does not know all of the last change.
    engine: bool,
}

/// What an earlier run has kept.
pub(crate) struct Kept(keys::Doors);

impl Kept {
    pub(crate) fn read(store: &Store) -> Result<Self, StoreError> {
        keys::Doors::read(store).map(Self)
    }
}

impl Doors {
    /// The doors of an earlier run stand open again.
    pub(crate) fn new(endpoint: &Arc<Endpoint>, kept: Kept) -> Self {
        let doors = kept.0;
        for (owner, _) in doors.all() {
            if let Some(expectation) = doors.expectation(&owner) {
                endpoint.expect(expectation);
            }
        }
        let shared = Shared {
            endpoint: Arc::downgrade(endpoint),
            keys: Mutex::new(doors),
            changing: tokio::sync::Mutex::default(),
            guests: Arc::new(Guests::new(guests::BOUNDS)),
            hosts: Mutex::default(),
        };
        Self(Arc::new(shared))
    }

    /// By whose door a link came in.
    pub(crate) fn owner_of(&self, session: SessionId) -> Option<AccountId> {
        lock(&self.0.keys).owner_of(session)
    }

    /// A guest knocked at one of our doors and was answered: with which key it is let in. `None` where that door is no more.
    pub(crate) fn awaits(&self, session: &DoorSession) -> Option<StaticKey> {
        lock(&self.0.keys).awaits(&session.guest, SessionId(session.id.0))
    }

    /// Its session is over.
    pub(crate) fn awaits_no_longer(&self, session: wayside_proto::engine::SessionId) {
        lock(&self.0.keys).awaits_no_longer(SessionId(session.0));
    }

    /// What the engine has to know of them.
    pub(crate) fn for_engine(&self) -> Vec<Door> {
        let keys = lock(&self.0.keys);
        let door = |keys: &keys::Keys| Door {
            key: NoiseKey::from_secret(keys.guest.clone()),
            secret: keys.secret.clone(),
        };
        keys.all().map(|(_, keys)| door(keys)).collect()
    }

    /// Whether a friend, or we ourselves, have a door.
    pub(crate) fn has(&self, owner: &AccountId) -> bool {
        lock(&self.0.keys).of(owner).is_some()
    }

    /// Whose door here has this public key.
    pub(crate) fn whose(&self, guest: &[u8; 32]) -> Option<AccountId> {
        lock(&self.0.keys).owner_of_key(guest)
    }

    fn open(&self, owner: AccountId, made: keys::Keys) {
        let mut keys = lock(&self.0.keys);
        keys.insert(owner, made);
        if let (Some(endpoint), Some(expectation)) = (self.0.endpoint.upgrade(), keys.expectation(&owner)) {
            endpoint.expect(expectation);
        }
    }

    fn shut(&self, owner: &AccountId) {
        let session = lock(&self.0.keys).remove(owner);
        if let (Some(endpoint), Some(session)) = (self.0.endpoint.upgrade(), session) {
            endpoint.forget(session);
        }
        self.0.guests.turn_out(owner, "no door");
    }
}

impl Driver {
    /// These friends have a door here, and no others: who had one and has none any more is let in no longer. Of more than a thousand the rest have none.
    ///
    /// Where the disk does not take it there are no new doors, those that are no more are shut all the same, and the next call tries again.
    pub(crate) async fn set_doors(&self, owners: BTreeSet<AccountId>) {
        let doors = self.doors();
        let mut owed = doors.0.changing.lock().await;
        let draw = || Secret::new(SystemEntropy::draw());
        let (fresh, gone) = lock(&doors.0.keys).change(&owners, draw);
        gone.iter().for_each(|owner| doors.shut(owner));
        owed.gone.extend(gone);
        if !fresh.is_empty() || !owed.gone.is_empty() {
            owed.engine = true;
            let bytes: Vec<_> = fresh.iter().map(|(owner, keys)| (*owner, keys::bytes(keys))).collect();
            let gone: Vec<_> = owed.gone.iter().copied().collect();
            match self.store().run(move |store| store.change_doors(&bytes, &gone)).await {
                Ok(()) => {
                    owed.gone.clear();
                    fresh.into_iter().for_each(|(owner, keys)| doors.open(owner, keys));
                }
                Err(error) => tracing::warn!(%error, "the doors of mailboxes were not kept"),
            }
        }
        if owed.engine {
            let open = doors.for_engine();
            match self.change(move |engine, now| engine.set_doors(now, open)).await {
                Ok(()) => owed.engine = false,
                Err(error) => tracing::warn!(%error, "guests are not looked for at the bridges"),
            }
        }
    }

    /// What it takes to come in by a friend's door, as it is now; the name in it is empty. `None`: there is no such door.
    pub(crate) async fn door(&self, owner: AccountId) -> Option<HostEntry> {
        let (guest, secret) = {
            let keys = lock(&self.doors().0.keys);
            let keys = keys.of(&owner)?;
            (keys.public(), keys.secret.clone())
        };
        let candidates = self.reach().told().borrow().reach.candidates.clone();
        let points = self.look(|engine, _| engine.door_points()).await.ok()?;
        Some(HostEntry { guest, secret, name: String::new(), points, candidates })
    }

    /// A link with a host as a guest: straight to where it may be, and over the bridges in common, until then. It may take as long as until both are up at
    /// the same time. `None` at once where the door is one of our own.
    pub(crate) async fn host_link(&self, host: &HostEntry, until: Instant) -> Option<Visit> {
        self.reach_host(host, until).await
    }

    /// Serves a link that came in by a door.
    pub(crate) fn serve_guest(&self, owner: AccountId, link: Link, protocols: Arc<DoorProtocols>) {
        self.spawn(guests::serve(self.clone(), owner, link, protocols));
    }
}

#[cfg(test)]
impl Driver {
    /// How many guests are here.
    pub(crate) fn guests_here(&self) -> usize {
        self.doors().0.guests.count()
    }
}
