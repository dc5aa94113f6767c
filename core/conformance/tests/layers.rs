//! The suite on each layer over the service in memory: a layer is a bridge, and as good as the one it wraps.

use std::sync::Arc;
use std::time::Duration;

use wayside_bridge::layers::{Chaos, ChaosProfile, Check, Rate, RateLimit, RateLimits, Retry, RetryPolicy};
use wayside_bridge::{
    Class, Clock, Collision, Lookup, MemoryService, MemoryServiceBuilder, SeededEntropy, SharedBridge,
    Writers,
};
use wayside_conformance::support::TestClock;
use wayside_conformance::{MemoryHarness, conformance_tests};

mod check {
    use super::*;
    conformance_tests!(MemoryHarness::new(room()).wrapped(|bridge, _| Arc::new(Check::new(bridge))));
}

mod check_over_a_zone {
    use super::*;
    conformance_tests!(MemoryHarness::new(zone()).wrapped(|bridge, _| Arc::new(Check::new(bridge))));
}

mod retry {
    use super::*;
    conformance_tests!(MemoryHarness::new(room()).wrapped(with_retry));
}

mod rate_limit {
    use super::*;
    conformance_tests!(MemoryHarness::new(room()).wrapped(with_rate_limit));
}

mod lawful_chaos {
    use super::*;
    conformance_tests!(MemoryHarness::new(room()).wrapped(with_chaos));
}

/// As a node stacks them, over a service that is slow and muddled.
mod all {
    use super::*;
    conformance_tests!(MemoryHarness::new(room()).wrapped(stacked));
}

mod all_over_a_zone {
    use super::*;
    conformance_tests!(MemoryHarness::new(zone()).wrapped(stacked));
}

fn room() -> MemoryServiceBuilder {
    MemoryService::builder().max_record(Class::Meeting, 4_096)
}

fn zone() -> MemoryServiceBuilder {
    MemoryService::builder()
        .writers(Writers::One)
        .lookup(Lookup::Key)
        .collision(Collision::Overwrite)
        .max_record(Class::Pointer, 1_000)
        .max_keys(5)
}

fn clock(clock: &TestClock) -> Arc<dyn Clock> {
    Arc::new(clock.clone())
}

fn with_retry(bridge: SharedBridge, time: &TestClock) -> SharedBridge {
    Arc::new(Retry::new(bridge, clock(time), Arc::new(SeededEntropy::new(1)), RetryPolicy::default()))
}

fn with_rate_limit(bridge: SharedBridge, time: &TestClock) -> SharedBridge {
    let rate = Rate { every: Duration::from_micros(100), burst: 100 };
    let limits = RateLimits { publishes: Some(rate), fetches: Some(rate), queue: 1_000 };
    Arc::new(RateLimit::new(bridge, clock(time), limits))
}

fn with_chaos(bridge: SharedBridge, time: &TestClock) -> SharedBridge {
    Arc::new(Chaos::new(bridge, clock(time), ChaosProfile::lawful(), 1))
}

fn stacked(bridge: SharedBridge, time: &TestClock) -> SharedBridge {
    let slow = with_rate_limit(with_chaos(bridge, time), time);
    Arc::new(Check::new(with_retry(slow, time)))
}
