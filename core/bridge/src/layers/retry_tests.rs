#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::error::Error as _;

use futures::FutureExt;
use futures::executor::block_on;

use super::*;
use crate::layers::probe_bridge::ProbeBridge;
use crate::{ManualClock, SeededEntropy};

const SECOND: Duration = Duration::from_secs(1);

struct Setup {
    inner: Arc<ProbeBridge>,
    clock: ManualClock,
    retry: Retry,
}

fn setup(policy: RetryPolicy) -> Setup {
    let inner = ProbeBridge::new();
    let clock = ManualClock::new();
    let retry = Retry::new(inner.clone(), Arc::new(clock.clone()), Arc::new(SeededEntropy::new(1)), policy);
    Setup { inner, clock, retry }
}

/// Runs a future by turning the clock to whatever it waits for; tells how long each pause was.
fn drive<T>(clock: &ManualClock, future: impl Future<Output = T>) -> (T, Vec<Duration>) {
    let mut future = Box::pin(future);
    let mut pauses = Vec::new();
    loop {
        if let Some(output) = future.as_mut().now_or_never() {
            return (output, pauses);
        }
        pauses.push(clock.advance_to_next().expect("it waits for time alone"));
    }
}

fn errors(kind: ErrorKind, count: usize) -> impl Iterator<Item = BridgeError> {
    (0..count).map(move |number| BridgeError::new(kind, format!("failure {number}")))
}

#[test]
fn it_backs_off_with_jitter_until_it_works() {
    let Setup { inner, clock, retry } = setup(RetryPolicy { first: SECOND, ..RetryPolicy::default() });
    inner.fail_with(errors(ErrorKind::Unreachable, 4));
    let (probe, pauses) = drive(&clock, retry.probe());
    probe.unwrap();
    assert_eq!(inner.calls().len(), 5);
    for (number, pause) in pauses.iter().enumerate() {
        let whole = SECOND * (1 << number);
        assert!((whole / 2..=whole).contains(pause), "pause {number} is {pause:?}");
    }
    assert_ne!(pauses[1], pauses[0] * 2, "there is jitter");
}

#[test]
fn it_waits_as_long_as_the_service_says() {
    let Setup { inner, clock, retry } = setup(RetryPolicy::default());
    let slow_down =
        BridgeError::new(ErrorKind::RateLimited, "slow down").with_retry(When::After(SECOND * 20));
    inner.fail_with([slow_down, BridgeError::new(ErrorKind::Lagged, "at once")]);
    let (probe, pauses) = drive(&clock, retry.probe());
    probe.unwrap();
    assert_eq!(pauses, [SECOND * 20]);
}

#[test]
fn it_does_not_wait_longer_than_its_budget() {
    let Setup { inner, clock, retry } = setup(RetryPolicy { budget: SECOND * 60, ..RetryPolicy::default() });
    inner.fail_with(errors(ErrorKind::Full, 9));
    let (probe, pauses) = drive(&clock, retry.probe());
    let error = probe.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Full, "failure 0"));
    assert_eq!((inner.calls().len(), pauses.len()), (1, 0), "ten minutes are more than it has");
}

#[test]
fn never_means_never() {
    let Setup { inner, clock, retry } = setup(RetryPolicy::default());
    inner.fail_with(errors(ErrorKind::Denied, 9));
    let (probe, _) = drive(&clock, retry.probe());
    let error = probe.unwrap_err();
    assert!(error.source().is_none(), "a single error stays what it is");
    assert_eq!(inner.calls().len(), 1);
}

#[test]
fn giving_up_shows_every_attempt() {
    let Setup { inner, clock, retry } = setup(RetryPolicy { attempts: 3, ..RetryPolicy::default() });
    let mut three: Vec<_> = errors(ErrorKind::Unreachable, 2).collect();
    three.push(BridgeError::new(ErrorKind::Garbled, "failure 1"));
    inner.fail_with(three);
    let (fetched, _) = drive(&clock, retry.probe());
    let error = fetched.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Garbled);
    assert!(error.message().starts_with("failure 1 (3 attempts in "), "{error}");
    assert!(error.message().ends_with("; before that: failure 0, the same)"), "{error}");
    let attempts: &Attempts = error.source().unwrap().downcast_ref().unwrap();
    let kinds: Vec<_> = attempts.iter().map(|(_, error)| error.kind()).collect();
    assert_eq!(kinds, [ErrorKind::Unreachable, ErrorKind::Unreachable, ErrorKind::Garbled]);
}

#[test]
fn ringing_is_tried_once() {
    let Setup { inner, retry, .. } = setup(RetryPolicy::default());
    inner.fail_with(errors(ErrorKind::Unreachable, 2));
    assert!(block_on(retry.ring(&RingTarget("ann".to_owned()))).is_err());
    assert_eq!(inner.calls(), ["ring"]);
}

#[test]
fn every_idempotent_operation_is_tried_again() {
    use crate::{Class, Key, Keys, Place, Slot, Timestamp};
    let Setup { inner, clock, retry } = setup(RetryPolicy::default());
    let record = Record::new(Key::Slot(Slot([1; 16])), Class::Meeting, Timestamp::from_secs(1), vec![1]);
    let fail = || inner.fail_with(errors(ErrorKind::Unreachable, 1));
    fail();
    drive(&clock, retry.publish(&record)).0.unwrap();
    fail();
    drive(&clock, retry.fetch(Fetch::new(Place::Own, Keys::All))).0.unwrap();
    fail();
    drive(&clock, retry.watch(Watch::new(Place::Own, Keys::All))).0.map(drop).unwrap();
    fail();
    drive(&clock, retry.retract(&[])).0.unwrap();
    let expected = ["publish", "publish", "fetch", "fetch", "watch", "watch", "retract", "retract"];
    assert_eq!(inner.calls(), expected);
}
