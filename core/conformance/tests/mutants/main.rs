//! Bridges with one defect each, and the case that catches it: a check that cannot fail is a defect itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod broken;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use broken::{Broken, Defect, Shared};
use wayside_bridge::{Class, MemoryService, MemoryServiceBuilder, Writers};
use wayside_conformance::{MemoryHarness, Outcome, Settings, case, cases, run_with};

/// Which service it is over.
type Shape = fn() -> MemoryServiceBuilder;

/// Each defect, the case that is to catch it, and on which shape of service.
const MUTANTS: &[(Defect, &str, Shape)] = &[
    (Defect::NoTitle, "capability_makes_sense", room),
    (Defect::OtherLocator, "capability_makes_sense", room),
    (Defect::ProbeFails, "probe_answers", room),
    (Defect::Truncates, "round_trip", room),
    (Defect::RoundsExpiry, "round_trip", room),
    (Defect::HandsOutStrays, "round_trip", room),
    (Defect::MissingKeyFails, "missing_key", room),
    (Defect::MangledLineEnds, "binary_safety", room),
    (Defect::QuotesFrom, "awkward_contents", room),
    (Defect::RefusesDuplicates, "duplicate_publish", room),
    (Defect::LosesConcurrent, "concurrent_writers", room),
    (Defect::TakesAnything, "undeclared_is_refused", narrow),
    (Defect::CutsTooLarge, "too_large_is_refused", room),
    (Defect::OneByteShort, "largest_record", room),
    (Defect::OneLimitForAll, "classes_have_their_own_limits", narrow),
    (Defect::TenKeys, "many_keys", room),
    (Defect::DeniesThrottling, "rate_limit", room),
    (Defect::VagueDenial, "bad_credentials", room),
    (Defect::StrictCursor, "unknown_cursors", room),
    (Defect::OffsetCursor, "foreign_cursor", room),
    (Defect::OffsetCursor, "cursor_outlives_its_records", room),
    (Defect::LosesAfterCursor, "cursor_resumes_after_restart", room),
    (Defect::NoLimit, "pages", room),
    (Defect::NeverDone, "pages", room),
    (Defect::Overwrites, "collision", room),
    (Defect::ForgetsAfterADay, "expiry_takes_only_the_expired", room),
    (Defect::ForgetsAfterADay, "kept_for_the_retention", room),
    (Defect::IgnoresRetract, "retract_takes_back", room),
    (Defect::ForgetsReceipts, "retract_after_restart", room),
    (Defect::RetractOnce, "retract_is_idempotent", room),
    (Defect::RetractsTheKey, "retract_leaves_others_alone", room),
    (Defect::RetractsFive, "retract_in_one_batch", room),
    (Defect::OwnPlaceOnly, "places_of_others", own_places),
    (Defect::DeafWatcher, "watch_wakes", room),
    (Defect::WatchesFromNow, "watch_begins_with_what_is_there", room),
    (Defect::WatchesFromNow, "watch_resumes_from_cursor", room),
    (Defect::OneWatcher, "two_watchers", room),
    (Defect::DropsUnread, "stalled_watcher", room),
    (Defect::NeverRings, "ring_is_heard", room),
    (Defect::RingsEverybody, "ring_is_heard", room),
    (Defect::RingsNobody, "ring_is_heard", room),
    (Defect::StuckWhenDropped, "cancellation", room),
    (Defect::TornWhenDropped, "cancellation", room),
    (Defect::LeavesMarkers, "no_litter", room),
    (Defect::JudgesContent, "tampered_record_passes_through", room),
    (Defect::ChokesOnJunk, "junk_is_skipped", room),
    (Defect::HidesJunk, "junk_is_skipped", room),
    (Defect::OneAtATime, "hostile_records", room),
    (Defect::LooksAtAThousand, "hostile_records", room),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_defect_is_caught() {
    let runs = MUTANTS.iter().map(|(defect, name, shape)| async move {
        let shared = Arc::new(Shared::default());
        let harness = MemoryHarness::new(shape())
            .wrapped(move |bridge, _| Arc::new(Broken::new(bridge, *defect, Arc::clone(&shared))));
        let outcome = run_with(case(name).unwrap(), &harness, &settings()).await;
        (!outcome.is_failure()).then(|| format!("{defect:?} is not caught by {name}: {outcome:?}"))
    });
    let escaped: Vec<String> = futures::future::join_all(runs).await.into_iter().flatten().collect();
    assert!(escaped.is_empty(), "{escaped:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_defect_nothing_is_caught() {
    for shape in [room, narrow, own_places] {
        let shared = Arc::new(Shared::default());
        let harness = MemoryHarness::new(shape())
            .wrapped(move |bridge, _| Arc::new(Broken::new(bridge, Defect::None, Arc::clone(&shared))));
        for case in cases() {
            let outcome = run_with(case, &harness, &settings()).await;
            assert!(matches!(outcome, Outcome::Passed | Outcome::Skipped(_)), "{}: {outcome:?}", case.name);
        }
    }
}

#[test]
fn every_case_catches_something() {
    let caught: BTreeSet<_> = MUTANTS.iter().map(|(_, name, _)| *name).collect();
    let idle: Vec<_> = cases().iter().map(|case| case.name).filter(|name| !caught.contains(name)).collect();
    assert!(idle.is_empty(), "nothing shows that these can fail: {idle:?}");
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.slack = Duration::from_secs(2);
    settings
}

fn room() -> MemoryServiceBuilder {
    MemoryService::builder()
}

fn narrow() -> MemoryServiceBuilder {
    MemoryService::builder().without(Class::Pointer).max_record(Class::Meeting, 100)
}

fn own_places() -> MemoryServiceBuilder {
    MemoryService::builder().writers(Writers::One)
}
