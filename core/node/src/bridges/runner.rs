//! One bridge: opened, tried, used, and tried again when it fails.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use wayside_bridge::layers::{self, Check, Rate, RateLimit, RateLimits, RetryPolicy};
use wayside_bridge::{
    BridgeContext, BridgeError, BridgeOptions, Entropy, ErrorKind, Opened, Probe, Registry, Retry,
    SharedBridge,
};
use wayside_proto::UnixMillis;
use wayside_proto::engine::{BridgeName, Input};

use super::jobs::{self, Job};
use super::watcher::Watcher;
use super::{BridgeEnvironment, Reporter, Shown, Slots, What, profile};
use crate::api::types::{BridgeView, Time};
use crate::clock::{self, SystemEntropy};
use crate::home::{self, BridgeConfig};
use crate::times;

/// How long a bridge may take to be opened and tried, before it counts as away.
const PATIENCE: Duration = Duration::from_secs(30);
/// How soon a bridge that failed is tried again, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// The longest that a service may ask for.
const LONGEST: Duration = Duration::from_secs(3600);
/// How often a bridge that works is asked again which places it reaches.
const REFRESH: Duration = Duration::from_secs(60);

/// Runs one bridge for as long as it is configured.
pub(super) struct Runner {
    reporter: Reporter,
    config: BridgeConfig,
    environment: BridgeEnvironment,
    status: Arc<Mutex<BridgeView>>,
    again: Arc<Notify>,
    shown: Shown,
}

impl Runner {
    pub(super) fn new(
        run: u64,
        config: BridgeConfig,
        environment: BridgeEnvironment,
        status: Arc<Mutex<BridgeView>>,
        again: Arc<Notify>,
        shown: Shown,
    ) -> Self {
        let bridge = BridgeName(config.name.clone());
        let reporter = Reporter { bridge, run, reports: environment.found.clone() };
        Self { reporter, config, environment, status, again, shown }
    }

    /// Runs until it is cancelled.
    pub(super) async fn run(self, mut jobs: mpsc::UnboundedReceiver<Job>, wanted: watch::Receiver<Slots>) {
        let mut failures = 0;
        let mut tried = false;
        let mut bridge = None;
        loop {
            let opened = caught(self.open_and_try(&mut bridge)).await;
            let began = Instant::now();
            let error = match opened {
                Ok((bridge, probe)) => {
                    // From before it went down: the engine gives them again.
                    while let Ok(job) = jobs.try_recv() {
                        self.reporter.input(jobs::refuse(job, "the bridge was away")).await;
                    }
                    self.say_up(&bridge, &probe).await;
                    if !std::mem::replace(&mut tried, true) {
                        self.reporter.say(What::Tried).await;
                    }
                    let serve = async { Err(self.serve(&bridge, &mut jobs, wanted.clone()).await) };
                    caught(serve).await.map_or_else(|error| error, |never: Infallible| match never {})
                }
                Err(error) => error,
            };
            // A bridge that worked for a while begins its back-off anew.
            failures = if began.elapsed() > BACK_OFF.1 { 0 } else { failures + 1 };
            let wait = patience(&error, failures);
            self.say_down(&error, wait).await;
            if !std::mem::replace(&mut tried, true) {
                self.reporter.say(What::Tried).await;
            }
            self.refuse_jobs_for(wait, &mut jobs, error.message()).await;
            if error.retry() == Retry::Never {
                bridge = None; // opens it anew, with whatever has changed
                self.show(None);
            }
        }
    }

    async fn open_and_try(&self, opened: &mut Option<Opened>) -> Result<(SharedBridge, Probe), BridgeError> {
        let slow = |_| {
            BridgeError::new(
                ErrorKind::Unreachable,
                format!("no answer within {} seconds", PATIENCE.as_secs()),
            )
        };
        let open = match opened {
            Some(open) => open.clone(),
            None => tokio::time::timeout(PATIENCE, self.open()).await.map_err(slow)??,
        };
        self.show(Some(&open));
        let probe = tokio::time::timeout(PATIENCE, open.bridge.probe()).await.map_err(slow)??;
        let bridge = SharedBridge::clone(&open.bridge);
        *opened = Some(open);
        Ok((bridge, probe))
    }

    async fn open(&self) -> Result<Opened, BridgeError> {
        let BridgeEnvironment { registry, home, clock, tasks, .. } = &self.environment;
        let state_dir = home::make_bridge_dir(home, &self.config.name).map_err(|error| {
            BridgeError::new(ErrorKind::Internal, format!("the bridge's own folder cannot be made: {error}"))
        })?;
        let context = clock::context(*clock, tasks.clone(), Some(state_dir));
        open(registry, &self.config, context).await
    }

    /// Watches and does jobs until the bridge fails.
    async fn serve(
        &self,
        bridge: &SharedBridge,
        jobs: &mut mpsc::UnboundedReceiver<Job>,
        wanted: watch::Receiver<Slots>,
    ) -> BridgeError {
        let reporter = &self.reporter;
        let watcher = Watcher { bridge, reporter };
        tokio::select! {
            error = watcher.run(wanted) => error,
            () = jobs::work(bridge, jobs, reporter) => std::future::pending().await,
            () = self.keep_profile(bridge) => std::future::pending().await,
        }
    }

