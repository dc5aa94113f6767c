//! Bridges: listed, added, tried, removed.

use axum::Json;
use axum::extract::{Path, State};

use super::Answer;
use crate::api::server::Context;
use crate::api::types::{AddBridge, BridgeFigure, BridgeView};

/// `GET /v1/bridges`
pub(super) async fn list(State(context): State<Context>) -> Answer<Vec<BridgeView>> {
    context.requests.bridges().await.map(Json)
}

/// `POST /v1/bridges`
pub(super) async fn add(
    State(context): State<Context>,
    Json(request): Json<AddBridge>,
) -> Answer<BridgeView> {
    context.requests.add_bridge(request).await.map(Json)
}

/// `POST /v1/bridges/{name}/probe`
pub(super) async fn probe(State(context): State<Context>, Path(name): Path<String>) -> Answer<BridgeFigure> {
    context.requests.probe_bridge(&name).await.map(Json)
}

/// `DELETE /v1/bridges/{name}`
pub(super) async fn remove(State(context): State<Context>, Path(name): Path<String>) -> Answer<()> {
    context.requests.remove_bridge(name).await.map(Json)
}
