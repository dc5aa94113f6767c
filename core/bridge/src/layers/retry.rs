//! Tries again what may be tried again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;

use crate::{
    Batch, Bridge, BridgeError, BridgeInfo, Capability, Clock, Entropy, ErrorKind, Fetch, Probe, Receipt,
    Record, RecordStream, Retry as When, RingTarget, SharedBridge, Watch,
};

/// How often and how long to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The pause after the first failure that says to back off; each further pause is twice as long.
    pub first: Duration,
    /// The longest pause of backing off.
    pub longest: Duration,
    /// The most attempts, the first included; at least one is made.
    pub attempts: u32,
    /// The most time from the first attempt on in which another may begin. A service that says "not before then" and
    /// means later than this is not waited for.
    pub budget: Duration,
}

impl Default for RetryPolicy {
    /// Six attempts within a minute and a half: half a second, doubled up to a quarter of a minute. A person who waits
    /// for an answer has given up by then, and whoever runs in the background begins anew later.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(15),
            attempts: 6,
            budget: Duration::from_secs(90),
        }
    }
}

/// Tries idempotent operations again: publish, fetch, retract, probe, and opening a watch.
///
/// `Never` ends at once, `Now` and `After` are obeyed, `BackOff` waits exponentially longer with jitter (half to whole of
/// the pause, from the given entropy, so that many nodes do not come back in step). Every attempt's error is kept:
/// see [`Attempts`]. Ringing happens at most once and is not tried again; a watch that breaks off is its
/// caller's to open again, from the cursor.
///
/// A publication whose answer was lost and that is tried again may leave a copy that no receipt stands for; it expires.
#[derive(Clone)]
pub struct Retry {
    inner: SharedBridge,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    policy: RetryPolicy,
}

impl Retry {
    /// This bridge, tried again by this policy.
    pub fn new(
        inner: SharedBridge,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        policy: RetryPolicy,
    ) -> Self {
        Self { inner, clock, entropy, policy }
    }

    /// Tries until it works, must not be tried again, or the policy says that it is enough.
    async fn again<'a, T>(
        &'a self,
        mut attempt: impl FnMut() -> BoxFuture<'a, Result<T, BridgeError>> + Send,
    ) -> Result<T, BridgeError> {
        let started = self.clock.monotonic();
        let mut attempts = Attempts::default();
        let mut pause = self.policy.first;
        loop {
            let error = match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let elapsed = self.clock.monotonic().since(started);
            let wait = match error.retry() {
                When::Never => None,
                When::Now => Some(Duration::ZERO),
                When::After(wait) => Some(wait),
                When::BackOff => {
                    let wait = self.jitter(pause.min(self.policy.longest));
                    pause = pause.saturating_mul(2).min(self.policy.longest);
                    Some(wait)
                }
            };
            attempts.0.push((elapsed, error));
            let wait = wait.filter(|wait| {
                attempts.0.len() < self.policy.attempts as usize
                    && elapsed.saturating_add(*wait) <= self.policy.budget
            });
            match wait {
                Some(wait) if wait.is_zero() => {}
                Some(wait) => self.clock.sleep(wait).await,
                None => return Err(attempts.into_error()),
            }
        }
    }

    /// From half of the pause to all of it.
    fn jitter(&self, pause: Duration) -> Duration {
        let mut bytes = [0; 4];
        self.entropy.fill(&mut bytes);
        let part = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
        pause.mul_f64(0.5 + part / 2.0)
    }
}

#[async_trait]
impl Bridge for Retry {
    fn info(&self) -> BridgeInfo {
        self.inner.info()
    }

    fn capability(&self) -> &Capability {
        self.inner.capability()
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        self.again(|| {
            let (inner, record) = (Arc::clone(&self.inner), record.clone());
            Box::pin(async move { inner.publish(&record).await })
        })
        .await
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.again(|| self.inner.fetch(request.clone())).await
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        self.again(|| self.inner.watch(request.clone())).await
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        self.again(|| {
            let (inner, receipts) = (Arc::clone(&self.inner), receipts.to_vec());
            Box::pin(async move { inner.retract(&receipts).await })
        })
        .await
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.inner.ring(target).await
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        self.again(|| self.inner.probe()).await
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Retry").field(&self.inner).field(&self.policy).finish()
    }
}

/// Every attempt's error, and when after the first attempt's beginning it came: the source of the error that
/// [`Retry`] gives when it gives up after more than one.
#[derive(Debug, Default)]
pub struct Attempts(Vec<(Duration, BridgeError)>);

impl Attempts {
    /// When each attempt failed, and how, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Duration, &BridgeError)> {
        self.0.iter().map(|(when, error)| (*when, error))
    }

    /// How many there were.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The only error as it is, or the last one with all of them as its source.
    fn into_error(mut self) -> BridgeError {
        if self.0.len() < 2 {
            let only = self.0.pop().map(|(_, error)| error);
            return only.unwrap_or_else(|| BridgeError::new(ErrorKind::Internal, "nothing was attempted"));
        }
        let (kind, fault, retry) =
            self.0.last().map_or((ErrorKind::Internal, crate::Fault::Bridge, When::Never), |(_, error)| {
                (error.kind(), error.fault(), error.retry())
            });
        BridgeError::new(kind, self.to_string()).with_fault(fault).with_retry(retry).with_source(self)
    }
}

impl fmt::Display for Attempts {
    /// The last error, how often it was tried, and what else came up on the way.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(((over, last), earlier)) = self.0.split_last() else {
            return f.write_str("nothing was attempted");
        };
        write!(f, "{last} ({} attempts in {:.1} s", self.0.len(), over.as_secs_f64())?;
        for (number, (_, error)) in earlier.iter().enumerate() {
            let lead = if number == 0 { "; before that: " } else { ", " };
            if error.message() == last.message() {
                write!(f, "{lead}the same")?;
            } else {
                write!(f, "{lead}{error}")?;
            }
        }
        f.write_str(")")
    }
}

impl std::error::Error for Attempts {}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
