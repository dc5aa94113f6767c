//! What a run does: as the command runs it, and with deviations.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::sync::Arc;

use wayside_bridge::{Collision, Lookup, MemoryService, MemoryServiceBuilder, Writers};
use wayside_conformance::support::TestClock;
use wayside_conformance::{ConfiguredHarness, MemoryHarness, Outcome, Runner, Weight, case, cases, run};

/// What a person's room is spared.
const MOST_LIGHT_RECORDS: usize = 20;

#[test]
fn the_light_cases_together_publish_few_records() {
    let budget = cases().iter().map(|case| match case.weight {
        Weight::Light { publishes } => publishes,
        Weight::Full => 0,
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
        matches!(&outcome, Outcome::Failed(why) if why.contains("take the declaration out")),
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
