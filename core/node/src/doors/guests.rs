//! Links that came in by a door: nameless, and for nothing but what is spoken with the guests of that friend.
//!
//! Nothing of a guest is kept, and nothing said of it above the level of debugging: a host need not know who writes to its friends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use wayside_noise::Link;
use wayside_proto::crypto::keys::AccountId;

use super::{DoorProtocols, lock};
use crate::driver::Driver;

/// The most links with guests at a time, and of them by one friend's door.
const MOST: usize = 1_024;
pub(super) const MOST_OF_ONE: usize = 64;
/// Streams of one guest that are served at the same time; further ones wait.
const STREAMS: usize = 16;
/// How long a guest may ask for nothing.
const IDLE: Duration = Duration::from_secs(if cfg!(test) { 3 } else { 30 });

/// All guests.
#[derive(Debug)]
pub(super) struct Guests {
    room: Arc<Semaphore>,
    /// Those that are here, by their links' numbers.
    here: Mutex<BTreeMap<u64, Guest>>,
}

#[derive(Debug)]
struct Guest {
    /// By whose door it came in.
    owner: AccountId,
    link: Link,
}

impl Default for Guests {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(MOST)), here: Mutex::default() }
    }
}

impl Guests {
    /// `false` where that door has too many guests already.
    fn came(&self, owner: AccountId, link: &Link) -> bool {
        let mut here = lock(&self.here);
        let is_welcome = here.values().filter(|guest| guest.owner == owner).count() < MOST_OF_ONE;
        if is_welcome {
            here.insert(link.number(), Guest { owner, link: link.clone() });
        }
        is_welcome
    }

    fn left(&self, link: &Link) {
        lock(&self.here).remove(&link.number());
    }

    /// A friend has no door here any more.
    pub(super) fn turn_out(&self, owner: &AccountId) {
        let here = lock(&self.here);
        here.values().filter(|guest| guest.owner == *owner).for_each(|guest| guest.link.close("no door"));
    }

    /// How many are here.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        lock(&self.here).len()
    }
}

/// Serves a guest until its link ends, or ends it.
pub(super) async fn serve(driver: Driver, owner: AccountId, link: Link, protocols: Arc<DoorProtocols>) {
    let guests = &driver.doors().0.guests;
    let Ok(_room) = Arc::clone(&guests.room).try_acquire_owned() else {
        return link.close("too many guests");
    };
    if !guests.came(owner, &link) {
        return link.close("too many guests at this door");
    }
    // The door may have been shut between its handshake and now.
    let why = if driver.doors().has(&owner) {
        let (count, _) = watch::channel(Count { streams: 0, since: Instant::now() });
        tokio::select! {
            _ = link.closed() => "ended",
            () = streams(owner, &link, &protocols, &count) => "ended",
            () = idle(&count) => "nothing is asked for",
        }
    } else {
        "no door"
    };
    link.close(why);
    guests.left(&link);
}

/// What a guest's link is used for.
struct Count {
    streams: usize,
    /// Since when it is so.
    since: Instant,
}

/// Waits until the guest has asked for nothing for too long.
async fn idle(count: &watch::Sender<Count>) {
    let mut changes = count.subscribe();
    loop {
        let due = {
            let count = changes.borrow_and_update();
            (count.streams == 0).then_some(count.since + IDLE)
        };
        let over = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = over => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

async fn streams(owner: AccountId, link: &Link, protocols: &DoorProtocols, count: &watch::Sender<Count>) {
    let mut served = JoinSet::new();
    loop {
        tokio::select! {
            accepted = link.accept(), if served.len() < STREAMS => {
                let Ok((name, stream)) = accepted else { return };
                let Some(protocol) = protocols.get(name.as_str()).map(Arc::clone) else { continue };
                let link = link.clone();
                served.spawn(async move { protocol.accept(owner, link, stream).await });
            }
            Some(_) = served.join_next() => {}
        }
        count.send_replace(Count { streams: served.len(), since: Instant::now() });
    }
}
