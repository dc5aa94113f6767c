//! The behaviour suite that every bridge passes.
//!
//! One suite for all: it runs on the service in memory, on each layer, on every plugin against its real
//! server, on a third party's program behind the `exec` bridge, and from `wayside bridge test`. It goes by what
//! the bridge declares (listed or looked up, appended or overwritten, pushed or polled, shared or one writer),
//! and there is nothing to opt out of: a case that a backend has no means for is *skipped* with a reason, a
//! case in which it is known to differ *deviates* with a reason, and both are shown.
//!
//! Each [`Case`] holds a bridge to numbered sentences of one [`specification`], the page `docs/BRIDGE-SPEC.md`, and a [`Failure`] names the
//! sentence that was broken, what was expected, and what was seen.
//!
//! # For the author of a bridge
//!
//! Supply a [`Harness`]: it opens fresh [`Namespace`]s, and a namespace hands out members' bridges. Then one line
//! makes a test of every case:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use async_trait::async_trait;
//! use bytes::Bytes;
//! use wayside_bridge::{BridgeError, Clock, MemoryService, Record, RingTarget, SharedBridge, Timestamp};
//! use wayside_conformance::support::TestClock;
//! use wayside_conformance::{Deviation, Harness, Missing, Namespace, Planted, Supply};
//!
//! struct Ours;
//!
//! #[async_trait]
//! impl Harness for Ours {
//!     async fn open(&self) -> Supply<Box<dyn Namespace>> {
//!         let clock = TestClock::new();
//!         let service = MemoryService::builder().clock(Arc::new(clock.clone())).build();
//!         Ok(Box::new(Room { service, clock }))
//!     }
//!
//!     fn deviations(&self) -> &[Deviation] {
//!         &[]
//!     }
//! }
//!
//! struct Room {
//!     service: MemoryService,
//!     clock: TestClock,
//! }
//!
//! #[async_trait]
//! impl Namespace for Room {
//!     async fn handle(&self, who: usize) -> Result<SharedBridge, BridgeError> {
//!         Ok(Arc::new(self.service.bridge(&format!("member-{who}"))))
//!     }
//!     fn now(&self) -> Timestamp {
//!         self.clock.now()
//!     }
//!     async fn advance(&self, by: Duration) -> Supply {
//!         self.clock.advance(by);
//!         Ok(())
//!     }
//!     async fn stranger(&self) -> Supply<SharedBridge> {
//!         Ok(Arc::new(self.service.stranger("eve")))
//!     }
//!     async fn throttle(&self, _on: bool) -> Supply {
//!         Missing::not_applicable("memory has no rate limit")
//!     }
//!     async fn plant(&self, who: usize, entries: &[Planted]) -> Supply {
//!         for entry in entries {
//!             match entry {
//!                 Planted::Junk(junk) => self.service.plant_junk(&format!("member-{who}"), junk.clone()),
//!                 Planted::Record(record) => self.service.plant(&format!("member-{who}"), record.clone()),
//!                 _ => return Missing::not_applicable("nothing else can be planted"),
//!             }
//!         }
//!         Ok(())
//!     }
//!     async fn tamper(&self, _who: usize, _record: &Record, _bytes: &Bytes) -> Supply {
//!         Missing::not_applicable("to keep the example short")
//!     }
//!     async fn bell(&self, who: usize) -> Supply<RingTarget> {
//!         Ok(RingTarget(format!("member-{who}")))
//!     }
//!     async fn rung(&self, who: usize) -> Supply<bool> {
//!         Ok(self.service.rung().contains(&RingTarget(format!("member-{who}"))))
//!     }
//!     async fn litter(&self) -> Supply<usize> {
//!         Ok(self.service.stored())
//!     }
//! }
//!
//! mod conformance {
//!     wayside_conformance::conformance_tests!(super::Ours);
//! }
//! # let case = wayside_conformance::case("round_trip").unwrap();
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
//! # let outcome = runtime.block_on(wayside_conformance::run(case, &Ours));
//! # assert_eq!(outcome, wayside_conformance::Outcome::Passed);
//! ```
//!
//! The handles are what [`BridgeKind::open`](wayside_bridge::BridgeKind::open) hands out, bare: limits are the
//! bridge's to keep, for which [`Capability::permit_publish`](wayside_bridge::Capability::permit_publish) and its
//! siblings are one line each. A polled bridge is opened with the shortest interval it can have, since the
//! suite keeps to it.
//!
//! # For the command
//!
//! [`Runner::light`] on a [`ConfiguredHarness`] publishes at most twenty records and takes all of them back;
//! [`Runner::full`] runs everything. Both yield outcomes one by one.

mod case;
mod cases;
mod configured;
mod harness;
mod macros;
mod memory;
mod run;
mod scene;
mod spec;
pub mod support;
mod tally;
mod walk;

pub use case::{Case, Failure, Outcome, Weight, case, cases};
pub use configured::ConfiguredHarness;
pub use harness::{Deviation, Harness, Missing, Namespace, Planted, Supply};
pub use macros::{assert_complete, run_test};
pub use memory::MemoryHarness;
pub use run::{Runner, Settings, run, run_with};
pub use spec::{Sentence, specification};
