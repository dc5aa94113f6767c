//! Messages: sent, listed, marked as read.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;

use super::Answer;
use super::lines::{self, Gone, Writer};
use crate::api::server::Context;
use crate::api::types::{MarkRead, NodeEvent, OutgoingView, Send, Sent};
use crate::requests::Requests;

/// `POST /v1/messages`
pub(super) async fn send(State(context): State<Context>, Json(request): Json<Send>) -> Answer<Sent> {
    context.requests.send(request).await.map(Json)
}

/// `GET /v1/messages`
pub(super) async fn outgoing(State(context): State<Context>) -> Answer<Vec<OutgoingView>> {
    context.requests.outgoing().await.map(Json)
}

/// `GET /v1/messages/{id}`
pub(super) async fn sent(State(context): State<Context>, Path(id): Path<String>) -> Answer<Sent> {
    context.requests.message(&id).await.map(Json)
}

/// `POST /v1/inbox/read`
pub(super) async fn mark_read(State(context): State<Context>, Json(request): Json<MarkRead>) -> Answer<()> {
    context.requests.mark_read(&request.ids).await.map(Json)
}

/// The query of `GET /v1/inbox`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct InboxQuery {
    #[serde(default)]
    follow: bool,
    #[serde(default)]
    all: bool,
}

/// `GET /v1/inbox?follow=&all=`
pub(super) async fn inbox(State(context): State<Context>, Query(query): Query<InboxQuery>) -> Response {
    lines::answer(context.stop, move |writer| list(context.requests, query, writer))
}

async fn list(requests: Requests, query: InboxQuery, writer: Writer) -> Result<(), Gone> {
    let mut events = requests.driver.events();
    let mut from = 0;
    loop {
        loop {
            let batch = match requests.inbox(from, query.all).await {
                Ok(batch) => batch,
                Err(error) => return writer.error(error).await,
            };
            let Some((last, _)) = batch.last() else { break };
            from = last.saturating_add(1);
            for (_, message) in batch {
                writer.line(&message).await?;
            }
        }
        if !query.follow {
            return Ok(());
        }
        loop {
            match events.recv().await {
                Ok(NodeEvent::MessageReceived { .. }) | Err(RecvError::Lagged(_)) => break,
                Ok(_) => {}
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }
}
