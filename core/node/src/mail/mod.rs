//! Mail: what is sent, sealed, left with hosts, fetched and taken in; the ends of it. What this machine keeps for others is in `mailbox`.
//!
//! ```text
//!  send ─> outbox (sealed: seals, keys) ─┬─ link ──────────────────────────────> link ─┬─> came ─> inbox, files
//!                                        ├─ deposit ── host ── fetch ──────────────────┤      │
//!                                        ├─ deposit ── courier ── host ── fetch ───────┤      │
//!                                        └─ deposit ── courier ── own door ────────────┘      │
//!  outbox forgets it <── came <────────────── the same ways ────────────────── news (receipt) ┘
//! ```
//!
//! All that is decided is `wayside_proto::mailbox`'s; here are its transactions, its files, and who carries what where.

pub(crate) mod access;
mod came;
mod deposit;
pub(crate) mod fetch;
mod files;
mod keeping;
mod keys;
pub(crate) mod link;
mod news;
mod outgoing;
mod over_bridges;
pub(crate) mod own_door;
mod recent;
mod seals;
mod states;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;
use wayside_bridge::Entropy;
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::{AccountId, DeviceId, NoiseKey};
use wayside_proto::crypto::{Secret, derive};
use wayside_proto::engine::Identity;
use wayside_proto::mailbox::Age;
use wayside_proto::mailbox::placement::Keeper;
use wayside_proto::mailbox::prekeys::Target;
use wayside_proto::mailbox::wire::{Access, HostEntry, Key, MailboxCard};

pub(crate) use came::{Came, came};
pub(crate) use deposit::mailboxes_of;
pub(crate) use keeping::{expire, host_name, keep};
pub(crate) use outgoing::{accept, read_files};
pub(crate) use states::{held_by, outgoing, settle_given_up};

use crate::api::types::ApiError;
use crate::clock::SystemEntropy;
use crate::home::{Home, HomeError, Mailbox};
use crate::lock::lock;
use crate::store::Store;
use keys::Keys;
use recent::Recent;

/// The ends of mail of one account. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Mail(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    account: AccountId,
    device: DeviceId,
    noise: NoiseKey,
    /// Where files that came are.
    files: PathBuf,
    own: Mailbox,
    /// What the queues of all friends are derived from.
    root: Secret,
    keys: Mutex<Keys>,
    /// What it takes to seal for friends.
    targets: Mutex<BTreeMap<AccountId, BTreeMap<DeviceId, Target>>>,
    /// Changes when what friends are given may have.
    given: watch::Sender<()>,
    /// Changes when somebody is to be told something.
    owing: watch::Sender<()>,
    /// Who is to be told though nothing came: something of ours for them is over.
    over: Mutex<BTreeSet<AccountId>>,
    /// What was taken lately.
    recent: Mutex<Recent>,
    /// When those who keep something of ours were there last.
    seen: Mutex<BTreeMap<Keeper, Age>>,
}

/// What it is made of: who we are, what the user configured, and where keys and files are.
pub(crate) struct Ends {
    identity: Identity,
    own: Mailbox,
    keys: PathBuf,
    files: PathBuf,
}

impl Ends {
    /// Those of a home.
    pub(crate) fn of(home: &Home, own: Mailbox) -> Self {
        Self { identity: home.engine_identity(), own, keys: home.mail_keys_path(), files: home.files_path() }
    }
}

impl Mail {
    /// Reads what there is of it, and makes what is missing. Waits for the disk.
    pub(crate) fn open(ends: Ends, store: &Store, now: UnixMillis) -> Result<Self, ApiError> {
        let Ends { identity, own, keys: path, files } = ends;
        let io = |error| HomeError::io(&path, error);
        let mut keys = Keys::open(&path)?;
        keys.rotate(store.age_at(now)?).map_err(io)?;
        let mut fresh = [0; 32];
        SystemEntropy.fill(&mut fresh);
        let root = store.mail_root(Secret::new(fresh))?;
        let mut targets = BTreeMap::<_, BTreeMap<_, _>>::new();
        for (account, device, target) in store.targets()? {
            targets.entry(account).or_default().insert(device, target);
        }
        Ok(Self(Arc::new(Shared {
            account: identity.account.id(),
            device: identity.device.public().id(),
            noise: identity.device.noise().clone(),
            files,
            own,
            root,
            keys: Mutex::new(keys),
            targets: Mutex::new(targets),
            given: watch::channel(()).0,
            owing: watch::channel(()).0,
            over: Mutex::default(),
            recent: Mutex::default(),
            seen: Mutex::default(),
        })))
    }

    /// Where something lies that is named from the home.
    pub(crate) fn below_home(&self, path: &str) -> PathBuf {
        self.0.files.parent().unwrap_or(&self.0.files).join(path)
    }

    /// What our status says of it, with these hosts.
    pub(crate) fn card(&self, now: Age, mut hosts: Vec<HostEntry>) -> MailboxCard {
        hosts.truncate(HostEntry::MOST);
        let (first, prekeys) = self.keys().prekeys().published(now);
        MailboxCard { first, prekeys: prekeys.into_iter().map(Key).collect(), hosts }
    }

    /// What a friend is given, to seal for this device and to find its queues.
    pub(crate) fn access_for(&self, friend: &AccountId, now: Age) -> Access {
        let weeks = self.keys().prekeys().psks(now, friend);
        Access { device: self.0.device, root: self.root_of(friend), weeks }
    }

    /// What the queues of a friend are derived from, wherever it leaves something for us.
    fn root_of(&self, friend: &AccountId) -> Secret {
        derive(self.0.root.expose(), "mail queues", &[&friend.0])
    }

    /// What it takes to seal for a friend, and to find its queues; nothing where that is not known yet.
    pub(crate) fn targets_of(&self, friend: &AccountId) -> BTreeMap<DeviceId, Target> {
        lock(&self.0.targets).get(friend).cloned().unwrap_or_default()
    }

    /// Forgets a friend who was removed.
    pub(crate) fn forget(&self, friend: &AccountId) {
        lock(&self.0.targets).remove(friend);
        lock(&self.0.over).remove(friend);
    }

    /// What the user configured of it.
    pub(crate) fn own(&self) -> &Mailbox {
        &self.0.own
    }

    /// Somebody is to be told something.
    fn owes(&self) {
        self.0.owing.send_replace(());
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        lock(&self.0.keys)
    }
}

#[cfg(test)]
impl Mail {
    /// The seeds that there are.
    pub(crate) fn weeks(&self) -> Vec<wayside_proto::mailbox::prekeys::Week> {
        self.keys().prekeys().weeks().cloned().collect()
    }

    /// Draws and destroys what is due then.
    pub(crate) fn rotate(&self, now: Age) {
        self.keys().rotate(now).unwrap();
    }
}
