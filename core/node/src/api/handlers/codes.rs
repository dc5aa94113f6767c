//! Spoken codes.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;

use super::Answer;
use crate::api::server::Context;
use crate::api::types::{AcceptCode, Accepted, CodeView, NewCode};

/// How long to wait for a change.
#[derive(Debug, Deserialize)]
pub(super) struct Wait {
    #[serde(default)]
    wait_ms: u64,
}

pub(super) async fn speak(State(context): State<Context>, Json(request): Json<NewCode>) -> Answer<CodeView> {
    context.requests.speak(request).await.map(Json)
}

pub(super) async fn show(
    State(context): State<Context>,
    Path(id): Path<String>,
    Query(wait): Query<Wait>,
) -> Answer<CodeView> {
    context.requests.code(&id, wait.wait_ms).await.map(Json)
}

pub(super) async fn end(State(context): State<Context>, Path(id): Path<String>) -> Answer<()> {
    context.requests.end_code(&id).await.map(Json)
}

pub(super) async fn accept(
    State(context): State<Context>,
    Json(request): Json<AcceptCode>,
) -> Answer<Accepted> {
    context.requests.accept_code(request).await.map(Json)
}
