//! One bridge: opened, tried, used, and tried again when it fails.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use wayside_bridge::layers::{self, Check, Rate, RateLimit, RateLimits, RetryPolicy};
use wayside_bridge::{
    BridgeContext, BridgeError, BridgeOptions, Entropy, Probe, Registry, Retry, SharedBridge,
};
use wayside_proto::UnixMillis;
use wayside_proto::engine::{BridgeName, Input};

use super::jobs::{self, Job};
use super::watcher::Watcher;
use super::{BridgeEnvironment, Report, Slots, profile};
use crate::api::types::{BridgeView, Time};
use crate::clock::{self, SystemEntropy};
use crate::home::{self, BridgeConfig};
use crate::times;

/// How long a bridge may take to be opened and tried, before it counts as away.
const PATIENCE: Duration = Duration::from_secs(30);
/// How soon a bridge that failed is tried again, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// How often a bridge that works is asked again which places it reaches.
const REFRESH: Duration = Duration::from_secs(60);

/// Runs one bridge for as long as it is configured.
pub(super) struct Runner {
    name: BridgeName,
    config: BridgeConfig,
    environment: BridgeEnvironment,
    status: Arc<Mutex<BridgeView>>,
}

impl Runner {
    pub(super) fn new(
        config: BridgeConfig,
        environment: BridgeEnvironment,
        status: Arc<Mutex<BridgeView>>,
    ) -> Self {
        Self { name: BridgeName(config.name.clone()), config, environment, status }
    }

    /// Runs until it is cancelled.
    pub(super) async fn run(self, mut jobs: mpsc::UnboundedReceiver<Job>, wanted: watch::Receiver<Slots>) {
        let mut failures = 0;
        let mut tried = false;
        let mut bridge = None;
        loop {
            let began = Instant::now();
            let error = match self.open_and_try(&mut bridge).await {
                Ok((bridge, probe)) => {
                    self.say_up(&bridge, &probe).await;
                    if !std::mem::replace(&mut tried, true) {
                        self.say(Report::Tried(self.name.clone())).await;
                    }
                    self.serve(&bridge, &mut jobs, wanted.clone()).await
                }
                Err(error) => error,
            };
            // A bridge that worked for a while begins its back-off anew.
            failures = if began.elapsed() > BACK_OFF.1 { 0 } else { failures + 1 };
            let wait = self.patience(&error, failures);
            self.say_down(&error, wait).await;
            if !std::mem::replace(&mut tried, true) {
                self.say(Report::Tried(self.name.clone())).await;
            }
            self.refuse_jobs_for(wait, &mut jobs, error.message()).await;
            if error.retry() == Retry::Never {
                bridge = None; // opens it anew, with whatever has changed
            }
        }
    }

    async fn open_and_try(
        &self,
        opened: &mut Option<SharedBridge>,
    ) -> Result<(SharedBridge, Probe), BridgeError> {
        let slow = |_| {
            BridgeError::new(
                wayside_bridge::ErrorKind::Unreachable,
                format!("no answer within {} seconds", PATIENCE.as_secs()),
            )
        };
        let bridge = match opened {
            Some(bridge) => SharedBridge::clone(bridge),
            None => tokio::time::timeout(PATIENCE, self.open()).await.map_err(slow)??,
        };
        let probe = tokio::time::timeout(PATIENCE, bridge.probe()).await.map_err(slow)??;
        *opened = Some(SharedBridge::clone(&bridge));
        Ok((bridge, probe))
    }

    async fn open(&self) -> Result<SharedBridge, BridgeError> {
        let BridgeEnvironment { registry, home, clock, tasks, .. } = &self.environment;
        let state_dir = home::make_bridge_dir(home, &self.config.name).map_err(|error| {
            BridgeError::new(
                wayside_bridge::ErrorKind::Internal,
                format!("the bridge's own folder cannot be made: {error}"),
            )
        })?;
        let context = clock::context(clock.clone(), tasks.clone(), Some(state_dir));
        open(registry, &self.config, context).await
    }

    /// Watches and does jobs until the bridge fails.
    async fn serve(
        &self,
        bridge: &SharedBridge,
        jobs: &mut mpsc::UnboundedReceiver<Job>,
        wanted: watch::Receiver<Slots>,
    ) -> BridgeError {
        let found = &self.environment.found;
        let watcher = Watcher { name: &self.name, bridge, found };
        tokio::select! {
            error = watcher.run(wanted) => error,
            () = jobs::work(bridge, jobs, found) => std::future::pending().await,
            () = self.keep_profile(bridge) => std::future::pending().await,
        }
    }

