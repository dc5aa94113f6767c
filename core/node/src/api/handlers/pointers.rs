//! Pointers: ours, and those of others.

use axum::Json;
use axum::extract::{Path, State};

use super::Answer;
use crate::api::server::Context;
use crate::api::types::{
    FetchPointer, FoundPointer, PlacePointers, PointerView, PublishPointer, WithdrawnPointer,
};

/// `GET /v1/pointers`
pub(super) async fn list(State(context): State<Context>) -> Answer<Vec<PointerView>> {
    context.requests.pointers().await.map(Json)
}

/// `POST /v1/pointers`
pub(super) async fn publish(
    State(context): State<Context>,
    Json(request): Json<PublishPointer>,
) -> Answer<PointerView> {
    context.requests.publish_pointer(request).await.map(Json)
}

/// `POST /v1/pointers/fetch`
pub(super) async fn fetch(
    State(context): State<Context>,
    Json(request): Json<FetchPointer>,
) -> Answer<FoundPointer> {
    context.requests.fetch_pointer(request).await.map(Json)
}

/// `DELETE /v1/pointers/{name}`
pub(super) async fn withdraw(
    State(context): State<Context>,
    Path(name): Path<String>,
) -> Answer<WithdrawnPointer> {
    context.requests.withdraw_pointer(&name).await.map(Json)
}

/// `GET /v1/bridges/{name}/pointers`
pub(super) async fn at(State(context): State<Context>, Path(name): Path<String>) -> Answer<PlacePointers> {
    context.requests.pointers_at(&name).await.map(Json)
}
