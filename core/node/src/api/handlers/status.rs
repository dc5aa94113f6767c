//! How things are, and what happens.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use tokio::sync::broadcast::error::RecvError;
use wayside_proto::engine::ContactState;

use super::{GLANCE, bridges_tried, lines};
use crate::api::server::Context;
use crate::api::types::{ApiError, Id, LinkView, NodeEvent, QueueView, StatusView};
use crate::times;

/// `GET /v1/id`
pub(super) async fn id(State(context): State<Context>) -> Json<Id> {
    Json(context.home.id())
}

/// `GET /v1/status`
pub(super) async fn status(State(context): State<Context>) -> Result<Json<StatusView>, ApiError> {
    let driver = &context.driver;
    bridges_tried(&context, GLANCE).await;
    let mut links = Vec::new();
    for (account, live) in driver.links().all() {
        links.push(LinkView {
            friend: driver.name_of(&account).await,
            path: live.path(),
            remote: Some(live.remote().to_string()),
            via: None,
            since: times::time(live.since),
        });
    }
    let mut queues = Vec::new();
    for (account, size) in driver.store().run(|store| store.queues()).await? {
        queues.push(QueueView {
            friend: driver.name_of(&account).await,
            queued: size.count,
            held: 0,
            oldest: size.oldest.map(times::time),
        });
    }
    let pending = |state: &ContactState| *state == ContactState::Pending;
    let pending_accepts = driver
        .look(move |engine, _| engine.contacts().filter(|(_, state)| pending(state)).count() as u64)
        .await?;
    Ok(Json(StatusView {
        id: context.home.id(),
        node: context.kind,
        listen: context.listening.to_vec(),
        bridges: driver.bridges().await?,
        links,
        queues,
        unread: driver.store().run(|store| store.unread()).await?,
        pending_accepts,
        clock: driver.clock_wrong(),
    }))
}

/// `GET /v1/events`: begins with `ready`, as soon as it is.
pub(super) async fn events(State(context): State<Context>) -> Response {
    let stop = context.stop.clone();
    lines::answer(stop, |writer| async move {
        let driver = context.driver;
        let mut ready = driver.ready();
        // The node is ending otherwise.
        let _ = ready.wait_for(|ready| *ready).await;
        let mut events = driver.events();
        let bridges = match driver.bridges().await {
            Ok(bridges) => bridges,
            Err(error) => return writer.error(error).await,
        };
        let listen = context.listening.to_vec();
        writer.line(&NodeEvent::Ready { account: context.home.id().account, listen, bridges }).await?;
        loop {
            match events.recv().await {
                Ok(event) => writer.line(&event).await?,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    })
}
