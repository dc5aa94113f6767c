//! Messages: sent, listed, marked as read.

use axum::Json;
use axum::extract::{Query, State};
use axum::response::Response;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use wayside_bridge::Entropy;

use super::lines::{self, Gone, Writer};
use super::{deadline, find};
use crate::api::server::Context;
use crate::api::types::{ApiError, ErrorCode, InboxView, MarkRead, MessageState, NodeEvent, Send, Sent};
use crate::clock::SystemEntropy;
use crate::driver::Driver;
use crate::store::{Accepted, InboxEntry};
use crate::times;

/// `POST /v1/messages`
pub(super) async fn send(
    State(context): State<Context>,
    Json(request): Json<Send>,
) -> Result<Json<Sent>, ApiError> {
    if request.text.len() > Send::MAX_TEXT {
        let most = Send::MAX_TEXT / 1024;
        return Err(ApiError::new(
            ErrorCode::Usage,
            format!("a message has at most {most} KiB: send it in parts"),
        ));
    }
    let to = find(&context, request.to).await?;
    let driver = &context.driver;
    let deadline = request.wait_ms.map(deadline);
    let mut settled = driver.settled();
    let id = match &request.id {
        Some(text) => parse_id(text)?,
        None => {
            let mut id = [0; 16];
            SystemEntropy.fill(&mut id);
            id
        }
    };
    let (text, now, most) = (request.text, driver.clock().wall(), driver.limits().queue);
    let accepted = driver.store().run(move |store| store.enqueue(&to, id, text, now, most)).await?;
    driver.accepted_message();
    driver.want_recipients().await?;
    let state = match (accepted, deadline) {
        (Accepted::Before { waits: false }, _) => MessageState::Delivered,
        (_, Some(deadline)) => outcome(&mut settled, id, deadline).await,
        (_, None) => MessageState::Queued,
    };
    Ok(Json(Sent { id: HEXLOWER.encode(&id), state, held_by: Vec::new() }))
}

/// How far the message has come by the deadline.
async fn outcome(
    settled: &mut Receiver<([u8; 16], MessageState)>,
    id: [u8; 16],
    deadline: Instant,
) -> MessageState {
    loop {
        match tokio::time::timeout_at(deadline, settled.recv()).await {
            Ok(Ok((settled, state))) if settled == id => return state,
            Ok(Ok(_) | Err(RecvError::Lagged(_))) => {}
            Ok(Err(RecvError::Closed)) | Err(_) => return MessageState::Queued,
        }
    }
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
    let driver = context.driver.clone();
    lines::answer(context.stop.clone(), move |writer| list(driver, query, writer))
}

/// `POST /v1/inbox/read`
pub(super) async fn mark_read(
    State(context): State<Context>,
    Json(request): Json<MarkRead>,
) -> Result<Json<()>, ApiError> {
    let ids: Vec<[u8; 16]> = request.ids.iter().map(|text| parse_id(text)).collect::<Result<_, _>>()?;
    context.driver.store().run(move |store| store.mark_read(&ids)).await?;
    Ok(Json(()))
}

fn parse_id(text: &str) -> Result<[u8; 16], ApiError> {
    let id = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    id.ok_or_else(|| ApiError::new(ErrorCode::Usage, "a message's id has 32 hexadecimal digits"))
}

/// Messages read from the store at once.
const AT_ONCE: usize = 128;

async fn list(driver: Driver, query: InboxQuery, writer: Writer) -> Result<(), Gone> {
    let mut events = driver.events();
    let mut from = 0;
    loop {
        loop {
            let batch = driver.store().run(move |store| store.inbox(from, query.all, AT_ONCE)).await;
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return writer.error(error.into()).await,
            };
            let Some((last, _)) = batch.last() else { break };
            from = last.saturating_add(1);
            for (_, entry) in batch {
                writer.line(&view(&driver, entry).await).await?;
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

async fn view(driver: &Driver, entry: InboxEntry) -> InboxView {
    InboxView {
        id: HEXLOWER.encode(&entry.id),
        from: driver.name_of(&entry.from).await,
        text: entry.text,
        sent: times::time(entry.sent),
        received: times::time(entry.received),
    }
}
