//! Mailboxes: what is kept here, what friends keep, and what it may cost.

use axum::Json;
use axum::extract::State;

use super::Answer;
use crate::api::server::Context;
use crate::api::types::{ChangeMailbox, MailboxView};

/// `GET /v1/mailbox`
pub(super) async fn show(State(context): State<Context>) -> Answer<MailboxView> {
    context.requests.mailbox().await.map(Json)
}

/// `PATCH /v1/mailbox`
pub(super) async fn change(
    State(context): State<Context>,
    Json(request): Json<ChangeMailbox>,
) -> Answer<MailboxView> {
    context.requests.change_mailbox(request).await.map(Json)
}
