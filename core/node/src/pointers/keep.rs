//! Has pointers lie where they are to lie: published, made anew before they end, taken back.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use wayside_proto::UnixMillis;
use wayside_proto::engine::{BridgeName, CommandError, PointerOptions};
use wayside_proto::pointer::{Pointer, PointerName};

use super::Pointers;
use super::place::{PlaceAt, take_back};
use crate::api::types::{ApiError, ErrorCode, NodeEvent};
use crate::store::{Leftover, Placed, StoredPointer};

/// How often it is looked at where nothing says that something has changed.
const LOOK: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 600 });
/// How often it is looked whether a pointer still lies where it was left.
const SEE: Duration = Duration::from_secs(86_400);
/// What is made for less is for a moment: it is not made anew.
const MOMENT: Duration = Duration::from_secs(3600);
/// The most records that are to be taken back, of one name: beyond it the oldest are left to their end.
const MOST_LEFTOVERS: usize = 16;

/// What is to be published.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) name: PointerName,
    /// Where knocks are looked for; empty: wherever works.
    pub(crate) points: Vec<String>,
    /// Where it is to lie, where the user says so.
    pub(crate) place: Option<String>,
    /// Whether it is written to a file.
    pub(crate) file: bool,
    pub(crate) lifetime: Duration,
}

/// Why no pointer was made.
#[derive(Debug)]
pub(crate) enum PublishError {
    /// The engine does not.
    Command(CommandError),
    /// Something else, in words.
    Api(ApiError),
}

impl<E: Into<ApiError>> From<E> for PublishError {
    fn from(error: E) -> Self {
        Self::Api(error.into())
    }
}

impl Pointers {
    /// Makes a pointer, or one in the place of another, and has it lie where it is wanted: it does when this returns.
    pub(crate) async fn publish(&self, wanted: Wanted) -> Result<(), PublishError> {
        let _one_at_a_time = self.0.doing.lock().await;
        let driver = &self.0.driver;
        let named = match &wanted.place {
            Some(place) => Some(PlaceAt::named(driver, place).await?),
            None => None,
        };
        let fresh = self.current(&wanted.name).await?.is_none();
        let pointer = self.make(&wanted.name, &wanted.points, wanted.lifetime).await?;
        let done = self.publish_made(&wanted, named, &pointer).await;
        if done.is_err() && fresh {
            let name = wanted.name.clone();
            // It was not there before and is of no use.
            let _ = driver.change(move |engine, now| engine.withdraw_pointer(now, &name)).await?;
        }
        Ok(done?)
    }

    async fn publish_made(
        &self,
        wanted: &Wanted,
        named: Option<PlaceAt>,
        pointer: &Pointer,
    ) -> Result<(), ApiError> {
        let place = match (named, wanted.file) {
            (Some(place), _) => Some(place),
            (None, true) => None,
            (None, false) => Some(PlaceAt::of(&self.0.driver, pointer).await?),
        };
        if let Some(place) = place {
            let (bridge, points) = (place.name.clone(), wanted.points.clone());
            let fresh = Placed {
                bridge,
                points,
                lifetime_secs: wanted.lifetime.as_secs(),
                receipt: None,
                until: UnixMillis::default(),
                seen: UnixMillis::default(),
            };
            self.lay(&place, pointer, fresh).await?;
        }
        if wanted.file {
            let mut stored = self.named(&wanted.name);
            stored.file_until = Some(pointer.expires());
            self.set(&wanted.name, stored).await?;
        }
        Ok(())
    }

    /// Withdraws a pointer, and takes back what lies somewhere. Returns the bridges where something still does, which is tried again later.
    pub(crate) async fn withdraw(&self, name: &PointerName) -> Result<BTreeSet<String>, ApiError> {
        let _one_at_a_time = self.0.doing.lock().await;
        let known = self.named(name);
        let mut stored = known.clone();
        // First of all it is to lie nowhere: else a crash in between would have it made anew.
        leave_over(&mut stored, None);
        stored.file_until = None;
        self.set(name, stored).await?;
        let withdrawn = name.clone();
        let done = self.0.driver.change(move |engine, now| engine.withdraw_pointer(now, &withdrawn)).await?;
        if done.is_err() && known == StoredPointer::default() {
            let message = format!("there is no pointer `{name}`: `wayside pointer list` lists them");
            return Err(ApiError::new(ErrorCode::NotFound, message));
        }
        self.take_back_leftovers(name).await?;
        Ok(self.named(name).leftovers.into_iter().map(|leftover| leftover.bridge).collect())
    }

