//! The drop on a node (`[rendezvous]`), with real processes: that it is a drop as any other, what it lets strangers do, and what they cost.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that meets what it did not expect has failed"
)]

mod bounds;
mod conformance;
mod costs;
mod friends;
mod stranger;
#[path = "../e2e/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with tests/e2e, which uses all of it")]
mod support;
