//! What a run does: as the command runs it, and with deviations.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wayside_bridge::{
    Batch, Bridge, BridgeError, BridgeInfo, Capability, Collision, Fetch, Lookup, MemoryService,
    MemoryServiceBuilder, Probe, Receipt, Record, RecordStream, RingTarget, SharedBridge, Watch, Writers,
};
use wayside_conformance::support::TestClock;
use wayside_conformance::{
    ConfiguredHarness, MemoryHarness, Outcome, Runner, Settings, Weight, case, cases, run, run_with,
};

/// What a person's room is spared.
const MOST_LIGHT_RECORDS: usize = 20;

#[test]
fn the_light_cases_together_publish_few_records() {
    let budget = cases().iter().map(|case| match case.weight {
        Weight::Light { publishes } => publishes,
        _ => 0,
    });
    assert!(budget.sum::<usize>() <= MOST_LIGHT_RECORDS);
}

#[tokio::test]
async fn a_light_run_leaves_a_place_that_is_used_as_it_was() {
    for shape in [MemoryService::builder(), own_place()] {
        let clock = TestClock::new();
        let service = shape.clock(Arc::new(clock.clone())).build();
        service.plant_junk("ann", &b"somebody else's"[..]);
        let members = service.clone();
        let harness = ConfiguredHarness::new(Arc::new(clock), move || {
            let bridge = members.bridge("ann");
            async move { Ok(Arc::new(bridge) as _) }
        });
        let mut runner = Runner::light(harness);
        let mut passed = 0;
        while let Some((case, outcome)) = runner.next().await {
            assert_eq!(outcome, Outcome::Passed, "{}", case.name);
            assert_eq!(service.stored(), 1, "{} leaves something", case.name);
            passed += 1;
        }
        assert!(passed > 10);
    }
}

#[tokio::test]
async fn a_full_run_runs_every_case() {
    let mut runner = Runner::full(MemoryHarness::default());
    let mut names = Vec::new();
    while let Some((case, outcome)) = runner.next().await {
        assert!(!outcome.is_failure(), "{}: {outcome:?}", case.name);
        names.push(case.name);
    }
    assert_eq!(names, cases().iter().map(|case| case.name).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_deviation_that_is_none_is_a_failure() {
    let harness = MemoryHarness::default().deviates("round_trip", "it was so once");
    let outcome = run(case("round_trip").unwrap(), &harness).await;
    assert!(
        matches!(&outcome, Outcome::Failed(why) if why.sentence.is_none() && why.seen.contains("take the declaration out")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_deviation_is_told_with_its_reason() {
    let harness = MemoryHarness::default()
        .wrapped(|bridge, clock| {
            use wayside_bridge::layers::{Chaos, ChaosProfile, Faults};
            let deaf =
                ChaosProfile { probe: Faults { fail: 1.0, ..Faults::none() }, ..ChaosProfile::default() };
            Arc::new(Chaos::new(bridge, Arc::new(clock.clone()), deaf, 1))
        })
        .deviates("probe_answers", "nothing to ask");
    let outcome = run(case("probe_answers").unwrap(), &harness).await;
    assert_eq!(outcome, Outcome::Deviates("nothing to ask".to_owned()));
}

fn own_place() -> MemoryServiceBuilder {
    MemoryService::builder()
        .writers(Writers::One)
        .lookup(Lookup::Key)
        .collision(Collision::Overwrite)
        .max_keys(4)
}

/// A bridge that panics, or never answers, when it is asked to publish.
#[derive(Debug)]
struct Lost {
    inner: SharedBridge,
    panics: bool,
}

#[async_trait]
impl Bridge for Lost {
    fn info(&self) -> BridgeInfo {
        self.inner.info()
    }
    fn capability(&self) -> &Capability {
        self.inner.capability()
    }
    async fn publish(&self, _record: &Record) -> Result<Receipt, BridgeError> {
        assert!(!self.panics, "no record was thought of");
        std::future::pending().await
    }
    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.inner.fetch(request).await
    }
    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        self.inner.watch(request).await
    }
    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        self.inner.retract(receipts).await
    }
    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.inner.ring(target).await
    }
    async fn probe(&self) -> Result<Probe, BridgeError> {
        self.inner.probe().await
    }
}

#[tokio::test]
async fn what_every_case_holds_a_bridge_to_has_its_sentences() {
    for (panics, id) in [(true, "X3"), (false, "X4")] {
        let harness = MemoryHarness::default()
            .wrapped(move |inner, _| Arc::new(Lost { inner, panics }) as SharedBridge);
        let mut settings = Settings::default();
        settings.time_limit = Duration::from_millis(200);
        let outcome = run_with(case("round_trip").unwrap(), &harness, &settings).await;
        let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
        assert_eq!(failure.sentence.map(|sentence| sentence.id), Some(id), "{failure}");
        assert!(failure.to_string().starts_with(&format!("it breaks {id}: ")), "{failure}");
    }
}
