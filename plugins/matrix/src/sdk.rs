//! The SDK's calls whose futures go deep, each behind one plain type. The compiler walks each once here; where they were awaited in place, it walked
//! them for everything that awaits what awaits them, which took it most of two minutes.

use futures::FutureExt;
use futures::future::BoxFuture;
use matrix_sdk::authentication::matrix::MatrixSession;
use matrix_sdk::config::SyncSettings;
use matrix_sdk::deserialized_responses::TimelineEvent;
use matrix_sdk::room::RoomMember;
use matrix_sdk::ruma::api::client::room::create_room;
use matrix_sdk::ruma::events::AnySyncTimelineEvent;
use matrix_sdk::ruma::events::direct::DirectEventContent;
use matrix_sdk::ruma::events::room::power_levels::RoomPowerLevels;
use matrix_sdk::ruma::serde::Raw;
use matrix_sdk::ruma::{OwnedServerName, OwnedUserId, RoomId, RoomOrAliasId, UserId};
use matrix_sdk::store::RoomLoadSettings;
use matrix_sdk::sync::SyncResponse;
use matrix_sdk::{Client, ClientBuildError, ClientBuilder, EncryptionState, Result, Room, RoomMemberships};

type Answer<'a, T> = BoxFuture<'a, Result<T>>;

pub(crate) fn build(
    builder: ClientBuilder,
) -> BoxFuture<'static, std::result::Result<Client, ClientBuildError>> {
    builder.build().boxed()
}

pub(crate) fn restore(client: &Client, session: MatrixSession) -> Answer<'static, ()> {
    let auth = client.matrix_auth();
    async move { auth.restore_session(session, RoomLoadSettings::default()).await }.boxed()
}

pub(crate) fn log_out(client: &Client) -> Answer<'static, ()> {
    let auth = client.matrix_auth();
    async move { auth.logout().await.map(drop).map_err(Into::into) }.boxed()
}

pub(crate) fn sync_once(client: &Client, settings: SyncSettings) -> Answer<'_, SyncResponse> {
    client.sync_once(settings).boxed()
}

pub(crate) fn join<'a>(
    client: &'a Client,
    room: &'a RoomOrAliasId,
    via: &'a [OwnedServerName],
) -> Answer<'a, Room> {
    client.join_room_by_id_or_alias(room, via).boxed()
}

pub(crate) fn join_by_id<'a>(client: &'a Client, room: &'a RoomId) -> Answer<'a, Room> {
    client.join_room_by_id(room).boxed()
}

pub(crate) fn create_room(client: &Client, request: create_room::v3::Request) -> Answer<'_, Room> {
    client.create_room(request).boxed()
}

pub(crate) fn direct_rooms(client: &Client) -> Answer<'static, Option<Raw<DirectEventContent>>> {
    let account = client.account();
    async move { account.fetch_account_data_static::<DirectEventContent>().await }.boxed()
}

pub(crate) fn mark_as_direct<'a>(client: &Client, room: &'a RoomId, with: OwnedUserId) -> Answer<'a, ()> {
    let account = client.account();
    async move { account.mark_as_dm(room, &[with]).await }.boxed()
}

pub(crate) fn encryption_state(room: &Room) -> Answer<'_, EncryptionState> {
    room.latest_encryption_state().boxed()
}

pub(crate) fn power_levels(room: &Room) -> Answer<'_, RoomPowerLevels> {
    room.power_levels().map(|levels| levels.map_err(Into::into)).boxed()
}

/// The room's members as its homeserver has them now.
pub(crate) fn members(room: &Room) -> Answer<'_, Vec<RoomMember>> {
    async move {
        room.sync_members().await?;
        room.members_no_sync(RoomMemberships::ACTIVE).await
    }
    .boxed()
}

/// Has a user's homeserver asked which devices there are.
pub(crate) fn look_up_devices<'a>(client: &Client, user: &'a UserId) -> Answer<'a, ()> {
    let encryption = client.encryption();
    async move { encryption.request_user_identity(user).await.map(drop) }.boxed()
}

pub(crate) fn decrypt<'a>(room: &'a Room, event: &'a Raw<AnySyncTimelineEvent>) -> Answer<'a, TimelineEvent> {
    room.decrypt_event(event.cast_ref_unchecked(), None).boxed()
}
