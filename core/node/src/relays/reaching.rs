//! To a friend who lets us use its machine: over the friend's link where one is up, else as a guest, straight to where it said that it is.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wayside_noise::Link;
use wayside_proto::crypto::keys::{AccountId, DeviceId};

use super::choice::{Known, rank};
use super::{Offered, Relays, lock};
use crate::clock::SystemEntropy;
use crate::driver::Driver;
use crate::guests::visit::{Visit, Visited, close_unused};
use crate::links::address;

/// A link with a friend who lets us use its machine.
#[derive(Clone, Debug)]
pub(crate) enum Reached {
    /// The friend's own.
    Own(Link),
    /// As its guest.
    Guest(Visit),
}

impl Reached {
    /// Whether we are a guest there, rather than the friend.
    pub(crate) const fn is_guest(&self) -> bool {
        matches!(self, Self::Guest(_))
    }
}

impl Deref for Reached {
    type Target = Link;

    fn deref(&self) -> &Link {
        match self {
            Self::Own(link) => link,
            Self::Guest(visit) => visit,
        }
    }
}

/// What is known of the way to one device.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// Held by whoever dials.
    dialling: Arc<tokio::sync::Mutex<()>>,
    guest: Option<Visited>,
    rtt: Option<Duration>,
    /// When it was not there last.
    away: Option<Instant>,
}

/// How a friend who would forward can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// A link with it is up, its friend's own or a guest's.
    Linked,
    /// Nobody has tried since the start.
    Unknown,
    /// It was there when somebody tried.
    Reachable,
    /// It was not.
    Away,
}

/// How long a guest's link is kept that nobody uses.
const DISUSE: Duration = Duration::from_secs(60);
/// Who was not there is not dialled again sooner, but by whoever began before.
const PAUSE: Duration = Duration::from_secs(2);
/// How long somebody who was not there comes last.
const AWAY: Duration = Duration::from_secs(600);
/// How many are gone to beforehand, when somebody is about to be met.
const WARMED: usize = 3;
/// How long that may take.
const WARMING: Duration = Duration::from_secs(10);

