//! The paths of the local API: each reads its request, asks, and says the answer.

mod bridges;
mod codes;
mod communities;
mod contacts;
mod doctor;
mod friends;
mod introductions;
mod lines;
mod mailbox;
mod messages;
mod pointers;
mod relay;
mod status;
mod tokens;

use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, patch, post};
use axum::{Json, Router};

use super::server::Context;
use super::types::ApiError;

/// The largest body: the longest message, escaped.
const MOST_BODY: usize = 1 << 20;

/// Every path of the API.
pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/v1/id", get(status::id))
        .route("/v1/status", get(status::status))
        .route("/v1/events", get(status::events))
        .route("/v1/doctor", post(doctor::doctor))
        .route("/v1/config", get(status::config))
        .route("/v1/kinds", get(bridges::kinds))
        .route("/v1/bridges", get(bridges::list).post(bridges::add))
        .route("/v1/bridges/{name}", delete(bridges::remove))
        .route("/v1/bridges/{name}/probe", post(bridges::probe))
        .route("/v1/bridges/{name}/pointers", get(pointers::at))
        .route("/v1/codes", post(codes::speak))
        .route("/v1/codes/accept", post(codes::accept))
        .route("/v1/codes/{id}", get(codes::show).delete(codes::end))
        .route("/v1/invites", get(contacts::list).post(contacts::invite))
        .route("/v1/invites/file", post(contacts::invite_file))
        .route("/v1/invites/{id}", delete(contacts::withdraw))
        .route("/v1/accept", post(contacts::accept))
        .route("/v1/accept/preview", post(contacts::preview))
        .route("/v1/accept/reply", post(contacts::accept_by_reply))
        .route("/v1/complete", post(contacts::complete))
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
        .route("/v1/inbox/{id}/files/{number}", get(messages::file))
        .route("/v1/tokens", get(tokens::list).post(tokens::add))
        .route("/v1/tokens/{name}", delete(tokens::revoke))
        .layer(DefaultBodyLimit::max(MOST_BODY))
}

/// What is answered.
type Answer<T> = Result<Json<T>, ApiError>;
