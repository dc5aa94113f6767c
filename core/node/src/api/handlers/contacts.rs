//! Invites: made, looked at, accepted.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use tokio::time::Instant;
use wayside_proto::engine::{BridgeName, ContactId, ContactState, InviteOptions};
use wayside_proto::invite::Invite;

use super::{bridges_tried, deadline};
use crate::api::server::Context;
use crate::api::types::{
    Accept, AcceptState, Accepted, ApiError, BridgeView, ErrorCode, InvitePreview, InviteView, NewInvite,
};
use crate::api::words;
use crate::times;

/// How long bridges may take to be tried before it is said that none works.
const READY: Duration = Duration::from_secs(30);
/// How long accepting goes on for the link to come up, once both are friends: the inviter learns by it that the answer arrived.
const LINK: Duration = Duration::from_secs(5);
/// How often the state of an accepted invite is looked at where no event says that it changed.
const LOOK: Duration = Duration::from_millis(500);

/// `POST /v1/invites`
pub(super) async fn invite(
    State(context): State<Context>,
    Json(request): Json<NewInvite>,
) -> Result<Json<InviteView>, ApiError> {
    bridges_tried(&context, READY).await;
    let options = InviteOptions {
        bridges: request.bridges.into_iter().map(BridgeName).collect(),
        uses: request.uses,
        lifetime: Duration::from_secs(request.expires_in_secs),
    };
    let made = context.driver.change(move |engine, now| engine.invite(now, options)).await?;
    let invite = made.map_err(|error| words::command(&error))?;
    Ok(Json(InviteView { invite: invite.to_string(), expires: times::time(invite.expires) }))
}

/// `POST /v1/accept/preview`
pub(super) async fn preview(
    State(context): State<Context>,
    Json(request): Json<Accept>,
) -> Result<Json<InvitePreview>, ApiError> {
    let invite = parse(&request.invite)?;
    bridges_tried(&context, READY).await;
    let places: Vec<String> = invite.points.iter().map(ToString::to_string).collect();
    let reaches = |bridge: &BridgeView| bridge.locators.iter().any(|locator| places.contains(locator));
    let bridges =
        context.driver.bridges().await?.into_iter().filter(reaches).map(|bridge| bridge.name).collect();
    Ok(Json(InvitePreview { places, bridges, expires: times::time(invite.expires) }))
}

/// `POST /v1/accept`
pub(super) async fn accept(
    State(context): State<Context>,
    Json(request): Json<Accept>,
) -> Result<Json<Accepted>, ApiError> {
    let deadline = deadline(request.wait_ms);
    let invite = parse(&request.invite)?;
    bridges_tried(&context, READY).await;
    let mut events = context.driver.events();
    let alias = request.name;
    let accepted = context.driver.change(move |engine, now| engine.accept(now, &invite, alias)).await?;
    let id = accepted.map_err(|error| words::command(&error))?;
    loop {
        if let Some(accepted) = outcome(&context, id).await? {
            wait_for_link(&context, &accepted, deadline).await;
            return Ok(Json(accepted));
        }
        tokio::select! {
            () = tokio::time::sleep_until(deadline) => {
                return Ok(Json(Accepted { state: AcceptState::Pending, friend: None, account: None }));
            }
            _ = events.recv() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// How an accepted invite ended, if it has.
async fn outcome(context: &Context, id: ContactId) -> Result<Option<Accepted>, ApiError> {
    let state = context
        .driver
        .change(move |engine, _| match engine.contact(&id) {
            Some(ContactState::Done(account)) => {
                let name = engine.friend(&account).map(|friend| friend.name().to_owned());
                Ok(Some((account, name)))
            }
            other => Err(other),
        })
        .await?;
    let no = |message: &str| Err(ApiError::new(ErrorCode::Invite, message));
    match state {
        Ok(Some((account, name))) => {
            let accepted =
                Accepted { state: AcceptState::Done, friend: name, account: Some(account.to_string()) };
            Ok(Some(accepted))
        }
        Err(Some(ContactState::Refused(why))) => no(words::refusal(why)),
        Err(Some(ContactState::Expired) | None) => {
            no("the invite has expired and nobody answered: ask for a new one")
        }
        _ => Ok(None),
    }
}

async fn wait_for_link(context: &Context, accepted: &Accepted, deadline: Instant) {
    let until = deadline.min(Instant::now() + LINK);
    let account = accepted.account.as_deref().and_then(wayside_proto::crypto::keys::AccountId::parse);
    let Some(account) = account else { return };
    let mut changes = context.driver.links_changed();
    while context.driver.links().of(&account).is_none() {
        if tokio::time::timeout_at(until, changes.changed()).await.is_err() {
            return; // they are friends all the same, and meet when somebody wants it
        }
    }
}

fn parse(text: &str) -> Result<Invite, ApiError> {
    text.parse().map_err(|error: wayside_proto::invite::InviteError| {
        ApiError::new(ErrorCode::Invite, error.to_string())
    })
}
