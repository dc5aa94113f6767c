//! The paths of the local API: each reads its request, asks, and says the answer.

mod communities;
mod doctor;
mod friends;
mod introductions;
mod lines;
mod mailbox;
mod messages;
mod pointers;
mod relay;
mod status;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::routing::{delete, get, patch, post};
use axum::{Json, Router};

use super::server::Context;
use super::types::{
    Accept, Accepted, AddBridge, ApiError, BridgeView, Complete, InvitePreview, InviteView, NewInvite,
};

/// The largest body: the longest message, escaped.
const MOST_BODY: usize = 1 << 20;

/// Every path of the API.
pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/v1/id", get(status::id))
        .route("/v1/status", get(status::status))
        .route("/v1/events", get(status::events))
        .route("/v1/doctor", post(doctor::doctor))
        .route("/v1/bridges", get(bridges).post(add_bridge))
        .route("/v1/bridges/{name}", delete(remove_bridge))
        .route("/v1/bridges/{name}/pointers", get(pointers::at))
        .route("/v1/invites", post(invite))
        .route("/v1/invites/file", post(invite_file))
        .route("/v1/accept", post(accept))
        .route("/v1/accept/preview", post(preview))
        .route("/v1/accept/reply", post(accept_by_reply))
        .route("/v1/complete", post(complete))
        .route("/v1/friends", get(friends::list))
        .route("/v1/friends/{friend}", get(friends::show).patch(friends::change).delete(friends::remove))
        .route("/v1/friends/{friend}/ping", post(friends::ping))
        .route("/v1/friends/{friend}/explain", get(friends::explain))
        .route("/v1/friends/{friend}/comparison", get(friends::comparison))
        .route("/v1/introductions", get(introductions::list).post(introductions::introduce))
        .route("/v1/communities", get(communities::list))
        .route("/v1/communities/{name}", patch(communities::change))
        .route("/v1/encounters", get(communities::encounters).post(communities::ask))
        .route("/v1/requests", get(introductions::requests))
        .route("/v1/requests/{id}/accept", post(introductions::accept))
        .route("/v1/requests/{id}/refuse", post(introductions::refuse))
        .route("/v1/pointers", get(pointers::list).post(pointers::publish))
        .route("/v1/pointers/fetch", post(pointers::fetch))
        .route("/v1/pointers/{name}", delete(pointers::withdraw))
        .route("/v1/relay", get(relay::show).patch(relay::change))
        .route("/v1/mailbox", get(mailbox::show).patch(mailbox::change))
        .route("/v1/messages", get(messages::outgoing).post(messages::send))
        .route("/v1/messages/{id}", get(messages::sent))
        .route("/v1/inbox", get(messages::inbox))
        .route("/v1/inbox/read", post(messages::mark_read))
        .layer(DefaultBodyLimit::max(MOST_BODY))
}

/// What is answered.
type Answer<T> = Result<Json<T>, ApiError>;

async fn bridges(State(context): State<Context>) -> Answer<Vec<BridgeView>> {
    context.requests.bridges().await.map(Json)
}

async fn add_bridge(State(context): State<Context>, Json(request): Json<AddBridge>) -> Answer<BridgeView> {
    context.requests.add_bridge(request).await.map(Json)
}

async fn remove_bridge(State(context): State<Context>, Path(name): Path<String>) -> Answer<()> {
    context.requests.remove_bridge(name).await.map(Json)
}

async fn invite(State(context): State<Context>, Json(request): Json<NewInvite>) -> Answer<InviteView> {
    context.requests.invite(request).await.map(Json)
}

async fn invite_file(State(context): State<Context>, Json(request): Json<NewInvite>) -> Answer<InviteView> {
    context.requests.invite_file(request).await.map(Json)
}

async fn preview(State(context): State<Context>, Json(request): Json<Accept>) -> Answer<InvitePreview> {
    context.requests.preview(&request.invite).await.map(Json)
}

async fn complete(State(context): State<Context>, Json(request): Json<Complete>) -> Answer<Accepted> {
    context.requests.complete(request).await.map(Json)
}

async fn accept(State(context): State<Context>, Json(request): Json<Accept>) -> Answer<Accepted> {
    context.requests.accept_invite(request).await.map(Json)
}

async fn accept_by_reply(State(context): State<Context>, Json(request): Json<Accept>) -> Answer<Accepted> {
    context.requests.accept_by_reply(request).await.map(Json)
}
