//! To a host as a guest: straight to where it said that it is, again and again while anybody waits for it; and, at the same time, a knock at its places.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use wayside_noise::Link;
use wayside_proto::engine::Engine;
use wayside_proto::mailbox::wire::HostEntry;

use super::{Doors, keys, lock};
use crate::clock::SystemEntropy;
use crate::driver::Driver;
use crate::guests::visit::{Visit, Visited, close_unused};

/// How long a host may take to answer where it said that it is.
const PATIENCE: Duration = Duration::from_secs(5);
/// After how long it is tried there again, the first time and at most.
const PAUSE: Duration = Duration::from_secs(5);
const MOST_PAUSE: Duration = Duration::from_secs(120);
/// How long it has to be there before it is knocked at its places: a record that lies there tells that somebody wants something of somebody.
const HEAD_START: Duration = Duration::from_secs(1);
/// How long a link is kept that nobody uses.
const DISUSE: Duration = Duration::from_secs(if cfg!(test) { 3 } else { 60 });
/// The most hosts that are known here at a time: beyond it those are forgotten with whom nothing is under way.
const MOST: usize = 1_024;

/// What is known of one host.
#[derive(Debug, Default)]
pub(super) struct Host {
    linked: Option<Visited>,
    /// Looks for it, as long as anybody waits.
    seeking: Weak<Seeking>,
}

/// Somebody waits for a host. Dropping the last one ends the search.
#[derive(Debug)]
struct Seeking {
    /// Where it may be, as whoever came last said.
    entry: watch::Sender<HostEntry>,
    /// Changes once there is a link.
    found: watch::Sender<()>,
    _end: DropGuard,
}

impl Driver {
    pub(super) async fn reach_host(&self, entry: &HostEntry, until: Instant) -> Option<Visit> {
        if self.doors().whose(&entry.guest).is_some() {
            return None;
        }
        loop {
            let (seeking, mut found) = match self.doors().look(entry) {
                Look::Linked(link) => return Some(link),
                Look::Seeking(seeking) => {
                    let found = seeking.found.subscribe();
                    (seeking, found)
                }
                Look::Begin(seeking, end) => {
                    let found = seeking.found.subscribe();
                    let (driver, guest) = (self.clone(), entry.guest);
                    let search = search(self.clone(), Arc::downgrade(&seeking));
                    self.spawn(async move {
                        end.run_until_cancelled(search).await;
                        driver.unknock(guest).await;
                    });
                    (seeking, found)
                }
            };
            // It may have been found between the look and now.
            if let Some(link) = self.doors().linked(&entry.guest) {
                return Some(link);
            }
            let waited = tokio::select! {
                waited = tokio::time::timeout_at(until, found.changed()) => waited,
                () = self.ending().cancelled() => return None,
            };
            drop(seeking);
            if waited.is_err() {
                return None;
            }
        }
    }

    /// Knocks at a host's places, or says anew where they are.
    async fn knock(&self, entry: HostEntry) {
        let doors = self.doors().clone();
        let knock = move |engine: &mut Engine, now| {
            if doors.is_sought(&entry.guest) {
                engine.knock(now, &entry);
            }
        };
        if let Err(error) = self.change(knock).await {
            tracing::debug!(%error, "nobody knocks at a host's door");
        }
    }

    /// The search is over, unless another one has begun.
    async fn unknock(&self, guest: [u8; 32]) {
        let doors = self.doors().clone();
        let unknock = move |engine: &mut Engine, now| {
            if !doors.is_sought(&guest) {
                engine.unknock(now, &guest);
            }
        };
        // Taken back while the disk takes nothing: the next start does it.
        if let Err(error) = self.change(unknock).await {
            tracing::debug!(%error, "a knock stays");
        }
    }

    async fn dial_host(&self, entry: &HostEntry) -> Option<Link> {
        let dialled = keys::dialled(entry, SystemEntropy::draw());
        let linked = self.dial_as_guest(dialled, &entry.candidates, PATIENCE).await?;
        linked.inspect_err(|error| tracing::debug!(%error, "a host is not where it was")).ok()
    }

