//! What the local API does, one file an area.

mod bridges;
mod contacts;
mod friends;
mod lines;
mod messages;
mod status;

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};
use tokio::time::Instant;
use wayside_proto::crypto::keys::AccountId;

use super::server::Context;
use super::types::ApiError;
use super::words;

/// How long whoever only looks waits for bridges that were not tried yet.
const GLANCE: Duration = Duration::from_secs(3);

/// The largest body: the longest message, escaped.
const MOST_BODY: usize = 1 << 20;

/// Every path of the API.
pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/v1/id", get(status::id))
        .route("/v1/status", get(status::status))
        .route("/v1/events", get(status::events))
        .route("/v1/bridges", get(bridges::list).post(bridges::add))
        .route("/v1/bridges/{name}", delete(bridges::remove))
        .route("/v1/invites", post(contacts::invite))
        .route("/v1/accept", post(contacts::accept))
        .route("/v1/accept/preview", post(contacts::preview))
        .route("/v1/friends", get(friends::list))
        .route("/v1/friends/{friend}", get(friends::show).patch(friends::change).delete(friends::remove))
        .route("/v1/friends/{friend}/ping", post(friends::ping))
        .route("/v1/friends/{friend}/explain", get(friends::explain))
        .route("/v1/messages", post(messages::send))
        .route("/v1/inbox", get(messages::inbox))
        .route("/v1/inbox/read", post(messages::mark_read))
        .layer(DefaultBodyLimit::max(MOST_BODY))
}

/// Whom a person means.
async fn find(context: &Context, friend: String) -> Result<AccountId, ApiError> {
    let found = context.driver.look(move |engine, _| engine.find(&friend)).await?;
    found.map_err(|error| words::find(&error))
}

/// Waits until every bridge was tried; those that have not answered by then count as away.
async fn bridges_tried(context: &Context, patience: Duration) {
    let mut ready = context.driver.ready();
    let _ = tokio::time::timeout(patience, ready.wait_for(|ready| *ready)).await;
}

/// When whoever waits so long has waited enough; nobody waits for more than a month.
fn deadline(wait_ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(wait_ms).min(Duration::from_secs(30 * 86_400))
}
