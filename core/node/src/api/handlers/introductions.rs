//! Introductions that we make, and what others ask of us.

use axum::Json;
use axum::extract::{Path, State};

use super::Answer;
use crate::api::server::Context;
use crate::api::types::{AcceptRequest, Introduce, IntroductionView, RequestView};

/// `GET /v1/introductions`
pub(super) async fn list(State(context): State<Context>) -> Answer<Vec<IntroductionView>> {
    context.requests.introductions().await.map(Json)
}

/// `POST /v1/introductions`
pub(super) async fn introduce(
    State(context): State<Context>,
    Json(request): Json<Introduce>,
) -> Answer<IntroductionView> {
    context.requests.introduce(request).await.map(Json)
}

/// `GET /v1/requests`
pub(super) async fn requests(State(context): State<Context>) -> Answer<Vec<RequestView>> {
    context.requests.requests().await.map(Json)
}

/// `POST /v1/requests/{id}/accept`
pub(super) async fn accept(
    State(context): State<Context>,
    Path(id): Path<String>,
    Json(request): Json<AcceptRequest>,
) -> Answer<RequestView> {
    context.requests.accept_request(&id, request).await.map(Json)
}

/// `POST /v1/requests/{id}/refuse`
pub(super) async fn refuse(State(context): State<Context>, Path(id): Path<String>) -> Answer<RequestView> {
    context.requests.refuse_request(&id).await.map(Json)
}
