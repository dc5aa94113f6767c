//! Leaving records, and taking them back.

use std::collections::BTreeSet;

use futures::future::join_all;
use matrix_sdk::Room;
use matrix_sdk::ruma::api::client::redact::redact_event;
use matrix_sdk::ruma::api::client::room::get_room_event;
use matrix_sdk::ruma::{EventId, OwnedTransactionId, RoomId};
use serde_json::Value;
use wayside_bridge::{Receipt, Record};

use crate::account::quick;
use crate::error::MatrixError;
use crate::event::{self, Event, What};
use crate::place::Place;
use crate::receipt::Left;
use crate::sdk;

/// In a room of at most so many members we ask before each record which devices they have: who has just come can read it then.
const MOST_ASKED: usize = 16;
/// Where records are.
const MESSAGE: &str = "m.room.message";

/// Leaves a record; where ours lies there already, that one counts.
pub(crate) async fn publish(place: &Place, record: &Record) -> Result<Left, MatrixError> {
    let (content, check) = event::content_of(record)
        .ok_or_else(|| MatrixError::Invalid { said: "the record is too large".to_owned() })?;
    let id = place.room_id();
    let lies_there = place.log().events_of(place.account.own.as_str(), &check);
    if let Some(event) = lies_there.into_iter().next() {
        return Ok(Left { check, room: id.to_string(), event });
    }
    let room = place.room()?;
    let event = send(place, &room, content).await?;
    let ours = Event {
        id: event.clone(),
        sender: place.account.own.to_string(),
        at: place.context.clock.now().as_secs().saturating_mul(1000),
        what: What::Record(record.clone(), check),
    };
    let fresh = place.log().take(&ours, place.context.clock.now());
    if fresh {
        place.wake();
    }
    Ok(Left { check, room: id.to_string(), event })
}

/// Sends an event into a room, encrypted for all devices of all members where the room is.
pub(crate) async fn send(place: &Place, room: &Room, content: Value) -> Result<String, MatrixError> {
    let account = &place.account;
    account.gate.check()?;
    let called = place.called();
    let state = account.done(sdk::encryption_state(room).await, &called)?;
    if state.is_encrypted() {
        refresh_devices(place, room).await?;
    }
    let transaction = transaction(place);
    let sent =
        room.send_raw(MESSAGE, content).with_transaction_id(&transaction).with_request_config(quick()).await;
    Ok(account.done(sent, &called)?.response.event_id.to_string())
}

/// Learns of devices that the members' homeservers have not told us of yet.
async fn refresh_devices(place: &Place, room: &Room) -> Result<(), MatrixError> {
    let members = place.account.done(sdk::members(room).await, &place.called())?;
    if members.len() > MOST_ASKED {
        return Ok(());
    }
    let asked = members.iter().map(|member| sdk::look_up_devices(&place.account.client, member.user_id()));
    for answer in join_all(asked).await {
        if let Err(error) = answer {
            // Their homeserver may be away; what we know of their devices has to do then.
            tracing::debug!(%error, "a member's devices are not known");
        }
    }
    Ok(())
}

/// Takes back what the receipts stand for, one request each: Matrix has none for several.
pub(crate) async fn retract(place: &Place, receipts: &[Receipt]) -> Result<(), MatrixError> {
    let left: Vec<Left> = receipts.iter().filter_map(Left::parse).collect();
    if left.is_empty() {
        return Ok(());
    }
    // Copies of an earlier process, that ended before it had their receipts, are found by looking.
    let looked = *place.looked.lock().await;
    if !looked {
        place.look().await?;
    }
    let own = place.account.own.as_str();
    let mut targets = BTreeSet::new();
    for Left { check, room, event } in left {
        let copies = place.log().events_of(own, &check);
        targets.extend(copies.into_iter().map(|event| (place.room_id().to_string(), event)));
        targets.insert((room, event));
    }
    for (room, event) in targets {
        if !place.log().is_removed(&event) && is_ours(place, &room, &event).await? {
            redact(place, &room, &event).await?;
        }
        place.log().remove(&event);
    }
    Ok(())
}

/// Whether it is an event of ours that still says something.
async fn is_ours(place: &Place, room: &str, event: &str) -> Result<bool, MatrixError> {
    let own = place.account.own.as_str();
    if let Some(sender) = place.log().sender_of(event) {
        return Ok(sender == own);
    }
    let (Ok(room), Ok(event)) = (RoomId::parse(room), EventId::parse(event)) else { return Ok(false) };
    let is_current = room == place.room_id();
    let answer = place.account.client.send(get_room_event::v3::Request::new(room, event)).await;
    match place.account.read(answer, &place.called()) {
        Ok(answer) => {
            let found: Value = serde_json::from_str(answer.event.json().get()).unwrap_or_default();
            let redacted = found.pointer("/unsigned/redacted_because").is_some();
            Ok(!redacted && found.get("sender").and_then(Value::as_str) == Some(own))
        }
        Err(MatrixError::NoRoom { .. } | MatrixError::Invalid { .. }) => Ok(false),
        // Of a room that we have left for its successor nothing can be told, nor changed.
        Err(MatrixError::Forbidden { .. }) if !is_current => Ok(false),
        Err(error) => Err(error),
    }
}

async fn redact(place: &Place, room: &str, event: &str) -> Result<(), MatrixError> {
    let (Ok(id), Ok(event)) = (RoomId::parse(room), EventId::parse(event)) else { return Ok(()) };
    place.account.gate.check()?;
    let is_current = id == place.room_id();
    let request = redact_event::v3::Request::new(id, event, transaction(place));
    let answer = place.account.client.send(request).await;
    match place.account.written(answer, &place.called()) {
        Ok(_) | Err(MatrixError::NoRoom { .. }) => Ok(()),
        // An upgraded room is closed: what lies there stays there.
        Err(MatrixError::Forbidden { .. }) if !is_current => Ok(()),
        Err(error) => Err(error),
    }
}

/// A name of a request, which makes a homeserver take it once.
fn transaction(place: &Place) -> OwnedTransactionId {
    let mut bytes = [0; 16];
    place.context.entropy.fill(&mut bytes);
    data_encoding::HEXLOWER.encode(&bytes).into()
}
