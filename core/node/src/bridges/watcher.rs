//! Looking for records: pushed or polled, listed or by key.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::{mpsc, watch};
use wayside_bridge::{
    Batch, BridgeError, Cursor, Delivery, ErrorKind, Fetch, Keys, Locator, Lookup, Place, RecordStream,
    SharedBridge, Slot, Watch,
};
use wayside_proto::UnixMillis;
use wayside_proto::engine::{BridgeName, Found, Input, Space};
use wayside_proto::meet::slot::SlotId;

use super::unmatched::Unmatched;
use super::{Report, Slots};

/// Watches at one bridge until it fails.
pub(super) struct Watcher<'a> {
    pub(super) name: &'a BridgeName,
    pub(super) bridge: &'a SharedBridge,
    pub(super) found: &'a mpsc::Sender<Report>,
}

/// What woke a watch: news, or other slots to watch.
enum Woken {
    News(Option<Result<Batch, BridgeError>>),
    Slots,
}

impl Watcher<'_> {
    /// Watches what is wanted; returns when the bridge fails.
    pub(super) async fn run(&self, mut wanted: watch::Receiver<Slots>) -> BridgeError {
        loop {
            let slots = wanted.borrow_and_update().clone();
            let Err(error) = (match slots.is_empty() {
                true => wanted.changed().await.map_err(|_| ended()),
                false => match self.bridge.capability().lookup {
                    Lookup::List => self.listed(&mut wanted).await,
                    Lookup::Key => self.by_key(slots, &mut wanted).await,
                },
            }) else {
                continue;
            };
            // A watcher that was too slow starts again where it was told to, right away.
            if error.kind() != ErrorKind::Lagged {
                return error;
            }
        }
    }

    /// A place that can be listed: everything once, then news, and what is not wanted is kept for later. Other slots cost no request.
    async fn listed(&self, wanted: &mut watch::Receiver<Slots>) -> Result<(), BridgeError> {
        let mut unmatched = Unmatched::default();
        let mut news = self.news(Place::Own, Keys::All).await?;
        let mut slots = own(&wanted.borrow_and_update());
        loop {
            match woken(&mut news, wanted).await? {
                Woken::News(Some(batch)) => {
                    let batch = batch?;
                    let records = unmatched.sift(batch.records, &slots);
                    self.report(Space::Own, records, batch.service_time.map(|time| time.as_secs())).await;
                }
                Woken::News(None) => {
                    return Err(BridgeError::new(ErrorKind::Unreachable, "the bridge stopped watching"));
                }
                Woken::Slots => {
                    let now = own(&wanted.borrow_and_update());
                    if now.is_empty() {
                        return Ok(());
                    }
                    let grown = !now.is_subset(&slots);
                    slots = now;
                    self.report(Space::Own, unmatched.take(&slots), None).await;
                    if grown && unmatched.forgot() {
                        return Ok(()); // lists the place anew
                    }
                }
            }
        }
    }

    /// A place where one must know the key: one stream for each space, anew whenever other slots are wanted.
    async fn by_key(&self, slots: Slots, wanted: &mut watch::Receiver<Slots>) -> Result<(), BridgeError> {
        let mut streams = Vec::new();
        for (space, slots) in slots {
            let Some(place) = place(&space) else { continue };
            let keys = slots.iter().map(|slot| Slot(slot.0)).collect();
            let news = match self.news(place, keys).await {
                Ok(news) => news,
                // A friend's space that is away does not take our own with it.
                Err(error) if space != Space::Own => {
                    tracing::debug!(?space, %error, "a friend's space cannot be read");
                    continue;
                }
                Err(error) => return Err(error),
            };
            streams.push(news.map(move |batch| (space.clone(), batch)).boxed());
        }
        let mut news = futures::stream::select_all(streams);
        loop {
            tokio::select! {
                changed = wanted.changed() => return changed.map_err(|_| ended()),
                batch = news.next() => match batch {
                    Some((space, Ok(batch))) => {
                        let records = batch.records.into_iter().filter_map(|record| match record.key {
                            wayside_bridge::Key::Slot(slot) => {
                                Some(Found { slot: SlotId(slot.0), bytes: record.bytes.to_vec() })
                            }
                            wayside_bridge::Key::Name(_) => None,
                        });
                        let time = batch.service_time.map(|time| time.as_secs());
                        self.report(space, records.collect(), time).await;
                    }
                    Some((Space::Own, Err(error))) => return Err(error),
                    Some((space, Err(error))) => tracing::debug!(?space, %error, "a friend's space cannot be read"),
                    None => return Err(BridgeError::new(ErrorKind::Unreachable, "the bridge stopped watching")),
                },
            }
        }
    }

    /// Batches as they come, pushed by the bridge or polled.
    async fn news(&self, place: Place, keys: Keys) -> Result<RecordStream, BridgeError> {
        match self.bridge.capability().delivery {
            Delivery::Push { .. } => self.bridge.watch(Watch::new(place, keys)).await,
            Delivery::Poll { interval } => Ok(poll(SharedBridge::clone(self.bridge), place, keys, interval)),
        }
    }

    async fn report(&self, space: Space, records: Vec<Found>, service_secs: Option<u64>) {
        // Nobody listens any more when the node ends.
        if let Some(secs) = service_secs {
            let time = UnixMillis::from_secs(secs);
            let _ =
                self.found.send(Report::Input(Input::ServiceTime { bridge: self.name.clone(), time })).await;
        }
        if !records.is_empty() {
            let input = Input::Records { bridge: self.name.clone(), space, records };
            let _ = self.found.send(Report::Input(input)).await;
        }
    }
}

async fn woken(news: &mut RecordStream, wanted: &mut watch::Receiver<Slots>) -> Result<Woken, BridgeError> {
    tokio::select! {
        changed = wanted.changed() => changed.map(|()| Woken::Slots).map_err(|_| ended()),
        batch = news.next() => Ok(Woken::News(batch)),
    }
}

/// Fetches now and then: all that there is, then what is new, one request a poll when nothing is.
fn poll(bridge: SharedBridge, place: Place, keys: Keys, interval: Duration) -> RecordStream {
    struct State {
        request: Fetch,
        cursor: Option<Cursor>,
        more: bool,
        first: bool,
    }
    let state = State { request: Fetch::new(place, keys), cursor: None, more: true, first: true };
    futures::stream::try_unfold((bridge, state), move |(bridge, mut state)| async move {
        if !state.more && !state.first {
            tokio::time::sleep(interval).await;
        }
        let batch = bridge.fetch(state.request.clone().after(state.cursor.clone())).await?;
        state.more = batch.more;
        state.first = false;
        state.cursor.clone_from(&batch.cursor);
        Ok(Some((batch, (bridge, state))))
    })
    .boxed()
}

fn own(slots: &Slots) -> BTreeSet<SlotId> {
    slots.get(&Space::Own).cloned().unwrap_or_default()
}

fn place(space: &Space) -> Option<Place> {
    match space {
        Space::Own => Some(Place::Own),
        Space::Of(locator) => Locator::new(locator.kind(), locator.address()).map(Place::Of),
    }
}

fn ended() -> BridgeError {
    BridgeError::new(ErrorKind::Internal, "the node ends")
}