    /// A link with a host as its guest is up, by whatever way. Where there is one already, that one stays.
    pub(crate) fn host_linked(&self, guest: [u8; 32], link: Link) {
        let doors = self.doors();
        let mut hosts = lock(&doors.0.hosts);
        let host = hosts.entry(guest).or_default();
        if host.linked.as_ref().is_some_and(|linked| !linked.has_ended()) {
            return link.close("another link survives");
        }
        host.linked = Some(Visited::new(link.clone()));
        if let Some(seeking) = host.seeking.upgrade() {
            seeking.found.send_replace(());
        }
        host.seeking = Weak::new();
        drop(hosts);
        let doors = doors.clone();
        self.spawn(async move {
            close_unused(&link, DISUSE, || doors.is_used(&guest, &link)).await;
            doors.let_go(&guest, &link);
        });
    }
}

/// Looks for a host until it is found or nobody waits any more.
async fn search(driver: Driver, seeking: Weak<Seeking>) {
    let mut pause = PAUSE;
    loop {
        let Some(entry) = seeking.upgrade().map(|it| it.entry.borrow().clone()) else { return };
        let dial = driver.dial_host(&entry);
        tokio::pin!(dial);
        let linked = match tokio::time::timeout(HEAD_START, &mut dial).await {
            Ok(Some(link)) => Some(link),
            Ok(None) => {
                driver.knock(entry.clone()).await;
                None
            }
            Err(_) => tokio::join!(dial, driver.knock(entry.clone())).0,
        };
        if let Some(link) = linked {
            return driver.host_linked(entry.guest, link);
        }
        let Some(mut changed) = seeking.upgrade().map(|it| it.entry.subscribe()) else { return };
        // Whoever comes while it is looked for may know better where it is.
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            Ok(_) = changed.wait_for(|it| (&it.candidates, &it.points) != (&entry.candidates, &entry.points)) => {}
        }
        pause = (pause * 2).min(MOST_PAUSE);
    }
}

enum Look {
    Linked(Visit),
    Seeking(Arc<Seeking>),
    Begin(Arc<Seeking>, CancellationToken),
}

impl Doors {
    fn look(&self, entry: &HostEntry) -> Look {
        let mut hosts = lock(&self.0.hosts);
        if hosts.len() >= MOST && !hosts.contains_key(&entry.guest) {
            hosts.retain(|_, host| host.linked.is_some() || host.seeking.strong_count() > 0);
        }
        let host = hosts.entry(entry.guest).or_default();
        if let Some(link) = host.linked.as_mut().and_then(Visited::visit) {
            return Look::Linked(link);
        }
        if let Some(seeking) = host.seeking.upgrade() {
            let _ = seeking.entry.send_if_modified(|known| {
                let is_news = known != entry;
                known.clone_from(entry);
                is_news
            });
            return Look::Seeking(seeking);
        }
        let end = CancellationToken::new();
        let seeking = Arc::new(Seeking {
            entry: watch::Sender::new(entry.clone()),
            found: watch::Sender::new(()),
            _end: end.clone().drop_guard(),
        });
        host.seeking = Arc::downgrade(&seeking);
        Look::Begin(seeking, end)
    }

    /// Whether anybody waits for this host.
    fn is_sought(&self, guest: &[u8; 32]) -> bool {
        lock(&self.0.hosts).get(guest).is_some_and(|host| host.seeking.strong_count() > 0)
    }

    fn linked(&self, guest: &[u8; 32]) -> Option<Visit> {
        lock(&self.0.hosts).get_mut(guest)?.linked.as_mut()?.visit()
    }

    fn is_used(&self, guest: &[u8; 32], link: &Link) -> bool {
        let hosts = lock(&self.0.hosts);
        let linked = hosts.get(guest).and_then(|host| host.linked.as_ref());
        linked.is_some_and(|it| it.is(link) && it.is_used())
    }

    fn let_go(&self, guest: &[u8; 32], link: &Link) {
        let mut hosts = lock(&self.0.hosts);
        let Some(host) = hosts.get_mut(guest) else { return };
        host.linked.take_if(|it| it.is(link));
        if host.linked.is_none() && host.seeking.strong_count() == 0 {
            hosts.remove(guest);
        }
    }
}
