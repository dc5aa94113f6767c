//! How things are, and what happens.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use tokio::sync::broadcast::error::RecvError;

use super::{Answer, lines};
use crate::api::server::Context;
use crate::api::types::{Id, NodeEvent, StatusView};

/// `GET /v1/id`
pub(super) async fn id(State(context): State<Context>) -> Json<Id> {
    Json(context.requests.home.id())
}

/// `GET /v1/status`
pub(super) async fn status(State(context): State<Context>) -> Answer<StatusView> {
    context.requests.status().await.map(Json)
}

/// `GET /v1/events`: begins with `ready`, as soon as it is.
pub(super) async fn events(State(context): State<Context>) -> Response {
    let requests = context.requests;
    lines::answer(context.stop, |writer| async move {
        let driver = &requests.driver;
        let mut ready = driver.ready();
        // The node is ending otherwise.
        let _ = ready.wait_for(|ready| *ready).await;
        let mut events = driver.events();
        let bridges = match driver.bridges().await {
            Ok(bridges) => bridges,
            Err(error) => return writer.error(error).await,
        };
        let (account, listen) = (requests.home.id().account, requests.listening.to_vec());
        writer.line(&NodeEvent::Ready { account, listen, bridges }).await?;
        loop {
            match events.recv().await {
                Ok(event) => writer.line(&event).await?,
                Err(RecvError::Lagged(count)) => writer.line(&NodeEvent::Missed { count }).await?,
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    })
}