    /// Tells the engine when the bridge reaches other places than before.
    async fn keep_profile(&self, bridge: &SharedBridge) {
        let mut known = profile::of(&**bridge);
        loop {
            tokio::time::sleep(REFRESH).await;
            let now = profile::of(&**bridge);
            if now != known {
                known = now.clone();
                self.change(|view| profile::describe(view, &**bridge));
                self.say(Report::Input(Input::BridgeUp { bridge: self.name.clone(), profile: now })).await;
            }
        }
    }

    async fn say_up(&self, bridge: &SharedBridge, probe: &Probe) {
        self.change(|view| {
            profile::describe(view, &**bridge);
            (view.healthy, view.error, view.retry_at) = (true, None, None);
            view.note.clone_from(&probe.note);
        });
        if let Some(time) = probe.service_time {
            let time = UnixMillis::from_secs(time.as_secs());
            self.say(Report::Input(Input::ServiceTime { bridge: self.name.clone(), time })).await;
        }
        let profile = profile::of(&**bridge);
        self.say(Report::Input(Input::BridgeUp { bridge: self.name.clone(), profile })).await;
        self.say(Report::Up(self.name.clone())).await;
    }

    async fn say_down(&self, error: &BridgeError, wait: Duration) {
        tracing::info!(bridge = self.name.0, %error, "the bridge does not work");
        let retry_at = self.environment.clock.wall().after(wait);
        self.change(|view| {
            view.healthy = false;
            view.error = Some(error.message().to_owned());
            view.retry_at = Some(Time(times::timestamp(retry_at)));
        });
        self.say(Report::Input(Input::BridgeDown { bridge: self.name.clone() })).await;
        self.say(Report::Down(self.name.clone())).await;
    }

    /// Waits, and meanwhile says no to what the engine wants done, so that it can go another way.
    async fn refuse_jobs_for(&self, wait: Duration, jobs: &mut mpsc::UnboundedReceiver<Job>, why: &str) {
        let until = Instant::now() + wait;
        while let Ok(Some(job)) = tokio::time::timeout_at(until, jobs.recv()).await {
            self.say(Report::Input(jobs::refuse(job, why))).await;
        }
    }

    /// How long to wait: as the error says, else twice as long each time, never to the same moment as everybody else.
    fn patience(&self, error: &BridgeError, failures: u32) -> Duration {
        let least = match error.retry() {
            Retry::Now => return Duration::ZERO,
            Retry::After(wait) => wait,
            Retry::Never => Duration::from_secs(30),
            Retry::BackOff => BACK_OFF.0,
        };
        let doubled = BACK_OFF.0.saturating_mul(1 << failures.saturating_sub(1).min(9)).min(BACK_OFF.1);
        let wait = least.max(doubled);
        let mut random = [0; 4];
        SystemEntropy.fill(&mut random);
        wait + wait.mul_f64(f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX) / 4.0)
    }

    fn change(&self, change: impl FnOnce(&mut BridgeView)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn say(&self, report: Report) {
        // Nobody listens any more when the node ends.
        let _ = self.environment.found.send(report).await;
    }
}

/// Opens a configured bridge behind the layers that every bridge gets: what is not declared is refused, what fails for a moment is tried again, and a
/// mistake of ours cannot flood somebody's room.
pub(crate) async fn open(
    registry: &Registry,
    config: &BridgeConfig,
    context: BridgeContext,
) -> Result<SharedBridge, BridgeError> {
    let options: BridgeOptions =
        config.options.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let (clock, entropy) = (Arc::clone(&context.clock), Arc::clone(&context.entropy));
    let bridge = registry.open(&config.kind, &options, context).await?;
    let limits = RateLimits { publishes: Some(PUBLISHES), fetches: None, queue: JOBS };
    let bridge = RateLimit::new(bridge, Arc::clone(&clock), limits);
    let bridge = layers::Retry::new(Arc::new(bridge), clock, entropy, RETRIES);
    Ok(Arc::new(Check::new(Arc::new(bridge))))
}

/// Far more than meeting friends takes, far less than a room would mind.
const PUBLISHES: Rate = Rate { every: Duration::from_millis(500), burst: 64 };
/// Publications that may wait for their turn: the engine has no more under way.
const JOBS: usize = 4096;
/// Gets over a moment; what lasts longer is the runner's to wait for.
const RETRIES: RetryPolicy = RetryPolicy {
    first: Duration::from_millis(300),
    longest: Duration::from_secs(2),
    attempts: 3,
    budget: Duration::from_secs(10),
};