impl Driver {
    /// A direct link with a device that lets us use it for something, within so long.
    pub(crate) async fn link_to_device(&self, device: DeviceId, patience: Duration) -> Option<Reached> {
        let relays = self.relays();
        let offered = relays.offer_of(&device)?;
        let there = |relays: &Relays| {
            self.friends_link(&offered.account, device).or_else(|| relays.guests_link(device))
        };
        if let Some(reached) = there(relays) {
            return Some(reached);
        }
        let dialling = Arc::clone(&lock(&relays.0.paths).entry(device).or_default().dialling);
        let deadline = Instant::now() + patience;
        let _dialling = tokio::time::timeout_at(deadline, dialling.lock()).await.ok()?;
        // Somebody else may have been quicker, or in vain.
        if let Some(reached) = there(relays) {
            return Some(reached);
        }
        if lock(&relays.0.paths).get(&device)?.away.is_some_and(|away| away.elapsed() < PAUSE) {
            return None;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let linked = tokio::select! {
            linked = self.dial_guest(&offered, left) => linked,
            reached = self.friends_link_comes(&offered.account, device) => return Some(reached),
        };
        relays.went(device, linked.as_ref());
        let link = linked?;
        let mut visited = Visited::new(link.clone());
        let visit = visited.visit()?;
        if let Some(way) = lock(&relays.0.paths).get_mut(&device) {
            way.guest = Some(visited);
        }
        let (used, used_link) = (relays.clone(), link.clone());
        self.spawn(async move {
            close_unused(&used_link, DISUSE, || used.is_used(&device, &used_link)).await;
        });
        self.spawn(hear(self.clone(), offered.account, link));
        Some(Reached::Guest(visit))
    }

    /// The friend's own link, where it leads straight to that device: frames of a circuit do not go through another one.
    fn friends_link(&self, account: &AccountId, device: DeviceId) -> Option<Reached> {
        let live = self.links().of(account)?;
        let is_direct = live.peer.device == device && !live.ended() && live.peer.link.tunnel().is_none();
        let link = live.peer.link;
        self.relays().learn_rtt(device, link.rtt());
        is_direct.then_some(Reached::Own(link))
    }

    async fn friends_link_comes(&self, account: &AccountId, device: DeviceId) -> Reached {
        let mut links = self.links_changed();
        loop {
            if let Some(reached) = self.friends_link(account, device) {
                return reached;
            }
            if links.changed().await.is_err() {
                // The node is ending.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn dial_guest(&self, offered: &Offered, patience: Duration) -> Option<Link> {
        let gate = offered.offer.gate.as_ref()?;
        let dialled = gate.dialled(SystemEntropy::draw());
        match self.dial_as_guest(dialled, &offered.offer.candidates, patience).await? {
            Ok(link) => Some(link),
            Err(error) => {
                tracing::debug!(account = %offered.account, %error, "a friend who would forward is not there");
                None
            }
        }
    }

    /// Goes to those who would forward, so that no time is lost when somebody is met.
    pub(crate) fn warm_relays(&self) {
        for device in self.relays().ranked().into_iter().take(WARMED) {
            let driver = self.clone();
            self.spawn(async move { drop(driver.link_to_device(device, WARMING).await) });
        }
    }
}

/// Hears from a friend whose guest we are how it sees us, while the link is up.
async fn hear(driver: Driver, account: AccountId, link: Link) {
    tokio::select! {
        () = address::hear_as_guest(driver.reach(), account, &link) => {}
        _ = link.closed() => {}
    }
    if driver.links().of(&account).is_none() {
        driver.reach().left(&account);
    }
}

impl Relays {
    /// Those who forward for us, the best first.
    pub(crate) fn ranked(&self) -> Vec<DeviceId> {
        let paths = lock(&self.0.paths);
        let offers = self.offers();
        let forwards = offers.iter().filter(|(_, it)| it.offer.relay.is_some());
        let known = forwards.map(|(device, offered)| {
            let way = paths.get(device);
            let is_away = way.and_then(|way| way.away).is_some_and(|away| away.elapsed() < AWAY);
            Known { device: *device, rtt: way.and_then(|way| way.rtt), seen: offered.given, is_away }
        });
        rank(known.collect())
    }

    /// How this device can be reached, and how far away it is.
    pub(crate) fn condition(&self, driver: &Driver, device: DeviceId) -> (Condition, Option<Duration>) {
        let account = self.offer_of(&device).map(|it| it.account);
        let linked = account.and_then(|account| driver.friends_link(&account, device));
        let linked = linked.or_else(|| self.guests_link(device));
        let paths = lock(&self.0.paths);
        let Some(way) = paths.get(&device) else { return (Condition::Unknown, None) };
        let condition = match (linked, way.away, way.rtt) {
            (Some(_), ..) => Condition::Linked,
            (None, Some(_), _) => Condition::Away,
            (None, None, Some(_)) => Condition::Reachable,
            (None, None, None) => Condition::Unknown,
        };
        (condition, way.rtt)
    }

    /// A device is offered no more: nobody is its guest.
    pub(super) fn leave(&self, device: &DeviceId) {
        let gone = lock(&self.0.paths).remove(device).and_then(|way| way.guest);
        if let Some(visited) = gone {
            visited.close("no friends any more");
        }
    }

    /// A link with it as its guest, where one is up.
    pub(crate) fn guests_link(&self, device: DeviceId) -> Option<Reached> {
        let mut paths = lock(&self.0.paths);
        paths.get_mut(&device)?.guest.as_mut()?.visit().map(Reached::Guest)
    }

    fn is_used(&self, device: &DeviceId, link: &Link) -> bool {
        let paths = lock(&self.0.paths);
        let guest = paths.get(device).and_then(|way| way.guest.as_ref());
        guest.is_some_and(|it| it.is(link) && it.is_used())
    }

    /// A friend's own link is up: if it would forward, it is there.
    pub(crate) fn friend_linked(&self, device: DeviceId, link: &Link) {
        if link.tunnel().is_none() && self.offer_of(&device).is_some() {
            self.learn_rtt(device, link.rtt());
        }
    }

    /// Somebody went there.
    fn went(&self, device: DeviceId, linked: Option<&Link>) {
        let was_away = {
            let mut paths = lock(&self.0.paths);
            let way = paths.entry(device).or_default();
            let was_away = way.away.is_some();
            way.away = linked.is_none().then(Instant::now);
            was_away
        };
        if let Some(link) = linked {
            self.learn_rtt(device, link.rtt());
        }
        if was_away == linked.is_some() {
            self.0.offers.look_again();
        }
    }

    fn learn_rtt(&self, device: DeviceId, rtt: Duration) {
        if rtt.is_zero() {
            return;
        }
        let mut paths = lock(&self.0.paths);
        let way = paths.entry(device).or_default();
        let is_news = way.rtt.is_none() || way.away.is_some();
        way.rtt = Some(rtt);
        way.away = None;
        if is_news {
            self.0.offers.look_again();
        }
    }
}
