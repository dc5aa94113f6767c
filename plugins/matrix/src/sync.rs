//! Listening: one long poll at a time, and what it brings is taken in.

use std::sync::{Arc, Weak};
use std::time::Duration;

use matrix_sdk::config::SyncSettings;
use matrix_sdk::ruma::api::client::filter::{
    Filter, FilterDefinition, LazyLoadOptions, RoomEventFilter, RoomFilter,
};
use matrix_sdk::ruma::api::client::sync::sync_events;
use matrix_sdk::ruma::presence::PresenceState;
use matrix_sdk::ruma::{OwnedRoomId, UInt};
use matrix_sdk::sync::{LeftRoomUpdate, SyncResponse, Timeline};
use matrix_sdk::{Client, RoomState};
use tokio::sync::{OwnedMutexGuard, watch};

use crate::error::{MatrixError, of_sdk, said};
use crate::event::{Event, What};
use crate::place::Place;
use crate::sdk;
use crate::walk::{self, MOST_EVENTS, REACH, Until};

/// How long a poll may stay pending.
const POLL: Duration = Duration::from_secs(30);
/// The most events of a room in one answer; what is left out is fetched.
const MOST_AT_ONCE: u32 = 100;
/// The longest between two tries of a homeserver that is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How soon to look whether a person has done something about it.
const LOOK_AGAIN: Duration = Duration::from_secs(600);

/// What is asked of the homeserver: these rooms alone, without typing and receipts and presence, and without being shown as present.
pub(crate) fn settings(rooms: &[OwnedRoomId], wait: Duration) -> SyncSettings {
    let mut timeline = RoomEventFilter::default();
    timeline.limit = Some(UInt::from(MOST_AT_ONCE));
    timeline.lazy_load_options = members_when_needed();
    let mut state = RoomEventFilter::default();
    state.lazy_load_options = members_when_needed();
    let mut room = RoomFilter::default();
    room.rooms = Some(rooms.to_vec());
    room.timeline = timeline;
    room.state = state;
    room.ephemeral = RoomEventFilter::ignore_all();
    room.account_data = RoomEventFilter::ignore_all();
    let mut account_data = Filter::default();
    account_data.types = Some(vec!["m.direct".to_owned()]);
    let mut filter = FilterDefinition::default();
    filter.presence = Filter::ignore_all();
    filter.account_data = account_data;
    filter.room = room;
    SyncSettings::new()
        .filter(sync_events::v3::Filter::FilterDefinition(filter))
        .timeout(wait)
        .set_presence(PresenceState::Offline)
}

const fn members_when_needed() -> LazyLoadOptions {
    LazyLoadOptions::Enabled { include_redundant_members: false }
}

/// Listens until the place is dropped, and then lets go of the folder.
pub(crate) async fn listen(
    place: Weak<Place>,
    client: Client,
    mut closing: watch::Receiver<()>,
    used: Option<OwnedMutexGuard<()>>,
) {
    let mut passing = false;
    let mut failures = 0u32;
    while let Some((asked, more)) = place.upgrade().map(|place| {
        passing = place.account.passing;
        (settings(&place.chat.rooms(&place.room_id()), POLL), Arc::clone(&place.chat.more))
    }) {
        let answer = tokio::select! {
            answer = sdk::sync_once(&client, asked) => answer,
            () = more.notified() => continue,
            _ = closing.changed() => break,
        };
        let Some(place) = place.upgrade() else { break };
        let pause = match answer {
            Ok(answer) => {
                failures = 0;
                place.came(answer).await.err()
            }
            Err(error) => Some(of_sdk(&error, &place.account.host, &place.called())),
        };
        let Some(error) = pause else { continue };
        failures = failures.saturating_add(1);
        let rest = match &error {
            MatrixError::Slow { wait } => *wait,
            error if error.passes() => {
                LONGEST_PAUSE.min(Duration::from_secs(1 << failures.min(6).saturating_sub(1)))
            }
            _ => LOOK_AGAIN,
        };
        tracing::debug!(%error, ?rest, "the room is not heard");
        if !matches!(error, MatrixError::Slow { .. }) {
            place.health(Some(error));
        }
        let paused = place.context.clock.sleep(rest);
        let retry = Arc::clone(&place.retry);
        drop(place);
        tokio::select! {
            () = paused => {}
            () = retry.notified() => {}
            _ = closing.changed() => break,
        }
    }
    leave(&client, passing).await;
    drop(client);
    drop(used);
}

/// Ends a session that was begun for this time alone.
pub(crate) async fn leave(client: &Client, passing: bool) {
    if passing && let Err(error) = sdk::log_out(client).await {
        tracing::debug!(%error, "logging out did not work");
    }
}

