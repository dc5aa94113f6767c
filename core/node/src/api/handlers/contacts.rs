//! Becoming friends: invites made, listed, withdrawn, accepted; cards knocked by.

use axum::Json;
use axum::extract::{Path, State};

use super::Answer;
use crate::api::server::Context;
use crate::api::types::{Accept, Accepted, Complete, InvitePreview, InviteView, NewInvite, OpenInvite};

/// `GET /v1/invites`
pub(super) async fn list(State(context): State<Context>) -> Answer<Vec<OpenInvite>> {
    context.requests.open_invites().await.map(Json)
}

/// `POST /v1/invites`
pub(super) async fn invite(
    State(context): State<Context>,
    Json(request): Json<NewInvite>,
) -> Answer<InviteView> {
    context.requests.invite(request).await.map(Json)
}

/// `POST /v1/invites/file`
pub(super) async fn invite_file(
    State(context): State<Context>,
    Json(request): Json<NewInvite>,
) -> Answer<InviteView> {
    context.requests.invite_file(request).await.map(Json)
}

/// `DELETE /v1/invites/{id}`
pub(super) async fn withdraw(State(context): State<Context>, Path(id): Path<String>) -> Answer<()> {
    context.requests.withdraw_invite(&id).await.map(Json)
}

/// `POST /v1/accept/preview`
pub(super) async fn preview(
    State(context): State<Context>,
    Json(request): Json<Accept>,
) -> Answer<InvitePreview> {
    context.requests.preview(&request.invite).await.map(Json)
}

/// `POST /v1/accept`
pub(super) async fn accept(State(context): State<Context>, Json(request): Json<Accept>) -> Answer<Accepted> {
    context.requests.accept_invite(request).await.map(Json)
}

/// `POST /v1/accept/reply`
pub(super) async fn accept_by_reply(
    State(context): State<Context>,
    Json(request): Json<Accept>,
) -> Answer<Accepted> {
    context.requests.accept_by_reply(request).await.map(Json)
}

/// `POST /v1/complete`
pub(super) async fn complete(
    State(context): State<Context>,
    Json(request): Json<Complete>,
) -> Answer<Accepted> {
    context.requests.complete(request).await.map(Json)
}
