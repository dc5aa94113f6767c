//! Friends: listed, changed, pinged, explained.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use tokio::time::Instant;
use wayside_proto::Now;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{CommandError, Engine, Friend, Grant};

use super::{deadline, find, lines};
use crate::api::server::Context;
use crate::api::types::{
    ApiError, ChangeFriend, ErrorCode, Explanation, FriendView, LinkState, MessageState, PathKind, Ping,
    Pong, StepView,
};
use crate::api::words;
use crate::driver::Driver;
use crate::links::card::{GRANTS, grant};
use crate::links::{LiveLink, ping};
use crate::times;

/// `GET /v1/friends`: by name.
pub(super) async fn list(State(context): State<Context>) -> Result<Json<Vec<FriendView>>, ApiError> {
    let driver = context.driver.clone();
    let views = context
        .driver
        .look(move |engine, _| engine.friends().map(|friend| view(&driver, friend)).collect::<Vec<_>>());
    let mut views = views.await?;
    views.sort_by_cached_key(|view| (view.name.to_lowercase(), view.account.clone()));
    Ok(Json(views))
}

/// `GET /v1/friends/{friend}`
pub(super) async fn show(
    State(context): State<Context>,
    Path(friend): Path<String>,
) -> Result<Json<FriendView>, ApiError> {
    let account = find(&context, friend).await?;
    view_of(&context, account).await.map(Json)
}

/// `PATCH /v1/friends/{friend}`
pub(super) async fn change(
    State(context): State<Context>,
    Path(friend): Path<String>,
    Json(request): Json<ChangeFriend>,
) -> Result<Json<FriendView>, ApiError> {
    let account = find(&context, friend).await?;
    let grants = |words: &[String]| words.iter().map(|word| known_grant(word)).collect::<Result<Vec<_>, _>>();
    let (allow, deny) = (grants(&request.allow)?, grants(&request.deny)?);
    let unblocked = request.blocked == Some(false);
    let changed = context
        .driver
        .change(move |engine, now| apply(engine, now, &account, request, &allow, &deny))
        .await?;
    changed.map_err(|error| words::command(&error))?;
    if unblocked {
        // Who was wanted meanwhile is wanted still.
        context.driver.friend_is_back(account).await;
    }
    context.driver.grants_may_have_changed();
    view_of(&context, account).await.map(Json)
}

/// `DELETE /v1/friends/{friend}`
pub(super) async fn remove(
    State(context): State<Context>,
    Path(friend): Path<String>,
) -> Result<Json<()>, ApiError> {
    let account = find(&context, friend).await?;
    let removed = context.driver.change(move |engine, now| engine.remove(now, &account)).await?;
    removed.map_err(|error| words::command(&error))?;
    let friends = context.driver.look(|engine, _| engine.friends().map(Friend::account).collect()).await?;
    let given_up = context.driver.store().run(move |store| {
        store.keep_steps_of(&friends)?;
        store.keep_queues_of(&friends)
    });
    for entry in given_up.await? {
        context.driver.settle(entry.id, MessageState::Expired);
    }
    context.driver.want_recipients().await?;
    Ok(Json(()))
}

/// `POST /v1/friends/{friend}/ping`
pub(super) async fn ping(
    State(context): State<Context>,
    Path(friend): Path<String>,
    Json(request): Json<Ping>,
) -> Result<Response, ApiError> {
    let account = find(&context, friend).await?;
    let driver = context.driver.clone();
    Ok(lines::answer(context.stop.clone(), |writer| async move {
        let wanted = driver.want(account);
        let deadline = deadline(request.wait_ms);
        for number in 0..request.count {
            if number > 0 {
                tokio::time::sleep(BETWEEN).await;
            }
            match one_ping(&driver, &account, deadline).await {
                Ok(pong) => writer.line(&pong).await?,
                Err(error) => return writer.error(error).await,
            }
        }
        drop(wanted);
        Ok(())
    }))
}

