//! Bridges: listed, added, removed.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use wayside_bridge::{BridgeError, SharedBridge};

use super::{GLANCE, bridges_tried};
use crate::api::server::Context;
use crate::api::types::{AddBridge, ApiError, BridgeView, ErrorCode};
use crate::bridges::{describe, open};
use crate::clock;
use crate::home::{self, BridgeConfig, HomeError};

/// How long a bridge may take to be tried before it is added.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a bridge that is removed may take to take back what lies there.
const TAKE_BACK: Duration = Duration::from_secs(5);

/// `GET /v1/bridges`
pub(super) async fn list(State(context): State<Context>) -> Result<Json<Vec<BridgeView>>, ApiError> {
    bridges_tried(&context, GLANCE).await;
    context.driver.bridges().await.map(Json)
}

/// `POST /v1/bridges`: tries it first, and keeps nothing where that fails.
pub(super) async fn add(
    State(context): State<Context>,
    Json(request): Json<AddBridge>,
) -> Result<Json<BridgeView>, ApiError> {
    let _one_at_a_time = context.changing_bridges.lock().await;
    let config = named(&context, request)?;
    let view = try_out(&context, &config).await.inspect_err(|_| {
        // What a failed attempt left behind; nothing was kept there yet.
        let _ = std::fs::remove_dir_all(context.home.bridge_state_dir(&config.name));
    })?;
    home::add_bridge(&context.home.config_path(), &config)?;
    context.driver.add_bridge(config).await?;
    // What comes next may lean on it.
    bridges_tried(&context, PATIENCE).await;
    Ok(Json(view))
}

/// `DELETE /v1/bridges/{name}`
pub(super) async fn remove(
    State(context): State<Context>,
    Path(name): Path<String>,
) -> Result<Json<()>, ApiError> {
    let _one_at_a_time = context.changing_bridges.lock().await;
    if !context.home.bridges()?.iter().any(|bridge| bridge.name == name) {
        return Err(ApiError::new(
            ErrorCode::NotFound,
            format!("there is no bridge `{name}`: `wayside bridge list` lists them"),
        ));
    }
    // What cannot be taken back in time stays until the service forgets it.
    let _ = tokio::time::timeout(TAKE_BACK, context.driver.leave_bridge(name.clone())).await;
    home::remove_bridge(&context.home.config_path(), &name)?;
    context.driver.remove_bridge(name.clone()).await?;
    let folder = context.home.bridge_state_dir(&name);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(HomeError::io(&folder, error).into())
        }
        _ => Ok(Json(())),
    }
}

/// The configuration that is meant, under a name that is free.
fn named(context: &Context, request: AddBridge) -> Result<BridgeConfig, ApiError> {
    let taken: Vec<String> = context.home.bridges()?.into_iter().map(|bridge| bridge.name).collect();
    let AddBridge { kind, name, options } = request;
    let name = match name {
        Some(name) if taken.contains(&name) => {
            return Err(ApiError::new(
                ErrorCode::Exists,
                format!("there is a bridge `{name}` already: choose another --name"),
            ));
        }
        Some(name) => name,
        None => std::iter::once(kind.clone())
            .chain((2..).map(|number| format!("{kind}-{number}")))
            .find(|name| !taken.contains(name))
            .unwrap_or_default(),
    };
    home::check_bridge_name(&name).map_err(|why| ApiError::new(ErrorCode::Usage, why))?;
    Ok(BridgeConfig { name, kind, options })
}

async fn try_out(context: &Context, config: &BridgeConfig) -> Result<BridgeView, ApiError> {
    let folder = home::make_bridge_dir(context.home.path(), &config.name)
        .map_err(|error| HomeError::io(&context.home.bridge_state_dir(&config.name), error))?;
    let bridge_context =
        clock::context(context.driver.clock().clone(), tokio_util::task::TaskTracker::new(), Some(folder));
    let tried = async {
        let bridge: SharedBridge = open(&context.registry, config, bridge_context).await?;
        let probe = bridge.probe().await?;
        Ok((bridge, probe))
    };
    let (bridge, probe) =
        tokio::time::timeout(PATIENCE, tried).await.map_err(|_| slow())?.map_err(of_bridge)?;
    let untried = crate::bridges::not_yet_tried(config);
    let mut view = BridgeView { healthy: true, error: None, note: probe.note, ..untried };
    describe(&mut view, &*bridge);
    Ok(view)
}

fn slow() -> ApiError {
    let seconds = PATIENCE.as_secs();
    ApiError::new(
        ErrorCode::Bridge,
        format!("the service did not answer within {seconds} seconds: try again later"),
    )
}

fn of_bridge(error: BridgeError) -> ApiError {
    let code = match error.kind() {
        wayside_bridge::ErrorKind::Configuration => ErrorCode::Usage,
        _ => ErrorCode::Bridge,
    };
    ApiError::new(code, error.message())
}
