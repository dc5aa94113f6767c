//! Events for which the key has not come yet: it comes by itself beside the room, mostly a moment later.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use matrix_sdk::Client;
use matrix_sdk::ruma::OwnedRoomId;
use matrix_sdk::ruma::events::AnySyncTimelineEvent;
use matrix_sdk::ruma::serde::Raw;

use crate::event::{Event, What};
use crate::sdk;

/// The most events that wait.
const MOST: usize = 256;
/// The most bytes of them.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Events that wait for a key, the oldest first; the oldest are given up where there are too many.
#[derive(Debug, Default)]
pub(crate) struct Pending(Mutex<VecDeque<Waiting>>);

/// An event, and the room that it is of.
type Waiting = (OwnedRoomId, Raw<AnySyncTimelineEvent>);

impl Pending {
    /// Lets an event wait.
    pub(crate) fn add(&self, room: &OwnedRoomId, event: Raw<AnySyncTimelineEvent>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.iter().any(|(_, other)| other.json().get() == event.json().get()) {
            return;
        }
        waiting.push_back((room.clone(), event));
        let size = |waiting: &VecDeque<Waiting>| {
            waiting.iter().map(|(_, event)| event.json().get().len()).sum::<usize>()
        };
        while waiting.len() > MOST || size(&waiting) > MOST_BYTES {
            waiting.pop_front();
        }
    }

    /// Those that can be read now.
    pub(crate) async fn retry(&self, client: &Client) -> Vec<(OwnedRoomId, Event)> {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut opened = Vec::new();
        for (id, raw) in waiting {
            let Some(room) = client.get_room(&id) else { continue };
            match sdk::decrypt(&room, &raw).await.ok().and_then(|event| Event::of(&event)) {
                Some(Event { what: What::Sealed, .. }) | None => self.add(&id, raw),
                Some(event) => opened.push((id, event)),
            }
        }
        opened
    }
}
