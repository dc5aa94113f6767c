//! Looking for records: pushed or polled, listed or by key.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll};
use tokio::sync::watch;
use wayside_bridge::{
    Batch, BridgeError, Cursor, Delivery, ErrorKind, Fetch, Keys, Locator, Lookup, Place, RecordStream,
    SharedBridge, Slot, Watch,
};
use wayside_proto::UnixMillis;
use wayside_proto::engine::{Found, Input, Space};
use wayside_proto::meet::slot::SlotId;

use super::seen::{self, Seen};
use super::{Reporter, Slots};

/// Watches at one bridge until it fails.
pub(super) struct Watcher<'a> {
    pub(super) bridge: &'a SharedBridge,
    pub(super) reporter: &'a Reporter,
}

/// Batches of every space that is watched.
type News = SelectAll<BoxStream<'static, (Space, Result<Batch, BridgeError>)>>;

/// What woke a watch: news, or other slots to watch.
enum Woken {
    News(Space, Batch),
    Slots(Slots),
}

/// How long a watch that was too slow waits before it starts again.
const LAGGED: Duration = Duration::from_secs(1);
/// How soon a friend's space that could not be read is tried again, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(3600));
/// The most batches that are fetched without a pause: a service that always has more is hostile.
const MOST_PAGES: u32 = 256;

impl Watcher<'_> {
    /// Watches what is wanted; returns when the bridge fails.
    pub(super) async fn run(&self, mut wanted: watch::Receiver<Slots>) -> BridgeError {
        loop {
            let slots = wanted.borrow_and_update().clone();
            let Err(error) = (match slots.is_empty() {
                true => wanted.changed().await.map_err(|_| ended()),
                false => match self.bridge.capability().lookup {
                    Lookup::List => self.listed(slots, &mut wanted).await,
                    Lookup::Key => self.by_key(slots, &mut wanted).await,
                },
            }) else {
                continue;
            };
            if error.kind() != ErrorKind::Lagged {
                return error;
            }
            tokio::time::sleep(LAGGED).await;
        }
    }

    /// Places that can be listed: everything once, then news, and what is not wanted is kept for later. Other slots cost no request; other places and
    /// slots whose records may have been forgotten have it return, to list anew.
    async fn listed(&self, mut slots: Slots, wanted: &mut watch::Receiver<Slots>) -> Result<(), BridgeError> {
        let mut news = self.open(slots.keys().map(|space| (space.clone(), Keys::All))).await?;
        let mut seen: BTreeMap<Space, Seen> =
            slots.keys().map(|space| (space.clone(), Seen::new(most(space)))).collect();
        loop {
            match woken(&mut news, wanted).await? {
                Woken::News(space, batch) => {
                    let (Some(seen), Some(slots)) = (seen.get_mut(&space), slots.get(&space)) else {
                        continue;
                    };
                    self.service_time(&space, &batch).await;
                    self.report(space, seen.sift(batch.records, slots)).await;
                }
                Woken::Slots(now) => {
                    if !now.keys().eq(slots.keys()) {
                        return Ok(());
                    }
                    for (space, wanted) in &now {
                        let (Some(seen), Some(before)) = (seen.get(space), slots.get(space)) else {
                            continue;
                        };
                        let new: BTreeSet<SlotId> = wanted.difference(before).copied().collect();
                        if seen.lacks(&new) {
                            return Ok(());
                        }
                        self.report(space.clone(), seen.of(new.iter())).await;
                    }
                    slots = now;
                }
            }
        }
    }

    /// Places where one must know the key: asked anew whenever other slots are wanted.
    async fn by_key(&self, slots: Slots, wanted: &mut watch::Receiver<Slots>) -> Result<(), BridgeError> {
        let keys = |slots: BTreeSet<SlotId>| slots.into_iter().map(|slot| Slot(slot.0)).collect::<Keys>();
        let mut news = self.open(slots.into_iter().map(|(space, slots)| (space, keys(slots)))).await?;
        loop {
            match woken(&mut news, wanted).await? {
                Woken::Slots(_) => return Ok(()),
                Woken::News(space, batch) => {
                    self.service_time(&space, &batch).await;
                    let records = batch.records.into_iter().filter_map(|record| match record.key {
                        wayside_bridge::Key::Slot(slot) => {
                            Some(Found { slot: SlotId(slot.0), bytes: record.bytes.to_vec() })
                        }
                        wayside_bridge::Key::Name(_) => None,
                    });
                    self.report(space, records.collect()).await;
                }
            }
        }
    }

    async fn open(&self, spaces: impl Iterator<Item = (Space, Keys)>) -> Result<News, BridgeError> {
        let mut all = SelectAll::new();
        for (space, keys) in spaces {
            let Some(place) = place(&space) else { continue };
            let stream = match space {
                Space::Own => news(self.bridge, place, keys).await?,
                // A friend's space that is away does not take our own with it.
                Space::Of(_) => patient(SharedBridge::clone(self.bridge), place, keys),
            };
            all.push(stream.map(move |batch| (space.clone(), batch)).boxed());
        }
        Ok(all)
    }

    /// A friend's server does not tell us the time.
    async fn service_time(&self, space: &Space, batch: &Batch) {
        if let (Space::Own, Some(time)) = (space, batch.service_time) {
            let time = UnixMillis::from_secs(time.as_secs());
            let bridge = self.reporter.bridge.clone();
            self.reporter.input(Input::ServiceTime { bridge, time }).await;
        }
    }

    async fn report(&self, space: Space, records: Vec<Found>) {
        if !records.is_empty() {
            let bridge = self.reporter.bridge.clone();
            self.reporter.input(Input::Records { bridge, space, records }).await;
        }
    }
}