    /// Takes back what lies at a bridge that is about to be removed. What cannot be now is, should it be added again.
    pub(crate) async fn leave_bridge(&self, bridge: &str) -> Result<(), ApiError> {
        let _one_at_a_time = self.0.doing.lock().await;
        let there = |stored: &StoredPointer| stored.placed.as_ref().is_some_and(|it| it.bridge == bridge);
        for (name, mut stored) in self.names().into_iter().filter(|(_, stored)| there(stored)) {
            leave_over(&mut stored, None);
            self.set(&name, stored).await?;
        }
        for name in self.names().into_keys() {
            self.take_back_leftovers(&name).await?;
        }
        Ok(())
    }

    /// Keeps pointers where they are to lie for as long as the node runs.
    pub(crate) async fn keep(self) {
        let mut events = self.0.driver.events();
        let mut ready = self.0.driver.ready();
        // The node is ending otherwise.
        let _ = ready.wait_for(|ready| *ready).await;
        loop {
            for name in self.names().into_keys() {
                let _one_at_a_time = self.0.doing.lock().await;
                if let Err(error) = self.see_to(&name).await {
                    tracing::debug!(%error, %name, "a pointer waits");
                }
            }
            tokio::select! {
                () = a_bridge_came_up(&mut events) => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Does what is due for one name.
    async fn see_to(&self, name: &PointerName) -> Result<(), ApiError> {
        let now = self.now().await?;
        let mut stored = self.named(name);
        if stored.file_until.is_some_and(|until| until < now) {
            stored.file_until = None;
            self.set(name, stored).await?;
        }
        self.take_back_leftovers(name).await?;
        let Some(placed) = self.named(name).placed else { return Ok(()) };
        let lifetime = Duration::from_secs(placed.lifetime_secs);
        let place = PlaceAt::named(&self.0.driver, &placed.bridge).await?;
        let current = self.current(name).await?;
        let lasts = |until: UnixMillis| until.since(now) >= lifetime / 3;
        match &current {
            Some(pointer) if placed.receipt.is_some() && lasts(placed.until) => {
                if now.since(placed.seen) < SEE {
                    return Ok(());
                }
                if place.has(pointer, placed.until).await? {
                    return self.seen(name, now).await;
                }
                tracing::info!(%name, bridge = placed.bridge, "a pointer has vanished, and is published again");
                self.lay(&place, pointer, Placed { receipt: None, ..placed }).await
            }
            _ if lifetime < MOMENT && current.is_none() => {
                let mut stored = self.named(name);
                leave_over(&mut stored, None);
                self.set(name, stored).await?;
                self.take_back_leftovers(name).await
            }
            Some(_) if lifetime < MOMENT && placed.receipt.is_some() => Ok(()),
            // Made for there and not published, since the node ended in between.
            Some(pointer) if placed.receipt.is_none() && lasts(pointer.expires()) => {
                self.lay(&place, pointer, placed).await
            }
            _ => {
                let configured = self.0.driver.bridges().await?;
                let mut points = placed.points.clone();
                points.retain(|point| configured.iter().any(|bridge| bridge.name == *point));
                match self.make(name, &points, lifetime).await {
                    Ok(pointer) => self.lay(&place, &pointer, placed).await,
                    Err(PublishError::Api(error)) => Err(error),
                    Err(PublishError::Command(error)) => {
                        Err(ApiError::new(ErrorCode::Bridge, error.to_string()))
                    }
                }
            }
        }
    }

    /// Publishes a pointer at a place, in the place of what lies there or elsewhere.
    async fn lay(&self, place: &PlaceAt, pointer: &Pointer, placed: Placed) -> Result<(), ApiError> {
        let name = pointer.name();
        let before = self.named(name);
        let mut stored = before.clone();
        // Kept before it is published, so that a crash in between leaves nothing that is not known of.
        let replaced = place.replaces().then_some(place.name.as_str());
        leave_over(&mut stored, replaced);
        stored.placed = Some(Placed { receipt: None, ..placed.clone() });
        self.set(name, stored.clone()).await?;
        let receipt = match place.publish(pointer).await {
            Ok(receipt) => receipt,
            Err(error) => {
                // What lay there still does.
                self.set(name, before).await?;
                return Err(error);
            }
        };
        let (until, seen) = (pointer.expires(), self.now().await?);
        stored.placed = Some(Placed { receipt: Some(receipt), until, seen, ..placed });
        self.set(name, stored).await?;
        // What takes longer is taken back later.
        let _ = self.take_back_leftovers(name).await;
        Ok(())
    }

    async fn take_back_leftovers(&self, name: &PointerName) -> Result<(), ApiError> {
        let now = self.now().await?;
        let mut stored = self.named(name);
        stored.leftovers.retain(|leftover| leftover.until > now);
        let bridges: BTreeSet<String> =
            stored.leftovers.iter().map(|leftover| leftover.bridge.clone()).collect();
        for bridge in bridges {
            let of_it = stored.leftovers.iter().filter(|leftover| leftover.bridge == bridge);
            let receipts = of_it.map(|leftover| leftover.receipt.clone()).collect();
            match take_back(&self.0.driver, &bridge, receipts).await {
                Ok(()) => stored.leftovers.retain(|leftover| leftover.bridge != bridge),
                Err(error) => tracing::debug!(%error, %name, "a pointer could not be taken back yet"),
            }
        }
        Ok(self.set(name, stored).await?)
    }

    async fn seen(&self, name: &PointerName, now: UnixMillis) -> Result<(), ApiError> {
        let mut stored = self.named(name);
        if let Some(placed) = &mut stored.placed {
            placed.seen = now;
        }
        Ok(self.set(name, stored).await?)
    }

    async fn make(
        &self,
        name: &PointerName,
        points: &[String],
        lifetime: Duration,
    ) -> Result<Pointer, PublishError> {
        let bridges = points.iter().cloned().map(BridgeName).collect();
        let options = PointerOptions { name: name.clone(), bridges, lifetime };
        let made = self.0.driver.change(move |engine, now| engine.make_pointer(now, &options)).await?;
        made.map_err(PublishError::Command)
    }

    /// The pointer of ours of this name that holds.
    async fn current(&self, name: &PointerName) -> Result<Option<Pointer>, ApiError> {
        let name = name.clone();
        let find =
            self.0.driver.look(move |engine, _| engine.pointers().find(|it| *it.name() == name).cloned());
        find.await
    }

    async fn now(&self) -> Result<UnixMillis, ApiError> {
        self.0.driver.look(|engine, now| engine.time(now)).await
    }
}

/// What lies somewhere is to be taken back, unless what comes now takes its place there.
fn leave_over(stored: &mut StoredPointer, replaced: Option<&str>) {
    // A receipt for what is replaced may stand for what replaces it.
    stored.leftovers.retain(|leftover| replaced != Some(leftover.bridge.as_str()));
    let Some(placed) = stored.placed.take() else { return };
    if let Some(receipt) = placed.receipt
        && replaced != Some(placed.bridge.as_str())
    {
        stored.leftovers.push(Leftover { bridge: placed.bridge, receipt, until: placed.until });
        let surplus = stored.leftovers.len().saturating_sub(MOST_LEFTOVERS);
        stored.leftovers.drain(..surplus);
    }
}

async fn a_bridge_came_up(events: &mut Receiver<NodeEvent>) {
    loop {
        match events.recv().await {
            Ok(NodeEvent::BridgeUp { .. }) | Err(RecvError::Lagged(_)) => return,
            Ok(_) => {}
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}
