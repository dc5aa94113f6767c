//! What people say: in the room, and to us alone in direct rooms. Heard only while somebody listens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::channel::mpsc;
use matrix_sdk::ruma::{OwnedRoomId, RoomId};
use matrix_sdk::sync::Timeline;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use wayside_bridge::{Incoming, Monotonic, RoomEvent, Sender};

use crate::error::MatrixError;
use crate::event::{Event, What};
use crate::folder::Folder;
use crate::place::Place;
use crate::walk::{self, Until};

/// How far each room was heard, and which direct rooms there are.
pub(crate) const HEARD: &str = "heard.json";
/// The most direct rooms.
pub(crate) const MOST_DIRECT: usize = 256;
/// The most that waits for a listener; one that is slower has to begin again from where it was.
const MOST_WAITING: usize = 1024;
/// The most that is caught up with in one room.
const MOST_MISSED: usize = 500;
/// What is older is not caught up with, in seconds.
const STALE: u64 = 7 * 24 * 60 * 60;
/// How soon somebody may be rung again.
const RING_AGAIN: Duration = Duration::from_secs(60);
/// The most people who are remembered to have been rung.
const MOST_RUNG: usize = 256;

/// Something heard, with the event that it was.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) room: String,
    pub(crate) id: String,
    pub(crate) event: RoomEvent,
}

/// What people say, and how far it was heard.
#[derive(Debug)]
pub(crate) struct Chat {
    folder: Option<Folder>,
    state: Mutex<State>,
    /// There are more rooms to listen to than a poll was begun for. What is said in them before its answer would be lost: the next poll begins after that.
    pub(crate) more: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    listeners: Vec<mpsc::Sender<Heard>>,
    kept: Kept,
    rung: BTreeMap<String, Monotonic>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// The last event that was handed out, by room.
    heard: BTreeMap<String, String>,
    /// With whom, by direct room.
    direct: BTreeMap<OwnedRoomId, String>,
}

impl Chat {
    pub(crate) fn new(folder: Option<Folder>) -> Self {
        let kept = folder.as_ref().and_then(|folder| folder.json(HEARD)).unwrap_or_default();
        Self { folder, state: Mutex::new(State { kept, ..State::default() }), more: Arc::default() }
    }

    /// The rooms to listen to.
    pub(crate) fn rooms(&self, main: &OwnedRoomId) -> Vec<OwnedRoomId> {
        let mut state = self.state();
        state.listeners.retain(|listener| !listener.is_closed());
        let mut rooms = vec![main.clone()];
        if !state.listeners.is_empty() {
            rooms.extend(state.kept.direct.keys().filter(|room| *room != main).cloned());
        }
        rooms
    }

