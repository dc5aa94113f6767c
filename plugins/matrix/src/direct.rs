//! Direct rooms: found, made, and accepted from members of the room.

use matrix_sdk::ruma::api::client::room::create_room;
use matrix_sdk::ruma::api::client::state::get_state_event_for_key;
use matrix_sdk::ruma::events::InitialStateEvent;
use matrix_sdk::ruma::events::StateEventType;
use matrix_sdk::ruma::events::room::encryption::RoomEncryptionEventContent;
use matrix_sdk::ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use matrix_sdk::sync::InvitedRoomUpdate;
use matrix_sdk::{Room, RoomState};
use serde_json::{Value, json};
use wayside_bridge::Standing;

use crate::chat::Chat;
use crate::error::{MatrixError, said};
use crate::event::RING;
use crate::place::Place;
use crate::sdk;
use crate::{power, write};

/// What makes somebody's phone buzz.
const RING_TEXT: &str =
    "Somebody who knows you wants to reach you with wayside. Let it run for a while, and you meet.";
/// The most direct rooms of the account that are looked at for one with a member.
const MOST_LOOKED_AT: usize = 64;

impl Chat {
    /// A message to somebody alone that is no more than a ring.
    pub(crate) async fn ring(&self, place: &Place, user: &str) -> Result<(), MatrixError> {
        let user = parse(user)?;
        self.may_ring(user.as_str(), place.context.clock.monotonic())?;
        let room = self.direct(place, &user).await?;
        let content = json!({ "msgtype": "m.text", "body": RING_TEXT, RING: true });
        write::send(place, &room, content).await.map(drop)
    }

    /// The direct room with somebody: one that there is, or a new one.
    pub(crate) async fn direct(&self, place: &Place, user: &UserId) -> Result<Room, MatrixError> {
        if user == place.account.own {
            return Err(MatrixError::Nobody { user: user.to_string(), said: "that is ourselves".to_owned() });
        }
        let mut candidates = self.with(user.as_str());
        candidates.extend(
            marked(place).await?.into_iter().filter(|(other, _)| other == user).map(|(_, room)| room),
        );
        candidates.truncate(MOST_LOOKED_AT);
        for id in candidates {
            match membership(place, &id, user).await? {
                Some(membership) if membership == "join" || membership == "invite" => {
                    let room = known(place, &id).await?;
                    self.add(&id, user.as_str())?;
                    return Ok(room);
                }
                _ => self.drop_direct(&id),
            }
        }
        self.make(place, user).await
    }

    async fn make(&self, place: &Place, user: &UserId) -> Result<Room, MatrixError> {
        if self.is_full() {
            return Err(MatrixError::Crowded(crate::chat::MOST_DIRECT));
        }
        place.account.gate.check()?;
        let encrypted = match place.room() {
            Ok(room) => {
                place.account.done(sdk::encryption_state(&room).await, &place.called())?.is_encrypted()
            }
            Err(_) => true,
        };
        let mut request = create_room::v3::Request::new();
        request.invite = vec![user.to_owned()];
        request.is_direct = true;
        request.preset = Some(create_room::v3::RoomPreset::TrustedPrivateChat);
        if encrypted {
            let content = RoomEncryptionEventContent::with_recommended_defaults();
            request.initial_state = vec![InitialStateEvent::with_empty_state_key(content).to_raw_any()];
        }
        let made =
            place.account.done(sdk::create_room(&place.account.client, request).await, &place.called());
        let room = made.map_err(|error| match error {
            MatrixError::Invalid { said } | MatrixError::Forbidden { said, .. } => {
                MatrixError::Nobody { user: user.to_string(), said }
            }
            MatrixError::NoRoom { .. } => {
                MatrixError::Nobody { user: user.to_string(), said: "no such account".to_owned() }
            }
            other => other,
        })?;
        self.add(room.room_id(), user.as_str())?;
        Ok(room)
    }

    /// Takes up direct rooms that members have with us and we do not know of yet.
    pub(crate) async fn adopt(&self, place: &Place) -> Result<(), MatrixError> {
        for (user, id) in marked(place).await?.into_iter().take(MOST_LOOKED_AT) {
            let is_new = !self.with(user.as_str()).contains(&id);
            if is_new && !self.is_full() && place.standing(&user).await?.is_member() {
                let other = membership(place, &id, &user).await?;
                if other.as_deref() == Some("join") && known(place, &id).await.is_ok() {
                    self.add(&id, user.as_str())?;
                }
            }
        }
        Ok(())
    }
}

