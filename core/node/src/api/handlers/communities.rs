//! Communities: their bots, and whom we ask them to meet.

use axum::Json;
use axum::extract::{Path, State};

use super::Answer;
use crate::api::server::Context;
use crate::api::types::{AskToMeet, ChangeCommunity, CommunityView, EncounterView};

/// `GET /v1/communities`
pub(super) async fn list(State(context): State<Context>) -> Answer<Vec<CommunityView>> {
    context.requests.communities().await.map(Json)
}

/// `PATCH /v1/communities/{name}`
pub(super) async fn change(
    State(context): State<Context>,
    Path(bridge): Path<String>,
    Json(request): Json<ChangeCommunity>,
) -> Answer<CommunityView> {
    context.requests.change_community(&bridge, request).await.map(Json)
}

/// `GET /v1/encounters`
pub(super) async fn encounters(State(context): State<Context>) -> Answer<Vec<EncounterView>> {
    context.requests.encounters().await.map(Json)
}

/// `POST /v1/encounters`
pub(super) async fn ask(
    State(context): State<Context>,
    Json(request): Json<AskToMeet>,
) -> Answer<EncounterView> {
    context.requests.ask_to_meet(request).await.map(Json)
}