impl Place {
    /// Takes in what a poll brought.
    async fn came(&self, answer: SyncResponse) -> Result<(), MatrixError> {
        let id = self.room_id();
        if !answer.to_device.is_empty() {
            for (room, event) in self.pending.retry(&self.account.client).await {
                self.chat.heard(self, &room, std::slice::from_ref(&event), room != id);
                if room == id {
                    self.take(vec![event]);
                }
            }
        }
        for (invited, update) in &answer.rooms.invited {
            self.invited(invited, update).await;
        }
        if let Some(update) = answer.rooms.left.get(&id) {
            let error = self.removed(update);
            self.health(Some(error));
            return Ok(());
        }
        let mut health = None;
        for (room, update) in answer.rooms.joined {
            if room == id {
                let successor = self.timeline(&id, update.timeline).await?;
                if let Some(successor) = successor {
                    health = self.follow(&successor).await.err();
                }
            } else {
                self.chat.came(self, &room, update.timeline).await;
            }
        }
        let is_in = self.room().is_ok_and(|room| room.state() == RoomState::Joined);
        if is_in || health.is_some() {
            self.health(health);
        }
        Ok(())
    }

    /// Takes in new events of the room, and tells where it goes on, where it does.
    async fn timeline(&self, id: &OwnedRoomId, timeline: Timeline) -> Result<Option<String>, MatrixError> {
        let mut events = Vec::new();
        // Before the first look there is nothing to be without a gap to.
        let looked = *self.looked.lock().await;
        let arrived = walk::arrived(self, id, timeline.events);
        if timeline.limited
            && looked
            && let Some(from) = timeline.prev_batch
        {
            match self.back(id, Some(from), MOST_EVENTS).await {
                Ok(gap) => events.extend(gap),
                Err(error) => {
                    // The next look goes through all of it.
                    *self.looked.lock().await = false;
                    return Err(error);
                }
            }
        }
        events.extend(arrived);
        let successor = events.iter().rev().find_map(|event| match &event.what {
            What::Tombstone(room) => Some(room.clone()),
            _ => None,
        });
        self.chat.heard(self, id, &events, false);
        self.take(events);
        Ok(successor)
    }

    /// Events back to what was seen.
    pub(crate) async fn back(
        &self,
        id: &OwnedRoomId,
        from: Option<String>,
        most: usize,
    ) -> Result<Vec<Event>, MatrixError> {
        let now = self.context.clock.now().as_secs();
        let oldest = now.saturating_sub(REACH.as_secs()).saturating_mul(1000);
        let known = |event: &str| self.log().has_seen(event);
        walk::back(self, id, from, &Until { known: &known, oldest, most }).await.map(|(events, _)| events)
    }

    /// Looks whether there is anything that the listening has not brought yet.
    pub(crate) async fn look(&self) -> Result<(), MatrixError> {
        let mut looked = self.looked.lock().await;
        let id = self.room_id();
        let events = if *looked {
            self.back(&id, None, MOST_EVENTS).await?
        } else {
            let nothing = |_: &str| false;
            let now = self.context.clock.now().as_secs();
            let oldest = now.saturating_sub(REACH.as_secs()).saturating_mul(1000);
            walk::back(self, &id, None, &Until { known: &nothing, oldest, most: MOST_EVENTS }).await?.0
        };
        *looked = true;
        drop(looked);
        self.take(events);
        let ill = self.news.borrow().is_some();
        if ill {
            self.health(None);
            self.retry.notify_one();
        }
        Ok(())
    }

    fn take(&self, events: Vec<Event>) {
        let now = self.context.clock.now();
        let mut log = self.log();
        // Redactions first, since they may come before what they are about.
        for event in &events {
            if let What::Redaction(target) = &event.what {
                log.remove(target);
            }
        }
        let mut fresh = false;
        for event in &events {
            fresh |= log.take(event, now);
        }
        drop(log);
        if fresh {
            self.wake();
        }
    }

    /// Why we are not in the room any more.
    fn removed(&self, update: &LeftRoomUpdate) -> MatrixError {
        let room = self.called();
        let own = self.account.own.as_str();
        let last = update.timeline.events.iter().rev().find_map(|event| {
            let raw = event.raw();
            let parsed = Event::parse(raw.json().get())?;
            match parsed.what {
                What::Left { who, banned } if who == own => Some((parsed.sender, banned)),
                _ => None,
            }
        });
        match last {
            Some((by, true)) => MatrixError::Banned { room, said: said(&format!("by {by}")) },
            Some((by, false)) => MatrixError::Removed { room, said: said(&format!("by {by}")) },
            None if self.room().is_ok_and(|room| room.state() == RoomState::Banned) => {
                MatrixError::Banned { room, said: said("") }
            }
            None => MatrixError::Removed { room, said: said("") },
        }
    }
}
