#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use futures::FutureExt;
use futures::executor::block_on;

use super::*;
use crate::layers::probe_bridge::ProbeBridge;
use crate::{ManualClock, MemoryService};

const SECOND: Duration = Duration::from_secs(1);

fn setup(burst: u32, queue: usize) -> (Arc<ProbeBridge>, ManualClock, RateLimit) {
    let rate = Some(Rate { every: SECOND, burst });
    let limits = RateLimits { publishes: rate, fetches: rate, queue };
    let (inner, clock) = (ProbeBridge::new(), ManualClock::new());
    let limited = RateLimit::new(inner.clone(), Arc::new(clock.clone()), limits);
    (inner, clock, limited)
}

#[test]
fn a_burst_goes_through_and_then_one_each_interval() {
    let (inner, clock, limited) = setup(3, 10);
    let mut waiting: Vec<_> = (0..5).map(|_| limited.probe()).collect();
    let done = |waiting: &mut Vec<_>| {
        waiting.retain_mut(|probe: &mut futures::future::BoxFuture<'_, _>| probe.now_or_never().is_none());
        5 - waiting.len()
    };
    assert_eq!(done(&mut waiting), 3);
    clock.advance(SECOND / 2);
    assert_eq!(done(&mut waiting), 3);
    clock.advance(SECOND / 2);
    assert_eq!(done(&mut waiting), 4);
    clock.advance(SECOND);
    assert_eq!(done(&mut waiting), 5);
    assert_eq!(inner.calls().len(), 5);
    clock.advance(SECOND * 100);
    let mut after_a_quiet_time: Vec<_> = (0..5).map(|_| limited.probe()).collect();
    assert_eq!(done(&mut after_a_quiet_time), 3, "no more than the burst is saved up");
}

#[test]
fn reading_and_writing_have_their_own_buckets() {
    let (inner, _, limited) = setup(1, 10);
    block_on(limited.probe()).unwrap();
    block_on(limited.retract(&[])).unwrap();
    assert!(limited.probe().now_or_never().is_none());
    assert!(limited.ring(&RingTarget("ann".to_owned())).now_or_never().is_none());
    assert_eq!(inner.calls(), ["probe", "retract"]);
}

#[test]
fn the_queue_is_bounded() {
    let (_, _, limited) = setup(1, 2);
    block_on(limited.probe()).unwrap();
    let (mut one, mut two) = (limited.probe(), limited.probe());
    assert!((&mut one).now_or_never().is_none());
    assert!((&mut two).now_or_never().is_none());
    let error = limited.probe().now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(matches!(error.retry(), Retry::After(wait) if wait >= SECOND));
}

#[test]
fn a_dropped_future_gives_its_turn_up() {
    let (inner, clock, limited) = setup(1, 10);
    block_on(limited.probe()).unwrap();
    let (mut first, mut second, mut third) = (limited.probe(), limited.probe(), limited.probe());
    assert!((&mut first).now_or_never().is_none());
    assert!((&mut second).now_or_never().is_none());
    assert!((&mut third).now_or_never().is_none());
    drop(first);
    drop(third);
    clock.advance(SECOND);
    (&mut second).now_or_never().expect("the dropped one took no token").unwrap();
    assert_eq!(inner.calls().len(), 2);
    assert_eq!(clock.asleep(), 0);
    assert!(limited.fetches.state().waiting.is_empty());
}

#[test]
fn first_come_first_served() {
    let (_, clock, limited) = setup(1, 10);
    block_on(limited.probe()).unwrap();
    let (mut first, mut second) = (limited.probe(), limited.probe());
    assert!((&mut first).now_or_never().is_none());
    assert!((&mut second).now_or_never().is_none());
    clock.advance(SECOND);
    assert!((&mut second).now_or_never().is_none(), "it is not its turn");
    assert!((&mut first).now_or_never().is_some());
    clock.advance(SECOND);
    assert!((&mut second).now_or_never().is_some());
}

#[test]
fn what_the_service_says_holds_for_everybody() {
    let (inner, clock, limited) = setup(5, 10);
    let slow_down =
        BridgeError::new(ErrorKind::RateLimited, "slow down").with_retry(Retry::After(SECOND * 30));
    inner.fail_with([slow_down]);
    assert!(block_on(limited.probe()).is_err());
    let mut next = limited.probe();
    assert!((&mut next).now_or_never().is_none());
    clock.advance(SECOND * 29);
    assert!((&mut next).now_or_never().is_none());
    clock.advance(SECOND);
    assert!((&mut next).now_or_never().is_some());
}

#[test]
fn the_declared_interval_is_kept_to() {
    let polled = MemoryService::builder().delivery(Delivery::Poll { interval: SECOND * 60 }).build();
    let limits = RateLimits::declared(polled.capability());
    assert_eq!(limits.fetches, Some(Rate { every: SECOND * 60, burst: 2 }));
    assert_eq!(RateLimits::declared(MemoryService::new().capability()).fetches, None);
}