/// `GET /v1/friends/{friend}/explain`
pub(super) async fn explain(
    State(context): State<Context>,
    Path(friend): Path<String>,
) -> Result<Json<Explanation>, ApiError> {
    let account = find(&context, friend).await?;
    let view = view_of(&context, account).await?;
    let steps = context.driver.look(move |engine, _| engine.explain(&account)).await?;
    let steps = context.driver.store().run(move |store| store.steps(&account, steps)).await?;
    let because = because(&view, context.driver.links().of(&account).as_ref(), steps.is_empty());
    let steps =
        steps.into_iter().map(|step| StepView { at: times::time(step.at), what: step.what }).collect();
    Ok(Json(Explanation { friend: view.name, path: view.path, because, steps }))
}

/// Between two pings.
const BETWEEN: Duration = Duration::from_secs(1);

/// One ping over the link that is up by then; a link that turns out to be dead is waited out for a new one.
async fn one_ping(driver: &Driver, account: &AccountId, deadline: Instant) -> Result<Pong, ApiError> {
    let mut changes = driver.links_changed();
    loop {
        changes.borrow_and_update();
        if let Some(live) = driver.links().of(account) {
            let echoed = async { ping::Pinger::new(&live.peer.link).await?.ping().await };
            match tokio::time::timeout_at(deadline.max(Instant::now() + BETWEEN), echoed).await {
                Ok(Ok(rtt)) => return Ok(pong(rtt, &live)),
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

fn pong(rtt: Duration, live: &LiveLink) -> Pong {
    let micros = u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX);
    Pong {
        rtt_ms: f64::from(micros) / 1000.0,
        path: live.path(),
        remote: Some(live.remote().to_string()),
        via: None,
    }
}

fn apply(
    engine: &mut Engine,
    now: Now,
    account: &AccountId,
    change: ChangeFriend,
    allow: &[Grant],
    deny: &[Grant],
) -> Result<(), CommandError> {
    if let Some(name) = change.rename {
        engine.rename(now, account, Some(name))?;
    }
    match change.blocked {
        Some(true) => engine.block(now, account)?,
        Some(false) => engine.unblock(now, account)?,
        None => {}
    }
    for grant in allow {
        engine.allow(now, account, *grant, true)?;
    }
    for grant in deny {
        engine.allow(now, account, *grant, false)?;
    }
    Ok(())
}

fn known_grant(word: &str) -> Result<Grant, ApiError> {
    grant(word).ok_or_else(|| {
        ApiError::new(ErrorCode::Usage, format!("`{word}` cannot be allowed: it is relay or mailbox"))
    })
}

async fn view_of(context: &Context, account: AccountId) -> Result<FriendView, ApiError> {
    let driver = context.driver.clone();
    let view = context
        .driver
        .look(move |engine, _| engine.friend(&account).map(|friend| view(&driver, friend)))
        .await?;
    view.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "this friend was removed just now"))
}

fn view(driver: &Driver, friend: &Friend) -> FriendView {
    let live = driver.links().of(&friend.account());
    let words = |has: &dyn Fn(Grant) -> bool| -> Vec<String> {
        GRANTS.iter().filter(|(grant, _)| has(*grant)).map(|(_, word)| (*word).to_owned()).collect()
    };
    FriendView {
        name: friend.name().to_owned(),
        account: friend.account().to_string(),
        devices: friend.card().roster().devices.iter().map(|device| device.keys.id().to_string()).collect(),
        link: if live.is_some() { LinkState::Up } else { LinkState::Down },
        path: live.map(|live| live.path()),
        allows: words(&|grant| friend.allows(grant)),
        granted: words(&|grant| friend.granted(grant)),
        blocked: friend.blocked(),
    }
}

fn because(view: &FriendView, live: Option<&LiveLink>, never_met: bool) -> String {
    match (live, view.blocked, never_met) {
        (Some(live), ..) if live.path() == PathKind::Direct => {
            format!(
                "the link is direct, to {}: one of the addresses that were exchanged answered",
                live.remote()
            )
        }
        (Some(_), ..) => "the link goes through a friend".to_owned(),
        (None, true, _) => "there is no link: this friend is blocked".to_owned(),
        (None, false, true) => "there is no link: nobody has wanted one yet".to_owned(),
        (None, false, false) => {
            "there is no link right now: the steps tell how far the last meeting got".to_owned()
        }
    }
}