async fn woken(news: &mut News, wanted: &mut watch::Receiver<Slots>) -> Result<Woken, BridgeError> {
    let stopped = || BridgeError::new(ErrorKind::Unreachable, "the bridge stopped watching");
    tokio::select! {
        changed = wanted.changed() => match changed {
            Ok(()) => Ok(Woken::Slots(wanted.borrow_and_update().clone())),
            Err(_) => Err(ended()),
        },
        batch = news.next() => match batch {
            Some((space, batch)) => Ok(Woken::News(space, batch?)),
            None => Err(stopped()),
        },
    }
}

/// Batches as they come, pushed by the bridge or polled.
async fn news(bridge: &SharedBridge, place: Place, keys: Keys) -> Result<RecordStream, BridgeError> {
    match bridge.capability().delivery {
        Delivery::Push { .. } => {
            let watching = bridge.watch(Watch::new(place, keys)).await?;
            let stopped = BridgeError::new(ErrorKind::Unreachable, "the bridge stopped watching");
            Ok(watching.chain(futures::stream::iter([Err(stopped)])).boxed())
        }
        Delivery::Poll { interval } => Ok(poll(SharedBridge::clone(bridge), place, keys, interval)),
    }
}

/// The same, opened again and again, less and less often, for as long as it fails.
fn patient(bridge: SharedBridge, place: Place, keys: Keys) -> RecordStream {
    let state = (None::<RecordStream>, AGAIN.0);
    futures::stream::unfold(state, move |(mut stream, mut wait)| {
        let (bridge, place, keys) = (SharedBridge::clone(&bridge), place.clone(), keys.clone());
        async move {
            loop {
                let next = match &mut stream {
                    Some(open) => open.next().await.unwrap_or_else(|| Err(ended())),
                    None => match news(&bridge, place.clone(), keys.clone()).await {
                        Ok(opened) => {
                            stream = Some(opened);
                            continue;
                        }
                        Err(error) => Err(error),
                    },
                };
                match next {
                    Ok(batch) => return Some((Ok(batch), (stream, AGAIN.0))),
                    Err(error) => tracing::debug!(?place, %error, "a friend's space cannot be read"),
                }
                stream = None;
                tokio::time::sleep(wait).await;
                wait = wait.saturating_mul(2).min(AGAIN.1);
            }
        }
    })
    .boxed()
}

/// Fetches now and then: all that there is, then what is new, one request a poll when nothing is.
fn poll(bridge: SharedBridge, place: Place, keys: Keys, interval: Duration) -> RecordStream {
    struct State {
        request: Fetch,
        cursor: Option<Cursor>,
        pages: u32,
        pause: bool,
    }
    let state = State { request: Fetch::new(place, keys), cursor: None, pages: 0, pause: false };
    futures::stream::try_unfold((bridge, state), move |(bridge, mut state)| async move {
        if state.pause {
            tokio::time::sleep(interval).await;
            state.pages = 0;
        }
        let batch = bridge.fetch(state.request.clone().after(state.cursor.clone())).await?;
        state.pages = state.pages.saturating_add(1);
        state.pause = !batch.more || state.pages >= MOST_PAGES;
        state.cursor.clone_from(&batch.cursor);
        Ok(Some((batch, (bridge, state))))
    })
    .boxed()
}

const fn most(space: &Space) -> usize {
    match space {
        Space::Own => seen::MOST,
        Space::Of(_) => seen::MOST_OF_FRIEND,
    }
}

fn place(space: &Space) -> Option<Place> {
    match space {
        Space::Own => Some(Place::Own),
        Space::Of(locator) => Locator::new(locator.kind(), locator.address()).map(Place::Of),
    }
}

fn ended() -> BridgeError {
    BridgeError::new(ErrorKind::Internal, "the watch ended")
}

#[cfg(test)]
#[path = "watcher_tests.rs"]
mod tests;
