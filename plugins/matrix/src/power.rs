//! Who may remove others from the room, as the homeserver says right now.

use matrix_sdk::ruma::UserId;
use matrix_sdk::ruma::api::client::state::get_state_event_for_key::v3::{Request, StateEventFormat};
use matrix_sdk::ruma::events::StateEventType;
use serde_json::Value;

use crate::error::MatrixError;
use crate::place::Place;

/// What removing takes where the room does not say (the Matrix specification, `m.room.power_levels`).
const KICK: i64 = 50;
/// What the creator of a room without levels has.
const CREATOR: i64 = 100;
/// From this room version on creators stand above all levels.
const CREATORS_ABOVE: u32 = 12;

/// Whether somebody who is in the room may remove others.
pub(crate) async fn may_remove(place: &Place, user: &UserId) -> Result<bool, MatrixError> {
    let created = event(place, StateEventType::RoomCreate).await?.unwrap_or_default();
    let levels = event(place, StateEventType::RoomPowerLevels).await?;
    Ok(is_enough(user.as_str(), &created, levels.as_ref()))
}

fn is_enough(user: &str, created: &Value, levels: Option<&Value>) -> bool {
    let named = |value: Option<&Value>| value.and_then(Value::as_str) == Some(user);
    let is_creator = named(created.get("sender"));
    let version = created.pointer("/content/room_version").and_then(Value::as_str);
    if version
        .and_then(|version| version.parse::<u32>().ok())
        .is_some_and(|version| version >= CREATORS_ABOVE)
    {
        let others = created.pointer("/content/additional_creators").and_then(Value::as_array);
        if is_creator || others.is_some_and(|others| others.iter().any(|other| named(Some(other)))) {
            return true;
        }
    }
    let Some(levels) = levels.and_then(|levels| levels.get("content")) else {
        return is_creator && CREATOR >= KICK;
    };
    let own = levels.get("users").and_then(|users| users.get(user)).or_else(|| levels.get("users_default"));
    level(own).unwrap_or(0) >= level(levels.get("kick")).unwrap_or(KICK)
}

/// Old rooms have levels that are written as text.
fn level(value: Option<&Value>) -> Option<i64> {
    let value = value?;
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

async fn event(place: &Place, kind: StateEventType) -> Result<Option<Value>, MatrixError> {
    let mut request = Request::new(place.room_id(), kind, String::new());
    request.format = StateEventFormat::Event;
    match place.account.read(place.account.client.send(request).await, &place.called()) {
        Ok(answer) => Ok(serde_json::from_str(answer.event_or_content.get()).ok()),
        Err(MatrixError::NoRoom { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "power_tests.rs"]
mod tests;
