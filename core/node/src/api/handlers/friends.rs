//! Friends: listed, changed, pinged, explained.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use tokio::time::Instant;
use wayside_proto::crypto::keys::AccountId;

use super::Answer;
use super::lines::Reader;
use crate::api::server::Context;
use crate::api::types::{ApiError, ChangeFriend, Comparison, ErrorCode, Explanation, FriendView, Ping, Pong};
use crate::driver::Driver;
use crate::links::{LiveLink, ping};
use crate::requests::deadline;
use crate::times::millis;

/// `GET /v1/friends`
pub(super) async fn list(State(context): State<Context>) -> Answer<Vec<FriendView>> {
    context.requests.friends().await.map(Json)
}

/// `GET /v1/friends/{friend}`
pub(super) async fn show(State(context): State<Context>, Path(friend): Path<String>) -> Answer<FriendView> {
    context.requests.friend(friend).await.map(Json)
}

/// `PATCH /v1/friends/{friend}`
pub(super) async fn change(
    State(context): State<Context>,
    Path(friend): Path<String>,
    Json(request): Json<ChangeFriend>,
) -> Answer<FriendView> {
    context.requests.change_friend(friend, request).await.map(Json)
}

/// `DELETE /v1/friends/{friend}`
pub(super) async fn remove(State(context): State<Context>, Path(friend): Path<String>) -> Answer<()> {
    context.requests.remove_friend(friend).await.map(Json)
}

/// `GET /v1/friends/{friend}/explain`
pub(super) async fn explain(
    State(context): State<Context>,
    Path(friend): Path<String>,
) -> Answer<Explanation> {
    context.requests.explain(friend).await.map(Json)
}

/// `GET /v1/friends/{friend}/comparison`
pub(super) async fn comparison(
    State(context): State<Context>,
    Path(friend): Path<String>,
) -> Answer<Comparison> {
    context.requests.comparison(friend).await.map(Json)
}

/// Between two pings.
const BETWEEN: Duration = Duration::from_secs(1);

/// `POST /v1/friends/{friend}/ping`
pub(super) async fn ping(
    State(context): State<Context>,
    Path(friend): Path<String>,
    reader: Reader,
    Json(request): Json<Ping>,
) -> Result<Response, ApiError> {
    let requests = context.requests;
    let account = requests.find(friend).await?;
    Ok(reader.answer(|writer| async move {
        let wanted = requests.driver.want(account);
        let deadline = deadline(request.wait_ms);
        for number in 0..request.count {
            if number > 0 {
                tokio::time::sleep(BETWEEN).await;
            }
            match one_ping(&requests.driver, &account, deadline).await {
                Ok(pong) => writer.line(&pong).await?,
                Err(error) => return writer.error(error).await,
            }
        }
        drop(wanted);
        Ok(())
    }))
}

/// How long the echo over a link that is up may take at least, however impatient whoever asks is.
const ECHO: Duration = Duration::from_secs(1);

/// One ping over the link that is up by the deadline; a link that turns out to be dead is waited out for a new one.
async fn one_ping(driver: &Driver, account: &AccountId, deadline: Instant) -> Result<Pong, ApiError> {
    let mut changes = driver.links_changed();
    loop {
        changes.borrow_and_update();
        if let Some(live) = driver.links().of(account) {
            let echoed = async { ping::Pinger::new(&live.peer.link).await?.ping().await };
            match tokio::time::timeout_at(deadline.max(Instant::now() + ECHO), echoed).await {
                Ok(Ok(rtt)) => return Ok(pong(driver, rtt, &live).await),
                Ok(Err(error)) => tracing::debug!(%error, "a ping was lost"),
                Err(_) => {}
            }
        }
        if tokio::time::timeout_at(deadline, changes.changed()).await.is_err() {
            return Err(ApiError::new(
                ErrorCode::Pending,
                "no link came up in time: is the friend online? `wayside explain` tells how far it got",
            ));
        }
    }
}

async fn pong(driver: &Driver, rtt: Duration, live: &LiveLink) -> Pong {
    Pong {
        rtt_ms: millis(rtt),
        path: live.path(),
        transport: live.transport(),
        remote: live.remote(),
        relay: driver.relay_of(live).await,
    }
}
