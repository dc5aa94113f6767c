//! Bridges: listed, added, removed.

use std::time::Duration;

use wayside_bridge::{BridgeError, Opened};

use super::communities::{bot_of, no_room};
use super::{GLANCE, Requests};
use crate::api::types::{AddBridge, ApiError, BridgeFigure, BridgeView, ErrorCode};
use crate::boards;
use crate::bridges::{custody, describe, open};
use crate::clock;
use crate::doctor;
use crate::home::{self, BridgeConfig, HomeError};

/// How long a bridge may take to be tried before it is added.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a bridge that is removed may take to take back what lies there.
const TAKE_BACK: Duration = Duration::from_secs(5);

impl Requests {
    /// The configured bridges as they are.
    pub(crate) async fn bridges(&self) -> Result<Vec<BridgeView>, ApiError> {
        self.bridges_tried(GLANCE).await;
        self.driver.bridges().await
    }

    /// Adds a bridge: tries it first, and keeps nothing where that fails.
    pub(crate) async fn add_bridge(&self, request: AddBridge) -> Result<BridgeView, ApiError> {
        let _one_at_a_time = self.changing_config.lock().await;
        let config = named(self, self.meant(request).await?)?;
        let view = try_out(self, &config).await.inspect_err(|_| {
            // What a failed attempt left behind; nothing was kept there yet.
            let _ = std::fs::remove_dir_all(self.home.bridge_state_dir(&config.name));
        })?;
        home::add_bridge(&self.home.config_path(), &config)?;
        let (name, bot) = (config.name.clone(), config.bot.clone());
        self.driver.add_bridge(config).await?;
        self.communities.set(&name, bot);
        // What comes next may lean on it.
        self.bridges_tried(PATIENCE).await;
        Ok(view)
    }

    /// A friend by its account, so that the bridge outlives its being renamed.
    async fn meant(&self, mut request: AddBridge) -> Result<AddBridge, ApiError> {
        if request.kind == boards::KIND
            && let Some(friend) = request.options.get_mut(boards::FRIEND)
        {
            *friend = self.find(friend.clone()).await?.to_string();
        }
        Ok(request)
    }

    /// Tries a bridge just now.
    pub(crate) async fn probe_bridge(&self, name: &str) -> Result<BridgeFigure, ApiError> {
        let bridges = self.driver.bridges_to_try().await?;
        let found = bridges.into_iter().find(|(view, _)| view.name == name);
        let (view, bridge) = found.ok_or_else(|| unknown(name))?;
        Ok(doctor::probe(self, view, bridge).await)
    }

    /// Removes a bridge, and takes back what lies there.
    pub(crate) async fn remove_bridge(&self, name: String) -> Result<(), ApiError> {
        let _one_at_a_time = self.changing_config.lock().await;
        if !self.home.bridges()?.iter().any(|bridge| bridge.name == name) {
            return Err(unknown(&name));
        }
        self.communities.leave(&name, TAKE_BACK).await?;
        // What cannot be taken back in time stays until the service forgets it.
        let _ = tokio::time::timeout(TAKE_BACK, self.pointers.leave_bridge(&name)).await;
        let _ = tokio::time::timeout(TAKE_BACK, self.driver.leave_bridge(name.clone())).await;
        home::remove_bridge(&self.home.config_path(), &name)?;
        self.driver.remove_bridge(name.clone()).await?;
        let folder = self.home.bridge_state_dir(&name);
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(HomeError::io(&folder, error).into())
            }
            _ => Ok(()),
        }
    }
}

/// The configuration that is meant, under a name that is free.
fn named(requests: &Requests, request: AddBridge) -> Result<BridgeConfig, ApiError> {
    let taken: Vec<String> = requests.home.bridges()?.into_iter().map(|bridge| bridge.name).collect();
    let AddBridge { kind, name, options, mail, community } = request;
    let bot = community.map(|bot| bot_of(&bot)).transpose()?;
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
    Ok(BridgeConfig { name, kind, options, mail, bot })
}

async fn try_out(requests: &Requests, config: &BridgeConfig) -> Result<BridgeView, ApiError> {
    let folder = home::make_bridge_dir(requests.home.path(), &config.name)
        .map_err(|error| HomeError::io(&requests.home.bridge_state_dir(&config.name), error))?;
    let context =
        clock::context(*requests.driver.clock(), tokio_util::task::TaskTracker::new(), Some(folder));
    let tried = async {
        let open = open(&requests.registry, config, context).await?;
        let probe = open.bridge.probe().await?;
        Ok((open, probe))
    };
    let (Opened { bridge, room, .. }, probe) =
        tokio::time::timeout(PATIENCE, tried).await.map_err(|_| slow())?.map_err(of_bridge)?;
    if config.mail && custody(bridge.capability()).is_none() {
        return Err(ApiError::new(
            ErrorCode::Usage,
            "no mail can lie there, since the service does not keep and list records for days: add it without mail",
        ));
    }
    if config.bot.is_some() && room.is_none() {
        return Err(no_room(&config.kind));
    }
    let untried = crate::bridges::not_yet_tried(config);
    let mut view = BridgeView { healthy: true, error: None, note: probe.note, ..untried };
    describe(&mut view, &*bridge);
    Ok(view)
}

fn unknown(name: &str) -> ApiError {
    let sentence = format!("there is no bridge `{name}`: `wayside bridge list` lists them");
    ApiError::new(ErrorCode::NotFound, sentence)
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
