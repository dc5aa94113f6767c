//! Mailboxes: what is kept for friends, and who keeps.

use axum::Json;
use axum::extract::State;

use super::Answer;
use crate::api::server::Context;
use crate::api::types::MailboxView;

/// `GET /v1/mailbox`
pub(super) async fn show(State(context): State<Context>) -> Answer<MailboxView> {
    context.requests.mailbox().await.map(Json)
}
