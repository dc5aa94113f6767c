//! Bridges that wrap a bridge.
//!
//! Each takes a [`SharedBridge`](crate::SharedBridge), is a [`Bridge`](crate::Bridge) itself, and hands
//! info and capability on, so that they can be stacked in any order. A node stacks them as
//! `Check(Retry(RateLimit(bridge)))`: what is not declared never costs a token or an attempt. Tests put [`Chaos`]
//! innermost, where the service would be.

mod chaos;
mod check;
mod rate_limit;
mod retry;

pub use chaos::{Chaos, ChaosProfile, Faults};
pub use check::Check;
pub use rate_limit::{Rate, RateLimit, RateLimits};
pub use retry::{Attempts, Retry, RetryPolicy};

#[cfg(test)]
mod probe_bridge;
