//! Looking back through the room, page by page, within bounds.

use std::time::Duration;

use matrix_sdk::config::RequestConfig;
use matrix_sdk::deserialized_responses::TimelineEvent;
use matrix_sdk::ruma::api::Direction;
use matrix_sdk::ruma::api::client::filter::RoomEventFilter;
use matrix_sdk::ruma::api::client::message::get_message_events::v3::Request;
use matrix_sdk::ruma::events::AnySyncTimelineEvent;
use matrix_sdk::ruma::serde::Raw;
use matrix_sdk::ruma::{OwnedRoomId, UInt};

use crate::error::MatrixError;
use crate::event::{Event, What};
use crate::place::Place;
use crate::sdk;

/// How far back we look: for so long at least a record is found, unless it is taken back or over.
pub(crate) const REACH: Duration = Duration::from_secs(40 * 24 * 60 * 60);
/// The most events that are looked at: with what is said of pages, this bounds time and memory in a room that others fill.
pub(crate) const MOST_EVENTS: usize = 20_000;
/// The most bytes of them.
const MOST_BYTES: usize = 128 * 1024 * 1024;
/// The first page, which mostly is enough.
const FIRST_PAGE: u32 = 30;
/// Further pages. Synapse gives a thousand at most; an event has at most 64 KiB.
const PAGE: u32 = 200;
/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The types of event that mean something here.
const TYPES: [&str; 5] =
    ["m.room.message", "m.room.encrypted", "m.room.redaction", "m.room.member", "m.room.tombstone"];

/// Where a look ends.
pub(crate) struct Until<'a> {
    /// At an event that this knows.
    pub(crate) known: &'a (dyn Fn(&str) -> bool + Sync),
    /// Or where a whole page is older than this, in milliseconds since 1970. One sender's wrong clock ends nothing.
    pub(crate) oldest: u64,
    /// Or after so many events.
    pub(crate) most: usize,
}

/// The events from a position (or the newest) backwards, and returned the oldest first. Whether it ended at what is known.
pub(crate) async fn back(
    place: &Place,
    room: &OwnedRoomId,
    from: Option<String>,
    until: &Until<'_>,
) -> Result<(Vec<Event>, bool), MatrixError> {
    let client = &place.account.client;
    let mut from = from;
    let mut found = Vec::new();
    let (mut looked_at, mut bytes, mut page) = (0usize, 0usize, FIRST_PAGE);
    let mut met = false;
    loop {
        let mut request = Request::new(room.clone(), Direction::Backward);
        request.from = from.take();
        request.limit = UInt::from(page);
        let mut filter = RoomEventFilter::default();
        filter.types = Some(TYPES.map(str::to_owned).to_vec());
        request.filter = filter;
        let config = RequestConfig::new().disable_retry().timeout(PATIENCE);
        let answer = client.send(request).with_request_config(config).await;
        let answer = place.account.read(answer, &place.called())?;
        let mut all_old = !answer.chunk.is_empty();
        for raw in answer.chunk {
            looked_at = looked_at.saturating_add(1);
            bytes = bytes.saturating_add(raw.json().get().len());
            let Some(mut event) = Event::parse(raw.json().get()) else { continue };
            if (until.known)(&event.id) {
                met = true;
                break;
            }
            all_old &= event.at < until.oldest;
            if matches!(event.what, What::Sealed) {
                event = opened(place, room, raw.cast_unchecked(), event).await;
            }
            found.push(event);
        }
        if met || all_old || answer.end.is_none() || looked_at >= until.most || bytes >= MOST_BYTES {
            break;
        }
        from = answer.end;
        page = PAGE;
    }
    found.reverse();
    Ok((found, met))
}

/// The same for a sync's events: those whose key is missing wait.
pub(crate) fn arrived(place: &Place, room: &OwnedRoomId, events: Vec<TimelineEvent>) -> Vec<Event> {
    let mut parsed = Vec::with_capacity(events.len());
    for event in events {
        let Some(found) = Event::of(&event) else { continue };
        if matches!(found.what, What::Sealed) {
            place.pending.add(room, event.into_raw());
        }
        parsed.push(found);
    }
    parsed
}

async fn opened(place: &Place, id: &OwnedRoomId, raw: Raw<AnySyncTimelineEvent>, sealed: Event) -> Event {
    let Some(room) = place.account.client.get_room(id) else { return sealed };
    let opened = sdk::decrypt(&room, &raw).await.ok();
    match opened.and_then(|event| Event::of(&event)) {
        Some(event) if !matches!(event.what, What::Sealed) => event,
        _ => {
            place.pending.add(id, raw);
            Event { what: What::Sealed, ..sealed }
        }
    }
}
