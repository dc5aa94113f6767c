//! Messages: sent, listed, marked as read.

use axum::Extension;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::Response;
use futures::stream;
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::sync::broadcast::error::RecvError;

use super::Answer;
use super::lines::{Gone, Reader, Writer};
use crate::api::access::Grant;
use crate::api::server::Context;
use crate::api::types::{ApiError, MarkRead, NodeEvent, OutgoingView, Scope, Send, Sent};
use crate::requests::Requests;

/// `POST /v1/messages`. A file to attach is named by its path, which could be any file of the owner's: that is not for a token that may send alone.
pub(super) async fn send(
    State(context): State<Context>,
    Extension(grant): Extension<Grant>,
    Json(request): Json<Send>,
) -> Answer<Sent> {
    if !request.files.is_empty() {
        grant.check(Scope::Admin)?;
    }
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
///
/// A reader of events goes on behind the message that it had last.
pub(super) async fn inbox(
    State(context): State<Context>,
    Query(query): Query<InboxQuery>,
    reader: Reader,
) -> Response {
    let from = reader.after().and_then(|last| last.parse::<u64>().ok());
    let from = from.map_or(0, |last| last.saturating_add(1));
    reader.answer(move |writer| list(context.requests, query, from, writer))
}

async fn list(requests: Requests, query: InboxQuery, mut from: u64, writer: Writer) -> Result<(), Gone> {
    let mut events = requests.driver.events();
    loop {
        loop {
            let batch = match requests.inbox(from, query.all).await {
                Ok(batch) => batch,
                Err(error) => return writer.error(error).await,
            };
            let Some((last, _)) = batch.last() else { break };
            from = last.saturating_add(1);
            for (number, message) in batch {
                writer.tell(None, Some(number.to_string()), &message).await?;
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

/// `GET /v1/inbox/{id}/files/{number}`: what is in a file that came with a message, for whoever cannot open its path.
pub(super) async fn file(
    State(context): State<Context>,
    Path((id, number)): Path<(String, usize)>,
) -> Result<Response, ApiError> {
    let (file, size) = context.requests.inbox_file(&id, number).await?;
    let pieces = stream::unfold(file, async |mut file| {
        let mut piece = vec![0; PIECE];
        let read = match file.read(&mut piece).await {
            Ok(0) => return None,
            Ok(read) => read,
            Err(error) => return Some((Err(error), file)),
        };
        piece.truncate(read);
        Some((Ok(Bytes::from(piece)), file))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_LENGTH, size.into());
    Ok(response)
}

/// Read from the disk at once, in bytes.
const PIECE: usize = 1 << 16;
