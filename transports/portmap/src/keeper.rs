//! Keeps a mapping: asks, renews, asks again, and has it removed at the end.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, oneshot, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::{debug, info};

use crate::{Error, Status, asker::Asker, gateway::Gateway};

/// A mapping is renewed at half its lease (RFC 6887, section 11.2.1), and at least so often: a gateway that has started anew has forgotten it.
const SELDOM: Duration = Duration::from_secs(10 * 60);
/// The gateway is not asked more often than this, whatever it grants and whatever changes.
const OFTEN: Duration = Duration::from_secs(5);
/// Where nothing came of it, it is asked again after this, and after twice as long each time…
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// …up to this.
const LAST_PAUSE: Duration = Duration::from_secs(30 * 60);
/// How long removal may take in all.
const REMOVAL: Duration = Duration::from_secs(4);

/// Says which gateway there is now.
pub(crate) type Gateways = Box<dyn Fn() -> Option<Gateway> + Send + Sync>;

pub(crate) struct Keeper {
    pub(crate) asker: Asker,
    pub(crate) gateways: Gateways,
    pub(crate) status: watch::Sender<Status>,
    /// This machine's network has changed.
    pub(crate) stirred: Arc<Notify>,
}

impl Keeper {
    /// Goes on until `stop` is sent or dropped; then asks for the removal of what there is.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) -> Result<(), Error> {
        let mut failures = 0_u32;
        loop {
            let gateway = (self.gateways)();
            let asked = Instant::now();
            let outcome = tokio::select! {
                biased;
                _ = &mut stop => break,
                outcome = self.asker.obtain(gateway) => outcome,
            };
            let remaining = self.asker.remaining();
            let asked_in_vain = remaining.is_zero() && outcome != Err(Error::NoGateway);
            failures = if asked_in_vain { failures.saturating_add(1) } else { 0 };
            let pause = pause(&outcome.as_ref().map(|mapping| mapping.lease), failures, remaining);
            self.publish(outcome);
            tokio::select! {
                biased;
                _ = &mut stop => break,
                () = sleep(pause) => {}
                () = self.stirred.notified() => {
                    debug!("the network has changed");
                    tokio::select! {
                        biased;
                        _ = &mut stop => break,
                        () = sleep_until(asked + OFTEN) => {}
                    }
                }
            }
        }
        let removed = self.remove().await;
        self.status.send_replace(Status::Closed);
        removed
    }

    /// Tells whoever watches, if it is news.
    fn publish(&self, outcome: Result<crate::Mapping, Error>) {
        let status = match outcome {
            Ok(mapping) => Status::Mapped(mapping),
            // What there is goes on for now.
            Err(error) if error != Error::NoGateway && !self.asker.remaining().is_zero() => {
                debug!(%error, "the mapping is not renewed yet");
                return;
            }
            Err(error) => Status::Failed(error),
        };
        self.status.send_if_modified(|before| {
            if *before == status {
                return false;
            }
            match &status {
                Status::Mapped(mapping) => {
                    info!(external = %mapping.external, protocol = %mapping.protocol, "mapped")
                }
                Status::Failed(error) => info!(%error, "not mapped"),
                Status::Off | Status::Asking | Status::Closed => {}
            }
            *before = status;
            true
        });
    }

    async fn remove(&mut self) -> Result<(), Error> {
        let gateway = (self.gateways)();
        let removed =
            timeout(REMOVAL, self.asker.remove(gateway)).await.unwrap_or(Err(Error::RemovalTimedOut));
        match &removed {
            Ok(()) => debug!("nothing is mapped any more"),
            Err(error) => info!(%error, "not removed"),
        }
        removed
    }
}

/// How long to wait before the gateway is asked again: after the lease that it granted, or after so many failures in a row without one, with so much
/// left of the lease before.
fn pause(lease: &Result<Duration, &Error>, failures: u32, remaining: Duration) -> Duration {
    let pause = match lease {
        Ok(lease) => (*lease / 2).min(SELDOM),
        // Looking for one costs nobody anything.
        Err(Error::NoGateway) => FIRST_PAUSE,
        // RFC 6887, section 11.2.1: each time at half of what is left.
        Err(_) if !remaining.is_zero() => (remaining / 2).min(SELDOM),
        Err(_) => FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LAST_PAUSE),
    };
    pause.max(OFTEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: Result<Duration, &Error> =
        Err(&Error::NoAnswer { gateway: std::net::Ipv4Addr::LOCALHOST, protocols: vec![] });

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_mapping_is_renewed_in_time_and_not_too_often() {
        let after = |lease| pause(&Ok(seconds(lease)), 0, seconds(lease));
        assert_eq!(after(600), seconds(300));
        assert_eq!(after(86_400), SELDOM);
        assert_eq!(after(1), OFTEN);
    }

    #[test]
    fn a_gateway_that_is_silent_is_asked_ever_less_often() {
        let pauses: Vec<_> =
            (1..=9).map(|failures| pause(&FAILED, failures, Duration::ZERO).as_secs()).collect();
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1800, 1800, 1800]);
        assert_eq!(pause(&FAILED, u32::MAX, Duration::ZERO), LAST_PAUSE);
        assert_eq!(pause(&Err(&Error::NoGateway), 0, seconds(3600)), FIRST_PAUSE);
    }

    #[test]
    fn a_renewal_that_fails_is_tried_again_before_the_end() {
        assert_eq!(pause(&FAILED, 1, seconds(100)), seconds(50));
        assert_eq!(pause(&FAILED, 2, seconds(2)), OFTEN);
    }
}
