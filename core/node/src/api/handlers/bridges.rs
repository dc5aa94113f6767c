//! Bridges: listed, added, tried, removed.

use axum::Json;
use axum::extract::{Path, State};
use wayside_bridge::{BridgeKind, OptionSpec};

use super::Answer;
use crate::api::server::Context;
use crate::api::types::{AddBridge, BridgeFigure, BridgeView, KindOption, KindView};

/// `GET /v1/kinds`
pub(super) async fn kinds(State(context): State<Context>) -> Json<Vec<KindView>> {
    let option = |option: &OptionSpec| KindOption {
        name: option.name.to_owned(),
        value: option.value.to_owned(),
        about: option.help.to_owned(),
        required: option.required,
        path: option.path,
    };
    let kind = |kind: &dyn BridgeKind| KindView {
        kind: kind.kind().to_owned(),
        about: kind.summary().to_owned(),
        options: kind.options().iter().map(option).collect(),
    };
    Json(context.requests.registry.kinds().map(kind).collect())
}

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
