//! Bridges with one defect each, the case that catches it, and the sentence of the specification that it names then: a check that cannot fail is a
//! defect itself, and so is a report of something else.

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

/// Each defect, the case that is to catch it, the sentence that it breaks, and on which shape of service.
const MUTANTS: &[(Defect, &str, &str, Shape)] = &[
    (Defect::NoTitle, "capability_makes_sense", "D1", room),
    (Defect::OtherLocator, "capability_makes_sense", "D2", room),
    (Defect::ProbeFails, "probe_answers", "Q1", room),
    (Defect::Truncates, "round_trip", "P2", room),
    (Defect::RoundsExpiry, "round_trip", "P2", room),
    (Defect::HandsOutStrays, "round_trip", "F2", room),
    (Defect::MissingKeyFails, "missing_key", "F1", room),
    (Defect::MangledLineEnds, "binary_safety", "P2", room),
    (Defect::QuotesFrom, "awkward_contents", "P2", room),
    (Defect::RefusesDuplicates, "duplicate_publish", "P3", room),
    (Defect::LosesConcurrent, "concurrent_writers", "P6", room),
    (Defect::TakesAnything, "undeclared_is_refused", "C1", narrow),
    (Defect::CutsTooLarge, "too_large_is_refused", "C2", room),
    (Defect::OneByteShort, "largest_record", "C3", room),
    (Defect::OneLimitForAll, "classes_have_their_own_limits", "C4", narrow),
    (Defect::TenKeys, "many_keys", "C3", room),
    (Defect::DeniesThrottling, "rate_limit", "E1", room),
    (Defect::VagueDenial, "bad_credentials", "E2", room),
    (Defect::StrictCursor, "unknown_cursors", "F6", room),
    (Defect::OffsetCursor, "foreign_cursor", "F6", room),
    (Defect::OffsetCursor, "cursor_outlives_its_records", "F5", room),
    (Defect::LosesAfterCursor, "cursor_resumes_after_restart", "F5", room),
    (Defect::NoLimit, "pages", "F3", room),
    (Defect::NeverDone, "pages", "F4", room),
    (Defect::Overwrites, "collision", "P4", room),
    (Defect::ForgetsAfterADay, "expiry_takes_only_the_expired", "T1", room),
    (Defect::ForgetsAfterADay, "kept_for_the_retention", "T1", room),
    (Defect::IgnoresRetract, "retract_takes_back", "R1", room),
    (Defect::ForgetsReceipts, "retract_after_restart", "R2", room),
    (Defect::RetractOnce, "retract_is_idempotent", "R3", room),
    (Defect::RetractsTheKey, "retract_leaves_others_alone", "R4", room),
    (Defect::RetractsFive, "retract_in_one_batch", "R5", room),
    (Defect::OwnPlaceOnly, "places_of_others", "L1", own_places),
    (Defect::DeafWatcher, "watch_wakes", "W1", room),
    (Defect::WatchesFromNow, "watch_begins_with_what_is_there", "W2", room),
    (Defect::WatchesFromNow, "watch_resumes_from_cursor", "W3", room),
    (Defect::OneWatcher, "two_watchers", "W4", room),
    (Defect::DropsUnread, "stalled_watcher", "W5", room),
    (Defect::NeverRings, "ring_is_heard", "N1", room),
    (Defect::RingsEverybody, "ring_is_heard", "N1", room),
    (Defect::RingsNobody, "ring_is_heard", "N2", room),
    (Defect::StuckWhenDropped, "cancellation", "X2", room),
    (Defect::TornWhenDropped, "cancellation", "X1", room),
    (Defect::LeavesMarkers, "no_litter", "R6", room),
    (Defect::JudgesContent, "tampered_record_passes_through", "H1", room),
    (Defect::ChokesOnJunk, "junk_is_skipped", "H2", room),
    (Defect::HidesJunk, "junk_is_skipped", "H2", room),
    (Defect::OneAtATime, "hostile_records", "H3", room),
    (Defect::LooksAtAThousand, "hostile_records", "H3", room),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_defect_is_caught() {
    let runs = MUTANTS.iter().map(|(defect, name, sentence, shape)| async move {
        let shared = Arc::new(Shared::default());
        let harness = MemoryHarness::new(shape())
            .wrapped(move |bridge, _| Arc::new(Broken::new(bridge, *defect, Arc::clone(&shared))));
        let outcome = run_with(case(name).unwrap(), &harness, &settings()).await;
        let named = match &outcome {
            Outcome::Failed(failure) => failure.sentence.map(|broken| broken.id),
            _ => None,
        };
        (named != Some(*sentence)).then(|| format!("{defect:?} is not {sentence} in {name}: {outcome:?}"))
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
    let caught: BTreeSet<_> = MUTANTS.iter().map(|(_, name, _, _)| *name).collect();
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
