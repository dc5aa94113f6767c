//! How things are, and what happens.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;

use super::Answer;
use super::lines::{Gone, Reader, Writer};
use crate::api::server::Context;
use crate::api::types::{ConfigOption, Id, NodeEvent, StatusView};
use crate::driver::{Place, Resumed};
use crate::requests::Requests;

/// `GET /v1/id`
pub(super) async fn id(State(context): State<Context>) -> Json<Id> {
    Json(context.requests.home.id())
}

/// `GET /v1/status`
pub(super) async fn status(State(context): State<Context>) -> Answer<StatusView> {
    context.requests.status().await.map(Json)
}

/// `GET /v1/config`
pub(super) async fn config(State(context): State<Context>) -> Answer<Vec<ConfigOption>> {
    Ok(Json(context.requests.home.options()?))
}

/// `GET /v1/events`: begins with `ready`, as soon as it is.
pub(super) async fn events(State(context): State<Context>, reader: Reader) -> Response {
    let after = reader.after().map(Place::parse);
    reader.answer(move |writer| tell(context.requests, after, writer))
}

async fn tell(requests: Requests, after: Option<Place>, writer: Writer) -> Result<(), Gone> {
    let driver = &requests.driver;
    let mut ready = driver.ready();
    // The node is ending otherwise.
    let _ = ready.wait_for(|ready| *ready).await;
    let Resumed { missed, again, mut place, mut events } = driver.resume_events(after);
    let bridges = match driver.bridges().await {
        Ok(bridges) => bridges,
        Err(error) => return writer.error(error).await,
    };
    let (account, listen) = (requests.home.id().account, requests.listening.to_vec());
    let ready = NodeEvent::Ready { account, listen, bridges };
    say(&writer, after.is_none().then_some(place), &ready).await?;
    if let Some(count) = missed {
        say(&writer, Some(place), &NodeEvent::Missed { count }).await?;
    }
    for event in again {
        place = place.after(1);
        say(&writer, Some(place), &event).await?;
    }
    loop {
        match events.recv().await {
            Ok(event) => {
                place = place.after(1);
                say(&writer, Some(place), &event).await?;
            }
            Err(RecvError::Lagged(count)) => {
                place = place.after(count);
                say(&writer, Some(place), &NodeEvent::Missed { count }).await?;
            }
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}

async fn say(writer: &Writer, place: Option<Place>, event: &NodeEvent) -> Result<(), Gone> {
    let value = serde_json::to_value(event).map_err(|_| Gone)?;
    let name = value.get("event").and_then(Value::as_str).map(str::to_owned);
    writer.tell(name, place.map(|place| place.to_string()), &value).await
}
