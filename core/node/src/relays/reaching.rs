//! To a friend who lets us use its machine: over the friend's link where one is up, else as a guest, straight to where it said that it is.

use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;
use wayside_bridge::Entropy;
use wayside_noise::{Link, Remote};
use wayside_proto::crypto::keys::{AccountId, DeviceId};

use super::choice::{Known, rank};
use super::{Offered, Relays, lock};
use crate::clock::SystemEntropy;
use crate::driver::Driver;
use crate::links::address;

/// A link with a friend who lets us use its machine. A guest's link is kept for as long as anybody has this, and a minute longer.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    link: Link,
    _using: Option<Arc<()>>,
}

impl Reached {
    /// Whether we are a guest there, rather than the friend.
    pub(crate) const fn is_guest(&self) -> bool {
        self._using.is_some()
    }
}

impl Deref for Reached {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

/// What is known of the way to one device.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// Held by whoever dials.
    dialling: Arc<tokio::sync::Mutex<()>>,
    guest: Option<(Link, Weak<()>)>,
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
        let using = Arc::new(());
        if let Some(way) = lock(&relays.0.paths).get_mut(&device) {
            way.guest = Some((link.clone(), Arc::downgrade(&using)));
        }
        self.spawn(close_unused(relays.clone(), device, link.clone()));
        self.spawn(hear(self.clone(), offered.account, link.clone()));
        Some(Reached { link, _using: Some(using) })
    }

    /// The friend's own link, where it leads straight to that device: frames of a circuit do not go through another one.
    fn friends_link(&self, account: &AccountId, device: DeviceId) -> Option<Reached> {
        let live = self.links().of(account)?;
        let is_direct = live.peer.device == device && !live.ended() && live.peer.link.tunnel().is_none();
        let link = live.peer.link;
        self.relays().learn_rtt(device, link.rtt());
        is_direct.then_some(Reached { link, _using: None })
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
        let around = self.reach().told().borrow().surroundings.clone();
        // A friend names them, but it may be mistaken, or worse: nothing is sent where no peer is.
        let remotes = offered.remotes().filter(|remote| match remote {
            Remote::Udp(address) | Remote::Tcp(address) => around.place(*address).is_ok(),
            _ => false,
        });
        let remotes: Vec<_> = remotes.collect();
        let mut session = [0; 16];
        SystemEntropy.fill(&mut session);
        let linked = self.reach().endpoint()?.connect(gate.dialled(session), remotes, patience).await;
        match linked {
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
        let offers = lock(&self.0.offers);
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
        if let Some((link, _)) = gone {
            link.close("no friends any more");
        }
    }

    fn guests_link(&self, device: DeviceId) -> Option<Reached> {
        use futures::FutureExt;
        let mut paths = lock(&self.0.paths);
        let way = paths.get_mut(&device)?;
        let (link, using) = way.guest.as_mut()?;
        if link.closed().now_or_never().is_some() {
            way.guest = None;
            return None;
        }
        let used = using.upgrade().unwrap_or_default();
        *using = Arc::downgrade(&used);
        Some(Reached { link: link.clone(), _using: Some(used) })
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
            self.0.changed.send_replace(());
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
            self.0.changed.send_replace(());
        }
    }
}

/// Closes a guest's link once nobody has used it for a while.
async fn close_unused(relays: Relays, device: DeviceId, link: Link) {
    let mut unused = None;
    loop {
        tokio::select! {
            _ = link.closed() => return,
            () = tokio::time::sleep(DISUSE / 6) => {}
        }
        let is_used = {
            let paths = lock(&relays.0.paths);
            let guest = paths.get(&device).and_then(|way| way.guest.as_ref());
            guest.is_some_and(|(it, using)| it.number() == link.number() && using.strong_count() > 0)
        };
        if is_used {
            unused = None;
        } else if unused.get_or_insert_with(Instant::now).elapsed() >= DISUSE {
            return link.close("not used any more");
        }
    }
}

#[cfg(test)]
impl Relays {
    /// The links that were dialled as a guest, by device.
    pub(crate) fn guest_links(&self) -> std::collections::BTreeMap<DeviceId, Link> {
        let paths = lock(&self.0.paths);
        let guests = paths.iter().filter_map(|(device, way)| Some((*device, way.guest.as_ref()?.0.clone())));
        guests.collect()
    }
}
