//! Links that are up, and what is spoken over them.
//!
//! Streams name the protocol that they speak; each protocol here is a file: [`ping`], [`card`], [`address`], [`renew`], [`mail`](crate::mail), and whatever an
//! application registers ([`Protocol`]).

pub(crate) mod address;
pub(crate) mod card;
mod frame;
pub(crate) mod notices;
pub(crate) mod ping;
pub(crate) mod renew;
mod serve;
mod session;
pub(crate) mod turns;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::FutureExt;
use wayside_noise::{Kind, Link, Stream};
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::{AccountId, DeviceId};
use wayside_proto::engine::SessionId;

pub(crate) use frame::{append_frame, read_frame, write_frame};
pub use serve::Served;
pub(crate) use serve::serving;
pub(crate) use session::Session;

use crate::api::types::{PathKind, Transport};
use crate::relays::Relays;
use crate::times::millis;

/// Something that is spoken over streams of a name.
#[async_trait]
pub trait Protocol: Send + Sync + fmt::Debug {
    /// A friend opened a stream of this protocol. The stream ends when this returns.
    ///
    /// What comes in is the friend's: bound it, and doubt it. Runs beside other streams of the same link, at most 64 of them.
    async fn accept(&self, peer: Peer, stream: Stream);
}

/// Who is at the other end of a stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Peer {
    /// Whose link it is.
    pub account: AccountId,
    /// The device at its other end.
    pub device: DeviceId,
    /// The link itself.
    pub link: Link,
}

/// The protocols that are spoken, by name.
pub(crate) type Protocols = BTreeMap<String, Arc<dyn Protocol>>;

/// A link that is up.
#[derive(Clone, Debug)]
pub(crate) struct LiveLink {
    pub(crate) session: SessionId,
    /// Tells it from another one of the same session.
    pub(crate) number: u64,
    pub(crate) peer: Peer,
    pub(crate) since: UnixMillis,
}

impl LiveLink {
    /// How its packets travel.
    pub(crate) fn path(&self) -> PathKind {
        match self.peer.link.kind() {
            Kind::Udp { .. } | Kind::Tcp => PathKind::Direct,
            Kind::Relayed => PathKind::Relay,
        }
    }

    /// In what, where the path is direct.
    pub(crate) fn transport(&self) -> Option<Transport> {
        match self.peer.link.kind() {
            Kind::Udp { .. } => Some(Transport::Udp),
            Kind::Tcp => Some(Transport::Tcp),
            Kind::Relayed => None,
        }
    }

    /// Where to, where the path is direct.
    pub(crate) fn remote(&self) -> Option<String> {
        self.transport().map(|_| self.peer.link.remote().to_string())
    }

    /// Who forwards, where the path is not direct, as far as that is known.
    pub(crate) fn relay(&self, relays: &Relays) -> Option<AccountId> {
        relays.carrier(self.peer.link.tunnel()?)
    }

    /// The smoothed round-trip time in milliseconds, while the link lives.
    pub(crate) fn rtt_ms(&self) -> Option<f64> {
        let rtt = self.peer.link.rtt();
        (!rtt.is_zero()).then(|| millis(rtt))
    }

    /// Whether it has ended, though it may not have been taken off the list yet.
    pub(crate) fn ended(&self) -> bool {
        self.peer.link.closed().now_or_never().is_some()
    }
}

/// The links that are up, one a friend.
#[derive(Debug, Default)]
pub(crate) struct Links(Mutex<BTreeMap<AccountId, LiveLink>>);

impl Links {
    /// The link with a friend.
    pub(crate) fn of(&self, account: &AccountId) -> Option<LiveLink> {
        self.lock().get(account).cloned()
    }

    /// The link of a session.
    pub(crate) fn of_session(&self, session: SessionId) -> Option<LiveLink> {
        self.lock().values().find(|link| link.session == session).cloned()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<(AccountId, LiveLink)> {
        self.lock().iter().map(|(account, link)| (*account, link.clone())).collect()
    }

    /// A link is up, in place of one that was.
    pub(crate) fn insert(&self, link: LiveLink) -> Option<LiveLink> {
        self.lock().insert(link.peer.account, link)
    }

    /// The link of this session is gone.
    pub(crate) fn remove(&self, session: SessionId) -> Option<LiveLink> {
        let mut links = self.lock();
        let account = links.iter().find(|(_, link)| link.session == session).map(|(account, _)| *account)?;
        links.remove(&account)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<AccountId, LiveLink>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
