//! Relaying: what is forwarded, by whom, and what it may cost.

use axum::Json;
use axum::extract::State;

use super::Answer;
use crate::api::server::Context;
use crate::api::types::{ChangeRelay, RelayView};

/// `GET /v1/relay`
pub(super) async fn show(State(context): State<Context>) -> Answer<RelayView> {
    context.requests.relay().await.map(Json)
}

/// `PATCH /v1/relay`
pub(super) async fn change(
    State(context): State<Context>,
    Json(request): Json<ChangeRelay>,
) -> Answer<RelayView> {
    context.requests.change_relay(request).await.map(Json)
}