impl Place {
    /// An invitation: of the room itself it is accepted, and of a direct room where a member of the room asks and somebody listens.
    pub(crate) async fn invited(&self, id: &RoomId, update: &InvitedRoomUpdate) {
        let accepted = if *id == *self.room_id() {
            self.account.done(sdk::join_by_id(&self.account.client, id).await, &self.called()).map(drop)
        } else {
            self.invited_alone(id, update).await
        };
        if let Err(error) = accepted {
            tracing::debug!(%error, "an invitation is not accepted");
        }
    }

    async fn invited_alone(&self, id: &RoomId, update: &InvitedRoomUpdate) -> Result<(), MatrixError> {
        if !self.chat.is_heard() || self.chat.is_full() {
            return Ok(());
        }
        let events = update.invite_state.events.iter().take(64);
        let own = self.account.own.as_str();
        let inviter = events
            .filter_map(|raw| serde_json::from_str::<Value>(raw.json().get()).ok())
            .find(|event| {
                let text = |path: &str| event.pointer(path).and_then(Value::as_str);
                text("/type") == Some("m.room.member")
                    && text("/state_key") == Some(own)
                    && event.pointer("/content/is_direct").and_then(Value::as_bool) == Some(true)
            })
            .and_then(|event| event.get("sender").and_then(Value::as_str).map(str::to_owned));
        let Some(inviter) = inviter.and_then(|inviter| UserId::parse(inviter).ok()) else { return Ok(()) };
        if !self.standing(&inviter).await?.is_member() {
            return Ok(());
        }
        self.account.gate.check()?;
        self.account.done(sdk::join_by_id(&self.account.client, id).await, &self.called())?;
        self.chat.add(id, inviter.as_str())?;
        let marked = sdk::mark_as_direct(&self.account.client, id, inviter).await;
        self.account.done(marked, &self.called())
    }

    /// What somebody is in the room, as the homeserver says right now.
    pub(crate) async fn standing(&self, user: &UserId) -> Result<Standing, MatrixError> {
        match membership(self, &self.room_id(), user).await?.as_deref() {
            Some("ban") => Ok(Standing::Banned),
            Some("join") if power::may_remove(self, user).await? => Ok(Standing::Moderator),
            Some("join") => Ok(Standing::Member),
            _ => Ok(Standing::Stranger),
        }
    }
}

/// An account's name, where it can be one.
pub(crate) fn parse(user: &str) -> Result<OwnedUserId, MatrixError> {
    UserId::parse(user).map_err(|_| MatrixError::Nobody {
        user: said(user),
        said: "accounts are like @ann:example.org".to_owned(),
    })
}

/// The membership of somebody in a room of ours.
async fn membership(place: &Place, room: &RoomId, user: &UserId) -> Result<Option<String>, MatrixError> {
    let key = user.to_string();
    let request = get_state_event_for_key::v3::Request::new(room.to_owned(), StateEventType::RoomMember, key);
    match place.account.read(place.account.client.send(request).await, &place.called()) {
        Ok(answer) => {
            let content: Value = serde_json::from_str(answer.into_content().json().get()).unwrap_or_default();
            Ok(content.get("membership").and_then(Value::as_str).map(str::to_owned))
        }
        Err(MatrixError::NoRoom { .. }) => Ok(None),
        // A room that we are not in (any more); of the room itself that is for whoever asks to know.
        Err(MatrixError::Forbidden { .. }) if *room != *place.room_id() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Direct rooms as the account marks them, with whom.
async fn marked(place: &Place) -> Result<Vec<(OwnedUserId, OwnedRoomId)>, MatrixError> {
    let content = sdk::direct_rooms(&place.account.client).await;
    let content = place.account.done(content, &place.called())?;
    let direct = content.and_then(|content| content.deserialize().ok());
    let pairs = direct
        .into_iter()
        .flat_map(|direct| direct.0)
        .filter_map(|(user, rooms)| Some((UserId::parse(user.as_str()).ok()?, rooms)));
    Ok(pairs.flat_map(|(user, rooms)| rooms.into_iter().map(move |room| (user.clone(), room))).collect())
}

/// A room as the library has it. What it has not heard of, it learns of by joining again, which changes nothing.
async fn known(place: &Place, id: &RoomId) -> Result<Room, MatrixError> {
    let client = &place.account.client;
    match client.get_room(id).filter(|room| room.state() == RoomState::Joined) {
        Some(room) => Ok(room),
        None => place.account.done(sdk::join_by_id(client, id).await, &place.called()),
    }
}