    /// Whether somebody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.state().listeners.iter().any(|listener| !listener.is_closed())
    }

    /// The direct rooms with somebody.
    pub(crate) fn with(&self, user: &str) -> Vec<OwnedRoomId> {
        let state = self.state();
        state.kept.direct.iter().filter(|(_, other)| *other == user).map(|(room, _)| room.clone()).collect()
    }

    /// There is a direct room with somebody.
    pub(crate) fn add(&self, room: &RoomId, user: &str) -> Result<(), MatrixError> {
        let mut state = self.state();
        if state.kept.direct.len() >= MOST_DIRECT && !state.kept.direct.contains_key(room) {
            return Err(MatrixError::Crowded(MOST_DIRECT));
        }
        if state.kept.direct.insert(room.to_owned(), user.to_owned()).is_none() {
            self.more.notify_one();
        }
        self.keep(&state)
    }

    /// A direct room is none any more.
    pub(crate) fn drop_direct(&self, room: &RoomId) {
        let mut state = self.state();
        if state.kept.direct.remove(room).is_some() {
            state.kept.heard.remove(room.as_str());
            if let Err(error) = self.keep(&state) {
                tracing::debug!(%error, "a direct room that is gone cannot be forgotten");
            }
        }
    }

    /// Whether there is room for another direct room.
    pub(crate) fn is_full(&self) -> bool {
        self.state().kept.direct.len() >= MOST_DIRECT
    }

    /// Begins to listen.
    pub(crate) fn listen(&self) -> mpsc::Receiver<Heard> {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        let mut state = self.state();
        state.listeners.push(sender);
        if !state.kept.direct.is_empty() {
            self.more.notify_one();
        }
        receiver
    }

    /// This was handed out, and the next thing is asked for.
    pub(crate) fn handed(&self, heard: &Heard) -> Result<(), MatrixError> {
        let mut state = self.state();
        state.kept.heard.insert(heard.room.clone(), heard.id.clone());
        self.keep(&state)
    }

    /// Whether somebody may be rung now; counts as having been.
    pub(crate) fn may_ring(&self, user: &str, now: Monotonic) -> Result<(), MatrixError> {
        let mut state = self.state();
        state.rung.retain(|_, last| now.since(*last) < RING_AGAIN);
        if let Some(last) = state.rung.get(user) {
            return Err(MatrixError::Slow { wait: RING_AGAIN.saturating_sub(now.since(*last)) });
        }
        if state.rung.len() >= MOST_RUNG {
            return Err(MatrixError::Slow { wait: RING_AGAIN });
        }
        state.rung.insert(user.to_owned(), now);
        Ok(())
    }

    /// What was missed since this room was last heard.
    pub(crate) async fn missed(
        &self,
        place: &Place,
        room: &OwnedRoomId,
        private: bool,
    ) -> Result<Vec<Heard>, MatrixError> {
        let last = self.state().kept.heard.get(room.as_str()).cloned();
        let oldest = place.context.clock.now().as_secs().saturating_sub(STALE).saturating_mul(1000);
        let known = |event: &str| last.as_deref() == Some(event);
        // A direct room that was never heard is new, and what was said in it is for us; the room itself was there before us.
        let most = if last.is_some() || private { MOST_MISSED } else { 1 };
        let (events, _) = walk::back(place, room, None, &Until { known: &known, oldest, most }).await?;
        if last.is_none() && !private {
            if let Some(newest) = events.last() {
                let mut state = self.state();
                state.kept.heard.insert(room.to_string(), newest.id.clone());
                self.keep(&state)?;
            }
            return Ok(Vec::new());
        }
        Ok(events.iter().filter_map(|event| heard(place, room, event, private)).collect())
    }

    /// Hands on what came in a room.
    pub(crate) fn heard(&self, place: &Place, room: &RoomId, events: &[Event], private: bool) {
        if !self.is_heard() {
            return;
        }
        for heard in events.iter().filter_map(|event| heard(place, room, event, private)) {
            // One that is too slow is let go of, and begins again from where it was.
            self.state().listeners.retain_mut(|listener| listener.try_send(heard.clone()).is_ok());
        }
    }

    /// Hands on what came in a direct room.
    pub(crate) async fn came(&self, place: &Place, room: &OwnedRoomId, timeline: Timeline) {
        if !self.state().kept.direct.contains_key(room) || !is_private(place, room) {
            return;
        }
        let arrived = walk::arrived(place, room, timeline.events);
        let mut events = Vec::new();
        if timeline.limited
            && let Some(from) = timeline.prev_batch
        {
            let last = self.state().kept.heard.get(room.as_str()).cloned();
            let known = |event: &str| last.as_deref() == Some(event);
            let oldest = place.context.clock.now().as_secs().saturating_sub(STALE).saturating_mul(1000);
            let until = Until { known: &known, oldest, most: MOST_MISSED };
            match walk::back(place, room, Some(from), &until).await {
                Ok((gap, _)) => events.extend(gap),
                Err(error) => tracing::debug!(%error, "what was said in a direct room is lost in part"),
            }
        }
        events.extend(arrived);
        self.heard(place, room, &events, true);
    }

    fn keep(&self, state: &State) -> Result<(), MatrixError> {
        self.folder.as_ref().map_or(Ok(()), |folder| folder.keep_json(HEARD, &state.kept))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether nobody but us and one other is in a room: what is said to more is not said to us alone.
fn is_private(place: &Place, room: &RoomId) -> bool {
    place.account.client.get_room(room).is_some_and(|room| room.active_members_count() <= 2)
}

fn heard(place: &Place, room: &RoomId, event: &Event, private: bool) -> Option<Heard> {
    let own = place.account.own.as_str();
    let happened = match &event.what {
        What::Said { text, automatic } if event.sender != own => {
            let mut said = Incoming::new(Sender(event.sender.clone()), text.clone(), event.id.clone());
            said.private = private;
            said.automatic = *automatic;
            RoomEvent::Said(said)
        }
        What::Left { who, .. } if who != own && !private => RoomEvent::Left(Sender(who.clone())),
        _ => return None,
    };
    Some(Heard { room: room.to_string(), id: event.id.clone(), event: happened })
}
