//! Tokens: made, listed, revoked.

use axum::Json;
use axum::extract::{Path, State};

use super::Answer;
use crate::api::server::Context;
use crate::api::types::{ApiError, ErrorCode, MadeToken, NewToken, TokenView};

/// `GET /v1/tokens`
pub(super) async fn list(State(context): State<Context>) -> Json<Vec<TokenView>> {
    let now = context.requests.driver.clock().wall();
    Json(context.tokens.list(now))
}

/// `POST /v1/tokens`
pub(super) async fn add(State(context): State<Context>, Json(request): Json<NewToken>) -> Answer<MadeToken> {
    let now = context.requests.driver.clock().wall();
    on_disk(move || context.tokens.add(request, now)).await.map(Json)
}

/// `DELETE /v1/tokens/{name}`
pub(super) async fn revoke(State(context): State<Context>, Path(name): Path<String>) -> Answer<()> {
    on_disk(move || context.tokens.revoke(&name)).await.map(Json)
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?
}
