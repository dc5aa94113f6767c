//! Guests that are in: so many and no more, with so many streams, and only as long as they ask for something.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use wayside_noise::{Link, Stream};
use wayside_proto::crypto::keys::AccountId;

use crate::lock::lock;

/// The most links with guests of a kind at a time.
const MOST: usize = 1_024;
/// How long a guest may take to show for whom it comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 10 });

/// What guests may cost.
#[derive(Debug)]
pub(crate) struct Bounds {
    /// The most links of them that are counted together.
    pub(crate) of_one: usize,
    /// Streams of one guest that are served at the same time; further ones wait.
    pub(crate) streams: usize,
    /// How long a guest may ask for nothing.
    pub(crate) idle: Duration,
}

/// All guests of a kind.
#[derive(Debug)]
pub(crate) struct Guests {
    bounds: Bounds,
    room: Arc<Semaphore>,
    /// For whom those are here of whom that is known, by their links' numbers.
    known: Mutex<BTreeMap<u64, Known>>,
}

#[derive(Debug)]
struct Known {
    /// The friend who answers for it.
    account: AccountId,
    /// With whom it is counted.
    counted: [u8; 32],
    link: Link,
}

/// A guest that is in, and is in no longer once the last of these is dropped.
#[derive(Debug)]
pub(crate) struct Guest {
    guests: Arc<Guests>,
    pub(crate) link: Link,
    usage: watch::Sender<Usage>,
    _room: OwnedSemaphorePermit,
}

/// What a guest's link is used for.
#[derive(Debug)]
struct Usage {
    streams: usize,
    /// Since when: it came, or nothing was asked for any more.
    since: Instant,
    /// Whether it is known for whom it is here.
    is_known: bool,
}

impl Guests {
    /// None yet.
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, room: Arc::new(Semaphore::new(MOST)), known: Mutex::default() }
    }

    /// A guest has come in. `None` where there are too many, and its link is closed.
    pub(crate) fn came(self: &Arc<Self>, link: Link) -> Option<Arc<Guest>> {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            link.close("too many guests");
            return None;
        };
        let usage = watch::Sender::new(Usage { streams: 0, since: Instant::now(), is_known: false });
        Some(Arc::new(Guest { guests: Arc::clone(self), link, usage, _room: room }))
    }

    /// A friend may have no guests here any more.
    pub(crate) fn turn_out(&self, account: &AccountId, why: &str) {
        let known = lock(&self.known);
        known.values().filter(|it| it.account == *account).for_each(|it| it.link.close(why));
    }

    /// How many are here of whom it is known for whom.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        lock(&self.known).len()
    }
}

impl Guest {
    /// It is here for this friend, and counted with others. `false` where too many of those are here.
    pub(crate) fn is_welcome(&self, account: AccountId, counted: [u8; 32]) -> bool {
        let mut known = lock(&self.guests.known);
        let number = self.link.number();
        let others = known.iter().filter(|(other, it)| **other != number && it.counted == counted).count();
        let is_welcome = others < self.guests.bounds.of_one;
        if is_welcome {
            known.entry(number).or_insert_with(|| Known { account, counted, link: self.link.clone() });
            self.usage.send_modify(|usage| usage.is_known = true);
        }
        is_welcome
    }

    /// Waits until it is known for whom it is here.
    pub(crate) async fn known(&self) {
        // That does not fail: the sender is here.
        let _ = self.usage.subscribe().wait_for(|usage| usage.is_known).await;
    }

    /// Serves its streams, each as `accept` says if it does, until the link ends, or ends it.
    pub(crate) async fn serve<F>(&self, accept: impl FnMut(&str, Stream) -> Option<F>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let why = tokio::select! {
            _ = self.link.closed() => "ended",
            () = self.streams(accept) => "ended",
            () = self.idle() => "nothing is asked for",
        };
        self.link.close(why);
    }

    async fn streams<F>(&self, mut accept: impl FnMut(&str, Stream) -> Option<F>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut served = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.link.accept(), if served.len() < self.guests.bounds.streams => {
                    let Ok((name, stream)) = accepted else { return };
                    let Some(serving) = accept(name.as_str(), stream) else { continue };
                    served.spawn(serving);
                    self.usage.send_modify(|usage| usage.streams = served.len());
                }
                Some(_) = served.join_next() => self.usage.send_modify(|usage| {
                    usage.streams = served.len();
                    if usage.is_known {
                        usage.since = Instant::now();
                    }
                }),
            }
        }
    }

    /// Waits until it has not been said for whom it is here for too long, or nothing was asked for.
    async fn idle(&self) {
        let mut changes = self.usage.subscribe();
        loop {
            let due = {
                let usage = changes.borrow_and_update();
                match (usage.is_known, usage.streams) {
                    (false, _) => Some(usage.since + PATIENCE),
                    (true, 0) => Some(usage.since + self.guests.bounds.idle),
                    (true, _) => None,
                }
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
}

impl Drop for Guest {
    fn drop(&mut self) {
        lock(&self.guests.known).remove(&self.link.number());
    }
}