    /// Tells the engine when the bridge reaches other places than before.
    async fn keep_profile(&self, bridge: &SharedBridge) {
        let mut known = profile::of(&**bridge, self.config.mail);
        loop {
            tokio::time::sleep(REFRESH).await;
            let now = profile::of(&**bridge, self.config.mail);
            if now != known {
                known = now.clone();
                self.change(|view| profile::describe(view, &**bridge));
                let bridge = self.reporter.bridge.clone();
                self.reporter.input(Input::BridgeUp { bridge, profile: now }).await;
            }
        }
    }

    async fn say_up(&self, bridge: &SharedBridge, probe: &Probe) {
        self.change(|view| {
            profile::describe(view, &**bridge);
            (view.healthy, view.error, view.retry_at) = (true, None, None);
            view.note.clone_from(&probe.note);
        });
        let name = &self.reporter.bridge;
        if let Some(time) = probe.service_time {
            let time = UnixMillis::from_secs(time.as_secs());
            self.reporter.input(Input::ServiceTime { bridge: name.clone(), time }).await;
        }
        self.environment.reach.service_shows(&name.0, probe.public_address);
        let profile = profile::of(&**bridge, self.config.mail);
        self.reporter.input(Input::BridgeUp { bridge: name.clone(), profile }).await;
        self.reporter.say(What::Up).await;
    }

    async fn say_down(&self, error: &BridgeError, wait: Duration) {
        tracing::info!(bridge = self.reporter.bridge.0, %error, "the bridge does not work");
        let retry_at = self.environment.clock.wall().after(wait);
        self.change(|view| {
            view.healthy = false;
            view.error = Some(error.message().to_owned());
            view.retry_at = Some(Time(times::timestamp(retry_at)));
        });
        self.reporter.input(Input::BridgeDown { bridge: self.reporter.bridge.clone() }).await;
        self.reporter.say(What::Down).await;
    }

    /// Waits, or until there is reason to try again, and meanwhile says no to what the engine wants done, so that it can go another way.
    async fn refuse_jobs_for(&self, wait: Duration, jobs: &mut mpsc::UnboundedReceiver<Job>, why: &str) {
        let until = Instant::now() + wait;
        loop {
            tokio::select! {
                job = tokio::time::timeout_at(until, jobs.recv()) => match job {
                    Ok(Some(job)) => self.reporter.input(jobs::refuse(job, why)).await,
                    Ok(None) | Err(_) => return,
                },
                () = self.again.notified() => return,
            }
        }
    }

    /// Has others try it, or nobody.
    fn show(&self, bridge: Option<&Opened>) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = bridge.cloned();
    }

    fn change(&self, change: impl FnOnce(&mut BridgeView)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// How long to wait: as the error says, else twice as long each time, never to the same moment as everybody else.
fn patience(error: &BridgeError, failures: u32) -> Duration {
    let least = match error.retry() {
        Retry::Now if failures <= 1 => return Duration::ZERO,
        // A service that asks for a year off is asked again all the same.
        Retry::After(wait) => wait.min(LONGEST),
        Retry::Never => Duration::from_secs(30),
        _ => BACK_OFF.0,
    };
    let doubled = BACK_OFF.0.saturating_mul(1 << failures.saturating_sub(1).min(9)).min(BACK_OFF.1);
    let wait = least.max(doubled);
    let mut random = [0; 4];
    SystemEntropy.fill(&mut random);
    wait + wait.mul_f64(f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX) / 4.0)
}

/// A bridge that panics is a bridge that fails.
pub(crate) async fn caught<T>(work: impl Future<Output = Result<T, BridgeError>>) -> Result<T, BridgeError> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        Err(BridgeError::new(
            ErrorKind::Internal,
            "the bridge failed in a way that it should not: please report it",
        ))
    })
}

/// Opens a configured bridge behind the layers that every bridge gets: what is not declared is refused, what fails for a moment is tried again, and a
/// mistake of ours cannot flood somebody's room. Its room, where people talk, is as its kind gives it.
pub(crate) async fn open(
    registry: &Registry,
    config: &BridgeConfig,
    context: BridgeContext,
) -> Result<Opened, BridgeError> {
    let options: BridgeOptions =
        config.options.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let (clock, entropy) = (Arc::clone(&context.clock), Arc::clone(&context.entropy));
    let Opened { bridge, room, .. } = registry.open(&config.kind, &options, context).await?;
    let limits = RateLimits { publishes: Some(PUBLISHES), fetches: None, queue: JOBS };
    let bridge = RateLimit::new(bridge, Arc::clone(&clock), limits);
    let bridge = layers::Retry::new(Arc::new(bridge), clock, entropy, RETRIES);
    Ok(Opened::new(Arc::new(Check::new(Arc::new(bridge))), room))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_service_makes_us_wait_for_ever_or_ask_without_pause() {
        let asks = |retry| BridgeError::new(ErrorKind::RateLimited, "later").with_retry(retry);
        assert!(patience(&asks(Retry::After(Duration::MAX)), 1) <= LONGEST * 2);
        assert_eq!(patience(&asks(Retry::Now), 1), Duration::ZERO);
        assert!(patience(&asks(Retry::Now), 2) >= BACK_OFF.0);
        assert!(patience(&asks(Retry::BackOff), 1000) <= BACK_OFF.1 * 2);
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let error = caught(async { if true { panic!("a plugin's bug") } else { Ok(()) } }).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }
}
